"""A killed engine, another writer, a change that Azure wants in two writes: `up` gets there."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta

import msgspec

from infra.localazure import ids
from tests.desk import Desk

PLUGIN = "infra.toolchain"


def start_up(desk: Desk, stack: str) -> subprocess.Popen[bytes]:
    """An `up` in the background, in a process group of its own."""
    command = ["pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--stack", stack]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=desk.root, env=desk.env, **quiet, start_new_session=True)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def children_of(desk: Desk) -> list[str]:
    """Processes that work in this desk's folder."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in found if str(desk.root) in line and "pytest" not in line]


def test_a_killed_engine_is_recovered_without_duplicates_and_without_editing_state(desk: Desk):
    desk.switch(deployment_create=2.0)
    running = start_up(desk, "local-source")
    wait_for(lambda: len(desk.azure.world.deployments) == 1, "the deployment was never asked for")
    os.kill(running.pid, signal.SIGKILL)  # the engine alone: its host, program and plugin are orphans now
    running.wait()
    wait_for(lambda: not children_of(desk), f"orphans live on: {children_of(desk)}")

    assert "currently locked" in desk.up("local-source", ok=False)
    said = desk.hearth("recover", "local-source")
    assert "removed the lock of" in said
    assert "legacy-bot" in said
    said = desk.up("local-source")
    assert "is in Azure and not in the state: taking it in" in said
    assert len(desk.azure.world.deployments) == 1
    desk.pulumi("preview", "--expect-no-changes", "--stack", "local-source")
    assert "nothing to recover" in desk.hearth("recover", "local-source")


def test_a_lock_whose_owner_lives_is_left_alone(desk: Desk):
    desk.switch(deployment_create=3.0)
    running = start_up(desk, "local-source")
    wait_for(lambda: len(desk.azure.world.deployments) == 1, "the deployment was never asked for")
    said = desk.hearth("recover", "local-source", ok=False)
    assert desk.code == 3
    assert "is being changed by" in said
    assert running.wait() == 0


def test_ctrl_c_lets_the_engine_finish_its_step_and_leaves_nothing_behind(desk: Desk):
    desk.switch(deployment_create=1.0)
    running = start_up(desk, "local-source")
    wait_for(lambda: len(desk.azure.world.deployments) == 1, "the deployment was never asked for")
    os.killpg(running.pid, signal.SIGINT)
    running.wait()
    wait_for(lambda: not children_of(desk), f"orphans live on: {children_of(desk)}")
    desk.hearth("recover", "local-source")
    desk.up("local-source")
    desk.pulumi("preview", "--expect-no-changes", "--stack", "local-source")


def test_another_writer_of_the_account_is_waited_for(desk: Desk):
    desk.up("local-source")
    deployment = next(iter(desk.azure.world.deployments))
    desk.azure.world.switches.deployment_update = 3.0
    desk.change("local-source", "capacity: 1}", "capacity: 2}")
    # Somebody else's write to a sibling: the account is busy for three seconds.
    other = type(deployment)(**{f: getattr(deployment, f) for f in deployment.__struct_fields__})
    other.id, other.name = deployment.id.replace("legacy-bot", "other"), "other"
    other.model = msgspec.structs.replace(other.model, name="gpt-35-turbo-0613.ft-" + "2" * 32)
    other.settled_at = desk.azure.world.now() + timedelta(seconds=3)
    desk.azure.world.deployments.put(ids.key(other.id), other)
    said = desk.up("local-source")
    assert "somebody else is writing to the account" in said
    assert desk.azure.world.deployments.get(ids.key(deployment.id)).capacity == 2


def test_model_and_capacity_change_together_in_the_order_that_azure_takes(desk: Desk):
    desk.up("local-source")
    desk.up("local-target")
    newer = "gpt-4.1-mini-2025-04-14.ft-" + "1" * 32
    from infra.localazure import models
    from infra.localazure.entities import CustomModel

    source = next(a for a in desk.azure.world.accounts if a.name == "contoso-train-ncus")
    models.put(
        desk.azure.world,
        CustomModel(
            id=newer, account=ids.key(source.id), base="gpt-4.1-mini-2025-04-14", created=desk.azure.world.now()
        ),
    )
    record = desk.root / "stacks/models/support-bot.yaml"
    before = "gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-support"
    record.write_text(record.read_text().replace(before, newer))
    desk.change("local-target", "capacity: 1}", "capacity: 5}")
    assert "the capacity goes first" in desk.pulumi("preview", "--stack", "local-target")
    said = desk.up("local-target")
    assert "capacity 1 → 5 first, then the model" in said
    deployment = next(d for d in desk.azure.world.deployments if d.name == "support-bot")
    assert (deployment.model.name, deployment.capacity) == (newer, 5)
    outputs = desk.pulumi("stack", "output", "deployments", "--json", "--stack", "local-target")
    assert before in outputs.split("previous")[1].split("}")[0], "what was served before is kept, to go back to"
    desk.pulumi("preview", "--expect-no-changes", "--stack", "local-target")


def test_a_change_by_hand_is_drift_and_up_mends_it(desk: Desk):
    desk.up("local-source")
    deployment = next(iter(desk.azure.world.deployments))
    deployment.capacity = 7
    desk.azure.world.deployments.put(ids.key(deployment.id), deployment)
    assert "sku" in desk.pulumi("preview", "--refresh", "--diff", "--stack", "local-source")
    desk.pulumi("up", "--yes", "--skip-preview", "--refresh", "--stack", "local-source")
    assert next(iter(desk.azure.world.deployments)).capacity == 1


def test_a_paused_deployment_fails_the_up_and_the_next_one_too_until_it_serves(desk: Desk):
    desk.up("local-source")
    deployment = next(iter(desk.azure.world.deployments))
    deployment.paused = True
    for _ in range(2):
        desk.advance(minutes=1)
        said = desk.up("local-source", ok=False)
        assert "local-source/legacy-bot is not serving: it is paused (423)" in said
        assert "Traceback" not in said
    deployment.paused = False
    desk.advance(minutes=1)
    desk.up("local-source")


def test_without_the_role_to_call_it_a_deployment_is_not_proven_which_is_a_warning_unless_required(desk: Desk):
    desk.up("local-source")
    desk.change("local-target", "OpenAI User", "OpenAI Contributor")  # to look at models, and to be taken away below
    desk.up("local-target")
    desk.change("local-target", "role: Cognitive Services OpenAI Contributor", "role: Reader")
    desk.up("local-target")  # the role is taken away at the very end of this run
    said = desk.up("local-target")
    assert "warning: local-target/support-bot is not proven" in said
    assert "lacks the required data action" in said
    assert "Give the login in use the role Cognitive Services OpenAI User" in said
    desk.change("local-target", "config:\n", "config:\n  hearth:ready: required\n")
    assert "local-target/support-bot is not proven" in desk.up("local-target", ok=False)


def test_what_somebody_made_by_hand_is_named_and_can_be_adopted(desk: Desk):
    desk.up("local-source")
    desk.pulumi("state", "delete", "--yes", "--target-dependents", "--stack", "local-source",
                urn(desk, "azure-native:cognitiveservices:Account"))  # fmt: skip
    account = next(iter(desk.azure.world.accounts))
    account.tags = {}
    desk.hearth("recover", "local-source")
    said = desk.pulumi("preview", "--stack", "local-source", ok=False)
    assert "exists already and is not of this stack" in said
    assert "hearth adopt local-source" in said
    desk.hearth("adopt", "local-source", "--yes")
    desk.pulumi("preview", "--expect-no-changes", "--stack", "local-source")


def urn(desk: Desk, kind: str) -> str:
    import json

    state = json.loads(desk.pulumi("stack", "export", "--stack", "local-source"))
    return next(r["urn"] for r in state["deployment"]["resources"] if r["type"] == kind)
