"""Engines that run: how they are found again, waited for and stopped, also by one who has not started them."""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from infra import whole

End = Literal["by itself", "stopped", "limit"]
"""How a run of the engine came to its end; the last two by us."""
GRACE, LAST_GRACE = 120.0, 10.0
"""Seconds that the engine is given to finish what it writes, and after that to leave."""
_ENDED = "ended"
_LOOK_EVERY = 0.5
"""Seconds between looks at whether somebody wants it stopped."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process by its number and the moment it started, for numbers are used again."""

    pid: int
    started: str
    """As /proc tells it; empty on a system without, `ended` for one that has ended before it could be asked."""

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this number now."""
        return cls(pid, _started(pid))

    def lives(self) -> bool:
        """Whether it has not ended; one that has, and that nobody has waited for yet, has."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return _started(self.pid) == self.started != _ENDED

    def has_ended(self, seconds: float) -> bool:
        """Whether it has, this long from now or sooner."""
        wait(self.pid, seconds)
        return not self.lives()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there; its plugins hear of it from the engine."""
        if self.lives():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)


class Stop:
    """What a person wants of the engines that run: asked once, they finish what they write; hard, they leave."""

    def __init__(self) -> None:
        """Nothing is wanted yet."""
        self._changed = threading.Condition()
        self.level = 0

    def ask(self, *, hard: bool) -> None:
        """Stop them."""
        with self._changed:
            self.level = max(self.level, 2 if hard else 1)
            self._changed.notify_all()

    def wait(self, seconds: float) -> int:
        """Wait as long, or until more is wanted; what is wanted: 0 nothing, 1 to stop, 2 hard."""
        with self._changed:
            before = self.level
            self._changed.wait_for(lambda: self.level != before, seconds)
            return self.level


@dataclass(frozen=True, slots=True)
class Files:
    """Where a run of the engine at one stack leaves its traces."""

    log: Path
    events: Path
    process: Path

    @classmethod
    def of(cls, folder: Path, stack: str, phase: str) -> Files:
        """In a rollout's folder."""
        for name in ("log", "run"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        run = folder / "run"
        return cls(folder / "log" / f"{stack}-{phase}.log", run / f"{stack}.events", run / f"{stack}.json")

    def remember(self, process: Process, until: float) -> None:
        """Leave a note of the engine that runs, for who comes after us; `until` in seconds since 1970."""
        whole.write(self.process, json.dumps({**asdict(process), "until": until}))

    def remembered(self) -> tuple[Process, float] | None:
        """The engine of that note, and until when it may run; None where there is none, or it has ended."""
        try:
            data = json.loads(self.process.read_text())
            process, until = Process(int(data["pid"]), str(data["started"])), float(data["until"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (process, until) if process.lives() else None

    def forget(self) -> None:
        """It has ended."""
        self.process.unlink(missing_ok=True)


def attend(process: Process, until: float, stop: Stop, ended: Callable[[float], bool] | None = None) -> End:
    """Wait for an engine to end; stop it when its time is over or somebody wants it.

    `ended(seconds)` waits for a child of ours and tells whether it has ended.
    """
    wait = ended or process.has_ended
    end: End = "by itself"
    asked, next_at = 0, until
    while not wait(_LOOK_EVERY):
        wanted, late = stop.level, time.time() >= next_at
        if (late or wanted > asked) and asked < 3:
            end = "stopped" if wanted else "limit" if asked == 0 else end
            asked += 1
            process.send(signal.SIGKILL if asked == 3 else signal.SIGINT)
            next_at = time.time() + (GRACE if asked == 1 else LAST_GRACE)
    return end


def wait(pid: int, seconds: float) -> None:
    """Wait until a process ends, so long at most; a system that does not tell of ends is asked often."""
    try:
        ended = os.pidfd_open(pid)
    except (AttributeError, OSError):  # no Linux; or it has ended
        time.sleep(min(seconds, 0.05))
        return
    try:
        told = select.poll()
        told.register(ended, select.POLLIN)
        told.poll(seconds * 1000)
    finally:
        os.close(ended)


def _started(pid: int) -> str:
    try:
        # After the name in brackets, which may hold anything: field 3 is the state, field 22 when it started.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return _ENDED if fields[0] == "Z" else fields[19]
