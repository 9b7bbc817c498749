"""Who else was at a stack since the plan saw it: what a rollout may find, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from infra.rollout.foreign import changed_by_others
from infra.rollout.values import Move, Target
from infra.spec.promotion import Served
from tests.rollout.planning import NEW, OLD, TRAINING, changed, facts, standing

MOVE = Move(
    deployment="support-bot", record="support-bot", strategy="beside", before=Served(model=OLD, source=TRAINING.id),
    after=Served(model=NEW, source=TRAINING.id), active="support-bot", candidate="support-bot-b",
)  # fmt: skip
FIRST = Move(
    deployment="support-bot", record="support-bot", strategy="inPlace", before=None, after=Served(model=NEW),
    active="support-bot", candidate="support-bot",
)  # fmt: skip


def target(move: Move = MOVE, rollout: str | None = None) -> Target:
    return Target(stack="prod-swe", account="/a", location="swe", standing="move", moves=(move,), rollout=rollout)


def told(outputs: dict[str, Any] | None, phase: Any = "place", of: Target | None = None) -> str:
    found = None if outputs is None else {"deployments": outputs}
    return changed_by_others(found, "r2", of or target(), phase)


@pytest.mark.parametrize("rollout", [None, "r1"])
def test_what_the_plan_saw_may_be_changed(rollout: str | None):
    assert told({"support-bot": facts(rollout=rollout)}, of=target(rollout=rollout)) == ""


def test_what_the_rollout_has_done_itself_may_stand_in_any_phase():
    mine = {"support-bot": facts(NEW, "support-bot-b", rollout="r2", standby={**standing(OLD), "name": "support-bot"})}
    assert [told(mine, phase) for phase in ("place", "switch", "retire", "undo")] == ["", "", "", ""]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (facts(rollout="r9"), "was changed by rollout r9"),
        (facts(NEW), f"has got another model ({NEW})"),
        (facts(active="support-bot-b"), "was switched to support-bot-b"),
        (facts(standby=standing()), f"has got another standby ({NEW})"),
        ({"active": 1}, "has got outputs that cannot be read"),
    ],
)
def test_what_is_another_than_the_plan_saw_is_named(found: dict[str, Any], why: str):
    assert why in told({"support-bot": found})


def test_a_deployment_that_is_gone_or_was_put_up_meanwhile_is_named():
    assert "is gone" in told({})
    assert "was put up" in told({"support-bot": facts()}, of=target(FIRST))
    assert told(None, of=target(FIRST)) == ""


def test_another_deployment_of_the_stack_in_another_rollout_stops_it_too():
    other = {"support-bot": facts(), "sales-bot": facts(rollout="r9")}
    assert "sales-bot was changed by rollout r9" in told(other)
    assert told(other, of=target(rollout="r9")) == "", "the plan saw it"


@pytest.mark.parametrize("phase", ["switch", "retire"])
def test_later_phases_go_on_from_what_the_rollout_left_alone(phase: str):
    assert "no longer as this rollout left it" in told({"support-bot": facts()}, phase)


def test_a_plain_up_may_be_done_again_though_it_leaves_no_mark_of_the_rollout():
    plain = changed(target(FIRST), plain=True)
    assert told({"support-bot": facts(NEW)}, of=plain) == "", "the run before it was killed once it was up"
    assert "rollout r3" in told({"support-bot": facts(NEW, rollout="r3")}, of=plain)
