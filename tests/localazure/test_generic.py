"""Resources without rules of their own: kept as given, with what every resource of Azure has."""

from __future__ import annotations

import pytest

from infra.localazure import ids
from infra.localazure.generic import TYPES
from infra.localazure.vaults import VAULTS
from tests.localazure.cloud import BARE, OWNER, PRODUCTION, assignment_body

GROUP = ids.group_id(PRODUCTION, "rg")
JOB = f"{GROUP}/providers/Microsoft.App/jobs/keep-alive"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who"


@pytest.mark.parametrize("kind", [k for k in TYPES if TYPES[k] and k != VAULTS])
def test_every_type_of_the_table_is_made_read_changed_listed_and_deleted(cloud, kind):
    cloud.group()
    path = f"{GROUP}/providers/{kind}/thing"
    made = cloud.put(path, {"location": "Sweden Central", "tags": {"a": "b"}, "properties": {"deep": {"er": 1}}})
    assert made.status == 201
    assert (made.body["id"], made.body["name"], made.body["type"]) == (path, "thing", kind)
    assert made.body["properties"]["deep"] == {"er": 1}
    assert made.body["location"] == "swedencentral"
    assert made.body["systemData"]["createdBy"]
    assert cloud.get(path).body == made.body
    assert cloud.put(path, {"location": "swedencentral"}).status == 200
    assert cloud.ask("PATCH", path, {"tags": {"c": "d"}}).body["tags"] == {"c": "d"}
    assert [r["name"] for r in cloud.get(f"{GROUP}/providers/{kind}").body["value"]] == ["thing"]
    assert [r["name"] for r in cloud.get(f"/subscriptions/{PRODUCTION}/providers/{kind}").body["value"]] == ["thing"]
    assert cloud.ask("DELETE", path).status == 200
    assert cloud.ask("DELETE", path).status == 204
    assert cloud.get(path).refusal == (404, "ResourceNotFound")


def test_an_extension_lies_on_its_resource_and_goes_with_it(cloud):
    account = cloud.account()
    setting = f"{account}/providers/Microsoft.Insights/diagnosticSettings/logs"
    assert cloud.put(setting, {"properties": {"logs": []}}).status == 201
    nobody = account.replace("oai-prod", "nobody")
    missing = cloud.put(f"{nobody}/providers/Microsoft.Insights/diagnosticSettings/logs", {})
    assert missing.refusal == (404, "ResourceNotFound")
    cloud.ask("DELETE", account)
    assert cloud.get(setting).status == 404


def test_an_identity_is_a_principal_that_roles_can_be_given_to(cloud):
    account = cloud.account()
    made = cloud.put(IDENTITY, {"location": "swedencentral"}).body["properties"]
    assert cloud.put(IDENTITY, {"location": "swedencentral"}).body["properties"] == made, "its ids stay"
    forged = cloud.ask("PATCH", IDENTITY, {"properties": {"principalId": OWNER}})
    assert forged.body["properties"] == made, "and are the service's to set"
    name = f"{account}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
    assert cloud.put(name, assignment_body("Reader", made["principalId"])).status == 201
    cloud.settle()
    assert cloud.get(account, who=made["principalId"]).status == 200
    cloud.ask("DELETE", IDENTITY)
    again = f"{account}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
    refused = cloud.put(again, assignment_body("Cognitive Services User", made["principalId"]))
    assert refused.code == "PrincipalNotFound"


def test_workspaces_and_jobs_get_what_their_services_add(cloud):
    cloud.group()
    workspace = cloud.put(
        f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/logs", {"location": "swedencentral"}
    )
    assert ids.GUID.fullmatch(workspace.body["properties"]["customerId"])
    job = cloud.put(JOB, {"location": "swedencentral", "properties": {"provisioningState": "Odd"}})
    assert job.body["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "LocationRequired"),
        ({"location": "atlantis"}, "LocationNotAvailableForResourceType"),
        ({"location": "swedencentral", "tags": {"a": 5}}, "InvalidRequestContent"),
        ({"location": "swedencentral", "properties": []}, "InvalidRequestContent"),
        ("text", "InvalidRequestContent"),
    ],
)
def test_a_malformed_resource_is_refused(cloud, body, code):
    cloud.group()
    assert cloud.put(JOB, body).refusal == (400, code)
    assert cloud.get(JOB).status == 404


def test_a_resource_stays_where_it_was_made(cloud):
    cloud.group()
    cloud.put(JOB, {"location": "swedencentral"})
    assert cloud.put(JOB, {"location": "eastus2"}).refusal == (409, "InvalidResourceLocation")
    alert = f"{GROUP}/providers/Microsoft.Insights/metricAlerts/idle"
    assert cloud.put(alert, {"location": "Global"}).body["location"] == "Global", "some types are nowhere in particular"


def test_group_registration_and_parent_must_be_there_first(cloud):
    assert cloud.put(JOB, {"location": "swedencentral"}).refusal == (404, "ResourceGroupNotFound")
    cloud.group(subscription=BARE)
    there = JOB.replace(PRODUCTION, BARE)
    assert cloud.put(there, {"location": "swedencentral"}).refusal == (409, "MissingSubscriptionRegistration")
    cloud.group()
    policy = f"{ids.account_id(PRODUCTION, 'rg', 'nobody')}/raiPolicies/strict"
    assert cloud.put(policy, {"properties": {}}).refusal == (404, "ParentResourceNotFound")


def test_types_and_namespaces_that_are_not_here_are_told_apart(cloud):
    cloud.group()
    assert cloud.get(f"{GROUP}/providers/Microsoft.Nothing/things/a").refusal == (404, "InvalidResourceNamespace")
    unknown = cloud.get(f"{GROUP}/providers/Microsoft.App/things/a")
    assert unknown.refusal == (404, "InvalidResourceType")
    assert "'things'" in unknown.error["message"]
    assert "'Microsoft.App'" in unknown.error["message"]


def test_a_list_takes_no_write(cloud):
    cloud.group()
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        answer = cloud.ask(method, f"{GROUP}/providers/Microsoft.App/jobs", {"location": "swedencentral"})
        assert answer.refusal == (405, "MethodNotAllowed"), method
    assert not cloud.world.generic


def test_each_verb_asks_for_its_action_on_the_type(cloud):
    cloud.group()
    cloud.put(JOB, {"location": "swedencentral"})
    reader = cloud.grant("Reader", GROUP)
    assert cloud.get(JOB, who=reader).status == 200
    for method, action in (("PUT", "write"), ("PATCH", "write"), ("DELETE", "delete")):
        answer = cloud.ask(method, JOB, {"location": "swedencentral"}, who=reader)
        assert answer.refusal == (403, "AuthorizationFailed")
        assert f"'Microsoft.App/jobs/{action}' over scope '{JOB}'" in answer.error["message"]


def test_a_resource_keeps_the_case_it_was_made_with(cloud):
    cloud.group()
    cloud.put(JOB, {"location": "swedencentral"})
    again = cloud.put(JOB.replace("keep-alive", "KEEP-ALIVE"), {"location": "swedencentral"})
    assert (again.status, again.body["id"], again.body["name"]) == (200, JOB, "keep-alive")
