"""One phase at one stack on the real engine: the rarer ways for it to go, and not to."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from infra.localazure import process
from infra.rollout.hands import Stopped
from tests.desk import wait_for
from tests.rollout.fleet import FIRST, Fleet, start_step

TARGET = "local-target"


pytestmark = pytest.mark.proof


def test_a_phase_undone_leaves_the_stack_as_it_was_before(fleet: Fleet):
    better = fleet.desk.tune("b")
    hands, target = fleet.hands("r1"), fleet.target(TARGET, better)
    for phase in ("place", "switch", "undo"):
        assert hands.step("r1", target, phase).outcome == "done"
    assert fleet.in_azure() == {"support-bot": FIRST}
    assert fleet.outputs(TARGET)["deployments"]["support-bot"]["active"] == "support-bot"
    fleet.require_sound(TARGET)


def test_a_stack_that_is_not_there_yet_is_made(fleet: Fleet):
    fleet.add("local-target-2")
    fleet.desk.change("local-target-2", "config:\n", "secretsprovider: passphrase\nconfig:\n")
    told: list[str] = []
    hands = fleet.hands("r1", say=told.append)
    result = hands.step("r1", fleet.target("local-target-2", FIRST, before=None), "place")
    assert (result.outcome, result.reason) == ("done", "")
    salt = next(line for line in told if "encryptionsalt" in line)
    assert salt.startswith("local-target-2 is made; commit this in stacks/Pulumi.local-target-2.yaml")
    assert salt.rpartition("encryptionsalt: ")[2].startswith("v1:")
    assert fleet.in_azure("contoso-local-target-2") == {"support-bot": FIRST}
    assert fleet.repository.git("status", "--porcelain") == "", "the salt goes into the export, not the working tree"
    fleet.desk.up("local-target-2")
    fleet.require_sound("local-target-2")


def test_a_backend_named_from_the_projects_folder_is_the_same_from_the_export(fleet: Fleet):
    address = "file://.hearth/pulumi/state?metadata=skip"
    hands = fleet.hands("r1", env={"PULUMI_BACKEND_URL": address})
    assert hands.step("r1", fleet.target(TARGET, fleet.desk.tune("b")), "place").outcome == "done"
    assert fleet.outputs(TARGET)["deployments"]["support-bot"]["rollout"] == "r1"


def test_a_region_that_is_down_fails_its_target_with_what_does_not_answer(fleet: Fleet):
    hands, target = fleet.hands("r1"), fleet.target(TARGET, fleet.desk.tune("b"))
    port = fleet.desk.azure.port
    with fleet.desk.azure_apart() as azure:
        process.stop(azure.folder)
        result = hands.step("r1", target, "place")
    assert result.outcome == "failed"
    assert f"localhost:{port}" in result.reason


def test_stopped_by_a_person_the_engine_ends_cleanly_and_the_step_can_be_done_again(fleet: Fleet):
    fleet.desk.switch(deployment_create=3600.0)
    hands, target = fleet.hands("r1"), fleet.target(TARGET, fleet.desk.tune("b"))
    raised: list[BaseException] = []

    def work() -> None:
        try:
            hands.step("r1", target, "place")
        except Stopped as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: len(fleet.in_azure()) == 2, "the candidate was never asked for")
    hands.stop(hard=False)
    thread.join(60)
    assert "go on with: hearth rollout resume r1" in str(raised[0])
    wait_for(lambda: not fleet.desk.processes(), f"orphans live on: {fleet.desk.processes()}")
    fleet.desk.advance(hours=1)
    assert fleet.hands("r1").step("r1", target, "place").outcome == "done"
    fleet.require_sound(TARGET)


def test_another_run_is_waited_for_and_named_when_it_takes_too_long(fleet: Fleet):
    fleet.desk.switch(deployment_update=3600.0)
    fleet.desk.change(TARGET, "capacity: 1}", "capacity: 2}")
    running = fleet.desk.start_up(TARGET)
    wait_for(lambda: fleet.desk.deployment("support-bot").capacity == 2, "the other run has not begun")
    said: list[str] = []
    target = fleet.target(TARGET, fleet.desk.tune("b"))
    result = fleet.hands("r1", step=1, say=said.append).step("r1", target, "place")
    assert result.outcome == "failed"
    assert f"is being changed by {os.environ.get('USER', 'root')}@" in result.reason
    assert len(said) == 1
    fleet.desk.advance(hours=1)
    assert running.wait() == 0
    assert fleet.hands("r1").step("r1", target, "place").outcome == "done"


@pytest.mark.parametrize("also", ["engine", "program", "plugin"])
def test_after_everything_was_killed_the_same_step_ends_as_if_nothing_had_been(fleet: Fleet, also: str):
    """The rollout, then what it had started: the candidate stands in Azure, and the state does not know of it."""
    target = fleet.target(TARGET, fleet.desk.tune("b"))
    fleet.desk.switch(deployment_create=3600.0)
    child = start_step(fleet, target)
    wait_for(lambda: len(fleet.in_azure()) == 2, "the candidate was never asked for")
    child.kill()
    child.wait()
    named = {"engine": "pulumi --non-interactive", "program": "run_program.py", "plugin": "azure"}[also]
    killed = [line for line in fleet.desk.processes() if named in line]
    assert killed
    for line in killed:
        os.kill(int(line.partition(" ")[0]), signal.SIGKILL)
    fleet.desk.advance(hours=1)
    fleet.desk.switch(deployment_create=0.0)
    result = fleet.hands("r1").step("r1", target, "place")
    assert result.outcome == "done", result.reason
    fleet.require_sound(TARGET)
