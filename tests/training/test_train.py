"""`hearth train` on a local Azure: from the YAML to the model record, once, whatever comes in between."""

from __future__ import annotations

import json

import pytest
import yaml

from infra.localazure import files as local_files
from infra.ports import clock
from infra.ports.files import Files
from infra.ports.finetuning import FineTuning
from infra.training import upload
from tests.localazure.training import BASE, chat
from tests.training.studio import SOURCE, Studio


@pytest.fixture(autouse=True)
def _virtual_time(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "sleep", studio.wait)


def ready(studio: Studio, **keys: object) -> None:
    studio.data()
    studio.wish(**keys)


def record(studio: Studio, name: str = "bot") -> dict:
    return yaml.safe_load((studio.root / f"stacks/models/{name}.yaml").read_text())


def jobs(studio: Studio) -> list:
    return list(studio.trainer.jobs.jobs())


def files(studio: Studio) -> list[str]:
    return [file.filename for file in studio.trainer.files.all("fine-tune")]


def intent(studio: Studio) -> dict:
    (file,) = (studio.root / ".hearth/training").glob("bot-*.json")
    return json.loads(file.read_text())


# --- the straight way ----------------------------------------------------------------------------------------------


def test_one_command_leads_from_a_yaml_to_a_record(studio):
    ready(studio, validation=studio.data("valid.jsonl", 12, 700), suffix="bot", hyperparameters={"n_epochs": 2})
    said = studio.hearth("train", "bot")
    (job,) = jobs(studio)
    assert (job.status, job.suffix, job.hyperparameters["n_epochs"]) == ("succeeded", "bot", 2)
    told = record(studio)
    assert told["model"] == job.fine_tuned_model
    assert told["source"] == {"subscription": SOURCE.subscription, "resourceGroup": "rg", "account": SOURCE.account}
    trained = told["trained"]
    assert (trained["job"], trained["base"], trained["method"], trained["tokens"], trained["seed"]) == (
        job.id, BASE, "supervised", job.trained_tokens, job.seed,
    )  # fmt: skip
    assert trained["hyperparameters"]["n_epochs"] == 2
    assert {key: file["id"] for key, file in trained["files"].items()} == {
        "training": job.training_file,
        "validation": job.validation_file,
    }
    assert all(len(file["sha256"]) == 64 for file in trained["files"].values())
    for part in ("training tokens:", "made ftjob-", "Training started.", "tokens billed:", "wrote stacks/models/bot"):
        assert part in said
    studio.hearth("check")


def test_events_are_told_in_the_order_of_time(studio):
    ready(studio)
    said = studio.hearth("train", "bot")
    story = [
        "Job enqueued",
        "Preprocessing completed",
        "Training started",
        "Step 1:",
        "Job succeeded",
        "Training tokens",
    ]
    assert [said.index(part) for part in story] == sorted(said.index(part) for part in story)


def test_the_same_command_again_makes_nothing_and_says_so(studio):
    ready(studio)
    studio.hearth("train", "bot")
    posts = [studio.calls("POST", path) for path in ("/files", "/fine_tuning/jobs")]
    said = studio.hearth("train", "bot")
    assert "was trained before" in said
    assert "--again" in said
    assert [studio.calls("POST", path) for path in ("/files", "/fine_tuning/jobs")] == posts == [1, 1]
    assert len(jobs(studio)) == len(files(studio)) == 1


def test_again_makes_another_job_of_the_same_files(studio):
    ready(studio)
    studio.hearth("train", "bot")
    studio.hearth("train", "bot", "--again")
    first, second = jobs(studio)
    assert first.training_file == second.training_file
    assert record(studio)["model"] == first.fine_tuned_model, "the newest is first"


def test_other_settings_are_another_training(studio):
    ready(studio)
    studio.hearth("train", "bot")
    studio.wish(hyperparameters={"n_epochs": 1})
    studio.hearth("train", "bot")
    assert len(jobs(studio)) == 2
    assert len(files(studio)) == 1, "the file is there already, by name and bytes"


def test_the_record_has_its_own_name_where_the_yaml_gives_one(studio):
    ready(studio, record="support")
    studio.hearth("train", "stacks/training/bot.yaml")
    assert record(studio, "support")["model"].startswith(BASE)


def test_detached_it_returns_and_goes_on_later(studio):
    ready(studio)
    said = studio.hearth("train", "bot", "--detach")
    (job,) = jobs(studio)
    assert f"hearth jobs watch {job.id}" in said
    assert not job.is_over
    assert not (studio.root / "stacks/models/bot.yaml").exists()
    studio.hearth("train", "bot")
    assert record(studio)["trained"]["job"] == job.id
    assert len(jobs(studio)) == 1


@pytest.mark.parametrize(
    ("method", "more", "data"),
    [
        ("dpo", {"hyperparameters": {"beta": 0.2}}, "preferences"),
        (
            "reinforcement",
            {"model": "o4-mini-2025-04-16", "grader": {"type": "python", "source": "x"}},
            "reinforcement",
        ),
    ],
)
def test_other_methods_are_asked_for_with_what_they_take(studio, method, more, data):
    from tests.localazure import training as given

    (studio.root / "data").mkdir()
    rows = [
        {"messages": [{"role": "user", "content": f"What is {at} + 1?"}], "answer": str(at + 1)} for at in range(30)
    ]
    content = given.preferences(30) if data == "preferences" else given.lines(rows)
    (studio.root / "data/train.jsonl").write_bytes(content)
    (studio.root / "data/valid.jsonl").write_bytes(given.lines(rows[:12]) if data != "preferences" else content)
    studio.wish(method=method, validation="data/valid.jsonl", **more)
    studio.hearth("train", "bot", "--no-check")
    (job,) = jobs(studio)
    assert job.method["type"] == method
    assert record(studio)["trained"]["method"] == method


def test_a_tuned_model_is_tuned_on_and_its_line_is_kept(studio):
    ready(studio)
    studio.hearth("train", "bot")
    first = jobs(studio)[0]
    studio.data("more.jsonl", 30, 900)
    studio.wish("next", model=f"{BASE}.ft-{first.id.removeprefix('ftjob-')}", training="data/more.jsonl")
    studio.hearth("train", "next")
    second = jobs(studio)[0]
    told = record(studio, "next")["trained"]
    assert told["base"] == BASE
    assert told["parents"] == [{"job": first.id, "model": first.fine_tuned_model, "base": BASE}]
    studio.wish("third", model=second.fine_tuned_model, training="data/train.jsonl")
    studio.hearth("train", "third")
    assert [parent["job"] for parent in record(studio, "third")["trained"]["parents"]] == [first.id, second.id]


def test_the_account_may_be_a_stacks(studio):
    (studio.root / "stacks/Pulumi.training.yaml").write_text(
        yaml.safe_dump({"config": {
            "azure-native:subscriptionId": SOURCE.subscription, "azure-native:location": "swedencentral",
            "hearth:account": {"name": SOURCE.account, "resourceGroup": "rg"},
        }})
    )  # fmt: skip
    ready(studio, account=None, stack="training")
    studio.hearth("train", "bot")
    assert record(studio)["source"]["account"] == SOURCE.account


# --- before anything is uploaded -----------------------------------------------------------------------------------


def test_faulty_data_are_not_uploaded(studio):
    ready(studio)
    (studio.root / "data/train.jsonl").write_bytes(chat(20) + b'{"messages": []}\n')
    studio.hearth("train", "bot", code=2)
    assert "line 21" in studio.errors
    assert files(studio) == []


def test_files_are_called_as_the_yaml_calls_them(studio):
    ready(studio)
    studio.wish(validation="data/train.jsonl")
    said = studio.hearth("train", "bot", "--detach")
    assert "data/train.jsonl (training)" in said
    assert "of data/train.jsonl →" in studio.errors
    assert str(studio.root) not in said + studio.errors


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"model": "gpt-35-turbo-0613"}, "can no longer be tuned"),
        ({"model": "gpt-9-2027-01-01"}, "knows no model gpt-9-2027-01-01"),
        ({"model": f"{BASE}.ft-{'0' * 32}"}, "owns no model"),
        ({"model": "gpt-4o-mini-2024-07-18", "trainingType": "DeveloperTier"}, "no training of type DeveloperTier"),
    ],
)
def test_a_model_that_cannot_be_tuned_is_said_before_the_upload(studio, keys, text):
    ready(studio, **keys)
    studio.hearth("train", "bot", code=1)
    assert text in studio.errors
    assert not studio.calls("POST", "/files")


def test_a_full_account_is_said_before_the_upload_with_what_could_go(studio):
    with studio.azure.world.lock:
        account = studio.azure.world.account(studio.served.account.lower())
        for at in range(100):
            local_files.add(studio.azure.world, account, f"old-{at}.jsonl", "fine-tune", [])
    ready(studio)
    studio.hearth("train", "bot", code=1)
    assert "holds 100 files" in studio.errors
    assert "old-0.jsonl" in studio.errors
    assert "hearth clean" in studio.errors
    assert not studio.calls("POST", "/files")


def test_a_missing_file_and_an_unknown_name_are_mistakes_of_ours(studio):
    studio.wish()
    studio.hearth("train", "bot", code=2)
    assert "data/train.jsonl cannot be read" in studio.errors
    studio.hearth("train", "bott", code=2)
    assert 'did you mean "bot"' in studio.errors


def test_all_files_that_are_not_there_are_told_at_once_each_with_its_line(studio):
    studio.wish(validation="data/valid.jsonl")
    studio.hearth("train", "bot", code=2)
    assert "2 mistakes" in studio.errors
    assert "training: data/train.jsonl cannot be read" in studio.errors
    assert "validation: data/valid.jsonl cannot be read" in studio.errors
    studio.wish(training="file-0123456789abcdef0123456789abcdef", validation="data/valid.jsonl")
    studio.hearth("train", "bot", code=2)
    assert "training: oai-prod has no file file-0123456789abcdef0123456789abcdef" in studio.errors
    assert studio.errors.count("line ") == 2


def test_a_file_that_is_there_already_is_reused_and_not_said_to_be_uploaded(studio):
    ready(studio)
    assert "uploaded train-" in studio.hearth("train", "bot")
    studio.wish("other", seed=5)
    said = studio.hearth("train", "other")
    assert "reused train-" in said
    assert "uploaded" not in said


def test_data_that_azure_itself_refuses_are_told_in_its_words(studio):
    ready(studio)
    (studio.root / "data/train.jsonl").write_bytes(b"no json\n" * 20)
    studio.hearth("train", "bot", "--no-check", code=1)
    assert "does not take the file" in studio.errors
    assert "jsonl" in studio.errors
    assert jobs(studio) == []


# --- how it can end ------------------------------------------------------------------------------------------------


def test_a_job_that_failed_is_shown_and_tried_again_only_when_told(studio):
    ready(studio)
    studio.fault("training-fails", count=1)
    studio.hearth("train", "bot", code=1)
    assert "internal error" in studio.errors
    assert "--again" in studio.errors
    studio.hearth("train", "bot", code=1)
    assert len(jobs(studio)) == 1
    studio.hearth("train", "bot", "--again")
    assert [job.status for job in jobs(studio)] == ["succeeded", "failed"]


def test_a_safety_evaluation_that_failed_is_told_with_what_to_do(studio):
    ready(studio)
    studio.fault("unsafe-data", count=1)
    studio.hearth("train", "bot", code=1)
    assert "failed RAI checks" in studio.errors
    assert "hurting oneself" in studio.errors
    assert not (studio.root / "stacks/models/bot.yaml").exists()


def test_a_job_that_was_cancelled_meanwhile_is_told(studio):
    ready(studio)
    studio.hearth("train", "bot", "--detach")
    studio.trainer.jobs.cancel(jobs(studio)[0].id)
    studio.hearth("train", "bot", code=1)
    assert "somebody cancelled it" in studio.errors


def test_a_day_in_the_queue_is_told_once(studio):
    ready(studio)
    studio.fault("stuck-in-queue", count=1, seconds=26 * 3600)
    studio.hearth("train", "bot", "--every", "1800")
    assert studio.errors.count("in the queue for 24 h") == 1
    assert jobs(studio)[0].status == "succeeded"


# --- what comes in between -----------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for kill -9: nothing of ours runs after it but what the test runner needs."""


def kill(monkeypatch, owner, name: str, *, after: bool) -> None:
    """Have the process end at a call, before or after Azure has done what it asks."""
    real = getattr(owner, name)

    def dying(self, *args, **named):
        monkeypatch.setattr(owner, name, real)
        if after:
            real(self, *args, **named)
        raise Killed

    monkeypatch.setattr(owner, name, dying)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "name"), [(Files, "send"), (FineTuning, "create"), (FineTuning, "events")])
def test_killed_at_any_call_the_same_command_goes_on_without_a_second_file_or_job(
    studio, monkeypatch, owner, name, after
):
    ready(studio)
    kill(monkeypatch, owner, name, after=after)
    with pytest.raises(Killed):
        studio.hearth("train", "bot")
    studio.hearth("train", "bot")
    assert len(files(studio)) == 1
    (job,) = jobs(studio)
    assert record(studio)["trained"]["job"] == job.id


@pytest.mark.parametrize("after", [False, True])
def test_killed_again_while_training_again_it_goes_on_with_the_second_job(studio, monkeypatch, after):
    ready(studio)
    studio.hearth("train", "bot")
    kill(monkeypatch, FineTuning, "create", after=after)
    with pytest.raises(Killed):
        studio.hearth("train", "bot", "--again")
    studio.hearth("train", "bot", "--again")
    assert len(jobs(studio)) == 2


def test_without_what_was_written_down_the_job_is_still_found(studio):
    """Another machine, or a clone without .hearth."""
    ready(studio)
    studio.hearth("train", "bot", "--detach")
    for file in (studio.root / ".hearth/training").iterdir():
        file.unlink()
    assert "goes on with" in studio.hearth("train", "bot")
    assert len(jobs(studio)) == len(files(studio)) == 1


@pytest.mark.parametrize("fault", ["server-error", "reset-connection"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("action", "path"), [("files/write", "/files"), ("fine-tunes/write", "/fine_tuning/jobs")])
def test_an_unclear_answer_makes_no_second_file_or_job(studio, fault, when, action, path):
    ready(studio)
    studio.fault(fault, count=1, when=when, scope=f"Microsoft.CognitiveServices/accounts/OpenAI/{action}")
    studio.hearth("train", "bot")
    assert len(jobs(studio)) == len(files(studio)) == 1
    assert studio.calls("POST", path) == (2 if when == "before" else 1), "it is sent again where nothing was made"


def test_azure_that_is_away_for_a_while_does_not_end_the_watch(studio, monkeypatch):
    ready(studio)
    studio.hearth("train", "bot", "--detach")
    real, failed = FineTuning.job, []

    def away(self, job):
        from infra.errors import Unreachable

        if len(failed) in range(2, 6):
            failed.append(1)
            raise Unreachable("away")
        failed.append(1)
        return real(self, job)

    monkeypatch.setattr(FineTuning, "job", away)
    studio.hearth("train", "bot")
    assert record(studio)["model"]


def test_two_at_once_on_one_training_are_one(studio, monkeypatch):
    ready(studio)

    def second(seconds: float) -> None:
        monkeypatch.setattr(clock, "sleep", studio.wait)
        with pytest.raises(AssertionError, match="Another command is at work"):
            studio.hearth("train", "bot")

    monkeypatch.setattr(clock, "sleep", second)
    studio.hearth("train", "bot")
    assert len(jobs(studio)) == 1


# --- large files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(upload, "PIECE", 2_000)
    monkeypatch.setattr(upload, "AT_ONCE", 1)
    return 2_000


def parts(studio: Studio) -> int:
    return studio.calls("POST", "/parts")


def test_a_large_file_comes_in_parts(studio, small_pieces):
    ready(studio)
    size = (studio.root / "data/train.jsonl").stat().st_size
    studio.hearth("train", "bot")
    assert parts(studio) == -(-size // small_pieces) > 2
    (file,) = studio.trainer.files.all("fine-tune")
    assert studio.trainer.files.read(file.id) == (studio.root / "data/train.jsonl").read_bytes()


@pytest.mark.parametrize(("name", "resent"), [("send_part", 1), ("complete", 0)])
@pytest.mark.parametrize("after", [False, True])
def test_an_upload_that_was_cut_off_sends_what_was_in_flight_alone(
    studio, monkeypatch, small_pieces, name, resent, after
):
    ready(studio)
    size = (studio.root / "data/train.jsonl").stat().st_size
    kill(monkeypatch, Files, name, after=after)
    with pytest.raises(Killed):
        studio.hearth("train", "bot")
    studio.hearth("train", "bot")
    assert parts(studio) <= -(-size // small_pieces) + resent
    assert len(files(studio)) == 1


def test_an_upload_that_azure_has_dropped_is_begun_anew(studio, monkeypatch, small_pieces):
    ready(studio)
    kill(monkeypatch, Files, "complete", after=False)
    with pytest.raises(Killed):
        studio.hearth("train", "bot")
    assert intent(studio)["files"]["training"]["upload"]["parts"]
    studio.azure.advance(hours=3)
    studio.hearth("train", "bot")
    assert studio.calls("POST", "/uploads") == 2
    assert len(files(studio)) == 1


# --- a terminal, and who looks -------------------------------------------------------------------------------------


def test_on_a_terminal_the_loss_is_drawn_as_it_falls(studio, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # what rich takes for a terminal
    studio.azure.switch(training_rate=200.0)
    ready(studio)
    said = studio.hearth("train", "bot")
    assert "loss by step" in said
    assert "Training started." in said


def test_who_stops_watching_stops_no_job(studio, monkeypatch):
    ready(studio)

    def interrupted(seconds: float) -> None:
        if jobs(studio):
            raise KeyboardInterrupt
        studio.wait(seconds)

    monkeypatch.setattr(clock, "sleep", interrupted)
    studio.hearth("train", "bot", code=130)
    assert "goes on without us" in studio.errors
    monkeypatch.setattr(clock, "sleep", studio.wait)
    studio.hearth("train", "bot")
    assert len(jobs(studio)) == 1


def test_mistakes_of_what_is_trained_are_found_by_check_too(studio):
    ready(studio, suffix="x" * 19)
    studio.hearth("check")
    assert "warning: stacks/training/bot.yaml: suffix has 19 characters" in studio.errors
    studio.wish(suffix="a.b")
    studio.hearth("check", code=2)
    assert "stacks/training/bot.yaml has 1 mistake" in studio.errors
