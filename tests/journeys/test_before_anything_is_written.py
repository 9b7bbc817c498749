"""What cannot work fails in preview, with the place, the fact and the next move; nothing is written."""

from __future__ import annotations

import pytest

from tests.desk import DEPLOYER, Desk

TRAIN_ACCOUNT_NAME = "contoso-train-ncus"


def preview_refused(desk: Desk, stack: str = "local-target", **env: str | None) -> str:
    """A preview that must fail and must not have written anything."""
    before = len(desk.azure.app.log)
    said = desk.pulumi("preview", "--stack", stack, ok=False, **env)
    writes = [r for r in list(desk.azure.app.log)[before:] if r.method in {"PUT", "PATCH", "DELETE"}]
    assert not writes
    assert "Traceback" not in said
    return said


def take_roles_at_source(desk: Desk) -> None:
    for assignment in desk.azure.world.role_assignments.of(DEPLOYER):
        if "11111111" in assignment.scope:
            from infra.localazure import roles

            desk.azure.world.role_assignments.drop(roles.assignment_key(assignment.scope, assignment.name))


def test_a_source_that_cannot_be_read_names_the_role_and_the_command_that_gives_it(source: Desk):
    take_roles_at_source(source)
    said = preview_refused(source)
    assert "local-target/support-bot: the login in use may not read the source account" in said
    assert (
        f"az role assignment create --assignee-object-id {DEPLOYER} "
        '--role "Cognitive Services OpenAI Contributor" --scope /subscriptions/11111111'
    ) in said


def test_a_source_that_is_not_there_yet_says_whose_turn_it_is(desk: Desk):
    said = preview_refused(desk)
    assert f"the source account {TRAIN_ACCOUNT_NAME} does not exist" in said
    assert "Put its stack up first" in said


def test_a_model_that_does_not_exist_is_told_with_the_one_that_was_meant(source: Desk):
    record = source.root / "stacks/models/support-bot.yaml"
    record.write_text(record.read_text().replace("-support", "-suport"))
    said = preview_refused(source)
    assert "has no model gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-suport" in said
    assert "Did you mean gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-support?" in said


def test_a_region_that_does_not_take_the_sku_is_told_with_what_it_takes(source: Desk):
    source.change("local-target", "swedencentral", "westeurope")
    said = preview_refused(source)
    assert "westeurope does not take a tuned gpt-4.1-mini-2025-04-14 as Standard" in said
    assert "it takes: DeveloperTier, GlobalStandard" in said


def test_more_capacity_than_the_quota_has_is_refused_before_azure_does(source: Desk):
    source.change("local-target", "capacity: 1}", "capacity: 1001}")
    assert "asks for 1001 more capacity of OpenAI.Standard.gpt4.1-mini-finetune" in preview_refused(source)


def test_every_mistake_of_a_file_is_told_at_once_with_its_line_and_without_a_traceback(desk: Desk):
    desk.change("local-target", "capacity: 1}", "capacity: 0}")
    desk.change("local-target", "model: support-bot", "modle: support-bot")
    said = preview_refused(desk)
    assert "stacks/Pulumi.local-target.yaml has 3 mistakes" in said
    assert 'line 10, hearth:deployments/support-bot/modle: unknown key; did you mean "model"?' in said
    assert "line 11, hearth:deployments/support-bot/sku/capacity: must be at least 1" in said


def test_the_broken_file_of_another_stack_blocks_nothing(desk: Desk):
    desk.stack_file("local-target").write_text("config: {hearth:account: [nonsense\n")
    desk.up("local-source")
    said = desk.hearth("check", ok=False)
    assert desk.code == 2
    assert "stacks/Pulumi.local-target.yaml has 1 mistake\n  line 1: is not YAML" in said
    assert "1 stack" in desk.hearth("check", "local-source")


def test_configuration_from_another_file_is_taken_and_its_lines_are_not_made_up(desk: Desk):
    other = desk.root / "other.yaml"
    other.write_text(desk.stack_file("local-source").read_text().replace("capacity: 1", "capacity: -1"))
    said = desk.pulumi("preview", "--stack", "local-source", "--config-file", str(other), ok=False)
    assert "hearth:deployments/legacy-bot/sku/capacity: must be at least 1" in said
    assert "line" not in said.split("has 1 mistake")[1].split("capacity:")[0]


def test_no_login_a_wrong_secret_no_network_and_a_wrong_certificate_are_each_one_clear_error(source: Desk):
    wrong = {"AZURE_CLIENT_SECRET": "wrong", "ARM_CLIENT_SECRET": "wrong"}
    assert "AADSTS7000215: Invalid client secret" in preview_refused(source, **wrong)
    half = {name: "" for name in source.env if name.startswith(("AZURE_CLIENT", "ARM_CLIENT"))}
    assert "The login in the environment (AZURE_…) cannot be used" in preview_refused(source, **half)
    nobody = dict.fromkeys(name for name in source.env if name.startswith(("AZURE_", "ARM_")) if "HOST" not in name)
    assert "No login to Azure was found. Run `az login`" in preview_refused(source, **nobody)
    nowhere = {"ARM_METADATA_HOSTNAME": "localhost:1", "AZURE_AUTHORITY_HOST": "https://localhost:1"}
    assert "connection refused" in preview_refused(source, **nowhere).lower()
    untrusted = {"SSL_CERT_FILE": "", "REQUESTS_CA_BUNDLE": ""}
    assert "certificate" in preview_refused(source, **untrusted)


def test_a_subscription_that_does_not_exist_is_named(desk: Desk):
    desk.change("local-source", "azure-native:subscriptionId: 11111111", "azure-native:subscriptionId: 99999999")
    said = desk.up("local-source", ok=False)
    assert "99999999-1111-4111-8111-111111111111" in said
    assert "could not be found" in said


@pytest.mark.proof
def test_what_would_end_the_account_that_serves_is_refused_in_preview(desk: Desk):
    desk.up("local-source")
    file = desk.stack_file("local-source")
    before = file.read_text()

    def told(old: str, new: str) -> str:
        assert old in before
        file.write_text(before.replace(old, new))
        said = desk.pulumi("preview", "--stack", "local-source", ok=False)
        file.write_text(before)
        return said

    moved = told("azure-native:location: northcentralus", "azure-native:location: swedencentral")
    assert "the stack's account is northcentralus, and its file says swedencentral" in moved
    assert "Pulumi would delete the account that serves" in told("rg-contoso-train", "rg-other")
    assert "Pulumi would delete its resource group and the account with it" in told(
        "softDeleted: restore", "manage: false"
    )
    renamed = told("legacy-bot:", "renamed-bot:")
    assert "serves gpt-35-turbo-0613.ft-b044a9d3cf9c4228b5d393567f693b83 already, as legacy-bot" in renamed
    assert "To rename it" in renamed

    deployment = next(iter(desk.azure.world.deployments))
    deployment.paused = True
    assert "HEARTH_READY=off" in desk.pulumi("destroy", "--yes", "--stack", "local-source", ok=False)
    desk.pulumi("destroy", "--yes", "--stack", "local-source", HEARTH_READY="off")
    file.write_text(before.replace("softDeleted: restore", "softDeleted: refuse"))
    said = desk.pulumi("preview", "--stack", "local-source", ok=False)
    assert "Say what becomes of it in hearth:account.softDeleted" in said
