"""The axis of the timeline: work to scale, waiting shorter than it was, order kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from infra.cli.rollout.axis import Axis

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NINE + timedelta(seconds=seconds)


def test_a_day_of_waiting_leaves_room_for_the_minutes_of_work():
    axis = Axis([(at(0), at(60)), (at(86400), at(86460))], [], 0, 1000)
    first, wait, last = axis.stretches
    assert [stretch.shortened for stretch in axis.stretches] == [False, True, False]
    assert wait.seconds == 86340
    assert abs((first.right - first.left) - (last.right - last.left)) < 1e-6, "a minute is a minute"
    assert wait.right - wait.left <= 451


def test_without_work_the_axis_is_to_scale():
    axis = Axis([], [at(0), at(10), at(40)], 0, 400)
    assert [axis.place(at(second)) for second in (0, 10, 25, 40)] == [0, 100, 250, 400]


def test_a_single_moment_has_a_place():
    assert Axis([], [at(0)], 5, 400).place(at(0)) == 5


spans = st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 5000)), max_size=12)


@given(spans, st.lists(st.integers(0, 200_000), min_size=1, max_size=12))
def test_what_came_later_is_never_drawn_earlier_and_nothing_outside(work: list[tuple[int, int]], moments: list[int]):
    pairs = [(at(start), at(start + length)) for start, length in work]
    axis = Axis(pairs, [at(moment) for moment in moments], 100, 900)
    everything = sorted({*axis.edges, *(at(moment + 0.5) for moment in moments)})
    places = [axis.place(moment) for moment in everything]
    assert all(left <= right + 1e-6 for left, right in pairwise(places))
    assert all(100 - 1e-6 <= place <= 900 + 1e-6 for place in places)
