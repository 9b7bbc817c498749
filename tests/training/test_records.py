"""`hearth models`: records from jobs, their line, what changed."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from infra.errors import SpecError
from infra.spec import load_record, open_project
from infra.training import record
from tests.localazure.training import BASE
from tests.training.studio import SOURCE, Studio

MODEL = f"{BASE}.ft-{'a' * 32}"


@pytest.fixture(autouse=True)
def _project(studio: Studio) -> None:
    studio.wish()
    (studio.root / "stacks/models/legacy-bot.yaml").unlink()
    (studio.root / "stacks/models/support-bot.yaml").unlink()
    for file in (studio.root / "stacks").glob("Pulumi.local-*.yaml"):
        file.unlink()


def text(model: str = MODEL, **keys: object) -> str:
    source = {"subscription": SOURCE.subscription, "resourceGroup": "rg", "account": SOURCE.account}
    return yaml.safe_dump({"model": model, "version": "1", "source": source, **keys})


def put(studio: Studio, name: str, content: str) -> record.Written:
    return record.put(open_project(studio.root), name, content)


def test_a_job_is_recorded_by_hand(studio):
    job = studio.job(60)
    assert "wrote stacks/models/bot.yaml" in studio.hearth("models", "record", job, "--name", "bot")
    found = load_record(open_project(studio.root), "bot")
    assert (found.model, found.trained.job) == (studio.trainer.jobs.job(job).fine_tuned_model, job)
    assert found.base == BASE
    assert len(found.trained.files["training"]["sha256"]) == 64, "the file is read where nothing else knows its digest"


def test_a_checkpoint_is_recorded_with_its_id_and_step(studio):
    job = studio.job(60)
    first, *_, last = studio.trainer.jobs.checkpoints(job)
    studio.hearth("models", "record", job, "--name", "bot", "--checkpoint", str(first.step_number))
    found = load_record(open_project(studio.root), "bot")
    assert found.model == first.id
    assert found.trained.checkpoint == {"id": first.id, "step": first.step_number}
    assert found.base == BASE
    studio.hearth("models", "record", job, "--name", "bot", "--checkpoint", str(last.step_number))
    found = load_record(open_project(studio.root), "bot")
    assert (found.model, found.trained.checkpoint) == (studio.trainer.jobs.job(job).fine_tuned_model, None)


def test_a_step_without_a_checkpoint_is_told_with_those_that_there_are(studio):
    job = studio.job(60)
    studio.hearth("models", "record", job, "--name", "bot", "--checkpoint", "7", code=3)
    assert "Azure keeps those at" in studio.errors


def test_a_job_without_a_model_makes_no_record(studio):
    job = studio.job(finish=False)
    studio.hearth("models", "record", job, "--name", "bot", code=1)
    assert "it is pending" in studio.errors
    assert list((studio.root / "stacks/models").iterdir()) == []


def test_a_record_whose_files_are_deleted_says_what_is_known(studio):
    job = studio.job(60)
    studio.trainer.files.delete(studio.trainer.jobs.job(job).training_file)
    studio.hearth("models", "record", job, "--name", "bot")
    assert list(load_record(open_project(studio.root), "bot").trained.files["training"]) == ["id"]


# --- written whole or not at all -----------------------------------------------------------------------------------


def test_steps_are_counted_from_1_so_checkpoint_0_is_a_mistake_of_ours(studio):
    studio.hearth("models", "record", "ftjob-1", "--name", "bot", "--checkpoint", "0", code=2)
    assert "--checkpoint" in studio.errors


@pytest.mark.parametrize(
    ("name", "text"),
    [("../x", '"../x" is no name of a record'), ("support-bott", "there is no record support-bott; did you mean")],
)
def test_a_record_that_is_none_is_told_in_one_line(studio, name, text):
    (studio.root / "stacks/models/support-bot.yaml").write_text("model: a\n")
    studio.hearth("models", "show", name, code=2)
    assert text in studio.errors
    assert len(studio.errors.splitlines()) == 2, "how many mistakes, and the one"


def test_an_existing_record_is_shown_as_a_diff_and_replaced(studio):
    put(studio, "bot", text())
    job = studio.job(60)
    said = studio.hearth("models", "record", job, "--name", "bot")
    assert f"-model: {MODEL}" in said
    assert f"+model: {studio.trainer.jobs.job(job).fine_tuned_model}" in said
    assert "replaced stacks/models/bot.yaml" in said
    assert "unchanged" in studio.hearth("models", "record", job, "--name", "bot")


def test_what_says_the_same_is_not_touched(studio):
    put(studio, "bot", text())
    file = studio.root / "stacks/models/bot.yaml"
    file.write_text(f"# by hand\n{file.read_text()}")
    written = put(studio, "bot", text())
    assert (written.diff, written.is_new) == ("", False)
    assert file.read_text().startswith("# by hand")


@pytest.mark.parametrize("content", ["", "model: x\n", "a: [", text("no-model-of-ours")])
def test_what_would_be_no_record_is_not_written(studio, content):
    put(studio, "bot", text())
    before = (studio.root / "stacks/models/bot.yaml").read_text()
    with pytest.raises(SpecError):
        record.put(open_project(studio.root), "bot", content or "{}")
    assert [file.name for file in (studio.root / "stacks/models").iterdir()] == ["bot.yaml"]
    assert (studio.root / "stacks/models/bot.yaml").read_text() == before


def test_a_name_is_no_path(studio):
    with pytest.raises(SpecError):
        put(studio, "../bot", text())


def test_an_evaluation_stays_with_its_model_and_goes_with_another(studio):
    put(studio, "bot", text(evaluation={"passRate": 0.9}))
    put(studio, "bot", text(trained={"seed": 7}))
    assert load_record(open_project(studio.root), "bot").evaluation == {"passRate": 0.9}
    put(studio, "bot", text(MODEL.replace("a" * 32, "b" * 32)))
    assert load_record(open_project(studio.root), "bot").evaluation == {}


# --- list, show, diff ----------------------------------------------------------------------------------------------


def test_records_are_listed_with_the_stacks_that_serve_them(studio):
    put(studio, "bot", text(evaluation={"passRate": 0.975}))
    put(studio, "spare", text(MODEL.replace("a" * 32, "b" * 32)))
    (studio.root / "stacks/Pulumi.prod.yaml").write_text(
        yaml.safe_dump({"config": {
            "azure-native:subscriptionId": SOURCE.subscription, "azure-native:location": "swedencentral",
            "hearth:account": {"name": "contoso-prod", "resourceGroup": "rg"},
            "hearth:deployments": {"chat": {"model": "bot", "sku": {"name": "Standard", "capacity": 1}}},
        }})
    )  # fmt: skip
    rows = {row["name"]: row for row in json.loads(studio.hearth("models", "list", "--json"))}
    assert (rows["bot"]["used"], rows["spare"]["used"]) == (["prod/chat"], [])
    said = studio.hearth("models", "list")
    assert "98%" in said
    assert "by no stack" in said


def test_a_record_with_mistakes_is_told_beside_those_without(studio):
    put(studio, "bot", text())
    (studio.root / "stacks/models/bad.yaml").write_text("model: 7\n")
    assert MODEL in studio.hearth("models", "list", code=2)
    assert "stacks/models/bad.yaml" in studio.errors


def test_a_line_is_shown_oldest_first(studio):
    first, second = "ftjob-" + "1" * 32, "ftjob-" + "2" * 32
    models = [f"{BASE}.ft-{digit * 32}" for digit in "12"]
    parents = [
        {"job": first, "model": models[0], "base": BASE},
        {"job": second, "model": models[1], "base": models[0]},
    ]
    put(studio, "bot", text(trained={"base": BASE, "job": "ftjob-" + "a" * 32, "parents": parents}))
    told = json.loads(studio.hearth("models", "show", "bot", "--json"))["lineage"]
    assert [(one["base"], one["model"]) for one in told] == [
        (BASE, models[0]),
        (models[0], models[1]),
        (models[1], MODEL),
    ]
    said = studio.hearth("models", "show", "bot")
    assert said.index(first) < said.index(second)
    assert "tenant" not in said, "what is not named is not shown"


def test_two_records_and_two_times_of_one_are_compared(studio):
    put(studio, "bot", text())
    for command in (("init", "-q"), ("add", "."), ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x")):
        subprocess.run(["git", "-C", str(studio.root), *command], check=True)
    assert studio.hearth("models", "diff", "bot", "bot@HEAD") == ""
    put(studio, "bot", text(MODEL.replace("a" * 32, "b" * 32)))
    said = studio.hearth("models", "diff", "bot@HEAD", "bot", code=1)
    assert f"-model: {MODEL}" in said
    (studio.root / "other.yaml").write_text(f"# in another order\n{text()}")
    assert studio.hearth("models", "diff", "other.yaml", "bot@HEAD") == ""


def test_a_record_that_was_no_text_at_a_commit_is_a_mistake(studio):
    put(studio, "bot", text())
    (studio.root / "stacks/models/bot.yaml").write_bytes(b"\xff\xfe\x00")
    for command in (("init", "-q"), ("add", "."), ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x")):
        subprocess.run(["git", "-C", str(studio.root), *command], check=True)
    studio.hearth("models", "diff", "bot@HEAD", "bot", code=2)
    assert "is not UTF-8 text there" in studio.errors


@pytest.mark.parametrize("one", ["bott", "bot@no-such-ref", "bot@", "bot@--output=x"])
def test_what_cannot_be_compared_is_a_mistake(studio, one):
    put(studio, "bot", text())
    subprocess.run(["git", "-C", str(studio.root), "init", "-q"], check=True)
    studio.hearth("models", "diff", "bot", one, code=2)
    assert not (studio.root / "x").exists()
