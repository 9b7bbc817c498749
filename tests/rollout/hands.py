"""Hands that only pretend, and keep what they did in a file that survives a kill: one line a beginning, one an end."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from infra.rollout.values import Event, GateResult, Phase, StepResult, Target


@dataclass
class Pretended:
    """Steps that take a while; what is to go wrong is told by name."""

    folder: Path
    seconds: float = 0.0
    fails: frozenset[str] = frozenset()
    """`stack:phase` or `stack:gate`, which never succeed."""
    unclear: frozenset[str] = frozenset()
    """Gates that do not know, until a file `<stack>:<gate>.clear` says that they do."""
    seed: int | None = None
    """With a seed every step lasts and ends by chance, the same for the same step."""
    late: frozenset[str] = frozenset()
    """`stack:phase` or `stack:gate`, which last ten times as long."""
    notices: list[Event] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def step(self, rollout: str, target: Target, phase: Phase) -> StepResult:
        """Takes its time, then the target serves what the phase says."""
        what = f"{target.stack}:{phase}"
        self._log("begin", what)
        if self._late(what):
            return StepResult(outcome="failed", reason="stopped")
        if self._fails(what):
            self._set(target.stack, "between")
            self._log("end", what)
            return StepResult(outcome="failed", reason=f"{phase} went wrong")
        beside = any(move.strategy == "beside" for move in target.moves)
        serves = {"place": "between" if beside else "new", "switch": "new", "retire": "new", "undo": "old"}[phase]
        self._set(target.stack, serves)
        self._log("end", what)
        return StepResult(outcome="done", seconds=self.seconds, changes={"update": 1})

    def gate(self, rollout: str, wave: str, target: Target, gate: str, *, since: datetime | None) -> GateResult:
        """Passes, unless told otherwise."""
        what = f"{target.stack}:{gate}"
        self._log("begin", what)
        self._late(what)
        self._log("end", what)
        if what in self.unclear and not (self.folder / f"{what}.clear").exists():
            return GateResult(outcome="inconclusive", reason="cannot tell")
        return GateResult(outcome="fail" if self._fails(what) else "pass", reason=f"{gate} looked")

    def quiet(self, rollout: str, target: Target, *, since: datetime) -> GateResult:
        """Nobody calls, unless told otherwise."""
        return GateResult(outcome="fail" if f"{target.stack}:quiet" in self.fails else "pass", reason="3 calls")

    def hook(self, rollout: str, wave: str, when: Literal["before", "after"]) -> str:
        """Prints."""
        self._log("begin", f"{wave}:{when}")
        return f"{when} {wave}"

    def notify(self, event: Event) -> None:
        """Keeps it."""
        self.notices.append(event)

    def stop(self, *, hard: bool) -> None:
        """Steps under way fail at once."""
        self.ended.set()

    def _late(self, what: str) -> bool:
        longer = 1.0 if self.seed is None else random.Random(f"{self.seed}{what}").uniform(0.2, 2.0)  # noqa: S311
        if self.seconds == 0.0:
            return False
        return self.ended.wait(self.seconds * longer * (10 if what in self.late else 1))

    def _fails(self, what: str) -> bool:
        if self.seed is not None:
            return random.Random(f"fails{self.seed}{what}").random() < 0.04  # noqa: S311
        return what in self.fails

    def _log(self, what: str, of: str) -> None:
        line = json.dumps([what, of, time.time(), os.getpid()])
        with (self.folder / "log").open("a") as file:
            file.write(line + "\n")

    def _set(self, stack: str, model: str) -> None:
        (self.folder / stack).write_text(model)


def serves(folder: Path, stack: str) -> str:
    """What a target serves by now."""
    file = folder / stack
    return file.read_text() if file.exists() else "old"


def log(folder: Path) -> list[tuple[str, str, float, int]]:
    """What was begun and ended, in order."""
    file = folder / "log"
    return [tuple(json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def begun(folder: Path, what: str) -> int:
    """How often a step was begun."""
    return sum(kind == "begin" and of == what for kind, of, _, _ in log(folder))
