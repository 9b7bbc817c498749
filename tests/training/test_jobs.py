"""`hearth jobs`, on a local Azure."""

from __future__ import annotations

import json

import pytest

from infra.ports import clock
from tests.training.studio import SOURCE, Studio


@pytest.fixture(autouse=True)
def _project(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project names the account, so that no command has to."""
    for file in (studio.root / "stacks/models").glob("*.yaml"):
        file.unlink()
    studio.wish()
    monkeypatch.setattr(clock, "sleep", studio.wait)


def begun(studio: Studio) -> str:
    """A job that trains, and has done a step."""
    studio.azure.switch(training_rate=50.0)
    job = studio.job(finish=False)
    while not any(event.type == "metrics" for event in studio.trainer.jobs.events(job)):
        studio.azure.advance(seconds=20)
    return job


def test_jobs_are_listed_newest_first_as_many_as_wanted(studio):
    made = [studio.job(), studio.job(), studio.job(finish=False)]
    rows = json.loads(studio.hearth("jobs", "list", "--json"))
    assert [row["id"] for row in rows] == made[::-1]
    assert {row["account"] for row in rows} == {SOURCE.account}
    said = studio.hearth("jobs", "list", "--limit", "1")
    assert made[2] in said
    assert made[1] not in said


def test_an_account_that_is_not_there_is_told_beside_those_that_are(studio):
    job = studio.job()
    studio.wish("other", account={"subscription": SOURCE.subscription, "resourceGroup": "rg", "account": "not-there"})
    said = studio.hearth("jobs", "list", code=3)
    assert job in said
    assert "not-there" in studio.errors


def test_of_an_account_that_cannot_be_read_it_is_not_said_that_it_has_no_jobs(studio):
    studio.wish(account={"subscription": SOURCE.subscription, "resourceGroup": "rg", "account": "not-there"})
    assert studio.hearth("jobs", "list", code=3) == ""
    assert "not-there" in studio.errors


def test_without_any_account_it_is_said_how_to_name_one(studio):
    (studio.root / "stacks/training/bot.yaml").unlink()
    studio.hearth("jobs", "list", code=2)
    assert "--account or --stack" in studio.errors


def test_a_job_is_shown_with_all_that_happened(studio):
    job = studio.job(suffix="bot")
    said = studio.hearth("jobs", "show", job)
    assert "status: succeeded" in said
    assert "suffix: bot" in said
    assert said.index("Job enqueued") < said.index("Job succeeded")
    told = json.loads(studio.hearth("jobs", "show", job, "--json"))
    assert told["events"][-1]["message"].startswith("Training tokens billed")


def test_a_job_is_watched_to_its_end(studio):
    job = studio.job(finish=False)
    said = studio.hearth("jobs", "watch", job)
    assert f"{job} succeeded" in said
    assert said.count("Job enqueued") == 1


def test_a_job_that_failed_is_told_with_azures_reason(studio):
    studio.fault("training-fails", count=1)
    job = studio.job(finish=False)
    studio.hearth("jobs", "watch", job, code=1)
    assert "internal error" in studio.errors
    assert "why: The job failed" in studio.hearth("jobs", "show", job)


def test_a_job_is_paused_and_resumed_by_whoever_watches_it_too(studio):
    job = begun(studio)
    assert f"{job}: pausing" in studio.hearth("jobs", "pause", job)
    assert f"hearth jobs resume {job}" in studio.hearth("jobs", "watch", job)
    assert "is paused already" in studio.hearth("jobs", "pause", job)
    assert f"{job}: resuming" in studio.hearth("jobs", "resume", job)
    assert f"{job} succeeded" in studio.hearth("jobs", "watch", job, "--every", "60")


def test_a_paused_jobs_checkpoint_can_be_recorded(studio):
    job = begun(studio)
    studio.hearth("jobs", "pause", job)
    studio.azure.advance(minutes=1)
    (row,) = json.loads(studio.hearth("checkpoints", job, "--json"))["checkpoints"]
    assert row["deployable"]
    studio.hearth("models", "record", job, "--name", "trial", "--checkpoint", str(row["step"]))
    assert row["id"] in (studio.root / "stacks/models/trial.yaml").read_text()


def test_a_job_is_cancelled_and_a_second_time_says_so(studio):
    job = studio.job(finish=False)
    assert f"{job}: cancelled" in studio.hearth("jobs", "cancel", job)
    assert "is cancelled already" in studio.hearth("jobs", "cancel", job)


def test_what_a_job_cannot_do_now_is_said_by_azure(studio):
    job = studio.job()
    studio.hearth("jobs", "resume", job, code=3)
    assert "cannot be resumed" in studio.errors


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unclear_answer_to_a_cancel_is_cleared_up(studio, when):
    job = studio.job(finish=False)
    action = "Microsoft.CognitiveServices/accounts/OpenAI/fine-tunes/cancel/action"
    studio.fault("reset-connection", count=1, when=when, scope=action)
    if when == "before":
        studio.hearth("jobs", "cancel", job, code=3)
    else:
        assert "cancelled" in studio.hearth("jobs", "cancel", job)
    assert (studio.trainer.jobs.job(job).status == "cancelled") == (when == "after")
