"""The real engine with the stand-in plugin: whole stories of a few resources."""

import json
import signal
from pathlib import Path

import pytest

from tests.toolchain.arm import ACCOUNT as ACCOUNT_ID
from tests.toolchain.arm import DEPLOYMENT as DEPLOYMENT_ID
from tests.toolchain.arm import GROUP as GROUP_ID
from tests.toolchain.arm import Answer, Arm, error
from tests.toolchain.engine import Engine
from tests.toolchain.test_language_host import until

OPERATION = "/operations/1"
CONFLICT = error(409, "RequestConflict", "Another operation is being performed on the parent resource.")

FOUR = """
    import pulumi
    from pulumi_azure_native import authorization, cognitiveservices, resources

    group = resources.ResourceGroup("group", resource_group_name="rg", location="Sweden Central")
    account = cognitiveservices.Account(
        "account", account_name="acc", resource_group_name=group.name, location="swedencentral", kind="OpenAI",
        sku=cognitiveservices.SkuArgs(name="S0"),
        properties=cognitiveservices.AccountPropertiesArgs(custom_sub_domain_name="acc", disable_local_auth=True),
    )
    role = authorization.RoleAssignment(
        "role", scope=account.id, principal_id="p", principal_type="ServicePrincipal", role_definition_id="r",
        role_assignment_name="11111111-2222-3333-4444-555555555555",
    )
    deployment = cognitiveservices.Deployment(
        "bot", deployment_name="bot", account_name=account.name, resource_group_name=group.name,
        sku=cognitiveservices.SkuArgs(name="standard", capacity=1),
        properties=cognitiveservices.DeploymentPropertiesArgs(
            model=cognitiveservices.DeploymentModelArgs(format="OpenAI", name="m", version="1"),
        ),
    )
    pulumi.export("id", deployment.id)
"""

ONE = """
    import pulumi
    from pulumi_azure_native import cognitiveservices

    {before}
    cognitiveservices.Deployment(
        "bot", deployment_name="bot", account_name="acc", resource_group_name="rg",
        sku=cognitiveservices.SkuArgs(name="standard", capacity=1), opts=pulumi.ResourceOptions({options}),
    )
"""


def resources_of(engine: Engine) -> dict[str, dict[str, object]]:
    """The stack's own resources by name, as the state has them."""
    exported = json.loads(engine.run("stack", "export"))
    found = exported["deployment"].get("resources", [])
    return {each["urn"].rpartition("::")[2]: each for each in found if "azure-native:" in each["type"]}


def test_four_resources_are_made_left_alone_changed_and_taken_away(azure: Engine, arm: Arm) -> None:
    azure.write(FOUR)
    previewed = azure.run("preview")
    assert "+ 5 to create" in previewed
    assert arm.asked == [], "a preview of a new stack has nothing to ask"

    azure.run("up", "--yes", "--skip-preview")
    assert json.loads(azure.run("stack", "output", "--json")) == {"id": DEPLOYMENT_ID}
    assert len(arm.resources) == 4

    arm.asked.clear()
    azure.run("preview", "--expect-no-changes")
    assert arm.asked == [], "nor has a preview without changes"
    azure.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    azure.write(FOUR.replace("capacity=1", "capacity=3"))
    assert "[diff: ~sku]" in azure.run("up", "--yes", "--skip-preview")
    assert arm.resources[DEPLOYMENT_ID.lower()]["sku"] == {"name": "standard", "capacity": 3}

    azure.run("destroy", "--yes", "--skip-preview")
    assert arm.resources == {}
    assert until(lambda: azure.processes() == []), azure.processes()


def test_drift_is_seen_and_put_right(azure: Engine, arm: Arm) -> None:
    azure.write(FOUR)
    azure.run("up", "--yes", "--skip-preview")
    arm.resources[DEPLOYMENT_ID.lower()] |= {"sku": {"name": "standard", "capacity": 9}}
    arm.resources[ACCOUNT_ID.lower()]["properties"] |= {"provisioningState": "Succeeded", "endpoint": "https://acc"}

    refreshed = azure.run("refresh", "--yes", "--skip-preview")
    azure.run("up", "--yes", "--skip-preview")

    assert "bot updated" in refreshed
    assert resources_of(azure)["account"]["inputs"]["properties"] == {
        "customSubDomainName": "acc",
        "disableLocalAuth": True,
    }
    assert arm.resources[DEPLOYMENT_ID.lower()]["sku"]["capacity"] == 1


def test_what_azure_has_deleted_is_made_again_after_a_refresh(azure: Engine, arm: Arm) -> None:
    azure.write(FOUR)
    azure.run("up", "--yes", "--skip-preview")
    del arm.resources[DEPLOYMENT_ID.lower()]

    azure.run("up", "--yes", "--skip-preview", "--refresh")

    assert DEPLOYMENT_ID.lower() in arm.resources


def test_a_half_done_resource_is_mended_by_the_next_up(azure: Engine, arm: Arm) -> None:
    azure.write(FOUR)
    body = {"id": ACCOUNT_ID, "name": "acc", "properties": {"provisioningState": "Failed"}}
    arm.answer("PUT", ACCOUNT_ID, Answer(201, body, {"Azure-AsyncOperation": f"{arm.address}{OPERATION}"}))
    arm.answer("GET", OPERATION, Answer(200, {"status": "Failed", "error": {"code": "Sorry", "message": "Not today."}}))
    arm.answer("GET", ACCOUNT_ID, error(404, "ResourceNotFound", "no"), Answer(200, body))

    output = azure.run("up", "--yes", "--skip-preview", code=1)
    assert 'Code="Sorry" Message="Not today."' in output
    assert resources_of(azure)["account"]["initErrors"]

    azure.run("up", "--yes", "--skip-preview")
    assert "initErrors" not in resources_of(azure)["account"]


def test_an_error_hook_reads_the_code_and_tries_again_also_on_destroy(azure: Engine, arm: Arm) -> None:
    hook = 'hook = pulumi.ErrorHook("busy", lambda args: "RequestConflict" in args.errors[0])'
    azure.write(ONE.format(before=hook, options="hooks=pulumi.ResourceHookBinding(on_error=[hook])"))
    arm.answer("PUT", DEPLOYMENT_ID, CONFLICT, CONFLICT)
    arm.answer("DELETE", DEPLOYMENT_ID, CONFLICT)

    azure.run("up", "--yes", "--skip-preview")
    azure.run("destroy", "--yes", "--skip-preview")

    assert len(arm.requests("PUT")) == 3
    assert len(arm.requests("DELETE")) == 2


def test_what_is_there_already_can_be_adopted(azure: Engine, arm: Arm) -> None:
    arm.resources[DEPLOYMENT_ID.lower()] = {
        "id": DEPLOYMENT_ID,
        "name": "bot",
        "sku": {"name": "standard", "capacity": 1},
    }
    azure.write(ONE.format(before="", options=""))
    assert f"cannot create already existing resource '{DEPLOYMENT_ID}'" in azure.run(
        "up", "--yes", "--skip-preview", code=1
    )

    azure.write(ONE.format(before="", options=f'import_="{DEPLOYMENT_ID}"'))
    azure.run("up", "--yes", "--skip-preview")

    assert resources_of(azure)["bot"]["id"] == DEPLOYMENT_ID
    assert arm.requests("PUT") == []


def test_another_name_makes_another_resource_and_deletes_first(azure: Engine, arm: Arm) -> None:
    azure.write(ONE.format(before="", options=""))
    azure.run("up", "--yes", "--skip-preview")
    azure.write(ONE.format(before="", options="").replace('deployment_name="bot"', 'deployment_name="bot-2"'))
    arm.asked.clear()

    output = azure.run("up", "--yes", "--skip-preview")

    assert "+-" in output
    assert [asked.method for asked in arm.asked] == ["DELETE", "GET", "PUT", "GET"]


def test_a_wrong_secret_fails_the_command_with_one_clear_line(azure: Engine, arm: Arm) -> None:
    azure.env["ARM_CLIENT_SECRET"] = "wrong"
    azure.write(ONE.format(before="", options=""))

    output = azure.run("up", "--yes", "--skip-preview", code=1)

    assert "AADSTS7000215: Invalid client secret provided." in output
    assert "wrong" not in output


def test_a_cloud_that_is_not_here_fails_the_preview_already(azure: Engine, arm: Arm) -> None:
    del azure.env["ARM_METADATA_HOSTNAME"]
    azure.write(ONE.format(before="", options=""))

    output = azure.run("preview", code=1)

    assert "The stand-in for the azure-native plugin writes to a resource manager on this machine only" in output


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_an_engine_that_ends_in_the_middle_of_a_write_leaves_no_process_behind(
    azure: Engine, arm: Arm, sign: signal.Signals
) -> None:
    azure.write(FOUR)
    body = {"id": ACCOUNT_ID, "name": "acc"}
    headers = {"Azure-AsyncOperation": f"{arm.address}{OPERATION}", "Retry-After": "60"}
    arm.answer("PUT", ACCOUNT_ID, Answer(201, body, headers))
    process = azure.start("up", "--yes", "--skip-preview")
    assert until(lambda: ACCOUNT_ID in arm.requests("PUT"))

    process.send_signal(sign)
    if sign is signal.SIGINT:  # the first one asks to finish, the second one to stop
        process.send_signal(sign)
    process.communicate(timeout=20)

    assert until(lambda: azure.processes() == [], seconds=20.0), azure.processes()
    assert GROUP_ID.lower() in arm.resources
