"""`hearth clean`: what may go, what must stay, and in which order."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from infra.errors import Refused
from infra.localazure import ids, models
from infra.localazure.entities import CustomModel
from infra.ports import clock
from infra.ports.stacks import Stacks
from infra.rollout import durable
from infra.rollout.history import History, Rollout, stamp, url_of
from infra.rollout.state import State
from infra.training.cleanup import plan as cleanup_plan
from infra.training.temporary import TAG
from tests.localazure.cloud import ABROAD, PRODUCTION, TUNED, account_body, deployment_body
from tests.localazure.training import BASE, chat
from tests.rollout import planning
from tests.training.studio import SOURCE, Studio

HERE = ("--account", f"{SOURCE.subscription}/rg/oai-prod")
RECORD = "model: {model}\nsource: {{subscription: {subscription}, resourceGroup: rg, account: oai-prod}}\n"


@pytest.fixture(autouse=True)
def outputs(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The outputs of the stacks, which no engine keeps here."""
    bot = f"{SOURCE.id}/deployments/bot"
    told: dict[str, Any] = {"main": {"deployments": {"bot": {"id": bot, "model": TUNED}}}}
    monkeypatch.setattr(clock, "sleep", studio.wait)
    monkeypatch.setattr(Stacks, "names", lambda _self: sorted(told))
    monkeypatch.setattr(Stacks, "outputs", lambda _self, name: told.get(name))
    studio.azure.switch(idle_days=3650.0)
    return told


def test_an_old_life_goes_in_the_order_of_azure_with_the_model_by_hand(studio: Studio):
    model = trained(studio)
    studio.azure.advance(days=40)
    before = stock(studio)
    said = studio.hearth("clean", *HERE)
    assert f"model {model}" in said
    assert "hearth local delete-model" in said
    assert stock(studio) == before
    assert plan(studio, model) == {"model": "click", "file": "wait", "job": "wait"}
    assert "0 deleted" in studio.hearth("clean", *HERE, "--yes")
    assert stock(studio) == before

    by_hand(studio, model)
    assert "that can go" in studio.hearth("clean", *HERE)
    assert plan(studio, model) == {"file": "delete", "job": "delete"}
    assert "1 deleted, 2 left (1 a run: --limit)" in studio.hearth("clean", *HERE, "--yes", "--limit", "1")
    assert (len(studio.trainer.files.all()), len(list(studio.trainer.jobs.jobs()))) == (1, 1)
    assert "2 deleted, 0 left" in studio.hearth("clean", *HERE, "--yes")
    assert stock(studio) == ([], [])
    assert "nothing to clean" in studio.hearth("clean", *HERE)


def test_what_a_record_comes_from_stays_with_it_generation_by_generation(studio: Studio):
    first = trained(studio, suffix="one")
    stem = first.removesuffix("-one")  # as a job that goes on from it names it
    second = trained(studio, model=stem)
    write_record(studio, "bot", second)
    studio.azure.advance(days=40)
    items = look(studio)
    assert {item["do"] for item in items} == {"keep"}
    assert {item["why"] for item in items if item["id"] in {first, second}} == {"the record bot"}


def test_what_a_record_names_stays_even_where_its_job_is_forgotten(studio: Studio):
    job = studio.trainer.jobs.job(studio.job())
    made = str(job.fine_tuned_model)
    (studio.root / "stacks/models/bot.yaml").write_text(
        RECORD.format(model=TUNED, subscription=SOURCE.subscription)
        + f"trained: {{files: {{training: {{id: {job.training_file}}}}}, "
        + f"parents: [{{job: {job.id}, model: {made}}}]}}\n"
    )
    studio.azure.advance(days=40)
    assert {item["why"] for item in look(studio)} == {"the record bot"}


@pytest.mark.parametrize("where", ["model", "previous", "standby"])
def test_what_a_stacks_outputs_name_stays_for_a_rollback_needs_it(studio: Studio, outputs: dict[str, Any], where: str):
    model = trained(studio)
    facts = {"model": TUNED, where: model if where == "model" else {"model": model, "version": "1"}}
    outputs["prod"] = {"deployments": {"bot": facts}}
    studio.azure.advance(days=40)
    assert plan(studio, model) == dict.fromkeys(("model", "file", "job"), "keep")


@pytest.mark.parametrize(
    ("outcome", "days", "does"), [("paused", 3, "keep"), ("failed", 0, "keep"), ("failed", 3, "click")]
)
def test_a_model_of_a_rollout_stays_as_long_as_that_may_be_rolled_back(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, outcome: str, days: int, does: str
):
    model = trained(studio)
    stack = planning.stack("prod", planning.wish("bot", model))
    made = planning.plan([stack], {"prod": planning.observed(stack)})
    history = History(url_of(studio.root / ".hearth", {}))
    durable.prepare(history)
    history.make_tables()
    now = clock.now()
    at = stamp(now)
    one = Rollout(id="r1", fleet="hearth", commit="c", digest="d", who="ann", at=at, outcome=outcome)
    history.begin(one, made, State(), None, lambda _connection, _run: None)
    history.close()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=days))
    studio.azure.advance(days=40)
    assert plan(studio, model)["model"] == does


def test_outputs_that_cannot_be_read_stop_it_all(studio: Studio, monkeypatch: pytest.MonkeyPatch):
    def refuse(_self: Stacks, _name: str) -> None:
        raise Refused("the passphrase is missing")

    monkeypatch.setattr(Stacks, "outputs", refuse)
    studio.hearth("clean", *HERE, "--yes", code=3)
    assert "passphrase" in studio.errors


def test_a_record_that_cannot_be_read_stops_it_all_for_it_might_refer_to_anything(studio: Studio):
    (studio.root / "stacks/models/odd.yaml").write_text("model: [\n")
    studio.hearth("clean", *HERE, "--yes", code=2)
    assert "odd.yaml" in studio.errors


def test_a_model_that_another_account_serves_stays_and_what_cannot_be_searched_is_named(studio: Studio):
    model = trained(studio)
    other = ids.account_id(PRODUCTION, "rg", "oai-far")
    studio.served.put(other, account_body(customSubDomainName="oai-far"))
    studio.served.put(f"{other}/deployments/far", deployment_body(model, source=SOURCE.id, capacity=1))
    stack = (studio.root / "stacks/Pulumi.local-source.yaml").read_text()
    (studio.root / "stacks/Pulumi.abroad.yaml").write_text(
        stack.replace("11111111-1111-4111-8111-111111111111", ABROAD)
    )
    studio.azure.advance(days=40)
    said = studio.hearth("clean", *HERE)
    assert {item["why"] for item in look(studio)} == {f"deployed as {other}/deployments/far"}
    assert f"not searched for deployments of its models: subscription {ABROAD}" in said
    assert plan(studio, model) == dict.fromkeys(("model", "file", "job"), "keep")


def test_files_of_a_running_job_and_of_a_training_on_its_way_stay(studio: Studio):
    trainer = studio.trainer
    running, meant, free = (trainer.files.send(name, chat(30, at)).id for at, name in enumerate(("r", "m", "f")))
    studio.azure.advance(days=40)
    made = trainer.jobs.create({"model": BASE, "training_file": running}).id
    folder = studio.root / ".hearth/training"
    folder.mkdir(parents=True)
    (folder / "bot-1.json").write_text(json.dumps({"name": "bot", "files": {"training": {"name": "m", "id": ""}}}))
    does = {item["id"]: item["do"] for item in look(studio) if item["kind"] == "file"}
    assert (does[running], does[meant], does[free]) == ("keep", "keep", "delete")
    studio.hearth("clean", *HERE, "--yes")
    assert {file.id for file in trainer.files.all()} >= {running, meant}
    assert free not in {file.id for file in trainer.files.all()}
    assert trainer.jobs.job(made).status != "failed"
    (folder / "bot-1.json").write_text("{")
    studio.hearth("clean", *HERE, code=1)
    assert "bot-1.json" in studio.errors


@pytest.mark.parametrize(
    ("ends", "says", "do"),
    [
        ("running", "is pending", "hearth jobs cancel"),
        ("succeeded", "succeeded, and nobody has followed it to its end", "hearth train bot writes its record"),
        ("cancelled", "was cancelled, and nobody has followed it to its end", "hearth train bot tells why"),
    ],
)
def test_a_detached_training_that_nobody_follows_is_named_with_its_file_and_the_next_move(
    studio: Studio, ends: str, says: str, do: str
):
    studio.data()
    studio.wish()
    studio.hearth("train", "bot", "--detach")
    (job,) = studio.trainer.jobs.jobs()
    if ends == "cancelled":
        studio.trainer.jobs.cancel(job.id)
    if ends != "running":
        studio.azure.advance(days=40)
    (file,) = (studio.root / ".hearth/training").glob("*.json")
    said = studio.hearth("clean", *HERE, "--yes")
    (line,) = [line for line in said.splitlines() if ".hearth/training" in line]
    assert line.startswith(f".hearth/training/{file.name} keeps")
    assert f"its job {job.id} {says}" in line
    assert do in line
    assert f"remove .hearth/training/{file.name}" in line
    kept = [item["why"] for item in look(studio) if item["kind"] == "file"]
    assert ends == "running" or set(kept) == {f"the training bot (.hearth/training/{file.name})"}

    studio.hearth("train", "bot", code=int(ends == "cancelled"))
    assert ".hearth/training" not in studio.hearth("clean", *HERE), "it was told, so it keeps nothing any more"


def test_a_training_whose_yaml_or_job_is_gone_is_given_up_by_removing_its_file(studio: Studio):
    studio.data()
    wish = studio.wish()
    studio.hearth("train", "bot", "--detach")
    (job,) = studio.trainer.jobs.jobs()
    studio.azure.advance(days=40)
    wish.unlink()
    assert f"hearth models record {job.id} --name bot" in studio.hearth("clean", *HERE)
    studio.trainer.jobs.delete(job.id)
    assert f"its job {job.id} is not in the account any more; to give it up, remove" in studio.hearth("clean", *HERE)
    for file in (studio.root / ".hearth/training").glob("*.json"):
        file.unlink()
    assert ".hearth/training" not in studio.hearth("clean", *HERE)


def test_after_yes_what_was_done_is_told_and_not_what_was_planned(studio: Studio, outputs: dict[str, Any]):
    model = own(studio, f"{BASE}.ft-{'3' * 32}")
    outputs.clear()
    studio.served.deploy("orphan", model, "1", capacity=1)
    file = studio.trainer.files.send("f", chat(30)).id
    studio.azure.advance(days=40)
    studio.fault("server-error", scope=f"/oai-prod.openai.azure.com/openai/v1/files/{file}", count=3)
    said = studio.hearth("clean", *HERE, "--yes", code=1)
    rows = {
        word: line
        for line in said.splitlines()
        for word in ("deployment orphan", f"model {model}", file)
        if word in line
    }
    assert rows["deployment orphan"].strip().startswith("deleted")
    assert "orphan is gone now; the next run looks at it" in rows[f"model {model}"]
    assert "not deleted: " in rows[file]
    assert "1 left" in said


def test_a_job_that_begins_meanwhile_keeps_its_file(studio: Studio, monkeypatch: pytest.MonkeyPatch):
    trainer = studio.trainer
    file = trainer.files.send("f", chat(30)).id
    studio.azure.advance(days=40)
    make = cleanup_plan.make

    def and_a_job_begins(*given: Any) -> Any:
        found = make(*given)
        trainer.jobs.create({"model": BASE, "training_file": file})
        return found

    monkeypatch.setattr(cleanup_plan, "make", and_a_job_begins)
    studio.hearth("clean", *HERE, "--yes", code=1)
    assert "a job uses it by now" in studio.errors
    assert [one.id for one in trainer.files.all() if one.id == file]


def test_deployments_without_a_stack_go_first_when_nobody_has_called_them(studio: Studio, outputs: dict[str, Any]):
    model = trained(studio)
    outputs.clear()
    studio.azure.advance(days=40)
    studio.served.deploy("orphan", model, "1", sku="DeveloperTier", capacity=1)
    assert plan(studio, model)["deployment"] == "keep"  # made just now
    studio.azure.advance(hours=7)
    found = plan(studio, model)
    assert found == {"deployment": "delete", "model": "wait", "file": "wait", "job": "wait"}
    assert "about 1,241 USD a month" in studio.hearth("clean", *HERE)  # what bot costs
    studio.hearth("clean", *HERE, "--yes")
    assert not list(studio.azure.world.deployments)
    assert plan(studio, model)["model"] == "click"


def test_a_deployment_that_is_called_or_of_a_stack_stays(studio: Studio):
    studio.served.let_in()
    for name, digit, tags in (("called", "1", None), ("tagged", "2", {"hearth-stack": "other/prod"})):
        studio.served.deploy(name, own(studio, f"{BASE}.ft-{digit * 32}"), "1", capacity=1, tags=tags)
    studio.azure.advance(days=40)
    studio.served.classic().chat.completions.create(
        model="called", messages=[{"role": "user", "content": "a question of a customer's that is no ping at all"}]
    )
    studio.azure.advance(hours=3)
    does = {item["id"]: (item["do"], item["why"]) for item in look(studio) if item["kind"] == "deployment"}
    assert does["called"][0] == "keep"
    assert "was used" in does["called"][1]
    assert does["tagged"] == ("keep", "its tag says that it is of the stack other/prod")


def test_the_deployment_of_an_evaluation_goes_once_it_belongs_to_no_run_any_more(studio: Studio):
    model = own(studio, f"{BASE}.ft-{'3' * 32}")
    studio.served.deploy("hearth-eval-1", model, "1", capacity=1, tags={TAG: "hearth/bot"})
    assert "until shortly" in next(item["why"] for item in look(studio) if item["id"] == "hearth-eval-1")
    studio.azure.advance(hours=3)
    studio.hearth("clean", *HERE, "--yes")
    assert [d.name for d in studio.azure.world.deployments] == ["bot"]


def test_what_is_refused_does_not_stop_the_rest_and_the_next_run_goes_on(studio: Studio):
    trainer = studio.trainer
    first, *_ = [trainer.files.send(name, chat(30, at)).id for at, name in enumerate("abc")]
    studio.azure.advance(days=40)
    studio.fault("server-error", scope=f"/oai-prod.openai.azure.com/openai/v1/files/{first}", count=3)
    studio.hearth("clean", *HERE, "--yes", code=1)
    assert len(trainer.files.all()) == 1
    studio.hearth("clean", *HERE, "--yes")
    assert trainer.files.all() == []


def test_a_failed_job_and_its_file_go_by_their_age(studio: Studio):
    job = studio.job(finish=False)
    studio.trainer.jobs.cancel(job)
    assert {item["do"] for item in look(studio) if item["kind"] in {"job", "file"}} == {"keep"}
    studio.azure.advance(days=8)
    found = look(studio, "--unused", "7d")
    assert {item["do"] for item in found if item["kind"] in {"job", "file"}} == {"delete"}
    assert "was cancelled" in next(item["why"] for item in found if item["kind"] == "job")
    studio.hearth("clean", *HERE, "--unused", "7", code=2)


# --- the stage -----------------------------------------------------------------------------------------------------


def trained(studio: Studio, **more: Any) -> str:
    """The model of a job that is over."""
    return str(studio.trainer.jobs.job(studio.job(**more)).fine_tuned_model)


def own(studio: Studio, model: str) -> str:
    """A tuned model of the account without a job."""
    world, account = studio.azure.world, ids.key(studio.served.account)
    with world.lock:
        made = CustomModel(id=model, account=account, base=BASE, created=world.now())
        world.models.put(f"{account}|{model}", made)
    return model


def write_record(studio: Studio, name: str, model: str) -> None:
    text = RECORD.format(model=model, subscription=SOURCE.subscription)
    (studio.root / "stacks/models" / f"{name}.yaml").write_text(text)


def by_hand(studio: Studio, model: str) -> None:
    """What a person clicks."""
    world = studio.azure.world
    with world.lock:
        found = models.owned(world, ids.key(studio.served.account), model)
        assert found is not None
        models.delete(world, found)


def look(studio: Studio, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(studio.hearth("clean", *HERE, "--json", *more))["accounts"][0]["items"]
    return [item for item in found if item["id"] not in {TUNED, "bot"}]


def plan(studio: Studio, model: str) -> dict[str, str]:
    """What becomes of a model and what belongs to it, by kind."""
    found = {}
    for item in look(studio):
        if item["kind"] != "deployment" or model in item["title"]:
            assert found.setdefault(item["kind"], item["do"]) == item["do"], item
    return found


def stock(studio: Studio) -> tuple[list[str], list[str]]:
    trainer = studio.trainer
    return sorted(file.id for file in trainer.files.all()), sorted(job.id for job in trainer.jobs.jobs())
