"""`stacks/rollout.yaml`, typed: in which order a model reaches its stacks, and what must hold on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, get_args

import msgspec

from infra.spec.model import Count, Notify, Tags, Written, check

Strategy = Literal["inPlace", "beside"]
OnFailure = Literal["pause", "rollbackWave", "rollbackAll"]
GateKind = Literal["ready", "prompts", "compare", "metrics", "command", "approval"]
KINDS: tuple[GateKind, ...] = get_args(GateKind)
Word = Annotated[str, check("word")]
"""A name of one's own, to be typed on a command line."""
Tolerance = Annotated[int | str, check("tolerance")]
"""How many targets may fail: a number, or a share of the wave such as 10%, rounded down."""
Share = Annotated[float, check("share")]
"""Written as a share from 0 to 1 or as a text such as 5%; read as a share."""
Targets = Annotated[str | list[str] | Tags, check("targets")]
"""Names or patterns of stacks (`prod-*`), or labels that a stack must bear. Read as list[str] or Tags."""


class Settings(Written, frozen=True):
    """What holds of a wave. A wave's unset keys take those of `defaults`, then these."""

    strategy: Strategy | None = None  # inPlace
    concurrency: Count | None = None  # 2
    tolerance: Tolerance | None = None  # 0
    tolerance_mode: Literal["soft", "strict"] | None = None  # soft
    bake: timedelta | None = None  # 30m
    on_failure: OnFailure | None = None  # rollbackWave
    gates: list[str] | None = None  # none: every up proves that its deployments are ready


class Defaults(Settings, frozen=True):
    """`defaults`."""

    rollback_window: timedelta = timedelta(hours=24)
    """How long a model that was replaced beside its successor is kept."""


class TimeLimits(Written, frozen=True):
    """How long things may take before they count as failed."""

    step: timedelta = timedelta(hours=1)
    """One `pulumi up`."""
    gate: timedelta = timedelta(minutes=15)
    approval: timedelta = timedelta(days=7)
    """After it the rollout pauses."""


class Approval(Written, frozen=True):
    """A person's yes before a wave starts."""

    by: list[str] = msgspec.field(default_factory=list)
    """Who may give it; anybody where it is empty. Names as `hearth rollout approve --as` or the login gives them."""


class Gate(Written, frozen=True):
    """One item of `gates`: exactly one of prompts, compare, metrics, command, approval, ready."""

    ready: bool | None = None
    prompts: str | None = None
    """JSONL file of prompts, from stacks/."""
    compare: str | None = None
    """The same; the candidate against the model that it replaces."""
    metrics: MetricsRule | None = None
    command: list[str] | None = None
    approval: Approval | None = None
    pass_rate: Share | None = None
    """Of prompts: the least share that must pass (1)."""
    p95: timedelta | None = None
    """Of prompts: 95 of 100 answers come within it."""
    worse_by: Share | None = None
    """Of compare: by how much the pass rate may fall (0)."""
    timeout: timedelta | None = None
    """Instead of limits.gate."""

    @property
    def kind(self) -> GateKind:
        """Which of the kinds it is. A gate that was read is exactly one of them."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


class MetricsRule(Written, frozen=True):
    """What Azure Monitor may say of a target during the bake."""

    errors: Share | None = None
    """Most calls that may fail (429 not counted)."""
    throttled: Share | None = None
    """Most calls that may be throttled."""
    p95: timedelta | None = None
    """Longest time to the response (Azure gives means: the highest mean of the bake's minutes stands for it)."""
    least_calls: Count = 1
    """With fewer calls than these the gate is inconclusive."""


class Wave(Settings, frozen=True, kw_only=True):
    """One item of `waves`."""

    name: Word
    targets: Targets
    """A stack belongs to the first wave that names it."""
    approval: Approval | None = None


class Commands(Written, frozen=True):
    """`hooks`: the user's own executables, run before and after each wave."""

    before_wave: list[list[str]] = msgspec.field(default_factory=list)
    after_wave: list[list[str]] = msgspec.field(default_factory=list)


class RolloutFile(Written, frozen=True, kw_only=True):
    """stacks/rollout.yaml."""

    waves: list[Wave]
    defaults: Defaults = Defaults()
    gates: dict[Word, Gate] = msgspec.field(default_factory=dict)
    hooks: Commands = Commands()
    notify: Notify | None = None
    limits: TimeLimits = TimeLimits()


# --- with nothing left to look up ----------------------------------------------------------------------------------


class WantedWave(msgspec.Struct, frozen=True, kw_only=True):
    """A wave with its stacks, and every setting decided."""

    name: str
    stacks: tuple[str, ...]
    """In order of name, without those that an earlier wave names."""
    strategy: Strategy
    concurrency: int
    tolerance: int
    """How many of its targets may fail."""
    strict: bool
    bake: timedelta
    gates: tuple[str, ...]
    approval: tuple[str, ...] | None
    """Who may say yes before it starts; empty: anybody; None: nobody is asked."""
    on_failure: OnFailure


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """The file, and its waves as they come out."""

    file: RolloutFile
    waves: tuple[WantedWave, ...]


__all__ = [
    "Approval",
    "Commands",
    "Defaults",
    "Gate",
    "MetricsRule",
    "Rollout",
    "RolloutFile",
    "TimeLimits",
    "WantedWave",
    "Wave",
]
