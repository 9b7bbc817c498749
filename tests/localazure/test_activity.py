"""The activity log: who did what when, for 90 days, in the shape of Microsoft.Insights 2015-04-01."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from infra.localazure import ids
from tests.localazure.cloud import OWNER, OWNER_APP, PRODUCTION, START, TENANT, TUNED, Cloud

PATH = f"/subscriptions/{PRODUCTION}/providers/Microsoft.Insights/eventtypes/management/values"
WRITE = "Microsoft.CognitiveServices/accounts/deployments/write"
DELETE = "Microsoft.CognitiveServices/accounts/deployments/delete"


def events(cloud: Cloud, more: str = "", **query: str) -> list[dict[str, Any]]:
    since = cloud.world.now() - timedelta(days=80)
    wanted = f"eventTimestamp ge '{since:%Y-%m-%dT%H:%M:%SZ}'{more}"
    answer = cloud.get(PATH, version="2015-04-01", _filter=wanted, **query)
    assert answer.status == 200, answer.body
    return answer.body["value"]


@pytest.fixture
def deployment(cloud: Cloud) -> str:
    account = cloud.account()
    cloud.tune(account)
    headers = {"x-ms-correlation-request-id": ids.new_guid(), "x-ms-client-request-id": "mine"}
    assert cloud.deploy(account, headers=headers).status == 201
    return f"{account}/deployments/bot"


def test_a_long_running_write_is_started_accepted_and_then_succeeded(cloud, deployment):
    only = f" and resourceUri eq '{deployment}'"
    assert [e["status"]["value"] for e in events(cloud, only)] == ["Accepted", "Started"], "the newest first"
    cloud.settle()
    told = events(cloud, only)
    assert {e["status"]["value"] for e in told} == {"Started", "Accepted", "Succeeded"}
    last = told[0]
    assert last["operationName"]["value"] == WRITE
    assert (last["caller"], last["tenantId"], last["subscriptionId"]) == (OWNER_APP, TENANT, PRODUCTION)
    assert last["claims"]["http://schemas.microsoft.com/identity/claims/objectidentifier"] == OWNER
    assert last["authorization"] == {"action": WRITE, "scope": deployment}
    assert last["httpRequest"] == {"clientRequestId": "mine", "clientIpAddress": "127.0.0.1", "method": "PUT"}
    assert last["eventTimestamp"] > told[-1]["eventTimestamp"]
    assert len({e["eventDataId"] for e in told}) == 3
    same = events(cloud, f" and correlationId eq '{last['correlationId']}'")
    assert same == told, "one correlation for the whole of an operation"


def test_a_refused_write_is_failed_with_its_reason(cloud, deployment):
    assert cloud.deploy(deployment.rsplit("/", 2)[0], "other").code == "RequestConflict"
    reader = cloud.grant("Reader", f"/subscriptions/{PRODUCTION}")
    assert cloud.ask("DELETE", deployment, who=reader).code == "AuthorizationFailed"
    failed = [e for e in events(cloud) if e["status"]["value"] == "Failed"]
    assert {e["operationName"]["value"] for e in failed} == {WRITE, DELETE}
    assert {e["subStatus"]["value"] for e in failed} == {"Conflict", "Forbidden"}
    assert all(e["level"] == "Error" for e in failed)
    assert any("RequestConflict" in e["properties"]["statusMessage"] for e in failed)


@pytest.mark.parametrize(("switch", "count"), [("service", 1), ("none", 0)])
def test_an_idle_deletion_is_the_services_own_or_not_told_as_the_switch_says(cloud, deployment, switch, count):
    cloud.switch(idle_deletion_logged=switch)
    cloud.advance(days=16)
    found = [e for e in events(cloud) if e["operationName"]["value"] == DELETE]
    assert len(found) == count
    assert all(e["caller"] == "Microsoft.CognitiveServices" and "httpRequest" not in e for e in found)


def test_filters_by_group_provider_and_time_and_selects_fields(cloud, deployment):
    cloud.group("other")
    cloud.settle()
    assert {e["resourceGroupName"] for e in events(cloud, " and resourceGroupName eq 'OTHER'")} == {"other"}
    told = events(cloud, " and resourceProvider eq 'Microsoft.CognitiveServices'", _select="eventName,caller")
    assert told
    assert all(set(e) == {"eventName", "caller"} for e in told)
    early = f" and eventTimestamp le '{START - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}'"
    assert events(cloud, early) == []


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "nonsense",
        "resourceGroupName eq 'rg'",
        "eventTimestamp ge 'soon'",
        "eventTimestamp ge '2026-10-20' or 1 eq 1",
        "eventTimestamp ge '2026-01-01T00:00:00Z'",
    ],
)
def test_a_filter_without_a_start_or_of_another_form_or_too_far_back_is_refused(cloud, wanted):
    assert cloud.get(PATH, version="2015-04-01", _filter=wanted).refusal == (400, "BadRequest")


def test_what_is_older_than_90_days_is_forgotten_and_an_operation_after_a_day(cloud, deployment):
    operations = len(cloud.world.operations)
    cloud.advance(days=91)
    cloud.group("later")
    assert all(a.at > cloud.world.now() - timedelta(days=90) for a in cloud.world.activities)
    account = deployment.rsplit("/", 2)[0]
    assert cloud.deploy(account, "later", cloud.tune(account, TUNED + "-2")).status == 201
    assert operations > 1
    assert len(cloud.world.operations) == 1


def test_the_log_needs_its_permission(cloud):
    nobody = cloud.grant("Cognitive Services Usages Reader", f"/subscriptions/{PRODUCTION}")
    answer = cloud.get(PATH, who=nobody, version="2015-04-01", _filter="eventTimestamp ge '2026-10-20'")
    assert answer.refusal == (403, "AuthorizationFailed")
    monitor = cloud.grant("Monitoring Reader", f"/subscriptions/{PRODUCTION}")
    answer = cloud.get(PATH, who=monitor, version="2015-04-01", _filter="eventTimestamp ge '2026-10-20'")
    assert answer.status == 200
