"""Ready is told from what Azure lists, what metrics tell and what the last `up` proved; nobody is called."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from infra.cli import standing
from infra.keepalive.plan import Deletion, Gone, Step, There, decide
from tests.keepalive.wishes import NOW, seen

MADE = NOW.replace(month=10)


def row(step: Step, proven: object, **facts: object) -> standing.Row:
    """One row of a stack whose outputs tell this much."""
    name = step.seen.wish.active
    return standing._row(step, {"ready": {name: proven}, "deployments": {step.seen.wish.name: facts}}, "USD")


@pytest.mark.parametrize(
    ("proven", "called", "why"),
    [
        (True, None, ""),
        (None, 3, ""),
        (None, None, "not proven by an up yet, and never called"),
        ("it answered 404", 3, "it answered 404"),
    ],
)
def test_a_successful_call_stands_in_for_a_proof_that_was_never_made_but_not_for_one_that_failed(proven, called, why):
    made = row(decide(seen(called=called)), proven)
    assert (made.ready, made.why, made.code) == (not why, why, int(bool(why)))


def test_a_proof_of_the_last_up_makes_nothing_ready_that_azure_does_not_call_so():
    assert row(decide(seen(called=1, there=There("Updating", "Standard", MADE))), True).why == "Azure says Updating"
    gone = decide(seen(gone=True, deletion=Deletion(Gone.BY_SOMEBODY, who="alice", what="its account")))
    assert row(gone, True).why == "gone from Azure; deleted with its account by alice; not brought back"


def test_a_price_that_is_not_known_is_not_made_up():
    assert standing._cost(row(decide(seen(called=1, hosting=None)), True)) == "not known"


def test_what_a_rollout_moved_is_shown_by_the_name_that_it_has_in_azure_and_what_it_holds():
    step = decide(seen(called=1))
    slot = msgspec.structs.replace(step.seen.wish, active="bot-b")
    moved = row(replace(step, seen=replace(step.seen, wish=slot)), True, held=True)
    assert (standing._name(moved), moved.held) == ("bot as bot-b", True)
    beside = msgspec.structs.replace(step.seen.wish, standby=True)
    other = row(replace(step, seen=replace(step.seen, wish=beside)), True, held=True)
    assert (standing._name(other), other.held) == ("bot, standby", False)
    table = standing.render([moved, other])
    assert list(table.columns[2].cells) == [f"{moved.model} (held)", other.model]
