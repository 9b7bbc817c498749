"""Everything that acts for one rollout, from that rollout's own files: engine, gates, commands, notices."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from infra.errors import HearthError
from infra.ports import clock
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.inference import Inference
from infra.ports.metrics import Metrics
from infra.rollout import export, notices
from infra.rollout.commands import Commands
from infra.rollout.gates import Gates
from infra.rollout.hands import EngineHands
from infra.rollout.history import History
from infra.rollout.kinds import Ports
from infra.rollout.state import Note
from infra.rollout.values import Event, GateResult, Phase, Plan, StepResult, Target
from infra.spec import Project, check_project, limits, load_rollout, open_project
from infra.spec.rollout import RolloutFile

T = TypeVar("T")
KEPT = 5
"""Rollouts that are over and keep their own files, the last ones."""


class Crew:
    """The hands of one rollout. What it needs is made when it is first needed."""

    def __init__(self, history: History, root: Path, rollout: str) -> None:
        """`root` is the project's folder on this machine; the rollout's own files are laid out below it."""
        self._history, self._root, self._rollout = history, root, rollout
        self._making = threading.RLock()
        self._stopped = False

    def step(self, rollout: str, target: Target, phase: Phase) -> StepResult:
        """One phase at one target, by the engine."""
        return self._made(lambda: self._engine).step(rollout, target, phase)

    def gate(self, rollout: str, wave: str, target: Target, gate: str, *, since: datetime | None) -> GateResult:
        """Ask a gate."""
        return self._made(lambda: self._gates).gate(rollout, wave, target, gate, since=since)

    def quiet(self, rollout: str, target: Target, *, since: datetime) -> GateResult:
        """Whether nobody but ourselves calls the former model."""
        return self._made(lambda: self._gates).quiet(rollout, target, since=since)

    def hook(self, rollout: str, wave: str, when: Literal["before", "after"]) -> str:
        """The user's commands around a wave. Raises HookFailed."""
        planned = next(one for one in self._plan.waves if one.name == wave)
        file = self._made(lambda: self._file)
        return notices.run_hook(
            self._made(lambda: self._commands), file.hooks, rollout, planned, when, file.limits.gate
        )

    def notify(self, event: Event) -> None:
        """Tell people."""
        notices.notify(self._made(lambda: self._file).notify, self._plan.fleet, event)

    def stop(self, *, hard: bool) -> None:
        """End what runs."""
        with self._making:
            self._stopped = True
            made = {name: self.__dict__[name] for name in ("_engine", "_gates", "_commands") if name in self.__dict__}
        if "_engine" in made:
            made["_engine"].stop(hard=hard)
        for name in ("_gates", "_commands"):
            if name in made:
                made[name].stop()

    # --- made once -----------------------------------------------------------------------------------------------

    def _made(self, what: Callable[[], T]) -> T:
        with self._making:
            if self._stopped:
                raise HearthError("stopped before it began")
            return what()

    @cached_property
    def _plan(self) -> Plan:
        return self._history.plan(self._rollout)

    @cached_property
    def _source(self) -> Path:
        """The rollout's own files, laid out here if they are not: from the database, else from git."""
        sweep(self._history, self._root, self._plan.fleet)
        folder = export.folder(self._root, self._rollout) / "source"
        if folder.is_dir():
            return folder
        packed = self._history.packed(self._rollout)
        if packed is not None:
            return export.unpack(packed, self._root, self._rollout)
        if self._plan.commit.startswith("dirty-"):
            raise HearthError(f"{folder} is gone, and was of no commit: hearth rollout abort, then start anew")
        return export.take(self._root, self._rollout, commit=self._plan.commit).folder

    @cached_property
    def _project(self) -> Project:
        return open_project(self._source)

    @cached_property
    def _file(self) -> RolloutFile:
        stacks, _ = check_project(self._project, self._project.stack_names(), today=clock.today())
        return load_rollout(self._project, stacks).file

    @cached_property
    def _ports(self) -> Ports:
        cloud = Cloud()
        return Ports(Arm(cloud), Inference(cloud, limits.load().inference_api_version.value), Metrics(cloud))

    @cached_property
    def _engine(self) -> EngineHands:
        calls = self._ports.inference
        return EngineHands(self._source, self._project.name, self._file.limits, calls=calls, say=self._say)

    @cached_property
    def _gates(self) -> Gates:
        file = self._file
        window = file.defaults.rollback_window
        return Gates(self._ports, self._project, file.gates, file.limits, limits.load(), window=window)

    @cached_property
    def _commands(self) -> Commands:
        return Commands(self._project.root)

    def _say(self, text: str) -> None:
        self._history.add(self._rollout, clock.now(), Note("note", text=text))


def sweep(history: History, root: Path, fleet: str) -> None:
    """Remove the files of a fleet's rollouts that have long been over; logs and record stay."""
    with contextlib.suppress(HearthError):  # room is made another time: no target waits for it
        old = history.ended(fleet)[KEPT:]
        for rollout in old:
            with contextlib.suppress(OSError):
                export.remove(root, rollout)
        if old and not history.embedded:
            history.forget_packed(old)


def of(history: History, root: Path) -> Callable[[str], Crew]:
    """What gives the crew of a rollout."""
    return lambda rollout: Crew(history, root, rollout)
