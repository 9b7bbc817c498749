"""Model records: which tuned model a name stands for."""

from __future__ import annotations

import pytest

from infra.errors import SpecError
from infra.spec import load_record
from tests.spec.desk import GONE, MODEL, Changes, Desk

FILE = "stacks/models/support-bot.yaml"
TUNED = (
    "must name a tuned model (<base>.ft-<id>, as the job's fine_tuned_model says) or a checkpoint "
    "(ftchkpt-<32 hex digits>)"
)


def told(desk: Desk, changes: Changes) -> list[str]:
    desk.record("support-bot", changes)
    with pytest.raises(SpecError) as caught:
        load_record(desk.project, "support-bot")
    assert {mistake.file for mistake in caught.value.mistakes} == {FILE}
    return [f"{mistake.path}: {mistake.text}" for mistake in caught.value.mistakes]


def test_a_source_without_a_model_is_told(desk: Desk):
    assert told(desk, {"model": GONE}) == ["model: is missing; add it"]


def test_a_model_without_a_source_is_told(desk: Desk):
    assert told(desk, {"source": GONE}) == ["source: is missing; add it"]


@pytest.mark.parametrize("key", ["subscription", "resourceGroup", "account"])
def test_a_source_is_named_in_full(desk: Desk, key: str):
    assert told(desk, {f"source/{key}": GONE}) == [f"source/{key}: is missing; add it"]


@pytest.mark.parametrize("model", ["gpt-4.1-mini-2025-04-14", "ftchkpt-12", "", ".ft-x", "gpt.ft-"])
def test_a_base_model_or_anything_else_is_no_tuned_model(desk: Desk, model: str):
    assert told(desk, {"model": model}) == [f'model: {TUNED}, not "{model}"']


def test_an_unknown_key_is_told_with_the_one_that_was_meant(desk: Desk):
    assert told(desk, {"sorce": {}, "source/region": "x", "trained/bas": "x"}) == [
        "source/region: unknown key; the keys here are subscription, resourceGroup, account, tenant",
        'sorce: unknown key; did you mean "source"?',
        'trained/bas: unknown key; did you mean "base"?',
    ]


def test_a_version_is_text(desk: Desk):
    assert told(desk, {"version": 1}) == ["version: must be a text, not 1; put it in quotes"]


def test_a_key_twice_in_a_record_is_told_with_both_lines(desk: Desk):
    desk.file(FILE, f"model: {MODEL}\nversion: '1'\nmodel: x\n")
    with pytest.raises(SpecError) as caught:
        load_record(desk.project, "support-bot")
    assert str(caught.value) == (
        f"{FILE} has 1 mistake\n  line 3, model: the key stands twice: here and on line 1; keep one"
    )


@pytest.mark.parametrize(("text", "found"), [("", "nothing"), ("- a\n", "a list"), ("hello\n", '"hello"')])
def test_a_record_that_is_no_mapping_is_told(desk: Desk, text: str, found: str):
    desk.stack()
    desk.file(FILE, text)
    (mistake,) = desk.mistakes()
    assert (mistake.file, mistake.text) == (FILE, f"must be a mapping, not {found}")


def test_a_record_that_is_no_yaml_is_told_where_it_breaks(desk: Desk):
    desk.stack()
    desk.file(FILE, f"model: {MODEL}\nsource: {{account: x\n")
    (mistake,) = desk.mistakes()
    assert (mistake.file, mistake.line) == (FILE, 2)
    assert mistake.text == (
        "is not YAML: did not find expected ',' or '}' (while parsing a flow mapping that starts on line 2)"
    )


def test_mistakes_of_a_record_are_told_with_those_of_the_stack(desk: Desk):
    desk.record("support-bot", {"version": 1})
    desk.stack({"hearth:account/name": "x"})
    assert [mistake.file for mistake in desk.mistakes()] == ["stacks/Pulumi.dev.yaml", FILE]


def test_a_broken_record_that_nobody_deploys_stops_nobody(desk: Desk):
    desk.record("other", {"model": "x"})
    assert desk.told() == []


def test_the_base_model_is_what_training_wrote_else_what_the_name_tells(desk: Desk):
    checkpoint = "ftchkpt-" + "0" * 32
    desk.record("told", {"trained/base": "gpt-5-2025-08-07"})
    desk.record("named")
    desk.record("unknown", {"model": checkpoint})
    bases = [load_record(desk.project, name).base for name in ("told", "named", "unknown")]
    assert bases == ["gpt-5-2025-08-07", "gpt-4.1-mini-2025-04-14", None]


def test_a_record_holds_what_training_and_evaluation_wrote_as_it_is(desk: Desk):
    trained = {
        "job": "ftjob-1",
        "checkpoint": None,
        "files": {"training": {"id": "file-1", "sha256": "00"}},
        "at": "2026-10-12T09:41:00Z",
        "hyperparameters": {"n_epochs": 3},
        "tokens": 12,
        "parents": ["a"],
    }
    desk.record("support-bot", {"trained": trained, "evaluation": {"smoke": {"passRate": 0.5}}})
    record = load_record(desk.project, "support-bot")
    assert record.trained.files == trained["files"]
    assert (record.trained.hyperparameters, record.trained.tokens) == ({"n_epochs": 3}, 12)
    assert record.evaluation == {"smoke": {"passRate": 0.5}}


def test_a_date_in_a_record_is_text_as_written_for_only_hearth_reads_it(desk: Desk):
    desk.record("support-bot")
    with (desk.root / FILE).open("a") as file:
        file.write("trained: {at: 2026-10-12}\n")
    assert load_record(desk.project, "support-bot").trained.at == "2026-10-12"
