"""The order of a rollout, told by a virtual clock; and simulated rollouts with everything that goes wrong."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from infra.rollout.schedule import Machine
from infra.rollout.state import Ask, Job, Report, State
from infra.rollout.values import Plan
from tests.rollout.planning import changed
from tests.rollout.simulation import World, plan, target, thrown, wave

QUICK = range(40)


def machine_of(wanted: Plan) -> Machine:
    return Machine(wanted, State.new(wanted))


def done(machine: Machine, jobs: list[Job]) -> None:
    for job in jobs:
        machine.report(Report(job.id, "done"))


def fail(machine: Machine, job: Job, at: int = 0, outcome: str = "failed") -> None:
    machine.report(Report(job.id, outcome, at, "the reason"))  # type: ignore[arg-type]


def names(jobs: list[Job]) -> list[str | None]:
    return [job.target for job in jobs]


@pytest.mark.parametrize("seed", QUICK)
def test_a_rollout_keeps_its_rules_whatever_fails_and_whenever_it_crashes(seed: int) -> None:
    thrown(seed, targets=60, waves=4).run()


def test_a_rollout_of_two_hundred_without_a_failure_changes_them_all() -> None:
    members = [[target(f"t{w}-{i}") for i in range(25)] for w in range(8)]
    world = World(plan(*[wave(f"w{w}", m, concurrency=20) for w, m in enumerate(members)]), random.Random(1), 0.0, 0.0)  # noqa: S311
    end = world.run()
    assert end.state.outcome == "succeeded"
    assert Counter(world.model.values()) == {"new": 200}


def test_no_more_at_once_than_the_wave_allows() -> None:
    machine = machine_of(plan(wave("w", [target(c) for c in "abcde"], concurrency=2)))
    first = machine.due(0)
    assert names(first) == ["a", "b"]
    assert machine.due(1) == []
    done(machine, first[:1])
    assert names(machine.due(2)) == ["c"]


def test_soft_tolerance_lets_those_in_flight_finish_and_starts_nothing_new() -> None:
    machine = machine_of(plan(wave("w", [target(c) for c in "abcd"], concurrency=3, tolerance=0)))
    first = machine.due(0)
    fail(machine, first[0])
    assert machine.due(1) == [], "one failure uses up a tolerance of none"
    done(machine, first[1:])
    undone = machine.due(2)
    assert {job.kind for job in undone} == {"undo"}
    assert names(undone) == ["a", "b", "c"], "d was never begun"
    done(machine, undone)
    machine.due(3)
    assert machine.state.outcome == "rolledBack"
    assert "not tried because of a" in machine.state.spots["d"].reason


def test_strict_tolerance_never_has_more_at_once_than_may_still_fail_and_one() -> None:
    machine = machine_of(plan(wave("w", [target(c) for c in "abcdef"], concurrency=6, tolerance=2, strict=True)))
    first = machine.due(0)
    assert names(first) == ["a", "b", "c"]
    fail(machine, first[0])
    started = machine.due(1)
    assert [job.kind for job in started] == ["undo"], "two may run: two do; the failed one is undone meanwhile"


def test_a_tolerated_failure_is_undone_and_the_rollout_goes_on() -> None:
    machine = machine_of(plan(wave("w", [target("a"), target("b")], tolerance=1), wave("x", [target("c")])))
    first = machine.due(0)
    fail(machine, first[0])
    done(machine, first[1:])
    undo = machine.due(1)
    assert [(job.kind, job.target) for job in undo] == [("undo", "a")]
    done(machine, undo)
    assert names(machine.due(2)) == ["c"], "the next wave waits for the undo, then starts"
    assert machine.state.spots["a"].status == "undone"


def test_a_failed_gate_comes_from_the_change_and_beside_switches_only_after_it() -> None:
    machine = machine_of(plan(wave("w", [target("a", "beside")], gates=("smoke", "watch"), bake=60.0)))
    job = machine.due(0)[0]
    assert [str(step) for step in job.steps] == ["place", "gate smoke", "switch"]
    fail(machine, job, at=1)
    assert [str(step) for j in machine.due(1) for step in j.steps] == ["undo"]


def test_the_bake_is_under_watch_every_few_minutes_and_at_its_end() -> None:
    machine = machine_of(plan(wave("w", [target("a")], gates=("watch",), bake=700.0), wave("x", [target("b")])))
    done(machine, machine.due(0))
    assert machine.due(0) == []
    looks = []
    for now in (100.0, 300.0, 450.0, 600.0, 650.0):
        jobs = machine.due(now)
        looks += [now for _ in jobs]
        assert all(job.kind == "watch" and job.since == 0.0 for job in jobs)
        done(machine, jobs)
        machine.due(now)
    assert looks == [300.0, 600.0]
    assert machine.wake(650.0) == 700.0
    last = machine.due(700.0)
    assert names(last) == ["a"], "the look that begins at the end decides"
    done(machine, last)
    assert names(machine.due(701.0)) == ["b"]


def test_a_look_without_an_answer_counts_only_at_the_end_of_the_bake() -> None:
    machine = machine_of(plan(wave("w", [target("a")], gates=("watch",), bake=400.0)))
    done(machine, machine.due(0))
    machine.due(0)
    fail(machine, machine.due(300)[0], outcome="inconclusive")
    machine.due(301)
    assert machine.state.paused is None, "too few calls five minutes after a change are no news"
    fail(machine, machine.due(400)[0], outcome="inconclusive")
    machine.due(401)
    assert machine.state.paused is not None
    machine.ask(Ask("resume", "ann"))
    assert names(machine.due(402)) == ["a"], "the same gate is asked again"


def test_a_day_asleep_in_a_bake_ends_it_with_one_last_look() -> None:
    machine = machine_of(plan(wave("w", [target("a")], gates=("watch",), bake=3600.0)))
    done(machine, machine.due(0))
    machine.due(0)
    done(machine, machine.due(86400.0))
    machine.due(86401.0)
    assert machine.state.outcome == "succeeded"


def test_metrics_beyond_tolerance_in_the_bake_roll_the_wave_back() -> None:
    machine = machine_of(plan(wave("w", [target("a"), target("b")], gates=("watch",), bake=300.0)))
    done(machine, machine.due(0))
    machine.due(0)
    looks = machine.due(300.0)
    fail(machine, looks[0])
    done(machine, looks[1:])
    undo = machine.due(301.0)
    assert sorted(names(undo)) == ["a", "b"]  # type: ignore[type-var]
    done(machine, undo)
    machine.due(302.0)
    assert machine.state.outcome == "rolledBack"


def test_rollback_of_all_goes_from_the_last_wave_to_the_first() -> None:
    waves = [wave(n, [target(n)], on_failure="rollbackAll") for n in "abc"]
    machine = machine_of(plan(*waves))
    done(machine, machine.due(0))
    fail(machine, machine.due(1)[0])
    order = []
    for now in (2.0, 3.0, 4.0):
        jobs = machine.due(now)
        order += names(jobs)
        done(machine, jobs)
    machine.due(5.0)
    assert order == ["b", "a"]
    assert machine.state.spots["c"].status == "notTried"
    assert machine.state.outcome == "rolledBack"


def test_an_undo_that_fails_does_not_keep_the_others_from_theirs() -> None:
    machine = machine_of(plan(wave("w", [target("a"), target("b")])))
    first = machine.due(0)
    fail(machine, first[0])
    done(machine, first[1:])
    undo = machine.due(1)
    fail(machine, undo[0])
    done(machine, undo[1:])
    machine.due(2)
    assert machine.state.outcome == "rollbackFailed"
    assert [machine.state.spots[c].status for c in "ab"] == ["undoFailed", "undone"]
    machine.ask(Ask("rollbackWave", "ann"))
    again = machine.due(3)
    assert names(again) == ["a"], "asked again, what could not be undone is tried again"


def test_an_undo_that_failed_is_tried_again_on_a_resume_though_its_wave_is_left() -> None:
    machine = machine_of(plan(*[wave(n, [target(n)], on_failure="rollbackAll") for n in "abc"]))
    done(machine, machine.due(0))
    done(machine, machine.due(1))
    fail(machine, machine.due(2)[0])
    fail(machine, machine.due(3)[0], outcome="failed")
    fail(machine, machine.due(4)[0], outcome="halted")
    assert machine.due(5) == []
    machine.ask(Ask("resume", "ann"))
    order = []
    for now in (6.0, 7.0, 8.0):
        jobs = machine.due(now)
        order += names(jobs)
        done(machine, jobs)
    machine.due(9.0)
    assert (order, machine.state.outcome) == (["c", "b", "a"], "rolledBack")


def test_where_failure_pauses_a_resume_tries_what_failed_again() -> None:
    machine = machine_of(plan(wave("w", [target("a"), target("b")], concurrency=1, on_failure="pause")))
    fail(machine, machine.due(0)[0])
    assert machine.due(1) == []
    assert machine.state.paused is not None
    assert "a failed" in machine.state.paused
    machine.ask(Ask("resume", "ann"))
    done(machine, machine.due(2))
    done(machine, machine.due(3))
    machine.due(4)
    assert machine.state.outcome == "succeeded"


@pytest.mark.parametrize("outcome", ["inconclusive", "foreign", "halted"])
def test_what_nobody_can_decide_pauses_and_goes_on_from_the_same_step(outcome: str) -> None:
    machine = machine_of(plan(wave("w", [target("a", "beside")], gates=("smoke",))))
    fail(machine, machine.due(0)[0], at=1, outcome=outcome)
    assert machine.due(1) == []
    assert machine.state.paused == "a: gate smoke: the reason"
    machine.ask(Ask("resume", "ann"))
    assert [str(step) for step in machine.due(2)[0].steps] == ["gate smoke", "switch"]


def test_a_wave_waits_for_the_yes_of_one_who_may_give_it() -> None:
    machine = machine_of(plan(wave("w", [target("a")], approval=("ann",))))
    assert machine.due(0) == []
    machine.ask(Ask("approve", "mallory"))
    assert machine.due(1) == [], "mallory may not"
    machine.ask(Ask("approve", "ann", "looks good"))
    assert names(machine.due(2)) == ["a"]
    assert [(n.kind, n.who) for n in machine.notes() if n.kind == "approved"] == [("approved", "ann")]


def test_a_no_ends_the_wave_before_anything_changed() -> None:
    machine = machine_of(plan(wave("w", [target("a")], approval=())))
    machine.due(0)
    machine.ask(Ask("deny", "ann"))
    assert machine.due(1) == []
    assert machine.state.outcome == "failed"


def test_a_question_that_nobody_answers_pauses_and_is_asked_again_on_resume() -> None:
    machine = machine_of(plan(wave("w", [target("a")], approval=()), approval_limit=100.0))
    machine.due(0)
    assert machine.wake(0) == 100.0
    machine.due(100.0)
    assert machine.state.paused is not None
    machine.ask(Ask("resume", "ann"))
    machine.due(200.0)
    assert machine.open_questions() == {"": ()}
    assert machine.wake(200.0) == 300.0


def test_an_approval_gate_holds_the_bake_open() -> None:
    machine = machine_of(plan(wave("w", [target("a")], gates=("go",), bake=10.0), wave("x", [target("b")])))
    done(machine, machine.due(0))
    machine.due(0)
    assert machine.due(11.0) == []
    machine.ask(Ask("approve", "bob", gate="go"))
    assert names(machine.due(12.0)) == ["b"]


def test_abort_lets_what_runs_come_to_a_step_and_leaves_what_stands() -> None:
    machine = machine_of(plan(wave("w", [target("a"), target("b")], concurrency=1)))
    first = machine.due(0)
    machine.ask(Ask("abort", "ann"))
    assert machine.due(1) == []
    assert machine.halting
    done(machine, first)
    machine.due(2)
    assert machine.state.outcome == "aborted"
    assert machine.state.spots["a"].status == "passed"


def test_a_rollback_of_what_succeeded_undoes_it_in_the_same_record() -> None:
    machine = machine_of(plan(wave("w", [target("a")]), wave("x", [target("b")])))
    for now in range(4):
        done(machine, machine.due(now))
    assert machine.state.outcome == "succeeded"
    machine.ask(Ask("rollbackAll", "ann"))
    undone = []
    for now in range(5, 9):
        jobs = machine.due(now)
        undone += names(jobs)
        done(machine, jobs)
    assert undone == ["b", "a"]
    assert machine.state.outcome == "rolledBack"


def test_a_rollback_asked_in_mid_change_waits_for_the_engines() -> None:
    machine = machine_of(plan(wave("w", [target("a", "beside"), target("b")], concurrency=1)))
    first = machine.due(0)
    machine.ask(Ask("rollbackWave", "ann"))
    assert machine.due(1) == [], "never two engines at one stack"
    fail(machine, first[0], at=1, outcome="stopped")
    assert [(job.kind, job.target) for job in machine.due(2)] == [("undo", "a")]


def test_a_target_that_was_stopped_before_its_first_step_needs_no_undo() -> None:
    machine = machine_of(plan(wave("w", [target("a")])))
    first = machine.due(0)
    machine.ask(Ask("rollbackWave", "ann"))
    fail(machine, first[0], at=0, outcome="stopped")
    assert machine.due(1) == []
    assert machine.state.outcome == "rolledBack"


def test_hooks_stand_around_a_wave_and_their_failure_ends_it() -> None:
    machine = machine_of(plan(wave("w", [target("a")]), hooks=("before", "after")))
    before = machine.due(0)
    assert [str(step) for job in before for step in job.steps] == ["the commands before the wave"]
    done(machine, before)
    done(machine, machine.due(1))
    after = machine.due(2)
    fail(machine, after[0])
    assert names(machine.due(3)) == ["a"], "rolled back"


def test_what_is_up_to_date_is_neither_touched_nor_asked_for() -> None:
    machine = machine_of(plan(wave("w", [target("a", standing="upToDate")], approval=(), bake=3600.0)))
    assert machine.due(0) == []
    assert machine.state.outcome == "succeeded"


def test_of_what_moves_no_model_only_ready_is_asked_and_its_wave_bakes() -> None:
    updated, gates = target("a", standing="update"), ("smoke", "ready", "watch")
    wanted = plan(wave("w", [updated], gates=gates, bake=60.0), wave("x", [target("b")]))
    machine = machine_of(changed(wanted, gates={**wanted.gates, "ready": "ready"}))
    (job,) = machine.due(0)
    assert [str(step) for step in job.steps] == ["place", "gate ready"], "what is compared and measured is a model"
    done(machine, [job])
    assert machine.due(0) == []
    assert machine.due(59.0) == []
    assert names(machine.due(60.0)) == ["b"]


def test_a_rollback_says_of_what_stays_that_it_stays() -> None:
    moved = changed(target("a"), wish="d1635f")
    machine = machine_of(plan(wave("w", [moved, target("b", standing="update"), target("c")], concurrency=3)))
    first = machine.due(0)
    fail(machine, first[2])
    done(machine, first[:2])
    undo = machine.due(1)
    assert names(undo) == ["a", "c"], "what no rollout moved, none moves back"
    done(machine, undo)
    machine.due(2)
    assert machine.state.outcome == "rolledBack"
    assert [(n.target, n.text.partition(":")[0]) for n in machine.notes() if n.kind == "note"] == [
        ("a", "its models alone are undone"),
        ("b", "nothing is undone"),
    ]


def test_others_that_fail_end_the_rollout_and_nothing_is_undone() -> None:
    others = [target(name, standing="update", plain=True) for name in "bc"]
    machine = machine_of(plan(wave("w", [target("a")]), wave("others", others, concurrency=1)))
    done(machine, machine.due(0))
    fail(machine, machine.due(1)[0])
    assert machine.due(2) == []
    assert (machine.state.outcome, machine.state.spots["a"].status) == ("failed", "passed")
    assert machine.state.spots["c"].reason == "not tried because of b"


def test_a_report_of_nobodys_job_changes_nothing() -> None:
    machine = machine_of(plan(wave("w", [target("a")])))
    job = machine.due(0)[0]
    done(machine, [job])
    fail(machine, job)
    machine.due(1)
    assert machine.state.outcome == "succeeded"
