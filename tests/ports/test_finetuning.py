"""The ports of files and fine-tuning jobs on a local Azure with a port of its own."""

from __future__ import annotations

import pytest

from infra.errors import Busy, LoginFailed, NotFound, Refused, Unreachable
from infra.localazure import faults, ids
from infra.ports import authoring
from infra.ports.cloud import Cloud
from infra.ports.files import Files
from infra.ports.finetuning import EventView, FineTuning, JobView
from infra.training import results
from tests.localazure.clients import Served
from tests.localazure.cloud import OWNER, assignment_body
from tests.localazure.training import BASE, chat


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authoring, "WAITS", (0.0, 0.0))


@pytest.fixture
def files(served: Served, here: Cloud) -> Files:
    give(served, "Cognitive Services OpenAI Contributor")
    return Files(here, served.endpoint)


@pytest.fixture
def jobs(files: Files, served: Served, here: Cloud) -> FineTuning:
    return FineTuning(here, served.endpoint)


def give(served: Served, role: str) -> None:
    path = f"{served.account}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
    served.put(path, assignment_body(role, OWNER))


def train(served: Served, files: Files, jobs: FineTuning, examples: int = 30, **more: object) -> JobView:
    """A job over data of ours."""
    file = files.send("train.jsonl", chat(examples))
    served.azure.advance(seconds=1)
    return jobs.create({"model": BASE, "training_file": file.id, **more})


def finish(served: Served, jobs: FineTuning, job: str) -> JobView:
    for _ in range(100):
        found = jobs.job(job)
        if found.is_over:
            return found
        served.azure.advance(minutes=1)
    raise AssertionError(found)


def fault(served: Served, name: str, **more: object) -> None:
    with served.azure.world.lock:
        faults.add(served.azure.world, faults.Wish(name=name, **more))


def calls(served: Served, method: str, ending: str) -> int:
    return sum(e.method == method and e.path.partition("?")[0].endswith(ending) for e in served.azure.app.log)


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_sent(served, files):
    content = chat(20)
    sent = files.send("größe.jsonl", content)
    assert (sent.bytes, sent.is_open) == (len(content), True)
    served.azure.advance(seconds=1)
    found = files.get(sent.id)
    assert (found.status, found.filename) == ("processed", "größe.jsonl")
    assert files.read(sent.id) == content
    assert [file.id for file in files.all("fine-tune")] == [sent.id]
    files.delete(sent.id)
    assert files.all() == []
    with pytest.raises(NotFound):
        files.get(sent.id)


def test_what_azure_finds_wrong_with_a_file_is_told_in_its_words(served, files):
    sent = files.send("train.jsonl", b"no json\n")
    served.azure.advance(seconds=1)
    found = files.get(sent.id)
    assert found.status == "error"
    assert "jsonl" in found.why


def test_parts_make_a_file_in_the_order_in_which_they_are_named(served, files):
    content = chat(30)
    half = len(content) // 2
    upload = files.start_upload("train.jsonl", len(content))
    second, first = files.send_part(upload.id, content[half:]), files.send_part(upload.id, content[:half])
    done = files.complete(upload.id, [first, second])
    assert done.status == "completed"
    assert done.file is not None
    assert files.read(done.file.id) == content


def test_an_upload_that_was_dropped_takes_no_part_more(files):
    upload = files.start_upload("train.jsonl", 10)
    files.cancel_upload(upload.id)
    with pytest.raises(Refused) as caught:
        files.send_part(upload.id, b"0123456789")
    assert caught.value.code == "unexpectedEntityState"


# --- jobs ----------------------------------------------------------------------------------------------------------


def test_a_job_is_made_followed_and_read(served, files, jobs):
    validation = files.send("validation.jsonl", chat(12, first=500))
    job = train(served, files, jobs, validation_file=validation.id, suffix="bot", seed=7)
    assert (job.status, job.seed, job.suffix, job.hyperparameters["n_epochs"]) == ("pending", 7, "bot", -1)
    done = finish(served, jobs, job.id)
    assert done.status == "succeeded"
    assert done.fine_tuned_model == f"{BASE}.ft-{job.id.removeprefix('ftjob-')}-bot"
    assert done.trained_tokens
    assert done.result_files
    figures = results.read(files.read(done.result_files[0]))
    kept = jobs.checkpoints(job.id)
    assert [one.step_number for one in kept] == sorted(one.step_number for one in kept)
    assert kept[-1].step_number == figures.steps[-1]
    assert kept[-1].metrics["full_valid_loss"] == figures.points("full_valid_loss")[1][-1]


def test_events_come_in_the_order_of_time_and_each_of_them_once(served, files, jobs):
    """There are more of them than a page holds."""
    job = train(served, files, jobs, 400, hyperparameters={"batch_size": 1, "n_epochs": 5})
    before = jobs.events(job.id)
    assert [event.message for event in before] == ["Job enqueued. Waiting for jobs ahead to complete."]
    finish(served, jobs, job.id)
    whole = jobs.events(job.id)
    assert len(whole) > authoring.PAGE
    assert [event.created_at for event in whole] == sorted(event.created_at for event in whole)
    assert len({event.id for event in whole}) == len(whole)
    assert whole[-1].message.startswith("Training tokens billed")
    pages = calls(served, "GET", "/events")
    later = jobs.events(job.id, known={event.id for event in whole[:-3]})
    assert later == whole[-3:]
    assert calls(served, "GET", "/events") == pages + 1, "what is known is not asked for again"


def test_events_that_come_oldest_first_are_put_in_the_same_order(monkeypatch):
    """As the description's own example has them."""
    told = [EventView(id=f"ftevent-{at}", created_at=at) for at in range(4)]
    jobs = FineTuning(Cloud({}), "https://nowhere.openai.azure.com")
    monkeypatch.setattr(jobs._calls, "pages", lambda *_: iter([told[:2], told[2:]]))
    assert jobs.events("ftjob-1") == told
    assert jobs.events("ftjob-1", known={"ftevent-0", "ftevent-1"}) == told[2:]


def test_a_job_is_paused_resumed_cancelled_and_forgotten(served, files, jobs):
    served.azure.switch(training_rate=50.0)
    job = train(served, files, jobs)
    while not any(event.type == "metrics" for event in jobs.events(job.id)):
        served.azure.advance(seconds=20)
    assert jobs.pause(job.id).status == "pausing"
    served.azure.advance(minutes=1)
    assert jobs.job(job.id).status == "paused"
    assert jobs.resume(job.id).status == "resuming"
    assert jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(Refused, match="is cancelled and cannot be paused"):
        jobs.pause(job.id)
    jobs.delete(job.id)
    assert list(jobs.jobs()) == []


def test_jobs_of_several_pages_are_all_listed(served, files, jobs, monkeypatch):
    monkeypatch.setattr(authoring, "PAGE", 2)
    made = [train(served, files, jobs).id for _ in range(5)]
    assert [job.id for job in jobs.jobs()] == made[::-1]


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"model": "gpt-9", "training_file": "file-1"}, "does not support fine-tuning"),
        ({"model": BASE, "training_file": "file-1"}, "was not found"),
        ({"model": BASE, "training_file": "file-1", "suffix": "a.b"}, "suffix has up to 40 characters"),
    ],
)
def test_a_refusal_has_azures_words_and_code(jobs, body, text):
    with pytest.raises(Refused, match=text) as caught:
        jobs.create(body)
    assert (caught.value.code, caught.value.status) == ("invalidPayload", 400)


def test_without_the_role_it_is_said_which_is_needed(served, here):
    with pytest.raises(Refused, match="Cognitive Services OpenAI Contributor") as caught:
        FineTuning(here, served.endpoint).create({"model": BASE, "training_file": "file-1"})
    assert caught.value.code == "PermissionDenied"


def test_a_refused_token_is_a_failed_login(served, jobs):
    fault(served, "token-refused", count=1)
    with pytest.raises(LoginFailed):
        list(jobs.jobs())


def test_a_question_is_asked_again_where_the_answer_was_broken(served, jobs):
    fault(served, "server-error", count=2)
    assert list(jobs.jobs()) == []


@pytest.mark.parametrize("name", ["server-error", "reset-connection"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_makes_something_is_sent_once_whatever_comes_back(served, files, jobs, name, when):
    """After no answer the job may be there or not: who asked looks before asking again."""
    file = files.send("train.jsonl", chat(20))
    served.azure.advance(seconds=1)
    fault(served, name, count=1, when=when)
    with pytest.raises(Unreachable):
        jobs.create({"model": BASE, "training_file": file.id})
    assert len(list(jobs.jobs())) == (when == "after")
    assert calls(served, "POST", "/fine_tuning/jobs") == 1


def test_a_throttled_order_is_not_repeated_and_says_how_long_to_wait(served, jobs):
    list(jobs.jobs())  # so that the login is done
    fault(served, "throttle", count=1, seconds=7)
    with pytest.raises(Busy) as caught:
        jobs.create({"model": BASE, "training_file": "file-1"})
    assert caught.value.retry_after == 7


def test_nobody_at_the_address_is_unreachable(here):
    with pytest.raises(Unreachable, match="does not answer"):
        Files(here, "https://localhost:9/nobody").send("train.jsonl", chat(10))


def test_a_page_of_something_in_between_is_no_answer_of_azures(served, here):
    class Page:
        ok, status_code, content = True, 200, b"<html>Sign in to the hotel's network</html>"

    calls = FineTuning(here, served.endpoint)._calls
    with pytest.raises(Refused, match="something in between"):
        calls._read(Page(), JobView, "fine_tuning/jobs")
