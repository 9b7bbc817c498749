"""Subscriptions, resource providers, resource groups."""

from __future__ import annotations

import pytest

from infra.localazure import ids
from tests.localazure.cloud import ABROAD, BARE, PRODUCTION, START, TRAINING, account_body, deployment_body

GROUP = ids.group_id(PRODUCTION, "rg")


def test_a_group_is_made_then_changed_then_gone(cloud):
    made = cloud.put(GROUP, {"location": "Sweden Central", "tags": {"a": "b"}})
    assert (made.status, made.body["location"]) == (201, "swedencentral"), "any spelling of a region is its name"
    assert made.body["properties"] == {"provisioningState": "Succeeded"}
    changed = cloud.put(GROUP, {"location": "swedencentral"})
    assert changed.status == 200
    assert "tags" not in changed.body, "a PUT replaces"
    patched = cloud.ask("PATCH", GROUP, {"tags": {"c": "d"}})
    assert (patched.status, patched.body["tags"], patched.body["location"]) == (200, {"c": "d"}, "swedencentral")
    assert cloud.ask("HEAD", GROUP).status == 204
    assert [g["name"] for g in cloud.get(f"/subscriptions/{PRODUCTION}/resourceGroups").body["value"]] == ["rg"]
    assert cloud.ask("DELETE", GROUP).status == 202
    cloud.settle()
    assert cloud.ask("HEAD", GROUP).status == 404
    assert cloud.get(GROUP).refusal == (404, "ResourceGroupNotFound")
    assert cloud.ask("DELETE", GROUP).refusal == (404, "ResourceGroupNotFound")


def test_a_patch_leaves_what_it_does_not_name(cloud):
    cloud.put(GROUP, {"location": "swedencentral", "tags": {"a": "b"}, "managedBy": "/somebody"})
    patched = cloud.ask("PATCH", GROUP, {})
    assert (patched.body["tags"], patched.body["managedBy"]) == ({"a": "b"}, "/somebody")


def test_a_group_stays_where_it_was_made(cloud):
    cloud.put(GROUP, {"location": "swedencentral", "tags": {"a": "b"}})
    answer = cloud.put(GROUP, {"location": "eastus2"})
    assert answer.refusal == (409, "InvalidResourceGroupLocation")
    assert cloud.get(GROUP).body["tags"] == {"a": "b"}, "a refused write changes nothing"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "LocationRequired"),
        ({"location": "atlantis"}, "LocationNotAvailableForResourceType"),
        ({"location": "swedencentral", "tags": {"a": 1}}, "InvalidRequestContent"),
        ({"location": 5}, "InvalidRequestContent"),
        ([], "InvalidRequestContent"),
    ],
)
def test_a_malformed_group_is_refused(cloud, body, code):
    assert cloud.put(GROUP, body).refusal == (400, code)
    assert cloud.get(GROUP).status == 404


@pytest.mark.parametrize("name", ["a b", "ends-with-a-dot.", "x" * 91, "a%40b"])
def test_names_that_azure_refuses_are_refused(cloud, name):
    path = ids.group_id(PRODUCTION, name.replace(" ", "%20"))
    assert cloud.put(path, {"location": "swedencentral"}).refusal == (400, "InvalidResourceGroup")


def test_names_compare_without_regard_to_case_and_keep_the_case_they_were_made_with(cloud):
    cloud.put(ids.group_id(PRODUCTION, "RG-Mixed"), {"location": "swedencentral"})
    found = cloud.get(f"/SUBSCRIPTIONS/{PRODUCTION}/resourcegroups/rg-mixed")
    assert found.body["name"] == "RG-Mixed"
    assert found.body["id"] == f"/subscriptions/{PRODUCTION}/resourceGroups/RG-Mixed"


def test_deleting_a_group_soft_deletes_its_accounts_and_forgets_the_rest(cloud):
    account = cloud.account()
    job = f"{GROUP}/providers/Microsoft.App/jobs/keep-alive"
    assert cloud.put(job, {"location": "swedencentral"}).status == 201
    assert len(cloud.get(f"{GROUP}/resources").body["value"]) == 2
    assert cloud.ask("DELETE", GROUP).status == 202
    cloud.settle()
    assert cloud.get(account).refusal == (404, "ResourceGroupNotFound")
    cloud.group()
    assert cloud.put(account, account_body()).refusal == (409, "FlagMustBeSetForRestore")
    assert cloud.get(job).refusal == (404, "ResourceNotFound")


def test_an_unknown_subscription_is_not_found_and_a_malformed_one_is_told_so(cloud):
    nobody = "99999999-9999-4999-8999-999999999999"
    assert cloud.get(f"/subscriptions/{nobody}").refusal == (404, "SubscriptionNotFound")
    assert cloud.get("/subscriptions/production").refusal == (400, "InvalidSubscriptionId")


def test_everybody_sees_the_subscriptions_they_hold_a_role_in(cloud):
    def seen(who: str | None = None) -> set[str]:
        answer = cloud.get("/subscriptions", **({"who": who} if who else {}))
        return {s["subscriptionId"] for s in answer.body["value"]}

    account = cloud.account()
    assert seen() == {TRAINING, PRODUCTION, BARE}
    assert seen(cloud.grant("Reader", account)) == {PRODUCTION}, "a role at an account is enough to see where it lies"
    assert seen(cloud.grant("Reader", "/")) == {TRAINING, PRODUCTION, BARE}, f"{ABROAD} is of another tenant"


def test_a_provider_that_is_not_registered_refuses_writes_until_it_is(cloud):
    group = cloud.group(subscription=BARE)
    account = f"{group}/providers/Microsoft.CognitiveServices/accounts/oai-bare"
    answer = cloud.put(account, account_body())
    assert answer.refusal == (409, "MissingSubscriptionRegistration")
    assert "'Microsoft.CognitiveServices'" in answer.error["message"]
    job = f"{group}/providers/Microsoft.App/jobs/keep-alive"
    assert cloud.put(job, {"location": "swedencentral"}).code == "MissingSubscriptionRegistration"

    provider = f"/subscriptions/{BARE}/providers/Microsoft.CognitiveServices"
    assert cloud.get(provider).body["registrationState"] == "NotRegistered"
    registered = cloud.ask("POST", f"{provider}/register", version="2016-02-01")
    assert (registered.status, registered.body["registrationState"]) == (200, "Registering")
    assert cloud.put(account, account_body()).code == "MissingSubscriptionRegistration", "it takes its time"
    cloud.settle()
    assert cloud.get(provider).body["registrationState"] == "Registered"
    assert cloud.put(account, account_body()).status == 201
    cloud.settle()
    assert cloud.ask("POST", f"{provider}/unregister").body["registrationState"] == "NotRegistered"
    for method, path, body in (
        ("PATCH", account, {"tags": {}}),
        ("PUT", f"{account}/deployments/bot", deployment_body("gpt-4o", model_version="2024-08-06")),
        ("PUT", f"{account}/raiPolicies/strict", {"properties": {}}),
    ):
        assert cloud.ask(method, path, body).refusal == (409, "MissingSubscriptionRegistration"), path
    assert cloud.get(account).status == 200, "reading goes on"


def test_registering_asks_for_its_own_action(cloud):
    path = f"/subscriptions/{BARE}/providers/Microsoft.CognitiveServices/register"
    reader = cloud.grant("Reader", f"/subscriptions/{BARE}")
    answer = cloud.ask("POST", path, who=reader)
    assert answer.refusal == (403, "AuthorizationFailed")
    assert "'Microsoft.CognitiveServices/register/action'" in answer.error["message"]


def test_a_provider_that_does_not_exist_is_told_so(cloud):
    path = f"/subscriptions/{PRODUCTION}/providers/Microsoft.Nothing"
    assert cloud.get(path).refusal == (404, "InvalidResourceNamespace")
    assert cloud.ask("POST", f"{path}/register").refusal == (404, "InvalidResourceNamespace")


def test_locations_and_providers_are_listed(cloud):
    locations = cloud.get(f"/subscriptions/{PRODUCTION}/locations").body["value"]
    assert {"name": "swedencentral", "displayName": "Sweden Central"}.items() <= next(
        item.items() for item in locations if item["name"] == "swedencentral"
    )
    providers = cloud.get(f"/subscriptions/{PRODUCTION}/providers").body["value"]
    assert "Microsoft.CognitiveServices" in {p["namespace"] for p in providers}


def test_answers_carry_the_virtual_time_and_azures_headers(cloud):
    answer = cloud.get(f"/subscriptions/{PRODUCTION}")
    assert answer.headers["date"] == f"{START:%a, %d %b %Y %H:%M:%S} GMT", "programs take their now from here"
    for name in ("x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id"):
        assert answer.headers[name]
    assert answer.headers["cache-control"] == "no-cache"
    sent = ids.new_guid()
    again = cloud.get(f"/subscriptions/{PRODUCTION}", headers={"x-ms-correlation-request-id": sent})
    assert again.headers["x-ms-correlation-request-id"] == sent
