"""hearth preview and drift on the real engine, as a pipeline and a person have them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from infra.localazure import seed
from tests.desk import PRODUCTION, Desk
from tests.rollout.fleet import FIRST
from tests.rollout.repository import Repository

STACK, BOT, ACCOUNT = "local-target", "support-bot", "contoso-ft-swe"
ACCOUNT_ID = (
    f"/subscriptions/{PRODUCTION}/resourceGroups/rg-{ACCOUNT}/providers/Microsoft.CognitiveServices/accounts/{ACCOUNT}"
)
SOMEBODY = "eeeeeeee-0000-4000-8000-000000000009"


@pytest.fixture
def clone(both: Desk) -> Desk:
    """A desk in git, everything committed as it is up."""
    repository = Repository(both.root)
    repository.write(".gitignore", ".hearth/\n.venv\ninfra\ncomponents\n")
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "change")
    return both


def preview(desk: Desk, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What `hearth preview --json` says of a change."""
    said = desk.hearth("preview", "--changed-since", "main", "--json", *arguments, ok=code == 0)
    assert desk.code == code, said
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def somebody(desk: Desk) -> str:
    """Let somebody else own the production subscription; a token of theirs."""
    file = desk.root / ".hearth" / "somebody.yaml"
    tenant = "aaaaaaaa-0000-4000-8000-000000000001"
    principal = f"{{id: {SOMEBODY}, tenant: {tenant}, name: somebody, clientId: {SOMEBODY}, secret: theirs}}"
    role = f"{{principal: {SOMEBODY}, role: Owner, scope: /subscriptions/{PRODUCTION}}}"
    file.write_text(f"principals: [{principal}]\nroles: [{role}]\n")
    seed.plant(desk.azure.world, seed.read(file))
    form = {"client_id": SOMEBODY, "client_secret": "theirs", "grant_type": "client_credentials"}
    form["scope"] = f"{desk.azure.origin}/.default"
    found = requests.post(f"{desk.azure.origin}/{tenant}/oauth2/v2.0/token", data=form, verify=bundle(desk), timeout=9)
    token: str = found.json()["access_token"]
    return token


def bundle(desk: Desk) -> str:
    return desk.env["SSL_CERT_FILE"]


def drift(desk: Desk, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What `hearth drift --json` says."""
    said = desk.hearth("drift", STACK, "--json", *arguments, ok=code == 0)
    assert desk.code == code, said
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_a_change_is_told_by_stack_and_one_that_would_cost_an_account_is_not_let_through(clone: Desk):
    assert preview(clone) == []
    new = clone.tune("a")
    record = clone.record_file(BOT)
    record.write_text(record.read_text().replace(FIRST, new))
    clone.change(STACK, "capacity: 1}", "capacity: 200}")
    [row] = preview(clone)
    assert (row["stack"], row["counts"]["update"], row["forbidden"], row["code"]) == (STACK, 2, [], 0)
    assert row["touchedBy"] == [f"stacks/Pulumi.{STACK}.yaml", f"stacks/models/{BOT}.yaml"]
    assert "sku.capacity 1 → 200" in row["changes"][0]["fields"]
    [model] = row["models"]
    assert (model["before"], model["after"], model["how"], model["gap"]) == (FIRST, new, "up", None)

    clone.change(STACK, "name: contoso-ft-swe", "name: contoso-ft-two")
    page = clone.root / ".hearth" / "page.md"
    [row] = preview(clone, "--markdown", str(page), code=1)
    assert "Pulumi would delete the account that serves" in row["error"]
    assert f":x: **{STACK}** could not be previewed: the stack's account is" in page.read_text()

    clone.stack_file(STACK).write_text("config: {azure-native:location: [a, b]}\n")
    [row] = preview(clone, code=2)
    assert f"stacks/Pulumi.{STACK}.yaml, " in row["error"]

    clone.stack_file(STACK).unlink()
    page.unlink()
    assert preview(clone, "--markdown", str(page)) == []
    assert f"{STACK}: its file goes, and what it put up stays and costs" in page.read_text()


@pytest.mark.proof
def test_a_stack_of_a_rollout_is_previewed_as_its_rollout_would_put_it_up(clone: Desk):
    waves = f"waves: [{{name: canary, targets: {STACK}, strategy: beside}}]\n"
    (clone.root / "stacks" / "rollout.yaml").write_text(waves)
    record = clone.record_file(BOT)
    record.write_text(record.read_text().replace(FIRST, new := clone.tune("b")))
    third = clone.stack_file(STACK).read_text().replace(ACCOUNT, "contoso-third")
    clone.stack_file("third").write_text(third)
    rows = {row["stack"]: row for row in preview(clone)}
    row, first = rows[STACK], rows["third"]
    assert (first["error"], set(first["counts"])) == ("", {"create"}), "a region that is not up yet"
    assert clone.stack_file("third").read_text() == third
    clone.stack_file("third").unlink()
    assert [c["resource"] for c in row["changes"] if c["kind"] == "deployment"] == [f"{BOT}-b"]
    [model] = row["models"]
    assert (model["before"], model["after"], model["how"], model["gap"]) == (FIRST, new, "beside", False)
    assert clone.deployment(BOT).model.name == FIRST
    clone.env["AZURE_CLIENT_SECRET"] = clone.env["ARM_CLIENT_SECRET"] = "wrong"
    [row] = preview(clone, code=3)
    assert "wrong" not in row["error"], "a secret is in no report"


@pytest.mark.proof
def test_what_somebody_changed_by_hand_is_told_with_the_field_and_the_hand(clone: Desk):
    assert drift(clone) == []
    token = {"Authorization": f"Bearer {somebody(clone)}"}
    there = f"{clone.azure.origin}{ACCOUNT_ID}/deployments/{BOT}?api-version=2024-10-01"
    body = {"sku": {"name": "Standard", "capacity": 20}}
    assert requests.patch(there, json=body, headers=token, verify=bundle(clone), timeout=9).ok
    page = clone.root / ".hearth" / "page.md"
    [row] = drift(clone, "--markdown", str(page), code=1)
    assert (row["resource"], row["kind"], row["what"], row["who"]) == (BOT, "deployment", "changed", SOMEBODY)
    assert {"path": "sku.capacity", "state": 1, "azure": 20} in row["differences"]
    assert "sku.capacity 20 → 1" in row["up"]
    assert SOMEBODY in page.read_text()
    assert "sku.capacity: 20 for 1" in page.read_text()

    assert requests.delete(there, headers=token, verify=bundle(clone), timeout=9).ok
    [row] = drift(clone, code=1)
    assert (row["what"], row["who"], row["up"]) == ("deleted", SOMEBODY, "makes it again")

    clone.azure.stop()
    [row] = drift(clone, code=3)
    assert row["what"] == "not looked at"
