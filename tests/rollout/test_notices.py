"""What a rollout tells people and the user's own commands."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import Unreachable
from infra.rollout import notices
from infra.rollout.commands import Commands
from infra.rollout.notices import HookFailed, notify, run_hook
from infra.rollout.values import Event, Target, Wave
from infra.spec.model import Notify
from infra.spec.rollout import Commands as Hooks

LIMIT = timedelta(seconds=30)
ADDRESS = "https://hooks.example.com/services/secret"
NASTY = "bot: <a&b>\nsecond {line}"


def event(kind: str, **other: Any) -> Event:
    given = {"rollout": "r-1", "number": 1, "at": "2026-11-23T09:00:00+00:00", "wave": "canary", "text": NASTY}
    return Event(kind=kind, **{**given, **other})  # type: ignore[arg-type]


def sent(shape: str, about: Event) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    notify(Notify(webhook=ADDRESS, shape=shape), "fleet", about, send=lambda _, body: found.append(body))  # type: ignore[arg-type]
    return found


# --- notices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "title"),
    [
        (event("waveStarted"), "begins wave canary"),
        (event("waveDone"), "has passed wave canary"),
        (event("waveFailed"), "has failed in wave canary"),
        (event("paused"), "is paused"),
        (event("gateFailed", gate="smoke", target="prod-swe"), "was refused by gate smoke at prod-swe"),
        (event("ended", data={"outcome": "rolledBack"}), "has ended: rolledBack"),
    ],
)
def test_people_hear_of_waves_pauses_failures_and_the_end(about, title):
    (body,) = sent("generic", about)
    assert body["title"] == f"hearth rollout r-1 of fleet {title}"
    assert (body["summary"], body["event"]["kind"], body["event"]["number"]) == (NASTY, about.kind, 1)


@pytest.mark.parametrize("kind", ["stepStarted", "stepDone", "gatePassed", "bakeStarted", "note"])
def test_what_goes_as_it_should_is_no_news(kind):
    assert sent("generic", event(kind)) == []


def test_nobody_is_told_where_nobody_is_named():
    notify(None, "fleet", event("paused"), send=lambda *_: pytest.fail("sent"))


def test_a_message_for_people_says_what_to_do_next_and_who_is_asked():
    (slack,) = sent("slack", event("paused"))
    assert slack["text"].splitlines() == [
        "*hearth rollout r-1 of fleet is paused*",
        "• bot: &lt;a&amp;b&gt;",
        "• second {line}",
        "• hearth rollout resume r-1 goes on; hearth rollout show r-1 tells more",
    ]
    (teams,) = sent("teams", event("approvalAsked", text="", data={"by": ["ann", "bob"]}))
    texts = [block["text"] for block in teams["attachments"][0]["content"]["body"]]
    assert texts == [
        "hearth rollout r-1 of fleet waits for a yes in wave canary",
        "asked: ann, bob",
        "hearth rollout approve r-1 says yes",
    ]


def test_every_kind_of_news_is_told_in_every_shape():
    for kind in notices.NEWS:
        for shape in ("generic", "slack", "teams"):
            assert len(sent(shape, event(kind))) == 1


@pytest.mark.parametrize("error", [Unreachable("The webhook at hooks.example.com is away"), ValueError(ADDRESS)])
def test_a_notice_that_does_not_arrive_stops_nothing_and_no_log_holds_the_address(error, caplog):
    def send(*_: object) -> None:
        raise error

    with caplog.at_level(logging.WARNING):
        notify(Notify(webhook=ADDRESS), "fleet", event("paused"), send=send)
    assert len(caplog.messages) == 1
    assert "secret" not in caplog.text


# --- commands around a wave ----------------------------------------------------------------------------------------


def wave() -> Wave:
    targets = tuple(Target(stack=name, account="a", location="l", standing="move") for name in ("swe", "weu"))
    return Wave(
        name="canary", targets=targets, concurrency=1, tolerance=0, strict=False, bake=0, gates=(), approval=None,
        on_failure="pause",
    )  # fmt: skip


def hook(folder: Path, when: Any, *scripts: str) -> str:
    wanted = [["sh", "-c", script] for script in scripts]
    hooks = Hooks(before_wave=wanted) if when == "before" else Hooks(after_wave=wanted)
    return run_hook(Commands(folder, dict(os.environ)), hooks, "r-1", wave(), when, LIMIT)


@pytest.mark.parametrize("when", ["before", "after"])
def test_commands_run_one_after_the_other_and_know_the_wave(tmp_path, when):
    told = 'echo "$HEARTH_ROLLOUT_ID $HEARTH_WAVE $HEARTH_WHEN $HEARTH_TARGETS"'
    assert hook(tmp_path, when, "echo one > file", f"cat file; {told}") == f"sh; sh: one | r-1 canary {when} swe weu"


def test_the_first_command_that_fails_ends_them_and_says_why(tmp_path):
    with pytest.raises(HookFailed, match="sh ended with exit code 4: no change today"):
        hook(tmp_path, "before", "echo no change today; exit 4", "echo > never")
    assert not (tmp_path / "never").exists()


def test_without_commands_nothing_is_run(tmp_path):
    assert hook(tmp_path, "after") == ""
