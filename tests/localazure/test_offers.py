"""What there is to have: SKUs, capacities, quotas, operations, and what a seed says of them."""

from __future__ import annotations

import pytest

from infra.localazure import Seed, seed
from infra.localazure.seed import BadSeed
from tests.localazure.cloud import PRODUCTION, TRAINING, deployment_body
from tests.localazure.test_deployments import tuned

S = f"/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices"
MODEL = {"modelFormat": "OpenAI", "modelName": "gpt-4.1-mini", "modelVersion": "2025-04-14"}
TUNED_QUOTA = "OpenAI.Standard.gpt4.1-mini-finetune"


def plant(cloud, **what) -> None:
    seed.plant(cloud.world, seed.msgspec.convert(what, Seed))


def test_a_deployment_lists_the_skus_it_can_have(cloud):
    account = cloud.account()
    deployment = cloud.serve(account, model=cloud.tune(account))
    found = {item["sku"]["name"]: item for item in cloud.get(f"{deployment}/skus").body["value"]}
    assert set(found) == {"Standard", "GlobalStandard", "DeveloperTier"}
    assert found["DeveloperTier"]["capacity"] == {"minimum": 1, "maximum": 250, "step": 1, "default": 50}
    assert found["Standard"]["sku"]["capacity"] == 1, "its own capacity where it has that SKU"
    assert cloud.get(f"{deployment}/skus", version="2023-05-01").refusal == (404, "NotFound")


def test_capacity_left_is_quota_less_usage(cloud):
    account = cloud.account()
    cloud.serve(account, model=cloud.tune(account), capacity=7)
    found = cloud.get(f"{S}/locations/swedencentral/modelCapacities", **MODEL).body["value"]
    standard = next(item for item in found if item["name"] == "Standard")
    assert standard["id"].endswith(
        "/locations/SwedenCentral/models/OpenAI.gpt-4.1-mini.2025-04-14/skuCapacities/Standard"
    )
    assert standard["properties"]["availableFinetuneCapacity"] == cloud.world.catalogue.limit(TUNED_QUOTA) - 7
    everywhere = cloud.get(f"{S}/modelCapacities", **MODEL).body["value"]
    assert {item["location"] for item in everywhere} >= {"SwedenCentral", "EastUS2"}
    assert cloud.get(f"{S}/modelCapacities", **{**MODEL, "modelName": "gpt-0"}).body["value"] == []


@pytest.mark.parametrize("missing", list(MODEL))
def test_capacity_needs_the_model_in_full(cloud, missing):
    query = {k: v for k, v in MODEL.items() if k != missing}
    answer = cloud.get(f"{S}/modelCapacities", **query)
    assert answer.refusal == (400, "BadRequest")
    assert missing in answer.error["message"]


def test_an_estimate_grows_with_the_workload_and_comes_in_steps(cloud):
    def ask(requests: int, sku: str = "ProvisionedManaged") -> dict[str, int]:
        workload = {
            "requestPerMinute": requests,
            "requestParameters": {"avgPromptTokens": 1000, "avgGeneratedTokens": 500},
        }
        model = {"format": "OpenAI", "name": "gpt-4.1-mini", "version": "2025-04-14"}
        body = {"model": model, "skuName": sku, "workloads": [workload]}
        return cloud.ask("POST", f"{S}/calculateModelCapacity", body).body["estimatedCapacity"]

    assert ask(0) == {"value": 0, "deployableValue": 25}
    assert ask(1000)["value"] > ask(100)["value"]
    assert ask(1000)["deployableValue"] % 25 == 0
    assert ask(10, "Standard") == {"value": 15, "deployableValue": 15}
    refused = cloud.ask("POST", f"{S}/calculateModelCapacity", {"model": {"name": "gpt-0"}, "skuName": "Standard"})
    assert refused.refusal == (400, "DeploymentModelNotSupported")


def test_skus_of_accounts_are_listed_and_checked(cloud):
    found = cloud.get(f"{S}/skus").body["value"]
    assert {"resourceType": "accounts", "name": "S0", "tier": "Standard", "kind": "OpenAI",
            "locations": ["SWEDENCENTRAL"], "restrictions": []} in found  # fmt: skip
    body = {"skus": ["S0", "F7"], "kind": "OpenAI", "type": "Microsoft.CognitiveServices/accounts"}
    checked = cloud.ask("POST", f"{S}/locations/swedencentral/checkSkuAvailability", body).body["value"]
    assert [(item["skuName"], item["skuAvailable"]) for item in checked] == [("S0", True), ("F7", False)]
    assert "reason" in checked[1]


def test_usages_are_filtered_by_name(cloud):
    path = f"{S}/locations/swedencentral/usages"
    wanted = "name.value eq 'OpenAI.S0.AccountCount' or name.value eq 'AccountCount'"
    cloud.account()
    found = cloud.get(path, _filter=wanted).body["value"]
    assert [(u["name"]["value"], u["currentValue"], u["limit"]) for u in found] == [
        ("OpenAI.S0.AccountCount", 1, 30),
        ("AccountCount", 1, 200),
    ]
    assert found[0]["name"]["localizedValue"] == "Maximum resources for OpenAI S0 sku."
    assert cloud.get(path, _filter="limit gt 3").refusal == (400, "BadRequest")


def test_operations_of_the_provider_are_listed_to_everybody(cloud):
    nobody = cloud.grant("Reader", f"/subscriptions/{TRAINING}")
    found = cloud.get("/providers/Microsoft.CognitiveServices/operations", who=nobody).body["value"]
    assert "Microsoft.CognitiveServices/accounts/deployments/write" in {o["name"] for o in found}
    assert all(set(o["display"]) == {"provider", "resource", "operation", "description"} for o in found)


def test_a_seed_raises_the_limits_it_names_where_it_names_them(cloud):
    here = {"subscription": PRODUCTION, "region": "Sweden Central"}
    raised = {"name": "OpenAI.FineTuned.Deployments", "limit": 12, **here}
    plant(cloud, quotas=[raised, {"name": "fineTunedDeployments", "limit": 11}])
    account = cloud.account()
    for number in range(11):
        cloud.serve(account, f"bot-{number}", cloud.tune(account, tuned(number)))
    cloud.tune(account, tuned(11))
    assert cloud.deploy(account, "one-more", tuned(11)).refusal == (400, "DeploymentLimitReached")
    path = f"{S}/locations/swedencentral/usages"
    usage = cloud.get(path, _filter="name.value eq 'OpenAI.FineTuned.Deployments'").body["value"][0]
    assert (usage["currentValue"], usage["limit"]) == (11, 12)
    elsewhere = cloud.get(path.replace(PRODUCTION, TRAINING), _filter="name.value eq 'OpenAI.FineTuned.Deployments'")
    assert elsewhere.body["value"][0]["limit"] == 10


@pytest.mark.parametrize("wrong", [{"region": "atlantis"}, {"subscription": "mine"}])
def test_a_seed_that_names_no_place_is_refused(cloud, wrong):
    with pytest.raises(BadSeed, match="AccountCount"):
        plant(cloud, quotas=[{"name": "AccountCount", "limit": 1, **wrong}])


# --- pause and resume ----------------------------------------------------------------------------------------------

PREVIEW = "2026-03-15-preview"


def test_a_paused_deployment_refuses_calls_until_it_is_resumed(cloud):
    account = cloud.account()
    deployment = cloud.serve(account, model=cloud.tune(account))
    for _ in range(2):
        paused = cloud.ask("POST", f"{deployment}/pause", version=PREVIEW)
        assert (paused.status, paused.body["properties"]["deploymentState"]) == (200, "Paused"), "twice is fine"
    assert cloud.chat(deployment).status == 423
    resumed = cloud.ask("POST", f"{deployment}/resume", version=PREVIEW)
    assert resumed.body["properties"]["deploymentState"] == "Running"
    assert cloud.chat(deployment).status == 200


def test_only_some_skus_and_previews_can_pause(cloud):
    account = cloud.account()
    deployment = cloud.serve(account, model=cloud.tune(account), sku="DeveloperTier")
    refused = cloud.ask("POST", f"{deployment}/pause", version=PREVIEW)
    assert refused.refusal == (400, "InvalidResourceProperties")
    for version in ("2025-06-01", "2026-07-01", "2026-01-15-preview"):
        assert cloud.ask("POST", f"{deployment}/pause", version=version).refusal == (404, "NotFound"), version


# --- versions ------------------------------------------------------------------------------------------------------


def test_unknown_versions_are_refused_only_by_switch(cloud):
    account = cloud.account()
    assert cloud.get(account, version="2024-10-21").status == 200, "Microsoft's own samples send this one"
    cloud.switch(strict_api_versions=True)
    answer = cloud.get(account, version="2024-10-21")
    assert answer.refusal == (400, "NoRegisteredProviderFound")
    assert "'2024-10-21' for type 'accounts'" in answer.error["message"]
    assert cloud.get(account).status == 200
    assert cloud.get(f"/subscriptions/{PRODUCTION}/resourceGroups", version="2021-04-01").status == 200


def test_a_version_shows_the_properties_of_an_account_that_it_knows(cloud):
    account = cloud.account(allowProjectManagement=True)
    assert cloud.get(account).body["properties"]["allowProjectManagement"] is True
    assert "allowProjectManagement" not in cloud.get(account, version="2024-10-01").body["properties"]


# --- siblings ------------------------------------------------------------------------------------------------------


def test_every_write_to_an_account_waits_for_its_deployments(cloud):
    account = cloud.account()
    cloud.tune(account)
    assert cloud.deploy(account).status == 201
    body = {"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"}, "properties": {}}
    writes = [
        ("PUT", account, body),
        ("PATCH", account, {"tags": {"a": "b"}}),
        ("DELETE", account, None),
        ("PUT", f"{account}/raiPolicies/strict", {"properties": {}}),
        ("PUT", f"{account}/deployments/other", deployment_body("gpt-4o", model_version="2024-08-06")),
        ("DELETE", f"{account}/deployments/bot", None),
    ]
    for method, path, content in writes:
        assert cloud.ask(method, path, content).refusal == (409, "RequestConflict"), (method, path)
    cloud.settle()
    assert cloud.ask("PATCH", account, {"tags": {"a": "b"}}).status == 200


def test_a_create_that_fails_is_failed_and_its_operation_says_why(cloud):
    from infra.localazure import deployments, ids

    account = cloud.account()
    cloud.tune(account)
    made = cloud.deploy(account)
    found = cloud.world.deployments.get(ids.key(f"{account}/deployments/bot"))
    deployments.fail(cloud.world, found, "InternalServerError", "It could not be made.")
    cloud.settle()
    assert cloud.get(f"{account}/deployments/bot").body["properties"]["provisioningState"] == "Failed"
    assert cloud.chat(f"{account}/deployments/bot").code == "DeploymentNotFound"
    done = cloud.get(made.headers["azure-asyncoperation"].removeprefix(cloud.world.origin), version=None).body
    assert done["status"] == "Failed"
    assert done["error"] == {"code": "InternalServerError", "message": "It could not be made."}
