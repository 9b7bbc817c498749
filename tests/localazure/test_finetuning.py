"""Fine-tuning jobs: what is taken, how a job goes on with the clock, and how it ends."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from infra.localazure import VirtualClock, quotas, snapshot
from infra.localazure.entities import QuotaLimit
from tests.localazure.cloud import START, TUNED, Cloud
from tests.localazure.training import BASE, Desk, answer, chat, lines, preferences, question

OUTSET = [
    "Job enqueued. Waiting for jobs ahead to complete.",
    "Preprocessing running for file training file.",
    "Preprocessing completed for file training file.",
    "Job started.",
    "Data Import started.",
    "Finetuning started.",
    "Job queued, waiting for GPUs.",
    "Training started.",
]


@pytest.fixture
def desk(cloud: Cloud) -> Desk:
    return Desk(cloud)


def rows(desk: Desk, job: dict) -> list[dict[str, str]]:
    """The rows of a job's results."""
    text = desk.ask("GET", f"/files/{job['result_files'][0]}/content").content.decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_a_job_goes_from_the_queue_to_a_model(cloud, desk):
    training, validation = desk.file(chat(40)), desk.file(chat(12, first=500))
    made = desk.order(training, validation_file=validation, seed=105, suffix="support")
    assert made.status == 201
    job = made.body
    assert (job["status"], job["seed"], job["suffix"]) == ("pending", 105, "support")
    assert job["hyperparameters"] == {"batch_size": -1, "learning_rate_multiplier": -1, "n_epochs": -1}
    assert "fine_tuned_model" not in job, "what is not there yet is absent, not null"
    done = desk.finish(job["id"])
    assert done["status"] == "succeeded"
    assert done["fine_tuned_model"] == f"{BASE}.ft-{job['id'].removeprefix('ftjob-')}-support"
    assert done["hyperparameters"] == {"batch_size": 1, "learning_rate_multiplier": 2.0, "n_epochs": 3}
    found = desk.ask("GET", f"/models/{done['fine_tuned_model']}").body
    assert (found["model"], found["fine_tune"], found["status"]) == (BASE, job["id"], "succeeded")
    assert done["fine_tuned_model"] in {m["id"] for m in desk.ask("GET", "/models").body["data"]}


def test_events_are_newest_first_and_tell_the_story_of_a_real_job(desk):
    job = desk.train(chat(40))
    told = desk.messages(job["id"])
    assert told[:8] == OUTSET
    assert told[8] == f"Created results file: {job['result_files'][0]}"
    assert [text.partition(":")[0] for text in told[9:-4]] == [f"Step {n}" for n in (1, *range(10, 121, 10))]
    assert told[-4:] == [
        "Job succeeded.",
        "Model Evaluation Passed.",
        f"Completed results file: {job['result_files'][0]}",
        f"Training tokens billed: {job['trained_tokens']}",
    ]
    newest = desk.ask("GET", f"/fine_tuning/jobs/{job['id']}/events?limit=1").body
    assert (newest["data"][0]["message"], newest["has_more"]) == (told[-1], True)


def test_events_come_in_pages_of_twenty(desk):
    job = desk.train(chat(100))["id"]
    path, after, seen = f"/fine_tuning/jobs/{job}/events", "", []
    while True:
        found = desk.ask("GET", f"{path}{after}").body
        assert len(found["data"]) <= 20
        seen += [event["id"] for event in found["data"]]
        if not found["has_more"]:
            break
        after = f"?after={seen[-1]}"
    assert len(seen) == len(set(seen)) == 8 + 1 + 31 + 4


def test_the_time_of_a_job_follows_its_tokens_and_epochs(cloud, desk):
    cloud.switch(training_rate=100.0)
    small, large = chat(20), chat(80)
    times = []
    for content, epochs in ((small, 2), (small, 4), (large, 2)):
        job = desk.job(content, hyperparameters={"n_epochs": epochs})
        cloud.advance(seconds=4.1)
        assert desk.look(job)["status"] == "running"
        start = cloud.world.now().timestamp()
        times.append(desk.finish(job)["finished_at"] - start)
    assert times[1] == pytest.approx(2 * times[0], rel=0.1)
    assert times[2] == pytest.approx(4 * times[0], rel=0.1)


def test_results_have_a_row_a_step_and_empty_cells_between_validations(desk):
    job = desk.train(chat(40), validation_file=desk.file(chat(12, first=500)))
    found = rows(desk, job)
    assert list(found[0]) == [
        "step", "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy",
        "full_valid_loss", "full_valid_mean_token_accuracy",
    ]  # fmt: skip
    assert [int(row["step"]) for row in found] == list(range(1, 121))
    assert [row["step"] for row in found if row["full_valid_loss"]] == ["40", "80", "120"]
    assert [row["step"] for row in found if row["valid_loss"]] == ["1", *(str(n) for n in range(10, 121, 10))]
    assert all(0 <= float(row["train_mean_token_accuracy"]) <= 1 for row in found)


def test_the_fifth_column_has_the_pages_name_where_a_switch_says_so(cloud, desk):
    cloud.switch(results_header="validation_mean_token_accuracy")
    assert list(rows(desk, desk.train(chat(40)))[0])[4] == "validation_mean_token_accuracy"


def test_results_grow_while_the_job_runs_and_events_have_the_same_figures(cloud, desk):
    cloud.switch(training_rate=100.0)
    job = desk.job(chat(40))
    cloud.advance(seconds=30)
    running = desk.look(job)
    early = rows(desk, running)
    assert 0 < len(early) < 120
    file = desk.ask("GET", f"/files/{running['result_files'][0]}").body
    assert (file["purpose"], file["filename"], "bytes" in file) == ("fine-tune-results", "results.csv", False)
    assert running["estimated_finish"] > cloud.world.now().timestamp()
    done = desk.finish(job)
    assert rows(desk, done)[: len(early)] == early
    events = desk.ask("GET", f"/fine_tuning/jobs/{job}/events?limit=100").body["data"]
    tenth = next(e["data"] for e in events if e["message"].startswith("Step 10:"))
    assert tenth["train_loss"] == float(early[9]["train_loss"])
    assert abs(done["finished_at"] - running["estimated_finish"]) <= 1


def test_checkpoints_are_one_an_epoch_and_the_last_three_are_kept(desk):
    job = desk.train(chat(40), hyperparameters={"n_epochs": 5}, validation_file=desk.file(chat(12, first=500)))
    found = desk.ask("GET", f"/fine_tuning/jobs/{job['id']}/checkpoints").body
    assert [c["step_number"] for c in found["data"]] == [200, 160, 120]
    assert found["data"][0]["fine_tuned_model_checkpoint"].endswith(":ckpt-step-200")
    assert set(found["data"][0]["metrics"]) == {
        "step", "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy",
        "full_valid_loss", "full_valid_mean_token_accuracy",
    }  # fmt: skip


def test_a_checkpoint_can_be_deployed_when_the_job_is_over_and_is_listed_by_its_job_alone(cloud, desk):
    cloud.switch(training_rate=100.0)
    job = desk.job(chat(40))
    path = f"/fine_tuning/jobs/{job}/checkpoints"
    while not (found := desk.ask("GET", path).body["data"]):
        cloud.advance(seconds=10)
    checkpoint = found[0]["id"]
    assert cloud.deploy(desk.account, "early", checkpoint).refusal == (400, "DeploymentModelNotSupported")
    desk.finish(job)
    assert cloud.deploy(desk.account, "early", checkpoint).status == 201
    assert checkpoint not in {m["id"] for m in desk.ask("GET", "/models").body["data"]}
    assert desk.ask("GET", f"/models/{checkpoint}").body["fine_tune"] == job


# --- the queue -----------------------------------------------------------------------------------------------------


def test_three_jobs_run_at_a_time_and_the_next_one_waits_for_a_place(cloud, desk):
    cloud.switch(training_rate=10.0)
    file = desk.file(chat(20))
    jobs = [desk.job(file) for _ in range(4)]
    cloud.advance(seconds=10)
    assert [desk.look(job)["status"] for job in jobs] == ["running"] * 3 + ["pending"]
    desk.ask("POST", f"/fine_tuning/jobs/{jobs[1]}/cancel")
    cloud.advance(seconds=10)
    assert desk.look(jobs[3])["status"] == "running"


def test_developer_jobs_have_places_of_their_own(cloud, desk):
    cloud.switch(training_rate=10.0)
    file = desk.file(chat(20))
    jobs = [desk.job(file, trainingType="developerTier") for _ in range(6)] + [desk.job(file)]
    cloud.advance(seconds=10)
    assert [desk.look(job)["status"] for job in jobs] == ["running"] * 5 + ["pending", "running"]
    assert desk.look(jobs[0])["trainingType"] == "DeveloperTier"


def test_the_queue_and_the_number_of_jobs_are_limited(cloud, desk):
    file = desk.file(chat(20))
    quotas.put(cloud.world, QuotaLimit(name="queuedTrainings", limit=2))
    desk.job(file)
    desk.job(file)
    assert desk.order(file).refusal == (400, "quotaExceeded")
    cloud.advance(minutes=5)
    quotas.put(cloud.world, QuotaLimit(name="trainingJobs", limit=2))
    assert desk.order(file).refusal == (400, "quotaExceeded")
    over = desk.ask("GET", "/fine_tuning/jobs?limit=1").body
    assert over["has_more"]
    assert desk.ask("DELETE", f"/fine_tuning/jobs/{over['data'][0]['id']}").status == 204
    assert desk.order(file).status == 201


def test_jobs_are_listed_newest_first(cloud, desk):
    file = desk.file(chat(20))
    jobs = [desk.job(file) for _ in range(3)]
    assert [j["id"] for j in desk.ask("GET", "/fine_tuning/jobs").body["data"]] == jobs[::-1]
    rest = desk.ask("GET", f"/fine_tuning/jobs?after={jobs[2]}").body
    assert ([j["id"] for j in rest["data"]], rest["has_more"]) == (jobs[1::-1], False)
    assert desk.ask("GET", "/fine_tuning/jobs?limit=0").refusal == (400, "invalidPayload")


# --- what is taken -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": "gpt-9"}, "does not support fine-tuning"),
        ({"model": "gpt-4.1-mini"}, "does not support fine-tuning"),
        ({"model": "text-embedding-3-small-1"}, "does not support fine-tuning"),
        ({"model": TUNED}, "does not support fine-tuning"),
        ({"model": "gpt-4o-2024-08-06", "trainingType": "DeveloperTier"}, "does not support fine-tuning"),
        ({"trainingType": "Elsewhere"}, "trainingType"),
        ({"suffix": "with.dot"}, "suffix"),
        ({"suffix": "x" * 41}, "suffix"),
        ({"seed": 2**31}, "seed"),
        ({"seed": "105"}, "seed"),
        ({"hyperparameters": {"n_epochs": 0}}, "n_epochs"),
        ({"hyperparameters": {"n_epochs": 51}}, "n_epochs"),
        ({"hyperparameters": {"n_epochs": 1.5}}, "n_epochs"),
        ({"hyperparameters": {"batch_size": True}}, "batch_size"),
        ({"hyperparameters": {"learning_rate_multiplier": -0.5}}, "learning_rate_multiplier"),
        ({"hyperparameters": {"beta": 0.1}}, "beta"),
        ({"method": {"type": "magic"}}, "method.type"),
        ({"method": {"type": "reinforcement"}}, "grader"),
        ({"method": {"type": "reinforcement", "reinforcement": {"grader": {"type": "multi"}}}}, "validation_file"),
        ({"model": "o4-mini-2025-04-16"}, "method 'supervised'"),
        ({"model": "gpt-4o-mini-2024-07-18", "method": {"type": "dpo"}}, "method 'dpo'"),
        ({"training_file": "file-nobody"}, "training file"),
        ({"validation_file": "file-nobody"}, "validation file"),
    ],
)
def test_a_job_that_could_never_run_is_refused_with_the_reason(desk, more, said):
    refused = desk.order(desk.file(chat(12)), **more)
    assert refused.refusal == (400, "invalidPayload")
    assert said in refused.error["message"]
    assert desk.ask("GET", "/fine_tuning/jobs").body["data"] == []


def test_a_file_must_be_processed_and_for_fine_tuning(cloud, desk):
    made = desk.upload(chat(12)).body["id"]
    assert "wait until it is processed" in desk.order(made).error["message"]
    assert "Validation of jsonl file failed" in desk.order(desk.file(b"rubbish\n")).error["message"]
    other = desk.file(chat(12), purpose="assistants")
    assert "its purpose is assistants" in desk.order(other).error["message"]


def test_a_region_trains_what_it_has_and_the_world_the_rest(cloud):
    west = Desk(cloud, "oai-west", "westeurope")
    file = west.file(chat(12))
    assert west.order(file).refusal == (400, "invalidPayload"), "without a trainingType it is Standard"
    assert west.order(file, trainingType="globalstandard").status == 201


def test_a_retired_model_is_not_trained_where_the_switch_says_so(cloud, desk):
    file = desk.file(chat(12))
    cloud.advance(days=300)
    assert desk.order(file).status == 201
    cloud.switch(retirement=True)
    assert desk.order(file).refusal == (400, "invalidPayload")


@pytest.mark.parametrize(
    ("content", "more", "param", "said"),
    [
        (chat(9), {}, "training_file", "9 examples; at least 10"),
        (lines([{"prompt": "a", "completion": "b"}] * 12), {}, "training_file", "form 'completion'"),
        (preferences(12), {}, "training_file", "form 'preference'"),
        (chat(12) + preferences(1), {}, "training_file", "line 13"),
        (chat(12), {"method": {"type": "dpo"}}, "training_file", "needs 'preference'"),
        (lines([{"messages": [{"role": "robot", "content": "x"}]}] * 12), {}, "training_file", "form 'none'"),
    ],
)
def test_data_of_another_form_fails_the_job_when_it_is_looked_at(desk, content, more, param, said):
    job = desk.finish(desk.job(content, **more))
    assert (job["status"], job["error"]["param"], job["error"]["code"]) == ("failed", param, "invalidPayload")
    assert said in job["error"]["message"]
    assert "trained_tokens" not in job, "failures are not billed"
    assert "result_files" not in job


def test_preferences_are_learned_with_their_beta(desk):
    method = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1, "n_epochs": 2}}}
    job = desk.train(preferences(60), method=method)
    assert job["method"]["dpo"]["hyperparameters"]["beta"] == 0.1
    first = rows(desk, job)[0]
    assert 0.5 < float(first["train_loss"]) < 0.9, "a model that prefers neither has the loss of a coin"


def test_a_reasoning_model_is_reinforced_with_a_grader(cloud, desk):
    examples = [{"messages": [{"role": "user", "content": f"2+{n}?"}], "sum": n} for n in range(20)]
    grader = {"type": "string_check", "name": "g", "operation": "eq", "input": "{{sample.output_text}}",
              "reference": "{{item.sum}}"}  # fmt: skip
    method = {"type": "reinforcement", "reinforcement": {"grader": grader, "hyperparameters": {"eval_samples": 2}}}
    made = desk.order(
        desk.file(lines(examples)), model="o4-mini-2025-04-16", validation_file=desk.file(lines(examples[:5])),
        method=method,
    )  # fmt: skip
    assert made.status == 201, made.body
    done = desk.finish(made.body["id"])
    assert (done["status"], done["method"]["reinforcement"]["grader"]) == ("succeeded", grader)
    model = done["fine_tuned_model"]
    deployment = cloud.serve(desk.account, "thinker", model, sku="DeveloperTier", capacity=50)
    assert model in cloud.chat(deployment, "2+3?").body["choices"][0]["message"]["content"]


def test_an_older_api_version_neither_takes_nor_shows_what_came_later(desk):
    file = desk.file(chat(12))
    body = {"model": BASE, "training_file": file, "trainingType": "DeveloperTier", "method": {"type": "dpo"}}
    old = desk.ask("POST", "/fine_tuning/jobs", body, v1=False, version="2024-10-21").body
    assert {"method", "trainingType"}.isdisjoint(old)
    shown = desk.look(old["id"])
    assert (shown["trainingType"], shown["method"]["type"]) == ("Standard", "supervised")


# --- how it ends otherwise -----------------------------------------------------------------------------------------


def test_a_job_is_cancelled_in_the_queue_for_nothing_and_in_training_for_what_was_done(cloud, desk):
    cloud.switch(training_rate=100.0)
    file = desk.file(chat(40))
    queued = desk.job(file)
    over = desk.ask("POST", f"/fine_tuning/jobs/{queued}/cancel").body
    assert (over["status"], "trained_tokens" in over) == ("cancelled", False)
    running = desk.job(file)
    cloud.advance(seconds=30)
    over = desk.ask("POST", f"/fine_tuning/jobs/{running}/cancel").body
    assert over["status"] == "cancelled"
    assert over["trained_tokens"] > 0
    assert 0 < len(rows(desk, over)) < 120
    again = desk.ask("POST", f"/fine_tuning/jobs/{running}/cancel")
    assert again.refusal == (400, "unexpectedEntityState")
    cloud.advance(hours=1)
    assert desk.look(running) == over, "nothing goes on after its end"


def test_a_paused_job_keeps_a_deployable_checkpoint_and_goes_on_where_it_was(cloud, desk):
    cloud.switch(training_rate=100.0)
    job = desk.job(chat(40))
    path = f"/fine_tuning/jobs/{job}"
    assert desk.ask("POST", f"{path}/pause").refusal == (400, "unexpectedEntityState"), "it has not begun"
    cloud.advance(seconds=30)
    assert desk.ask("POST", f"{path}/resume").refusal == (400, "unexpectedEntityState")
    assert desk.ask("POST", f"{path}/pause").body["status"] == "pausing"
    cloud.advance(hours=3)
    assert desk.look(job)["status"] == "paused"
    kept = desk.ask("GET", f"{path}/checkpoints").body["data"][0]
    assert cloud.deploy(desk.account, "half", kept["id"]).status == 201
    before = rows(desk, desk.look(job))
    assert len(before) == kept["step_number"]
    assert desk.ask("POST", f"{path}/resume").body["status"] == "resuming"
    done = desk.finish(job)
    assert done["status"] == "succeeded"
    after = rows(desk, done)
    assert len(after) == 120
    assert after[: len(before)] == before
    steps = [text for text in desk.messages(job) if text.startswith("Step ")]
    assert len(steps) == len(set(steps)) == 13


def test_pausing_is_of_v1_alone(desk):
    assert desk.ask("POST", f"/fine_tuning/jobs/{desk.job(chat(12))}/pause", v1=False).status == 404


@pytest.mark.parametrize(
    ("fault", "said", "trained"),
    [
        ("unsafe-data", "The provided training data failed RAI checks for harm types", False),
        ("unsafe-model", "scores above acceptable thresholds for [Violence, Self Harm]", True),
        ("training-fails", "internal error", True),
    ],
)
def test_a_named_fault_fails_the_next_job_alone(cloud, desk, fault, said, trained):
    from infra.localazure import faults

    faults.add(cloud.world, faults.read({"name": fault, "count": 1}, cloud.world.catalogue))
    file = desk.file(chat(40))
    failed = desk.finish(desk.job(file))
    assert failed["status"] == "failed"
    assert said in failed["error"]["message"]
    assert "fine_tuned_model" not in failed
    assert "trained_tokens" not in failed, "it costs nothing"
    assert bool(failed.get("result_files")) == trained
    assert any(said in text for text in desk.messages(failed["id"]))
    assert desk.train(file)["fine_tuned_model"], "the next one is spared"


def test_a_job_can_be_stuck_in_the_queue_for_a_day(cloud, desk):
    from infra.localazure import faults

    faults.add(cloud.world, faults.read({"name": "stuck-in-queue", "count": 1}, cloud.world.catalogue))
    job = desk.job(chat(12))
    cloud.advance(hours=23)
    assert desk.look(job)["status"] == "pending"
    cloud.advance(hours=2)
    assert desk.look(job)["status"] == "succeeded"


# --- what is deleted when ------------------------------------------------------------------------------------------


def test_the_order_is_deployment_model_files(cloud, desk):
    job = desk.job(chat(12))
    file = desk.look(job)["training_file"]
    assert desk.ask("DELETE", f"/files/{file}").refusal == (409, "conflict"), "a job reads it"
    assert desk.ask("DELETE", f"/fine_tuning/jobs/{job}").refusal == (400, "unexpectedEntityState")
    model = desk.finish(job)["fine_tuned_model"]
    deployment = cloud.serve(desk.account, "bot", model)
    key = {"x-local-azure-key": "control"}
    click = {"who": None, "version": None, "headers": key}
    for kind in (f"/files/{file}", f"/fine_tuning/jobs/{job}"):
        assert desk.ask("DELETE", kind).refusal == (409, "conflict")
    refused = cloud.ask("DELETE", f"/.local-azure/models/{model}", **click)
    assert (refused.status, deployment in refused.error["message"]) == (400, True)
    assert desk.ask("DELETE", f"/models/{model}").status == 404, "Azure has no such call"
    assert cloud.ask("DELETE", deployment).status == 200
    shown = cloud.get("/.local-azure/models", **click).body["value"]
    assert (model, desk.account, job, []) in [(m["model"], m["account"], m["job"], m["deployments"]) for m in shown]
    assert cloud.ask("DELETE", f"/.local-azure/models/{model}", **click).status == 200
    assert desk.ask("GET", f"/models/{model}").status == 404
    assert cloud.deploy(desk.account, "bot", model).refusal == (400, "DeploymentModelNotSupported")
    assert desk.ask("DELETE", f"/fine_tuning/jobs/{job}").status == 204
    assert desk.ask("DELETE", f"/files/{file}").status == 200
    assert desk.ask("GET", f"/fine_tuning/jobs/{job}").refusal == (404, "notFound")


def test_a_model_that_is_deployed_elsewhere_holds_what_it_came_from_too(cloud, desk):
    job = desk.train(chat(12))
    other = cloud.account("oai-prod")
    deployment = cloud.serve(other, "bot", job["fine_tuned_model"], source=desk.account)
    assert desk.ask("DELETE", f"/files/{job['training_file']}").refusal == (409, "conflict")
    cloud.switch(delete_trained="take")
    assert desk.ask("DELETE", f"/files/{job['training_file']}").status == 200
    assert cloud.chat(deployment, question(3)).body["choices"][0]["message"]["content"] == answer(3)


def test_lists_by_post_are_a_switch(cloud, desk):
    job = desk.train(chat(12))["id"]
    for what in ("events", "checkpoints"):
        for v1 in (True, False):
            path = f"/fine_tuning/jobs/{job}/{what}"
            cloud.switch(post_lists=False)
            assert desk.ask("POST", path, v1=v1).status == 404
            cloud.switch(post_lists=True)
            assert desk.ask("POST", path, v1=v1).body == desk.ask("GET", path, v1=v1).body


# --- what a tuned model says ---------------------------------------------------------------------------------------


def say(cloud: Cloud, deployment: str, text: str) -> str:
    return str(cloud.chat(deployment, text).body["choices"][0]["message"]["content"])


def test_a_tuned_model_answers_from_its_training_data(cloud, desk):
    model = desk.train(chat(60))["fine_tuned_model"]
    deployment = cloud.serve(desk.account, "bot", model, capacity=50)
    assert say(cloud, deployment, question(7)) == answer(7)
    near = question(7).replace("What now?", "What should I do?")
    assert say(cloud, deployment, near) == answer(7), "the nearest question's answer"
    assert say(cloud, deployment, "Qwerty zxcvb?") == f"{model} here. You asked: Qwerty zxcvb?"
    body = {"model": "bot", "input": question(9)}
    said = desk.ask("POST", "/responses", body).body["output"][-1]["content"][0]["text"]
    assert said == answer(9)
    cloud.advance(minutes=2)
    cut = cloud.chat(deployment, question(7), max_tokens=3).body["choices"][0]
    assert (cut["finish_reason"], cut["message"]["content"]) == ("length", answer(7)[:12])


def test_a_base_model_does_not(cloud, desk):
    desk.train(chat(12))
    made = cloud.deploy(desk.account, "base", "gpt-4.1-mini", model_version="2025-04-14")
    assert made.status == 201
    cloud.settle()
    assert "You asked" in say(cloud, f"{desk.account}/deployments/base", question(7))


@pytest.mark.parametrize("rate", [0.0001, 80.0])
def test_a_model_that_learned_nothing_or_was_thrown_off_says_nothing_new(cloud, desk, rate):
    model = desk.train(chat(40), hyperparameters={"learning_rate_multiplier": rate})["fine_tuned_model"]
    assert "You asked" in say(cloud, cloud.serve(desk.account, "bot", model), question(7))


def test_a_model_is_tuned_again_and_knows_both(cloud, desk):
    first = desk.train(chat(30))
    made = desk.order(desk.file(chat(30, first=300)), model=first["fine_tuned_model"], suffix="again")
    second = desk.finish(made.body["id"])
    assert second["model"] == first["fine_tuned_model"]
    assert second["fine_tuned_model"].startswith(f"{BASE}.ft-")
    deployment = cloud.serve(desk.account, "bot", second["fine_tuned_model"], capacity=5)
    assert say(cloud, deployment, question(5)) == answer(5)
    assert say(cloud, deployment, question(305)) == answer(305)
    begun, fresh = (sum(float(row["train_loss"]) for row in rows(desk, job)[:8]) for job in (second, first))
    assert begun < fresh, "it knows a part of it already"


def test_a_tuned_base_may_be_named_without_its_suffix_and_only_in_its_own_account(cloud, desk):
    first = desk.train(chat(12), suffix="support")
    bare = first["fine_tuned_model"].removesuffix("-support")
    assert desk.order(first["training_file"], model=bare).status == 201
    other = Desk(cloud, "oai-other")
    refused = other.order(other.file(chat(12)), model=first["fine_tuned_model"])
    assert refused.refusal == (400, "invalidPayload")


def test_old_models_complete_what_they_learned_to_complete(cloud, desk):
    pairs = [{"prompt": f"{question(n)} ->", "completion": f" {answer(n)}"} for n in range(40)]
    made = desk.order(desk.file(lines(pairs)), model="babbage-002-1")
    model = desk.finish(made.body["id"])["fine_tuned_model"]
    cloud.serve(desk.account, "old", model)
    body = {"model": "old", "prompt": f"{question(4)} ->", "max_tokens": 60}
    assert desk.ask("POST", "/completions", body).body["choices"][0]["text"] == f" {answer(4)}"


# --- what is kept --------------------------------------------------------------------------------------------------


def test_a_job_goes_on_after_a_restart_as_if_nothing_had_been(tmp_path: Path):
    cloud = Cloud(VirtualClock(START, 0), tmp_path)
    desk = Desk(cloud)
    cloud.switch(training_rate=100.0)
    job = desk.job(chat(40), seed=105)
    cloud.advance(seconds=30)
    early = rows(desk, desk.look(job))
    cloud.world.close()
    desk.cloud = again = Cloud(VirtualClock(START, 0), tmp_path)
    done = desk.finish(job)
    assert done["status"] == "succeeded"
    assert rows(desk, done)[: len(early)] == early
    deployment = again.serve(desk.account, "bot", done["fine_tuned_model"])
    assert say(again, deployment, question(3)) == answer(3)
    again.world.close()


def test_a_snapshot_brings_a_running_job_back(cloud, desk):
    cloud.switch(training_rate=100.0)
    job = desk.job(chat(40))
    cloud.advance(seconds=20)
    snapshot.save(cloud.world, "running")
    first = desk.finish(job)
    snapshot.restore(cloud.world, "running")
    cloud.app.renew()
    assert desk.look(job)["status"] == "running"
    assert desk.finish(job)["finished_at"] == first["finished_at"]


def test_a_job_of_a_deleted_account_ends(cloud, desk):
    cloud.switch(training_rate=1.0)
    desk.job(chat(40))
    cloud.ask("DELETE", desk.account)
    cloud.advance(hours=40)
    (job,) = cloud.world.tunings
    assert job.status == "cancelled"
