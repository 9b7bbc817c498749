"""One gate, tried at what a stack serves, on the real engine."""

from __future__ import annotations

import json

import pytest

from tests.desk import Desk

ROLLOUT = """\
gates:
  good: {prompts: good.jsonl}
  bad: {prompts: bad.jsonl}
  calm: {metrics: {errors: 1%, leastCalls: 100}}
  ours: {command: [sh, -c, 'echo $HEARTH_TARGET $HEARTH_DEPLOYMENT; exit 0']}
waves:
  - {name: all, targets: local-target, gates: [good, bad, calm, ours]}
"""


@pytest.mark.proof
def test_a_gate_is_tried_at_what_a_stack_serves_and_changes_nothing(both: Desk):
    stacks = both.root / "stacks"
    (stacks / "rollout.yaml").write_text(ROLLOUT)
    (stacks / "good.jsonl").write_text('{"prompt": "hello", "expect": {"contains": "You asked: hello"}}\n')
    (stacks / "bad.jsonl").write_text('{"prompt": "hello", "expect": {"text": "Goodbye."}}\n')
    both.hearth("check")
    both.advance(minutes=5)  # capacity 1 allows for one call in a while

    before = len(both.azure.app.log)
    assert both.hearth("rollout", "gate", "good", "-s", "local-target", "--dry-run") == (
        "local-target: would ask support-bot 1 prompt of good.jsonl\n"
    )
    assert len(both.azure.app.log) == before
    said = both.hearth("rollout", "gate", "good", "--stack", "local-target")
    assert said == "local-target: pass: 1 of 1 prompts passed\n"
    both.advance(minutes=5)
    found = json.loads(both.hearth("rollout", "gate", "bad", "--stack", "local-target", "--json", ok=False))
    assert (both.code, found["outcome"], found["figures"]["passRate"]) == (1, "fail", 0.0)
    assert "fewer than 100" in both.hearth("rollout", "gate", "calm", "-s", "local-target", "--since", "2h", ok=False)
    assert both.code == 3
    assert both.hearth("rollout", "gate", "ours", "-s", "local-target") == (
        "local-target: pass: sh: local-target support-bot\n"
    )
    assert {r.method for r in list(both.azure.app.log)[before:]} <= {"GET", "POST"}

    assert "did you mean" in both.hearth("rollout", "gate", "god", "-s", "local-target", ok=False)
    assert both.code == 2
    assert "nothing stands beside" in both.hearth(
        "rollout", "gate", "good", "-s", "local-target", "--standby", ok=False
    )
    assert "unit" in both.hearth("rollout", "gate", "good", "-s", "local-target", "--since", "2", ok=False)

    (stacks / "bad.jsonl").write_text('{"prompt": "hello"}\n')
    assert "stacks/bad.jsonl has 1 mistake" in both.hearth("check", ok=False)
    assert "line 1, expect" in both.hearth("rollout", "gate", "bad", "-s", "local-target", ok=False)
    assert both.code == 2
