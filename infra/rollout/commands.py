"""The user's own executables: run in a process group of their own, ended in time, their last words kept."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from infra.spec.duration import show

KEPT = 16_384
"""Bytes of output that are kept: the last ones."""
TOLD = 3
"""Lines of it that a reason repeats."""
LONGEST_LINE = 200
GRACE = 5.0
"""Seconds between asking a command to end and ending it."""
NOT_STARTED = (126, 127)
"""What a shell says of an executable that it could not start."""
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSPHRASE|(^|_)KEY$", re.IGNORECASE)
_SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int | None
    """Its exit code; None where it did not come to one by itself."""
    why: str
    """In words: what it said last, or why there is no code."""


class Commands:
    """Runs commands; `stop` ends those that run."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        """Run them in this folder, with this environment and what each is given besides."""
        self._folder, self._environment = folder, environment
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def run(self, command: Sequence[str], more: Mapping[str, str], limit: timedelta) -> Ended:
        """Run a command to its end, or to the end of its time. Never raises for what it does."""
        environment = {**self._environment, **more}
        environment.pop("HEARTH_ROLLOUT", None)  # that one is for the program of a stack
        try:
            with self._lock:
                if self._stopped.is_set():
                    return Ended(None, "not started, for the rollout stops")
                process = subprocess.Popen(
                    list(command), cwd=self._folder, env=environment, start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                )  # fmt: skip
                self._running.add(process)
        except (OSError, ValueError) as error:
            fact = error.strerror if isinstance(error, OSError) and error.strerror else error
            return Ended(None, f"{command[0]} cannot be started: {fact}")
        try:
            return self._follow(process, command[0], limit, _secrets(environment))
        finally:
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """End what runs, and start nothing more."""
        with self._lock:
            self._stopped.set()
            running = list(self._running)
        for process in running:
            _signal(process, signal.SIGTERM)
            last = threading.Timer(GRACE, _signal, (process, signal.SIGKILL))
            last.daemon = True
            last.start()

    def _follow(self, process: subprocess.Popen[bytes], name: str, limit: timedelta, secrets: list[str]) -> Ended:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        tail = _Tail(process.stdout)
        late = False
        try:
            process.wait(limit.total_seconds())
        except subprocess.TimeoutExpired:
            late = True
            _signal(process, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
        _signal(process, signal.SIGKILL)  # also what it left behind in its group
        code, said = process.wait(), tail.text(secrets)
        if late:
            return Ended(None, _with(f"{name} has not ended within {show(limit)}", said))
        if self._stopped.is_set() and code < 0:
            return Ended(None, f"{name} was ended, for the rollout stops")
        if code < 0:
            return Ended(None, _with(f"{name} was ended by {signal.Signals(-code).name}", said))
        if code in NOT_STARTED:
            return Ended(None, _with(f"{name} could not be started (exit code {code})", said))
        if code > NOT_STARTED[-1]:
            return Ended(None, _with(f"{name} ended with exit code {code}, as by a signal", said))
        return Ended(code, _with(f"{name} ended with exit code {code}" if code else name, said))


class _Tail:
    """The last of what a command says, read as it comes so that it never waits for a reader."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._kept = stream, b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65_536):
                self._kept = (self._kept + chunk)[-KEPT:]

    def text(self, secrets: Sequence[str]) -> str:
        """The last lines on one; what a process that was left behind still holds open is not waited for."""
        self._thread.join(1.0)
        text = self._kept.decode("utf-8", "replace")
        for secret in secrets:
            text = text.replace(secret, "***")
        lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]
        last = [line for line in lines if line][-TOLD:]
        return " | ".join(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…" for line in last)


def _signal(process: subprocess.Popen[bytes], what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the group is gone
        os.killpg(process.pid, what)


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """What a reason must not repeat: values of variables that are called like secrets, the longest first."""
    found = {v for name, v in environment.items() if _SECRET.search(name) and len(v) >= _SHORTEST_SECRET}
    return sorted(found, key=len, reverse=True)


def _with(fact: str, said: str) -> str:
    return f"{fact}: {said}" if said else fact
