"""One phase at one stack on the real engine: what it does, what it leaves alone, and what it says when it cannot."""

from __future__ import annotations

import threading

import msgspec
import pytest

from infra.errors import LoginFailed
from infra.rollout.hands import Offline
from infra.rollout.values import StepResult, Target
from tests.desk import wait_for
from tests.rollout.fleet import FIRST, MARK, Fleet, start_step

TARGET = "local-target"


@pytest.mark.proof
def test_beside_a_model_is_placed_switched_to_and_the_old_one_retired_whatever_becomes_of_the_working_tree(
    fleet: Fleet,
):
    better = fleet.desk.tune("b")
    program = fleet.desk.root / "infra" / "program.py"
    program.write_text(program.read_text() + MARK)
    hands, target = fleet.hands("r1"), fleet.target(TARGET, better)
    assert fleet.outputs(TARGET).get("told_by") is None
    program.write_text("raise SystemExit('the working tree was run')\n")  # as a `git pull` in mid-bake may do

    placed = hands.step("r1", target, "place")
    assert (placed.outcome, placed.reason) == ("done", "")
    assert placed.changes == {"create": 2, "update": 2}, "the deployment and what holds it; the account's tag, the wish"
    assert fleet.in_azure() == {"support-bot": FIRST, "support-bot-b": better}
    assert fleet.outputs(TARGET)["told_by"] == "the commit"
    facts = fleet.outputs(TARGET)["deployments"]["support-bot"]
    assert (facts["active"], facts["standby"]["model"], facts["rollout"]) == ("support-bot", better, "r1")

    assert hands.step("r1", target, "place").changes == {}, "a step that is done again changes nothing"
    assert hands.step("r1", target, "switch").outcome == "done"
    assert fleet.outputs(TARGET)["deployments"]["support-bot"]["active"] == "support-bot-b"
    assert fleet.desk.account("contoso-ft-swe").tags["hearth-active-support-bot"] == "support-bot-b"
    assert hands.step("r1", target, "retire").outcome == "done"
    assert fleet.in_azure() == {"support-bot-b": better}


@pytest.mark.proof
def test_in_place_what_was_planned_is_done_and_the_gap_that_callers_met_is_measured(fleet: Fleet):
    from infra.ports.cloud import Cloud
    from infra.ports.inference import Inference
    from infra.spec import limits

    better = fleet.desk.tune("b")
    fleet.desk.switch(deployment_update=1.5)
    record = fleet.desk.record_file("support-bot")
    record.write_text(record.read_text().replace(FIRST, better))
    fleet.desk.up(TARGET)
    assert fleet.in_azure() == {"support-bot": FIRST}, "a merged record and a plain up move nothing"
    plan = msgspec.json.decode(fleet.desk.hearth("rollout", "plan", "--json"))
    (target,) = msgspec.convert(plan["waves"][0]["targets"], list[Target])
    assert (target.standing, target.moves[0].after.model, target.moves[0].gap) == ("move", better, None)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ARM_METADATA_HOSTNAME", "AZURE_AUTHORITY_HOST", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
                     "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):  # fmt: skip
            patch.setenv(name, fleet.desk.env[name])
        calls = Inference(Cloud(), limits.load().inference_api_version.value)
        result = fleet.hands("r1", calls=calls).step("r1", target, "place")
    assert result.outcome == "done", result.reason
    assert result.gap_seconds is not None
    assert fleet.in_azure() == {"support-bot": better}


@pytest.mark.proof
def test_a_stack_that_somebody_else_changed_since_the_plan_is_left_alone(fleet: Fleet):
    better, theirs = fleet.desk.tune("b"), fleet.desk.tune("c")
    assert fleet.hands("theirs").step("theirs", fleet.target(TARGET, theirs), "place").outcome == "done"
    before = len(fleet.desk.azure.app.log)
    result = fleet.hands("mine").step("mine", fleet.target(TARGET, better), "place")
    assert result.outcome == "foreign"
    assert result.reason == (
        "local-target: support-bot was changed by rollout theirs since this one was planned; nothing was done"
    )
    assert len(fleet.desk.azure.app.log) == before
    late = fleet.hands("mine").step("mine", fleet.target(TARGET, better), "retire")
    assert late.outcome == "foreign"


@pytest.mark.proof
def test_why_a_step_failed_is_one_line_with_the_next_move(fleet: Fleet):
    missing = "gpt-4.1-mini-2025-04-14.ft-" + "9" * 32
    result = fleet.hands("r1").step("r1", fleet.target(TARGET, missing), "place")
    assert result.outcome == "failed"
    assert "\n" not in result.reason
    assert missing in result.reason
    assert result.reason.endswith("; log: .hearth/rollouts/r1/log/local-target-place.log")
    assert (fleet.desk.root / ".hearth/rollouts/r1/log/local-target-place.log").read_text()
    assert fleet.hands("r1").step("r1", fleet.target(TARGET, missing), "undo").outcome == "done"
    fleet.require_sound(TARGET)


@pytest.mark.proof
def test_a_login_that_is_refused_concerns_every_target_and_is_raised(fleet: Fleet):
    env = {"AZURE_CLIENT_SECRET": "expired", "ARM_CLIENT_SECRET": "expired"}
    with pytest.raises(LoginFailed, match=r"AADSTS7000215.*Log in again.*hearth rollout resume r1"):
        fleet.hands("r1", env=env).step("r1", fleet.target(TARGET, fleet.desk.tune("b")), "place")
    assert fleet.hands("r1").step("r1", fleet.target(TARGET, fleet.desk.tune("b")), "place").outcome == "done"


@pytest.mark.proof
def test_a_wrong_passphrase_concerns_every_target_and_is_raised(fleet: Fleet):
    """Each stack would fail by it, and each of their rollbacks: only who starts the engine can put it right."""
    hands, target = fleet.hands("r1", env={"PULUMI_CONFIG_PASSPHRASE": "wrong"}), fleet.target(TARGET, "any")
    with pytest.raises(LoginFailed, match=r"incorrect passphrase.*PULUMI_CONFIG_PASSPHRASE.*hearth rollout resume r1"):
        hands.step("r1", target, "place")


@pytest.mark.proof
def test_a_cloud_that_this_machine_does_not_reach_concerns_every_target_and_is_raised(fleet: Fleet):
    """Nothing could be rolled back over that network either."""
    hands = fleet.hands("r1", env={"ARM_METADATA_HOSTNAME": "localhost:9"})
    target = fleet.target(TARGET, "any")
    with pytest.raises(Offline, match=r"localhost:9.*does not answer.*hearth rollout resume r1"):
        hands.step("r1", target, "place")


@pytest.mark.proof
def test_a_step_that_hangs_is_stopped_at_its_limit_and_leaves_nothing_for_a_person(fleet: Fleet):
    fleet.desk.switch(deployment_create=3600.0)
    target = fleet.target(TARGET, fleet.desk.tune("b"))
    result = fleet.hands("r1", step=6).step("r1", target, "place")
    assert result.outcome == "failed"
    assert "was stopped after 6s (limits.step)" in result.reason
    fleet.desk.advance(hours=1)
    fleet.desk.switch(deployment_create=0.0)
    assert fleet.hands("r1").step("r1", target, "undo").outcome == "done"
    assert fleet.in_azure() == {"support-bot": FIRST}
    fleet.require_sound(TARGET)


@pytest.mark.proof
def test_an_engine_that_outlived_its_rollout_is_waited_for_not_met_by_a_second_one(fleet: Fleet):
    """The process that started it is gone; the engine goes on, and who resumes finds it."""
    fleet.desk.switch(deployment_create=3600.0)
    target = fleet.target(TARGET, fleet.desk.tune("b"))
    child = start_step(fleet, target)
    wait_for(lambda: len(fleet.in_azure()) == 2, "the candidate was never asked for")
    child.kill()
    child.wait()
    done: list[StepResult] = []
    thread = threading.Thread(target=lambda: done.append(fleet.hands("r1").step("r1", target, "place")))
    thread.start()
    fleet.desk.advance(hours=1)
    thread.join(60)
    assert done[0].outcome == "done", done[0].reason
    assert done[0].changes == {}, "the first one had done it"
    fleet.require_sound(TARGET)
