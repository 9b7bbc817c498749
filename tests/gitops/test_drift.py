"""Drift as values: what counts as one, and who is named for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from infra.gitops import drift
from infra.gitops.drift import Difference, Row
from infra.ports.activity import Entry
from infra.ports.foresee import Field, Foreseen, Step

ACCOUNT = "/subscriptions/s/resourcegroups/rg/providers/microsoft.cognitiveservices/accounts/a"
ID = f"{ACCOUNT}/deployments/bot"
URN = "urn:pulumi:prod::hearth::hearth:index:Account$azure-native:cognitiveservices:Deployment::bot"
AT = datetime(2026, 11, 23, 13, tzinfo=UTC)
HOSTILE = "a\\|b`c\n# d <script>alert(1)</script> @everyone <!-- hearth:drift -->"


def step(*fields: Field, op: Any = "update") -> Step:
    return Step(op=op, urn=URN, id=ID, protected=False, before={}, after={}, fields=fields)


def field(path: str, before: Any, after: Any, *, wished: bool = True, replaces: bool = False) -> Field:
    return Field(path, before, after, replaces=replaces, wished=wished)


def entry(who: str, minute: int, *, deletion: bool = False, of: str = ID, identity: str = "") -> Entry:
    return Entry(AT.replace(minute=minute), of.lower(), deletion, who, identity)


def row(what: Any = "changed", **more: Any) -> Row:
    return Row(stack="prod", resource="bot", kind="deployment", id=ID, what=what, **more)


def test_what_azure_filled_in_is_no_drift_and_a_tag_that_somebody_added_is() -> None:
    assert drift._differences(step(field("properties.callRateLimit", None, 10, wished=False))) == ()
    assert drift._differences(step(field("properties.extra", None, 10))) == (), "nobody had wished anything there"
    told = drift._differences(step(field("sku.capacity", 1, 20), field('tags["x"]', None, "y")))
    assert [d.path for d in told] == ["sku.capacity", 'tags["x"]']


def test_what_up_would_do_is_told_of_the_fields_that_differ() -> None:
    differs = step(field("sku.capacity", 1, 20))
    back = Foreseen((step(field("sku.capacity", 20, 1), field("sku.name", "a", "b")),), (), {})
    assert drift._row("prod", differs, back, frozenset()).up == "sku.capacity 20 → 1"
    again = Foreseen((step(op="create"),), (), {})
    assert drift._row("prod", step(op="delete"), again, frozenset()).up == "makes it again"
    kept = drift._row("prod", differs, Foreseen((), (), {}), frozenset({URN}))
    assert (kept.up, kept.ours) == ("nothing: nobody wishes otherwise", "an `up` that did not end")


def test_the_last_hand_is_named_and_of_what_is_gone_the_one_that_took_it_away() -> None:
    hands = {ID: (entry("ann", 1), entry("eve", 9), entry("bob", 5, deletion=True))}
    assert drift._with_hand(row(), hands, "").who == "eve"
    assert drift._with_hand(row("deleted"), hands, "").who == "bob"
    above = {ACCOUNT: (entry("root", 3, deletion=True, of=ACCOUNT),)}
    assert drift._with_hand(row("deleted"), above, "").who == "root", "with its account it goes too"


def test_our_own_job_is_told_as_ours_and_a_silent_log_is_told_as_silent() -> None:
    by_job = {ID: (entry("", 1, identity="job"),)}
    assert drift._with_hand(row(), by_job, "job").ours == "hearth tend, by the keep-alive job"
    assert drift._with_hand(row(), {}, "").note == "the activity log does not say who"
    assert (
        drift._with_hand(row(note="serves x"), "the log may not be read", "").note
        == "serves x; the log may not be read"
    )


def test_the_report_is_text_whatever_azure_says() -> None:
    told = row(
        differences=(Difference(path=HOSTILE, state=HOSTILE, azure=HOSTILE),),
        who=HOSTILE,
        note=HOSTILE,
        up=HOSTILE,
        at=AT,
    )
    page = drift.markdown([told], 1)
    assert not any(text in page for text in ("<script", "<!--", "@everyone"))
    assert page.splitlines()[-1].count("|") == 7
    assert "1 resource differs in 1 stack." in page
    assert drift.summary([row("not looked at")], 2) == "nothing differs in 1 stack; 1 could not be looked at"
