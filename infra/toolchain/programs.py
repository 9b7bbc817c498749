"""A Python for the program, ready before the engine asks for it.

For one command the engine starts the language host twice: first only to ask about the runtime, then to run
the program. Importing the SDK takes longer than all the engine does in between, so the first host sets a
Python to it, and the second one finds that Python at a meeting point named after the engine. It belongs to
the engine: it ends with it, and it never waits longer than `run_program.WAIT`.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_RUN_PROGRAM = Path(__file__).with_name("run_program.py")


class Program:
    """One Python that runs one program, at the other end of a socket."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        """`pid` is 0 for one that could not start: running it then gives None."""
        self._connection = connection
        self._pid = pid
        self._ended = threading.Event()

    def run(self, order: Mapping[str, Any]) -> int | None:
        """Hand over the order and our own stdout and stderr; the exit code when it has run, None when it was killed.

        `run_program.py` says what an order is. It goes by socket, because the configuration in it may hold
        secrets, and both arguments and environment can be read by others.
        """
        with self._connection, suppress(OSError):
            message = json.dumps(order).encode()
            socket.send_fds(self._connection, [len(message).to_bytes(8)], [1, 2])
            self._connection.sendall(message)
            code = self._connection.recv(16)
            self._ended.set()
            return int(code) if code else None
        return None

    def end(self) -> None:
        """End it, if it still runs."""
        if self._pid and not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)


def prepare(python: Path, engine: int) -> None:
    """Have a Python wait for a program of the engine with this process id, if none does already."""
    place = _meeting_point(engine)
    if place is not None and not place.exists():
        _start(python, ["--at", str(place), str(engine)])


def take(python: Path, engine: int, prepared: Path) -> Program:
    """The Python that was prepared for this engine, if it is the right one, else a new one."""
    # One environment may have many names, where a folder above it is a link. The python in it is one itself.
    is_right = python.parent.resolve() == prepared.parent.resolve()
    return (_waiting(engine) if is_right else None) or _new(python)


def _waiting(engine: int) -> Program | None:
    place = _meeting_point(engine)
    if place is None:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(place))
        return Program(connection, int(connection.recv(16)))
    except (OSError, ValueError):
        connection.close()
        place.unlink(missing_ok=True)  # left by one that was killed
        return None


def _new(python: Path) -> Program:
    ours, its = socket.socketpair()
    with its:
        _start(python, ["--on", str(its.fileno())], pass_fds=(its.fileno(),))
    return Program(ours, int(ours.recv(16) or 0))


def _start(python: Path, arguments: list[str], pass_fds: tuple[int, ...] = ()) -> None:
    subprocess.Popen(
        [str(python), "-P", str(_RUN_PROGRAM), *arguments],
        pass_fds=pass_fds,
        # It gets the output of the host that runs it. Holding that of the host which starts it would keep
        # the engine waiting for the end of a stream.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _meeting_point(engine: int) -> Path | None:
    """Where a prepared Python of this engine listens: in a folder that only we can look into."""
    # Not the module tempfile: importing it takes longer than all else here. The folder is checked below.
    folder = Path(os.environ.get("TMPDIR") or "/tmp", f"hearth-{os.getuid()}")  # noqa: S108
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder / f"{engine}.sock" if private else None
