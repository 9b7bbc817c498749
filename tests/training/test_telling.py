"""`hearth results` and `hearth checkpoints`, on a local Azure."""

from __future__ import annotations

import json

import pytest

from infra.localazure import finetuning
from infra.training import safety
from tests.training.studio import SOURCE, Studio

ACCOUNT = f"{SOURCE.subscription}/{SOURCE.resource_group}/{SOURCE.account}"


def validated(studio: Studio) -> str:
    """A job with a validation file; its id."""
    file = studio.trainer.files.send("validation.jsonl", (studio.root / studio.data("v.jsonl", 12, 700)).read_bytes())
    return studio.job(60, validation_file=file.id, seed=3)  # an unlucky seed overfits


def test_a_job_is_told_with_chart_verdict_and_the_checkpoint_to_take(studio):
    job = validated(studio)
    said = studio.hearth("results", job, "--account", ACCOUNT)
    for part in ("loss by step", f"{job}: succeeded", "good: training loss", "checkpoint to take: step"):
        assert part in said


def test_a_job_is_found_in_the_accounts_that_the_project_names(studio):
    studio.wish()
    job = studio.job()
    told = json.loads(studio.hearth("results", job, "--json"))
    assert (told["job"], told["status"]) == (job, "succeeded")
    assert told["choice"]["step"] == told["steps"]
    studio.hearth("results", "ftjob-" + "0" * 32, code=3)
    assert "was not found in oai-prod" in studio.errors
    assert "name another account by --account" in studio.errors


def test_an_account_that_is_not_there_is_told_and_not_that_it_lacks_the_job(studio):
    studio.hearth("jobs", "show", "ftjob-" + "0" * 32, "--account", f"{SOURCE.subscription}/rg/oai-none", code=3)
    assert "oai-none does not exist" in studio.errors
    assert "ftjob-" not in studio.errors


def test_a_tuned_model_stands_for_its_job(studio):
    job = studio.job()
    model = studio.trainer.jobs.job(job).fine_tuned_model
    assert json.loads(studio.hearth("results", model, "--account", ACCOUNT, "--json"))["job"] == job
    assert json.loads(studio.hearth("checkpoints", model, "--account", ACCOUNT, "--json"))["job"] == job


def test_the_same_figures_come_from_the_job_its_file_and_a_file_on_the_disk(studio):
    job = studio.job()
    (file,) = studio.trainer.jobs.job(job).result_files
    (studio.root / "results.csv").write_bytes(studio.trainer.files.read(file))
    told = [
        json.loads(studio.hearth("results", of, "--account", ACCOUNT, "--json"))["last"]
        for of in (job, file, "results.csv")
    ]
    assert told[0] == told[1] == told[2]
    assert told[0]["train_loss"] > 0


def test_pictures_and_a_page_are_written_and_nothing_else_is(studio):
    job = studio.job()
    names = ("loss.png", "loss.svg", "loss.html")
    flags = [part for name in names for part in (f"--{name.rpartition('.')[2]}", name)]
    said = studio.hearth("results", job, "--account", ACCOUNT, *flags)
    assert [line for line in said.splitlines() if line.startswith("wrote")] == [f"wrote {name}" for name in names]
    assert (studio.root / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (studio.root / "loss.html").read_text().startswith("<!doctype html>")


def test_what_cannot_be_written_or_read_is_said_before_azure_is_asked(studio):
    studio.hearth("results", "ftjob-1", "--account", ACCOUNT, "--png", "no/such/folder.png", code=2)
    assert "there is no folder" in studio.errors
    studio.hearth("results", "nothing.csv", code=2)
    assert "cannot be read" in studio.errors
    studio.hearth("results", "ftjob-1", "--account", "oai-prod", code=2)
    assert "SUBSCRIPTION/GROUP/NAME" in studio.errors
    assert not studio.calls("GET", "/fine_tuning/jobs/ftjob-1")


def test_a_job_that_has_not_begun_has_no_results_yet(studio):
    job = studio.job(finish=False)
    studio.hearth("results", job, "--account", ACCOUNT, code=1)
    assert "it is pending" in studio.errors


def test_a_model_that_should_not_be_taken_exits_1(studio):
    job = studio.job(60, hyperparameters={"learning_rate_multiplier": 50.0, "n_epochs": 4})
    told = json.loads(studio.hearth("results", job, "--account", ACCOUNT, "--json", code=1))
    assert [finding["kind"] for finding in told["verdict"] if finding["bad"]]


# --- checkpoints ---------------------------------------------------------------------------------------------------


def test_the_last_three_checkpoints_can_be_deployed(studio):
    told = json.loads(studio.hearth("checkpoints", validated(studio), "--account", ACCOUNT, "--json"))
    rows = told["checkpoints"]
    assert [row["deployable"] for row in rows] == [True] * 3
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)
    assert all(row["id"].startswith("ftchkpt-") and "full_valid_loss" in row["metrics"] for row in rows)


def test_checkpoints_of_a_running_job_wait_for_its_safety_evaluation(studio):
    studio.azure.switch(training_rate=50.0)
    job = studio.job(60, finish=False)
    while not studio.trainer.jobs.checkpoints(job):
        studio.azure.advance(seconds=10)
    said = studio.hearth("checkpoints", job, "--account", ACCOUNT)
    assert "no: the job is running: its safety evaluation comes at the end" in said


# --- safety --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "of"), [("unsafe-data", "Look for examples"), ("unsafe-model", "cannot be deployed")]
)
def test_a_safety_evaluation_that_failed_is_told_with_its_harm_types_and_what_to_do(studio, fault, of):
    studio.fault(fault)
    job = studio.job(60)
    said = studio.hearth("results", job, "--account", ACCOUNT, code=1)
    told = said + studio.errors
    assert of in told
    assert "hurting oneself" in told
    assert "threats" in told


def test_the_words_of_both_evaluations_are_understood():
    assert safety.read(finetuning.UNSAFE_DATA) == safety.Harm("data", ("hate_fairness", "self_harm", "violence"))
    assert safety.read(finetuning.UNSAFE_MODEL) == safety.Harm("model", ("Violence", "Self Harm"))
    assert safety.read("The job failed due to an internal error.") is None
    assert safety.read(None) is None


def test_a_job_that_was_cancelled_has_no_model_to_take(studio):
    job = studio.job(finish=False)
    while not studio.trainer.jobs.checkpoints(job):
        studio.azure.advance(seconds=1)
    studio.hearth("jobs", "cancel", job, "--account", ACCOUNT)
    studio.hearth("results", job, "--account", ACCOUNT, code=1)
