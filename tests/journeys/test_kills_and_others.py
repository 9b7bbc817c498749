"""A killed engine, another writer, a change that Azure wants in two writes: `up` gets there."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta

import msgspec
import pytest

from infra.localazure import ids
from infra.localazure.requestlog import Logged
from tests.desk import Desk, wait_for


def test_a_killed_engine_is_recovered_without_duplicates_and_without_editing_state(desk: Desk):
    desk.switch(deployment_create=3600.0)
    running = desk.start_up("local-source")
    wait_for(lambda: len(desk.azure.world.deployments) == 1, "the deployment was never asked for")
    os.kill(running.pid, signal.SIGKILL)  # the engine alone: its host, program and plugin are orphans now
    running.wait()
    wait_for(lambda: not desk.processes(), f"orphans live on: {desk.processes()}")

    desk.advance(hours=1)
    assert "currently locked" in desk.up("local-source", ok=False)
    said = desk.hearth("recover", "local-source")
    assert "removed the lock of" in said
    assert "legacy-bot" in said
    said = desk.up("local-source")
    assert "is in Azure and not in the state: taking it in" in said
    assert len(desk.azure.world.deployments) == 1
    said = desk.pulumi("preview", "--expect-no-changes", "--stack", "local-source")
    assert "taking it in" not in said, "what the state holds now is not taken in again: the engine would replace it"
    assert "nothing to recover" in desk.hearth("recover", "local-source")


@pytest.mark.proof
def test_a_lock_of_a_machine_that_is_gone_goes_when_that_machine_is_named(desk: Desk):
    desk.switch(deployment_create=3600.0)
    running = desk.start_up("local-source")
    wait_for(lambda: len(desk.azure.world.deployments) == 1, "the deployment was never asked for")
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    wait_for(lambda: not desk.processes(), f"orphans live on: {desk.processes()}")
    desk.advance(hours=1)
    locks = desk.root / ".hearth" / "pulumi" / "state" / ".pulumi" / "locks"
    (lock,) = locks.rglob("*.json")
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "hostname": "runner-41"}))  # as another machine's

    assert "--dead-host runner-41" in desk.hearth("recover", "local-source", ok=False), "it may live, for all we know"
    assert "@runner-41" in desk.hearth("recover", "local-source", "--dead-host", "runner-4", ok=False)
    assert lock.exists(), "a name must be the whole name"
    said = desk.hearth("recover", "local-source", "--dead-host", "runner-41")
    assert "removed the lock of" in said
    assert "legacy-bot" in said
    desk.up("local-source")
    assert len(desk.azure.world.deployments) == 1


def test_a_lock_whose_owner_lives_is_left_alone(desk: Desk):
    desk.switch(deployment_create=3600.0)
    running = desk.start_up("local-source")
    wait_for(lambda: len(desk.azure.world.deployments) == 1, "the deployment was never asked for")
    said = desk.hearth("recover", "local-source", ok=False)
    assert desk.code == 3
    assert "is being changed by" in said
    desk.advance(hours=1)
    assert running.wait() == 0


def test_ctrl_c_lets_the_engine_finish_its_step_and_leaves_nothing_behind(desk: Desk):
    desk.switch(deployment_create=1.0)
    running = desk.start_up("local-source")
    wait_for(lambda: len(desk.azure.world.deployments) == 1, "the deployment was never asked for")
    assert desk.processes(), "there is something to leave behind"
    os.killpg(running.pid, signal.SIGINT)
    running.wait()
    wait_for(lambda: not desk.processes(), f"orphans live on: {desk.processes()}")
    desk.hearth("recover", "local-source")
    desk.up("local-source")
    desk.pulumi("preview", "--expect-no-changes", "--stack", "local-source")


def test_another_writer_of_the_account_is_waited_for(source: Desk):
    mine = source.deployment("legacy-bot")
    source.change("local-source", "capacity: 1}", "capacity: 2}")
    # Somebody else's write to a sibling: the account is busy, until we have met that once.
    other = source.by_hand(
        mine,
        id=mine.id.replace("legacy-bot", "other"),
        name="other",
        model=msgspec.structs.replace(mine.model, name=source.tune("a")),
        base="gpt-4.1-mini-2025-04-14",
        settled_at=source.azure.world.now() + timedelta(hours=1),
    )

    def settle(entry: Logged) -> None:
        if entry.code == "RequestConflict":
            source.by_hand(other, settled_at=source.azure.world.now())

    with source.watching(settle):
        said = source.up("local-source")
    assert "somebody else is writing to the account" in said
    assert source.deployment("legacy-bot").capacity == 2


@pytest.mark.proof
def test_model_and_capacity_change_together_in_the_order_that_azure_takes(both: Desk):
    newer = "gpt-4.1-mini-2025-04-14.ft-" + "1" * 32
    from infra.localazure import models
    from infra.localazure.entities import CustomModel

    source = next(a for a in both.azure.world.accounts if a.name == "contoso-train-ncus")
    models.put(
        both.azure.world,
        CustomModel(
            id=newer, account=ids.key(source.id), base="gpt-4.1-mini-2025-04-14", created=both.azure.world.now()
        ),
    )
    record = both.root / "stacks/models/support-bot.yaml"
    before = "gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-support"
    record.write_text(record.read_text().replace(before, newer))
    both.change("local-target", "capacity: 1}", "capacity: 5}")
    assert "the capacity goes first" in both.pulumi("preview", "--stack", "local-target")
    said = both.up("local-target")
    assert "capacity 1 → 5 first, then the model" in said
    deployment = next(d for d in both.azure.world.deployments if d.name == "support-bot")
    assert (deployment.model.name, deployment.capacity) == (newer, 5)
    outputs = both.pulumi("stack", "output", "deployments", "--json", "--stack", "local-target")
    assert before in outputs.split("previous")[1].split("}")[0], "what was served before is kept, to go back to"
    both.pulumi("preview", "--expect-no-changes", "--stack", "local-target")


def test_a_change_by_hand_is_drift_and_up_mends_it(source: Desk):
    deployment = next(iter(source.azure.world.deployments))
    deployment.capacity = 7
    source.azure.world.deployments.put(ids.key(deployment.id), deployment)
    assert "sku" in source.pulumi("preview", "--refresh", "--diff", "--stack", "local-source")
    source.pulumi("up", "--yes", "--skip-preview", "--refresh", "--stack", "local-source")
    assert next(iter(source.azure.world.deployments)).capacity == 1


def test_a_paused_deployment_fails_the_up_and_the_next_one_too_until_it_serves(source: Desk):
    deployment = next(iter(source.azure.world.deployments))
    deployment.paused = True
    for _ in range(2):
        source.advance(minutes=1)
        said = source.up("local-source", ok=False)
        assert "local-source/legacy-bot is not serving: it is paused (423)" in said
        assert "Traceback" not in said
    deployment.paused = False
    source.advance(minutes=1)
    source.up("local-source")


@pytest.mark.proof
def test_without_the_role_to_call_it_a_deployment_is_not_proven_which_is_a_warning_unless_required(source: Desk):
    source.change("local-target", "OpenAI User", "OpenAI Contributor")  # to look at models, and to be taken away below
    source.up("local-target")
    source.change("local-target", "role: Cognitive Services OpenAI Contributor", "role: Reader")
    source.up("local-target")  # the role is taken away at the very end of this run
    said = source.up("local-target")
    assert "warning: local-target/support-bot is not proven" in said
    assert "lacks the required data action" in said
    assert "Give the login in use the role Cognitive Services OpenAI User" in said
    source.change("local-target", "config:\n", "config:\n  hearth:ready: required\n")
    assert "local-target/support-bot is not proven" in source.up("local-target", ok=False)


def test_what_somebody_made_by_hand_is_named_and_can_be_adopted(source: Desk):
    source.pulumi("state", "delete", "--yes", "--target-dependents", "--stack", "local-source",
                source.urn("local-source", "azure-native:cognitiveservices:Account"))  # fmt: skip
    account = next(iter(source.azure.world.accounts))
    account.tags = {}
    source.hearth("recover", "local-source")
    said = source.pulumi("preview", "--stack", "local-source", ok=False)
    assert "exists already and is not of this stack" in said
    assert "hearth adopt local-source" in said
    source.hearth("adopt", "local-source", "--yes")
    source.pulumi("preview", "--expect-no-changes", "--stack", "local-source")
