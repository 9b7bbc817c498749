"""The plan of a rollout as a value: plain data, the same in a table, in JSON, in the database and in the record."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from infra.spec.promotion import Placed, Promotion, Served
from infra.spec.rollout import GateKind, OnFailure, Strategy

Standing = Literal["move", "update", "upToDate", "first", "refused"]
"""update: no rollout moves its models, but its file or the program has changed since its last `up`."""


class Move(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What becomes of one deployment of a target."""

    deployment: str
    """Its name in YAML."""
    record: str
    strategy: Strategy
    before: Served | None
    """What it serves now; None where nothing stands yet."""
    after: Served
    active: str
    """Azure name that callers use now (after a first deployment: the one that they will use)."""
    candidate: str
    """Azure name that takes the new model: `active` itself in place, the other slot beside it."""
    standby: Served | None = None
    """What stands in the other slot now; beside, the candidate overwrites it."""
    gap: bool | None = False
    """Whether callers may meet a gap; None: Azure decides."""


class Target(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One stack in the plan."""

    stack: str
    account: str
    """The account's id in Azure."""
    location: str
    standing: Standing
    moves: tuple[Move, ...] = ()
    """Those alone that change something."""
    why: tuple[str, ...] = ()
    """Why it is refused, or what is to be known of it."""
    calls: int = 0
    """Writes to Azure that are expected."""
    hosting_extra: float | None = 0.0
    """What the change costs besides, an hour, while two deployments stand; None: price unknown."""
    rollout: str | None = None
    """The rollout that its outputs name now: one that changes before the step means that somebody else is at work."""
    wish: str = ""
    """Digest of what its file and the program say, where that is not what its last `up` put up."""
    plain: bool = False
    """Put up as a plain `pulumi up`, which follows its records: no rollout moves its models, nor back."""

    @property
    def undoable(self) -> bool:
        """Whether a rollout can put back what it changes: models that it moves, and nothing else."""
        return bool(self.moves) and not self.plain


class Wave(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One wave, with every setting decided. Spans are in seconds."""

    name: str
    targets: tuple[Target, ...]
    concurrency: int
    tolerance: int
    strict: bool
    bake: float
    gates: tuple[str, ...]
    """Names in rollout.yaml."""
    approval: tuple[str, ...] | None
    """Who may say yes; empty: anybody; None: nobody is asked."""
    on_failure: OnFailure


class Plan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which stack gets which model, in which order, and what must hold on the way."""

    fleet: str
    """The project."""
    commit: str
    """The commit; `dirty-<tree>` for a tree that was exported as it stood."""
    waves: tuple[Wave, ...]
    rollback_window: float
    gates: dict[str, GateKind] = {}
    """What each gate that a wave names is; one that is not named here is of kind `command`."""
    rules: dict[str, dict[str, Any]] = {}
    """The same gates as they are written, without what is left to its default."""
    approvers: dict[str, tuple[str, ...]] = {}
    """Of gates that ask a person: who may say yes; empty or absent: anybody."""
    hooks: tuple[Literal["before", "after"], ...] = ()
    """Whether there is anything to run before and after each wave."""
    approval_limit: float = 7 * 86400.0
    """Seconds that a question to a person stands; then the rollout pauses."""
    check_every: float = 300.0
    """Seconds between two looks at the metrics during a bake."""

    @property
    def digest(self) -> str:
        """What makes two plans the same to who approves one: targets and what of them is put up, models from and to,
        strategies, waves, gates.

        No commit, no time, and nothing that was merely seen: costs, whether a deployment is gone from Azure just now.
        """
        same = [
            (w.name, w.concurrency, w.tolerance, w.strict, w.bake, w.gates, w.approval, w.on_failure,
             [(t.stack, t.standing, t.wish, t.plain, [msgspec.structs.replace(m, gap=None) for m in t.moves])
              for t in w.targets])
            for w in self.waves
        ]  # fmt: skip
        gates = sorted((name, kind, self.rules.get(name)) for name, kind in self.gates.items())
        return hashlib.sha256(
            msgspec.json.encode((same, gates, sorted(self.approvers.items())), order="deterministic")
        ).hexdigest()


# --- what happened -------------------------------------------------------------------------------------------------

Phase = Literal["place", "switch", "retire", "undo"]
"""place: the new model is put where it goes (in place: under its callers; beside: in the other slot). switch: callers
are led to it. retire: the old one goes. undo: everything as it was before."""


class StepResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one `pulumi up` of a target ended."""

    outcome: Literal["done", "failed", "foreign"]
    """foreign: somebody else changed the stack since the plan; nothing was done."""
    reason: str = ""
    """One line: the fact and the next move."""
    seconds: float = 0.0
    changes: dict[str, int] = {}
    """The engine's summary: operation → number of resources."""
    gap_seconds: float | None = None
    """In place: how long callers got no answer; None: not measured."""


class GateResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a gate found. Inconclusive pauses the rollout."""

    outcome: Literal["pass", "fail", "inconclusive"]
    reason: str
    figures: dict[str, float | int | str | None] = {}


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the audit trail, which is only ever added to."""

    rollout: str
    number: int
    at: str
    """ISO 8601, UTC."""
    kind: Literal[
        "started", "ended", "paused", "resumed", "abortAsked", "rollbackAsked", "rollbackStarted", "rollbackDone",
        "waveStarted", "waveDone", "waveFailed", "approvalAsked", "approved", "denied", "bakeStarted", "bakeDone",
        "stepStarted", "stepDone", "stepFailed", "notTried", "gateStarted", "gatePassed", "gateFailed",
        "gateInconclusive", "hookDone", "hookFailed", "windowOpened", "windowClosed", "takenOver", "note",
    ]  # fmt: skip
    wave: str | None = None
    target: str | None = None
    phase: Phase | None = None
    gate: str | None = None
    who: str | None = None
    """A person for what people do, else the worker and its host."""
    text: str = ""
    data: dict[str, object] = {}
    """Of stepDone: the StepResult. Of gates: the GateResult. Of started: commit, digest. Of ended: the outcome. …"""


Outcome = Literal["running", "paused", "succeeded", "failed", "rolledBack", "rollbackFailed", "aborted"]


def promotion(rollout: str, target: Target, phase: Phase) -> Promotion:
    """What `pulumi up` is told in one phase of a target."""
    return Promotion(rollout=rollout, deployments={m.deployment: _placed(m, phase) for m in target.moves})


def _placed(move: Move, phase: Phase) -> Placed:
    if move.strategy == "inPlace" or move.before is None:
        served = move.before if phase == "undo" and move.before is not None else move.after
        others = {} if move.standby is None else {_other(move): move.standby}
        return Placed(active=move.active, slots={move.active: served, **others})
    both = {move.active: move.before, move.candidate: move.after}
    if phase == "place":
        return Placed(active=move.active, slots=both)
    if phase == "switch":
        return Placed(active=move.candidate, slots=both)
    if phase == "retire":
        return Placed(active=move.candidate, slots={move.candidate: move.after})
    others = {} if move.standby is None else {move.candidate: move.standby}
    return Placed(active=move.active, slots={move.active: move.before, **others})


def _other(move: Move) -> str:
    return other_slot(move.deployment, move.active)


def other_slot(deployment: str, active: str) -> str:
    """The Azure name of the slot beside the active one: a deployment has two, its own name and that with `-b`."""
    return f"{deployment}-b" if active == deployment else deployment
