"""Local Azure as a process of its own: start it, find it again, stop it.

Everything about it lies in one folder: state, certificates, port, log, and the lock that its process holds while it
lives. A process that is gone has let go of the lock, whatever way it went.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from infra.localazure import tls

START_SECONDS, STOP_SECONDS = 20.0, 5.0
_PORTS = range(20000, 32000)
"""Below the range from which systems take ports for outgoing connections, so that a kept port stays free."""


class NotStarted(Exception):
    """It did not come up; the text says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A local Azure that runs."""

    pid: int
    port: int
    origin: str
    folder: Path
    new: bool
    """Whether this call started it."""

    @property
    def authority(self) -> Path:
        """The certificate that clients must trust."""
        return self.folder / "ca.pem"

    @property
    def bundle(self) -> Path:
        """The system's certificates and its own in one file."""
        return self.folder / "ca-bundle.pem"

    @property
    def control_key(self) -> str:
        """What opens its control API."""
        return (self.folder / "control.key").read_text()


def find(folder: Path) -> Running | None:
    """The process that serves the state in `folder`, or None."""
    pid = _lock_holder(folder)
    port = _read_number(folder / "port")
    if pid is None or port is None:
        return None
    return Running(pid, port, f"https://localhost:{port}", folder, new=False)


def start(folder: Path, *, port: int | None = None, seed: Path | None = None) -> Running:
    """Start it on the port it had (or `port`), or find it running; returns when it answers. Raises NotStarted."""
    found = find(folder)
    if found is not None:
        if port is not None and port != found.port:
            raise NotStarted(f"local Azure runs already, on port {found.port}; hearth local stop ends it")
        return found
    folder.mkdir(parents=True, exist_ok=True)
    tls.ensure(folder)
    _write(folder / "ca-bundle.pem", tls.bundle(folder / "ca.pem"))
    if not (folder / "control.key").exists():
        _write(folder / "control.key", secrets.token_urlsafe(24).encode())
    chosen = port or _read_number(folder / "port") or _free_port()
    _write(folder / "port", str(chosen).encode())
    command = [sys.executable, "-m", "infra.localazure", "--state", str(folder), "--port", str(chosen)]
    if seed is not None:
        command += ["--seed", str(seed)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    _await_port(process, folder, chosen)
    return Running(process.pid, chosen, f"https://localhost:{chosen}", folder, new=True)


def stop(folder: Path) -> bool:
    """Stop it and keep its state; tells whether there was one to stop."""
    pid = _lock_holder(folder)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _lock_holder(folder) is not None:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            deadline += STOP_SECONDS
        time.sleep(0.02)
    return True


def hold_lock(folder: Path) -> int:
    """Hold the folder's lock as long as this process lives; raises BlockingIOError if another one does."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


def _lock_holder(folder: Path) -> int | None:
    """The process that holds the lock, or None."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_number(folder / "lock")
    finally:
        os.close(handle)
    return None


def _await_port(process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None:
            why = (folder / "log").read_text("utf-8", "replace").strip().splitlines() or ["it ended without a word"]
            raise NotStarted(why[-1])
        if _lock_holder(folder) == process.pid and _connects(port):
            return
        if time.monotonic() > deadline:
            process.kill()
            raise NotStarted(f"no answer on port {port} after {START_SECONDS:.0f} s; see {folder / 'log'}")
        time.sleep(0.01)


def _connects(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _free_port() -> int:
    """A port of ours that nobody has, and that is likely to stay free."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return port
    raise NotStarted("no free port was found between 20000 and 32000")


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)
