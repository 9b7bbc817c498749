"""Check, Diff and the previews: what the plugin says before anything is written."""

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2 as proto

from infra.toolchain.azure_native.table import ROWS, Row
from infra.toolchain.azure_native.wire import UNKNOWN
from tests.toolchain.arm import ACCOUNT as ACCOUNT_ID
from tests.toolchain.arm import GROUP as GROUP_ID
from tests.toolchain.arm import Answer, Arm
from tests.toolchain.plugin import ACCOUNT, DEPLOYMENT, GROUP, ROLE, Plugin, login_of, running

SOME = proto.DiffResponse.DIFF_SOME
NONE = proto.DiffResponse.DIFF_NONE
DEPLOYED = {
    "resourceGroupName": "rg",
    "accountName": "acc",
    "deploymentName": "bot",
    "sku": {"name": "standard", "capacity": 1},
    "properties": {"model": {"format": "OpenAI", "name": "m", "version": "1"}},
    "azureApiVersion": "2025-06-01",
}


def test_the_api_version_is_added_and_all_else_stays_as_it_was_written(plugin: Plugin) -> None:
    news = {key: value for key, value in DEPLOYED.items() if key != "azureApiVersion"}

    inputs, failures = plugin.check(DEPLOYMENT, news)

    assert inputs == DEPLOYED
    assert failures == []


def test_every_missing_input_is_said_at_once(plugin: Plugin) -> None:
    _, failures = plugin.check(ROLE, {"roleAssignmentName": "g"})

    assert failures == [
        "missing required property 'scope'",
        "missing required property 'principalId'",
        "missing required property 'roleDefinitionId'",
    ]


def test_a_missing_location_says_how_to_set_one(plugin: Plugin) -> None:
    _, failures = plugin.check(GROUP, {"resourceGroupName": "rg"})

    assert failures == [
        "missing required property 'location'. Either set it explicitly or configure it with "
        "'pulumi config set azure-native:location <value>'."
    ]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"sku": {"capacity": 1}}, "missing required property 'sku.name'"),
        ({"sku": {"name": "s", "capacity": 1.5}}, "'sku.capacity' must be an integer but got 1.500000"),
        ({"sku": {"name": 7}}, "'sku.name' should be of type 'string' but got a number"),
        ({"sku": {"name": "s", "capacity": True}}, "'sku.capacity' should be of type 'integer' but got a boolean"),
        ({"properties": []}, "'properties' should be of type 'object' but got an array"),
        ({"accountName": "a"}, "'accountName' is too short (1): at least 2 characters required"),
        ({"accountName": "_a"}, "'accountName' does not match expression '^[a-zA-Z0-9][a-zA-Z0-9_.-]*$'"),
    ],
)
def test_a_wrong_value_is_said_with_its_place(plugin: Plugin, wrong: dict, text: str) -> None:
    _, failures = plugin.check(DEPLOYMENT, {**DEPLOYED, **wrong})

    assert failures == [text]


def test_what_is_not_known_yet_is_never_wrong(plugin: Plugin) -> None:
    _, failures = plugin.check(DEPLOYMENT, {**DEPLOYED, "accountName": UNKNOWN, "sku": {"name": UNKNOWN}})

    assert failures == []


def test_names_are_made_by_the_kind_of_the_resource(plugin: Plugin) -> None:
    account, _ = plugin.check(ACCOUNT, {"resourceGroupName": "rg", "location": "l"}, name="chat")
    deployment, _ = plugin.check(DEPLOYMENT, {"resourceGroupName": "rg", "accountName": "acc"}, name="chat")
    role, _ = plugin.check(ROLE, {"scope": "s", "principalId": "p", "roleDefinitionId": "r"}, name="chat")

    assert account["accountName"] == "chat19b25856", (
        "a name in Azure's own space gets a suffix, the same for the same seed"
    )
    assert account["__createBeforeDelete"] is True
    assert deployment["deploymentName"] == "chat", "a child's name need be unique in its parent only"
    assert "__createBeforeDelete" not in deployment
    assert role["roleAssignmentName"].count("-") == 4, "role assignments are named by UUIDs"


def test_a_name_that_was_made_is_kept(plugin: Plugin) -> None:
    olds = {"accountName": "chat-old", "__createBeforeDelete": True, "location": "l"}

    inputs, _ = plugin.check(ACCOUNT, {"resourceGroupName": "rg"}, olds)

    assert inputs["accountName"] == "chat-old"
    assert inputs["__createBeforeDelete"] is True


def test_the_stack_may_forbid_or_choose_automatic_names(plugin: Plugin) -> None:
    options = proto.CheckRequest.AutonamingOptions
    news = {"resourceGroupName": "rg", "location": "l"}

    chosen, _ = plugin.check(ACCOUNT, news, autonaming=options(mode=options.ENFORCE, proposed_name="acc-1"))
    _, failures = plugin.check(ACCOUNT, news, autonaming=options(mode=options.DISABLE))

    assert chosen["accountName"] == "acc-1"
    assert failures == ["missing required property 'accountName'"]


def test_the_location_comes_from_the_configuration(arm: Arm) -> None:
    with running(login_of(arm)) as plugin:
        plugin.configure({"location": "swedencentral"})
        inputs, _ = plugin.check(ACCOUNT, {"resourceGroupName": "rg", "accountName": "acc"})

    assert inputs["location"] == "swedencentral"
    assert arm.asked == [], "nothing is asked for what the configuration says"


def test_else_the_location_is_that_of_the_resource_group_asked_for_once(plugin: Plugin, arm: Arm) -> None:
    arm.answer("GET", GROUP_ID, Answer(200, {"location": "westus"}))

    first, _ = plugin.check(ACCOUNT, {"resourceGroupName": "rg", "accountName": "a1"})
    second, _ = plugin.check(ACCOUNT, {"resourceGroupName": "rg", "accountName": "a2"})

    assert (first["location"], second["location"]) == ("westus", "westus")
    assert arm.requests() == [GROUP_ID]


def test_the_location_of_a_group_that_is_not_there_yet_is_not_known(plugin: Plugin) -> None:
    inputs, failures = plugin.check(ACCOUNT, {"resourceGroupName": UNKNOWN, "accountName": "acc"})

    assert inputs["location"] is UNKNOWN
    assert failures == []


def test_the_same_inputs_are_no_change(plugin: Plugin) -> None:
    answer = plugin.diff(DEPLOYMENT, DEPLOYED, DEPLOYED)

    assert answer.changes == NONE
    assert not answer.replaces


def test_what_only_azure_has_set_is_no_change(plugin: Plugin) -> None:
    state = {**DEPLOYED, "properties": {**DEPLOYED["properties"], "raiPolicyName": "Microsoft.DefaultV2"}}

    assert plugin.diff(DEPLOYMENT, DEPLOYED, DEPLOYED, state).changes == NONE


def test_a_deployments_model_and_capacity_are_changed_in_place(plugin: Plugin) -> None:
    news = {
        **DEPLOYED,
        "sku": {"name": "standard", "capacity": 5},
        "properties": {"model": {"format": "OpenAI", "name": "n"}, "raiPolicyName": "strict"},
    }

    answer = plugin.diff(DEPLOYMENT, DEPLOYED, news)

    kinds = {path: proto.PropertyDiff.Kind.Name(change.kind) for path, change in answer.detailedDiff.items()}
    assert kinds == {
        "sku.capacity": "UPDATE",
        "properties.model.name": "UPDATE",
        "properties.model.version": "DELETE",
        "properties.raiPolicyName": "ADD",
    }
    assert answer.hasDetailedDiff
    assert not answer.replaces
    assert list(answer.diffs) == ["properties", "sku"]


def test_the_case_of_a_sku_counts_and_the_spelling_of_a_location_does_not(plugin: Plugin) -> None:
    sku = plugin.diff(DEPLOYMENT, DEPLOYED, {**DEPLOYED, "sku": {"name": "Standard", "capacity": 1}})
    place = plugin.diff(ACCOUNT, {"location": "West Europe"}, {"location": "westeurope"})

    assert sku.changes == SOME, "the official plugin compares what was written"
    assert place.changes == NONE


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.token)
def test_path_parameters_and_what_azure_cannot_change_replace(plugin: Plugin, row: Row) -> None:
    type_ = row.token.removeprefix("azure-native:")
    for key in (*row.path_parameters, *row.replaced_by):
        answer = plugin.diff(type_, {key: "one"}, {key: "two"})

        assert list(answer.replaces) == [key]
        assert answer.detailedDiff[key].kind == proto.PropertyDiff.UPDATE_REPLACE
        assert answer.deleteBeforeReplace, "the new one has the old one's name, unless that was random"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.token)
def test_nothing_else_replaces(plugin: Plugin, row: Row) -> None:
    assert not plugin.diff(
        row.token.removeprefix("azure-native:"), {"tags": {"a": "1"}, "kind": "a"}, {"kind": "b"}
    ).replaces


def test_a_randomly_named_resource_is_replaced_before_it_is_deleted(plugin: Plugin) -> None:
    olds = {"accountName": "chat-1", "__createBeforeDelete": True, "location": "a"}

    answer = plugin.diff(ACCOUNT, olds, {**olds, "location": "b"})

    assert list(answer.replaces) == ["location"]
    assert not answer.deleteBeforeReplace


def test_saying_what_was_the_case_all_along_does_not_replace(plugin: Plugin) -> None:
    answer = plugin.diff(ACCOUNT, {}, {"location": "westus"}, state={"location": "westus"})

    assert not answer.replaces
    assert answer.changes == SOME


def test_an_imported_resource_differs_not_by_its_api_version(plugin: Plugin) -> None:
    imported = {key: value for key, value in DEPLOYED.items() if key != "azureApiVersion"}

    answer = plugin.diff(DEPLOYMENT, imported, DEPLOYED, state={**DEPLOYED})

    assert answer.changes == NONE


def test_lists_differ_item_by_item(plugin: Plugin) -> None:
    olds = {"properties": {"networkAcls": {"ipRules": [{"value": "1"}, {"value": "2"}]}}}
    news = {"properties": {"networkAcls": {"ipRules": [{"value": "1"}, {"value": "3"}, {"value": "4"}]}}}

    answer = plugin.diff(ACCOUNT, olds, news)

    assert set(answer.detailedDiff) == {"properties.networkAcls.ipRules[1].value", "properties.networkAcls.ipRules[2]"}


def test_a_preview_of_a_creation_knows_the_inputs_and_nothing_else(plugin: Plugin, arm: Arm) -> None:
    inputs = {"resourceGroupName": UNKNOWN, "accountName": "acc", "kind": "OpenAI", "tags": {"a": UNKNOWN}}
    inputs["properties"] = {"customSubDomainName": "acc"}
    inputs["identity"] = {"type": "UserAssigned", "userAssignedIdentities": ["i"]}

    id_, outputs = plugin.create(ACCOUNT, inputs, preview=True)

    assert id_ == ""
    assert outputs["kind"] == "OpenAI"
    assert outputs["tags"] == {"a": UNKNOWN}
    assert outputs["properties"]["customSubDomainName"] == "acc"
    assert outputs["properties"]["endpoint"] is UNKNOWN
    assert outputs["identity"]["type"] == "UserAssigned"
    assert outputs["identity"]["userAssignedIdentities"] is UNKNOWN
    assert outputs["name"] is UNKNOWN, "the official plugin does not promise Azure's answer either"
    assert arm.asked == []


def test_a_preview_of_an_update_keeps_the_name(plugin: Plugin, arm: Arm) -> None:
    state = {"name": "acc", "location": "westus", "properties": {"endpoint": "https://acc"}}

    outputs = plugin.update(ACCOUNT, ACCOUNT_ID, state, {"kind": "OpenAI"}, preview=True)

    assert outputs["name"] == "acc"
    assert outputs["location"] == "westus"
    assert outputs["properties"] is UNKNOWN
    assert arm.asked == []


def test_what_the_plugin_does_not_offer_it_says(plugin: Plugin) -> None:
    calls = [
        lambda: plugin.stub.GetSchema(proto.GetSchemaRequest()),
        lambda: plugin.stub.Invoke(proto.InvokeRequest(tok="azure-native:storage:listKeys")),
    ]
    for call in calls:
        with pytest.raises(grpc.RpcError) as failed:
            call()
        assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "Install the official plugin" in failed.value.details()


def test_the_client_config_says_who_acts(plugin: Plugin) -> None:
    answer = plugin.stub.Invoke(proto.InvokeRequest(tok="azure-native:authorization:getClientConfig"))

    assert getattr(answer, "return")["clientId"] == "33333333-3333-3333-3333-333333333333"
