"""A stack's watch list: what stands is tended, whatever its file or its outputs lack."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from infra.errors import HearthError
from infra.keepalive import stacks
from infra.keepalive.stacks import Watched
from infra.spec import open_project
from tests.keepalive.wishes import ACCOUNT

REPOSITORY = Path(__file__).parents[2]
TODAY = date(2026, 11, 23)
BOT = {
    "active": "support-bot", "model": "gpt-4.1-mini-2025-04-14.ft-1", "version": "1", "source": None,
    "sku": {"name": "Standard", "capacity": 1},
}  # fmt: skip
UP = {
    "account": {"id": ACCOUNT, "location": "swedencentral", "endpoint": "https://x/"},
    "deployments": {"support-bot": BOT},
}


class Outputs:
    """Pulumi, as far as a stack's outputs go."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def outputs(self, _stack: str) -> Any:
        return self._found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "Pulumi.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "stacks", tmp_path / "stacks")
    return tmp_path


def watched(root: Path, outputs: Any) -> Watched:
    return stacks.watch_list(open_project(root), Outputs(outputs), "local-target", today=TODAY)  # type: ignore[arg-type]


def test_what_is_wished_for_and_not_up_is_said(root: Path):
    found = watched(root, UP | {"deployments": {"older": BOT}})
    assert [(r.deployment, r.code) for r in found.remarks] == [("support-bot", 1)]
    assert "not up: pulumi up" in found.remarks[0].text
    assert [d.name for d in found.list.accounts[0].deployments] == ["older"], "what stands is tended"


def test_a_file_with_a_mistake_stops_no_pings_and_is_exit_2_all_the_same(root: Path):
    file = root / "stacks" / "Pulumi.local-target.yaml"
    file.write_text(file.read_text().replace("after: 10d", "after: 10x"))
    found = watched(root, UP)
    assert [r.code for r in found.remarks] == [2]
    (one,) = found.list.accounts[0].deployments
    assert (one.keep_alive.policy, one.keep_alive.revive) == ("ping", False)


@pytest.mark.parametrize("lacks", ["active", "sku", "version"])
def test_outputs_of_another_version_cost_their_own_row(root: Path, lacks: str):
    old = {key: value for key, value in BOT.items() if key != lacks}
    found = watched(root, UP | {"deployments": {"support-bot": BOT, "older": old}})
    assert [(r.deployment, r.code) for r in found.remarks] == [("older", 1)]
    assert [d.name for d in found.list.accounts[0].deployments] == ["support-bot"]


@pytest.mark.parametrize("account", [{}, {"account": UP["account"] | {"id": "oai"}}, {"account": None}])
def test_outputs_without_an_account_are_one_clear_error(root: Path, account: dict[str, Any]):
    with pytest.raises(HearthError, match="outputs are unreadable"):
        watched(root, {"deployments": {"support-bot": BOT}} | account)


def test_what_stands_by_is_kept_alive_too_and_never_recommended_to_go(root: Path):
    file = root / "stacks" / "Pulumi.local-target.yaml"
    file.write_text(file.read_text().replace("after: 10d", "after: 10d, retire: {after: 20d}"))
    sku, settings = {"name": "Standard", "capacity": 2}, {"sourceTenant": "t", "tags": {"a": "b"}}
    beside = {**BOT, "name": "support-bot", "model": "m.ft-2", "source": ACCOUNT, "sku": sku, "settings": settings}
    found = watched(root, UP | {"deployments": {"support-bot": BOT | {"active": "support-bot-b", "standby": beside}}})
    active, standby = found.list.accounts[0].deployments
    assert (active.name, active.active, active.shown) == ("support-bot", "support-bot-b", "support-bot")
    assert (standby.name, standby.active, standby.shown) == ("support-bot", "support-bot", "support-bot (standby)")
    assert (standby.model, standby.sku.capacity, standby.source_tenant, standby.tags) == ("m.ft-2", 2, "t", {"a": "b"})
    assert active.keep_alive.retire is not None
    assert standby.keep_alive.retire is None, "its rollout retires it; that nobody calls it is as it should be"
    assert standby.keep_alive.revive


@pytest.mark.parametrize(("source", "tenant"), [(ACCOUNT.replace("oai", "train"), "t-9"), (None, None)])
def test_the_source_is_put_back_by_the_tenant_of_the_last_up_whatever_the_record_says_now(root, source, tenant):
    known = BOT | {"source": source, "settings": {"sourceTenant": "t-9"}}
    (one,) = watched(root, UP | {"deployments": {"support-bot": known}}).list.accounts[0].deployments
    assert (one.source, one.source_tenant) == (source, tenant)


def test_a_stack_whose_file_is_right_and_that_is_up_has_nothing_to_be_said_of_it(root: Path):
    found = watched(root, UP)
    assert found.remarks == ()
    assert found.list.accounts[0].deployments[0].keep_alive.revive
