"""The virtualenv that a rollout's own files run in: one into which their very lock was installed.

The project's own `.venv` where it fits (make keeps a copy of the lock that it installed in `.venv/.runtime`), else one
that is built, once on a machine for each lock, and kept. Looked at again before every step, for `git pull` and `make`
may have changed the project's while a rollout baked.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from infra.errors import Mistake, Refused, SpecError

NAME, LOCK, INSTALLED = ".venv", "requirements.lock", ".runtime"
"""As Pulumi.yaml and the Makefile have them."""
_LONGEST = 1800.0
"""Seconds that an installation may take."""
_choosing = threading.Lock()


def link(source: Path, root: Path, say: Callable[[str], None] = lambda _text: None) -> Path:
    """Lead an export's `.venv` to a virtualenv that fits its lock, and give that one; `say` hears of a long wait.

    Raises SpecError for an export without a lock, Refused where it cannot be installed.
    """
    try:
        lock = (source / LOCK).read_bytes()
    except FileNotFoundError:
        text = "is not in the commit, so what its program needs is not known"
        raise SpecError([Mistake(LOCK, 0, "", text)]) from None
    with _choosing:
        own, linked = root / NAME, source / NAME
        chosen = own.absolute() if _fits(own, lock) else _kept_or_built(lock, say)
        with suppress(FileNotFoundError, OSError):
            if Path(os.readlink(linked)) == chosen:
                return chosen
        made = linked.with_name(f"{NAME}.{os.getpid()}")
        made.unlink(missing_ok=True)
        made.symlink_to(chosen)
        made.replace(linked)
        return chosen


def _fits(virtualenv: Path, lock: bytes) -> bool:
    try:
        return (virtualenv / INSTALLED).read_bytes() == lock and (virtualenv / "bin" / "python").exists()
    except OSError:
        return False


def _kept_or_built(lock: bytes, say: Callable[[str], None]) -> Path:
    """The one of this lock in the cache. Two rollouts that need it at once build it once."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "hearth" / "virtualenvs"
    cache.mkdir(parents=True, exist_ok=True)
    name = f"{hashlib.sha256(lock).hexdigest()[:16]}-py{sys.version_info.major}.{sys.version_info.minor}"
    made = cache / name
    with (cache / f"{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # let go by the system too when we are killed
        if not _fits(made, lock):
            say("the commit needs other packages than .venv holds: installing them (once; about a minute)")
            shutil.rmtree(made, ignore_errors=True)
            _build(made, lock)
    return made


def _build(where: Path, lock: bytes) -> None:
    where.mkdir()
    requirements = where / "requirements.txt"
    requirements.write_bytes(lock)
    pip = [str(where / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
    for command in (
        [sys.executable, "-m", "venv", str(where)],
        [*pip, "install", "--require-hashes", "-r", str(requirements)],
    ):
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            raise Refused(f"{where}: installing the packages of the commit has not ended in half an hour") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or [f"exit {done.returncode}"]
            raise Refused(f"{where}: the packages of the commit cannot be installed: {said[-1]}")
    (where / INSTALLED).write_bytes(lock)  # last: what is without it is not whole
