"""Key vaults, their keys, containers: names that are had once, what a deletion leaves, what cannot be undone."""

from __future__ import annotations

import pytest

from infra.localazure import blobs, errors, ids
from infra.localazure.world import Caller
from tests.localazure.cloud import OWNER, PRODUCTION, TENANT, TRAINING, Cloud

GROUP = ids.group_id(PRODUCTION, "rg")
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/contoso-kv"
KEY = f"{VAULT}/keys/state"
STORE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/contosostate"
CONTAINER = f"{STORE}/blobServices/default/containers/state"
DELETED = f"/subscriptions/{PRODUCTION}/providers/Microsoft.KeyVault/locations/swedencentral/deletedVaults/contoso-kv"
VERSION = "2024-11-01"


def body(**properties: object) -> dict[str, object]:
    said = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, **properties}
    return {"location": "swedencentral", "properties": said}


@pytest.fixture
def vault(cloud: Cloud) -> Cloud:
    """A cloud with a vault and a key in it."""
    cloud.group()
    assert cloud.put(VAULT, body(enableRbacAuthorization=True)).status == 201
    assert cloud.put(KEY, {"properties": {"kty": "RSA"}}).status == 200
    return cloud


def test_a_vault_says_where_it_is_and_how_long_it_is_kept_when_deleted(vault: Cloud):
    shown = vault.get(VAULT).body["properties"]
    assert shown["vaultUri"] == "https://contoso-kv.vault.azure.net/"
    assert (shown["enableSoftDelete"], shown["softDeleteRetentionInDays"]) == (True, 90)


def test_a_key_is_made_once_and_found_the_next_time(vault: Cloud):
    before = vault.get(KEY).body
    assert before["properties"]["keyUri"] == "https://contoso-kv.vault.azure.net/keys/state"
    again = vault.put(KEY, {"properties": {"kty": "EC", "keySize": 4096}})
    assert (again.status, again.body["properties"]) == (200, before["properties"]), "createIfNotExist writes nothing"
    for method in ("PATCH", "DELETE"):
        assert vault.ask(method, KEY, {}).refusal == (405, "MethodNotAllowed"), "that is the vault's own business"


def test_a_deleted_vault_keeps_its_name_until_it_is_recovered_with_its_keys(vault: Cloud):
    made = vault.get(KEY).body["properties"]
    assert vault.ask("DELETE", VAULT).status == 200
    assert vault.get(KEY).status == 404
    assert vault.put(VAULT, body()).refusal == (409, "ConflictError")
    listed = vault.get(f"/subscriptions/{PRODUCTION}/providers/Microsoft.KeyVault/deletedVaults").body["value"]
    assert [one["properties"]["vaultId"] for one in listed] == [VAULT]
    assert vault.put(VAULT, {"location": "swedencentral", "properties": {"createMode": "recover"}}).status == 201
    assert vault.get(KEY).body["properties"] == made
    assert vault.get(VAULT).body["properties"]["enableRbacAuthorization"] is True, "as it was"
    assert vault.get(DELETED).status == 404


def test_the_name_is_free_after_the_retention_or_a_purge(vault: Cloud):
    vault.ask("DELETE", VAULT)
    assert vault.ask("POST", f"{DELETED}/purge").status == 200
    assert vault.put(VAULT, body(softDeleteRetentionInDays=7)).status == 201
    vault.ask("DELETE", VAULT)
    vault.advance(days=6.9)
    assert vault.put(VAULT, body()).status == 409
    vault.advance(days=0.2)
    assert vault.put(VAULT, body()).status == 201


def test_a_group_that_is_deleted_leaves_its_vaults_recoverable(vault: Cloud):
    vault.ask("DELETE", GROUP)
    assert vault.get(DELETED).body["properties"]["vaultId"] == VAULT


def test_protection_from_purging_is_for_good(vault: Cloud):
    protected = body(enablePurgeProtection=True)
    assert vault.put(VAULT, protected).status == 200
    assert vault.put(VAULT, body(enablePurgeProtection=False)).status == 400
    assert vault.ask("PATCH", VAULT, {"properties": {"enablePurgeProtection": False}}).status == 400
    vault.ask("DELETE", VAULT)
    assert vault.ask("POST", f"{DELETED}/purge").refusal == (400, "DeletedVaultPurge")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("kv", {}),
        ("kv--kv", {}),
        ("good-kv", {"tenantId": None}),
        ("good-kv", {"sku": None}),
        ("good-kv", {"enableSoftDelete": False}),
        ("good-kv", {"softDeleteRetentionInDays": 91}),
        ("good-kv", {"createMode": "recover"}),
    ],
)
def test_a_vault_that_is_none_is_refused(cloud: Cloud, name: str, wrong: dict[str, object]):
    cloud.group()
    assert cloud.put(VAULT.replace("contoso-kv", name), body(**wrong)).status == 400


def test_a_key_needs_a_vault_and_a_kind(vault: Cloud):
    assert vault.put(KEY.replace("/state", "/other"), {"properties": {}}).status == 400
    nowhere = KEY.replace("contoso-kv", "nobody")
    assert vault.put(nowhere, {"properties": {"kty": "RSA"}}).refusal == (404, "ParentResourceNotFound")


def test_names_of_vaults_and_storage_accounts_are_had_once_in_all_of_azure(vault: Cloud):
    vault.group(subscription=TRAINING)
    assert vault.put(VAULT.replace(PRODUCTION, TRAINING), body()).refusal == (409, "VaultAlreadyExists")
    store = {"location": "swedencentral", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    assert vault.put(STORE, store).status == 201
    assert vault.put(STORE, store).status == 200
    assert vault.put(STORE.replace(PRODUCTION, TRAINING), store).refusal == (409, "StorageAccountAlreadyTaken")
    assert vault.put(STORE.replace("contosostate", "Contoso-State"), store).refusal == (400, "AccountNameInvalid")


def test_a_container_lies_in_its_account_holds_blobs_and_goes_with_it(cloud: Cloud):
    cloud.group()
    assert cloud.put(CONTAINER, {}).refusal == (404, "ParentResourceNotFound")
    cloud.put(STORE, {"location": "swedencentral", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
    made = cloud.put(CONTAINER, {"properties": {"publicAccess": "None"}})
    assert (made.status, made.body["type"]) == (201, blobs.CONTAINERS)
    assert [one["name"] for one in cloud.get(CONTAINER.rsplit("/", 1)[0]).body["value"]] == ["state"]
    assert cloud.put(CONTAINER.replace("/containers/state", "/containers/Other"), {}).refusal == (
        400,
        "InvalidResourceName",
    )
    host = f"contosostate{blobs.HOST}"
    with cloud.world.lock:
        blobs.put(cloud.world, host, "state", "a/b.json", cloud.world.contents.write([b"{}"]), "application/json")
    assert cloud.ask("DELETE", CONTAINER).status == 200
    assert not cloud.world.blobs, "its blobs are gone with it"
    cloud.put(CONTAINER, {})
    assert cloud.ask("DELETE", STORE).status == 200
    assert cloud.get(CONTAINER).status == 404
    assert not cloud.world.blobs


def test_each_write_asks_for_its_own_action(vault: Cloud):
    reader = vault.grant("Reader", GROUP)
    assert reader != OWNER
    refused = vault.put(KEY, {"properties": {"kty": "RSA"}}, who=reader)
    assert "'Microsoft.KeyVault/vaults/keys/write'" in refused.error["message"]
    vault.ask("DELETE", VAULT)
    assert vault.ask("POST", f"{DELETED}/purge", who=reader).refusal == (403, "AuthorizationFailed")


def test_a_role_at_a_container_opens_that_container_alone(cloud: Cloud):
    cloud.group()
    cloud.put(STORE, {"location": "swedencentral", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
    for name in ("state", "else"):
        cloud.put(CONTAINER.replace("/containers/state", f"/containers/{name}"), {})
    reader = cloud.grant("Storage Blob Data Reader", CONTAINER)
    account = cloud.world.generic.get(ids.key(STORE))
    assert account is not None
    caller = Caller(principal=reader, tenant=TENANT)
    blobs.require_allowed(cloud.world, account, "state", caller, "read")
    for container, verb in (("else", "read"), ("state", "write")):
        with pytest.raises(errors.AzureError):
            blobs.require_allowed(cloud.world, account, container, caller, verb)
