"""One stack of a rollout: a plain up promotes nothing; beside, no call fails; in place, Azure decides."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.desk import Desk, wait_for
from tests.journeys.promoting import Rollout, calling, facts, in_rollout

STACK, BOT, ACCOUNT = "local-target", "support-bot", "contoso-ft-swe"
SUPPORT = "gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-support"
TAG = f"hearth-active-{BOT}"


def merge(desk: Desk, name: str = "a") -> str:
    """A new model, trained and merged into the record; room enough for a caller that does not stop."""
    model = desk.tune(name)
    record = desk.record_file(BOT)
    record.write_text(record.read_text().replace(SUPPORT, model))
    desk.change(STACK, "capacity: 1}", "capacity: 200}")
    return model


def test_beside_no_call_fails_and_a_plain_up_promotes_nothing(both: Desk):
    new = merge(both)
    in_rollout(both, STACK)
    stays = f"{STACK}/{BOT} stays at {SUPPORT}, the record says {new}; promote with `hearth rollout start`"
    assert both.pulumi("up", "--yes", "--stack", STACK).count(stays) >= 2, "in the preview and in the up"
    assert (both.deployment(BOT).model.name, both.deployment(BOT).capacity) == (SUPPORT, 200)
    assert both.account(ACCOUNT).tags[TAG] == BOT

    rollout = Rollout.of(both, STACK, BOT, new, "beside")
    with calling(both, ACCOUNT, BOT) as patient, calling(both, ACCOUNT, BOT, keep=0.2) as quick:
        rollout.step("place")
        assert both.account(ACCOUNT).tags[TAG] == BOT, "callers stay where they are until the gates have passed"
        told = facts(both, STACK, BOT)
        assert (told["active"], told["model"], told["held"], told["rollout"]) == (BOT, SUPPORT, True, "r1")
        assert (told["standby"]["name"], told["standby"]["model"]) == (f"{BOT}-b", new)
        rows = json.loads(both.hearth("status", STACK, "--json"))
        assert {(r["active"], r["model"], r["held"], r["standby"], r["ready"]) for r in rows} == {
            (BOT, SUPPORT, True, False, True),
            (f"{BOT}-b", new, False, True, True),
        }

        rollout.step("switch")
        assert both.account(ACCOUNT).tags[TAG] == f"{BOT}-b"
        assert both.hearth("chat", f"{STACK}/{BOT}", "hello").startswith(new)
        told = facts(both, STACK, BOT)
        assert (told["active"], told["held"], told["standby"]["model"]) == (f"{BOT}-b", False, SUPPORT)
        assert told["previous"]["model"] == SUPPORT
        both.pulumi("preview", "--expect-no-changes", "--stack", STACK)
        wait_for(lambda: quick.answered[-1] == new, "callers are not led to the new one")
        assert patient.answered[-1] == SUPPORT, "it keeps the name for a minute, and may: both stand"

        rollout.step("retire")
        wait_for(lambda: new in patient.answered, "the name that it kept is gone, and it asked for no other")
    assert (patient.failed, quick.failed) == ([], [])
    assert [d.name for d in both.azure.world.deployments if d.account.endswith(ACCOUNT)] == [f"{BOT}-b"]


@pytest.mark.proof
def test_undone_callers_are_led_back_and_what_a_killed_step_left_goes(both: Desk):
    new = merge(both)
    in_rollout(both, STACK)
    both.up(STACK)
    rollout = Rollout.of(both, STACK, BOT, new, "beside")
    with calling(both, ACCOUNT, BOT, keep=0.2) as caller:
        rollout.step("place")
        rollout.step("switch")
        rollout.step("undo")
    assert caller.failed == []
    assert both.account(ACCOUNT).tags[TAG] == BOT
    told = facts(both, STACK, BOT)
    assert (told["active"], told["model"], told["standby"], told["held"]) == (BOT, SUPPORT, None, True)

    left = both.deployment(BOT)
    both.hearth("recover", STACK)
    other = msgspec.structs.replace(left.model, name=new)
    both.by_hand(left, id=f"{left.id}-b", name=f"{BOT}-b", model=other)
    said = rollout.step("undo")
    assert f"{STACK}/{BOT}-b is in Azure, left by a run that was killed; nothing leads to it: deleting it" in said
    assert [d.name for d in both.azure.world.deployments if d.account.endswith(ACCOUNT)] == [BOT]


@pytest.mark.proof
def test_in_place_it_is_azure_that_decides_whether_callers_meet_a_gap_or_nothing_moves(both: Desk):
    new = merge(both)
    in_rollout(both, STACK)
    both.up(STACK)
    rollout = Rollout.of(both, STACK, BOT, new, "inPlace")
    with calling(both, ACCOUNT, BOT) as caller:
        assert "callers may meet a gap" in rollout.step("place")
        wait_for(lambda: caller.answered[-1:] == [new], "callers are still answered by the one before")
    assert caller.failed == []
    told = facts(both, STACK, BOT)
    assert (told["active"], told["standby"], told["model"], told["held"]) == (BOT, None, new, False)

    both.switch(model_change="gap")
    with calling(both, ACCOUNT, BOT) as caller:
        rollout.step("undo")
        wait_for(lambda: caller.answered[-1:] == [SUPPORT], "nobody answers")
    assert caller.failed
    assert all("The API deployment for this resource does not exist" in text for text in caller.failed)

    both.switch(model_change="refuse")
    assert "cannot be changed" in rollout.step("place", ok=False)
    assert facts(both, STACK, BOT)["model"] == both.deployment(BOT).model.name == SUPPORT
    both.pulumi("preview", "--expect-no-changes", "--stack", STACK)
