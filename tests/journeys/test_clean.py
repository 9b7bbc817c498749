"""Evaluating and cleaning up beside stacks that are up, on the real engine."""

from __future__ import annotations

import json

from tests.desk import TRAIN_ACCOUNT, Desk


def test_what_the_stacks_are_up_for_stays_and_what_nobody_wants_is_told(both: Desk):
    idle = both.tune("e")
    both.switch(idle_days=3650.0)
    both.advance(days=33)
    found = json.loads(both.hearth("clean", "--json"))["accounts"]
    (account,) = [one for one in found if TRAIN_ACCOUNT.endswith(one["account"])]
    does = {(item["kind"], item["id"]): (item["do"], item["why"]) for item in account["items"]}
    assert does.pop(("model", idle))[0] == "click"
    assert {do for do, _ in does.values()} == {"keep"}, does
    assert account["unread"] == []
    before = len(list(both.azure.world.deployments))
    assert "0 deleted" in both.hearth("clean", "--yes")
    assert len(list(both.azure.world.deployments)) == before


def test_a_recorded_model_is_evaluated_in_its_own_account_and_nothing_of_it_stays_but_the_record(both: Desk):
    (both.root / "smoke.jsonl").write_text('{"prompt": "hello", "expect": {"contains": "You asked: hello"}}\n')
    deployments = {d.id for d in both.azure.world.deployments}
    both.hearth("models", "evaluate", "support-bot", "--prompts", "smoke.jsonl")
    text = both.record_file("support-bot").read_text()
    assert "passRate: 1.0" in text
    assert text.startswith("# yaml-language-server")
    assert {d.id for d in both.azure.world.deployments} == deployments
    both.hearth("check")
