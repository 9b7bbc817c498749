"""Find a `pulumi` executable, or make one.

    on PATH, new enough → kept from an earlier run → the official installer → built from Go modules

The first that works is taken. Only the last two take time, and only once on a machine.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.toolchain.build import build, fingerprint, go_command
from infra.toolchain.errors import NoEngine, ToolchainError
from infra.toolchain.progress import Progress, shown_on
from infra.toolchain.versions import PULUMI

INSTALL_LIMIT = 120.0  # seconds; a network that swallows everything must not cost more
_VERSION_LIMIT = 20.0  # seconds
_INSTALLER = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"


def find_or_build(
    progress: Progress, *, env: Mapping[str, str] = os.environ, install_limit: float = INSTALL_LIMIT
) -> Path:
    """The path of a `pulumi` executable of version `PULUMI` or newer.

    Raises NoEngine when there is nothing to get one with, and BuildFailed when Go could not build it.
    """
    ours = _cache(env) / fingerprint() / "bin" / "pulumi"
    official = _cache(env) / f"official-{PULUMI}"
    found = _on_path(env) or _kept(ours) or _kept(official / "bin" / "pulumi")
    if found:
        return found
    if _install_officially(official, env, progress, install_limit):
        return official / "bin" / "pulumi"
    go = go_command(env)
    if go is None:
        raise NoEngine(
            f"pulumi: PATH has no version {PULUMI} or newer, its official installer cannot be reached, and there "
            f"is no Go to build it with. Put the Pulumi CLI on PATH, or Go 1.21 or newer, and run this again."
        )
    build(ours, go, env, progress)
    return ours


def _cache(env: Mapping[str, str]) -> Path:
    """Where this machine keeps its CLIs: one folder for each version that was ever needed."""
    base = env.get("XDG_CACHE_HOME", "")
    # The base directory specification says that a relative path is to be ignored.
    root = Path(base) if os.path.isabs(base) else Path(env.get("HOME") or Path.home()) / ".cache"
    return root / "hearth" / "pulumi"


def _kept(executable: Path) -> Path | None:
    """A CLI of an earlier run. It was renamed into place when complete, so being there is enough."""
    return executable if os.access(executable, os.X_OK) else None


def _on_path(env: Mapping[str, str]) -> Path | None:
    command = shutil.which("pulumi", path=env.get("PATH", os.defpath))
    if command is None or version_of(command, env) < numbers(PULUMI):
        return None
    return Path(command)


def version_of(command: str, env: Mapping[str, str]) -> tuple[int, ...]:
    """What the executable says it is, as numbers; () when it says nothing of use."""
    try:
        answer = subprocess.run(
            [command, "version"],
            env={**env, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            capture_output=True,
            text=True,
            timeout=_VERSION_LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return numbers(answer.stdout)


def numbers(version: str) -> tuple[int, ...]:
    """The three numbers of a version; () for anything else."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version.strip())
    return tuple(map(int, match.groups())) if match else ()


def _install_officially(root: Path, env: Mapping[str, str], progress: Progress, limit: float) -> bool:
    """Let the SDK's own installer try, quietly. Without a network it gives up within milliseconds.

    It runs in a process of its own: it has no time limit, and what it starts must end with it.
    """
    progress("Looking for the official Pulumi installer", 0, None)
    partial = root.with_name(f".{root.name}-{os.getpid()}")
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _INSTALLER, str(partial)],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if process.wait(limit) != 0 or _kept(partial / "bin" / "pulumi") is None:
            return False
        partial.rename(root)
    except (subprocess.TimeoutExpired, OSError):
        return _kept(root / "bin" / "pulumi") is not None
    else:
        return True
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(partial, ignore_errors=True)


if __name__ == "__main__":  # once before many need it at once
    try:
        find_or_build(shown_on())
    except ToolchainError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
