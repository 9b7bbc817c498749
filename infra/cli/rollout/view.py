"""A rollout to watch: live on a terminal, a line per event in a log, a summary in markdown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infra.cli.rollout import planned, story
from infra.cli.rollout.story import OUTCOMES, STATES, Story, TargetStory, WaveStory
from infra.gitops import words
from infra.ports import clock
from infra.rollout.values import Event, Outcome, Plan

EVERY = 0.5
"""Seconds between two looks."""
_ROWS = 12
"""Targets of a wave that a terminal shows; those that ask for attention first."""
_LAST = 6
"""Events below the waves."""
_GLYPHS: dict[str, tuple[str, str]] = {
    "waiting": ("·", "bright_black"),
    "asking": ("?", "magenta"),
    "running": ("●", "blue"),
    "baking": ("◔", "yellow"),
    "changed": ("✓", "cyan"),
    "passed": ("✓", "green"),
    "upToDate": ("=", "bright_black"),
    "refused": ("✗", "red"),
    "failed": ("✗", "red"),
    "held": ("‖", "yellow"),
    "undone": ("↺", "yellow"),
    "notTried": ("-", "bright_black"),
    "stuck": ("‼", "red"),
}
_COLOURS: dict[Outcome, str] = {
    "running": "blue",
    "paused": "yellow",
    "succeeded": "green",
    "failed": "red",
    "rolledBack": "yellow",
    "rollbackFailed": "red",
    "aborted": "yellow",
}
_WEIGHT = {"running": 0, "held": 1, "failed": 1, "stuck": 1, "refused": 2, "undone": 3, "notTried": 4, "waiting": 5}
_BAR = 24
_WHO = {"started", "paused", "resumed", "abortAsked", "rollbackAsked", "approved", "denied", "stepStarted", "takenOver"}
"""Events of which a log names who."""


def watch(
    plan: Plan, events: Callable[[], list[Event]], console: Console | None = None, *, until: Sequence[Outcome] = ()
) -> Story:
    """Show a rollout until it has ended, or stands as `until` says: live on a terminal, else in lines."""
    to = console or Console()
    return (live if to.is_terminal else follow)(plan, events, to, until=until)


def live(
    plan: Plan, events: Callable[[], list[Event]], console: Console | None = None, *, until: Sequence[Outcome] = ()
) -> Story:
    """Show it on the terminal, anew every half second, until it has ended or stands as `until` says."""
    to = console or Console()
    told = story.tell(plan, events(), clock.now())
    with Live(render(told), console=to, auto_refresh=False) as shown:
        while not _over(told, until):
            time.sleep(EVERY)
            told = story.tell(plan, events(), clock.now())
            shown.update(render(told), refresh=True)
    return told


def follow(
    plan: Plan, events: Callable[[], list[Event]], console: Console | None = None, *, until: Sequence[Outcome] = ()
) -> Story:
    """Print a line for each event as it comes, until it has ended or stands as `until` says."""
    to, shown = console or Console(), 0
    while True:
        found = sorted(events(), key=lambda event: event.number)
        for event in (event for event in found if event.number > shown):
            to.print(lines(event), markup=False, highlight=False, soft_wrap=True)
            shown = event.number
        told = story.tell(plan, found, clock.now())
        if _over(told, until):
            return told
        time.sleep(EVERY)


def lines(event: Event) -> str:
    """One event as a line of a log."""
    at, where = story.moment(event.at), story.place(event)
    who = f" ({event.who})" if event.who and event.kind in _WHO else ""
    said = f"{where}: {story.words(event)}{who}".removeprefix(": ")
    return f"{at:%Y-%m-%d %H:%M:%S}Z  {said}"


def _over(told: Story, until: Sequence[Outcome]) -> bool:
    return told.end is not None or told.outcome in until


# --- on a terminal --------------------------------------------------------------------------------------------------


def render(told: Story) -> RenderableType:
    """The whole of it."""
    parts: list[RenderableType] = [_title(told)]
    parts += [_wave(wave, number, told.now) for number, wave in enumerate(told.waves, 1)]
    parts += [Text(f"? {bar.name or 'the wave'} waits for a yes {bar.text}: hearth rollout approve", "magenta")
              for bar in told.questions]  # fmt: skip
    if told.outcome == "paused":
        parts.append(Text(f"‖ paused: {told.reason}\n  hearth rollout resume | rollback | abort", "yellow"))
    parts.append(Panel(Text("\n".join(lines(event) for event in told.events[-_LAST:])), box=box.HORIZONTALS))
    return Group(*parts)


def _title(told: Story) -> Text:
    made = Text.assemble(
        (f"{told.plan.fleet} {told.rollout}", "bold"),
        "  ",
        (OUTCOMES[told.outcome], f"bold {_COLOURS[told.outcome]}"),
        f"  {story.span(told.seconds())}  at {planned.commit(told.plan)}",
    )
    return made.append(f"\n{told.reason}", _COLOURS[told.outcome]) if told.end and told.reason else made


def _wave(wave: WaveStory, number: int, now: datetime) -> RenderableType:
    glyph, colour = _GLYPHS[wave.state]
    head = Table.grid(padding=(0, 2))
    done = sum(target.state in {"changed", "passed", "upToDate"} for target in wave.targets)
    head.add_row(
        Text(f"{glyph} {number}. {wave.wave.name}", f"bold {colour}"),
        ProgressBar(total=max(len(wave.targets), 1), completed=done, width=_BAR),
        Text(f"{done} of {len(wave.targets)}"),
        Text(_doing(wave, now), colour),
    )
    if wave.state in {"waiting", "passed"} and not any(t.state in _WEIGHT and t.reason for t in wave.targets):
        return head
    rows = sorted(wave.targets, key=lambda target: _WEIGHT.get(target.state, 9))
    body = Table.grid(padding=(0, 2))
    body.add_column(width=1)
    for target in rows[:_ROWS]:
        body.add_row("", *_target(target, now))
    left = Counter(STATES[target.state] for target in rows[_ROWS:])
    if left:
        body.add_row("", "", Text("and " + ", ".join(f"{count} {state}" for state, count in left.items())))
    return Group(head, body)


def _doing(wave: WaveStory, now: datetime) -> str:
    if wave.state == "baking" and wave.bake is not None:
        return f"baking, {story.span(wave.bake_left(now))} left"
    if wave.state == "asking":
        return "waits for a yes"
    took = f"took {story.span((wave.end - wave.start).total_seconds())}" if wave.end and wave.start else ""
    return wave.reason if wave.state == "failed" else took


def _target(target: TargetStory, now: datetime) -> tuple[Text, Text, Text, Text]:
    glyph, colour = _GLYPHS[target.state]
    bar = target.now
    gates = [f"{b.name} {_GATE[b.state]}" for b in target.bars if b.kind == "gate"]
    doing = STATES[target.state] if bar is None else f"{_name(bar)} {story.span(bar.seconds(now))}"
    return (
        Text(f"{glyph} {target.target.stack}", colour),
        Text(target.target.location, "bright_black"),
        Text(doing, colour),
        Text(target.reason or ", ".join(dict.fromkeys(gates)), _REASONS.get(target.state, "default")),
    )


_REASONS = {"failed": "red", "stuck": "red", "refused": "red", "held": "yellow", "notTried": "bright_black"}
_GATE = {"running": "…", "done": "passed", "failed": "failed", "unclear": "cannot tell"}


def _name(bar: story.Bar) -> str:
    return f"gate {bar.name}" if bar.kind == "gate" else story.DOING.get(bar.kind, bar.kind)


# --- for a pull request or a pipeline's page ------------------------------------------------------------------------


def summary_markdown(plan: Plan, events: list[Event]) -> str:
    """How it went, or how far it is."""
    told = story.tell(plan, events)
    made = [
        f"### Rollout {words.cell(told.rollout)}: {OUTCOMES[told.outcome]}",
        "",
        f"{words.cell(plan.fleet)} at {planned.commit(plan)}, {story.span(told.seconds())}"
        f"{f', started by {words.cell(told.who)}' if told.who else ''}.",
        *(["", words.cell(told.reason)] if told.reason else []),
        "",
        "| wave | stacks | state | took | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for wave in told.waves:
        count = Counter(STATES[target.state] for target in wave.targets)
        took = ((wave.end or told.now) - wave.start).total_seconds() if wave.start else 0.0
        cells = (wave.wave.name, str(len(wave.targets)), ", ".join(f"{n} {s}" for s, n in count.items()),
                 story.span(took) if wave.start else "", wave.reason)  # fmt: skip
        made.append(f"| {' | '.join(words.cell(cell) for cell in cells)} |")
    wrong = [target for target in told.targets if target.reason]
    made += ["", *(f"- {t.target.stack}: {STATES[t.state]}: {words.cell(t.reason)}" for t in wrong)] if wrong else []
    gates = [(target, bar) for target in told.targets for bar in target.bars if bar.kind == "gate" and bar.end]
    if gates:
        made += ["", "| gate | stack | result | |", "| --- | --- | --- | --- |"]
        made += [f"| {words.cell(bar.name)} | {target.target.stack} | {_GATE[bar.state]} | {words.cell(bar.text)} |"
                 for target, bar in gates]  # fmt: skip
    return "\n".join(made) + "\n"
