"""Random questions to every operation of the models: an answer in an envelope, never a 500."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.localazure import dataset, ids, quotas
from infra.localazure.entities import File, QuotaLimit
from tests.localazure import training
from tests.localazure.cloud import START, Cloud
from tests.localazure.test_fuzz import OFTEN, json_values, mutated, require_sound

SOME = settings(OFTEN, max_examples=60)
HOST = "/oai-prod.openai.azure.com/openai/v1"
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2}}}}
SCHEMA = {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["a"]}
BODIES: dict[str, Any] = {
    "/chat/completions": {
        "model": "bot",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "json"}]}],
        "tools": [{"type": "function", "function": FUNCTION}],
        "tool_choice": "required",
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
        "stream": True,
        "stream_options": {"include_usage": True},
        "stop": ["x"],
        "logprobs": True,
    },
    "/responses": {
        "model": "bot",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "json"}]}, {"type": "reasoning"}],
        "text": {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA}},
        "tools": [{"type": "function", **FUNCTION}],
        "tool_choice": {"type": "function", "name": "f"},
        "metadata": {"a": "b"},
        "store": False,
    },
    "/completions": {"model": "completer", "prompt": ["a", "b"], "n": 1, "echo": True, "logprobs": 1, "stop": "x"},
    "/embeddings": {"model": "embedder", "input": ["a"], "dimensions": 8, "encoding_format": "base64"},
    "/files/import": {
        "purpose": "fine-tune",
        "filename": "a.jsonl",
        "content_url": "https://a.blob.core.windows.net/b/c?sig=d",
    },
    "/uploads": {"purpose": "fine-tune", "filename": "a.jsonl", "bytes": 10, "mime_type": "application/jsonl"},
    "/fine_tuning/jobs": {
        "model": "gpt-4.1-mini-2025-04-14",
        "training_file": "file-1",
        "validation_file": "file-1",
        "seed": 105,
        "suffix": "bot",
        "hyperparameters": {"n_epochs": 2},
        "method": {"type": "dpo", "dpo": {"hyperparameters": {"batch_size": "auto", "beta": 0.1}}},
        "trainingType": "Standard",
        "metadata": {"a": "b"},
    },
}
FORM, FORM_HEADERS = training.form({"purpose": "fine-tune", "file": ("a.jsonl", training.chat(2))})


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    """One application for all examples, with a model for each operation."""
    made = Cloud()
    account = made.account()
    made.serve(account, "bot", "gpt-4o-mini", model_version="2024-07-18", capacity=900)
    made.serve(account, "completer", "davinci-002", model_version="1", capacity=900)
    made.serve(account, "embedder", "text-embedding-3-small", model_version="1", capacity=900)
    for name in ("files", "trainingJobs", "queuedTrainings"):
        quotas.put(made.world, QuotaLimit(name=name, limit=10_000))
    facts = dataset.examine(training.chat(12).split(b"\n"))
    file = File(id="file-1", account=ids.key(account), created=START, filename="a", purpose="fine-tune", facts=facts)
    made.world.files.put(f"{file.account}|{file.id}", file)
    return made


@pytest.mark.parametrize("path", sorted(BODIES))
@given(data=st.data())
@SOME
def test_odd_questions_to_every_operation_never_break_it(cloud, path, data):
    body = data.draw(mutated(BODIES[path]) | json_values)
    cloud.advance(minutes=1)
    headers = {"api-key": next(iter(cloud.world.accounts)).keys[0]}
    require_sound(cloud.ask("POST", HOST + path, body, who=None, version=None, headers=headers))


@given(at=st.integers(0, len(FORM)), gone=st.integers(0, 60), put=st.binary(max_size=20))
@SOME
def test_odd_forms_never_break_it_and_leave_nothing_behind(cloud, at, gone, put):
    headers = {"api-key": next(iter(cloud.world.accounts)).keys[0], **FORM_HEADERS}
    raw = FORM[:at] + put + FORM[at + gone :]
    require_sound(cloud.ask("POST", f"{HOST}/files", raw=raw, who=None, version=None, headers=headers))
    assert list(cloud.world.contents.fresh().parent.iterdir()) == []


@given(st.recursive(
    st.sampled_from([True, False, {}, {"type": "string"}, {"$ref": "#"}, {"type": "integer", "minimum": 9}]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda found: {"anyOf": found}),
        st.dictionaries(st.text(max_size=3), inner, max_size=4).map(
            lambda found: {"type": "object", "properties": found, "required": list(found)}
        ),
        inner.map(lambda found: {"type": "array", "items": found, "minItems": 2}),
    ),
    max_leaves=12,
))  # fmt: skip
@SOME
def test_odd_schemas_end_in_a_value_or_a_refusal(cloud, schema):
    cloud.advance(minutes=1)
    headers = {"api-key": next(iter(cloud.world.accounts)).keys[0]}
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    body = {"model": "bot", "messages": [{"role": "user", "content": "x"}], "response_format": form}
    answer = cloud.ask("POST", f"{HOST}/chat/completions", body, who=None, version=None, headers=headers)
    require_sound(answer)
