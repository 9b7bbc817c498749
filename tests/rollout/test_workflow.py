"""Rollouts on DBOS and SQLite, with hands that pretend: nothing is lost, whatever dies."""

from __future__ import annotations

from pathlib import Path

from infra.rollout.values import Plan
from tests.rollout.hands import Pretended, serves
from tests.rollout.runs import begin, ended, history, kinds, outcome, process, until
from tests.rollout.simulation import plan, target, wave


def two_waves(**settings: object) -> Plan:
    return plan(
        wave("one", [target("a"), target("b", "beside")], gates=("smoke",)), wave("two", [target("c")]), **settings
    )


def test_a_rollout_runs_to_its_end_and_every_step_is_in_its_record(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, two_waves())
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    assert outcome(kept) == "succeeded"
    assert [serves(tmp_path, stack) for stack in "abc"] == ["new"] * 3
    events = kept.events("r1")
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert kinds(events)[0] == "started"
    assert kinds(events).count("stepStarted") == kinds(events).count("stepDone") == 4
    assert {"gateStarted", "gatePassed", "waveStarted", "waveDone", "ended"} <= set(kinds(events))
    done = next(event for event in events if event.kind == "stepDone" and event.target == "a")
    assert done.data["changes"] == {"update": 1}
    assert done.who
    assert done.data["seconds"] >= 0
