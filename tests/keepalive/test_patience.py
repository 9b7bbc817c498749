"""How long a port waits, and where it goes: nothing hangs, and a token goes to no other host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import Refused, Unreachable
from infra.ports import activity, stacks
from infra.ports.activity import ActivityLog
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from tests.keepalive.inprocess import ARM, CloudInProcess
from tests.keepalive.wishes import ACCOUNT, NOW
from tests.localazure.cloud import OWNER
from tests.localazure.cloud import Cloud as LocalAzure


def test_a_client_waits_ten_seconds_for_a_connection_and_a_minute_for_an_answer():
    config = Cloud({}).transport().connection_config
    assert (config.timeout, config.read_timeout) == (10, 60)


def test_a_pulumi_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = tmp_path / "pulumi"
    command.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(stacks, "_LONGEST", 0.2)
    with pytest.raises(Unreachable, match="`pulumi stack output` has not answered in"):
        stacks.Stacks(tmp_path, "hearth").outputs("prod")


@dataclass
class Poller:
    """A write that Azure is not done with in time."""

    waited: float = 0.0

    def wait(self, seconds: float) -> None:
        self.waited = seconds

    def done(self) -> bool:
        return False


class Slow:
    """Azure's client, every write of which takes for ever."""

    def __init__(self) -> None:
        self.poller = Poller()
        self.deployments = self.deleted_accounts = self

    def begin(self, *_what: Any, **_how: Any) -> Poller:
        return self.poller

    begin_create_or_update = begin_update = begin_delete = begin_purge = begin


@pytest.mark.parametrize(
    "write",
    [
        lambda port: port.delete_deployment(ACCOUNT, "bot"),
        lambda port: port.set_capacity(ACCOUNT, "bot", "Standard", 1),
        lambda port: port.purge(ACCOUNT, "swedencentral"),
        lambda port: port.purge(ACCOUNT, "swedencentral", longest=timedelta(minutes=5)),
    ],
)
def test_a_write_that_azure_does_not_finish_is_given_up(write: Callable[[Arm], None], monkeypatch: pytest.MonkeyPatch):
    port, slow = Arm(Cloud({})), Slow()
    monkeypatch.setattr(port, "_client", lambda _subscription: slow)
    with pytest.raises(Unreachable, match=r"has not finished it in (30|5) minutes") as told:
        write(port)
    assert f"{slow.poller.waited / 60:g} minutes" in str(told.value)


@pytest.mark.parametrize(
    ("link", "told"), [("https://elsewhere.example.com/next", "is elsewhere"), (f"{ARM}/next", "more than 3 pages")]
)
def test_the_log_is_followed_to_no_other_host_and_not_for_ever(monkeypatch: pytest.MonkeyPatch, link: str, told: str):
    log = ActivityLog(CloudInProcess(LocalAzure().app, OWNER))
    asked: list[str] = []

    def page(address: str, _query: dict[str, str]) -> dict[str, Any]:
        asked.append(address)
        return {"value": [], "nextLink": link}

    monkeypatch.setattr(log, "_page", page)
    monkeypatch.setattr(activity, "MOST_PAGES", 3)
    with pytest.raises(Refused, match=told):
        log.of_deployments("s", since=NOW - timedelta(days=1), now=NOW)
    assert all(address.startswith(ARM) for address in asked)
