"""Create, update and delete: every way in which Azure answers a write."""

import time

import grpc
import pytest

from tests.toolchain.arm import ACCOUNT as ACCOUNT_ID
from tests.toolchain.arm import DEPLOYMENT as DEPLOYMENT_ID
from tests.toolchain.arm import GROUP as GROUP_ID
from tests.toolchain.arm import Answer, Arm, error
from tests.toolchain.plugin import ACCOUNT, DEPLOYMENT, GROUP, ROLE, Plugin, half_done, text_of

ACCOUNT_INPUTS = {"resourceGroupName": "rg", "accountName": "acc", "kind": "OpenAI", "location": "swedencentral"}
DEPLOYMENT_INPUTS = {
    "resourceGroupName": "rg",
    "accountName": "acc",
    "deploymentName": "bot",
    "sku": {"name": "standard", "capacity": 1.0},
    "properties": {"model": {"format": "OpenAI", "name": "m", "version": "1"}},
    "azureApiVersion": "2025-06-01",
}
OPERATION = "/subscriptions/s/providers/Microsoft.CognitiveServices/locations/l/operationResults/1"
ACCEPTED = {"id": ACCOUNT_ID, "properties": {"provisioningState": "Accepted"}}
SUCCEEDED = {
    "id": ACCOUNT_ID,
    "kind": "OpenAI",
    "properties": {"provisioningState": "Succeeded", "endpoint": "https://acc"},
}


def test_create_looks_first_then_puts_then_reads_what_azure_made_of_it(plugin: Plugin, arm: Arm) -> None:
    id_, outputs = plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert id_ == DEPLOYMENT_ID
    assert outputs["name"] == "bot"
    assert outputs["azureApiVersion"] == "2025-06-01"
    assert [asked.method for asked in arm.asked] == ["GET", "PUT", "GET"]
    assert all(asked.query == {"api-version": ["2025-06-01"]} for asked in arm.asked)


def test_the_body_is_what_azure_reads_and_numbers_are_whole(plugin: Plugin, arm: Arm) -> None:
    plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    (put,) = (asked for asked in arm.asked if asked.method == "PUT")
    assert put.body == {
        "sku": {"name": "standard", "capacity": 1},
        "properties": {"model": {"format": "OpenAI", "name": "m", "version": "1"}},
    }
    assert "1.0" not in str(put.body), "the protocol has doubles only, and Azure wants an integer capacity"


def test_a_resource_that_is_there_is_not_taken_over_by_accident(plugin: Plugin, arm: Arm) -> None:
    arm.resources[DEPLOYMENT_ID.lower()] = {"id": DEPLOYMENT_ID}

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert text_of(failed.value) == f"cannot create already existing resource '{DEPLOYMENT_ID}'"
    assert arm.requests("PUT") == []


def test_200_with_nothing_in_it_counts_as_not_there(plugin: Plugin, arm: Arm) -> None:
    arm.answer("GET", DEPLOYMENT_ID, Answer(200, None))

    id_, _ = plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert id_ == DEPLOYMENT_ID


def test_what_cannot_be_looked_up_is_not_created(plugin: Plugin, arm: Arm) -> None:
    arm.answer("GET", DEPLOYMENT_ID, error(403, "AuthorizationFailed", "The client has no right."))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert text_of(failed.value).startswith(f"cannot check existence of resource '{DEPLOYMENT_ID}': ")
    assert 'Code="AuthorizationFailed"' in text_of(failed.value)
    assert arm.requests("PUT") == []


def test_azure_asyncoperation_is_followed_to_its_end(plugin: Plugin, arm: Arm) -> None:
    arm.answer("PUT", ACCOUNT_ID, Answer(201, ACCEPTED, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}?t=1"}))
    arm.answer(
        "GET",
        OPERATION,
        Answer(200, {"status": "InProgress"}, {"Retry-After": "0"}),
        Answer(200, {"status": "Succeeded"}),
    )
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, SUCCEEDED))

    _, outputs = plugin.create(ACCOUNT, ACCOUNT_INPUTS)

    assert arm.requests("GET").count(OPERATION) == 2
    assert outputs["properties"]["endpoint"] == "https://acc", "the outputs are those of the finished resource"


def test_location_is_followed_also_when_it_names_no_host_and_no_version(plugin: Plugin, arm: Arm) -> None:
    arm.answer("PUT", ACCOUNT_ID, Answer(202, ACCEPTED, {"Location": OPERATION, "Retry-After": "0"}))
    arm.answer("GET", OPERATION, Answer(202, None, {"Retry-After": "0"}), Answer(200, SUCCEEDED))
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, SUCCEEDED))

    plugin.create(ACCOUNT, ACCOUNT_INPUTS)

    polled = [asked for asked in arm.asked if asked.path == OPERATION]
    assert len(polled) == 2
    assert polled[0].query == {"api-version": ["2025-06-01"]}


def test_without_headers_the_provisioning_state_tells(plugin: Plugin, arm: Arm) -> None:
    arm.answer("PUT", ACCOUNT_ID, Answer(201, ACCEPTED))
    arm.answer(
        "GET",
        ACCOUNT_ID,
        error(404, "ResourceNotFound", "no"),
        Answer(200, ACCEPTED),
        Answer(200, SUCCEEDED),
        Answer(200, SUCCEEDED),
    )

    _, outputs = plugin.create(ACCOUNT, ACCOUNT_INPUTS)

    assert outputs["properties"]["provisioningState"] == "Succeeded"


def test_retry_after_is_honoured(plugin: Plugin, arm: Arm) -> None:
    arm.answer(
        "PUT",
        ACCOUNT_ID,
        Answer(201, ACCEPTED, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}", "Retry-After-Ms": "300"}),
    )
    arm.answer("GET", OPERATION, Answer(200, {"status": "Succeeded"}))
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, SUCCEEDED))

    started = time.monotonic()
    plugin.create(ACCOUNT, ACCOUNT_INPUTS)

    assert time.monotonic() - started >= 0.3, "left alone, the first look would come after a tenth of a second"


def test_an_operation_that_fails_leaves_the_resource_in_the_state_with_its_reason(plugin: Plugin, arm: Arm) -> None:
    arm.answer("PUT", ACCOUNT_ID, Answer(201, ACCEPTED, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}"}))
    arm.answer(
        "GET", OPERATION, Answer(200, {"status": "Failed", "error": {"code": "QuotaExceeded", "message": "No more."}})
    )
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, ACCEPTED))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(ACCOUNT, ACCOUNT_INPUTS)

    assert text_of(failed.value) == 'Status=200 Code="QuotaExceeded" Message="No more."'
    detail = half_done(failed.value)
    assert detail.id == ACCOUNT_ID
    assert list(detail.reasons) == ['Status=200 Code="QuotaExceeded" Message="No more."']
    assert detail.properties["properties"]["provisioningState"] == "Accepted"
    assert detail.inputs["accountName"] == "acc", "the next `up` compares with what was asked for"


def test_a_failed_provisioning_state_is_a_half_done_resource_too(plugin: Plugin, arm: Arm) -> None:
    failed_body = {"id": ACCOUNT_ID, "properties": {"provisioningState": "Failed"}}
    arm.answer("PUT", ACCOUNT_ID, Answer(201, failed_body))
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, failed_body))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(ACCOUNT, ACCOUNT_INPUTS)

    assert half_done(failed.value).id == ACCOUNT_ID


def test_a_resource_that_takes_longer_than_its_timeout_is_half_done(plugin: Plugin, arm: Arm) -> None:
    arm.answer(
        "PUT",
        ACCOUNT_ID,
        Answer(201, ACCEPTED, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}", "Retry-After": "5"}),
    )
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, ACCEPTED))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(ACCOUNT, ACCOUNT_INPUTS, timeout=0.05)

    assert "had not finished after 0.05 s" in text_of(failed.value)
    assert half_done(failed.value).id == ACCOUNT_ID


def test_a_resource_that_cannot_be_read_after_the_write_is_not_lost(plugin: Plugin, arm: Arm) -> None:
    gone = error(404, "ResourceNotFound", "not replicated yet")
    arm.answer("GET", DEPLOYMENT_ID, gone, gone)

    id_, outputs = plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert id_ == DEPLOYMENT_ID
    assert outputs["sku"] == {"name": "standard", "capacity": 1}, "what the write answered must do"


def test_a_refused_write_is_no_half_done_resource(plugin: Plugin, arm: Arm) -> None:
    arm.answer("PUT", DEPLOYMENT_ID, error(400, "InsufficientQuota", "This operation require 5 new capacity."))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert (
        text_of(failed.value) == 'Status=400 Code="InsufficientQuota" Message="This operation require 5 new capacity."'
    )
    assert "grpc-status-details-bin" not in dict(failed.value.trailing_metadata()), (
        "there is nothing to keep in the state"
    )


def test_a_busy_sibling_is_said_and_not_waited_for(plugin: Plugin, arm: Arm) -> None:
    message = f"Another operation is being performed on the parent resource '{ACCOUNT_ID}'. Please try again later."
    arm.answer("PUT", DEPLOYMENT_ID, error(409, "RequestConflict", message))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert text_of(failed.value) == f'Status=409 Code="RequestConflict" Message="{message}"', (
        "error hooks look for the code"
    )
    assert len(arm.requests("PUT")) == 1, "the official plugin does not repeat this one"


@pytest.mark.parametrize(
    "answer",
    [
        error(409, "AnotherOperationInProgress", "wait"),
        error(429, "TooManyRequests", "slow down"),
        error(503, "ServiceUnavailable", "later"),
    ],
)
def test_what_passes_by_itself_is_tried_again(plugin: Plugin, arm: Arm, answer: Answer) -> None:
    answer.headers["Retry-After"] = "0"
    arm.answer("PUT", DEPLOYMENT_ID, answer, answer, answer)

    id_, _ = plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert id_ == DEPLOYMENT_ID
    assert len(arm.requests("PUT")) == 4


def test_after_three_more_tries_it_gives_up(plugin: Plugin, arm: Arm) -> None:
    busy = error(429, "TooManyRequests", "slow down")
    busy.headers["Retry-After"] = "0"
    arm.answer("PUT", DEPLOYMENT_ID, *[busy] * 4)

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert 'Code="TooManyRequests"' in text_of(failed.value)


def test_nobody_waits_longer_than_two_minutes_for_a_retry(plugin: Plugin, arm: Arm) -> None:
    busy = error(429, "TooManyRequests", "come back tomorrow")
    busy.headers["Retry-After"] = "86400"
    arm.answer("PUT", DEPLOYMENT_ID, busy)

    with pytest.raises(grpc.RpcError):
        plugin.create(DEPLOYMENT, DEPLOYMENT_INPUTS)

    assert len(arm.requests("PUT")) == 1


def test_an_update_is_one_put_without_a_look_before(plugin: Plugin, arm: Arm) -> None:
    changed = {**DEPLOYMENT_INPUTS, "sku": {"name": "standard", "capacity": 5}}

    outputs = plugin.update(DEPLOYMENT, DEPLOYMENT_ID, DEPLOYMENT_INPUTS, changed)

    assert [asked.method for asked in arm.asked] == ["PUT", "GET"]
    assert outputs["sku"]["capacity"] == 5


def test_a_failed_update_is_half_done(plugin: Plugin, arm: Arm) -> None:
    arm.resources[ACCOUNT_ID.lower()] = SUCCEEDED
    arm.answer("PUT", ACCOUNT_ID, Answer(200, ACCEPTED, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}"}))
    arm.answer("GET", OPERATION, Answer(200, {"status": "Canceled", "error": {"code": "C", "message": "M"}}))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.update(ACCOUNT, ACCOUNT_ID, ACCOUNT_INPUTS, {**ACCOUNT_INPUTS, "tags": {"a": "b"}})

    assert half_done(failed.value).inputs["tags"]["a"] == "b"


def test_delete_waits_until_it_is_gone(plugin: Plugin, arm: Arm) -> None:
    arm.answer("DELETE", GROUP_ID, Answer(202, None, {"Location": f"{arm.address}{OPERATION}", "Retry-After": "0"}))
    arm.answer("GET", OPERATION, Answer(202, None, {"Retry-After": "0"}), Answer(200, None))

    plugin.delete(GROUP, GROUP_ID)

    assert arm.requests("GET") == [OPERATION, OPERATION]


def test_what_is_not_there_is_deleted_already(plugin: Plugin, arm: Arm) -> None:
    arm.answer("DELETE", DEPLOYMENT_ID, error(404, "ResourceNotFound", "no"))

    plugin.delete(DEPLOYMENT, DEPLOYMENT_ID)


def test_the_record_of_a_deletion_may_go_with_what_it_deletes(plugin: Plugin, arm: Arm) -> None:
    arm.answer(
        "DELETE", GROUP_ID, Answer(202, None, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}", "Retry-After": "0"})
    )

    plugin.delete(GROUP, GROUP_ID)

    assert arm.requests("GET") == [OPERATION]


def test_a_refused_deletion_is_said(plugin: Plugin, arm: Arm) -> None:
    arm.answer("DELETE", DEPLOYMENT_ID, error(409, "RequestConflict", "busy"))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.delete(DEPLOYMENT, DEPLOYMENT_ID)

    assert text_of(failed.value) == 'Status=409 Code="RequestConflict" Message="busy"'


def test_a_scope_stands_in_the_path_as_it_is(plugin: Plugin, arm: Arm) -> None:
    plugin.create(ROLE, {"scope": ACCOUNT_ID, "roleAssignmentName": "g", "principalId": "p", "roleDefinitionId": "r"})

    (put,) = (asked for asked in arm.asked if asked.method == "PUT")
    assert put.path == f"{ACCOUNT_ID}/providers/Microsoft.Authorization/roleAssignments/g"
    assert put.body == {"properties": {"principalId": "p", "roleDefinitionId": "r"}}


def test_identities_are_a_list_in_a_program_and_an_object_for_azure(plugin: Plugin, arm: Arm) -> None:
    identity = {"type": "UserAssigned", "userAssignedIdentities": ["/subscriptions/s/i1"]}

    _, outputs = plugin.create(ACCOUNT, {**ACCOUNT_INPUTS, "identity": identity})

    assert arm.resources[ACCOUNT_ID.lower()]["identity"]["userAssignedIdentities"] == {"/subscriptions/s/i1": {}}
    assert outputs["identity"]["userAssignedIdentities"] == {"/subscriptions/s/i1": {}}


def test_a_version_in_the_type_is_the_version_in_the_request(plugin: Plugin, arm: Arm) -> None:
    inputs = {**DEPLOYMENT_INPUTS, "properties": {"deploymentState": "Paused"}}

    plugin.create("cognitiveservices/v20251201:Deployment", inputs)

    assert {asked.query["api-version"][0] for asked in arm.asked} == {"2025-12-01"}
    (put,) = (asked for asked in arm.asked if asked.method == "PUT")
    assert put.body["properties"] == {"deploymentState": "Paused"}, (
        "nobody here knows what that version has, so nothing is dropped"
    )


def test_what_the_sdk_does_not_know_is_dropped(plugin: Plugin, arm: Arm) -> None:
    plugin.create(DEPLOYMENT, {**DEPLOYMENT_INPUTS, "properties": {"modle": {}}})

    (put,) = (asked for asked in arm.asked if asked.method == "PUT")
    assert put.body["properties"] == {}


def test_an_unknown_type_names_the_official_plugin(plugin: Plugin) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        plugin.create("network:VirtualNetwork", {})

    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "Install the official plugin" in text_of(failed.value)


def test_stop_ends_a_wait_and_says_what_azure_has(plugin: Plugin, arm: Arm) -> None:
    arm.answer(
        "PUT",
        ACCOUNT_ID,
        Answer(201, ACCEPTED, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}", "Retry-After": "60"}),
    )
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, ACCEPTED))
    arm.on_put = plugin.service.stop

    with pytest.raises(grpc.RpcError) as failed:
        plugin.create(ACCOUNT, ACCOUNT_INPUTS)

    assert "Stopped before Azure had finished" in text_of(failed.value)
    assert half_done(failed.value).id == ACCOUNT_ID


def test_a_key_of_a_vault_cannot_be_deleted_and_the_way_round_is_said(plugin: Plugin, arm: Arm) -> None:
    key = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv/keys/state"

    with pytest.raises(grpc.RpcError) as failed:
        plugin.delete("keyvault:Key", key)

    assert "Give it `deleted_with` its vault" in text_of(failed.value)
    assert arm.requests("DELETE") == []
