"""The explained files and the schemas for editors: made from the same types, so they say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from infra.spec import check_project, open_project, schema
from infra.spec.documents import parse
from infra.spec.duration import show
from infra.spec.model import ModelRecord, StackFile
from infra.spec.reading import Reader, fields_of
from infra.spec.rollout import Defaults, RolloutFile, Settings, TimeLimits
from infra.spec.rules import rules
from infra.spec.training import TrainingFile, load_training
from infra.spec.waves import DECIDED
from tests.spec.anything import spoilt
from tests.spec.desk import TODAY

ROOT = Path(__file__).parents[2]
EXAMPLES = [*ROOT.glob("stacks/Pulumi.*.yaml"), *ROOT.glob("stacks/models/*.yaml")]
STACK, RECORD, ROLLOUT, TRAINING = (document.value for document in schema.reference())


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema.texts()[name]))


OF_STACK, OF_RECORD, OF_ROLLOUT, OF_TRAINING = (validator(name) for name in schema.NAMES)


# --- the reference -------------------------------------------------------------------------------------------------


def test_the_reference_is_a_project_without_a_mistake(tmp_path: Path):
    stack, record, rollout, training = schema.REFERENCE.read_text("utf-8").split("\n---\n")
    (tmp_path / "stacks/models").mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_text("name: hearth\nstackConfigDir: stacks\n")
    (tmp_path / "stacks/Pulumi.reference.yaml").write_text(stack)
    (tmp_path / "stacks/models/support-bot.yaml").write_text(record)
    (tmp_path / "stacks/rollout.yaml").write_text(rollout)
    (tmp_path / "stacks/prompts").mkdir()
    (tmp_path / "stacks/prompts/smoke.jsonl").write_text("")
    (loaded,), mistakes = check_project(open_project(tmp_path), ["reference"], today=TODAY)
    assert not mistakes
    assert not loaded.warnings, "an example is to be followed"
    (tmp_path / "stacks/training").mkdir()
    (tmp_path / "stacks/training/support-bot.yaml").write_text(training)
    assert not load_training(open_project(tmp_path), "support-bot").warnings


def described(made: Any, way: str = "") -> Iterator[tuple[str, str]]:
    """Every key in a schema that people write, with its description."""
    if isinstance(made, dict):
        for key, value in made.get("properties", {}).items():
            yield f"{way}/{key}", value.get("description", "")
            yield from described(value, f"{way}/{key}")
        for part in ("items", "additionalProperties"):
            yield from described(made.get(part), f"{way}/*")
        for option in made.get("anyOf", []):
            yield from described(option, way)


KEYS = dict(
    [
        *described(OF_STACK.schema, "stack"),
        *described(OF_RECORD.schema, "record"),
        *described(OF_ROLLOUT.schema, "rollout"),
        *described(OF_TRAINING.schema, "training"),
    ]
)


def test_every_key_is_explained():
    assert len(KEYS) > 50
    assert [key for key, text in KEYS.items() if len(text) < 10] == []


def test_every_explanation_is_whole():
    assert [key for key, text in KEYS.items() if not text.endswith(".")] == [], "a comment is cut off by a blank line"


def defaults() -> Iterator[tuple[str, object]]:
    """Keys with a default that can be written in a word."""

    def of(kind: Any, way: str) -> Iterator[tuple[str, object]]:
        for field in fields_of(kind):
            default = None if field.required else field.default()
            if isinstance(default, str | bool):
                yield f"{way}/{field.key}", default
            elif hasattr(default, "__struct_fields__"):
                yield from of(type(default), f"{way}/{field.key}")

    from infra.spec.model import Access, Account, ResourceGroup

    yield from of(StackFile, "stack/config")
    yield from of(Account, "stack/config/hearth:account")
    yield from of(ResourceGroup, "stack/config/hearth:account/resourceGroup")
    yield from of(Access, "stack/config/hearth:access/*")
    yield from of(ModelRecord, "record")
    yield from of(TrainingFile, "training")
    for key, span in [("defaults/rollbackWindow", Defaults().rollback_window), *limits_of_time()]:
        yield f"rollout/{key}", show(span)
    for name, value in DECIDED.items():
        key = next(field.key for field in fields_of(Settings) if field.name == name)
        if value != []:
            yield f"rollout/defaults/{key}", show(value) if isinstance(value, timedelta) else value


def limits_of_time() -> list[tuple[str, timedelta]]:
    spans = TimeLimits()
    return [(f"limits/{field.key}", getattr(spans, field.name)) for field in fields_of(TimeLimits)]


@pytest.mark.parametrize(("key", "default"), list(defaults()))
def test_a_default_is_told_as_it_is(key: str, default: object):
    shown = json.dumps(default) if isinstance(default, int) or str(default).isdigit() else default
    assert f"Default: {shown}." in KEYS[key]


# --- the schemas ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", schema.NAMES)
def test_the_committed_schemas_are_those_that_are_made_now(name: str):
    committed = (ROOT / "stacks/schema" / name).read_text("utf-8")
    assert committed == schema.texts()[name], "make docs writes them anew"


@pytest.mark.parametrize("name", schema.NAMES)
def test_a_schema_is_one_by_its_draft(name: str):
    Draft202012Validator.check_schema(validator(name).schema)


def test_a_schema_says_nothing_that_older_editors_pass_over():
    def keywords(made: Any) -> Iterator[str]:
        if isinstance(made, dict):
            for key, value in made.items():
                yield key
                inner = value.values() if key in {"properties", "patternProperties"} else [value]
                for part in inner:
                    yield from keywords(part)
        elif isinstance(made, list):
            for part in made:
                yield from keywords(part)

    new = {"$defs", "$dynamicRef", "unevaluatedProperties", "prefixItems", "dependentSchemas", "minContains"}
    schemas = (OF_STACK, OF_RECORD, OF_ROLLOUT, OF_TRAINING)
    assert not {word for checks in schemas for word in keywords(checks.schema)} & new


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_names_its_schema_and_keeps_to_it(file: Path):
    first = file.read_text("utf-8").splitlines()[0]
    named = file.parent / first.removeprefix("# yaml-language-server: $schema=")
    assert named.resolve() in {(schema.FOLDER / name).resolve() for name in schema.NAMES}
    checks = OF_RECORD if file.parent.name == "models" else OF_STACK
    assert not list(checks.iter_errors(parse(file.read_text("utf-8"), file.name, engine=True).value))


def test_the_reference_keeps_to_the_schemas():
    assert OF_STACK.is_valid(STACK)
    assert OF_RECORD.is_valid(RECORD)
    assert OF_ROLLOUT.is_valid(ROLLOUT)
    assert OF_TRAINING.is_valid(TRAINING)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("encryptionsalt: v1:x\nsecretsprovider: azurekeyvault://x\nencryptedkey: x\nenvironment: [a]", True),
        ("config:\n  aws:region: x\n  azure-native:tenantId: y\n  other: {a: 1}", True),
        ("config:\n  hearth:acount: {}", False),
        ("config:\n  hearth:accounts: {}", False),
        ("config:\n  hearth:account: {name: ab, resourceGroup: rg}", True),
        ("config:\n  hearth:account: {name: ab, resourceGroup: {name: rg, manage: false}}", True),
        ("config:\n  hearth:account: {name: ab, resourceGroup: {nam: rg}}", False),
        ("config:\n  hearth:account: {name: ab}", False),
        ("config:\n  hearth:keepAlive:", True),
        ("config:\n  hearth:keepAlive: {policy: OFF, after: 1h30m}", True),
        ("config:\n  hearth:keepAlive: {after: 10}", False),
        ("config:\n  azure-native:location: Sweden Central", False),
        ("config:", True),
        ("config: []", False),
    ],
)
def test_an_editor_knows_the_files_of_a_stack(text: str, fine: bool):
    assert OF_STACK.is_valid(parse(text, "x.yaml").value) is fine


@given(spoilt(STACK["config"], keep=1))
@settings(max_examples=150)
def test_an_editor_and_the_reader_agree_on_a_stack(config: dict[str, Any]):
    reader = Reader(rules())
    reader.fields({k: v for k, v in config.items() if k.startswith("hearth:") or k in STACK["config"]}, StackFile, ())
    assert OF_STACK.is_valid({"config": config}) is not bool(reader.mistakes), reader.mistakes


@given(spoilt(RECORD))
@settings(max_examples=100)
def test_an_editor_and_the_reader_agree_on_a_record(record: dict[str, Any]):
    reader = Reader(rules())
    reader.read(record, ModelRecord, ())
    assert OF_RECORD.is_valid(record) is not bool(reader.mistakes), reader.mistakes


@given(spoilt(ROLLOUT))
@settings(max_examples=150)
def test_an_editor_and_the_reader_agree_on_a_rollout(rollout: dict[str, Any]):
    reader = Reader(rules())
    reader.read(rollout, RolloutFile, ())
    assert OF_ROLLOUT.is_valid(rollout) is not bool(reader.mistakes), reader.mistakes


@given(spoilt(TRAINING))
@settings(max_examples=100)
def test_an_editor_and_the_reader_agree_on_what_is_trained(training: dict[str, Any]):
    reader = Reader(rules())
    reader.read(training, TrainingFile, ())
    assert OF_TRAINING.is_valid(training) is not bool(reader.mistakes), reader.mistakes


def test_the_module_writes_them_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    schema.write(tmp_path / "schema")
    assert {file.name: file.read_text("utf-8") for file in (tmp_path / "schema").iterdir()} == schema.texts()
    assert capsys.readouterr().out.count("wrote ") == len(schema.NAMES)
