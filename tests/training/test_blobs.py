"""Training data in blobs: checked here, fetched by Azure, and no signature anywhere to be read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import requests
import yaml
from azure.identity import ClientSecretCredential
from azure.storage.blob import BlobServiceClient, generate_blob_sas

from infra.localazure import ids, roles
from infra.ports import blobs, clock
from tests.localazure.cloud import ARM, OWNER, OWNER_APP, PRODUCTION, SECRET, TENANT, assignment_body
from tests.localazure.training import chat
from tests.training.studio import Studio

HOST = "contosodata.blob.core.windows.net"
STORE = f"/subscriptions/{PRODUCTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/contosodata"


@pytest.fixture(autouse=True)
def _virtual_time(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "sleep", studio.wait)


@pytest.fixture
def store(studio: Studio):
    """A storage account with a container; gives its client."""
    headers = {"authorization": f"Bearer {studio.azure.token(OWNER, ARM)}"}
    body = {"location": "swedencentral", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
    address = f"{studio.azure.origin}{STORE}?api-version=2023-05-01"
    assert requests.put(address, json=body, headers=headers, timeout=5).status_code in {200, 201}
    role = f"{STORE}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
    studio.served.put(role, assignment_body("Storage Blob Data Contributor", OWNER))
    credential = ClientSecretCredential(
        TENANT, OWNER_APP, SECRET, authority=studio.azure.origin, disable_instance_discovery=True
    )
    with BlobServiceClient(f"{studio.azure.origin}/{HOST}", credential=credential, retry_total=0) as client:
        client.create_container("training")
        yield client


def given(store: BlobServiceClient, content: bytes, name: str = "2026/train.jsonl") -> str:
    """A blob; its address without a signature."""
    with store.get_blob_client("training", name) as blob:
        blob.upload_blob(content, overwrite=True)
        return blob.url


def everything_said(studio: Studio, said: str) -> str:
    """What was printed and what was written."""
    kept = [file.read_text() for file in (studio.root / ".hearth").rglob("*") if file.is_file()]
    return "\n".join([said, studio.errors, *kept, *(f.read_text() for f in (studio.root / "stacks").rglob("*.yaml"))])


def test_a_blob_is_checked_here_and_fetched_by_azure_with_a_signature_of_the_login(studio, store):
    studio.wish(training=given(store, chat(40)))
    said = studio.hearth("train", "bot")
    assert delegations(studio) > 0
    (file,) = studio.trainer.files.all("fine-tune")
    assert re.fullmatch(r"train-[0-9a-f]{16}\.jsonl", file.filename)
    assert studio.trainer.files.read(file.id) == chat(40)
    assert studio.calls("POST", "/files/import") == 1
    assert "training tokens:" in said
    assert not re.search(r"sig=|se=20|skoid", everything_said(studio, said))
    record = yaml.safe_load((studio.root / "stacks/models/bot.yaml").read_text())
    assert len(record["trained"]["files"]["training"]["sha256"]) == 64
    studio.hearth("train", "bot", "--again")
    assert studio.calls("POST", "/files/import") == 1, "it is found by name and bytes"


def test_a_blob_with_faults_is_not_imported(studio, store):
    studio.wish(training=given(store, chat(20) + b"{}\n"))
    studio.hearth("train", "bot", code=2)
    assert "line 21" in studio.errors
    assert not studio.calls("POST", "/files/import")


def test_without_a_check_nothing_of_it_is_read_here(studio, store):
    studio.wish(training=given(store, chat(40)))
    studio.hearth("train", "bot", "--no-check")
    reads = [entry for entry in studio.azure.app.log if entry.method == "GET" and HOST in entry.path]
    assert reads == []
    assert studio.calls("POST", "/files/import") == 1


def test_other_content_under_the_same_address_is_another_file(studio, store):
    studio.wish(training=given(store, chat(40)))
    studio.hearth("train", "bot", "--no-check")
    given(store, chat(30))
    studio.hearth("train", "bot", "--no-check")
    assert len(studio.trainer.files.all("fine-tune")) == 2
    assert len(list(studio.trainer.jobs.jobs())) == 2


def test_a_signature_may_come_from_the_environment(studio, store, monkeypatch):
    address = given(store, chat(40))
    now = datetime.now(UTC)
    key = store.get_user_delegation_key(now - timedelta(minutes=1), now + timedelta(hours=1))
    signature = generate_blob_sas(
        "contosodata", "training", "2026/train.jsonl", user_delegation_key=key, permission="r",
        expiry=now + timedelta(hours=1),
    )  # fmt: skip
    studio.wish(training={"file": address, "signature": "BLOB_SIGNATURE"})
    studio.hearth("train", "bot", code=2)
    assert "the variable BLOB_SIGNATURE is not set" in studio.errors
    monkeypatch.setenv("BLOB_SIGNATURE", f"?{signature}")
    keys = delegations(studio)
    said = studio.hearth("train", "bot")
    assert delegations(studio) == keys, "none is made where one is given"
    assert signature[-20:] not in everything_said(studio, said)


def test_a_signature_that_does_not_open_is_said_and_not_shown(studio, store, monkeypatch):
    studio.wish(training={"file": given(store, chat(40)), "signature": "BLOB_SIGNATURE"})
    monkeypatch.setenv("BLOB_SIGNATURE", "sv=2024-11-04&sr=b&sp=r&se=2099-01-01T00:00:00Z&sig=c2VjcmV0")
    said = studio.hearth("train", "bot", code=3)
    assert "not opened by the signature in the environment" in studio.errors
    assert "c2VjcmV0" not in everything_said(studio, said)


def test_without_a_role_it_is_said_which_ones_it_takes(studio, store):
    studio.wish(training=given(store, chat(40)))
    drop_storage_roles(studio)
    studio.hearth("train", "bot", code=3)
    assert "Storage Blob Data Reader and Storage Blob Delegator" in studio.errors


@pytest.mark.parametrize(
    ("address", "text"), [("training/none.jsonl", "There is no blob"), ("", "is no address of a blob")]
)
def test_what_is_not_there_is_told(studio, store, address, text):
    studio.wish(training=f"{studio.azure.origin}/{HOST}/{address}" if address else "https://contoso.example/a.jsonl")
    studio.hearth("train", "bot", code=3)
    assert text in studio.errors


@pytest.mark.parametrize(
    ("error", "text"),
    [("Failed to resolve 'a'", "(no network?)"), ("broken: https://a.example/b?sig=hidden", "https://a.example/b")],
)
def test_what_went_wrong_is_told_whole_but_for_signatures(error, text):
    fact = blobs._fact(OSError(error))
    assert fact.endswith(text)
    assert "hidden" not in fact


def delegations(studio: Studio) -> int:
    """How many keys to sign with were asked for: the only POSTs to the host of blobs."""
    return sum(entry.method == "POST" and HOST in entry.path for entry in studio.azure.app.log)


def drop_storage_roles(studio: Studio) -> None:
    with studio.azure.world.lock:
        for assignment in list(studio.azure.world.role_assignments):
            if "Storage" in assignment.scope:
                studio.azure.world.role_assignments.drop(roles.assignment_key(assignment.scope, assignment.name))


# --- files that are in Azure already -------------------------------------------------------------------------------


def test_a_file_of_the_account_is_named_by_its_id_and_checked_too(studio):
    file = studio.trainer.files.send("mine.jsonl", chat(40))
    studio.azure.advance(seconds=1)
    studio.wish(training=file.id)
    assert "training tokens:" in studio.hearth("train", "bot")
    (job,) = studio.trainer.jobs.jobs()
    assert job.training_file == file.id
    assert len(studio.trainer.files.all("fine-tune")) == 1


def test_a_file_that_is_not_the_accounts_is_told(studio):
    studio.wish(training="file-" + "0" * 32)
    studio.hearth("train", "bot", code=2)
    assert "training: oai-prod has no file" in studio.errors
