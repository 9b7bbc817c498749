from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pytest

from components import KeepAliveJob, KeepAliveJobArgs, keep_alive, naming, questions
from tests.components.conftest import ASSIGNMENT

SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
ACCOUNT = naming.account_id(SUBSCRIPTION, "rg", "contoso")
OTHER = naming.account_id(SUBSCRIPTION, "rg", "contoso-two")
ELSEWHERE = naming.account_id("11111111-1111-4111-8111-111111111111", "rg", "abroad")
JOB, IDENTITY = "azure-native:app:Job", "azure-native:managedidentity:UserAssignedIdentity"
RULE, ACTIONS = "azure-native:monitor:ScheduledQueryRule", "azure-native:monitor:ActionGroup"
LIST = json.dumps({"version": 1, "accounts": []})
USER, CONTRIBUTOR, READER = keep_alive.CALLS, keep_alive.WRITES, keep_alive.READS


def args(**more: Any) -> KeepAliveJobArgs:
    found: Any = {
        "subscription_id": SUBSCRIPTION,
        "resource_group_name": "rg",
        "location": "swedencentral",
        "job_name": "contoso-tend",
        "image": "contoso.azurecr.io/hearth:1",
        "watch_list": LIST,
        "accounts": [ACCOUNT],
        **more,
    }
    return found


def declare(engine: Any, **more: Any) -> Any:
    return engine(lambda: {"job": KeepAliveJob("watch", args(**more)).job_id})


def grants(recorded: Any) -> set[tuple[str, str]]:
    return {
        (inputs["scope"], inputs["roleDefinitionId"].rsplit("/", 1)[-1])
        for kind, _, inputs in recorded.resources
        if kind == ASSIGNMENT
    }


def opened(value: Any) -> Any:
    """What a secret holds; the engine's mark makes an object of it."""
    if isinstance(value, dict) and pulumi.runtime.rpc._special_sig_key in value:
        return opened(value["value"])
    return value


def is_secret(value: Any) -> bool:
    return value is not opened(value)


def container(recorded: Any) -> dict[str, Any]:
    (found,) = recorded.only(JOB)["template"]["containers"]
    return found


def test_a_job_that_only_pings_may_call_the_deployments_and_read_metrics_and_nothing_else(engine):
    assert grants(declare(engine)) == {(ACCOUNT, USER), (ACCOUNT, READER)}


@pytest.mark.parametrize("wish", [{"retire": True}, {"revive": True}, {"retire": True, "revive": True}])
def test_who_writes_or_deletes_deployments_gets_the_role_that_does_it_in_the_place_of_the_lesser_one(engine, wish):
    given = grants(declare(engine, **wish))
    assert (ACCOUNT, CONTRIBUTOR) in given
    assert (ACCOUNT, USER) not in given, "OpenAI Contributor may call the models too"


def test_who_revives_reads_the_activity_log_at_the_subscription_which_covers_metrics(engine):
    given = grants(declare(engine, revive=True, accounts=[ACCOUNT, OTHER, ELSEWHERE]))
    reads = {scope for scope, role in given if role == READER}
    assert reads == {f"/subscriptions/{SUBSCRIPTION}", "/subscriptions/11111111-1111-4111-8111-111111111111"}


def test_metrics_in_batches_need_a_role_at_the_subscription_and_none_at_the_accounts(engine):
    given = grants(declare(engine, scope="subscription", accounts=[ACCOUNT, OTHER]))
    assert given == {(ACCOUNT, USER), (OTHER, USER), (f"/subscriptions/{SUBSCRIPTION}", READER)}


def test_a_scope_that_is_none_is_refused(engine):
    with pytest.raises(Exception, match="scope must be account or subscription, not tenant"):
        declare(engine, scope="tenant")


def test_a_private_registry_is_pulled_from_with_the_jobs_own_identity(engine):
    registry = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/c"
    recorded = declare(engine, registry={"registry_id": registry, "server": "c.azurecr.io"})
    assert (registry, keep_alive.PULLS) in grants(recorded)
    (found,) = opened(recorded.only(JOB)["configuration"])["registries"]
    assert found == {"server": "c.azurecr.io", "identity": "/id-of/watch"}


def test_every_grant_is_the_identitys_under_a_name_that_is_known_before_it_exists(engine):
    recorded = declare(engine, revive=True)
    ids = keep_alive.part_ids(args(revive=True), "rg")
    for kind, _, inputs in recorded.resources:
        if kind == ASSIGNMENT:
            assert inputs["principalType"] == "ServicePrincipal"
            assert inputs["principalId"] == "oid-of-watch"
            address = naming.role_assignment_id(inputs["scope"], inputs["roleAssignmentName"])
            assert address in ids.values()


def test_the_command_reads_the_watch_list_from_a_secret_and_writes_a_line_a_deployment(engine):
    recorded = declare(engine)
    found = container(recorded)
    assert found["command"] == ["hearth"]
    assert found["args"] == ["tend", "--watch-list", "env:HEARTH_WATCH_LIST", "--json"]
    assert {"name": "HEARTH_WATCH_LIST", "secretRef": "watch-list"} in found["env"]
    given = recorded.only(JOB)["configuration"]
    assert is_secret(given) or is_secret(given["secrets"]), "it may hold a webhook's address"
    (secret,) = opened(opened(given)["secrets"])
    assert opened(secret["value"]) == LIST
    assert {**secret, "value": LIST} == {"name": "watch-list", "value": LIST}


def test_only_a_job_that_may_retire_says_yes(engine):
    assert "--yes" in container(declare(engine, retire=True))["args"]
    assert "--yes" not in container(declare(engine, revive=True))["args"]


def test_the_job_logs_in_as_its_identity_and_asks_for_no_other_login_first(engine):
    variables = {v["name"]: v.get("value") for v in container(declare(engine))["env"]}
    assert variables["AZURE_CLIENT_ID"] == "client-of-watch"
    assert variables["AZURE_TOKEN_CREDENTIALS"] == "ManagedIdentityCredential"


def test_further_environment_names_another_cloud(engine):
    cloud = {"ARM_METADATA_HOSTNAME": "management.contoso.local", "AZURE_AUTHORITY_HOST": "https://login.local"}
    variables = {v["name"]: v.get("value") for v in container(declare(engine, environment=cloud))["env"]}
    assert variables.items() >= cloud.items()


def test_a_watch_list_that_no_process_can_be_given_is_refused_with_what_to_do(engine):
    with pytest.raises(Exception, match="declare a second job"):
        declare(engine, watch_list="x" * (keep_alive.LONGEST + 1))
    declare(engine, watch_list="x" * keep_alive.LONGEST)


def test_the_longest_watch_list_is_one_that_linux_still_starts_a_process_with():
    import subprocess

    for text, passes in (("x" * keep_alive.LONGEST, True), ("x" * (keep_alive.LONGEST + 1), False)):
        try:
            subprocess.run(["true"], env={keep_alive.WATCH_LIST: text, "PATH": "/bin:/usr/bin"}, check=True)
        except OSError:
            assert not passes
        else:
            assert passes


def test_logs_go_to_the_workspace_without_a_key_in_the_state(engine):
    recorded = declare(engine)
    environment = recorded.only("azure-native:app:ManagedEnvironment")
    assert environment["appLogsConfiguration"] == {"destination": "azure-monitor"}
    setting = recorded.only("azure-native:monitor:DiagnosticSetting")
    assert {log["category"] for log in setting["logs"]} == {"ContainerAppConsoleLogs", "ContainerAppSystemLogs"}
    assert setting["workspaceId"] == "/id-of/watch"


def test_a_near_deadline_and_a_watcher_that_died_are_alarms_even_if_nobody_is_named(engine):
    recorded = declare(engine)
    rules = {name: inputs for kind, name, inputs in recorded.resources if kind == RULE}
    assert set(rules) == {"watch-deadline", "watch-silent"}
    assert ACTIONS not in recorded.kinds()
    (asked,) = rules["watch-silent"]["criteria"]["allOf"]
    assert asked["query"] == questions.silent("contoso-tend")
    assert (asked["timeAggregation"], asked["operator"], asked["threshold"]) == ("Count", "GreaterThan", 0)


def test_those_who_are_named_hear_of_both(engine):
    alarms = {"emails": ["ops@contoso.example"], "webhooks": ["https://hooks.example/x"], "days_left": 3}
    recorded = declare(engine, alarms=alarms)
    group = recorded.only(ACTIONS)
    assert [one["emailAddress"] for one in group["emailReceivers"]] == ["ops@contoso.example"]
    assert [opened(one["serviceUri"]) for one in opened(group["webhookReceivers"])] == ["https://hooks.example/x"]
    assert len(group["groupShortName"]) <= 12, "Azure takes no longer one"
    rules = [inputs for kind, _, inputs in recorded.resources if kind == RULE]
    assert all(rule["actions"]["actionGroups"] == ["/id-of/watch"] for rule in rules)
    assert any(f"left < {3 * 86400} " in rule["criteria"]["allOf"][0]["query"] for rule in rules)


def test_every_part_has_an_id_that_is_known_before_it_exists(engine):
    wish = {"alarms": {"emails": ["a@b.example"]}, "revive": True}
    made: dict[str, Any] = {}

    def whole() -> dict[str, pulumi.Output[Any]]:
        component = KeepAliveJob("watch", args(**wish))
        made.update(component.resources)
        return {"job": component.job_id}

    engine(whole)
    assert set(keep_alive.part_ids(args(**wish), "rg")) == set(made)


@pytest.mark.parametrize(
    "account", ["contoso-ft-swe", "Contoso.FT_swe", "4711-bots", "a" * 64, "a" * 63 + ".", "a--b", "oai.", "x"]
)
def test_the_jobs_name_is_one_that_container_apps_takes(account):
    name = naming.job_name(account)
    assert re.fullmatch(r"[a-z]([a-z0-9]|-(?!-))*[a-z0-9]", name), name
    assert len(name) < 32


def test_accounts_of_different_names_have_jobs_of_different_names():
    names = ["a.b", "a-b", "a_b", "A-B.", "a" * 64, "a" * 63, "contoso", "contoso-tend"]
    assert len({naming.job_name(name) for name in names}) == len(names)
