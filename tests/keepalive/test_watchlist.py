"""The watch list: what crosses from the stack to the tender, and its schema."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from infra.errors import SpecError
from infra.keepalive import watchlist
from tests.keepalive.wishes import ACCOUNT, wish

LIST = watchlist.WatchList(
    version=1,
    accounts=[
        watchlist.Account(
            id=ACCOUNT, location="swedencentral", endpoint="https://x/", stack="prod",
            deployments=[wish(retire=watchlist.Retire(after="30d", limit=1))],
        )
    ],
    limits=watchlist.Overrides(idle_deletion="15d", hosting={"Standard": 1.7}),
    notify=watchlist.Notify(webhook="https://hooks.example.com/x", shape="teams"),
)  # fmt: skip
TEXT = msgspec.json.encode(LIST)


def test_the_committed_schema_is_the_one_that_is_made_now_and_a_list_keeps_to_it():
    assert watchlist.SCHEMA.read_text("utf-8") == watchlist.schema_text(), "make docs writes it anew"
    Draft202012Validator(json.loads(watchlist.schema_text())).validate(json.loads(TEXT))


def test_what_is_written_is_what_is_read(tmp_path: Path):
    file = tmp_path / "list.json"
    file.write_bytes(TEXT)
    assert watchlist.read(file) == LIST


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"version":1', '"version":2', "version"),
        ('"policy":"ping"', '"policy":"pin"', "policy"),
        ('"after":"11d"', '"after":"11"', "after"),
        ('"after":"30d"', '"after":"P1Q"', "P1Q"),
        ('"stack":"prod"', '"stak":"prod"', "stak"),
        ('"capacity":1', '"capacity":0', "capacity"),
        ("{", "[", "is no watch list"),
        ('"after":"11d"', '"after":"14d"', "prod/bot: after: 14d is too close .*at most 13d"),
        ('"after":"11d"', '"after":"0d"', "longer than nothing"),
        ('"after":"30d"', '"after":"0s"', "retire/after: 0s must be longer than nothing"),
        ('"idleDeletion":"15d"', '"idleDeletion":"12d"', "at most 10d"),
        ('"idleDeletion":"15d"', '"idleDeletion":"P1Q"', "P1Q"),
        ('"idleDeletion":"15d"', '"idleDeletion":"15d","developerLifetime":"0h"', "developerLifetime: 0h must"),
        (
            "Microsoft.CognitiveServices/accounts/oai",
            "Microsoft.Web/sites/oai",
            "is not the id of an Azure OpenAI account",
        ),
        ("/subscriptions/s/", "s/", "is not the id"),
    ],
)
def test_a_wrong_list_is_one_clear_error(tmp_path: Path, old: str, new: str, told: str):
    file = tmp_path / "list.json"
    assert old in TEXT.decode()
    file.write_text(TEXT.decode().replace(old, new, 1))
    with pytest.raises(SpecError, match=told):
        watchlist.read(file)


def test_a_list_that_is_not_there_is_one_clear_error(tmp_path: Path):
    with pytest.raises(SpecError, match="cannot be read"):
        watchlist.read(tmp_path / "none.json")


def test_what_is_off_may_say_any_time(tmp_path: Path):
    text = TEXT.replace(b'"policy":"ping"', b'"policy":"off"').replace(b'"after":"11d"', b'"after":"60d"')
    assert watchlist.decode(text).accounts[0].deployments[0].keep_alive.after == "60d"


@pytest.mark.parametrize("text", ["10d", "P10D", "240h", "PT240H"])
def test_a_duration_is_taken_in_both_ways_of_writing(text: str):
    assert watchlist.span(text) == timedelta(days=10)
