"""How long a port waits, and where it goes: nothing hangs, and a token goes to no other host."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.errors import Refused, Unreachable
from infra.ports import activity, arm, stacks
from infra.ports.activity import ActivityLog
from infra.ports.cloud import Cloud
from tests.keepalive.inprocess import ARM, CloudInProcess
from tests.keepalive.wishes import NOW
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


class Poller:
    """A write that Azure is not done with in time."""

    def wait(self, seconds: float) -> None:
        assert seconds == 1800

    def done(self) -> bool:
        return False


def test_a_write_that_azure_does_not_finish_is_given_up():
    with pytest.raises(Unreachable, match="has not finished it in 30 minutes"):
        arm._finished(Poller(), "/x")


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
