"""Deployments: what may be deployed, one write at a time, and what a change does."""

from __future__ import annotations

import pytest

from infra.localazure import ids, placement
from infra.localazure.world import World
from tests.localazure.cloud import PRODUCTION, TRAINING, TUNED, Cloud, deployment_body

CHECKPOINT = "ftchkpt-" + "c" * 32


def tuned(number: int) -> str:
    return f"gpt-4.1-mini-2025-04-14.ft-{number:032x}"


@pytest.fixture
def account(cloud: Cloud) -> str:
    """An account with one tuned model."""
    made = cloud.account()
    cloud.tune(made)
    return made


# --- create --------------------------------------------------------------------------------------------------------


def test_the_pages_own_request_makes_a_deployment(cloud, account):
    legacy = "gpt-35-turbo-0613.ft-b044a9d3cf9c4228b5d393567f693b83"
    cloud.tune(account, legacy, "gpt-35-turbo-0613")
    body = {
        "sku": {"name": "standard", "capacity": 1},
        "properties": {"model": {"format": "OpenAI", "name": legacy, "version": "1"}},
    }
    made = cloud.put(f"{account}/deployments/bot", body, version="2023-05-01")
    assert made.status == 201
    assert made.body["sku"] == {"name": "Standard", "capacity": 1}, "any case is taken, Azure's own is answered"
    assert made.body["properties"]["model"] == {"format": "OpenAI", "name": legacy, "version": "1"}


def test_a_tuned_deployment_is_creating_then_succeeded_and_served_still_later(cloud, account):
    cloud.switch(deployment_create=60.0, readiness=120.0)
    made = cloud.deploy(account)
    deployment = f"{account}/deployments/bot"
    assert (made.status, made.body["properties"]["provisioningState"]) == (201, "Creating")
    operation = made.headers["azure-asyncoperation"].removeprefix(cloud.world.origin).split("?")[0]
    assert cloud.get(operation).body["status"] == "InProgress"
    cloud.advance(seconds=61)
    assert cloud.get(operation).body["status"] == "Succeeded"
    assert cloud.get(deployment).body["properties"]["provisioningState"] == "Succeeded"
    answer = cloud.chat(deployment)
    assert answer.refusal == (404, "DeploymentNotFound"), "Succeeded is not enough: the data plane lags behind"
    assert "within the last 5 minutes" in answer.error["message"]
    cloud.advance(seconds=120)
    assert cloud.chat(deployment).status == 200


def test_a_base_model_is_succeeded_at_once_without_an_operation(cloud, account):
    made = cloud.deploy(account, "base", "gpt-4o-mini", model_version="2024-07-18")
    assert (made.status, made.body["properties"]["provisioningState"]) == (201, "Succeeded")
    assert "azure-asyncoperation" not in made.headers, "as recorded"


def test_a_deployment_is_answered_as_azure_does(cloud, account):
    body = cloud.get(cloud.serve(account, capacity=3)).body
    assert body["id"] == f"{account}/deployments/bot"
    assert body["type"] == "Microsoft.CognitiveServices/accounts/deployments"
    properties = body["properties"]
    assert properties["versionUpgradeOption"] == "OnceNewDefaultVersionAvailable", "the server's default"
    assert properties["raiPolicyName"] == "Microsoft.DefaultV2", "the server's choice when unset"
    assert properties["currentCapacity"] == 3
    assert properties["rateLimits"] == [
        {"key": "request", "renewalPeriod": 10, "count": 3},
        {"key": "token", "renewalPeriod": 60, "count": 3000},
    ]
    assert properties["capabilities"]["area"] == "EUR"
    assert body["systemData"]["createdAt"].endswith("Z")


def test_a_capacity_not_given_is_one_and_a_version_not_given_is_filled_in(cloud, account):
    custom = cloud.deploy(account, capacity=None, model_version=None).body
    assert (custom["sku"]["capacity"], custom["properties"]["model"]["version"]) == (1, "1")
    cloud.settle()
    base = cloud.deploy(account, "base", "gpt-4o-mini", model_version=None).body
    assert base["properties"]["model"]["version"] == "2024-07-18", "its default version"


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"sku": None}, "InvalidResourceProperties", "The sku of model deployment is not provided."),
        ({"sku": {"name": "Gold"}}, "InvalidResourceProperties", "The deployment sku name 'Gold' is invalid."),
        ({"sku": {"name": "Standard", "capacity": 0}}, "InvalidResourceProperties", "capacity 0"),
        ({"sku": {"name": "Standard", "capacity": -5}}, "InvalidResourceProperties", "capacity -5"),
        ({"sku": {"name": "Standard", "capacity": 10**30}}, "InvalidResourceProperties", "out of range"),
        ({"sku": {"name": "Standard", "capacity": "many"}}, "InvalidRequestContent", "capacity"),
        ({"sku": {"capacity": 1}}, "InvalidRequestContent", "name"),
        ({"properties": {}}, "InvalidRequestContent", "'model'"),
        (
            {"properties": {"model": {"name": TUNED}, "scaleSettings": {}}},
            "InvalidResourceProperties",
            "please use 'sku'",
        ),
        ({"properties": {"model": {"name": TUNED, "version": "2"}}}, "DeploymentModelNotSupported", "Version:2"),
        ({"properties": {"model": {"name": tuned(9), "version": "1"}}}, "DeploymentModelNotSupported", tuned(9)),
        ({"properties": {"model": {"name": TUNED, "format": "Cohere"}}}, "DeploymentModelNotSupported", "Cohere"),
        ({"properties": {"model": {"name": "gpt-9", "version": "1"}}}, "DeploymentModelNotSupported", "gpt-9"),
        ({"properties": {"model": {"name": TUNED}, "raiPolicyName": "strict"}}, "InvalidResourceProperties", "strict"),
        ({"properties": {"model": {"name": TUNED}, "versionUpgradeOption": "Never"}}, "InvalidRequestContent", "Never"),
    ],
)
def test_a_create_that_azure_refuses_is_refused_and_leaves_nothing(cloud, account, change, code, text):
    body = {k: v for k, v in {**deployment_body(TUNED), **change}.items() if v is not None}
    answer = cloud.put(f"{account}/deployments/bot", body)
    assert answer.refusal == (400, code)
    assert text in answer.error["message"]
    assert not cloud.world.deployments
    assert not cloud.world.operations or cloud.get(f"{account}/deployments/bot").status == 404


@pytest.mark.parametrize("name", ["-bot", "bot-", "x" * 65, "two%20words", "uml%C3%A4ut"])
def test_names_that_azure_refuses_are_refused(cloud, account, name):
    assert cloud.deploy(account, name).refusal == (400, "InvalidResourceName")


def test_a_deployment_needs_its_account_first(cloud):
    cloud.group()
    nobody = ids.account_id(PRODUCTION, "rg", "nobody")
    assert cloud.deploy(nobody).refusal == (404, "ParentResourceNotFound")
    assert cloud.get(f"{nobody}/deployments/bot").refusal == (404, "ResourceNotFound")
    assert cloud.deploy(ids.account_id(PRODUCTION, "nowhere", "nobody")).refusal == (404, "ResourceGroupNotFound")


# --- siblings, models, limits --------------------------------------------------------------------------------------


def test_siblings_of_one_account_go_one_by_one(cloud, account):
    cloud.tune(account, tuned(1))
    assert cloud.deploy(account, "first").status == 201
    answer = cloud.deploy(account, "second", tuned(1))
    assert answer.refusal == (409, "RequestConflict")
    assert answer.error["message"] == (
        f"Another operation is being performed on the parent resource '{account}'. Please try again later."
    )
    policy = f"{account}/raiPolicies/strict"
    for method, path, body in (
        ("DELETE", f"{account}/deployments/first", None),
        ("PATCH", f"{account}/deployments/first", {"tags": {}}),
        ("PUT", policy, {"properties": {}}),
    ):
        assert cloud.ask(method, path, body).code == "RequestConflict", f"{method} {path}"
    assert cloud.get(f"{account}/deployments/first").status == 200, "reading never conflicts"
    cloud.settle()
    assert cloud.deploy(account, "second", tuned(1)).status == 201


def test_another_account_is_no_sibling(cloud, account):
    other = cloud.account("oai-other")
    cloud.tune(other, tuned(1))
    assert cloud.deploy(account).status == 201
    assert cloud.deploy(other, "bot", tuned(1)).status == 201


def test_a_slow_delete_keeps_siblings_waiting(cloud, account):
    deployment = cloud.serve(account)
    cloud.switch(deployment_delete=20.0)
    answer = cloud.ask("DELETE", deployment)
    assert (answer.status, answer.content) == (202, b"")
    assert "azure-asyncoperation" in answer.headers
    assert cloud.get(deployment).body["properties"]["provisioningState"] == "Deleting"
    assert cloud.chat(deployment).code == "DeploymentNotFound"
    assert cloud.deploy(account, "next").code == "RequestConflict"
    cloud.advance(seconds=21)
    assert cloud.get(deployment).status == 404
    assert cloud.deploy(account, "next").status == 201


def test_a_custom_model_is_deployed_once_in_an_account(cloud, account):
    cloud.serve(account, "first")
    answer = cloud.deploy(account, "second")
    assert answer.refusal == (409, "DuplicatedDeploymentForSameModel")
    assert "'second'" in answer.error["message"]
    assert "'first'" in answer.error["message"]


def test_checkpoints_other_accounts_and_base_models_count_apart(cloud, account):
    cloud.serve(account, "first")
    cloud.tune(account, CHECKPOINT)
    assert cloud.deploy(account, "checkpoint", CHECKPOINT).status == 201
    cloud.settle()
    other = cloud.account("oai-other")
    assert cloud.deploy(other, "first", source=account).status == 201
    for name in ("base-a", "base-b"):
        assert cloud.deploy(account, name, "gpt-4o-mini", model_version="2024-07-18").status == 201


def test_a_tuned_sku_is_offered_where_the_model_can_be_tuned(cloud, account):
    west = cloud.account("oai-west", location="westeurope")
    cloud.tune(west)
    answer = cloud.deploy(west)
    assert answer.refusal == (400, "InvalidResourceProperties")
    assert answer.error["message"] == (
        "The specified SKU 'Standard' for model 'gpt-4.1-mini 2025-04-14' is not supported in this region 'westeurope'."
    )
    assert cloud.deploy(west, sku="GlobalStandard").status == 201, "global deployments are for every region"
    batch = cloud.deploy(account, sku="GlobalBatch")
    assert batch.error["message"] == (
        f"The specified SKU 'GlobalBatch' of account deployment is not supported by the model '{TUNED}' version: '1'."
    )


def test_developer_tier_is_not_for_4o(cloud):
    account = cloud.account(location="eastus2")
    model = cloud.tune(account, "gpt-4o-2024-08-06.ft-" + "1" * 32, "gpt-4o-2024-08-06")
    assert cloud.deploy(account, "bot", model, sku="developertier").code == "InvalidResourceProperties"
    cloud.tune(account)
    assert cloud.deploy(account, sku="developertier").body["sku"]["name"] == "DeveloperTier"


def test_provisioned_units_come_in_steps(cloud, account):
    ask = {"sku": "ProvisionedManaged", "model_version": "2024-07-18"}
    assert cloud.deploy(account, "ptu", "gpt-4o-mini", capacity=10, **ask).code == "InvalidResourceProperties"
    assert cloud.deploy(account, "ptu", "gpt-4o-mini", capacity=50, **ask).status == 201


def test_quota_is_the_subscriptions_in_a_region(cloud, account):
    cloud.serve(account, capacity=900)
    other = cloud.account("oai-other")
    cloud.tune(other, tuned(1))
    answer = cloud.deploy(other, "bot", tuned(1), capacity=101)
    assert answer.refusal == (400, "InsufficientQuota")
    quota = "OpenAI.Standard.gpt4.1-mini-finetune"
    assert answer.error["message"] == (
        f"This operation require 101 new capacity in quota {quota}, which is bigger than the current available "
        f"capacity 100. The current quota usage is 900 and the quota limit is 1000 for quota {quota}."
    )
    assert cloud.deploy(other, "bot", tuned(1), capacity=100).status == 201
    usages = f"/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices/locations/swedencentral/usages"
    found = {u["name"]["value"]: (u["currentValue"], u["limit"]) for u in cloud.get(usages).body["value"]}
    assert found[quota] == (1000, 1000)
    assert found["OpenAI.FineTuned.Deployments"] == (2, 10)
    assert found["OpenAI.S0.AccountCount"] == (2, 30)


def test_the_tally_of_quotas_follows_every_change_and_a_restart(tmp_path):
    cloud = Cloud(folder=tmp_path)
    account = cloud.account()
    base = {"model": "gpt-4o", "model_version": "2024-08-06", "sku": "GlobalStandard"}
    cloud.serve(account, "tuned", cloud.tune(account), capacity=3)
    cloud.serve(account, "base", **base, capacity=7)
    cloud.serve(account, "base", **base, capacity=5)
    cloud.serve(account, "tuned", TUNED, capacity=3, sku="GlobalStandard")
    cloud.serve(account, "gone", cloud.tune(account, tuned(1)))
    cloud.ask("DELETE", f"{account}/deployments/gone")
    expected = {
        "OpenAI.FineTuned.Deployments": 1,
        "OpenAI.GlobalStandard.gpt-4o": 5,
        "OpenAI.GlobalStandard.gpt4.1-mini-finetune": 3,
    }
    assert placement.usage(cloud.world, PRODUCTION, "swedencentral") == expected
    cloud.world.close()
    again = World(tmp_path)
    assert placement.usage(again, PRODUCTION, "swedencentral") == expected
    again.close()


def test_quota_of_another_region_or_subscription_is_another(cloud, account):
    cloud.serve(account, capacity=1000)
    north = cloud.account("oai-north", location="northcentralus")
    cloud.tune(north)
    assert cloud.deploy(north, capacity=1000).status == 201
    training = cloud.account("oai-train", TRAINING)
    cloud.tune(training)
    assert cloud.deploy(training, capacity=1000).status == 201


def test_an_account_takes_ten_tuned_deployments_and_thirty_two_in_all(cloud, account):
    cloud.switch(deployment_create=0.0)
    for number in range(10):
        cloud.tune(account, tuned(number))
        assert cloud.deploy(account, f"bot-{number}", tuned(number)).status == 201
    assert cloud.deploy(account, "eleventh").refusal == (400, "DeploymentLimitReached")
    for number in range(22):
        base = cloud.deploy(account, f"base-{number}", "gpt-4o-mini", model_version="2024-07-18")
        assert base.status == 201
    answer = cloud.deploy(account, "thirty-third", "gpt-4o-mini", model_version="2024-07-18")
    assert answer.refusal == (400, "DeploymentLimitReached")


def test_a_region_counts_tuned_deployments_over_all_accounts(cloud, account):
    cloud.switch(deployment_create=0.0)
    for number in range(10):
        cloud.tune(account, tuned(number))
        cloud.deploy(account, f"bot-{number}", tuned(number))
    other = cloud.account("oai-other")
    cloud.tune(other)
    answer = cloud.deploy(other)
    assert answer.refusal == (400, "InsufficientQuota")
    assert "OpenAI.FineTuned.Deployments" in answer.error["message"]


# --- change and end ------------------------------------------------------------------------------------------------


def test_a_put_changes_capacity_and_keeps_serving(cloud, account):
    deployment = cloud.serve(account)
    changed = cloud.deploy(account, capacity=5)
    assert (changed.status, changed.body["sku"]["capacity"]) == (200, 5)
    assert changed.body["properties"]["provisioningState"] == "Accepted"
    assert "azure-asyncoperation" in changed.headers
    assert cloud.chat(deployment).status == 200
    cloud.settle()
    assert cloud.get(deployment).body["properties"]["provisioningState"] == "Succeeded"


def test_a_patch_changes_sku_and_tags_and_leaves_the_model(cloud, account):
    deployment = cloud.serve(account, source=account)
    patched = cloud.ask("PATCH", deployment, {"sku": {"name": "globalstandard", "capacity": 7}, "tags": {"a": "b"}})
    assert patched.status == 202
    assert "azure-asyncoperation" in patched.headers
    cloud.settle()
    found = cloud.get(deployment).body
    assert found["sku"] == {"name": "GlobalStandard", "capacity": 7}
    assert found["tags"] == {"a": "b"}
    assert found["properties"]["model"]["name"] == TUNED
    assert cloud.ask("PATCH", deployment, {"tags": {}}).status == 202
    assert cloud.get(deployment).body["sku"]["capacity"] == 7, "what is not named stays"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sku": {"name": "Standard", "capacity": 0}}, "InvalidResourceProperties"),
        ({"sku": {"name": "Gold", "capacity": 1}}, "InvalidResourceProperties"),
        ({"sku": {"name": "Standard", "capacity": 1001}}, "InsufficientQuota"),
        ({"sku": 7}, "InvalidRequestContent"),
    ],
)
def test_a_patch_that_azure_refuses_changes_nothing(cloud, account, body, code):
    deployment = cloud.serve(account, capacity=2)
    before = cloud.get(deployment).body
    assert cloud.ask("PATCH", deployment, body).refusal == (400, code)
    assert cloud.get(deployment).body == before


def test_the_version_of_the_learn_page_has_no_patch(cloud, account):
    deployment = cloud.serve(account)
    answer = cloud.ask("PATCH", deployment, {"tags": {}}, version="2023-05-01")
    assert answer.refusal == (405, "MethodNotAllowed")


def test_model_and_capacity_are_not_changed_at_once(cloud, account):
    cloud.tune(account, tuned(1))
    deployment = cloud.serve(account)
    before = cloud.get(deployment).body
    answer = cloud.deploy(account, "bot", tuned(1), capacity=2)
    assert answer.refusal == (400, "InvalidResourceProperties")
    assert answer.error["message"] == "Cannot change capacity and model at the same time."
    assert cloud.get(deployment).body == before
    assert cloud.deploy(account, "bot", tuned(1)).status == 200


@pytest.mark.parametrize(("switch", "meanwhile"), [("in_place", 200), ("gap", 404)])
def test_another_model_takes_over_in_place_or_after_a_gap_as_the_switch_says(cloud, account, switch, meanwhile):
    cloud.switch(model_change=switch, deployment_update=30.0, readiness=60.0)
    cloud.tune(account, tuned(1))
    deployment = cloud.serve(account)
    cloud.advance(seconds=120)
    assert cloud.chat(deployment).body["model"] == TUNED
    cloud.advance(seconds=60)
    assert cloud.deploy(account, "bot", tuned(1)).status == 200
    answer = cloud.chat(deployment)
    assert answer.status == meanwhile
    if meanwhile == 200:
        assert answer.body["model"] == TUNED, "the one before answers until the new one is ready"
    cloud.advance(seconds=120)
    assert cloud.chat(deployment).body["model"] == tuned(1)


def test_what_never_served_does_not_answer_during_a_change(cloud, account):
    cloud.switch(deployment_create=0.0, deployment_update=0.0, readiness=600.0)
    cloud.tune(account, tuned(1))
    cloud.deploy(account)
    cloud.deploy(account, "bot", tuned(1))
    assert cloud.chat(f"{account}/deployments/bot").code == "DeploymentNotFound"


def test_a_change_of_model_can_be_refused_by_switch(cloud, account):
    cloud.switch(model_change="refuse")
    cloud.tune(account, tuned(1))
    deployment = cloud.serve(account)
    assert cloud.deploy(account, "bot", tuned(1)).refusal == (400, "InvalidResourceProperties")
    assert cloud.get(deployment).body["properties"]["model"]["name"] == TUNED


def test_the_same_request_again_is_an_update_without_effect(cloud, account):
    deployment = cloud.serve(account)
    cloud.deploy(account, source=account)
    cloud.settle()
    assert cloud.chat(deployment).status == 200, "naming one's own account as source is no other model"
    assert len(cloud.get(f"{account}/deployments").body["value"]) == 1


def test_a_deleted_deployment_is_gone_at_once_and_its_model_stays(cloud, account):
    deployment = cloud.serve(account)
    answer = cloud.ask("DELETE", deployment)
    assert (answer.status, answer.content) == (200, b"")
    assert cloud.get(deployment).refusal == (404, "ResourceNotFound")
    assert cloud.chat(deployment).code == "DeploymentNotFound"
    assert cloud.ask("DELETE", deployment).status == 204
    assert cloud.deploy(account).status == 201, "the tuned model can be deployed again"


def test_deployments_are_listed(cloud, account):
    cloud.tune(account, tuned(1))
    cloud.serve(account, "first")
    cloud.serve(account, "second", tuned(1))
    listed = cloud.get(f"{account}/deployments").body["value"]
    assert [d["name"] for d in listed] == ["first", "second"]
    assert listed[0] == cloud.get(f"{account}/deployments/first").body


def test_a_custom_policy_must_exist_before_it_is_named(cloud, account):
    policy = f"{account}/raiPolicies/strict"
    assert cloud.put(policy, {"properties": {"basePolicyName": "Microsoft.Default"}}).status == 201
    assert cloud.deploy(account, raiPolicyName="strict").body["properties"]["raiPolicyName"] == "strict"


# --- versions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("2023-05-01", set()),
        ("2024-10-01", {"currentCapacity"}),
        ("2024-10-21", {"currentCapacity"}),
        ("2025-06-01", {"currentCapacity", "spilloverDeploymentName"}),
        ("2025-12-01", {"currentCapacity", "spilloverDeploymentName", "deploymentState"}),
        ("2026-03-15-preview", {"currentCapacity", "spilloverDeploymentName", "deploymentState"}),
    ],
)
def test_a_version_shows_what_it_knows(cloud, account, version, shown):
    deployment = cloud.serve(account, spilloverDeploymentName="other", capacity=1)
    later = {"currentCapacity", "spilloverDeploymentName", "deploymentState"}
    assert later & cloud.get(deployment, version=version).body["properties"].keys() == shown


def test_a_version_ignores_what_it_does_not_know(cloud, account):
    other = cloud.account("oai-other")
    answer = cloud.deploy(other, source_account=account, version="2023-05-01")
    assert answer.code == "DeploymentModelNotSupported", "sourceAccount came with 2024-10-01"
    assert cloud.deploy(other, source_account=account, version="2024-10-01").status == 201


# --- what a region offers ------------------------------------------------------------------------------------------


def test_a_location_lists_its_models_twice_each_with_base_and_tuned_skus(cloud):
    path = f"/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices/locations/swedencentral/models"
    items = [i for i in cloud.get(path).body["value"] if i["model"]["name"] == "gpt-4.1-mini"]
    assert [(i["kind"], i["skuName"]) for i in items] == [("OpenAI", "S0"), ("AIServices", "S0")]
    assert items[0]["id"].endswith("/locations/SwedenCentral/models/OpenAI.gpt-4.1-mini.2025-04-14")
    skus = [(s["name"], s["usageName"]) for s in items[0]["model"]["skus"]]
    assert ("Standard", "OpenAI.Standard.gpt4.1-mini") in skus
    assert ("Standard", "OpenAI.Standard.gpt4.1-mini-finetune") in skus, "the same name twice: base and fine-tuned"
    assert items[0]["model"]["capabilities"]["fineTune"] == "true"
    west = cloud.get(path.replace("swedencentral", "westeurope")).body["value"]
    mini = next(i["model"]["capabilities"] for i in west if i["model"]["name"] == "gpt-4.1-mini")
    assert ("fineTune" in mini, mini["globalFineTune"]) == (False, "true")


def test_an_unknown_location_is_refused(cloud):
    for what in ("models", "usages"):
        path = f"/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices/locations/atlantis/{what}"
        assert cloud.get(path).refusal == (400, "LocationNotAvailableForResourceType")


def test_retired_base_models_are_refused_only_by_switch(cloud, account):
    legacy = cloud.tune(account, "gpt-35-turbo-0613.ft-" + "2" * 32, "gpt-35-turbo-0613")
    deployment = cloud.serve(account, "legacy", legacy)
    assert cloud.chat(deployment).status == 200, "off by default: the example of the page serves a retired one"
    cloud.switch(retirement=True)
    cloud.advance(seconds=60)
    assert cloud.chat(deployment).code == "DeploymentNotFound"
    assert cloud.deploy(account, "again", legacy).refusal == (400, "InvalidResourceProperties")
