"""`hearth doctor` against a local Azure in which one thing after the other is wrong."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from typer.testing import CliRunner

from infra.cli.app import app
from infra.errors import HearthError
from infra.localazure import LocalAzure, VirtualClock, accounts, bodies, deployments, groups, ids, roles, softdelete
from infra.localazure.entities import Principal, RoleAssignment
from infra.localazure.seed import Seed as Planted
from infra.localazure.seed import SeedModel, SeedRole, plant, read
from infra.localazure.world import Caller
from infra.toolchain import home, versions

REPOSITORY = Path(__file__).parents[2]
TRAINING, PRODUCTION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
TENANT, OTHER_TENANT = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
DEPLOYER, CLIENT = "dddddddd-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000001"
SOURCE = ids.account_id(TRAINING, "rg-contoso-train", "contoso-train-ncus")
TARGET = ids.account_id(PRODUCTION, "rg-contoso-ft-swe", "contoso-ft-swe")
ME = Caller(principal=DEPLOYER, tenant=TENANT, client=CLIENT)


@dataclass
class Office:
    """A project, a local Azure with the source account in it, and somebody who asks the doctor."""

    root: Path
    azure: LocalAzure
    code: int = 0
    said: str = ""
    findings: list[dict[str, str]] = field(default_factory=list)

    def doctor(self, *stacks: str, code: int) -> str:
        """The report for people."""
        done = CliRunner().invoke(app, ["doctor", *(stacks or ("local-target",))])
        self.code = done.exception.exit_code if isinstance(done.exception, HearthError) else done.exit_code
        self.said = done.stdout
        assert self.code == code, f"{done.output}{done.exception!r}"
        return self.said

    def ask(self, *stacks: str, code: int) -> None:
        """The report for programs, kept."""
        self.findings = json.loads(self.doctor(*(stacks or ("local-target",)), "--json", code=code))["findings"]

    def of(self, check: str, about: str = "") -> dict[str, str]:
        """The one finding of a check, wherever it stands or about something."""
        (found,) = [f for f in self.findings if f["check"] == check and about in f["about"]]
        return found

    def states(self, *but: str) -> set[str]:
        """How everything stands, some checks left out."""
        return {f["state"] for f in self.findings if f["check"] not in but}

    def failing(self) -> list[str]:
        return [f["check"] for f in self.findings if f["state"] == "fails"]

    def change(self, file: str, old: str, new: str) -> None:
        path = self.root / "stacks" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    # --- the cloud -------------------------------------------------------------------------------------------------

    def make(self, account_id: str, location: str, subdomain: str, *, caller: Caller = ME) -> None:
        """An account, as somebody made it."""
        _, subscription, _, group, *_, name = account_id.strip("/").split("/")
        world = self.azure.world
        groups.put_group(world, caller, subscription, group, bodies.Group(location=location))
        properties = bodies.AccountProperties(custom_sub_domain_name=subdomain)
        wanted = bodies.Account(location=location, kind="OpenAI", sku=bodies.Sku(name="S0"), properties=properties)
        accounts.put(world, caller, subscription, group, name, wanted)
        world.advance(timedelta(seconds=5))

    def deploy(self, account_id: str, name: str, model: str, capacity: int) -> None:
        account = self.azure.world.account(ids.key(account_id))
        assert account is not None
        wish = bodies.Deployment(
            sku=bodies.Sku(name="Standard", capacity=capacity),
            properties=bodies.DeploymentProperties(model=bodies.DeploymentModel(name=model, version=None)),
        )
        deployments.put(self.azure.world, ME, account, name, wish)
        self.azure.world.advance(timedelta(seconds=5))

    def give(self, role: str, scope: str, principal: str = DEPLOYER) -> None:
        plant(self.azure.world, Planted(roles=[SeedRole(principal=principal, role=role, scope=scope)]))

    def take(self, under: str) -> None:
        """Take every role at and below a scope from the deployer."""
        kept = self.azure.world.role_assignments
        for one in _held(kept.of(DEPLOYER), under):
            kept.drop(roles.assignment_key(one.scope, one.name))


def _held(given: list[RoleAssignment], under: str) -> list[RoleAssignment]:
    return [one for one in given if one.scope.lower().startswith(under.lower())]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    shutil.copytree(REPOSITORY / "stacks", root / "stacks")
    plugins = root / ".hearth" / "pulumi" / "home"
    home.prepare(plugins, Path(sys.executable), env={})
    with LocalAzure(clock=VirtualClock(factor=0)) as azure:
        plant(azure.world, read(root / "stacks" / "local-azure.yaml"))
        made = Office(root, azure)
        made.make(SOURCE, "northcentralus", "contoso-train-ncus")
        made.give("Cognitive Services OpenAI Contributor", SOURCE)
        environment = {
            "HEARTH_PROJECT": str(root),
            "PATH": f"{_pulumi(tmp_path / 'bin', versions.PULUMI)}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "REQUESTS_CA_BUNDLE": str(azure.authority),
            "SSL_CERT_FILE": str(azure.authority),
            "NO_PROXY": "localhost",
            "ARM_METADATA_HOSTNAME": f"localhost:{azure.port}",
            "AZURE_AUTHORITY_HOST": azure.origin,
            **home.environment(plugins, root / ".hearth" / "pulumi" / "state"),
        }
        for prefix in ("AZURE", "ARM"):
            environment[f"{prefix}_TENANT_ID"] = TENANT
            environment[f"{prefix}_CLIENT_ID"] = CLIENT
            environment[f"{prefix}_CLIENT_SECRET"] = "local-azure-throwaway"
        for name in os.environ:
            if name.startswith(("ARM_", "AZURE_", "PULUMI_")):
                monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield made


def _pulumi(folder: Path, version: str) -> Path:
    """A folder with a `pulumi` that tells a version: all that the doctor asks of it."""
    folder.mkdir(exist_ok=True)
    command = folder / "pulumi"
    command.write_text(f"#!/bin/sh\necho v{version}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return folder


# --- all is well ---------------------------------------------------------------------------------------------------


def test_where_nothing_is_wrong_it_says_so_line_by_line_and_exits_with_0(office: Office):
    office.ask(code=0)
    assert office.states() == {"ok"}
    assert DEPLOYER in office.of("login")["fact"]
    assert TENANT in office.of("login")["fact"]
    assert office.of("login")["fact"].startswith("ClientSecretCredential")
    assert "contoso-train-ncus" in office.of("model")["fact"]
    assert office.of("pulumi")["fact"].startswith(versions.PULUMI)
    assert office.of("azure-native plugin")["fact"] == f"stand-in {versions.AZURE_NATIVE}"


def test_people_get_one_line_each_with_what_to_do_below_it(office: Office):
    office.azure.world.subscriptions.get(PRODUCTION).registered.discard("microsoft.cognitiveservices")
    said = office.doctor(code=1)
    assert "this machine and its login\n  ok          pulumi: " in said
    assert f"\nsubscription {PRODUCTION}\n" in said
    assert f"→ az provider register --namespace Microsoft.CognitiveServices --subscription {PRODUCTION}\n" in said
    assert "support-bot: region: because registration of subscription" in said
    assert "1 fails" in said


def test_it_only_reads(office: Office):
    before = len(office.azure.app.log)
    office.ask("local-source", "local-target", code=0)
    writes = {(e.method, e.path) for e in office.azure.app.log[before:] if e.method not in {"GET", "HEAD"}}
    assert {path.rsplit("/", 1)[-1] for _, path in writes} == {"token", "checkDomainAvailability"}


def test_without_a_stack_it_looks_at_all_of_them_and_at_what_they_share_once(office: Office):
    done = CliRunner().invoke(app, ["doctor", "--json"])
    found = json.loads(done.stdout)["findings"]
    assert {f["about"] for f in found if f["check"] == "wish"} == {"local-source", "local-target"}
    assert sum(f["check"] == "login" for f in found) == 1
    assert sum(f["check"] == "subscription" for f in found) == 2


def test_an_account_that_stands_with_its_deployment_asks_for_no_more_quota(office: Office):
    office.deploy(SOURCE, "legacy-bot", "gpt-35-turbo-0613.ft-b044a9d3cf9c4228b5d393567f693b83", 1)
    office.ask("local-source", code=0)
    asked = [f["fact"] for f in office.findings if f["check"] == "quota"]
    assert len(asked) == 2
    assert all(": 0 more asked for" in fact for fact in asked)
    assert "retired" in office.of("record")["fact"]
    assert office.of("record")["state"] == "warning", "the example serves a retired model on purpose"


def test_a_deployment_that_a_rollout_has_moved_to_its_other_slot_asks_for_no_more_quota_either(office: Office):
    model, tags = "gpt-35-turbo-0613.ft-b044a9d3cf9c4228b5d393567f693b83", {"hearth-stack": "hearth/local-source"}
    office.deploy(SOURCE, "legacy-bot-b", model, 1)
    office.ask("local-source", code=0)
    asked = [f["fact"] for f in office.findings if f["check"] == "quota"]
    assert len(asked) == 2
    assert all(": 1 more asked for" in fact for fact in asked), "one of another stack's is not ours"
    beside = next(d for d in office.azure.world.deployments if d.name == "legacy-bot-b")
    beside.tags = tags
    office.ask("local-source", code=0)
    asked = [f["fact"] for f in office.findings if f["check"] == "quota"]
    assert all(": 0 more asked for" in fact for fact in asked)


# --- machine and login ---------------------------------------------------------------------------------------------


def test_no_cli_on_path_is_told_and_stops_nothing_else(office: Office, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    office.ask(code=1)
    assert office.failing() == ["pulumi"]
    assert "hearth local env" in office.of("pulumi")["next"]


def test_a_cli_that_is_too_old_is_told_with_the_version_that_is_needed(office: Office, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(_pulumi(tmp_path / "old", "3.100.0")), prepend=":")
    office.ask(code=1)
    assert office.of("pulumi")["fact"].endswith(f"pulumi is 3.100.0; {versions.PULUMI} or newer is needed")


def test_a_missing_plugin_fails_only_where_the_engine_may_not_fetch_it(office: Office, monkeypatch, tmp_path):
    other = tmp_path / "home" / "plugins" / "resource-azure-native-v3.1.0"
    other.mkdir(parents=True)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    office.ask(code=1)
    assert set(office.failing()) == {"azure-native plugin", "python language host"}
    assert office.of("azure-native plugin")["fact"].endswith("3.29.0 is not installed; there is 3.1.0")
    assert office.of("azure-native plugin")["next"] == "pulumi plugin install resource azure-native 3.29.0"
    monkeypatch.delenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION")
    office.ask(code=0)
    assert office.of("azure-native plugin")["state"] == "warning"


@pytest.mark.parametrize(
    ("host", "state"),
    [("", "fails"), ("management.example.com", "fails"), ("https://127.0.0.1:8443", "ok"), ("[::1]:8443", "ok")],
)
def test_the_stand_in_is_no_plugin_for_a_cloud_beyond_this_machine(host: str, state: str):
    from infra.doctor import Plugin, tools

    found = Plugin("stand-in", versions.AZURE_NATIVE, (), fetched=False)
    assert tools.provider(found, {"ARM_METADATA_HOSTNAME": host})[0][0].value == state


def test_a_plugin_that_logs_in_as_somebody_else_is_worth_a_word(office: Office, monkeypatch):
    monkeypatch.delenv("ARM_CLIENT_SECRET")
    office.ask(code=0)
    assert office.of("login of the plugin")["state"] == "warning"
    assert office.of("login of the plugin")["next"] == 'export ARM_CLIENT_SECRET="$AZURE_CLIENT_SECRET"'


def test_no_login_is_3_and_what_needs_it_is_not_checked(office: Office, monkeypatch):
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"AZURE_{name}")
        monkeypatch.delenv(f"ARM_{name}")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    office.ask(code=3)
    assert office.failing() == ["login"]
    assert office.of("login")["fact"] == "No login to Azure was found"
    assert office.of("login")["next"].startswith("Run `az login`")
    assert office.of("cloud")["state"] == office.of("record")["state"] == "ok", "these need no login"
    assert office.of("model")["fact"] == "because login fails"


def test_a_wrong_secret_is_3_with_what_to_set(office: Office, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "mistyped")
    monkeypatch.setenv("ARM_CLIENT_SECRET", "mistyped")
    office.ask(code=3)
    assert "AADSTS7000215" in office.of("login")["fact"]
    assert "AZURE_CLIENT_SECRET" in office.of("login")["next"]


def test_a_tenant_that_is_not_is_told_as_such(office: Office, monkeypatch):
    monkeypatch.setenv("AZURE_TENANT_ID", OTHER_TENANT)
    monkeypatch.setenv("ARM_TENANT_ID", OTHER_TENANT)
    office.ask(code=3)
    assert office.failing() == ["login"]


def test_a_cloud_that_is_not_there_is_3_within_its_time_and_the_process_ends(office: Office):
    env = {**os.environ, "ARM_METADATA_HOSTNAME": "localhost:1"}
    started = time.monotonic()
    hearth = str(Path(sys.executable).parent / "hearth")
    done = subprocess.run(
        [hearth, "doctor", "local-target", "--json"], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3, done.stderr
    assert time.monotonic() - started < 30
    findings = {f["check"]: f for f in json.loads(done.stdout)["findings"]}
    assert "does not answer: connection refused" in findings["cloud"]["fact"]
    assert findings["login"]["fact"] == "because cloud fails"
    assert "Traceback" not in done.stderr


def test_an_authority_that_is_not_trusted_is_told_by_the_variable_that_names_the_bundle(
    office: Office, monkeypatch, tmp_path
):
    bundle = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    office.ask(code=3)
    assert "certificate is not trusted (REQUESTS_CA_BUNDLE" in office.of("cloud")["fact"]
    assert office.of("certificates")["state"] == "warning", "the plugin reads another variable"


def test_clocks_that_are_apart_are_worth_a_word_and_no_failure(office: Office):
    office.azure.world.advance(timedelta(days=3))
    office.ask(code=0)
    assert office.of("clock")["fact"] == "the cloud's clock is 3 d ahead of this machine's"
    assert office.states("clock") == {"ok"}


# --- subscription --------------------------------------------------------------------------------------------------


def test_a_subscription_that_does_not_exist_stops_what_is_in_it_and_not_the_source(office: Office):
    missing = "33333333-3333-4333-8333-333333333333"
    office.change("Pulumi.local-target.yaml", PRODUCTION, missing)
    office.ask(code=1)
    assert office.failing() == ["subscription"]
    assert "does not exist" in office.of("subscription", missing)["fact"]
    assert office.of("quota")["state"] == "not checked"
    assert office.of("model")["state"] == "ok"


def test_a_subscription_of_another_tenant_names_the_login_that_it_takes(office: Office):
    office.azure.world.subscriptions.get(PRODUCTION).tenant = OTHER_TENANT
    office.ask(code=1)
    assert "of another tenant than the login" in office.of("subscription", PRODUCTION)["fact"]
    assert "az login --tenant" in office.of("subscription", PRODUCTION)["next"]


@pytest.mark.parametrize(("state", "seen"), [("Warned", "warning"), ("Disabled", "fails")])
def test_a_subscription_that_is_not_enabled_is_told_by_azures_word(state: str, seen: str):
    from infra.doctor import reach
    from infra.ports.management import SubscriptionView

    found = reach._enabled(SubscriptionView(PRODUCTION, "production", TENANT, state))
    assert found[0].value == seen
    assert state in found[1]


def test_a_provider_that_is_not_registered_is_told_with_its_command(office: Office):
    office.azure.world.subscriptions.get(PRODUCTION).registered.discard("microsoft.cognitiveservices")
    office.ask(code=1)
    assert office.failing() == ["registration"]
    assert office.of("registration")["next"] == (
        f"az provider register --namespace Microsoft.CognitiveServices --subscription {PRODUCTION}"
    )
    assert office.of("roles at target")["state"] == "ok", "roles are told all the same"


# --- roles ---------------------------------------------------------------------------------------------------------


def test_a_reader_at_the_target_is_told_every_role_that_is_missing_with_its_command(office: Office):
    office.take(f"/subscriptions/{PRODUCTION}")
    scope = f"/subscriptions/{PRODUCTION}"
    office.give("Reader", scope)
    office.ask(code=1)
    assert office.failing() == ["roles at target"]
    give = f"az role assignment create --assignee-object-id {DEPLOYER} --assignee-principal-type ServicePrincipal"
    assert office.of("roles at target")["next"].splitlines() == [
        f'{give} --role "Contributor" --scope {scope}',
        f'{give} --role "Role Based Access Control Administrator" --scope {scope}',
    ], "the group is still to be made, so all of it is asked for at the subscription"


def test_where_the_group_is_there_less_is_asked_for(office: Office):
    office.take(f"/subscriptions/{PRODUCTION}")
    office.give("Reader", f"/subscriptions/{PRODUCTION}")
    groups.put_group(office.azure.world, ME, PRODUCTION, "rg-contoso-ft-swe", bodies.Group(location="swedencentral"))
    office.ask(code=1)
    assert [line.split('"')[1] for line in office.of("roles at target")["next"].splitlines()] == [
        "Cognitive Services Contributor",
        "Role Based Access Control Administrator",
    ]


def test_contributor_may_all_but_give_roles(office: Office):
    office.take(f"/subscriptions/{PRODUCTION}")
    office.give("Contributor", f"/subscriptions/{PRODUCTION}")
    office.ask(code=1)
    assert office.of("roles at target")["fact"].startswith(
        "the login may not Microsoft.Authorization/roleAssignments/write at"
    )


def test_roles_that_a_group_brings_count_also_where_permissions_may_not_be_read(office: Office):
    group = ids.new_guid()
    world = office.azure.world
    world.principals.put(group, Principal(id=group, tenant=TENANT, type="Group", name="deployers"))
    world.principals.get(DEPLOYER).member_of.append(group)
    office.take(SOURCE)
    office.take(f"/subscriptions/{TRAINING}")
    office.give("Cognitive Services OpenAI Contributor", SOURCE, group)
    office.ask(code=0)
    assert office.of("source contoso-train-ncus")["state"] == "ok"
    assert office.of("subscription", TRAINING)["state"] == "warning", (
        "a role at an account does not show its subscription"
    )
    refused = [e.path for e in office.azure.app.log if e.path.endswith("/permissions") and e.status == 403]
    assert refused, "OpenAI Contributor may read role assignments and not permissions"


def test_a_role_below_does_not_count_above(office: Office):
    office.take(f"/subscriptions/{PRODUCTION}")
    office.give("Reader", f"/subscriptions/{PRODUCTION}")
    office.make(ids.account_id(PRODUCTION, "rg-other", "other"), "swedencentral", "contoso-other")
    office.give("Owner", f"/subscriptions/{PRODUCTION}/resourceGroups/rg-other")
    office.ask(code=1)
    assert office.failing() == ["roles at target"], "to be Owner of another group gives nothing at the subscription"


def test_no_role_at_all_at_the_target_is_a_failure_and_not_a_doubt(office: Office):
    office.take(f"/subscriptions/{PRODUCTION}")
    office.ask(code=1)
    assert "holds no role there" in office.of("roles at target")["fact"]
    assert "Cognitive Services Contributor" in office.of("roles at target")["next"]


def test_no_role_at_the_source_is_told_with_the_command_that_gives_it(office: Office):
    office.take(f"/subscriptions/{TRAINING}")
    office.ask(code=1)
    assert office.failing() == ["source contoso-train-ncus"]
    assert office.of("source contoso-train-ncus")["next"] == (
        f"az role assignment create --assignee-object-id {DEPLOYER} --assignee-principal-type ServicePrincipal "
        f'--role "Cognitive Services OpenAI Contributor" --scope {SOURCE}'
    )
    assert office.of("model")["fact"] == "because source contoso-train-ncus of local-target fails"


def test_reading_at_the_source_is_not_enough_azure_asks_for_deployments_write_there(office: Office):
    office.take(f"/subscriptions/{TRAINING}")
    office.give("Cognitive Services OpenAI User", SOURCE)
    office.ask(code=1)
    assert office.failing() == ["source contoso-train-ncus"]
    assert office.of("source contoso-train-ncus")["fact"] == (
        "the login may not Microsoft.CognitiveServices/accounts/deployments/write at contoso-train-ncus"
    )


def test_a_login_that_may_call_no_model_is_told_before_an_up_waits_for_it(office: Office):
    office.change("Pulumi.local-target.yaml", DEPLOYER, "dddddddd-0000-4000-8000-000000000002")
    office.ask(code=0)
    facts = [f["fact"] for f in office.findings if f["check"] == "roles at target" and f["state"] == "warning"]
    assert len(facts) == 1
    assert "cannot prove that one serves" in facts[0]


# --- region, quota, model, record ----------------------------------------------------------------------------------


def test_a_region_that_does_not_take_the_sku_is_told_with_what_it_takes(office: Office):
    office.change("Pulumi.local-target.yaml", "swedencentral", "westeurope")
    office.ask(code=1)
    assert office.failing() == ["region"]
    assert office.of("region")["fact"] == (
        "westeurope does not take a tuned gpt-4.1-mini-2025-04-14 as Standard; it takes: DeveloperTier, GlobalStandard,"
        " ProvisionedManaged."
    )
    assert "Change sku.name" in office.of("region")["next"]


def test_quota_that_others_have_used_up_is_told_by_its_name_with_what_is_left(office: Office):
    other = ids.account_id(PRODUCTION, "rg-other", "other")
    office.make(other, "swedencentral", "contoso-other")
    model = "gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-theirs"
    plant(office.azure.world, Planted(models=[SeedModel(account=other, model=model)]))
    office.deploy(other, "theirs", model, 1000)
    office.ask(code=1)
    (failing,) = [f for f in office.findings if f["state"] == "fails"]
    assert failing["fact"] == "OpenAI.Standard.gpt4.1-mini-finetune in swedencentral: 1 more asked for, 0 left"
    assert "Lower sku.capacity" in failing["next"]


def test_the_count_of_tuned_deployments_in_the_region_is_a_quota_too(office: Office, monkeypatch):
    monkeypatch.setitem(office.azure.world.catalogue._quotas, "OpenAI.FineTuned.Deployments", 0)
    office.ask(code=1)
    (failing,) = [f for f in office.findings if f["state"] == "fails"]
    assert failing["fact"] == "OpenAI.FineTuned.Deployments in swedencentral: 1 more asked for, 0 left"


def test_a_model_that_the_source_lacks_is_told_with_the_one_that_was_meant(office: Office):
    office.change("models/support-bot.yaml", "-support\n", "-suport\n")
    office.ask(code=1)
    assert office.failing() == ["model"]
    assert "Did you mean gpt-4.1-mini-2025-04-14.ft-" in office.of("model")["fact"]
    assert office.of("model")["next"] == "Correct model in stacks/models/support-bot.yaml"


def test_a_model_that_is_not_done_is_told_by_its_status(office: Office):
    for model in office.azure.world.models:
        model.status = "running"
    office.ask(code=1)
    assert "its status is running" in office.of("model")["fact"]


def test_a_source_that_another_stack_is_still_to_make_is_a_word_and_its_name(office: Office):
    softdelete.delete_now(office.azure.world, ME, next(iter(office.azure.world.accounts)))
    office.ask(code=0)
    assert office.of("source contoso-train-ncus")["next"] == "pulumi up --stack local-source"
    assert office.of("model")["state"] == "not checked"


def test_a_source_that_nobody_makes_is_a_failure(office: Office):
    office.change("models/support-bot.yaml", "contoso-train-ncus", "contoso-trian-ncus")
    office.ask(code=1)
    assert office.failing() == ["source contoso-trian-ncus"]
    assert "Correct source" in office.of("source contoso-trian-ncus")["next"]


def test_a_missing_record_is_2_and_the_other_stack_is_looked_at_all_the_same(office: Office):
    (office.root / "stacks/models/support-bot.yaml").unlink()
    office.ask("local-source", "local-target", code=2)
    assert office.failing() == ["wish"]
    assert "there is no model record stacks/models/support-bot.yaml" in office.of("wish", "local-target")["fact"]
    assert office.of("all else")["fact"] == "because wish of local-target fails"
    assert office.of("model", "local-source")["state"] == "ok"


def test_every_mistake_of_every_kind_is_told_at_once(office: Office, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    office.take(f"/subscriptions/{TRAINING}")
    office.change("Pulumi.local-target.yaml", "swedencentral", "westeurope")
    office.make(ids.account_id(TRAINING, "rg-theirs", "theirs"), "westeurope", "contoso-ft-swe")
    office.ask(code=1)
    assert office.failing() == ["pulumi", "subdomain", "source contoso-train-ncus", "region"]


def test_a_stack_that_is_not_there_is_2_before_anything_is_asked(office: Office):
    before = len(office.azure.app.log)
    assert office.doctor("local-targt", code=2) == ""
    assert len(office.azure.app.log) == before


def test_a_stack_with_secrets_is_not_called_wrong_and_not_looked_at(office: Office):
    path = office.root / "stacks/Pulumi.local-target.yaml"
    path.write_text(path.read_text().replace(f"azure-native:subscriptionId: {PRODUCTION}",
                                             "azure-native:subscriptionId: {secure: djE6abc}"))  # fmt: skip
    office.ask(code=0)
    assert office.of("all else")["state"] == "not checked"
    assert "secrets" in office.of("all else")["fact"]


# --- names ---------------------------------------------------------------------------------------------------------


def _soft_deleted(office: Office) -> None:
    office.make(TARGET, "swedencentral", "contoso-ft-swe")
    account = office.azure.world.account(ids.key(TARGET))
    assert account is not None
    softdelete.delete_now(office.azure.world, ME, account)


@pytest.mark.parametrize(("policy", "state", "code"), [("restore", "ok", 0), ("purge", "warning", 0)])
def test_a_soft_deleted_name_is_no_failure_where_the_stack_says_what_to_do(
    office: Office, policy: str, state: str, code: int
):
    _soft_deleted(office)
    office.change("Pulumi.local-target.yaml", "softDeleted: restore", f"softDeleted: {policy}")
    office.ask(code=code)
    assert office.of("soft-deleted")["state"] == state
    assert office.of("subdomain")["state"] == "ok"


def test_a_soft_deleted_name_in_the_way_is_told_with_both_ways_out(office: Office):
    _soft_deleted(office)
    office.change("Pulumi.local-target.yaml", ", softDeleted: restore", "")
    office.ask(code=1)
    assert office.failing() == ["soft-deleted"]
    assert "softDeleted: restore" in office.of("soft-deleted")["next"]
    assert (
        f"az cognitiveservices account purge --name contoso-ft-swe --resource-group rg-contoso-ft-swe "
        f"--location swedencentral --subscription {PRODUCTION}"
    ) in office.of("soft-deleted")["next"]


def test_a_subdomain_that_somebody_else_has_is_told_with_the_key_that_names_another(office: Office):
    office.make(ids.account_id(TRAINING, "rg-theirs", "theirs"), "westeurope", "contoso-ft-swe")
    office.ask(code=1)
    assert office.failing() == ["subdomain"]
    assert "key subdomain" in office.of("subdomain")["next"]


def test_an_account_that_stands_elsewhere_or_is_only_referred_to_and_missing_is_a_failure(office: Office):
    office.make(TARGET, "westeurope", "contoso-ft-swe")
    office.ask(code=1)
    assert office.of("account")["fact"] == "contoso-ft-swe stands in westeurope, and the stack says swedencentral"
    office.change("Pulumi.local-target.yaml", "{name: contoso-ft-swe", "{manage: false, name: contoso-none")
    office.change("Pulumi.local-target.yaml", ", softDeleted: restore", "")
    office.ask(code=1)
    assert "the stack only refers to it" in office.of("account")["fact"]


# --- how checks are run --------------------------------------------------------------------------------------------


def test_a_check_that_hangs_ends_with_its_time_and_holds_up_only_what_needs_it():
    import threading

    from infra.doctor import Check, State, examine

    never = threading.Event()

    def hang() -> list[Any]:
        never.wait()
        return []

    hanging = Check("hanging", "", hang, limit=0.05)
    needing = Check("needing", "", lambda: [(State.OK, "")], (hanging,))
    found = list(examine([hanging, needing, Check("free", "", lambda: [(State.OK, "fine")])]))
    never.set()
    assert [f.state for f in found] == [State.FAILS, State.NOT_CHECKED, State.OK]
    assert found[0].fact == "no answer within 0 s"
    assert found[1].fact == "because hanging fails"
