"""`hearth models evaluate`: by whom a model is served meanwhile, and what its record keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.localazure import ids
from infra.localazure.entities import CustomModel
from infra.ports import clock
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.stacks import Lock, Stacks
from infra.training.temporary import TAG, name_of, open_temporary
from tests.localazure.cloud import TUNED
from tests.localazure.training import answer, question
from tests.training.studio import SOURCE, Studio

RECORD = """\
# what the desk answers with
model: {model}   # tuned in spring
version: "1"
source:
  subscription: {subscription}
  resourceGroup: rg
  account: oai-prod
evaluation:
  at: "2026-01-01T00:00:00Z"
  passRate: 0.1

# the end
trained: {{base: {base}}}
"""
MINI = "gpt-4.1-mini-2025-04-14"


@pytest.fixture(autouse=True)
def _waiting_moves_the_clock(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "sleep", studio.wait)


def test_a_deployment_that_serves_the_model_is_used_and_left_alone_and_the_record_keeps_its_comments(studio: Studio):
    file = record(studio, "bot", TUNED)
    before = file.read_text()
    said = studio.hearth("models", "evaluate", "bot", "--prompts", prompts(studio, 0, right=3, wrong=1))
    assert "served by bot of oai-prod, which is left alone" in said
    assert "3 of 4 prompts passed" in said
    kept = yaml.safe_load(file.read_text())
    evaluation = kept.pop("evaluation")
    assert (evaluation["passRate"], evaluation["against"], evaluation["prompts"]["file"]) == (0.75, None, "smoke.jsonl")
    assert evaluation["at"].startswith("2026-11-01T12:")
    assert evaluation["p95"].endswith("s")
    assert kept == {k: v for k, v in yaml.safe_load(before).items() if k != "evaluation"}
    for comment in ("# what the desk answers with", "# tuned in spring", "# the end"):
        assert comment in file.read_text()
    assert writes(studio) == []
    studio.azure.advance(minutes=5)  # capacity 5 allows for five calls in a while
    studio.hearth("models", "evaluate", "bot")  # the same prompts again, as the record names them


def test_else_one_of_the_developer_tier_is_made_and_removed_and_the_base_is_asked_the_same(studio: Studio):
    model = trained(studio)
    record(studio, "desk", model)
    at = prompts(studio, 3, right=2, tuned=True)
    said = studio.hearth("models", "evaluate", "desk", "--prompts", at, "--against", "base")
    assert "DeveloperTier 50" in said
    assert "deletes it by itself after 1d, at 2026-11-02" in said
    found = yaml.safe_load((studio.root / "stacks/models/desk.yaml").read_text())["evaluation"]
    assert found["passRate"] == 1.0
    assert found["against"]["base"] == MINI
    assert found["against"]["passRate"] == 0.0  # what was learned is what the base does not know
    assert [method for method, _ in writes(studio)] == ["PUT", "DELETE", "PUT", "DELETE"]
    assert deployments(studio) == ["bot"]
    (studio.root / "smoke.jsonl").unlink()
    studio.hearth("models", "evaluate", "desk", code=2)
    assert "smoke.jsonl" in studio.errors


def test_another_record_is_asked_beside_it_and_figures_come_as_json(studio: Studio):
    record(studio, "bot", TUNED)
    record(studio, "desk", trained(studio))
    at = prompts(studio, 3, right=1, tuned=True)
    found = json.loads(
        studio.hearth("models", "evaluate", "desk", "--prompts", at, "--against", "bot", "--json")
    )["evaluation"]  # fmt: skip
    assert (found["passRate"], found["against"]["record"], found["against"]["model"]) == (1.0, "bot", TUNED)
    studio.hearth("models", "evaluate", "desk", "--prompts", at, "--against", "desk", code=2)
    studio.hearth("models", "evaluate", "desk", "--prompts", at, "--against", "bott", code=2)
    assert 'did you mean "bot"' in studio.errors


def test_what_is_paid_by_the_hour_is_made_after_a_yes_only(studio: Studio):
    base = "gpt-4o-mini-2024-07-18"  # no Developer tier
    model = own(studio, f"{base}.ft-{'5' * 32}", base)
    record(studio, "old", model, base)
    at = prompts(studio, 0, right=1)
    said = studio.hearth("models", "evaluate", "old", "--prompts", at, code=1)
    assert "costs 1.70 USD an hour" in said
    assert "--yes" in studio.errors
    assert writes(studio) == []
    studio.hearth("models", "evaluate", "old", "--prompts", at, "--yes")
    assert [method for method, _ in writes(studio)] == ["PUT", "DELETE"]


def test_a_sibling_that_is_being_written_is_waited_for(studio: Studio):
    record(studio, "desk", trained(studio))
    studio.azure.switch(deployment_update=90.0)
    studio.served.deploy("bot", TUNED, "1", capacity=6)
    studio.hearth("models", "evaluate", "desk", "--prompts", prompts(studio, 3, right=1, tuned=True))
    assert sum(studio.waited) >= 90
    assert deployments(studio) == ["bot"]


def test_it_waits_until_the_deployment_answers(studio: Studio):
    record(studio, "desk", trained(studio))
    studio.azure.switch(readiness=100.0)
    said = studio.hearth("models", "evaluate", "desk", "--prompts", prompts(studio, 3, right=1, tuned=True))
    assert "waiting until it answers" in said
    assert sum(studio.waited) >= 100


def test_prompts_without_an_answer_are_no_evaluation_and_what_was_made_goes_all_the_same(studio: Studio):
    file = record(studio, "desk", trained(studio))
    before = file.read_text()
    at = prompts(studio, 3, right=2, tuned=True)
    studio.fault("server-error", scope="/oai-prod.openai.azure.com/openai/deployments", after=1)
    studio.hearth("models", "evaluate", "desk", "--prompts", at, code=1)
    assert file.read_text() == before
    assert deployments(studio) == ["bot"]


def test_a_stack_that_is_being_changed_is_not_disturbed(studio: Studio, monkeypatch: pytest.MonkeyPatch):
    record(studio, "desk", trained(studio))
    stack = (studio.root / "stacks/Pulumi.local-source.yaml").read_text()
    (studio.root / "stacks/Pulumi.mine.yaml").write_text(
        stack.replace("11111111-1111-4111-8111-111111111111", SOURCE.subscription)
        .replace("rg-contoso-train", "rg").replace("contoso-train-ncus", "oai-prod")
    )  # fmt: skip
    lock = Lock(Path("lock"), 1, "elsewhere", "ann", "noon")
    monkeypatch.setattr(Stacks, "locks", lambda _self, _stack: [lock])
    studio.hearth("models", "evaluate", "desk", "--prompts", prompts(studio, 3, right=1), code=3)
    assert "mine is being changed by ann@elsewhere" in studio.errors
    assert writes(studio) == []


def test_what_a_killed_evaluation_left_goes_with_the_next_command_of_that_account(studio: Studio):
    model = trained(studio)
    left_behind(studio, model)
    assert name_of(model) in deployments(studio)
    studio.hearth("checkpoints", model, "--account", f"{SOURCE.subscription}/rg/oai-prod")
    assert "removed hearth-eval-" in studio.errors
    assert deployments(studio) == ["bot"]
    assert list((studio.root / ".hearth/evaluations").iterdir()) == []


def test_a_kill_while_it_waits_leaves_nothing_once_the_next_command_has_come(studio: Studio):
    model = trained(studio)
    record(studio, "desk", model)
    at = prompts(studio, 3, right=1, tuned=True)
    studio.azure.switch(readiness=1e6)
    command = [str(Path(sys.executable).parent / "hearth"), "models", "evaluate", "desk", "--prompts", at]
    running = subprocess.Popen(command, cwd=studio.root, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    while "waiting until it answers" not in running.stdout.readline():
        assert running.poll() is None
    studio.hearth("models", "evaluate", "desk", "--prompts", at, code=3)  # one at a time
    assert name_of(model) in deployments(studio)
    running.kill()
    running.communicate()
    studio.hearth("checkpoints", model, "--account", f"{SOURCE.subscription}/rg/oai-prod")
    assert deployments(studio) == ["bot"]


def test_one_that_somebody_else_made_under_that_name_is_not_removed(studio: Studio):
    model = trained(studio)
    left_behind(studio, model, tag="")
    studio.hearth("checkpoints", model, "--account", f"{SOURCE.subscription}/rg/oai-prod")
    assert name_of(model) in deployments(studio)


def test_a_deployment_of_another_machines_evaluation_is_waited_for_and_no_second_is_asked(studio: Studio):
    model = trained(studio)
    record(studio, "desk", model)
    studio.served.deploy("hearth-eval-0", model, "1", tags={TAG: "hearth/desk"})
    studio.hearth("models", "evaluate", "desk", "--prompts", prompts(studio, 3, right=1), code=3)
    assert "for another evaluation" in studio.errors


def test_without_quota_nothing_is_made(studio: Studio):
    model = trained(studio)
    record(studio, "desk", model)
    for digit in "123456789":
        studio.served.deploy(f"bot-{digit}", own(studio, f"{MINI}.ft-{digit * 31}a"), "1", sku="DeveloperTier")
    before = writes(studio)
    studio.hearth("models", "evaluate", "desk", "--prompts", prompts(studio, 3, right=1), code=1)
    assert "hearth clean" in studio.errors
    assert writes(studio) == before


# --- the stage -----------------------------------------------------------------------------------------------------


def record(studio: Studio, name: str, model: str, base: str = MINI) -> Path:
    file = studio.root / "stacks/models" / f"{name}.yaml"
    file.write_text(RECORD.format(model=model, subscription=SOURCE.subscription, base=base))
    return file


def trained(studio: Studio) -> str:
    """The model of a job that is over."""
    job = studio.trainer.jobs.job(studio.job(suffix="desk"))
    assert job.fine_tuned_model is not None
    return job.fine_tuned_model


def own(studio: Studio, model: str, base: str = MINI) -> str:
    """A tuned model of the account without a job."""
    world, account = studio.azure.world, ids.key(studio.served.account)
    with world.lock:
        world.models.put(f"{account}|{model}", CustomModel(id=model, account=account, base=base, created=world.now()))
    return model


def prompts(studio: Studio, first: int, *, right: int, wrong: int = 0, tuned: bool = False) -> str:
    """A file of prompts, so many with an expectation that holds; of a tuned model, from what it was tuned on."""
    rows = []
    for at in range(first, first + right):
        expect = {"contains": answer(at)} if tuned else {"contains": question(at)}
        rows.append({"prompt": question(at), "expect": expect})
    rows += [{"prompt": f"{at}?", "expect": {"text": "no"}} for at in range(wrong)]
    file = studio.root / "smoke.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def left_behind(studio: Studio, model: str, tag: str = "hearth/desk") -> None:
    """As a kill leaves it: made and noted, and nobody holds the note."""
    studio.served.deploy(name_of(model), model, "1", sku="DeveloperTier", tags={TAG: tag} if tag else None)
    temporary = open_temporary(Arm(Cloud()), studio.root / ".hearth", print)
    file = temporary._file(SOURCE.id, name_of(model))
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"account": SOURCE.id, "deployment": name_of(model)}))


def deployments(studio: Studio) -> list[str]:
    return sorted(d.name for d in studio.azure.world.deployments)


def writes(studio: Studio) -> list[tuple[str, str]]:
    """What was written to deployments since the stage was set."""
    wanted = {"PUT", "DELETE", "PATCH"}
    found = [(e.method, e.path) for e in studio.azure.app.log if e.method in wanted and "/deployments/" in e.path]
    return [(m, p) for m, p in found if "/deployments/bot" not in p]
