"""Build the Pulumi CLI from Go modules, at the versions that engine/go.mod and go.sum fix.

Four minutes on two cores from empty caches. A kill at any moment leaves nothing that could be taken
for a finished build, and of two builders at once the second waits and finds the work done.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from infra.toolchain.errors import BuildFailed
from infra.toolchain.progress import Progress
from infra.toolchain.versions import PULUMI

MODULE = Path(__file__).parent / "engine"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_TAGS = "osusergo,grpcnotrace"
# Without the version in it, the CLI calls itself nothing and the Automation API refuses it.
_LDFLAGS = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI}"
_TIME_TO_TIDY = 5.0  # seconds that an interrupted Go gets to remove its work folder


def fingerprint() -> str:
    """What the build depends on, as a short name for its folder."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return digest.hexdigest()[:12]


def build(target: Path, go: str, env: Mapping[str, str], progress: Progress) -> None:
    """Build the CLI with the `go` command and put it at `target`.

    Raises BuildFailed, with what Go said last.
    """
    env = {**env, "GOTOOLCHAIN": "auto", "CGO_ENABLED": "0", "GOWORK": "off"}
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent.parent / "lock", progress):
        if target.is_file():
            return
        partial = target.with_name(".partial")
        try:
            packages = _list_packages(go, env, progress)
            _compile(go, env, partial, packages, progress)
            partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)


def _list_packages(go: str, env: Mapping[str, str], progress: Progress) -> int:
    """How many packages there are to build; asking makes Go fetch the modules."""
    what = "Fetching the Go modules of the Pulumi CLI"
    progress(what, 0, None)
    count = fetched = 0
    for line in _run_go([go, "list", "-deps", "-mod=readonly", f"-tags={_TAGS}", _PACKAGE], env):
        if line.startswith("go: downloading"):
            fetched += 1
            progress(what, fetched, None)
        elif not line.startswith("go: "):
            count += 1
    return count


def _compile(go: str, env: Mapping[str, str], output: Path, packages: int, progress: Progress) -> None:
    what = f"Building the Pulumi CLI {PULUMI}"
    done = 0
    command = [go, "build", "-v", "-trimpath", "-mod=readonly", f"-tags={_TAGS}", f"-ldflags={_LDFLAGS}"]
    progress(what, done, packages)
    for _package in _run_go([*command, "-o", str(output), _PACKAGE], env):
        # Go names each package that it compiles, and none that its cache has already.
        done = min(done + 1, packages - 1)
        progress(what, done, packages)
    progress(what, packages, packages)


def _run_go(command: list[str], env: Mapping[str, str]) -> Iterator[str]:
    """The command's lines as they come. Whatever ends the reading ends Go and all it has started."""
    process = subprocess.Popen(
        command,
        cwd=MODULE,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    output = cast("IO[str]", process.stdout)  # piped
    last: deque[str] = deque(maxlen=3)
    try:
        for line in output:
            last.append(line.strip())
            yield line.rstrip()
        if process.wait() != 0:
            raise BuildFailed(
                f"{MODULE.name}/go.mod: `go {command[1]}` failed: {' · '.join(last) or 'it said nothing'}. "
                f"Install the Pulumi CLI {PULUMI} or newer on PATH, or give Go its modules, and run this again."
            )
    finally:
        _end_group(process)
        output.close()


def _end_group(process: subprocess.Popen[str]) -> None:
    """End the process and what it has started; an interrupt first, so that Go tidies up."""
    for sign, patience in ((signal.SIGINT, _TIME_TO_TIDY), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def _alone(lock: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock file. It goes with the process, so a killed builder blocks nobody."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Waiting for another build of the Pulumi CLI on this machine", 0, None)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def go_command(env: Mapping[str, str]) -> str | None:
    """The `go` on PATH, if there is one."""
    return shutil.which("go", path=env.get("PATH", os.defpath))
