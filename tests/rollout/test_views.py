"""What a rollout looks like: the story from its events, in lines, on a terminal, in markdown and as a page."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest
from rich.console import Console

from infra.cli.rollout import page, story, view
from infra.rollout.plan import make
from infra.rollout.values import Event
from tests.rollout.planning import NEW, facts, observed, stack, wanted, wave
from tests.rollout.telling import NASTY, START, Tape, bad, changes, fleet, good, wide


def states(events: list[Event]) -> dict[str, str]:
    return {target.target.stack.removeprefix("prod-"): target.state for target in story.tell(fleet(), events).targets}


def terminal(events: list[Event], after: float = 0) -> str:
    """What the live view shows some seconds after the last event."""
    console = Console(file=StringIO(), width=140, force_terminal=True, color_system=None)
    told = story.tell(fleet(), events)
    console.print(view.render(story.tell(fleet(), events, told.now + timedelta(seconds=after))))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


# --- the story ------------------------------------------------------------------------------------------------------


def test_a_rollout_to_its_end_has_every_target_through():
    told = story.tell(*good())
    assert (told.outcome, told.who, [wave.state for wave in told.waves]) == ("succeeded", "ann", ["passed"] * 3)
    assert Counter(target.state for target in told.targets) == {"passed": 6, "upToDate": 1}
    assert all(bar.end for bar in told.bars)


def test_a_gate_that_fails_undoes_its_wave_and_leaves_the_next_untouched():
    told = story.tell(*bad())
    assert told.outcome == "rolledBack"
    assert states(bad()[1]) == {
        "swe": "passed", "weu": "undone", "uks": "undone", "eus": "notTried", "jpe": "notTried", "ncu": "upToDate",
        "wus": "notTried",
    }  # fmt: skip
    assert (len(told.pauses), told.pauses[0].seconds(told.now)) == (1, 3600)


def test_a_step_of_a_worker_that_died_is_closed_when_it_is_begun_again():
    tape = Tape()
    tape("started", who="ann")
    tape("waveStarted", "canary")
    tape("stepStarted", "canary", "prod-swe", phase="place")
    tape("takenOver", after=30)
    tape.step("canary", "prod-swe", "place", 40)
    bars = story.tell(fleet(), tape.events).targets[0].bars
    assert [(bar.state, bar.seconds(START)) for bar in bars] == [("unclear", 30), ("done", 40)]


def test_beside_a_target_is_changed_only_when_its_callers_are_switched():
    tape = Tape()
    tape("waveStarted", "canary")
    changes(tape, "canary", "prod-swe")
    assert states(tape.events[:-2])["swe"] == "running"
    assert states(tape.events)["swe"] == "changed"


def test_a_bake_that_begins_anew_ends_the_one_before():
    tape = Tape()
    tape("waveStarted", "canary")
    tape("bakeStarted", "canary")
    tape("bakeStarted", "canary", after=60)
    bakes = story.tell(fleet(), tape.events).waves[0].bars
    assert [(bar.kind, bar.state) for bar in bakes] == [("bake", "unclear"), ("bake", "running")]


def test_a_wave_that_failed_is_at_work_again_once_it_is_resumed():
    tape = Tape()
    tape("waveStarted", "canary")
    tape("waveFailed", "canary", text="prod-swe failed")
    tape("paused", text="prod-swe failed")
    assert story.tell(fleet(), tape.events).waves[0].state == "failed"
    tape("resumed", who="ann", after=60)
    told = story.tell(fleet(), tape.events)
    assert (told.waves[0].state, told.outcome) == ("running", "running")


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_every_beginning_of_a_rollout_can_be_told_in_every_way(cut: int):
    plan, events = bad()
    assert terminal(events[:cut])
    assert view.summary_markdown(plan, events[:cut])
    assert page.html(plan, events[:cut])


def test_events_of_a_stack_that_the_plan_does_not_name_do_no_harm():
    plan, events = good()
    events.append(msgspec.structs.replace(events[-1], number=999, target="gone", wave="gone"))
    assert story.tell(plan, events).outcome == "succeeded"


# --- a line per event -----------------------------------------------------------------------------------------------


def test_a_line_says_when_where_what_and_how_long():
    lines = [view.lines(event) for event in good()[1]]
    assert lines[0] == "2026-11-23 09:00:00Z  the rollout starts (ann)"
    assert lines[3] == "2026-11-23 09:00:42Z  canary/prod-swe: placed in 41s, 1 create, 1 update"
    assert "2026-11-23 13:02:16Z  world: yes: support has seen it (bob)" in lines
    assert all("\n" not in line for line in lines)


def test_what_a_model_answered_cannot_move_the_cursor_of_a_terminal():
    assert "\x1b" not in "\n".join(view.lines(event) for event in bad()[1])
    assert "[31m" in "\n".join(view.lines(event) for event in bad()[1])


def test_where_there_is_no_terminal_each_event_is_a_line_once():
    plan, events = bad()
    looks = iter([events[:3], events[:3], events[:20], events])
    to = Console(file=StringIO(), width=60)
    view.EVERY, before = 0.0, view.EVERY
    try:
        told = view.watch(plan, lambda: next(looks), to)
    finally:
        view.EVERY = before
    assert told.outcome == "rolledBack"
    assert to.file.getvalue().splitlines() == [view.lines(event) for event in events]  # type: ignore[attr-defined]


# --- on a terminal --------------------------------------------------------------------------------------------------


def test_the_terminal_shows_who_is_worked_on_and_for_how_long():
    shown = terminal([event for event in good()[1] if event.number <= 3], after=12)
    assert re.search(r"● prod-swe +swedencentral +placing 12s", shown)
    assert "· 3. world" in shown


def test_the_terminal_shows_what_is_left_of_a_bake():
    until = next(event.number for event in good()[1] if event.kind == "bakeStarted")
    shown = terminal([event for event in good()[1] if event.number <= until], after=600)
    assert "baking, 1h50m left" in shown


def test_the_terminal_says_what_it_waits_for_and_how_to_go_on():
    asked = next(event.number for event in good()[1] if event.kind == "approvalAsked")
    assert "waits for a yes of ann or bob: hearth rollout approve" in terminal(good()[1][:asked])
    paused = next(event.number for event in bad()[1] if event.kind == "paused")
    shown = terminal(bad()[1][:paused])
    assert "paused: prod-swe: gate calm: 3 calls are too few to tell" in shown
    assert "hearth rollout resume | rollback | abort" in shown


# --- markdown -------------------------------------------------------------------------------------------------------


def test_the_summary_tells_the_waves_what_went_wrong_and_every_gate():
    told = view.summary_markdown(*bad())
    assert told.startswith("### Rollout 2026-11-23-b: rolled back\n")
    assert "| europe | 2 | 2 as before | 1m25s |" in told
    assert "- prod-weu: as before: quota of westeurope is used up" in told
    assert "| smoke | prod-uks | failed |" in told
    assert NASTY not in told
    assert "<script>" not in told
    rows = [line for line in told.splitlines() if line.startswith("| smoke")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows), "no answer opens a column of its own"


# --- the page -------------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Every tag of a page, what it would load, and its words."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.open, self.loads, self.words = Counter[str](), list[str](), list[str](), ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.open += [] if tag in self.VOID else [tag]
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes nothing"

    def handle_data(self, data: str) -> None:
        self.words += data


def drawing(text: str) -> ElementTree.Element:
    found = re.search(r"<svg.*</svg>", text, re.DOTALL)
    assert found
    return ElementTree.fromstring(found[0])  # noqa: S314  it is our own


@pytest.mark.parametrize("tale", [good, bad, wide])
def test_the_page_is_whole_and_needs_nothing_else(tale: object):
    text = page.html(*tale())  # type: ignore[operator]
    outline = Outline(text)
    assert outline.open == []
    assert (outline.loads, outline.tags["script"], "url(http" in text, "@import" in text) == ([], 0, False, False)
    assert drawing(text).tag == "svg"


def test_what_a_model_answered_is_text_on_the_page():
    text = page.html(*bad())
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "9 of 20 prompts fail, such as: <script>" in Outline(text).words


def test_the_page_tells_every_event_every_gate_and_every_yes():
    plan, events = good()
    words = Outline(page.html(plan, events)).words
    assert f"{len(events)} events" in words
    assert words.count("20 of 20 prompts hold") == 6 * 3, "in the drawing, among the gates, in the trail"
    assert "yes of bob: support has seen it" in words


def test_bars_lie_within_the_drawing_and_those_of_a_target_follow_each_other():
    svg = drawing(page.html(*good()))
    bars = [one for one in svg.iter("rect") if "bar" in (one.get("class") or "").split()]
    rows: dict[str, list[tuple[float, float]]] = {}
    for bar in bars:
        left, width = float(bar.get("x") or 0), float(bar.get("width") or 0)
        assert 230 <= left <= left + width <= 1074
        rows.setdefault(bar.get("y") or "", []).append((left, left + width))
    assert len(bars) == 3 + 1 + 6 * 3 + 1, "bakes, the yes, three bars a target, and one that retires"
    for found in rows.values():
        found.sort()
        assert all(one[1] <= other[0] + 3 for one, other in pairwise(found))


def test_a_gap_that_callers_met_is_told_where_one_was_measured():
    plan, events = good()
    assert "callers' gap" not in page.html(plan, events)
    done = next(event for event in events if event.kind == "stepDone")
    events[done.number - 1] = msgspec.structs.replace(done, data={**done.data, "gapSeconds": 7.5})
    words = Outline(page.html(plan, events)).words
    assert "callers' gap" in words
    assert "callers met a gap of 7.5s" in words


def test_the_page_of_what_has_not_begun_and_of_a_great_fleet():
    plan = fleet()
    assert "Nothing has happened yet" in page.html(plan, [])
    wave = plan.waves[2]
    targets = tuple(msgspec.structs.replace(wave.targets[0], stack=f"prod-{number:03}") for number in range(200))
    big = msgspec.structs.replace(plan, waves=(msgspec.structs.replace(wave, targets=targets),))
    tape = Tape()
    tape("started", who="ann")
    tape("waveStarted", "world")
    for target in targets:
        tape.step("world", target.stack, "place", 30)
    text = page.html(big, tape.events)
    assert "<details><summary>402 events" in text, "a long trail is folded"
    assert "1 changed" not in text


# --- what moves no model --------------------------------------------------------------------------------------------


def test_what_is_put_up_for_its_file_alone_is_told_everywhere():
    here, there = stack("prod-swe"), stack("dev")
    files = wanted([here, there], wave(("prod-swe",), gates=("smoke",)))
    files = msgspec.structs.replace(files, others=("dev",), digests={"prod-swe": "a", "dev": "a"})
    made = make(files, {"prod-swe": observed(here, {"support-bot": facts(NEW)}), "dev": observed(there)}, "c0ffee")
    tape = Tape()
    tape("started", who="ann")
    for number, (name, where) in enumerate({"canary": "prod-swe", "others": "dev"}.items()):
        tape("waveStarted", name)
        tape.step(name, where, "place", 30, changes={"update": 1})
        assert [one.state for one in story.tell(made, tape.events).targets][number] == "changed", (
            "no gate is waited for"
        )
        tape("waveDone", name)
    tape("note", "canary", "prod-swe", text="nothing is undone: what its file says stays")
    tape("ended", text="every wave is done", data={"outcome": "succeeded"})
    told = story.tell(made, tape.events)
    assert [(one.wave, one.target.stack, one.state) for one in told.targets] == [
        ("canary", "prod-swe", "passed"),
        ("others", "dev", "passed"),
    ]
    drawn = page.html(made, tape.events)
    assert "<td>update</td>" in drawn
    assert "others" in drawn
    assert "nothing is undone" in "\n".join(view.lines(event) for event in tape.events)
    assert "others" in view.summary_markdown(made, tape.events)
