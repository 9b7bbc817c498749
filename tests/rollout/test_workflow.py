"""Rollouts on DBOS and SQLite, with hands that pretend: nothing is lost, whatever dies."""

from __future__ import annotations

import base64
import pickle
import random
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import LoginFailed, Refused
from infra.rollout import asking, durable
from infra.rollout.durable import Json, PickleRefused
from infra.rollout.held import Name, NameTaken
from infra.rollout.state import Ask
from infra.rollout.values import Phase, Plan, StepResult, Target
from tests.rollout.child import child, kill
from tests.rollout.hands import Pretended, begun, log, serves
from tests.rollout.runs import ask, begin, ended, history, kinds, outcome, process, until
from tests.rollout.simulation import plan, random_plan, target, wave


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


def test_a_process_killed_in_the_middle_of_a_step_is_followed_by_one_that_does_only_what_is_left(
    tmp_path: Path,
) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a")]), wave("two", [target("b"), target("c")])))
    with child(tmp_path, seconds=0.8) as first:
        until(lambda: begun(tmp_path, "b:place"))
        kill(first)
    assert outcome(kept) == "running"
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    assert outcome(kept) == "succeeded"
    assert [serves(tmp_path, stack) for stack in "abc"] == ["new"] * 3
    assert begun(tmp_path, "a:place") == 1  # what was recorded as done is never done again
    assert begun(tmp_path, "b:place") == 2
    assert kinds(kept.events("r1")).count("waveDone") == 2


def test_a_process_that_is_told_to_stop_finishes_its_steps_and_the_next_one_goes_on(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a", "beside")])))
    with process(kept, Pretended(tmp_path, seconds=0.3)) as first:
        until(lambda: begun(tmp_path, "a:place"))
        assert first.stop(wait=10)
    assert [what for _, what, *_ in log(tmp_path)] == ["a:place", "a:place"]  # begun and ended; no second step
    assert kept.events("r1")[-1].kind == "stepDone"
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    assert begun(tmp_path, "a:place") == 1
    assert outcome(kept) == "succeeded"


def test_engines_that_are_stopped_have_not_failed_their_targets(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a")])))
    with process(kept, Pretended(tmp_path, seconds=30.0)) as first:
        until(lambda: begun(tmp_path, "a:place"))
        first.stop_engines(hard=False)
        assert first.stop(wait=10)
    assert "stepFailed" not in kinds(kept.events("r1"))
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    assert outcome(kept) == "succeeded"


def test_pause_keeps_what_is_not_begun_and_resume_goes_on(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a"), target("b")], concurrency=1)))
    ask(kept, "pause", who="bob", comment="lunch")
    with process(kept, Pretended(tmp_path)):
        until(lambda: outcome(kept) == "paused")
        assert not log(tmp_path)
        ask(kept, "resume")
        until(ended(kept))
    assert outcome(kept) == "succeeded"
    paused = next(event for event in kept.events("r1") if event.kind == "paused")
    assert (paused.who, paused.text) == ("bob", "asked by bob: lunch")


def test_an_abort_ends_between_two_steps_and_undoes_nothing(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a", "beside")]), wave("two", [target("b")])))
    with process(kept, Pretended(tmp_path, seconds=0.3)):
        until(lambda: begun(tmp_path, "a:place"))
        ask(kept, "abort", who="bob")
        until(ended(kept))
    assert outcome(kept) == "aborted"
    assert serves(tmp_path, "a") == "between"
    assert not begun(tmp_path, "a:switch")
    assert not begun(tmp_path, "b:place")


def test_a_gate_that_fails_undoes_its_wave_and_leaves_the_next_alone(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a"), target("b")], gates=("smoke",)), wave("two", [target("c")])))
    with process(kept, Pretended(tmp_path, fails=frozenset({"b:smoke"}))):
        until(ended(kept))
    assert outcome(kept) == "rolledBack"
    assert [serves(tmp_path, stack) for stack in "abc"] == ["old"] * 3
    assert not begun(tmp_path, "c:place")


def test_a_yes_given_while_nobody_executes_is_found_by_the_next_process(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a")], approval=("bob",))))
    with process(kept, Pretended(tmp_path)):
        until(lambda: "approvalAsked" in kinds(kept.events("r1")))
    ask(kept, "approve", who="eve")  # nobody who may
    ask(kept, "approve", who="bob", comment="looks good")
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    yes = next(event for event in kept.events("r1") if event.kind == "approved")
    assert (yes.who, yes.text) == ("bob", "looks good")
    assert outcome(kept) == "succeeded"


def test_a_gate_that_cannot_tell_pauses_and_a_resume_asks_it_again(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a")], gates=("smoke",))))
    with process(kept, Pretended(tmp_path, unclear=frozenset({"a:smoke"}))):
        until(lambda: outcome(kept) == "paused")
        (tmp_path / "a:smoke.clear").touch()
        ask(kept, "resume")
        until(ended(kept))
    assert outcome(kept) == "succeeded"
    assert begun(tmp_path, "a:place") == 1


def test_a_login_that_expires_pauses_the_rollout_and_a_resume_goes_on(tmp_path: Path) -> None:
    class Expiring(Pretended):
        def step(self, rollout: str, target: Target, phase: Phase) -> StepResult:
            if not (self.folder / "fresh").exists():
                raise LoginFailed("the login has expired; az login")
            return super().step(rollout, target, phase)

    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a")])))
    with process(kept, Expiring(tmp_path)):
        until(lambda: outcome(kept) == "paused")
        (tmp_path / "fresh").touch()
        ask(kept, "resume")
        until(ended(kept))
    assert outcome(kept) == "succeeded"
    assert "az login" in next(event.text for event in kept.events("r1") if event.kind == "paused")


def test_a_bake_goes_on_while_nobody_executes(tmp_path: Path) -> None:
    """A machine that slept for a day, in a bake of an hour: the bake is over, and its last look is taken now."""
    kept, moved = history(tmp_path), [datetime.now(UTC)]
    begin(kept, plan(wave("one", [target("a")], bake=3600.0, gates=("watch",)), wave("two", [target("b")])))
    with process(kept, Pretended(tmp_path), clock=lambda: moved[0]):
        until(lambda: "bakeStarted" in kinds(kept.events("r1")))
        moved[0] += timedelta(minutes=30)
        until(lambda: "gatePassed" in kinds(kept.events("r1")))
        assert "bakeDone" not in kinds(kept.events("r1"))
    moved[0] += timedelta(days=1)
    looks = begun(tmp_path, "a:watch")
    with process(kept, Pretended(tmp_path), clock=lambda: moved[0]):
        until(ended(kept))
    assert outcome(kept) == "succeeded"
    assert begun(tmp_path, "a:watch") == looks + 1


def test_a_second_rollout_of_a_fleet_is_refused_with_who_and_what_to_do(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, two_waves(), who="ann")
    with pytest.raises(Refused, match=r"ann has a rollout of hearth under way since .*r1 \(running\).*abort"):
        begin(kept, two_waves(), name="r2", who="bob")
    assert [one.id for one in kept.rollouts()] == ["r1"]


def test_two_who_start_at_once_get_one_rollout(tmp_path: Path) -> None:
    kept, refused = history(tmp_path), list[Refused]()
    durable.prepare(kept)

    def start(name: str) -> None:
        try:
            begin(kept, two_waves(), name=name)
        except Refused as error:
            refused.append(error)

    both = [threading.Thread(target=start, args=(f"r{number}",)) for number in (1, 2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(kept.rollouts()) == len(refused) == 1


def test_one_process_executes_on_a_folder(tmp_path: Path) -> None:
    kept = history(tmp_path)
    first = Name(kept, "embedded", now=lambda: "noon", lost=lambda _: None)
    with pytest.raises(NameTaken, match=r"executed by process \d+ on .* since noon.*watch"):
        Name(kept, "embedded", now=lambda: "later", lost=lambda _: None)
    first.release()
    Name(kept, "embedded", now=lambda: "later", lost=lambda _: None).release()


def test_a_rollback_asked_after_the_end_undoes_everything_and_closes_the_window(tmp_path: Path) -> None:
    kept = history(tmp_path)
    begin(kept, two_waves())
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
        until(lambda: kept.open_window("r1"))
        asking.ask(kept, kept.rollout("r1", ""), Ask("rollbackAll", "bob", "too slow"), datetime.now(UTC))
        until(lambda: outcome(kept) == "rolledBack")
    assert [serves(tmp_path, stack) for stack in "abc"] == ["old"] * 3
    assert not begun(tmp_path, "b:retire")
    assert kept.open_window("r1") is None


def test_the_former_model_goes_after_the_window_when_nobody_calls_it(tmp_path: Path) -> None:
    kept, moved = history(tmp_path), [datetime.now(UTC)]
    begin(kept, plan(wave("one", [target("b", "beside"), target("c", "beside")])))
    with process(kept, Pretended(tmp_path, fails=frozenset({"c:quiet"})), clock=lambda: moved[0]):
        until(ended(kept))
        until(lambda: kept.open_window("r1"))
        assert not begun(tmp_path, "b:retire")
        moved[0] += timedelta(hours=25)
        until(lambda: begun(tmp_path, "b:retire"))
        until(lambda: any("kept: 3 calls" in event.text for event in kept.events("r1")))
    assert not begun(tmp_path, "c:retire")
    assert outcome(kept) == "succeeded"


def test_what_an_older_version_wrote_is_gone_on_with(tmp_path: Path) -> None:
    """Our upgrade in mid-bake: the version that work waits for is ours, and does not change with the code."""
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a")])))
    assert durable.VERSION == "hearth-rollout-1"
    with sqlite3.connect(tmp_path / "rollouts.db") as raw:
        versions = {row[0] for row in raw.execute("SELECT application_version FROM workflow_status")}
        state, run_plan = raw.execute("SELECT state, plan FROM hearth_runs, hearth_rollouts").fetchone()
        # What a version with other fields would have left.
        raw.execute("UPDATE hearth_runs SET state = ?", (state[:-1] + ', "unknown_to_us": 1}',))
        raw.execute("UPDATE hearth_rollouts SET plan = ?", (run_plan[:-1] + ', "unknownToUs": 1}',))
    raw.close()
    assert versions == {"hearth-rollout-1"}
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    assert outcome(kept) == "succeeded"


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(self.place),)  # type: ignore[return-value]

    def __init__(self, place: str) -> None:
        self.place = place


def test_a_pickle_in_the_database_is_never_read(tmp_path: Path) -> None:
    kept, mark = history(tmp_path), tmp_path / "exploded"
    begin(kept, plan(wave("one", [target("a")])))
    bomb = base64.b64encode(pickle.dumps(_Bomb(str(mark)))).decode()
    with sqlite3.connect(tmp_path / "rollouts.db") as raw:
        assert raw.execute("UPDATE workflow_input SET inputs = ?", (bomb,)).rowcount == 1
        raw.execute("UPDATE workflow_status SET serialization = 'py_pickle'")
    raw.close()
    with process(kept, Pretended(tmp_path)):
        door = durable.client(kept)
        until(lambda: door.list_workflows(load_input=False)[0].status in durable.ENDED, 10)
        door.destroy()
    assert not mark.exists()
    assert not log(tmp_path)
    with pytest.raises(PickleRefused, match="which hearth never writes"):
        durable.dbos_serialization.DefaultSerializer().deserialize(bomb)
    assert Json().deserialize(Json().serialize({"a": [1, None]})) == {"a": [1, None]}


def test_an_error_that_nobody_foresaw_ends_the_process_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = history(tmp_path)
    begin(kept, plan(wave("one", [target("a")])))
    with monkeypatch.context() as broken, process(kept, Pretended(tmp_path)) as first:
        broken.setattr(kept, "asks", lambda *_: 1 / 0)
        until(lambda: first.failed)
        assert "r1 cannot be gone on with: ZeroDivisionError" in str(first.failed)
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    assert outcome(kept) == "succeeded"


@pytest.mark.parametrize("seed", range(2))
def test_random_rollouts_keep_their_promises_though_their_process_is_killed(tmp_path: Path, seed: int) -> None:
    shake(tmp_path, seed)


def shake(folder: Path, seed: int) -> None:
    """A random rollout of some twenty targets; its process is killed a few times on the way; then held to its end."""
    dice, kept = random.Random(seed), history(folder)  # noqa: S311
    made = random_plan(dice, targets=18, waves=3, longest_bake=0.2)
    begin(kept, made)
    settings = {"seconds": 0.02, "seed": seed}
    for _ in range(dice.randint(1, 2)):
        with child(folder, **settings) as one:
            assert one.stdout is not None
            one.stdout.readline()
            threading.Event().wait(dice.uniform(0.05, 0.8))
            kill(one)
    hands = Pretended(folder, **settings)  # type: ignore[arg-type]
    with process(kept, hands):
        until(lambda: ended(kept)() or _helped(kept, folder), 90)
    _hold(kept, folder, made)


def _helped(kept: durable.History, folder: Path) -> bool:
    """A person answers what is asked; what stays paused is undone."""
    events = kept.events("r1")
    asked, paused = kinds(events).count("approvalAsked"), kinds(events).count("paused")
    answered = len(kept.asks("r1", 0))
    if asked + paused > answered:
        last = next(event for event in reversed(events) if event.kind in ("approvalAsked", "paused"))
        if last.kind == "paused":
            ask(kept, "rollbackAll", who="ann")
        else:
            ask(kept, "approve", who=str((last.data["by"] or ["ann"])[0]), gate=last.gate or "")  # type: ignore[index]
    return False


def _hold(kept: durable.History, folder: Path, made: Plan) -> None:
    found = outcome(kept)
    targets = {t.stack: (w, t) for w in made.waves for t in w.targets if t.standing == "move"}
    state = kept.run("r1").state  # type: ignore[union-attr]
    if found == "succeeded":
        for stack, (its_wave, _) in targets.items():
            spot = state.spots[stack]  # type: ignore[union-attr]
            if spot.status == "failed":  # tolerated, and left to a person, as its wave wants it
                assert its_wave.on_failure == "pause"
                continue
            assert serves(folder, stack) == ("new" if spot.status == "passed" else "old"), (stack, spot)
    elif found == "rolledBack":
        undone = [s for s, spot in state.spots.items() if spot.status == "undone"]  # type: ignore[union-attr]
        assert all(serves(folder, stack) == "old" for stack in undone)
    else:
        assert found in ("failed", "rollbackFailed")
    most = {w.name: 0 for w in made.waves}
    running: dict[str, set[str]] = {w.name: set() for w in made.waves}
    process_of = None
    for kind, what, _, pid in log(folder):
        stack = what.partition(":")[0]
        if pid != process_of:  # what a killed process had begun has no end in the log
            process_of, running = pid, {w.name: set() for w in made.waves}
        if stack not in targets:
            continue
        name = targets[stack][0].name
        (running[name].add if kind == "begin" else running[name].discard)(stack)
        most[name] = max(most[name], len(running[name]))
        assert most[name] <= targets[stack][0].concurrency, name
