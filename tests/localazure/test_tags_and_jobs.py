"""Tags by an operation of their own, their limits; executions of jobs; groups and accounts that take their time."""

from __future__ import annotations

import pytest

from infra.localazure import ids
from tests.localazure.cloud import PRODUCTION, account_body
from tests.localazure.test_clients import account as sdk_account
from tests.localazure.test_clients import arm, azure, client, deployment, tune  # noqa: F401 - fixtures among them

GROUP = ids.group_id(PRODUCTION, "rg")


def test_tags_are_merged_replaced_and_taken_away_at_any_scope(cloud):
    account = cloud.account()
    job = f"{GROUP}/providers/Microsoft.App/jobs/keep-alive"
    cloud.put(job, {"location": "swedencentral"})
    for scope in (GROUP, account, job):
        path = f"{scope}/providers/Microsoft.Resources/tags/default"

        def change(operation: str, path: str = path, **tags: str) -> dict[str, str]:
            body = {"operation": operation, "properties": {"tags": tags}}
            return cloud.ask("PATCH", path, body).body["properties"]["tags"]

        assert cloud.put(path, {"properties": {"tags": {"team": "a"}}}).body["properties"]["tags"] == {"team": "a"}
        assert change("Merge", stage="prod") == {"team": "a", "stage": "prod"}
        assert change("Delete", team="a") == {"stage": "prod"}
        assert change("Replace", other="x") == {"other": "x"}
        assert cloud.get(scope).body["tags"] == {"other": "x"}
        assert cloud.ask("DELETE", path).status == 200
        assert cloud.get(path).body["properties"]["tags"] == {}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({str(n): "" for n in range(51)}, "TooManyTags"),
        ({"n" * 513: ""}, "InvalidTagName"),
        ({"a/b": ""}, "InvalidTagName"),
        ({"n": "v" * 257}, "InvalidTagValue"),
    ],
)
def test_tags_beyond_azures_limits_are_refused_everywhere(cloud, tags, code):
    account = cloud.account()
    body = account_body(customSubDomainName="oai-prod") | {"tags": tags}
    assert cloud.put(account, body).refusal == (400, code)
    assert cloud.put(GROUP, {"location": "swedencentral", "tags": tags}).refusal == (400, code)
    job = f"{GROUP}/providers/Microsoft.App/jobs/keep-alive"
    assert cloud.put(job, {"location": "swedencentral", "tags": tags}).refusal == (400, code)


def test_an_execution_of_a_job_runs_and_succeeds(cloud):
    cloud.group()
    job = f"{GROUP}/providers/Microsoft.App/jobs/keep-alive"
    template = {"containers": [{"name": "ping"}]}
    cloud.put(job, {"location": "swedencentral", "properties": {"template": template}})
    started = cloud.ask("POST", f"{job}/start")
    assert started.status == 200
    found = cloud.get(f"{job}/executions").body["value"]
    assert [(e["name"], e["properties"]["status"]) for e in found] == [(started.body["name"], "Running")]
    assert found[0]["properties"]["template"] == template
    cloud.settle()
    assert cloud.get(started.body["id"]).body["properties"]["status"] == "Succeeded"
    assert cloud.ask("POST", f"{job}x/start").refusal == (404, "ResourceNotFound")
    assert cloud.ask("DELETE", job).status == 200
    assert not len(cloud.world.generic), "a job's executions go with it"


def test_policies_are_listed_by_account(cloud):
    one, two = cloud.account(), cloud.account("oai-two")
    cloud.put(f"{one}/raiPolicies/strict", {"properties": {}})
    assert [p["name"] for p in cloud.get(f"{one}/raiPolicies").body["value"]] == ["strict"]
    assert cloud.get(f"{two}/raiPolicies").body["value"] == []


def test_a_group_that_is_being_deleted_takes_nothing_more(cloud):
    account = cloud.account()
    gone = cloud.ask("DELETE", GROUP)
    assert gone.status == 202
    location = gone.headers["location"].removeprefix(cloud.world.origin)
    assert cloud.get(GROUP).body["properties"] == {"provisioningState": "Deleting"}
    assert cloud.get(location, version=None).status == 202
    job = f"{GROUP}/providers/Microsoft.App/jobs/late"
    for method, path, body in (
        ("PUT", GROUP, {"location": "swedencentral"}),
        ("PUT", account, account_body()),
        ("PUT", job, {"location": "swedencentral"}),
        ("DELETE", GROUP, None),
    ):
        assert cloud.ask(method, path, body).refusal == (409, "ResourceGroupBeingDeleted"), (method, path)
    cloud.settle()
    assert cloud.get(location, version=None).status == 200
    assert cloud.get(GROUP).refusal == (404, "ResourceGroupNotFound")


def test_a_changed_account_is_accepted_until_it_is_done(cloud):
    cloud.switch(account_update=10.0)
    account = cloud.account()
    changed = cloud.ask("PATCH", account, {"tags": {"a": "b"}})
    assert (changed.status, changed.body["properties"]["provisioningState"]) == (202, "Accepted")
    location = changed.headers["location"].removeprefix(cloud.world.origin)
    assert cloud.get(location, version=None).status == 202
    assert cloud.ask("PATCH", account, {}).refusal == (409, "RequestConflict")
    cloud.advance(seconds=11)
    assert cloud.get(location, version=None).body["tags"] == {"a": "b"}, "at last the account itself"


def test_azures_own_client_waits_for_slow_changes_and_deletions(azure, arm):  # noqa: F811
    made = arm.accounts.begin_create("rg", "oai-prod", sdk_account()).result()
    tune(azure, made.id)
    arm.deployments.begin_create_or_update("rg", "oai-prod", "bot", deployment()).result()
    azure.switch(deployment_update=0.2, account_update=0.2, deployment_delete=0.2, account_delete=0.2, purge=0.2)
    azure.world.clock.follow(10)
    changed = arm.deployments.begin_update(
        "rg", "oai-prod", "bot", {"sku": {"name": "Standard", "capacity": 3}}
    ).result()
    assert (changed.name, changed.sku.capacity) == ("bot", 3)
    assert changed.properties.provisioning_state == "Succeeded"
    assert arm.accounts.begin_update("rg", "oai-prod", {"tags": {"a": "b"}}).result().tags == {"a": "b"}
    arm.deployments.begin_delete("rg", "oai-prod", "bot").result()
    arm.accounts.begin_delete("rg", "oai-prod").result()
    arm.deleted_accounts.begin_purge("swedencentral", "rg", "oai-prod").result()
    assert list(arm.deleted_accounts.list()) == []


def test_azures_own_client_asks_for_skus_and_capacities(azure, arm):  # noqa: F811
    made = arm.accounts.begin_create("rg", "oai-prod", sdk_account()).result()
    tune(azure, made.id)
    arm.deployments.begin_create_or_update("rg", "oai-prod", "bot", deployment()).result()
    assert "Standard" in {item.sku.name for item in arm.deployments.list_skus("rg", "oai-prod", "bot")}
    there = arm.location_based_model_capacities.list("swedencentral", "OpenAI", "gpt-4.1-mini", "2025-04-14")
    assert {item.name for item in there} >= {"Standard", "GlobalStandard"}
    assert next(iter(arm.resource_skus.list())).name == "S0"
    usages = list(arm.usages.list("swedencentral", filter="name.value eq 'OpenAI.FineTuned.Deployments'"))
    assert [u.current_value for u in usages] == [1]
    with client(azure) as other:
        assert next(iter(other.operations.list())).name.startswith("Microsoft.CognitiveServices/")
