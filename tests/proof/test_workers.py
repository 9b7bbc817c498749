"""Rollouts by several workers on PostgreSQL: killed, restarted, taken over, and a database that goes away."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from infra.rollout.history import History, Superseded, add_lines, url_of
from infra.rollout.state import Job, Report, Step
from infra.rollout.task import Task
from infra.rollout.values import Event, Plan
from tests.proof import postgres
from tests.proof.postgres import Server
from tests.rollout.child import child, kill
from tests.rollout.hands import log, serves
from tests.rollout.runs import ask, begin, ended, outcome, until
from tests.rollout.simulation import plan, target, wave

pytestmark = pytest.mark.proof
AT_ONCE = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with postgres.running(tmp_path / "postgres") as made:
        yield made


@pytest.fixture
def kept(server: Server, tmp_path: Path) -> Iterator[History]:
    made = History(url_of(tmp_path, {"HEARTH_DATABASE_URL": server.url}))
    yield made
    made.close()


def fleet(targets: int = 24, waves: int = 3, **settings: object) -> Plan:
    size = targets // waves
    return plan(
        *(
            wave(f"w{n}", [target(f"t{n}{i}") for i in range(size)], concurrency=AT_ONCE, gates=("smoke",), **settings)
            for n in range(waves)
        )
    )


def under_way(folder: Path, worker: subprocess.Popen[str]) -> list[str]:
    """The steps that a worker has begun and not ended."""
    left: Counter[str] = Counter()
    for kind, what, _, pid in log(folder):
        if pid == worker.pid:
            left[what] += 1 if kind == "begin" else -1
    return [what for what, count in left.items() if count]


def killed_in_mid_step(folder: Path, worker: subprocess.Popen[str]) -> list[str]:
    """Kill it while it is at something; at what it was."""
    until(lambda: under_way(folder, worker))
    kill(worker)
    left = under_way(folder, worker)
    assert left, "it had come to its end just then"
    return left


def ends_of(folder: Path, what: str) -> list[int]:
    """The processes that brought a step to its end."""
    return [pid for kind, of, _, pid in log(folder) if (kind, of) == ("end", what)]


def test_three_workers_bring_it_to_its_end_whoever_dies_and_though_the_database_restarts(
    server: Server, kept: History, tmp_path: Path
) -> None:
    begin(kept, fleet())
    given = {"database": str(kept.url), "seconds": 0.4, "at_once": AT_ONCE // 3}
    with ExitStack() as living:
        workers = {name: living.enter_context(child(tmp_path, name=name, **given)) for name in ("w1", "w2", "w3")}
        for worker in workers.values():  # the work spreads over the machines
            until(lambda worker=worker: under_way(tmp_path, worker))  # type: ignore[misc]
        left = dict.fromkeys(killed_in_mid_step(tmp_path, workers["w2"]), workers["w2"].pid)
        workers["w2"] = living.enter_context(child(tmp_path, name="w2", **given))  # as its supervisor does
        until(lambda: all(ends_of(tmp_path, what) for what in left))
        server.stop()
        time.sleep(2)
        server.start()
        lost = killed_in_mid_step(tmp_path, workers["w3"])  # and its machine never comes back
        left |= dict.fromkeys(lost, workers["w3"].pid)
        time.sleep(2)  # the others do what is theirs, unless it was the one that conducts
        assert not any(ends_of(tmp_path, what) for what in lost), "nobody does it while it is not taken over"
        workers["w4"] = living.enter_context(child(tmp_path, name="w4", take_over=["w3"], **given))
        until(ended(kept), 180)
        told = [one for one in workers.values() if one.poll() is None]
        for one in told:
            one.terminate()
        assert [one.wait(30) for one in told] == [0] * len(told)
    assert outcome(kept) == "succeeded"
    made = fleet()
    stacks = {t.stack for w in made.waves for t in w.targets}
    assert {serves(tmp_path, stack) for stack in stacks} == {"new"}
    for what, dead in left.items():  # whoever of the living had room for it
        assert len(ends_of(tmp_path, what)) == 1
        assert ends_of(tmp_path, what) != [dead]
    events = kept.events("r1")
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert Counter(event.target for event in events if event.kind == "stepDone") == dict.fromkeys(stacks, 1)
    _require_never_too_many(tmp_path)


def test_what_a_machine_that_never_comes_back_was_at_is_finished_by_the_one_that_takes_it_over(
    kept: History, tmp_path: Path
) -> None:
    begin(kept, fleet(targets=AT_ONCE, waves=1))
    given = {"database": str(kept.url), "seconds": 0.4, "at_once": AT_ONCE}
    with child(tmp_path, name="w1", **given) as first:
        left = killed_in_mid_step(tmp_path, first)  # and it had taken them all, and conducted
        with child(tmp_path, name="w2", **given) as other:
            _at_work(other)
            time.sleep(2)
            assert not under_way(tmp_path, other)
            kill(other)
        with child(tmp_path, name="w3", take_over=["w1"], **given) as heir:
            until(ended(kept))
            assert {pid for what in left for pid in ends_of(tmp_path, what)} == {heir.pid}
    assert outcome(kept) == "succeeded"


def test_a_worker_that_is_told_to_stop_leaves_the_queue_to_the_others(kept: History, tmp_path: Path) -> None:
    """While it finishes its longest step it takes nothing more, with which it would do nothing."""
    begin(kept, plan(wave("one", stacks := [target(f"t{n}") for n in range(16)], concurrency=16)))
    given, late = {"database": str(kept.url), "at_once": 2}, [f"{stack.stack}:place" for stack in stacks[1::2]]
    with child(tmp_path, name="w1", seconds=1.0, **given) as stays:  # it conducts
        until(lambda: under_way(tmp_path, stays))
        with child(tmp_path, name="w2", seconds=0.5, late=late, **given) as goes:
            until(lambda: any(what in late for what in under_way(tmp_path, goes)))
            goes.terminate()
            assert goes.wait(30) == 0
        until(ended(kept), 60)
    assert outcome(kept) == "succeeded"


def test_of_two_that_begin_a_job_at_once_the_later_one_has_it(kept: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was thought dead may be at its beginning just then."""
    begin(kept, plan(wave("one", [target("a")])))
    first, both_in = threading.Event(), threading.Barrier(2)

    def slow(connection: Connection, lines: list[Event]) -> list[Event]:
        if not first.is_set():
            first.set()
            time.sleep(1)
        return add_lines(connection, lines)

    def go(task: Task) -> None:
        both_in.wait()
        task.begin(datetime.now(UTC))

    monkeypatch.setattr("infra.rollout.task.add_lines", slow)
    job = Job("a:change:1", "change", "one", (Step(phase="place"),), "a")
    tasks = [Task(kept, "r1", job, name) for name in ("w1", "w2")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(go, tasks))
    ends = 0
    for task in tasks:
        with suppress(Superseded):
            ends += bool(task.ended(Report(job.id, "done"), "", {}, datetime.now(UTC), on=True))
    assert ends == 1


def _require_never_too_many(folder: Path) -> None:
    """Never more steps at once than the wave allows; those of killed processes end with them."""
    last = {pid: at for _, _, at, pid in log(folder)}
    spans = []
    begun: dict[tuple[str, int], float] = {}
    for kind, what, at, pid in log(folder):
        if kind == "begin":
            begun[what, pid] = at
        else:
            spans.append((begun.pop((what, pid)), at))
    spans += [(at, last[pid]) for (_, pid), at in begun.items()]
    for start, _ in spans:
        assert sum(a <= start < b for a, b in spans) <= AT_ONCE


def test_a_worker_whose_name_is_in_use_is_refused_and_so_is_taking_over_from_a_living_one(
    kept: History, tmp_path: Path
) -> None:
    kept.make_tables()
    given = {"database": str(kept.url)}
    with child(tmp_path, name="w1", **given) as living:
        _at_work(living)
        for wrong in ({"name": "w1"}, {"name": "w2", "take_over": ["w1"]}):
            with child(tmp_path, **wrong, **given) as refused:
                said = refused.communicate(timeout=60)[0]
            assert refused.returncode == 3, said
            assert "The worker's name w1 is in use by process" in said
        assert living.poll() is None


def test_a_yes_and_an_abort_given_while_no_worker_lives_are_found_by_the_next_one(
    kept: History, tmp_path: Path
) -> None:
    begin(kept, fleet(targets=6, approval=("ann",)))
    given = {"database": str(kept.url), "seconds": 0.1, "name": "w1"}
    with child(tmp_path, **given):
        until(lambda: any(event.kind == "approvalAsked" for event in kept.events("r1")))
    ask(kept, "approve", who="ann")
    with child(tmp_path, **given):
        until(lambda: sum(event.kind == "approvalAsked" for event in kept.events("r1")) == 2)
    ask(kept, "abort", who="ann")
    with child(tmp_path, **given):
        until(ended(kept))
    assert outcome(kept) == "aborted"


def _at_work(worker: subprocess.Popen[str]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        if "is at work" in line:
            return
    pytest.fail("it did not begin")
