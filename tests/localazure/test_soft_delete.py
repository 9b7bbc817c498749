"""Deleted accounts: 48 hours in which they can be restored, or purged for good."""

from __future__ import annotations

from datetime import datetime, timedelta

from infra.localazure import ids
from infra.localazure.world import World
from tests.localazure.cloud import PRODUCTION, TRAINING, TUNED, Cloud, account_body

SERVICE = f"/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices"
GONE = f"{SERVICE}/locations/swedencentral/resourceGroups/rg/deletedAccounts/oai-prod"


def deleted(cloud: Cloud) -> str:
    account = cloud.account()
    answer = cloud.ask("DELETE", account)
    assert (answer.status, answer.content) == (200, b""), "recorded traffic: 200 and nothing in it"
    return account


def restore(cloud: Cloud, account: str):
    return cloud.put(account, {"location": "swedencentral", "properties": {"restore": True}})


def test_a_deleted_account_is_gone_and_deleting_it_again_is_fine(cloud):
    account = deleted(cloud)
    assert cloud.get(account).refusal == (404, "ResourceNotFound")
    assert cloud.ask("DELETE", account).status == 204
    assert cloud.get(f"{SERVICE}/accounts").body["value"] == []


def test_its_name_is_taken_until_it_is_restored_or_purged(cloud):
    account = deleted(cloud)
    answer = cloud.put(account, account_body(customSubDomainName="oai-prod"))
    assert answer.refusal == (409, "FlagMustBeSetForRestore")
    assert answer.error["message"] == (
        f"An existing resource with ID '{account}' has been soft-deleted. To restore the resource, you must specify "
        "'restore' to be 'true' in the property. If you don't want to restore existing resource, please purge it first."
    )


def test_its_subdomain_stays_taken_for_everybody(cloud):
    deleted(cloud)
    cloud.group("rg", TRAINING)
    answer = cloud.put(ids.account_id(TRAINING, "rg", "other"), account_body(customSubDomainName="oai-prod"))
    assert answer.refusal == (409, "CustomDomainInUse")


def test_it_is_listed_with_its_dates(cloud):
    account = deleted(cloud)
    listed = cloud.get(f"{SERVICE}/deletedAccounts").body["value"]
    assert [a["name"] for a in listed] == ["oai-prod"]
    one = cloud.get(GONE)
    assert one.body == listed[0]
    properties = one.body["properties"]
    dates = [datetime.fromisoformat(properties[n][:26]) for n in ("deletionDate", "scheduledPurgeDate")]
    assert (dates[1] - dates[0]).total_seconds() == 48 * 3600
    assert cloud.get(GONE.replace("swedencentral", "eastus2")).refusal == (404, "ResourceNotFound"), account


def test_a_restore_brings_it_back_with_its_tuned_models_and_keys(cloud):
    account = cloud.account(disableLocalAuth=False)
    cloud.ask("PATCH", account, {"tags": {"a": "b"}})
    cloud.tune(account)
    keys = cloud.ask("POST", f"{account}/listKeys").body
    cloud.ask("DELETE", account)
    cloud.advance(hours=47)
    back = restore(cloud, account)
    assert back.status == 201
    assert back.body["properties"]["provisioningState"] == "Creating"
    cloud.settle()
    found = cloud.get(account).body
    assert (found["properties"]["customSubDomainName"], found["tags"]) == ("oai-prod", {"a": "b"})
    assert cloud.ask("POST", f"{account}/listKeys").body == keys
    assert cloud.deploy(account).status == 201, "the tuned model is there again"
    assert cloud.get(GONE).status == 404


def test_a_restore_elsewhere_is_refused_and_leaves_it_deleted(cloud):
    account = deleted(cloud)
    answer = cloud.put(account, {"location": "eastus2", "properties": {"restore": True}})
    assert answer.refusal == (409, "InvalidResourceLocation")
    bad = cloud.put(account, {"location": "swedencentral", "kind": "Oracle", "properties": {"restore": True}})
    assert bad.refusal == (400, "InvalidApiSetId")
    assert cloud.get(account).status == 404
    assert cloud.get(GONE).status == 200


def test_a_restore_needs_its_resource_group(cloud):
    account = deleted(cloud)
    cloud.ask("DELETE", ids.group_id(PRODUCTION, "rg"))
    assert restore(cloud, account).refusal == (409, "ResourceGroupBeingDeleted")
    cloud.settle()
    assert restore(cloud, account).refusal == (404, "ResourceGroupNotFound")


def test_an_account_that_stands_takes_no_harm_from_the_flag(cloud):
    account = cloud.account()
    assert restore(cloud, account).status == 200


def test_a_purge_loses_the_tuned_models_and_frees_name_and_subdomain(cloud):
    account = cloud.account()
    cloud.tune(account)
    cloud.ask("DELETE", account)
    assert cloud.ask("DELETE", GONE).status == 200
    assert cloud.get(GONE).status == 404
    assert cloud.ask("DELETE", GONE).status == 204
    assert cloud.put(account, account_body(customSubDomainName="oai-prod")).status == 201
    cloud.settle()
    assert cloud.deploy(account).refusal == (400, "DeploymentModelNotSupported"), "the model went with the purge"


def test_after_48_hours_it_is_purged_by_itself(cloud):
    account = cloud.account()
    cloud.tune(account)
    cloud.ask("DELETE", account)
    cloud.advance(hours=48)
    assert cloud.get(f"{SERVICE}/deletedAccounts").body["value"] == []
    assert restore(cloud, account).refusal == (409, "CanNotRestoreANonExistingResource")
    assert not cloud.world.subdomains
    assert not cloud.world.models


def test_the_48_hours_go_on_after_a_stop_and_a_start(tmp_path):
    from infra.localazure.http.app import App

    cloud = Cloud()
    cloud.world = World(tmp_path, cloud.world.clock)
    from infra.localazure import seed
    from tests.localazure.cloud import SEED

    seed.plant(cloud.world, SEED)
    cloud.app = App(cloud.world)
    deleted(cloud)
    cloud.advance(hours=40)
    cloud.world.close()
    cloud.world = World(tmp_path, cloud.world.clock)
    cloud.app = App(cloud.world)
    assert cloud.get(GONE).status == 200
    cloud.advance(hours=8)
    assert cloud.get(GONE).status == 404
    cloud.world.close()


def test_a_soft_deleted_account_holds_the_quota_of_its_deployments_until_the_purge(cloud):
    account = cloud.account()
    cloud.tune(account)
    cloud.serve(account, capacity=1000)
    cloud.ask("DELETE", account)
    other = cloud.account("oai-other")
    cloud.tune(other)
    answer = cloud.deploy(other, capacity=1)
    assert answer.refusal == (400, "InsufficientQuota"), "Azure frees it with the purge, not with the delete"
    cloud.ask("DELETE", GONE)
    assert cloud.deploy(other, capacity=1000).status == 201


def test_its_deployments_come_back_with_a_restore_unless_the_switch_says_no(cloud):
    for brings in (True, False):
        cloud.switch(restore_brings_deployments=brings)
        name = f"oai-{brings}".lower()
        account = cloud.account(name)
        cloud.tune(account)
        deployment = cloud.serve(account)
        cloud.ask("DELETE", account)
        assert cloud.get(deployment).status == 404
        restore(cloud, account)
        cloud.settle()
        assert (cloud.get(deployment).status == 200) is brings


def test_a_slow_delete_is_followed_to_its_end(cloud):
    cloud.switch(account_delete=60.0)
    account = cloud.account()
    answer = cloud.ask("DELETE", account)
    assert (answer.status, answer.content) == (202, b"")
    operation = answer.headers["azure-asyncoperation"].removeprefix(cloud.world.origin).split("?")[0]
    assert cloud.get(operation).body["status"] == "InProgress"
    assert cloud.get(account).body["properties"]["provisioningState"] == "Deleting"
    assert cloud.ask("DELETE", account).refusal == (409, "RequestConflict")
    cloud.advance(seconds=61)
    assert cloud.get(operation).body["status"] == "Succeeded"
    assert cloud.get(account).status == 404
    assert cloud.get(GONE).status == 200


def test_a_slow_purge_frees_the_name_only_at_its_end(cloud):
    cloud.switch(purge=60.0)
    account = deleted(cloud)
    answer = cloud.ask("DELETE", GONE)
    assert answer.status == 202
    assert cloud.put(account, account_body()).refusal == (409, "FlagMustBeSetForRestore")
    cloud.advance(seconds=61)
    assert cloud.put(account, account_body()).status == 201


def test_what_the_service_does_by_itself_is_in_the_activity_log_under_its_own_name(cloud):
    deleted(cloud)
    cloud.advance(hours=49)
    last = list(cloud.world.activities)[-1]
    assert (last.caller, last.operation.rsplit("/", 2)[-2:]) == (
        "Microsoft.CognitiveServices",
        ["deletedAccounts", "delete"],
    )
    assert TUNED not in last.resource


def test_what_does_not_exist_is_gone_already_whatever_its_name(cloud):
    cloud.group("rg")
    assert cloud.ask("DELETE", ids.account_id(PRODUCTION, "rg", "x")).status == 204


def test_a_purge_under_way_is_not_undone_nor_asked_for_twice(cloud):
    account = deleted(cloud)
    cloud.switch(purge=600.0)
    assert cloud.ask("DELETE", GONE).status == 202
    assert cloud.ask("DELETE", GONE).refusal == (409, "RequestConflict")
    assert restore(cloud, account).refusal == (409, "RequestConflict")
    cloud.advance(minutes=11)
    assert cloud.get(GONE).status == 404


def test_deleted_accounts_count_until_they_are_purged(cloud):
    limit = cloud.world.catalogue.limit("OpenAI.S0.AccountCount")
    for number in range(limit):
        assert cloud.ask("DELETE", cloud.account(f"gone-{number}")).status == 200
    cloud.group()
    one_more = ids.account_id(PRODUCTION, "rg", "one-more")
    assert cloud.put(one_more, account_body()).status == 400
    assert cloud.ask("DELETE", GONE.replace("oai-prod", "gone-0")).status in {200, 202, 204}
    assert cloud.put(one_more, account_body()).status == 201


def test_an_account_with_deployments_is_kept_where_the_switch_says_so(cloud):
    account = cloud.account()
    cloud.serve(account, "bot", "gpt-4o-mini", model_version="2024-07-18")
    cloud.switch(delete_with_deployments="refuse")
    assert cloud.ask("DELETE", account).refusal == (409, "CannotDeleteResource")


def test_what_was_due_while_nobody_asked_happened_at_its_own_moment(cloud):
    cloud.switch(account_delete=10.0)
    account = cloud.account()
    before = cloud.world.now()
    assert cloud.ask("DELETE", account).status == 202
    cloud.world.clock.advance(timedelta(hours=47))  # time goes by, as on a running clock, and nobody asks
    gone = cloud.get(GONE).body["properties"]
    assert datetime.fromisoformat(gone["deletionDate"]) == before + timedelta(seconds=10)
    cloud.world.clock.advance(timedelta(hours=2))
    assert cloud.get(GONE).status == 404, "48 hours after it was gone, not after somebody looked"
