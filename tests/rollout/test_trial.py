"""What stands at a stack as a target of a gate."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.errors import SpecError
from infra.rollout.trial import target
from tests.rollout.planning import NEW, OLD, facts

BESIDE = {"name": "support-bot-b", "model": NEW, "version": "1", "source": None}


def outputs(**deployments: dict[str, Any]) -> dict[str, Any]:
    account = {"id": "/subscriptions/s/…/accounts/a", "endpoint": "https://a", "location": "swedencentral"}
    return {"account": account, "deployments": {name.replace("_", "-"): one for name, one in deployments.items()}}


def test_what_serves_is_the_candidate_and_is_compared_with_what_stands_beside_it():
    found = target("prod", outputs(support_bot=facts(standby=BESIDE)))
    (move,) = found.moves
    assert (found.stack, found.account, found.location) == ("prod", "/subscriptions/s/…/accounts/a", "swedencentral")
    assert (move.candidate, move.after.model, move.active) == ("support-bot", OLD, "support-bot-b")
    assert move.before is not None
    assert move.before.model == NEW


def test_what_stands_beside_it_can_be_the_candidate_too():
    (move,) = target("prod", outputs(support_bot=facts(standby=BESIDE)), standby=True).moves
    assert (move.candidate, move.after.model, move.active) == ("support-bot-b", NEW, "support-bot")


def test_one_that_stands_alone_is_compared_with_nothing():
    (move,) = target("prod", outputs(support_bot=facts(active="support-bot-b"))).moves
    assert (move.candidate, move.active) == ("support-bot-b", "support-bot-b")


def test_one_deployment_of_several_can_be_named():
    both = outputs(support_bot=facts(), other=facts(active="other"))
    assert [m.deployment for m in target("prod", both).moves] == ["support-bot", "other"]
    assert [m.deployment for m in target("prod", both, deployment="other").moves] == ["other"]


@pytest.mark.parametrize(
    ("found", "options", "text"),
    [
        (None, {}, "has nothing that is up; pulumi up first"),
        ({"account": {}, "deployments": {}}, {}, "has nothing that is up"),
        (outputs(support_bot=facts()), {"deployment": "other"}, "is no deployment of this stack: it has support-bot"),
        (outputs(support_bot=facts()), {"standby": True}, "nothing stands beside support-bot"),
    ],
)
def test_what_is_not_there_cannot_be_tried(found, options, text):
    with pytest.raises(SpecError, match=re.escape(text)):
        target("prod", found, **options)
