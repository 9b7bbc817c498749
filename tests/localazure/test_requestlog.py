"""The log of requests: what was asked, by whom, with what end; nothing secret, and kept in bounds."""

from __future__ import annotations

import json
import stat
from urllib.parse import urlencode

import pytest

from infra.localazure import VirtualClock, requestlog
from infra.localazure.http import arm
from infra.localazure.requestlog import RequestLog
from infra.localazure.store import Database
from tests.localazure.cloud import OWNER, OWNER_APP, PRODUCTION, SECRET, START, Cloud
from tests.localazure.test_control import KEY, control
from tests.localazure.test_tokens import login

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"


def note(log: RequestLog, path: str = "/x", **query: str) -> None:
    log.add(
        at=START, method="GET", path=path, query=query, status=200, caller="me", code="", route="", operation="", ms=1.0
    )


def asked(cloud: Cloud, **query: str) -> list[dict]:
    answer = cloud.ask("GET", f"/.local-azure/log?{urlencode(query)}", who=None, version=None, headers=KEY)
    assert answer.status == 200, answer.body
    return answer.body


def test_each_request_is_told_with_its_route_its_operation_and_its_time(cloud):
    cloud.group()
    account = cloud.account()
    found = [e for e in asked(cloud) if e["path"] == account]
    assert found[0]["method"] == "PUT"
    assert found[0]["operation"] == "Microsoft.CognitiveServices/accounts/write"
    assert found[0]["route"] in {route.template for route in arm.ROUTES}
    assert found[0]["caller"] == OWNER_APP
    assert 0 < found[0]["ms"] < 5000


def test_every_logged_route_stands_in_a_table_and_a_path_without_one_has_none(cloud):
    login(cloud)
    cloud.get("/nowhere/at/all", who=None)
    cloud.get(f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/x")
    by_path = {e["path"]: e for e in asked(cloud)}
    assert by_path["/nowhere/at/all"]["route"] == ""
    assert any(e["operation"] == "POST /{tenant}/oauth2/v2.0/token" for e in by_path.values())
    generic = next(e for p, e in by_path.items() if p.endswith("Identities/x"))
    assert generic["operation"] == "Microsoft.ManagedIdentity/userAssignedIdentities/read"
    assert generic["route"] == "/{resource}"


def test_nothing_secret_is_in_it(cloud):
    login(cloud)
    account = cloud.account()
    keys = cloud.ask("POST", f"{account}/listKeys").body
    cloud.get(SUBSCRIPTION, code="my-code", sig="my-sig", client_secret="my-secret", filter="seen")
    told = json.dumps(asked(cloud))
    for secret in (SECRET, keys["key1"], keys["key2"], "my-code", "my-sig", "my-secret", cloud.token(OWNER)):
        assert secret not in told
    assert "filter=seen" in told
    assert "sig=***" in told


def test_what_is_asked_of_the_control_api_is_not_logged(cloud):
    control(cloud, "GET", "clock")
    assert asked(cloud) == []


def test_it_is_asked_by_number_time_path_status_and_caller(cloud):
    cloud.get(SUBSCRIPTION)
    cloud.advance(days=1)
    cloud.get(f"{SUBSCRIPTION}/resourceGroups/None")
    cloud.get(SUBSCRIPTION, who=None)
    one, two, three = asked(cloud)
    assert asked(cloud, after=str(one["number"])) == [two, three]
    assert asked(cloud, since="2026-11-02T00:00:00Z") == [two, three]
    assert asked(cloud, since="2026-11-02T00:00:00") == [two, three]
    assert asked(cloud, path="resourcegroups") == asked(cloud, path="*/resourceGroups/*") == [two]
    assert asked(cloud, status="404") == [two]
    assert asked(cloud, status="4xx") == [two, three]
    assert asked(cloud, caller=OWNER_APP) == [one, two]
    assert asked(cloud, most="1") == [three]
    assert asked(cloud, path="resourcegroups", status="200") == []


@pytest.mark.parametrize("query", [{"after": "x"}, {"since": "yesterday"}, {"whom": "me"}, {"most": "many"}])
def test_a_question_that_makes_no_sense_is_refused(cloud, query):
    answer = cloud.ask("GET", "/.local-azure/log", who=None, version=None, headers=KEY, **query)
    assert answer.refusal == (400, "BadRequest")


def test_it_is_kept_beside_the_state_and_goes_on_with_its_numbers(tmp_path):
    database = Database(tmp_path / "state.db")
    log = RequestLog(database)
    for path in ("/a", "/b"):
        note(log, path)
    log.keep()
    log.keep()
    database.close()
    database = Database(tmp_path / "state.db")
    again = RequestLog(database)
    note(again, "/c")
    assert [(e.number, e.path) for e in again] == [(1, "/a"), (2, "/b"), (3, "/c")]
    assert [e.path for e in again[1:]] == ["/b", "/c"]
    again.keep()
    database.close()
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600


def test_it_is_bounded_in_memory_and_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(requestlog, "MOST", 50)
    database = Database(tmp_path / "state.db")
    log = RequestLog(database)
    for number in range(180):
        note(log)
        if number % 30 == 0:
            log.keep()
    log.keep()
    assert len(log) == 50
    assert [number for number, _ in database.requests()] == list(range(131, 181))
    database.close()


def test_it_says_which_fault_struck(cloud):
    control(cloud, "POST", "faults", {"name": "throttle", "count": 1})
    cloud.get(SUBSCRIPTION)
    cloud.get(SUBSCRIPTION)
    first, second = asked(cloud)
    assert (first["faults"], first["status"], second["faults"]) == (["f1"], 429, [])


def test_the_clock_of_the_log_is_the_virtual_one():
    cloud = Cloud(VirtualClock(START, 0))
    cloud.get(SUBSCRIPTION)
    assert asked(cloud)[0]["at"] == "2026-11-01T12:00:00Z"
