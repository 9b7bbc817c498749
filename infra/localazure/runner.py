"""How a Container Apps job's command is run on this machine: as a process, in the place of a container.

There are no images here. The command is looked for where the programs of this project are installed, and everything
else is as declared: command, arguments, environment. Of the machine's own environment the process sees nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

NOT_FOUND, TIMED_OUT, STOPPED = 127, 124, 143
_KILL_SECONDS, _LOOK_SECONDS = 5.0, 0.1


@dataclass(frozen=True, slots=True)
class Work:
    """What a replica of a job is to do."""

    command: list[str]
    """Command and arguments."""
    environment: dict[str, str]
    """As the job declares it, with what the platform adds."""
    seconds: float
    """How long it may take."""
    say: Callable[[str, str], None]
    """Takes each line that it writes: the stream (stdout, stderr) and the line."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when it is to end early."""


class Runner(Protocol):
    """Runs the work of a replica."""

    def __call__(self, work: Work) -> int:
        """Do it and give the exit code; not 0 for what could not be started or took too long."""


class Subprocess:
    """Runs work as a process of this machine."""

    def __init__(self, programs: Path, bundle: Path | None = None) -> None:
        """Look for commands in `programs` first; `bundle` holds the certificates that the image would trust."""
        self._programs, self._bundle = programs, bundle

    def __call__(self, work: Work) -> int:
        """Run it in a folder of its own, which goes with it."""
        with tempfile.TemporaryDirectory(prefix="local-azure-job-") as folder:
            env = {**self._image(folder), **work.environment}
            try:
                process = subprocess.Popen(
                    [self._find(work.command[0]), *work.command[1:]], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                work.say("stderr", f"{work.command[0]}: {error.strerror}")
                return NOT_FOUND
            readers = [
                threading.Thread(target=_read, args=(stream, name, work.say), daemon=True)
                for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
            ]
            for reader in readers:
                reader.start()
            code = _await(process, work)
            for reader in readers:
                reader.join(_KILL_SECONDS)
            return code

    def _find(self, command: str) -> str:
        here = self._programs / command
        return str(here) if "/" not in command and here.exists() else command

    def _image(self, folder: str) -> dict[str, str]:
        """What an image brings along: where programs are, a home, the certificates that it trusts."""
        found = {"PATH": os.pathsep.join([str(self._programs), "/usr/local/bin", "/usr/bin", "/bin"]), "HOME": folder}
        if self._bundle is not None:
            found |= {name: str(self._bundle) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
        return found


def _read(stream: IO[str] | None, name: str, say: Callable[[str, str], None]) -> None:
    if stream is not None:
        with stream:
            for line in stream:
                say(name, line.rstrip("\n"))


def _await(process: subprocess.Popen[str], work: Work) -> int:
    """The exit code; a process that takes too long, or that is to stop, is ended with all that it started."""
    until = time.monotonic() + work.seconds
    while True:
        try:
            return process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if work.stop.is_set():
                _end(process)
                return STOPPED
            if time.monotonic() > until:
                _end(process)
                work.say("stderr", f"ended after {work.seconds:g} s (replicaTimeout)")
                return TIMED_OUT


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_KILL_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        else:
            return
