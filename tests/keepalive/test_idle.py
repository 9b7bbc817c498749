"""The idle clock: what it counts from, and that nothing makes it run late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.keepalive import idle, plan
from infra.keepalive.idle import Certainty, Ends
from tests.keepalive.wishes import HOUR, NOW, RULES, Hour, seen

MADE = NOW - timedelta(days=60)
DAY = timedelta(days=1)


def clock(traffic=(), created=MADE, **more):
    return idle.clock(NOW, created, traffic, RULES, more.pop("ends", Ends()), **more)


def test_it_counts_from_the_last_call_and_takes_the_start_of_its_hour_because_that_is_the_cautious_choice():
    found = clock([Hour(NOW - 9 * DAY), Hour(NOW - 3 * DAY), Hour(NOW - 5 * DAY)])
    assert (found.age, found.certainty) == (3 * DAY, Certainty.MEASURED)
    assert found.deadline == NOW + 12 * DAY


def test_without_calls_it_counts_from_the_creation():
    found = clock(created=NOW - 4 * DAY)
    assert (found.age, found.left, found.certainty) == (4 * DAY, 11 * DAY, Certainty.NEVER_CALLED)


def test_unreadable_metrics_count_as_never_called_and_say_so():
    found = clock(None, created=NOW - 4 * DAY)
    assert (found.age, found.last_call, found.certainty) == (4 * DAY, None, Certainty.ASSUMED)


def test_a_creation_that_is_not_known_counts_as_long_ago():
    assert clock(created=None).left == timedelta(0)


def test_calls_before_the_creation_were_another_deployments_of_the_same_name():
    assert clock([Hour(NOW - 9 * DAY)], created=NOW - 2 * DAY).certainty is Certainty.NEVER_CALLED


def test_a_call_in_the_hour_of_the_creation_counts_from_the_creation():
    made = NOW - 2 * DAY
    found = clock([Hour(made - timedelta(minutes=30))], created=made)
    assert (found.since, found.certainty) == (made, Certainty.MEASURED)


def test_an_hour_without_successful_calls_is_no_call():
    assert clock([Hour(NOW - DAY, calls=0)]).certainty is Certainty.NEVER_CALLED


def test_a_remembered_ping_counts_where_metrics_are_late_and_not_where_it_is_of_another_life():
    assert clock(None, own_call=NOW - DAY).age == DAY
    assert clock(None, created=NOW - DAY, own_call=NOW - 2 * DAY).certainty is Certainty.ASSUMED
    assert clock(own_call=NOW + DAY).certainty is Certainty.NEVER_CALLED, "what is ahead of now did not happen"


def test_a_developer_deployment_ends_a_day_after_its_creation_called_or_not():
    found = clock([Hour(NOW - HOUR)], created=NOW - 20 * HOUR, ends=Ends(developer=True))
    assert found.left == 4 * HOUR


def test_a_limit_may_be_known_better():
    own = idle.Rules(timedelta(days=20), timedelta(hours=48))
    assert idle.clock(NOW, NOW - DAY, (), own, Ends()).left == 19 * DAY
    assert idle.clock(NOW, NOW - DAY, (), own, Ends(developer=True)).left == DAY


@pytest.mark.parametrize(
    ("calls", "tokens", "ours"),
    [(1, 15, True), (2, 30, True), (1, 30, True), (1, 16, False), (2, 31, False), (3, 45, False), (0, 0, False)],
)
def test_an_hour_is_taken_for_our_pings_by_its_calls_and_tokens(calls: int, tokens: int, ours: bool):
    assert idle.looks_like_pings(Hour(NOW, calls, tokens), (15,)) is ours


def test_real_use_is_what_is_not_taken_for_pings():
    hours = [Hour(NOW - 40 * DAY, 5, 900), Hour(NOW - 2 * DAY, 1, 15)]
    assert idle.last_use(hours, (15,), MADE, NOW) == NOW - 40 * DAY


def test_pings_are_spread_and_each_deployment_has_its_own_moment():
    after = timedelta(days=10)
    moments = [idle.due_after(after, f"/x/deployments/bot-{n}") for n in range(1000)]
    assert all(after * 0.9 <= due <= after for due in moments)
    tenths = [sum(after * (0.9 + n / 100) <= due < after * (0.91 + n / 100) for due in moments) for n in range(10)]
    assert min(tenths) > 50, "a thousand do not fire at once"
    assert idle.due_after(after, "/X/deployments/BOT") == idle.due_after(after, "/x/deployments/bot")


# --- whatever happens ----------------------------------------------------------------------------------------------

SHARE = st.floats(0.001, 1.0)
RUN = st.tuples(SHARE, st.booleans(), st.floats(0, 3), st.lists(SHARE, max_size=3), st.booleans())
"""A run: how much of the margin after the last one; whether metrics are out; how many hours late they are; the calls of
users in between; whether the tender remembers its own pings."""


@settings(max_examples=400, deadline=None)
@given(days=st.floats(1, 13), runs=st.lists(RUN, min_size=5, max_size=40), name=st.text(max_size=5))
def test_no_order_of_calls_clocks_and_outages_lets_a_pinged_deployment_pass_its_deadline(days, runs, name):
    """As long as a run succeeds once a margin: the limit less `after`."""
    after = timedelta(days=days).__class__(hours=int(days * 24))
    margin = RULES.idle - after
    made = datetime(2026, 1, 1, tzinfo=UTC)
    now, last, calls, own = made, made, [], None
    for share, out, late, used, remembers in runs:
        start, now = now, now + margin * share
        for moment in sorted(start + (now - start) * u for u in used):
            assert moment < last + RULES.idle
            last = moment
            calls.append(moment)
        assert now < last + RULES.idle, "it was deleted before this run"
        told = [c for c in calls if c <= now - timedelta(hours=late)]
        hours = [Hour(c.replace(minute=0, second=0, microsecond=0)) for c in told]
        facts = seen(
            name=f"bot{name}", keep={"after": f"{int(days * 24)}h"}, traffic=None if out else hours,
            own_call=own if remembers else None,
        )  # fmt: skip
        there = plan.There("Succeeded", "Standard", made)
        step = plan.decide(plan.Seen(**{**{f: getattr(facts, f) for f in facts.__slots__}, "now": now, "there": there}))
        assert step.clock is not None
        assert step.clock.since <= last, "it never takes a deployment for younger than it is"
        if step.ping:
            last = own = now
            calls.append(now)
