"""What stands behind a name: a plain up moves nothing of a stack in a rollout, a promotion exactly what it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra import serving
from infra.errors import HearthError, SpecError
from infra.serving import Slot, Standing
from infra.spec import Stack
from infra.spec.promotion import Placed, Promotion, Served, encode, read
from tests.spec.desk import MODEL, Desk

TRAINED_AT = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-contoso-train"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-train-ncus"
)
RECORD = Served(model=MODEL, source=TRAINED_AT)
OLD, NEW = Served(model="m.ft-old", source=TRAINED_AT), Served(model="m.ft-new", source=TRAINED_AT)
BOT, BESIDE = "support-bot", "support-bot-b"


def facts(active: Slot, standby: Slot | None = None, **more: Any) -> dict[str, Any]:
    """Outputs as the engine hands them back: what is null is absent."""
    own = {"active": active.name, **outputs_of(active.served), **more}
    return {**own, "standby": {"name": standby.name, **outputs_of(standby.served)}} if standby else own


def outputs_of(served: Served) -> dict[str, Any]:
    told: dict[str, Any] = {"model": served.model, "version": served.version, "sku": {"name": "Standard"}}
    told |= {"source": served.source} if served.source else {}
    return {**told, "settings": {"sourceTenant": served.tenant} if served.tenant else {}}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def stack(desk: Desk) -> Stack:
    return desk.load()


def plain(stack: Stack, last: dict[str, Any] | None = None, *, named: bool) -> Standing:
    return serving.decide(stack, {BOT: last} if last else {}, None, named=named)[BOT]


def moved(stack: Stack, last: dict[str, Any] | None, active: str, **slots: Served) -> Standing:
    placed = Placed(active=active, slots={name.replace("_", "-"): served for name, served in slots.items()})
    told = Promotion(rollout="r7", deployments={BOT: placed})
    assert read({"HEARTH_ROLLOUT": encode(told)}) == told
    return serving.decide(stack, {BOT: last} if last else {}, told, named=True)[BOT]


@pytest.mark.parametrize("named", [True, False])
def test_what_was_never_up_starts_with_its_record(stack: Stack, named: bool):
    found = plain(stack, named=named)
    assert found.slots == (Slot(BOT, RECORD),)
    assert (found.held, found.rollout, found.remark) == (False, None, "")


def test_a_stack_in_no_rollout_follows_its_record_behind_the_name_that_callers_use_and_lets_a_standby_go(stack: Stack):
    found = plain(stack, facts(Slot(BESIDE, NEW), Slot(BOT, OLD), rollout="r6"), named=False)
    assert found.slots == (Slot(BESIDE, RECORD),)
    assert (found.held, found.rollout) == (False, None), "what the rollout put there is there no more"


def test_a_stack_in_no_rollout_whose_record_is_what_stands_by_turns_to_it(stack: Stack):
    found = plain(stack, facts(Slot(BESIDE, NEW), Slot(BOT, RECORD)), named=False)
    assert found.slots == (Slot(BOT, RECORD),), "Azure takes no second deployment of a model"


def test_a_stack_in_a_rollout_stays_at_what_it_serves_and_says_how_to_move_it(stack: Stack):
    found = plain(stack, facts(Slot(BESIDE, NEW), Slot(BOT, OLD), rollout="r6"), named=True)
    assert found.slots == (Slot(BESIDE, NEW), Slot(BOT, OLD)), "a plain up keeps both"
    assert (found.held, found.rollout) == (True, "r6")
    assert found.remark == (
        f"dev/support-bot stays at m.ft-new, the record says {MODEL}; promote with `hearth rollout start`"
    )


def test_the_same_model_of_another_owner_is_another_model_and_is_told_apart(stack: Stack):
    found = plain(stack, facts(Slot(BOT, Served(model=MODEL))), named=True)
    assert found.held
    assert (
        f"stays at {MODEL} version 1 of its own account, the record says {MODEL} version 1 of contoso-train-ncus"
        in (found.remark)
    )
    spelled = plain(stack, facts(Slot(BOT, Served(model=MODEL, source=TRAINED_AT.upper()))), named=True)
    assert not spelled.held, "Azure's ids know no case"


def test_a_promotion_puts_a_candidate_beside_switches_retires_and_undoes(stack: Stack):
    before = facts(Slot(BOT, OLD))
    placed = moved(stack, before, BOT, support_bot=OLD, support_bot_b=RECORD)
    assert (placed.active, placed.standby) == (Slot(BOT, OLD), Slot(BESIDE, RECORD))
    assert placed.held, "callers still get the one before"
    both = facts(placed.active, placed.standby)
    switched = moved(stack, both, BESIDE, support_bot=OLD, support_bot_b=RECORD)
    assert (switched.active, switched.standby, switched.held) == (Slot(BESIDE, RECORD), Slot(BOT, OLD), False)
    assert switched.rollout == "r7"
    after = facts(switched.active, switched.standby)
    assert moved(stack, after, BESIDE, support_bot_b=RECORD).slots == (Slot(BESIDE, RECORD),)
    undone = moved(stack, after, BOT, support_bot=OLD)
    assert (undone.slots, undone.held) == ((Slot(BOT, OLD),), True)


def test_callers_are_not_led_to_what_no_earlier_up_has_proven(stack: Stack):
    for last in (facts(Slot(BOT, OLD)), facts(Slot(BOT, OLD), Slot(BESIDE, RECORD))):
        with pytest.raises(SpecError, match=r"support-bot-b, which does not serve m\.ft-new yet"):
            moved(stack, last, BESIDE, support_bot=OLD, support_bot_b=NEW)


def test_a_promotion_moves_exactly_what_it_names(desk: Desk):
    desk.record("other", {"model": "m.ft-other"})
    stack = desk.load({"hearth:deployments/other": {"model": "other", "sku": {"name": "Standard", "capacity": 1}}})
    told = Promotion(rollout="r7", deployments={BOT: Placed(active=BOT, slots={BOT: NEW})})
    last = {"other": facts(Slot("other", OLD))}
    for named in (True, False):
        found = serving.decide(stack, last, told, named=named)
        assert (found[BOT].active.served, found["other"].active.served) == (NEW, OLD)


@pytest.mark.parametrize(
    ("deployments", "told"),
    [
        ({"chat-bot": Placed(active=BOT, slots={BOT: NEW})}, "moves chat-bot, and dev has no such deployment"),
        ({BOT: Placed(active="bot-2", slots={"bot-2": NEW})}, "its slots are support-bot and support-bot-b"),
    ],
)
def test_a_promotion_that_does_not_fit_the_stack_is_refused(stack: Stack, deployments: dict[str, Placed], told: str):
    with pytest.raises(SpecError, match=told):
        serving.decide(stack, {}, Promotion(rollout="r7", deployments=deployments), named=True)


def test_a_slot_that_is_another_deployments_name_is_refused_in_any_case(desk: Desk):
    desk.record("other", {"model": "m.ft-other"})
    sku = {"name": "Standard", "capacity": 1}
    stack = desk.load({"hearth:deployments/Support-Bot-B": {"model": "other", "sku": sku}})
    told = Promotion(rollout="r7", deployments={BOT: Placed(active=BOT, slots={BOT: OLD, BESIDE: NEW})})
    with pytest.raises(SpecError, match="is a slot of Support-Bot-B too"):
        serving.decide(stack, {}, told, named=True)


def test_outputs_that_tell_no_model_stop_the_up_because_keeping_it_is_what_was_asked(stack: Stack):
    with pytest.raises(HearthError, match="do not tell which model it serves"):
        plain(stack, {"active": BOT}, named=True)


def test_the_wish_of_a_slot_is_about_what_it_serves_and_of_the_rest_as_written(stack: Stack):
    abroad = msgspec.structs.replace(OLD, tenant="33333333-3333-4333-8333-333333333333")
    found = plain(stack, facts(Slot(BESIDE, abroad), Slot(BOT, RECORD)), named=True)
    held, own = (serving.wish_of(found, slot, stack.account_id) for slot in found.slots)
    assert (held.name, held.record.model, held.record_name) == (BESIDE, "m.ft-old", "")
    assert (held.record.source.id, held.record.source.tenant) == (TRAINED_AT, abroad.tenant)
    assert held.sku == own.sku
    assert (own.name, own.record_name) == (BOT, "support-bot")


def test_a_model_of_the_own_account_has_that_account_as_its_source(stack: Stack):
    found = plain(stack, facts(Slot(BOT, Served(model="m.ft-own"))), named=True)
    assert serving.wish_of(found, found.active, stack.account_id).record.source.id == stack.account_id
