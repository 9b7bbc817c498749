"""One phase at one stack, by the real engine: the only place of a rollout that changes Azure.

A step says how the stack is to stand afterwards, so it may be done again, at any moment and by anybody who has the same
files: what a killed run left is recovered first, an engine that outlived us is waited for, and what somebody else has
changed since the plan is left alone.
"""

from __future__ import annotations

import functools
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pulumi.automation.errors import CommandError, ConcurrentUpdateError

from infra import recover
from infra.errors import HearthError, LockHeld, LoginFailed
from infra.ports.stacks import Lock, Stacks, State, executable
from infra.proofs import Calls
from infra.rollout import diagnosis, export, gap, virtualenv
from infra.rollout.engine import Engine, up
from infra.rollout.foreign import changed_by_others
from infra.rollout.running import Files, Stop, attend
from infra.rollout.values import Phase, StepResult, Target, promotion
from infra.spec import open_project
from infra.spec.duration import show
from infra.spec.promotion import VARIABLE, encode
from infra.spec.rollout import TimeLimits

_LOOK_EVERY = 0.5
"""Seconds between looks at a lock that somebody else holds."""
_BUSY_PAUSE = 5.0
"""Seconds until the next try at a stack that another backend than files says is being changed."""


class Stopped(HearthError):
    """A person stopped the engines: nothing is known to be wrong, and the step is to be done again."""

    exit_code = 130


class DiskFull(HearthError):
    """No room for state and logs."""


class Offline(HearthError):
    """This machine does not reach the cloud, or the cloud's login server: no target can be written or taken back."""

    exit_code = 3


class EngineHands:
    """Steps at the stacks of one project, from one rollout's own files. Safe to use from many threads."""

    def __init__(
        self,
        source: Path,
        project: str,
        limits: TimeLimits,
        *,
        env: Mapping[str, str] | None = None,
        calls: Calls | None = None,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """`source` is the export; `env` (ours) is what the engine gets; `calls` measure gaps; `say` hears of waits."""
        self._source, self._project, self._limits = source, project, limits
        self._root = source.parents[3]  # of <root>/.hearth/rollouts/<id>/source
        self._given = dict(os.environ if env is None else env)
        self._calls, self._say = calls, say
        self._stop = Stop()
        self._settling = threading.Lock()

    def step(self, rollout: str, target: Target, phase: Phase) -> StepResult:
        """Bring a stack to where a phase wants it. Blocks; may be called again after anything.

        Raises HearthError for what concerns the whole run: Stopped, LoginFailed, Offline, DiskFull, no engine, no
        virtualenv.
        """
        began = time.monotonic()
        with export.enough_room(self._source.parent):
            told = {} if target.plain else {VARIABLE: encode(promotion(rollout, target, phase))}
            env = {**self._env, **told}
            command = executable(env)
            virtualenv.link(self._source, self._root, self._say)
            try:
                result = self._step(rollout, target, phase, command, env)
            except (Stopped, DiskFull, LoginFailed, Offline):
                raise
            except HearthError as error:  # of its files, its state, its lock
                result = StepResult(outcome="failed", reason=_one_line(str(error)))
        if not result.seconds:
            return StepResult(outcome=result.outcome, reason=result.reason, seconds=time.monotonic() - began)
        return result

    def stop(self, *, hard: bool) -> None:
        """End the engines that run: they finish what they are writing, or hard, they leave. Steps raise Stopped."""
        self._stop.ask(hard=hard)

    # --- a step ----------------------------------------------------------------------------------------------------

    def _step(self, rollout: str, target: Target, phase: Phase, command: str, env: Mapping[str, str]) -> StepResult:
        stack, limit = target.stack, self._limits.step.total_seconds()
        files = Files.of(self._source.parent, stack, phase)
        stacks, until = Stacks(self._source, self._project, env), time.monotonic() + limit
        while True:
            state = self._recovered(stacks, stack, files, until)
            if other := changed_by_others(state.outputs, rollout, target, phase):
                return StepResult(outcome="foreign", reason=f"{stack}: {other}")
            if state.outputs is None:
                stacks.create(stack, self._secrets_provider(stack))
                self._tell_salt(stack)
            engine = Engine(command, env, files, limit, self._stop)
            began = time.monotonic()
            measured: list[gap.Gap] = []
            try:
                with self._measuring(state.outputs, target, phase) as measured:
                    up(engine, stack, self._source, f"hearth rollout {rollout}: {phase}")
            except ConcurrentUpdateError:
                if time.monotonic() >= until:
                    raise LockHeld(f"{stack} is being changed by somebody else; see pulumi stack history") from None
                self._pause(_BUSY_PAUSE)
                continue
            except CommandError:
                reason = self._reason(engine, files, stacks, rollout, stack)
                return StepResult(
                    outcome="failed", reason=reason, seconds=time.monotonic() - began, changes=engine.told.changes
                )
            known = [one.seconds for one in measured if one.seconds is not None]
            return StepResult(
                outcome="done",
                seconds=time.monotonic() - began,
                changes=engine.told.changes,
                gap_seconds=max(known, default=None),
            )

    def _recovered(self, stacks: Stacks, stack: str, files: Files, until: float) -> State:
        """The stack's state, once nobody is changing it, with all that a kill has left behind brought in order."""
        while True:
            self._wait_for_others(stacks, stack, files, until)
            try:
                return recover.recover(self._source, stack, stacks).state
            except LockHeld:
                if time.monotonic() >= until:
                    raise

    def _wait_for_others(self, stacks: Stacks, stack: str, files: Files, until: float) -> None:
        """Wait until nobody alive holds the stack; an engine of ours that outlived us is kept to its time.

        Raises LockHeld when the time of a step is over.
        """
        told = False
        while held := [lock for lock in stacks.locks(stack) if not lock.is_dead()]:
            ours = files.remembered()
            if ours is not None and any(lock.pid == ours[0].pid for lock in held):
                attend(*ours, self._stop)
                files.forget()
                continue
            if time.monotonic() >= until:
                raise LockHeld(_held(stack, held[0], self._limits.step.total_seconds()))
            if not told:
                self._say(f"{stack}: waiting for {held[0].owner}, who is changing it since {held[0].since}")
                told = True
            self._pause(_LOOK_EVERY)

    def _reason(self, engine: Engine, files: Files, stacks: Stacks, rollout: str, stack: str) -> str:
        """Why a run failed; raises what concerns all targets."""
        found = diagnosis.failure(engine.told, engine.said)
        resume = f"hearth rollout resume {rollout}"
        if not engine.told.ended:
            self._clean_up(stacks, stack)
        if engine.end == "stopped":
            raise Stopped(f"{stack}: its engine was stopped; go on with: {resume}")
        if found.concern == "disk":
            raise DiskFull(f"{stack}: the disk is full ({found.text}); make room, then: {resume}")
        if found.concern == "network":
            raise Offline(f"{stack}: {found.text}. Once the cloud answers here again: {resume}")
        if found.concern == "login":
            raise LoginFailed(f"{stack}: {found.text}. Log in again (az login, or a fresh secret), then: {resume}")
        if found.concern == "secrets":
            raise LoginFailed(f"{stack}: {found.text}. Set PULUMI_CONFIG_PASSPHRASE to the stacks' own, then: {resume}")
        log = f"log: {os.path.relpath(files.log, self._root)}"
        if engine.end == "limit":
            doing = ", ".join(f"{urn.rsplit('::', 1)[-1]} ({op})" for urn, op in engine.told.under_way.items())
            during = f" during {doing}" if doing else ""
            return f"was stopped after {show(self._limits.step)} (limits.step){during}; {log}"
        return f"{found.text or 'the engine ended without a word'}; {log}"

    def _clean_up(self, stacks: Stacks, stack: str) -> None:
        """After an engine that did not come to its own end: nothing is left for a person, if Azure answers."""
        with suppress(HearthError):
            recover.recover(self._source, stack, stacks)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped("stopped while waiting for others")

    # --- details ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _measuring(self, outputs: Mapping[str, Any] | None, target: Target, phase: Phase) -> Iterator[list[gap.Gap]]:
        """Measure the gaps of deployments whose model this phase changes under their callers."""
        moves = [m for m in target.moves if m.strategy == "inPlace" and m.before is not None]
        endpoint = str(((outputs or {}).get("account") or {}).get("endpoint", ""))
        measured: list[gap.Gap] = []
        with ExitStack() as running:
            if self._calls is not None and endpoint and phase in {"place", "undo"}:
                for move in moves:
                    pause = gap.pause(_capacity(outputs, move.deployment))
                    measured.append(running.enter_context(gap.Gap(self._calls, endpoint, move.active, pause)))
            yield measured

    @functools.cached_property
    def _env(self) -> dict[str, str]:
        """What the engine gets: the program's own packages first, and a backend that means the same from any folder."""
        env = {**self._given, "PYTHONPATH": os.pathsep.join(
            filter(None, [str(self._source), self._given.get("PYTHONPATH", "")])
        )}  # fmt: skip
        env.pop(recover.ADOPT, None)
        env.pop(VARIABLE, None)
        with self._settling:
            address = Stacks(self._root, self._project, env).backend()
        if re.match(r"file://(?![/~])", address):
            env["PULUMI_BACKEND_URL"] = f"file://{self._root}/{address.removeprefix('file://')}"
        elif address.startswith("file://"):
            env["PULUMI_BACKEND_URL"] = address  # said, it need not be asked for before every step
        return env

    def _secrets_provider(self, stack: str) -> str | None:
        """What the stack's file says keeps its secrets."""
        named = self._named(stack, "secretsprovider")
        return named if isinstance(named, str) else None

    def _tell_salt(self, stack: str) -> None:
        """A new stack's salt stands in our copy of its file alone."""
        salt = self._named(stack, "encryptionsalt")
        if isinstance(salt, str):
            file = open_project(self._source).stack_file(stack).relative_to(self._source)
            self._say(f"{stack} is made; commit this in {file}, or the next plain up adds one: encryptionsalt: {salt}")

    def _named(self, stack: str, key: str) -> object:
        project = open_project(self._source)
        return project.document(project.stack_file(stack)).find((key,))


def _capacity(outputs: Mapping[str, Any] | None, deployment: str) -> int:
    facts = ((outputs or {}).get("deployments") or {}).get(deployment) or {}
    return int((facts.get("sku") or {}).get("capacity") or 1)


def _held(stack: str, lock: Lock, waited: float) -> str:
    return (
        f"{stack} is being changed by {lock.owner} since {lock.since}, for longer than the {waited:.0f} s of "
        f"limits.step; wait for it, or if it is gone for good on another machine: "
        f"hearth recover {stack} --dead-host {lock.host}"
    )


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
