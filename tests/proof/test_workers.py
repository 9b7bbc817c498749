"""Rollouts by several workers on PostgreSQL: killed, restarted, taken over, and a database that goes away."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.rollout.history import History, url_of
from infra.rollout.values import Plan
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


def done(folder: Path) -> int:
    return sum(kind == "end" for kind, *_ in log(folder))


def test_three_workers_bring_it_to_its_end_whoever_dies_and_though_the_database_restarts(
    server: Server, kept: History, tmp_path: Path
) -> None:
    begin(kept, fleet())
    given = {"database": str(kept.url), "seconds": 0.4}
    with ExitStack() as living:
        workers = {name: living.enter_context(child(tmp_path, name=name, **given)) for name in ("w1", "w2", "w3")}
        until(lambda: done(tmp_path) >= 4)
        kill(workers["w2"])
        workers["w2"] = living.enter_context(child(tmp_path, name="w2", **given))  # as its supervisor does
        until(lambda: done(tmp_path) >= 16)
        server.stop()
        time.sleep(2)
        server.start()
        until(lambda: done(tmp_path) >= 28)
        kill(workers["w3"])  # and its machine never comes back
        living.enter_context(child(tmp_path, name="w4", take_over=["w3"], **given))
        until(ended(kept), 180)
        told = [one for one in workers.values() if one.poll() is None]
        for one in told:
            one.terminate()
        assert [one.wait(30) for one in told] == [0] * len(told)
    assert outcome(kept) == "succeeded"
    made = fleet()
    assert {serves(tmp_path, t.stack) for w in made.waves for t in w.targets} == {"new"}
    events = kept.events("r1")
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    whole = Counter(event.target for event in events if event.kind == "stepDone")
    assert set(whole) == {t.stack for w in made.waves for t in w.targets}
    again = {t: n for t, n in whole.items() if n > 1}
    # The database may go between a step's line in the trail and DBOS's own: then it is done, and told, once more.
    assert len(again) <= AT_ONCE, again
    assert len({pid for *_, pid in log(tmp_path)}) >= 4
    _require_never_too_many(tmp_path)


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
