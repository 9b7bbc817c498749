"""What has happened in a rollout, put together from its plan and its events: what the views draw. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from infra.rollout.values import Event, Outcome, Plan, Target, Wave
from infra.spec.duration import show
from infra.spec.rollout import GateKind

TargetState = Literal[
    "waiting", "running", "changed", "passed", "upToDate", "refused", "failed", "held", "undone", "notTried", "stuck"
]
"""changed: through its own gates, its wave not yet. held: nobody could decide. stuck: it could not be undone."""
WaveState = Literal["waiting", "asking", "running", "baking", "passed", "failed", "undone"]
BarState = Literal["running", "done", "failed", "unclear"]
LATER: tuple[GateKind, ...] = ("metrics", "approval")
"""Gates that are asked while a wave bakes."""
PAST: dict[str, str] = {"place": "placed", "switch": "switched", "retire": "retired", "undo": "undone"}
DOING: dict[str, str] = {"place": "placing", "switch": "switching", "retire": "retiring the old one", "undo": "undoing"}


@dataclass(slots=True)
class Bar:
    """Something that took its time."""

    kind: str
    """A phase, gate, approval, bake, hook or pause."""
    name: str
    start: datetime
    end: datetime | None = None
    state: BarState = "running"
    text: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken until now."""
        return max(((self.end or now) - self.start).total_seconds(), 0.0)


@dataclass(slots=True)
class TargetStory:
    """One stack."""

    target: Target
    wave: str
    state: TargetState
    reason: str = ""
    bars: list[Bar] = field(default_factory=list)
    gap: float | None = None
    """How long callers got no answer, in seconds, where that was measured."""

    @property
    def now(self) -> Bar | None:
        """What is under way at it."""
        return next((bar for bar in reversed(self.bars) if bar.end is None), None)


@dataclass(slots=True)
class WaveStory:
    """One wave."""

    wave: Wave
    targets: list[TargetStory]
    state: WaveState = "waiting"
    start: datetime | None = None
    end: datetime | None = None
    reason: str = ""
    bars: list[Bar] = field(default_factory=list)
    """Bakes, questions to people, commands."""

    @property
    def bake(self) -> Bar | None:
        """The last bake."""
        return next((bar for bar in reversed(self.bars) if bar.kind == "bake"), None)

    def bake_left(self, now: datetime) -> float:
        """Seconds that the bake still takes."""
        bar = self.bake
        if bar is None or bar.end is not None:
            return 0.0
        until = bar.figures.get("until", bar.start.timestamp() + self.wave.bake)
        return max(float(until) - now.timestamp(), 0.0)


@dataclass(slots=True)
class Story:
    """A rollout, as far as it has come."""

    plan: Plan
    events: list[Event]
    now: datetime
    waves: list[WaveStory]
    rollout: str = ""
    who: str = ""
    outcome: Outcome = "running"
    reason: str = ""
    start: datetime | None = None
    end: datetime | None = None
    pauses: list[Bar] = field(default_factory=list)
    rollback: Bar | None = None

    @property
    def targets(self) -> list[TargetStory]:
        """Every stack, in the order of the plan."""
        return [target for wave in self.waves for target in wave.targets]

    @property
    def questions(self) -> list[Bar]:
        """What people are asked now."""
        return [bar for wave in self.waves for bar in wave.bars if bar.kind == "approval" and bar.end is None]

    @property
    def bars(self) -> Iterator[Bar]:
        """Everything that took its time."""
        yield from self.pauses
        for wave in self.waves:
            yield from wave.bars
            for target in wave.targets:
                yield from target.bars

    def seconds(self) -> float:
        """How long it took, or has taken until now."""
        return ((self.end or self.now) - self.start).total_seconds() if self.start else 0.0


def tell(plan: Plan, events: Iterable[Event], now: datetime | None = None) -> Story:
    """The story so far; without `now` it is told as of the last event."""
    told = sorted(events, key=lambda event: event.number)
    last = moment(told[-1].at) if told else datetime.fromtimestamp(0, UTC)
    story = Story(plan, told, max(now or last, last), [_wave(wave) for wave in plan.waves])
    teller = _Teller(story)
    for event in told:
        teller.take(event)
    return story


def moment(text: str) -> datetime:
    """A time as events have it."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _wave(wave: Wave) -> WaveStory:
    states: dict[str, TargetState] = {"upToDate": "upToDate", "refused": "refused"}
    targets = [
        TargetStory(t, wave.name, states.get(t.standing, "waiting"), t.why[0] if t.standing == "refused" else "")
        for t in wave.targets
    ]
    return WaveStory(wave, targets)


class _Teller:
    """Takes event after event."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.waves = {wave.wave.name: wave for wave in story.waves}
        self.targets = {target.target.stack: target for target in story.targets}

    def take(self, event: Event) -> None:
        """One event; of a wave or target that the plan does not know nothing is drawn."""
        at, story = moment(event.at), self.story
        story.rollout = story.rollout or event.rollout
        self._of_rollout(event, at)
        wave = self.waves.get(event.wave or "")
        if wave is not None:
            self._of_wave(wave, event, at)
        target = self.targets.get(event.target or "")
        if target is not None:
            self._of_target(target, event, at)

    def _of_rollout(self, event: Event, at: datetime) -> None:
        story = self.story
        if event.kind == "started":
            story.start, story.who = at, event.who or ""
        elif event.kind == "paused":
            story.outcome, story.reason = "paused", reason(event)
            story.pauses.append(Bar("pause", "paused", at, text=reason(event)))
        elif event.kind == "rollbackStarted":
            story.rollback, story.reason = Bar("rollback", "rollback", at, text=reason(event)), reason(event)
        if event.kind in {"resumed", "ended", "abortAsked", "rollbackAsked", "rollbackStarted"}:
            story.outcome, story.end = "running", None
            for bar in story.pauses:
                self._close(bar, at, "done")
        if event.kind == "resumed" and story.rollback is None:
            for wave in (wave for wave in story.waves if wave.state == "failed"):
                wave.state, wave.end, wave.reason = "running", None, ""
        if event.kind == "rollbackDone":
            for wave in story.waves:
                wave.state = "undone" if any(t.state == "undone" for t in wave.targets) else wave.state
        if event.kind == "ended":
            story.outcome, story.end = _outcome(event), at
            story.reason = reason(event) or story.reason
            for bar in story.bars:
                self._close(bar, at, "unclear")

    def _of_wave(self, wave: WaveStory, event: Event, at: datetime) -> None:
        if event.kind == "approvalAsked":
            wave.state = "asking" if event.gate is None else wave.state
            wave.bars.append(Bar("approval", event.gate or "", at, text=_of(event) or "of anybody"))
        elif event.kind in {"approved", "denied"}:
            self._answered(wave, event, at)
        elif event.kind == "waveStarted":
            wave.state, wave.start = "running", wave.start or at
        elif event.kind == "bakeStarted":
            wave.state = "baking"
            self._close(wave.bake, at, "unclear")  # it begins anew after targets were changed once more
            until = event.data.get("until")
            wave.bars.append(Bar("bake", "bake", at, figures={"until": until} if until else {}))
        elif event.kind == "bakeDone":
            self._close(wave.bake, at, "done")
        elif event.kind in {"hookDone", "hookFailed"}:
            ok: BarState = "done" if event.kind == "hookDone" else "failed"
            wave.bars.append(Bar("hook", str(event.data.get("when") or "commands"), at, at, ok, reason(event)))
        elif event.kind == "waveDone":
            self._wave_ended(wave, at)
        elif event.kind == "waveFailed":
            wave.state, wave.end, wave.reason = "failed", at, reason(event)
            self._close(wave.bake, at, "failed")

    def _wave_ended(self, wave: WaveStory, at: datetime) -> None:
        wave.state, wave.end = "passed", at
        self._close(wave.bake, at, "done")
        for target in wave.targets:
            if target.state in {"changed", "running", "held"}:
                target.state = "passed"

    def _answered(self, wave: WaveStory, event: Event, at: datetime) -> None:
        for bar in wave.bars:
            if bar.kind == "approval" and bar.end is None and bar.name == (event.gate or ""):
                comment = f": {reason(event)}" if event.text else ""
                bar.text = f"{'yes' if event.kind == 'approved' else 'no'} of {event.who or 'somebody'}{comment}"
                self._close(bar, at, "done" if event.kind == "approved" else "failed")

    def _of_target(self, target: TargetStory, event: Event, at: datetime) -> None:
        if event.kind in {"stepStarted", "gateStarted"}:
            self._begin(target, event, at)
        elif event.kind in {"stepDone", "gatePassed"}:
            self._ended(target, event, at, "done")
            self._went_well(target, event)
        elif event.kind in {"stepFailed", "gateFailed"}:
            self._ended(target, event, at, "failed")
            target.reason = reason(event)
            target.state = "stuck" if event.phase == "undo" else target.state if event.phase == "retire" else "failed"
        elif event.kind == "gateInconclusive":
            self._ended(target, event, at, "unclear")
            if not self._is_later(event):  # in a bake it is asked again; where it stops one, the pause says so
                target.state, target.reason = "held", reason(event)
        elif event.kind == "notTried":
            target.state, target.reason = "notTried", reason(event)

    def _begin(self, target: TargetStory, event: Event, at: datetime) -> None:
        for bar in target.bars:  # a worker that died left it open
            self._close(bar, at, "unclear")
        kind, name = ("gate", event.gate or "") if event.gate else (event.phase or "place", event.phase or "place")
        target.bars.append(Bar(kind, name, at))
        if not self._is_later(event) and event.phase != "retire":
            target.state = "running"

    def _ended(self, target: TargetStory, event: Event, at: datetime, state: BarState) -> None:
        kind, name = ("gate", event.gate or "") if event.gate else (event.phase or "place", event.phase or "place")
        bar = next((b for b in reversed(target.bars) if b.end is None and (b.kind, b.name) == (kind, name)), None)
        if bar is None:
            bar = Bar(kind, name, at)
            target.bars.append(bar)
        bar.text = reason(event)
        figures = event.data.get("figures") or event.data.get("changes")
        bar.figures = dict(figures) if isinstance(figures, dict) else {}
        self._close(bar, at, state)
        gap = event.data.get("gapSeconds")
        target.gap = float(gap) if isinstance(gap, int | float) else target.gap

    def _went_well(self, target: TargetStory, event: Event) -> None:
        """A target is changed once its last step of the change is done."""
        if event.phase == "undo":
            target.state = "undone"
        elif event.phase == "retire" or self._is_later(event) or target.state in {"undone", "stuck"}:
            return
        else:
            done = {(bar.kind, bar.name) for bar in target.bars if bar.state == "done"}
            whole = all(step in done for step in self._steps(target))
            target.state, target.reason = ("changed" if whole else "running"), ""

    def _steps(self, target: TargetStory) -> Iterator[tuple[str, str]]:
        yield "place", "place"
        for gate in self.waves[target.wave].wave.gates:
            kind = self.story.plan.gates.get(gate)
            if kind == "ready" or (kind not in LATER and target.target.undoable):
                yield "gate", gate
        if any(move.strategy == "beside" and move.before is not None for move in target.target.moves):
            yield "switch", "switch"

    def _is_later(self, event: Event) -> bool:
        return event.gate is not None and self.story.plan.gates.get(event.gate) in LATER

    @staticmethod
    def _close(bar: Bar | None, at: datetime, state: BarState) -> None:
        if bar is not None and bar.end is None:
            bar.end, bar.state = max(at, bar.start), state


def _outcome(event: Event) -> Outcome:
    told: Any = event.data.get("outcome")
    known: tuple[Outcome, ...] = ("succeeded", "failed", "rolledBack", "rollbackFailed", "aborted")
    return next((one for one in known if one == told), "failed")


# --- words ---------------------------------------------------------------------------------------------------------

OUTCOMES: dict[Outcome, str] = {
    "running": "running",
    "paused": "paused",
    "succeeded": "succeeded",
    "failed": "failed",
    "rolledBack": "rolled back",
    "rollbackFailed": "rollback failed",
    "aborted": "aborted",
}
STATES: dict[TargetState, str] = {
    "waiting": "waiting",
    "running": "running",
    "changed": "changed",
    "passed": "passed",
    "upToDate": "up to date",
    "refused": "refused",
    "failed": "failed",
    "held": "held",
    "undone": "as before",
    "notTried": "not tried",
    "stuck": "not undone",
}


def words(event: Event) -> str:
    """What happened, for a log and the audit trail; without its time and place."""
    fact, detail = _fact(event), _detail(event)
    if not fact or not detail or fact == detail:
        return fact or detail
    return f"{fact} {detail}" if detail.startswith(("in ", "of ", "because ")) else f"{fact}: {detail}"


def reason(event: Event) -> str:
    """What the event says in words, on one line: it may quote a model's answer or an engine's output."""
    text = event.text or str(event.data.get("reason") or "")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text.removeprefix("not tried ") if event.kind == "notTried" else text


def place(event: Event) -> str:
    """Where it happened: wave, wave/stack, or nothing for the rollout itself."""
    return "/".join(part for part in (event.wave, event.target) if part)


def _fact(event: Event) -> str:  # noqa: PLR0911 - one return per family of events
    gate, phase = event.gate or "", event.phase or ""
    if event.kind == "stepStarted":
        return DOING.get(phase, phase)
    if event.kind == "stepDone":
        return PAST.get(phase, phase)
    if event.kind == "stepFailed":
        return f"{phase} failed"
    if event.kind.startswith("gate"):
        how = {"Started": "asked", "Passed": "passed", "Failed": "failed", "Inconclusive": "cannot tell"}
        return f"gate {gate} {how[event.kind.removeprefix('gate')]}"
    if event.kind in {"approvalAsked", "approved", "denied"}:
        what = {"approvalAsked": "asks for a yes", "approved": "yes", "denied": "no"}[event.kind]
        return f"{what} ({gate})" if gate else what
    if event.kind == "ended":
        return OUTCOMES[_outcome(event)]
    return _FACTS.get(event.kind, event.kind)


_FACTS = {
    "started": "the rollout starts",
    "paused": "paused",
    "resumed": "resumed",
    "abortAsked": "asked to stop",
    "rollbackAsked": "asked to roll back",
    "rollbackStarted": "rolling back",
    "rollbackDone": "rolled back",
    "waveStarted": "the wave starts",
    "waveDone": "the wave has passed",
    "waveFailed": "the wave has failed",
    "bakeStarted": "baking",
    "bakeDone": "baked",
    "notTried": "not tried",
    "hookDone": "commands ran",
    "hookFailed": "commands failed",
    "windowOpened": "the rollback window opens",
    "windowClosed": "the rollback window closes",
    "takenOver": "taken over",
    "note": "",
}


def _detail(event: Event) -> str:
    data: dict[str, Any] = event.data
    seconds, gap = data.get("seconds"), data.get("gapSeconds")
    changes = data.get("changes") if isinstance(data.get("changes"), dict) else {}
    parts = [
        reason(event),
        _of(event) if event.kind == "approvalAsked" else "",
        f"in {span(seconds)}" if seconds else "",
        ", ".join(f"{count} {what}" for what, count in sorted((changes or {}).items()) if what != "same"),
        f"callers met a gap of {span(gap)}" if isinstance(gap, int | float) else "",
    ]
    return ", ".join(part for part in parts if part)


def _of(event: Event) -> str:
    """Whose yes is asked for; empty where anybody may say it."""
    by: Any = event.data.get("by")
    return f"of {' or '.join(str(one) for one in by)}" if isinstance(by, list) and by else ""


def span(seconds: float) -> str:
    """A span for people: whole seconds, or tenths of a short one."""
    return f"{seconds:.1f}s" if 0 < seconds < 10 else show(timedelta(seconds=round(seconds)))
