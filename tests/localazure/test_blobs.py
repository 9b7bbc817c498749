"""Blobs, by Azure's own client, and the import of files from them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.storage.blob import BlobClient, BlobServiceClient, generate_blob_sas

from infra.localazure import LocalAzure, ids, roles
from tests.localazure.clients import Served
from tests.localazure.cloud import ARM, OWNER, OWNER_APP, PRODUCTION, SECRET, TENANT, assignment_body
from tests.localazure.training import chat

HOST = "contosodata.blob.core.windows.net"
STORE = f"/subscriptions/{PRODUCTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/contosodata"


def give(served: Served, role: str, scope: str = STORE) -> None:
    """Give the owner a role that works at once."""
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
    served.put(path, assignment_body(role, OWNER))


@pytest.fixture
def store(azure: LocalAzure, served: Served) -> Iterator[BlobServiceClient]:
    """A storage account with a container, and its client."""
    headers = {"authorization": f"Bearer {azure.token(OWNER, ARM)}"}
    body = {"location": "swedencentral", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    made = requests.put(f"{azure.origin}{STORE}?api-version=2023-05-01", json=body, headers=headers, timeout=5)
    assert made.status_code in {200, 201}, made.text
    give(served, "Storage Blob Data Contributor")
    credential = ClientSecretCredential(
        TENANT, OWNER_APP, SECRET, authority=azure.origin, disable_instance_discovery=True
    )
    with BlobServiceClient(f"{azure.origin}/{HOST}", credential=credential, retry_total=0) as client:
        client.create_container("training")
        yield client


def signed(store: BlobServiceClient, blob: str, *, permission: str = "r", minutes: int = 30, **more: object) -> str:
    """The signature of an address that a user delegation key made."""
    now = datetime.now(UTC)
    key = store.get_user_delegation_key(now - timedelta(minutes=1), now + timedelta(hours=1))
    return generate_blob_sas(
        "contosodata", "training", blob, user_delegation_key=key, permission=permission,
        expiry=now + timedelta(minutes=minutes), **more,
    )  # fmt: skip


def test_a_blob_is_put_read_and_deleted_by_azures_own_client(store):
    content = chat(20)
    with store.get_blob_client("training", "2026/puppy.jsonl") as blob:
        blob.upload_blob(content)
        assert blob.get_blob_properties().size == len(content)
        blob.delete_blob()
        with pytest.raises(ResourceNotFoundError) as gone:
            blob.get_blob_properties()
    assert gone.value.error_code == "BlobNotFound"


def test_a_signature_opens_one_blob_for_a_while_and_nothing_else(azure, store):
    for name in ("a.jsonl", "b.jsonl"):
        with store.get_blob_client("training", name) as blob:
            blob.upload_blob(b"{}")
    base = f"{azure.origin}/{HOST}/training"
    good = signed(store, "a.jsonl")

    def status(name: str, sas: str) -> int:
        return requests.get(f"{base}/{name}?{sas}", timeout=5).status_code

    assert status("a.jsonl", good) == 200
    assert status("b.jsonl", good) == 403, "another blob"
    assert status("a.jsonl", good.replace("sig=", "sig=x")) == 403, "another signature"
    assert status("a.jsonl", good.replace("sp=r", "sp=rw")) == 403, "more than was signed"
    assert status("a.jsonl", signed(store, "a.jsonl", minutes=-5)) == 403, "over"
    assert status("a.jsonl", signed(store, "a.jsonl", permission="d")) == 403, "for something else"
    assert status("a.jsonl", "") == 401
    with BlobClient.from_blob_url(f"{base}/a.jsonl?{signed(store, 'a.jsonl', permission='w')}") as blob:
        blob.upload_blob(b'{"a": 1}', overwrite=True)
    assert requests.get(f"{base}/a.jsonl?{good}", timeout=5).content == b'{"a": 1}'


def test_a_key_to_sign_with_takes_a_role(azure, served, store):
    for assignment in azure.world.role_assignments:
        if "Storage" in assignment.scope:
            azure.world.role_assignments.drop(roles.assignment_key(assignment.scope, assignment.name))
    now = datetime.now(UTC)
    with pytest.raises(HttpResponseError) as refused:
        store.create_container("other")
    assert refused.value.error_code == "AuthorizationPermissionMismatch"
    assert store.get_user_delegation_key(now, now + timedelta(hours=1)).value, "an Owner's actions have it"


def test_a_file_is_imported_from_a_blob_by_a_signed_address(azure, served, store):
    content = chat(20)
    with store.get_blob_client("training", "puppy.jsonl") as blob:
        blob.upload_blob(content)
    with served.classic() as client:
        for host in (f"https://{HOST}", f"{azure.origin}/{HOST}"):
            url = f"{host}/training/puppy.jsonl?{signed(store, 'puppy.jsonl')}"
            body = {"purpose": "fine-tune", "filename": "puppy.jsonl", "content_url": url}
            made = client.post("/files/import", body=body, cast_to=object)
            assert (made["status"], "bytes" in made) == ("pending", False)
            azure.advance(seconds=1)
            found = client.files.retrieve(made["id"])
            assert (found.status, found.bytes) == ("processed", len(content))
            assert client.files.content(made["id"]).content == content
    with store.get_blob_client("training", "puppy.jsonl") as blob:
        blob.delete_blob()
    with served.classic() as client:
        assert client.files.content(made["id"]).content == content, "the file is its own"
    assert "sig" not in str(list(azure.world.files)), "the signature is forgotten"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("https://www.contoso.com/trainingdata/puppy.jsonl", "nothing is fetched from elsewhere"),
        (f"https://{HOST}/training/puppy.jsonl", "AuthenticationFailed"),
        (f"https://{HOST}/training/nobody.jsonl?GOOD", "AuthenticationFailed"),
        ("https://nobody.blob.core.windows.net/training/puppy.jsonl?GOOD", "ResourceNotFound"),
        ("not an address", "nothing is fetched from elsewhere"),
    ],
)
def test_an_import_that_cannot_be_ends_in_error_with_the_reason(azure, served, store, place, why):
    url = place.replace("GOOD", signed(store, "puppy.jsonl")) if "GOOD" in place else place
    body = {"purpose": "fine-tune", "filename": "x.jsonl", "content_url": url}
    with served.v1() as client:
        made = client.post("/files/import", body=body, cast_to=object)
        azure.advance(seconds=1)
        found = client.files.retrieve(made["id"])
    assert (found.status, found.status_details.startswith("Import of file failed: ")) == ("error", True)
    assert why in found.status_details
