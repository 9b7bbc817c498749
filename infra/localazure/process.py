"""Local Azure as a process of its own: start it, find it again, stop it.

Everything about it lies in one folder: state, certificates, port, log, and the lock that its process holds while it
lives. A process that is gone has let go of the lock, whatever way it went.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import os
import random
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.localazure import tls

START_SECONDS, STOP_SECONDS = 20.0, 5.0
_LOCK_SECONDS = 1.0
"""How long a new process tries for the lock: others hold it for a moment when they look whether anybody does."""
_PAUSE = 0.01
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
        return control_key(self.folder)


def find(folder: Path) -> Running | None:
    """The process that serves the state in `folder`, or None."""
    pid, port = _lock_holder(folder)
    if pid is None or port is None:
        return None
    return Running(pid, port, f"https://localhost:{port}", folder, new=False)


def start(folder: Path, *, port: int | None = None, seed: Path | None = None) -> Running:
    """Start it on the port it had (or `port`), or find it running; returns when it answers. Raises NotStarted."""
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(folder):
        found = find(folder)
        if found is None:
            return _start(folder, port, seed)
    if port is not None and port != found.port:
        raise NotStarted(f"local Azure runs already, on port {found.port}; stop it first to move it to port {port}")
    return found


def stop(folder: Path) -> bool:
    """Stop it and keep its state; tells whether there was one to stop."""
    pid, _ = _lock_holder(folder)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _lock_holder(folder)[0] is not None:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            deadline += STOP_SECONDS
        time.sleep(_PAUSE)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)  # where this very process started it
    return True


def control_key(folder: Path) -> str:
    """What opens the control API of the local Azure in this folder; made when there is none yet."""
    path = folder / "control.key"
    if not path.exists():
        tls.write(path, secrets.token_urlsafe(24).encode())
    return path.read_text()


def hold_lock(folder: Path) -> int:
    """Hold the folder's lock as long as this process lives; raises BlockingIOError if another one does."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise
            time.sleep(_PAUSE)
        else:
            break
    _note(handle, str(os.getpid()))
    return handle


def note_port(folder: Path, lock: int, port: int) -> None:
    """Say in the lock that this process has the port, and keep the port for the next start."""
    tls.write(folder / "port", str(port).encode())
    _note(lock, f"{os.getpid()} {port}")


def _note(lock: int, text: str) -> None:
    """Write over what the lock says; never empty in between, for others read it at any time."""
    os.pwrite(lock, text.encode(), 0)
    os.ftruncate(lock, len(text))


# --- how it is started ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Two who start it at once: the second one waits, and finds it running."""
    handle = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _start(folder: Path, port: int | None, seed: Path | None) -> Running:
    tls.ensure(folder)
    tls.write(folder / "ca-bundle.pem", tls.bundle(folder / "ca.pem"))
    control_key(folder)
    chosen = port or _read_number(folder / "port") or _free_port()
    command = [sys.executable, "-m", "infra.localazure", "--state", str(folder), "--port", str(chosen)]
    if seed is not None:
        command += ["--seed", str(seed)]
    log = folder / "log"
    if log.exists():
        log.replace(folder / "log.before")  # what the last one said at its end
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    _await_answer(process, folder, chosen)
    process.returncode = 0  # it outlives this call on purpose; without this its end would be missed here aloud
    return Running(process.pid, chosen, f"https://localhost:{chosen}", folder, new=True)


def _await_answer(process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    deadline = time.monotonic() + START_SECONDS
    # The lock first: whoever else has the port is not asked.
    while _lock_holder(folder) != (process.pid, port) or not _answers(context, port):
        if process.poll() is not None:
            why = (folder / "log").read_text("utf-8", "replace").strip().splitlines() or ["it ended without a word"]
            raise NotStarted(why[-1])
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise NotStarted(f"no answer on port {port} after {START_SECONDS:.0f} s; see {folder / 'log'}")
        time.sleep(_PAUSE)


def _answers(context: ssl.SSLContext, port: int) -> bool:
    """Whether a local Azure with our certificate answers there."""
    connection = http.client.HTTPSConnection("localhost", port, timeout=2, context=context)
    try:
        connection.request("GET", "/.local-azure/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _lock_holder(folder: Path) -> tuple[int | None, int | None]:
    """The process that holds the lock, and its port once it has one; (None, None) where nobody holds it."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None, None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid, _, port = (folder / "lock").read_text().partition(" ")
        return int(pid) if pid.isdigit() else None, int(port) if port.isdigit() else None
    finally:
        os.close(handle)
    return None, None


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
