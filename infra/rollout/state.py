"""Where a rollout stands, as values: what is to be done, what was told and asked, how far each target and wave is.

Whoever keeps a `State` can go on from there after any crash. Times are seconds since 1970.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from infra.rollout.values import Outcome, Phase, Plan, Target, Wave

Stage = Literal["approve", "before", "change", "bake", "after", "done"]
Status = Literal["waiting", "running", "passed", "held", "failed", "undone", "undoFailed", "notTried", "upToDate"]
"""passed: changed and through its gates. held: stopped until a person resumes. notTried: never started."""
Kind = Literal["change", "watch", "undo", "hook", "retire"]


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to do: exactly one of these."""

    phase: Phase | None = None
    gate: str | None = None
    hook: Literal["before", "after"] | None = None
    quiet: bool = False
    """Look whether the former model is still called."""

    def __str__(self) -> str:
        if self.gate is not None:
            return f"gate {self.gate}"
        if self.quiet:
            return "calls of the former model"
        return self.phase or f"the commands {self.hook} the wave"


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """Steps that one worker does one after the other, until one of them does not end well."""

    id: str
    kind: Kind
    wave: str
    steps: tuple[Step, ...]
    target: str | None = None
    since: float | None = None
    """Where gates look at metrics: from when on."""


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a job ended."""

    job: str
    outcome: Literal["done", "failed", "inconclusive", "foreign", "halted", "stopped"]
    """foreign: somebody else changed the stack. halted: nothing of this run can go on (login, disk). stopped: it was
    told to between two steps."""
    at: int = 0
    """Index of the step that did not end well."""
    reason: str = ""


class Ask(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person asks."""

    what: Literal["pause", "resume", "abort", "rollbackWave", "rollbackAll", "approve", "deny", "tick"]
    who: str = ""
    comment: str = ""
    gate: str | None = None
    """Of approve and deny: the gate; None: whatever is asked now."""


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line for the audit trail; whoever writes it adds rollout, number and time."""

    kind: str
    wave: str | None = None
    target: str | None = None
    gate: str | None = None
    who: str | None = None
    text: str = ""
    data: dict[str, Any] = {}


class Spot(msgspec.Struct, omit_defaults=True):
    """How far one target is."""

    status: Status = "waiting"
    todo: tuple[Step, ...] = ()
    """What is left of its change."""
    touched: bool = False
    """Whether anything may have been changed, so that there is something to undo."""
    failed: bool = False
    """Whether it counts towards the tolerance, also after it was undone."""
    reason: str = ""
    watched: float = 0.0
    """The last look at the metrics that it passed."""


class Question(msgspec.Struct, omit_defaults=True):
    """What a person was asked."""

    until: float
    """When it is left to a pause."""
    answer: Literal["yes", "no"] | None = None


class WaveState(msgspec.Struct, omit_defaults=True):
    """How far one wave is."""

    stage: Stage = "approve"
    questions: dict[str, Question] = {}
    """By gate; the wave's own approval is ''."""
    hooks: dict[str, Literal["done", "failed"]] = {}
    bake_from: float | None = None
    bake_until: float = 0.0
    look: float | None = None
    """The look at the metrics that is under way, by its start."""
    next_look: float = 0.0
    looked_at_end: bool = False


class Undo(msgspec.Struct):
    """A rollback."""

    waves: list[int]
    """Those left, the last one first."""
    all: list[int]
    why: str
    asked: bool = False
    """By a person."""
    started: bool = False


class State(msgspec.Struct, omit_defaults=True):
    """All that the machine knows besides the plan."""

    wave: int = 0
    waves: list[WaveState] = []
    spots: dict[str, Spot] = {}
    """By stack."""
    jobs: dict[str, Job] = {}
    """Those under way, by id."""
    jobs_made: int = 0
    paused: str | None = None
    """Why; None: it runs."""
    aborted_by: str | None = None
    undo: Undo | None = None
    outcome: Outcome = "running"
    asks_seen: int = 0
    """For whoever keeps the state: the last ask that went into it."""

    @classmethod
    def new(cls, plan: Plan) -> State:
        """Where a rollout begins."""
        spots = {}
        for wave in plan.waves:
            for target in wave.targets:
                spots[target.stack] = Spot(todo=change_steps(plan, wave, target))
                if target.standing == "upToDate":
                    spots[target.stack].status = "upToDate"
                elif target.standing == "refused":
                    spots[target.stack] = Spot("notTried", failed=True, reason="; ".join(target.why))
        return cls(waves=[WaveState() for _ in plan.waves], spots=spots)


def change_steps(plan: Plan, wave: Wave, target: Target) -> tuple[Step, ...]:
    """What a target goes through: placed, its gates, and beside: switched."""
    beside = any(move.strategy == "beside" and move.before is not None for move in target.moves)
    asked = wave.gates if target.undoable else [gate for gate in wave.gates if kind_of(plan, gate) == "ready"]
    gates = [Step(gate=gate) for gate in asked if kind_of(plan, gate) not in ("metrics", "approval")]
    return (Step(phase="place"), *gates, *([Step(phase="switch")] if beside else []))


def kind_of(plan: Plan, gate: str) -> str:
    """The kind of a gate by its name."""
    return plan.gates.get(gate, "command")
