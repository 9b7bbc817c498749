"""Ready is told from what Azure lists, what metrics tell and what the last `up` proved; nobody is called."""

from __future__ import annotations

import pytest

from infra.cli import standing
from infra.keepalive.plan import Deletion, Gone, There, decide
from tests.keepalive.wishes import NOW, seen

MADE = NOW.replace(month=10)


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
    row = standing._row(decide(seen(called=called)), proven, "USD")
    assert (row.ready, row.why, row.code) == (not why, why, int(bool(why)))


def test_a_proof_of_the_last_up_makes_nothing_ready_that_azure_does_not_call_so():
    assert standing._row(decide(seen(called=1, there=There("Updating", "Standard", MADE))), True, "USD").why == (
        "Azure says Updating"
    )
    gone = decide(seen(gone=True, deletion=Deletion(Gone.BY_SOMEBODY, who="alice", what="its account")))
    assert standing._row(gone, True, "USD").why == (
        "gone from Azure; deleted with its account by alice; not brought back"
    )


def test_a_price_that_is_not_known_is_not_made_up():
    row = standing._row(decide(seen(called=1, hosting=None)), True, "USD")
    assert standing._cost(row) == "not known"
