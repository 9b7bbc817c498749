"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.spec import duration

SIZES = {"d": 86400, "h": 3600, "m": 60, "s": 1}
SECONDS = st.integers(min_value=0, max_value=10**9)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("10d", 864_000), ("1h30m", 5400), ("0s", 0), ("1.5h", 5400), ("1d2h3m4s", 93_784), ("90m", 5400)],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float):
    assert duration.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "30", "m", "30 m", "-1d", "1d ", "1w", "1e3s", "٣d", "1d\n", ".5h", "1.h", "1,5h"]
)
def test_anything_else_is_told_what_a_duration_looks_like(text: str):
    with pytest.raises(ValueError, match="must be a duration with its unit"):
        duration.parse(text)


def test_a_duration_beyond_all_measure_is_told():
    with pytest.raises(ValueError, match="must be a duration of less than"):
        duration.parse("9" * 400 + "d")


@given(st.lists(st.tuples(st.integers(0, 10**4), st.sampled_from("dhms")), min_size=1, max_size=5))
def test_what_is_written_is_what_is_meant(parts: list[tuple[int, str]]):
    text = "".join(f"{count}{unit}" for count, unit in parts)
    assert duration.parse(text).total_seconds() == sum(count * SIZES[unit] for count, unit in parts)


@given(SECONDS)
def test_what_is_shown_reads_as_the_same_but_for_what_is_too_small_to_say(seconds: int):
    shown = duration.show(timedelta(seconds=seconds))
    left = seconds - duration.parse(shown).total_seconds()
    largest = next((size for size in SIZES.values() if seconds >= size), 1)
    assert 0 <= left < max(1, largest / 2), f"{seconds} s was shown as {shown}"


@given(SECONDS)
def test_what_was_read_and_shown_stays_as_it_is(seconds: int):
    shown = duration.show(timedelta(seconds=seconds))
    assert duration.show(duration.parse(shown)) == shown


@given(SECONDS)
def test_a_negative_duration_is_shown_with_its_sign(seconds: int):
    assert duration.show(timedelta(seconds=-seconds - 1)) == "-" + duration.show(timedelta(seconds=seconds + 1))


@given(st.text(max_size=20))
def test_no_text_does_anything_but_be_read_or_told(text: str):
    try:
        duration.parse(text)
    except ValueError as error:
        assert "must be a duration" in str(error)  # noqa: PT017 - any text may be one
