"""The virtual clock: the only time that rules know."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from infra.localazure import VirtualClock
from infra.localazure.clock import LAST
from infra.localazure.http.app import App
from infra.localazure.world import World
from tests.localazure.cloud import START, crowd


class Machine:
    """A machine's two clocks, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self, factor: float = 1.0) -> VirtualClock:
        return VirtualClock(START, factor, real_time=lambda: self.seconds, monotonic=lambda: self.seconds)


def test_it_follows_the_machine_at_its_factor():
    machine = Machine()
    clock = machine.clock(factor=3600)
    machine.seconds += 2
    assert clock.now() == START + timedelta(hours=2)


def test_a_factor_of_zero_freezes_it():
    machine = Machine()
    clock = machine.clock()
    clock.follow(0)
    machine.seconds += 100
    assert clock.now() == START
    clock.advance(timedelta(days=15))
    assert clock.now() == START + timedelta(days=15)


def test_a_change_of_factor_moves_no_moment_that_is_over():
    machine = Machine()
    clock = machine.clock()
    machine.seconds += 10
    clock.follow(100)
    assert clock.now() == START + timedelta(seconds=10), "otherwise time would jump, or go back"
    machine.seconds += 1
    assert clock.now() == START + timedelta(seconds=110)


def test_it_never_goes_back():
    clock = Machine().clock()
    for wrong in (timedelta(seconds=-1), timedelta(days=-400)):
        with pytest.raises(ValueError, match="never goes back"):
            clock.advance(wrong)
    for factor in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="factor"):
            clock.follow(factor)
    with pytest.raises(AttributeError):
        clock.factor = 2.0  # type: ignore[misc] # a factor set aside of `follow` would make it jump


def test_it_stops_before_dates_run_out():
    machine = Machine()
    clock = machine.clock(factor=1e6)
    machine.seconds += 1e9
    assert clock.now() == LAST, "sums with its moments must not overflow"
    with pytest.raises(ValueError, match="ends in the year"):
        clock.advance(timedelta(days=1))


def test_a_world_refuses_to_go_back_too():
    world = World(clock=VirtualClock(START, 0))
    with pytest.raises(ValueError, match="never goes back"):
        world.advance(timedelta(seconds=-1))
    assert world.now() == START


def test_what_is_due_happens_in_order_at_its_own_moment():
    world = World(clock=VirtualClock(START, 0))
    seen: list[tuple[str, timedelta]] = []
    world.on_due("note", lambda w, key: seen.append((key, w.now() - START)))
    world.schedule(START + timedelta(days=2), "note", "second")
    world.schedule(START + timedelta(days=1), "note", "first")
    world.schedule(START + timedelta(days=9), "note", "not yet")
    world.advance(timedelta(days=3))
    assert seen == [("first", timedelta(days=1)), ("second", timedelta(days=2))]
    assert world.now() == START + timedelta(days=3)


def test_it_stands_still_while_local_azure_is_stopped(tmp_path):
    world = World(tmp_path, VirtualClock(START, 0))
    world.advance(timedelta(days=3))
    world.close()
    machine = Machine()
    machine.seconds += 86_400
    again = World(tmp_path, machine.clock())
    assert again.now() == START + timedelta(days=3), "a weekend switched off must not delete idle deployments"
    assert again.clock.factor == 0, "and it goes on as fast as it went"
    again.close()


def test_switches_are_kept_too(tmp_path):
    world = World(tmp_path, VirtualClock(START, 0))
    world.switches.readiness = 7.0
    world.close()
    again = World(tmp_path, VirtualClock(START, 0))
    assert again.switches.readiness == 7.0
    again.close()


def test_after_a_kill_it_goes_on_from_a_moment_that_nobody_has_seen_yet(tmp_path):
    machine = Machine()
    world = World(tmp_path, machine.clock())
    world.kept_ahead = timedelta(seconds=2)
    world.keep_time()
    machine.seconds += 1.5
    seen = world.now()
    world.database.close()  # as a kill leaves it: without the note of a stop
    again = World(tmp_path, machine.clock())
    assert again.now() >= seen, "it never goes back, not over a kill either"
    again.close()


def test_what_is_due_next_is_told_as_things_stand_now(cloud):
    account = cloud.account()
    cloud.tune(account)
    bot = cloud.serve(account)
    cloud.advance(days=10)
    assert cloud.chat(bot).status == 200
    (soonest,) = cloud.world.coming(1)
    assert (soonest.what, soonest.key) == ("deployment ends", bot.lower())
    assert soonest.at == cloud.world.now() + timedelta(days=15), "the call has put it off, whatever was scheduled"


def test_a_change_of_switches_schedules_nothing_twice(cloud):
    account = cloud.account()
    cloud.tune(account)
    cloud.serve(account)
    for _ in range(50):
        cloud.app.wire_up()
    assert len(cloud.world.coming(100)) == 1
    assert len(cloud.world._due) == 1


def test_fifteen_days_with_ten_thousand_deployments_pass_quickly_in_order_at_their_own_moments(tmp_path):
    world = World(tmp_path, VirtualClock(START, 0))
    crowd(world, 10_000)
    app = App(world)
    started = time.perf_counter()
    world.advance(timedelta(days=15, seconds=10_001))
    took = time.perf_counter() - started
    assert len(world.deployments) == 0
    ended = [a.at for a in world.activities]
    assert ended == sorted(ended)
    assert (ended[0], ended[-1]) == (START + timedelta(days=15), START + timedelta(days=15, seconds=9_999))
    assert took < 5, "a second on a quiet machine (make bench); here only that it is no minute"
    del app
    world.close()
