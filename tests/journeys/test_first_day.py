"""The main job, from nothing: two stacks in two regions and subscriptions, by the real engine."""

from __future__ import annotations

import json

import pytest

from tests.desk import SECRET, TRAINING, Desk

SUPPORT = "gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-support"
TRAIN_ACCOUNT = (
    f"/subscriptions/{TRAINING}/resourceGroups/rg-contoso-train"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-train-ncus"
)


def test_a_model_of_another_region_and_subscription_is_declared_serves_and_stays_as_it_is(desk: Desk):
    said = desk.up("local-source")
    assert "retired" in said, "the example's old model is worth a warning and no more"
    said = desk.pulumi("up", "--yes", "--stack", "local-target")
    assert "not proven" not in said
    desk.advance(minutes=1)  # the proof of readiness was the one call that capacity 1 allows for a while
    assert desk.hearth("chat", "local-target/support-bot", "hello").strip() == f"{SUPPORT} here. You asked: hello"

    outputs = json.loads(desk.pulumi("stack", "output", "--json", "--stack", "local-target"))
    facts = outputs["deployments"]["support-bot"]
    assert facts["id"].endswith("/accounts/contoso-ft-swe/deployments/support-bot")
    assert {k: v for k, v in facts.items() if k != "id"} == {
        "active": "support-bot",
        "standby": None,
        "model": SUPPORT,
        "version": "1",
        "source": TRAIN_ACCOUNT,
        "sku": {"name": "Standard", "capacity": 1},
        "settings": {
            "raiPolicy": "Microsoft.DefaultV2",
            "versionUpgradeOption": "OnceNewDefaultVersionAvailable",
            "tags": {"hearth-stack": "hearth/local-target"},
            "sourceTenant": None,
        },
        "previous": None,
        "held": False,
        "rollout": None,
    }
    assert outputs["account"]["location"] == "swedencentral"
    assert outputs["ready"] == {"support-bot": True}
    own = json.loads(desk.pulumi("stack", "output", "--json", "--stack", "local-source"))
    assert own["deployments"]["legacy-bot"]["source"] is None, "a model of the own account has no source"

    before = len(desk.azure.app.log)
    desk.pulumi("preview", "--expect-no-changes", "--stack", "local-target")
    desk.pulumi("preview", "--expect-no-changes", "--refresh", "--stack", "local-source")
    desk.up("local-target", "--expect-no-changes")
    writes = [r for r in list(desk.azure.app.log)[before:] if r.method in {"PUT", "PATCH", "DELETE"}]
    assert not writes, "a second run changes nothing"

    rows = json.loads(desk.hearth("status", "--json"))
    assert [(r["stack"], r["deployment"], r["ready"]) for r in rows] == [
        ("local-source", "legacy-bot", True),
        ("local-target", "support-bot", True),
    ]


@pytest.mark.proof
def test_destroy_and_up_again_restores_the_account_with_its_models(desk: Desk):
    desk.up("local-source")
    desk.up("local-target")
    desk.pulumi("destroy", "--yes", "--stack", "local-target")
    desk.pulumi("destroy", "--yes", "--stack", "local-source")
    assert not desk.azure.world.deployments
    assert all(a.deleted_at for a in desk.azure.world.accounts), "Azure keeps a deleted account for 48 hours"
    desk.up("local-source")
    desk.up("local-target")
    desk.pulumi("preview", "--expect-no-changes", "--stack", "local-source")
    desk.advance(minutes=1)
    assert desk.hearth("chat", "local-target/support-bot", "hello").startswith(SUPPORT)


def test_no_key_token_or_secret_is_printed_or_kept(desk: Desk):
    said = desk.up("local-source", "--logtostderr", "-v=9")
    said += desk.up("local-target") + desk.pulumi("stack", "export", "--stack", "local-target")
    desk.advance(minutes=1)
    said += desk.hearth("status", "--json") + desk.hearth("chat", "local-target/support-bot", "hello")
    tokens = [part for part in said.split() if part.startswith("eyJ")]
    assert not tokens
    keys = [key for account in desk.azure.world.accounts for key in account.keys]
    kept = "".join(
        file.read_text(errors="replace")
        for file in (desk.root / ".hearth").rglob("*")
        if file.is_file() and "azure" not in file.relative_to(desk.root / ".hearth").parts[0]
    )
    for secret in (SECRET, *keys, "eyJ0eXAi"):
        assert secret not in said
        assert secret not in kept
