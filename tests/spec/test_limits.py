"""Azure's limits as dated data."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from infra.spec import documents, limits, tuning

DATA = documents.parse(limits.FILE.read_text("utf-8"), "limits.yaml").value
GROUPS = ("names", "training")
ROWS = {
    **{key: row for key, row in DATA.items() if key not in GROUPS},
    **{f"{group}/{k}": r for group in GROUPS for k, r in DATA[group].items()},
}


@pytest.mark.parametrize("name", ROWS)
def test_every_row_says_when_and_where_it_was_read(name: str):
    row = ROWS[name]
    assert date.fromisoformat(row["asOf"]) >= date(2026, 1, 1), "older than this project"
    assert len(row["source"]) > 10, "whoever checks it must find it again"


def test_the_limits_are_typed():
    known = limits.load()
    assert known.idle_deletion.value == timedelta(days=15)
    assert known.developer_lifetime.value == timedelta(hours=24)
    assert known.idle_deletion.value > 2 * known.keep_alive_margin.value, "or nothing could be kept alive"
    assert known.idle_deletion.as_of == date(2026, 10, 31)
    assert known.fine_tuned_deployments.value == 10


def test_every_row_is_read_by_somebody():
    for rows, typed in ((DATA.keys() - {"training"}, limits.Limits), (DATA["training"].keys(), tuning.Tuning)):
        fields = {re.sub(r"_(.)", lambda m: m[1].upper(), name) for name in typed.__slots__}
        assert rows <= fields, "a row that nobody reads is a claim that nobody checks"


def test_models_stand_in_regions_that_are_known():
    known = limits.load()
    assert {region for model in known.models.values() for region in model.standard} <= set(known.regions)


def test_the_days_of_a_model_come_in_their_order():
    for model in limits.load().models.values():
        days = [model.base_until, model.training_until, model.deployment_until]
        assert days == [None] * 3 or days == sorted(day for day in days if day), model.name


def test_names_of_roles_are_names_of_ids():
    known = limits.load()
    assert set(known.roles.values()) == set(known.role_names)
    assert known.role_names["53ca6127-db72-4b80-b1b0-d745d6d5456d"] == "Foundry User", "the first of two names"


def test_developer_skus_are_skus():
    known = limits.load()
    assert known.developer_skus <= set(known.skus.values())


@pytest.mark.parametrize(
    ("word", "hint"),
    [("reder", '; did you mean "Reader"?'), ("READER", '; did you mean "Reader"?'), ("xyz", ""), ("", "")],
)
def test_a_near_word_is_asked_for(word: str, hint: str):
    assert limits.did_you_mean(word, ["Owner", "Reader"]) == hint


def test_a_word_of_any_length_is_compared_in_no_time():
    assert limits.did_you_mean("reader" * 100_000, ["Owner", "Reader"]) == ""
