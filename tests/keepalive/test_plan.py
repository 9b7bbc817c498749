"""What is to be done about a deployment, for every policy and every way to be seen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.keepalive.idle import Certainty
from infra.keepalive.plan import Act, Deletion, Gone, There, decide, retired_now
from infra.keepalive.watchlist import Retire
from tests.keepalive.wishes import NOW, Hour, seen

DAY = timedelta(days=1)


def test_one_that_was_called_lately_is_left_alone_until_its_policy_acts():
    step = decide(seen(called=3))
    assert (step.act, step.alarm) == (Act.NOTHING, False)
    assert NOW + 6.9 * DAY <= step.due <= NOW + 8 * DAY
    assert step.reason == "last called 3d ago, 12d left"


def test_one_that_is_idle_for_as_long_as_its_policy_says_is_pinged():
    step = decide(seen(called=11))
    assert (step.act, step.ping, step.alarm) == (Act.PING, True, True)


def test_a_ping_that_comes_early_for_the_spread_is_no_alarm():
    step = decide(seen(called=10.99))
    assert (step.act, step.alarm) == (Act.PING, False)


def test_report_warns_and_does_nothing():
    step = decide(seen(called=12, keep={"policy": "report"}))
    assert (step.act, step.ping, step.alarm) == (Act.WARN, False, True)
    assert decide(seen(called=10.9, keep={"policy": "report"})).act is Act.NOTHING


def test_off_does_neither_whatever_the_age_and_whatever_retire_says():
    step = decide(seen(called=14.9, keep={"policy": "off", "retire": Retire(after="1d")}))
    assert (step.act, step.ping, step.alarm) == (Act.NOTHING, False, False)


def test_unreadable_metrics_have_it_pinged_early_and_say_why():
    step = decide(seen(created=12, traffic=None, unmeasured="403"))
    assert step.act is Act.PING
    assert "metrics could not be read (403)" in step.reason
    assert decide(seen(created=2, traffic=None, unmeasured="403")).act is Act.NOTHING, "so young, it needs no ping"


def test_an_account_that_cannot_be_looked_at_has_its_deployments_pinged_for_silence_might_harm():
    step = decide(seen(now=None, gone=True, unlisted="500"))
    assert (step.act, step.ping) == (Act.PING, True)
    step = decide(seen(now=None, gone=True, unlisted="500", keep={"policy": "report"}))
    assert (step.act, step.ping) == (Act.WARN, False)


def test_a_ping_that_is_remembered_while_metrics_are_unreadable_is_said_to_be_all_that_is_known():
    step = decide(seen(traffic=None, unmeasured="403", own_call=NOW - DAY))
    assert (step.act, step.clock.certainty) == (Act.NOTHING, Certainty.ASSUMED)
    assert "metrics could not be read (403), and all that is known is a ping of ours 1d ago" in step.reason


@pytest.mark.parametrize("policy", ["ping", "report"])
def test_with_the_margin_left_it_acts_and_alarms_whatever_after_says(policy: str):
    step = decide(seen(called=13, keep={"policy": policy, "after": "60d"}))
    assert (step.act, step.alarm) == (Act.PING if policy == "ping" else Act.WARN, True)
    assert decide(seen(called=11, keep={"policy": policy, "after": "60d"})).act is Act.NOTHING


@pytest.mark.parametrize("state", ["Failed", "Creating", ""])
def test_one_that_has_not_succeeded_is_an_alarm_and_not_counted_as_kept(state: str):
    step = decide(seen(called=3, there=There(state, "Standard", NOW - 60 * DAY)))
    assert (step.act, step.alarm, step.unwell) == (Act.WARN, True, True)
    assert "not Succeeded" in step.reason
    off = decide(seen(called=3, there=There(state, "Standard", NOW - 60 * DAY), keep={"policy": "off"}))
    assert not off.alarm, "hands off"


def test_an_account_that_is_gone_is_said_and_nothing_is_made_in_its_place():
    step = decide(seen(now=None, gone=True, account_gone=True))
    assert (step.act, step.alarm) == (Act.WARN, True)


def test_a_developer_deployment_is_not_pinged_for_no_call_keeps_it():
    step = decide(seen(created=0.9, developer=True))
    assert (step.act, step.ping, step.alarm) == (Act.NOTHING, False, False)
    assert step.clock.left == timedelta(hours=24) - 0.9 * DAY


# --- gone ----------------------------------------------------------------------------------------------------------


def gone(by: Gone, **more):
    at = None if by is Gone.UNKNOWN else NOW - DAY
    log = {"who": "alice", "at": at, **more.pop("log", {})}
    return decide(seen(gone=True, deletion=Deletion(by, **log), **more))


def test_what_the_service_deleted_is_brought_back():
    step = gone(Gone.BY_SERVICE)
    assert step.act is Act.REVIVE
    assert "deleted by the service itself" in step.reason


def test_what_somebody_deleted_is_named_and_not_brought_back():
    step = gone(Gone.BY_SOMEBODY)
    assert (step.act, step.alarm) == (Act.WARN, True)
    assert "deleted by alice" in step.reason


def test_what_somebody_deleted_is_no_alarm_where_the_stack_wants_it_retired():
    assert not gone(Gone.BY_SOMEBODY, keep={"retire": Retire(after="30d")}).alarm


@pytest.mark.parametrize(
    ("facts", "act"),
    [
        ({"log": {"written": NOW - 20 * DAY}}, Act.REVIVE),
        ({"log": {"written": NOW - 20 * DAY}, "called": 3}, Act.WARN),
        ({"log": {"written": NOW - 4 * DAY}}, Act.WARN),
        ({"log": {}}, Act.WARN),
        ({"log": {"written": NOW - 20 * DAY}, "traffic": None}, Act.WARN),
        ({"log": {"written": NOW - 20 * DAY, "unreadable": True}}, Act.WARN),
        ({"log": {"written": NOW - 20 * DAY, "at": NOW - 10 * DAY}}, Act.WARN),
        ({"log": {"written": NOW - 20 * DAY, "at": NOW - 5 * DAY}}, Act.REVIVE),
        ({"called": 40}, Act.REVIVE),
        ({"called": 90}, Act.WARN),
        ({"log": {"written": NOW - 90 * DAY}}, Act.WARN),
    ],
)
def test_one_that_is_gone_nobody_knows_how_is_brought_back_where_its_deadline_had_surely_passed(facts, act):
    assert gone(Gone.UNKNOWN, **facts).act is act


def test_revive_false_brings_nothing_back():
    step = gone(Gone.BY_SERVICE, keep={"revive": False})
    assert (step.act, step.alarm) == (Act.WARN, True)
    assert not gone(Gone.BY_SERVICE, keep={"policy": "off", "revive": False}).alarm


# --- retire --------------------------------------------------------------------------------------------------------

RETIRE = {"retire": Retire(after="30d", limit=2)}


def unused(name: str = "bot", **more):
    hours = (Hour(NOW - 40 * DAY), Hour(NOW - 2 * DAY, calls=1, prompt_tokens=15))
    return decide(seen(name=name, traffic=hours, keep=RETIRE, **more))


def test_one_that_our_pings_alone_keep_alive_is_recommended_with_what_that_saves():
    step = unused()
    assert step.act is Act.RETIRE
    assert "no real use for 40d, as inferred" in step.reason
    assert "saves 1,241 a month" in step.reason
    assert not step.ping


def test_until_somebody_says_yes_it_is_pinged_all_the_same():
    hours = (Hour(NOW - 40 * DAY), Hour(NOW - 12 * DAY, calls=1, prompt_tokens=15))
    step = decide(seen(traffic=hours, keep=RETIRE))
    assert (step.act, step.ping) == (Act.RETIRE, True)


def test_real_use_unreadable_metrics_youth_or_an_unknown_birth_recommend_nothing():
    assert decide(seen(called=3, keep=RETIRE)).act is not Act.RETIRE
    assert unused(created=20).act is not Act.RETIRE
    assert decide(seen(traffic=None, keep=RETIRE)).act is not Act.RETIRE
    assert unused(created=None).act is not Act.RETIRE


def test_metrics_that_tell_of_no_call_to_what_would_be_gone_then_are_not_believed():
    step = decide(seen(keep=RETIRE))
    assert (step.act, step.ping) == (Act.PING, True)
    assert "not to be believed" in step.reason
    calls = (Hour(NOW - 40 * DAY),)
    assert decide(seen(traffic=calls, own_call=NOW - DAY / 24, keep=RETIRE)).act is Act.NOTHING, "nor after our ping"


def test_a_price_that_is_not_known_is_said_to_be_so():
    assert "what that saves is not known" in unused(hosting=None).reason


def test_a_run_deletes_no_more_than_the_limit_says():
    steps = [unused(f"bot-{n}") for n in range(5)]
    assert len(retired_now(steps)) == 2
