"""A rollout as one HTML page that needs nothing else: timeline, targets, gates, failures, audit trail. No scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from infra.cli.rollout import chart, planned, story
from infra.cli.rollout.story import OUTCOMES, STATES, Bar, Story, TargetStory
from infra.rollout.values import Event, Move, Plan

STYLE = Path(__file__).with_name("page.css")
_OPEN = 200
"""Lines of the audit trail that are shown without a click."""


def html(plan: Plan, events: list[Event], *, now: datetime | None = None) -> str:
    """The page. What still runs is drawn up to `now`, else up to the last event."""
    told = story.tell(plan, events, now)
    title = f"{plan.fleet} {told.rollout}: {OUTCOMES[told.outcome]}"
    sections = [
        _head(told), _section("Timeline", _timeline(told)), _wrong(told), _targets(told), _gates(told), _people(told),
        _audit(told),
    ]  # fmt: skip
    return "\n".join([
        "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">', f"<title>{escape(title)}</title>",
        f"<style>\n{STYLE.read_text('utf-8')}</style>", "</head>", "<body>", "<main>",
        *(section for section in sections if section), "</main>", "</body>", "</html>", "",
    ])  # fmt: skip


def _head(told: Story) -> str:
    count = Counter(STATES[target.state] for target in told.targets)
    facts = {
        "commit": planned.commit(told.plan),
        "started": f"{_when(told.start)}{f' by {told.who}' if told.who else ''}" if told.start else "not yet",
        "ended" if told.end else "as of": _when(told.end or told.now),
        "took" if told.end else "for": story.span(told.seconds()),
        "stacks": ", ".join(f"{number} {state}" for state, number in count.items()),
        "plan": told.plan.digest[:12],
    }
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    badge = f'<span class="badge {told.outcome}">{escape(OUTCOMES[told.outcome])}</span>'
    reason = f'<p class="reason">{escape(told.reason)}</p>' if told.reason and told.outcome != "succeeded" else ""
    name = f"<h1>{escape(told.plan.fleet)} <small>{escape(told.rollout)}</small> {badge}</h1>"
    return f"<header>{name}{reason}<dl>{rows}</dl></header>"


def _timeline(told: Story) -> str:
    if not told.events:
        return "<p>Nothing has happened yet.</p>"
    key = "".join(f'<li><i class="{kind}"></i>{escape(text)}</li>' for kind, text in chart.LEGEND)
    note = "Times are UTC. Waiting is drawn shorter than it was: such stretches say how long they took."
    return f'<div class="scroll">{chart.draw(told)}</div><ul class="legend">{key}</ul><p class="note">{note}</p>'


def _wrong(told: Story) -> str:
    """What went wrong, in words."""
    items = [(wave.wave.name, "wave failed", wave.reason) for wave in told.waves if wave.reason]
    items += [(f"{target.wave}/{target.target.stack}", STATES[target.state], target.reason)
              for target in told.targets if target.reason]  # fmt: skip
    items += [("the rollout", f"paused for {story.span(bar.seconds(told.now))}", bar.text) for bar in told.pauses]
    rows = [f"<li><b>{escape(where)}</b> {escape(what)}: {escape(why)}</li>" for where, what, why in items]
    return _section("What did not go as planned", f'<ul class="wrong">{"".join(rows)}</ul>') if rows else ""


def _targets(told: Story) -> str:
    rows, gaps = [], any(target.gap is not None for target in told.targets)
    for target in told.targets:
        about = [
            target.wave,
            target.target.stack,
            target.target.location,
            STATES[target.state],
            _took(target, told.now),
        ]
        about += [_gap(target)] if gaps else []
        for number, move in enumerate(target.target.moves or (None,)):
            moved = _move(move) if move is not None else ["", "", planned.in_short(target.target)]
            cells = [*(about if not number else [""] * len(about)), *moved]
            rows.append(_row(cells, {3: f"state {target.state}"}))
    titles = ("wave", "stack", "region", "state", "worked on", *(["callers' gap"] if gaps else []), "deployment",
              "from → to", "how")  # fmt: skip
    return _section("Stacks", _table(titles, rows))


def _move(move: Move) -> list[str]:
    before = planned.short(move.before.model) if move.before else "nothing"
    how = "first" if move.before is None else planned.HOW[move.strategy]
    slots = f", {move.active} → {move.candidate}" if move.strategy == "beside" and move.before else ""
    return [move.deployment, f"{before} → {planned.short(move.after.model)}", f"{how}{slots}"]


def _took(target: TargetStory, now: datetime) -> str:
    seconds = sum(bar.seconds(now) for bar in target.bars)
    return story.span(seconds) if target.bars else ""


def _gap(target: TargetStory) -> str:
    return "" if target.gap is None else story.span(target.gap) if target.gap else "none"


def _gates(told: Story) -> str:
    rows = []
    for target in told.targets:
        for bar in (bar for bar in target.bars if bar.kind == "gate"):
            state = {"done": "passed", "failed": "failed", "unclear": "cannot tell", "running": "running"}[bar.state]
            figures = ", ".join(f"{name} {value}" for name, value in bar.figures.items() if value is not None)
            cells = [bar.name, told.plan.gates.get(bar.name, ""), f"{target.wave}/{target.target.stack}", state,
                     bar.text, figures, story.span(bar.seconds(told.now)), _when(bar.start)]  # fmt: skip
            rows.append(_row(cells, {3: f"state {bar.state}", 4: "text"}))
    titles = ("gate", "kind", "stack", "result", "why", "figures", "took", "at")
    return _section("Gates", _table(titles, rows)) if rows else ""


def _people(told: Story) -> str:
    """Who was asked, and what was said."""
    rows = []
    for wave in told.waves:
        for bar in (bar for bar in wave.bars if bar.kind == "approval"):
            waited = story.span(bar.seconds(told.now))
            cells = [wave.wave.name, bar.name or "start of the wave", _answer(bar), waited, _when(bar.start)]
            rows.append(_row(cells, {2: "text"}))
    return _section("Approvals", _table(("wave", "of", "answer", "waited", "asked at"), rows)) if rows else ""


def _answer(bar: Bar) -> str:
    return f"still asks for a yes {bar.text}" if bar.end is None else bar.text if bar.state != "unclear" else "none"


def _audit(told: Story) -> str:
    rows = [
        _row(
            [str(event.number), _when(story.moment(event.at)), story.place(event), story.words(event), event.who or ""],
            {3: "text"},
        )
        for event in told.events
    ]
    table = _table(("", "at", "where", "what", "who"), rows)
    shown = " open" if len(rows) <= _OPEN else ""
    return _section("Audit trail", f"<details{shown}><summary>{len(rows)} events</summary>{table}</details>")


# --- small things --------------------------------------------------------------------------------------------------


def _section(title: str, body: str) -> str:
    name = title.lower().replace(" ", "-")
    return f'<section id="{name}"><h2>{escape(title)}</h2>{body}</section>'


def _table(titles: Iterable[str], rows: list[str]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(cells: Sequence[str], kinds: dict[int, str] | None = None) -> str:
    found = kinds or {}
    made = [
        f"<td{f' class={chr(34)}{found[number]}{chr(34)}' if number in found else ''}>{escape(text)}</td>"
        for number, text in enumerate(cells)
    ]
    return f"<tr>{''.join(made)}</tr>"


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
