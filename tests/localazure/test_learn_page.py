"""The life of a tuned model as Microsoft's page on fine-tuning tells it, by the openai package and by curl."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from infra.localazure import LocalAzure
from tests.localazure.clients import Served
from tests.localazure.cloud import ARM, OWNER, deployment_body
from tests.localazure.training import BASE, answer, chat, question

COLUMNS = [
    "step", "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy", "full_valid_loss",
    "full_valid_mean_token_accuracy",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, Path]:
    """Training and validation data, with the byte-order mark that the page asks for."""
    found = tmp_path / "training_set.jsonl", tmp_path / "validation_set.jsonl"
    for path, content in zip(found, (chat(60), chat(15, first=700)), strict=True):
        path.write_bytes(b"\xef\xbb\xbf" + content)
    return found


@pytest.fixture(params=["classic", "v1"])
def client(request: pytest.FixtureRequest, served: Served) -> Iterator[openai.OpenAI]:
    """The openai package on either path."""
    made = served.classic("2025-04-01-preview") if request.param == "classic" else served.v1()
    with made:
        yield made


def resource(azure: LocalAzure, method: str, path: str, body: Any = None) -> requests.Response:
    headers = {"authorization": f"Bearer {azure.token(OWNER, ARM)}"}
    return requests.request(
        method, f"{azure.origin}{path}?api-version=2024-10-01", json=body, headers=headers, timeout=5
    )


def trained(azure: LocalAzure, client: openai.OpenAI, job: str) -> Any:
    """The job when it has succeeded, asked for as the page does, the clock moved in the place of waiting."""
    seen = []
    for _ in range(60):
        found = client.fine_tuning.jobs.retrieve(job)
        seen += [] if found.status in seen else [found.status]
        if found.status in {"succeeded", "failed"}:
            assert seen[-1] == "succeeded", found.error
            return found
        azure.advance(seconds=2)
    raise AssertionError(seen)


def test_the_page_by_the_openai_package(azure, served, client, data):
    training, validation = (client.files.create(file=path, purpose="fine-tune") for path in data)
    azure.advance(seconds=1)
    assert client.files.wait_for_processing(training.id, poll_interval=0).status == "processed"
    assert {file.id for file in client.files.list()} == {training.id, validation.id}

    job = client.fine_tuning.jobs.create(
        model=BASE, training_file=training.id, validation_file=validation.id, seed=105, suffix="page"
    )
    assert (job.status, job.seed) == ("pending", 105)
    assert [one.id for one in client.fine_tuning.jobs.list()] == [job.id]
    done = trained(azure, client, job.id)

    told = [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=10)]
    assert told[-1] == "Job enqueued. Waiting for jobs ahead to complete."
    assert told[0] == f"Training tokens billed: {done.trained_tokens}"
    kept = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert [one.step_number for one in kept] == [180, 120, 60]
    results = client.files.content(done.result_files[0]).text
    assert next(csv.reader(io.StringIO(results))) == COLUMNS

    deployment = f"{served.account}/deployments/from-the-page"
    assert resource(azure, "PUT", deployment, deployment_body(done.fine_tuned_model)).status_code == 201
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": question(5)}]
    said = client.chat.completions.create(model="from-the-page", messages=messages)
    assert (said.model, said.choices[0].message.content) == (done.fine_tuned_model, answer(5))

    again = client.fine_tuning.jobs.create(model=done.fine_tuned_model, training_file=validation.id)
    second = trained(azure, client, again.id)
    assert second.fine_tuned_model != done.fine_tuned_model

    with pytest.raises(openai.ConflictError):
        client.files.delete(training.id)
    assert resource(azure, "DELETE", deployment).status_code == 200
    for one in (job.id, again.id):
        client.delete(f"/fine_tuning/jobs/{one}", cast_to=type(None))
    for file in client.files.list():
        assert client.files.delete(file.id).deleted
    assert list(client.files.list()) == list(client.fine_tuning.jobs.list()) == []
    assert client.models.retrieve(done.fine_tuned_model), "the model is deleted in the portal alone"


def test_a_large_file_comes_in_parts_by_the_openai_package(azure, client, data):
    whole = data[0].stat().st_size
    upload = client.uploads.upload_file_chunked(
        file=data[0], mime_type="application/jsonl", purpose="fine-tune", part_size=whole // 3 + 1
    )
    assert (upload.status, upload.file.bytes) == ("completed", whole)
    azure.advance(seconds=1)
    assert client.files.retrieve(upload.file.id).status == "processed"
    assert client.files.content(upload.file.id).content == data[0].read_bytes()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unheard_answer_leaves_one_part_and_one_job_or_none_and_both_can_be_found(azure, served, data, when):
    content = data[0].read_bytes()
    lost = {"scope": "Microsoft.CognitiveServices/accounts/OpenAI/*/write", "count": 1, "when": when}
    with served.v1() as client:
        upload = client.uploads.create(
            bytes=len(content), filename="train.jsonl", mime_type="application/jsonl", purpose="fine-tune"
        )
        azure.fault("reset-connection", **lost)
        with pytest.raises(openai.APIConnectionError):
            client.uploads.parts.create(upload.id, data=content)
        again = client.uploads.parts.create(upload.id, data=content)
        file = client.uploads.complete(upload.id, part_ids=[again.id]).file
        azure.advance(seconds=1)
        assert client.files.content(file.id).content == content
        azure.fault("reset-connection", **lost)
        with pytest.raises(openai.APIConnectionError):
            client.fine_tuning.jobs.create(model=BASE, training_file=file.id, seed=105)
        found = [(job.training_file, job.seed) for job in client.fine_tuning.jobs.list()]
        assert found == ([(file.id, 105)] if when == "after" else [])


def test_methods_and_pauses_by_the_openai_package(azure, served, data):
    azure.switch(training_rate=100.0)
    with served.v1() as client:
        training, validation = (client.files.create(file=path, purpose="fine-tune") for path in data)
        azure.advance(seconds=1)
        method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}}
        job = client.fine_tuning.jobs.create(
            model=BASE, training_file=training.id, validation_file=validation.id, method=method, metadata={"a": "b"},
            extra_body={"trainingType": "developerTier"},
        )  # fmt: skip
        assert (job.method.type, job.method.supervised.hyperparameters.n_epochs) == ("supervised", 2)
        assert (job.metadata, job.model_extra["trainingType"]) == ({"a": "b"}, "DeveloperTier")
        azure.advance(seconds=20)
        assert client.fine_tuning.jobs.pause(job.id).status == "pausing"
        azure.advance(seconds=5)
        assert client.fine_tuning.jobs.retrieve(job.id).status == "paused"
        assert client.fine_tuning.jobs.resume(job.id).status == "resuming"
        azure.advance(seconds=2)
        assert client.fine_tuning.jobs.retrieve(job.id).status == "running"
        assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
        with pytest.raises(openai.BadRequestError) as refused:
            client.fine_tuning.jobs.pause(job.id)
        assert refused.value.code == "unexpectedEntityState"


def test_the_page_by_curl(azure, served, data):
    base = f"{served.endpoint}openai"

    def curl(*arguments: str, url: str, raw: bool = False) -> Any:
        """What the page types, with the key in its place."""
        line = ["curl", "-sS", "--fail-with-body", "--cacert", str(azure.authority), *arguments]
        line += [url if url.startswith("https:") else f"{base}{url}"]
        done = subprocess.run([*line, "-H", f"api-key: {served.key}"], capture_output=True, check=False, timeout=20)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout.decode() if raw else json.loads(done.stdout or b"null")

    version = "?api-version=2024-10-21"
    files = [
        curl("-X", "POST", "-F", "purpose=fine-tune", "-F", f"file=@{path};type=application/json",
             url=f"/files{version}")["id"]
        for path in data
    ]  # fmt: skip
    azure.advance(seconds=1)
    assert curl(url=f"/files/{files[0]}{version}")["status"] == "processed"
    body = {"model": BASE, "training_file": files[0], "validation_file": files[1], "seed": 105}
    job = curl(
        "-X", "POST", "-H", "Content-Type: application/json", "-d", json.dumps(body),
        url=f"/fine_tuning/jobs{version}",
    )  # fmt: skip
    azure.advance(minutes=2)
    path = f"/fine_tuning/jobs/{job['id']}"
    done = curl(url=f"{path}{version}")
    assert (done["status"], done["seed"]) == ("succeeded", 105)
    assert curl(url=f"{path}/events{version}")["data"][0]["message"].startswith("Training tokens billed")
    azure.switch(post_lists=True)
    assert len(curl("-X", "POST", url=f"{path}/checkpoints{version}")["data"]) == 3, "as the page has it"
    results = curl(url=f"/files/{done['result_files'][0]}/content{version}", raw=True)
    assert results.splitlines()[0].split(",") == COLUMNS

    deployment = f"{azure.origin}{served.account}/deployments/from-the-page?api-version=2024-10-01"
    manage = ("-H", f"Authorization: Bearer {azure.token(OWNER, ARM)}")
    wanted = json.dumps(deployment_body(done["fine_tuned_model"]))
    put = ("-X", "PUT", "-H", "Content-Type: application/json", "-d", wanted)
    assert curl(*put, *manage, url=deployment)["name"] == "from-the-page"
    asked = json.dumps({"messages": [{"role": "user", "content": question(5)}]})
    said = curl(
        "-H", "Content-Type: application/json", "-d", asked,
        url=f"/deployments/from-the-page/chat/completions{version}",
    )  # fmt: skip
    assert (said["model"], said["choices"][0]["message"]["content"]) == (done["fine_tuned_model"], answer(5))

    again = {"model": done["fine_tuned_model"], "training_file": files[1]}
    more = curl(
        "-X", "POST", "-H", "Content-Type: application/json", "-d", json.dumps(again),
        url=f"/fine_tuning/jobs{version}",
    )  # fmt: skip
    assert curl("-X", "POST", url=f"/fine_tuning/jobs/{more['id']}/cancel{version}")["status"] == "cancelled"
    curl("-X", "DELETE", *manage, url=deployment)
    for one in (job["id"], more["id"]):
        assert curl("-X", "DELETE", url=f"/fine_tuning/jobs/{one}{version}") is None
    assert [curl("-X", "DELETE", url=f"/files/{one}{version}")["deleted"] for one in files] == [True, True]
