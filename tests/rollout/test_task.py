"""What is recorded of a job: every end once, by whoever has it now."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.rollout.history import History, Superseded
from infra.rollout.state import Job, Report, Step
from infra.rollout.task import Task
from tests.rollout.runs import begin, history, kinds
from tests.rollout.simulation import plan, target, wave

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job("a:change:1", "change", "one", (Step(phase="place"), Step(gate="smoke"), Step(phase="switch")), "a")
DONE = Report(JOB.id, "done")


@pytest.fixture
def kept(tmp_path: Path) -> History:
    made = history(tmp_path)
    begin(made, plan(wave("one", [target("a", "beside")], gates=("smoke",))))
    return made


def taken(kept: History) -> Task:
    task = Task(kept, "r1", JOB, "w1")
    task.begin(NOW)
    return task


def test_a_job_that_is_taken_over_goes_on_where_it_was_and_the_first_one_can_write_no_more(kept: History):
    first = taken(kept)
    first.ended(DONE, "", {}, NOW, on=True)
    second = taken(kept)
    assert second.at == 1
    with pytest.raises(Superseded):
        first.ended(DONE, "", {}, NOW, on=True)
    second.ended(DONE, "", {}, NOW, on=True)
    second.ended(DONE, "", {}, NOW, on=True)
    assert second.report == DONE
    assert taken(kept).report == DONE, "done: whoever takes it has nothing to do"
    ends = [kind for kind in kinds(kept.events("r1")) if kind in ("stepDone", "gatePassed")]
    assert ends == ["stepDone", "gatePassed", "stepDone"]


def test_what_was_written_just_before_the_connection_was_lost_is_written_once(kept: History):
    task = taken(kept)
    task.ended(DONE, "", {}, NOW, on=True)
    task.at = 0  # it never heard that it was written
    assert task.ended(DONE, "", {}, NOW, on=True) == []
    assert task.at == 1
    assert kinds(kept.events("r1")).count("stepDone") == 1


def test_what_could_not_be_written_is_written_by_the_next_try(kept: History, monkeypatch: pytest.MonkeyPatch):
    task = taken(kept)
    with monkeypatch.context() as broken:
        broken.setattr("infra.rollout.task.add_lines", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            task.ended(DONE, "", {}, NOW, on=True)
    assert task.at == 0
    assert kinds(task.ended(DONE, "", {}, NOW, on=True)) == ["stepDone", "gateStarted"]


def test_a_change_stops_between_two_steps_once_the_run_halts_and_an_undo_does_not(kept: History):
    run = kept.run("r1")
    assert run is not None
    task = taken(kept)
    kept.save(run, [], outcome=None, halting=True, ended=False, then=None, enqueue=lambda *_: None)
    task.ended(DONE, "", {}, NOW, on=True)
    assert task.report == Report(JOB.id, "stopped", 1, "told to stop")
    undo = Task(kept, "r1", Job("a:undo:2", "undo", "one", (Step(phase="undo"),), "a"), "w1")
    assert kinds(undo.begin(NOW)) == ["stepStarted"]
