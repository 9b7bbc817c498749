"""Read: refresh, drift and import."""

import grpc
import pytest

from tests.toolchain.arm import ACCOUNT as ACCOUNT_ID
from tests.toolchain.arm import DEPLOYMENT as DEPLOYMENT_ID
from tests.toolchain.arm import GROUP as GROUP_ID
from tests.toolchain.arm import Arm, error
from tests.toolchain.plugin import ACCOUNT, DEPLOYMENT, ROLE, Plugin, text_of

ALERT_ID = f"{GROUP_ID}/providers/Microsoft.Insights/metricAlerts/idle"
INPUTS = {
    "resourceGroupName": "rg",
    "accountName": "acc",
    "deploymentName": "bot",
    "sku": {"name": "standard", "capacity": 1},
    "properties": {"model": {"format": "OpenAI", "name": "m", "version": "1"}},
    "azureApiVersion": "2025-06-01",
}
IN_AZURE = {
    "id": DEPLOYMENT_ID,
    "name": "bot",
    "type": "Microsoft.CognitiveServices/accounts/deployments",
    "etag": '"1"',
    "sku": {"name": "Standard", "capacity": 1},
    "properties": {
        "model": {"format": "OpenAI", "name": "m", "version": "1"},
        "raiPolicyName": "Microsoft.DefaultV2",
        "versionUpgradeOption": "OnceNewDefaultVersionAvailable",
        "capabilities": {"chatCompletion": "true"},
        "provisioningState": "Succeeded",
        "rateLimits": [{"key": "token", "renewalPeriod": 60, "count": 1000}],
    },
}


def test_nothing_changed_means_the_inputs_of_before(plugin: Plugin, arm: Arm) -> None:
    arm.resources[DEPLOYMENT_ID.lower()] = IN_AZURE
    _, state, _ = plugin.read(DEPLOYMENT, DEPLOYMENT_ID)

    id_, outputs, inputs = plugin.read(DEPLOYMENT, DEPLOYMENT_ID, state, INPUTS)

    assert id_ == DEPLOYMENT_ID
    assert inputs == INPUTS, "neither Azure's defaults nor its spelling of the SKU are somebody's change"
    assert outputs["properties"]["raiPolicyName"] == "Microsoft.DefaultV2"
    assert outputs["azureApiVersion"] == "2025-06-01"


def test_a_change_made_elsewhere_goes_into_the_inputs(plugin: Plugin, arm: Arm) -> None:
    arm.resources[DEPLOYMENT_ID.lower()] = IN_AZURE
    _, state, _ = plugin.read(DEPLOYMENT, DEPLOYMENT_ID)
    arm.resources[DEPLOYMENT_ID.lower()] = {
        **IN_AZURE,
        "etag": '"2"',
        "sku": {"name": "Standard", "capacity": 7},
        "tags": {"owner": "somebody"},
        "properties": {**IN_AZURE["properties"], "raiPolicyName": "mine", "rateLimits": []},
    }

    _, _, inputs = plugin.read(DEPLOYMENT, DEPLOYMENT_ID, state, INPUTS)

    assert inputs["sku"] == {"name": "standard", "capacity": 7}, "only what changed is taken from Azure"
    assert inputs["tags"] == {"owner": "somebody"}
    assert inputs["properties"]["raiPolicyName"] == "mine", "a default that is no longer the default is a change"
    assert "rateLimits" not in inputs["properties"], "only Azure writes it"
    assert "etag" not in inputs


def test_what_was_taken_away_elsewhere_goes_from_the_inputs(plugin: Plugin, arm: Arm) -> None:
    arm.resources[DEPLOYMENT_ID.lower()] = {**IN_AZURE, "tags": {"a": "1", "b": "2"}}
    inputs = {**INPUTS, "tags": {"a": "1", "b": "2"}}
    _, state, _ = plugin.read(DEPLOYMENT, DEPLOYMENT_ID)
    arm.resources[DEPLOYMENT_ID.lower()] = {**IN_AZURE, "tags": {"a": "1"}}

    _, _, inputs = plugin.read(DEPLOYMENT, DEPLOYMENT_ID, state, inputs)

    assert inputs["tags"] == {"a": "1"}


def test_what_is_gone_has_no_id(plugin: Plugin) -> None:
    id_, _, _ = plugin.read(DEPLOYMENT, DEPLOYMENT_ID, IN_AZURE, INPUTS)

    assert id_ == ""


def test_what_may_not_be_read_is_not_taken_for_gone(plugin: Plugin, arm: Arm) -> None:
    arm.answer("GET", DEPLOYMENT_ID, error(403, "AuthorizationFailed", "no right"))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.read(DEPLOYMENT, DEPLOYMENT_ID, IN_AZURE, INPUTS)

    assert text_of(failed.value) == 'Status=403 Code="AuthorizationFailed" Message="no right"'


def test_an_import_works_the_inputs_out_of_id_and_answer(plugin: Plugin, arm: Arm) -> None:
    arm.resources[DEPLOYMENT_ID.lower()] = {**IN_AZURE, "tags": {}}

    _, _, inputs = plugin.read(DEPLOYMENT, DEPLOYMENT_ID)

    assert inputs == {
        "resourceGroupName": "rg",
        "accountName": "acc",
        "deploymentName": "bot",
        "sku": {"name": "Standard", "capacity": 1},
        "properties": {
            "model": {"format": "OpenAI", "name": "m", "version": "1"},
            "raiPolicyName": "Microsoft.DefaultV2",
            "versionUpgradeOption": "OnceNewDefaultVersionAvailable",
        },
    }, "what only Azure writes is left out, and so are empty tags"


def test_an_id_in_another_case_is_the_same_id(plugin: Plugin, arm: Arm) -> None:
    arm.resources[DEPLOYMENT_ID.lower()] = IN_AZURE

    _, _, inputs = plugin.read(DEPLOYMENT, DEPLOYMENT_ID.replace("resourceGroups", "resourcegroups"))

    assert inputs["resourceGroupName"] == "rg"


def test_an_id_of_another_type_is_said(plugin: Plugin, arm: Arm) -> None:
    arm.resources[ACCOUNT_ID.lower()] = {"id": ACCOUNT_ID}

    with pytest.raises(grpc.RpcError) as failed:
        plugin.read(DEPLOYMENT, ACCOUNT_ID)

    assert "is not the id of a Microsoft.CognitiveServices/accounts/deployments" in text_of(failed.value)


def test_a_role_assignment_is_imported_with_its_scope(plugin: Plugin, arm: Arm) -> None:
    id_ = f"{ACCOUNT_ID}/providers/Microsoft.Authorization/roleAssignments/g"
    properties = {"principalId": "p", "roleDefinitionId": "r", "scope": ACCOUNT_ID, "createdBy": "c"}
    arm.resources[id_.lower()] = {"id": id_, "name": "g", "properties": properties}

    _, outputs, inputs = plugin.read(ROLE, id_)

    assert outputs["createdBy"] == "c", "the SDK shows one level up what Azure keeps below properties"
    scope = ACCOUNT_ID.lstrip("/")
    assert inputs == {"principalId": "p", "roleDefinitionId": "r", "scope": scope, "roleAssignmentName": "g"}, (
        "without the leading slash, as the official plugin has it"
    )


def test_identities_come_back_as_the_list_that_a_program_has(plugin: Plugin, arm: Arm) -> None:
    identity = {"type": "UserAssigned", "userAssignedIdentities": {"/i1": {"clientId": "c"}}}
    arm.resources[ACCOUNT_ID.lower()] = {"id": ACCOUNT_ID, "location": "westus", "identity": identity}

    _, _, inputs = plugin.read(ACCOUNT, ACCOUNT_ID)

    assert inputs["identity"] == {"type": "UserAssigned", "userAssignedIdentities": ["/i1"]}


def test_a_flattened_type_with_a_name_of_its_own_on_the_wire(plugin: Plugin, arm: Arm) -> None:
    criteria = {
        "odataType": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
        "allOf": [{"name": "c", "threshold": 1}],
    }
    inputs = {"resourceGroupName": "rg", "ruleName": "idle", "location": "global", "criteria": criteria, "severity": 2}

    _, outputs = plugin.create("monitor:MetricAlert", inputs)

    (put,) = (asked for asked in arm.asked if asked.method == "PUT")
    assert put.body["location"] == "global"
    assert put.body["properties"]["criteria"]["odata.type"] == criteria["odataType"]
    assert outputs["criteria"] == criteria
    _, _, imported = plugin.read("monitor:MetricAlert", ALERT_ID)
    assert imported["criteria"] == criteria
