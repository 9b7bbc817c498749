"""Completions and embeddings: for the models that make them, and refused for the others in Azure's words."""

from __future__ import annotations

import json
import math

import openai
import pytest

from tests.localazure.cloud import DATA_VERSION, Cloud

BABBAGE = "babbage-002-1.ft-" + "5" * 32
HOST = "/oai-prod.openai.azure.com/openai"


@pytest.fixture
def account(cloud: Cloud) -> str:
    """An account with a tuned model that completes, one that chats and one that embeds."""
    made = cloud.account()
    cloud.tune(made, BABBAGE, "babbage-002-1")
    cloud.serve(made, "completer", BABBAGE, capacity=50)
    cloud.serve(made, "chatter", "gpt-4o-mini", model_version="2024-07-18", capacity=50)
    cloud.serve(made, "embedder", "text-embedding-3-small", model_version="1", capacity=50)
    return made


def ask(cloud: Cloud, account: str, deployment: str, operation: str, **body: object):
    headers = {"api-key": cloud.key(account)}
    path = f"{HOST}/deployments/{deployment}/{operation}"
    return cloud.ask("POST", path, body, who=None, version=DATA_VERSION, headers=headers)


@pytest.mark.parametrize(
    ("deployment", "operation", "word", "model"),
    [
        ("chatter", "completions", "completion", "gpt-4o-mini"),
        ("chatter", "embeddings", "embeddings", "gpt-4o-mini"),
        ("completer", "chat/completions", "chatCompletion", "babbage-002"),
        ("completer", "embeddings", "embeddings", "babbage-002"),
        ("embedder", "chat/completions", "chatCompletion", "text-embedding-3-small"),
        ("embedder", "completions", "completion", "text-embedding-3-small"),
    ],
)
def test_an_operation_that_is_not_of_the_model_is_refused(cloud, account, deployment, operation, word, model):
    answer = ask(cloud, account, deployment, operation, prompt="x", input="x", messages=[])
    assert answer.refusal == (400, "OperationNotSupported")
    assert answer.error["message"].startswith(
        f"The {word} operation does not work with the specified model, {model}. Please choose different model"
    )


def test_a_model_that_completes_names_itself(cloud, account):
    answer = ask(cloud, account, "completer", "completions", prompt="Once", max_tokens=100).body
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == f"{BABBAGE} here. You asked: Once"
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]


def test_a_completion_has_sixteen_tokens_unless_more_are_asked_for(cloud, account):
    answer = ask(cloud, account, "completer", "completions", prompt="Once").body
    assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 16)


def test_every_prompt_gets_its_choices(cloud, account):
    answer = ask(cloud, account, "completer", "completions", prompt=["a", "b"], n=2, echo=True, logprobs=1).body
    assert [c["index"] for c in answer["choices"]] == [0, 1, 2, 3]
    assert [c["text"][0] for c in answer["choices"]] == list("aabb")
    assert [r["prompt_index"] for r in answer["prompt_filter_results"]] == [0, 1]
    tokens = answer["choices"][0]["logprobs"]["tokens"]
    assert "".join(tokens) == answer["choices"][0]["text"]
    of_tokens = ask(cloud, account, "completer", "completions", prompt=[1, 2, 3], max_tokens=5).body
    assert of_tokens["usage"]["prompt_tokens"] == 3


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"prompt": 5}, "invalid_type", "prompt"),
        ({"prompt": []}, "empty_array", "prompt"),
        ({"prompt": ["a", 1]}, "invalid_value", "prompt"),
        ({"prompt": [[]]}, "empty_array", "prompt[0]"),
        ({"prompt": "x", "max_tokens": -1}, "integer_below_min_value", "max_tokens"),
        ({"prompt": "x", "logprobs": 6}, "integer_above_max_value", "logprobs"),
        ({"prompt": "x", "n": 3, "best_of": 2}, "invalid_value", "best_of"),
        ({"prompt": "x" * 80_000}, "context_length_exceeded", "messages"),
    ],
)
def test_bad_completions_are_refused(cloud, account, body, code, param):
    answer = ask(cloud, account, "completer", "completions", **body)
    assert (answer.status, answer.code, answer.error["param"]) == (400, code, param)


def test_completions_stream(cloud, account):
    options = {"include_usage": True}
    answer = ask(cloud, account, "completer", "completions", prompt="Once", stream=True, stream_options=options)
    assert answer.content.endswith(b"data: [DONE]\n\n")
    events = [json.loads(line[6:]) for line in answer.content.decode().split("\n\n") if line.startswith("data: {")]
    assert events[0]["choices"] == []
    assert "".join(c["text"] for e in events for c in e["choices"]) == f"{BABBAGE} here. You asked: Once"[:64]
    assert events[-2]["choices"][0]["finish_reason"] == "length"
    assert events[-1]["usage"]["completion_tokens"] == 16


def test_vectors_have_length_one_and_are_the_same_for_the_same_text(cloud, account):
    answer = ask(cloud, account, "embedder", "embeddings", input=["a", "b", "a"]).body
    first, second, third = (row["embedding"] for row in answer["data"])
    assert len(first) == 1536
    assert math.isclose(math.fsum(x * x for x in first), 1, rel_tol=1e-9)
    assert first == third
    assert first != second
    assert ask(cloud, account, "embedder", "embeddings", input="a", dimensions=8).body["data"][0]["index"] == 0
    refused = ask(cloud, account, "embedder", "embeddings", input="a", dimensions=1537)
    assert (refused.code, refused.error["param"]) == ("integer_above_max_value", "dimensions")
    assert ask(cloud, account, "embedder", "embeddings").refusal == (400, "missing_required_parameter")
    assert ask(cloud, account, "embedder", "embeddings", input="a", encoding_format="x").code == "invalid_value"


def test_the_clients_read_completions_and_vectors(served):
    served.azure.world.models.put(*_tuned(served))
    served.deploy("completer", BABBAGE, "1", capacity=50)
    served.deploy("embedder", "text-embedding-3-small", "1", capacity=50)
    for client in (served.classic(), served.v1()):
        with client:
            done = client.completions.create(model="completer", prompt="Once", max_tokens=60)
            assert done.choices[0].text.startswith(BABBAGE)
            pieces = client.completions.create(model="completer", prompt="Once", max_tokens=60, stream=True)
            assert "".join(p.choices[0].text for p in pieces if p.choices) == done.choices[0].text
            made = client.embeddings.create(model="embedder", input="a")  # it asks for base64 and unpacks it
            assert math.isclose(math.fsum(x * x for x in made.data[0].embedding), 1, rel_tol=1e-6)
            with pytest.raises(openai.BadRequestError) as refused:
                client.completions.create(model="bot", prompt="x")
            assert refused.value.code == "OperationNotSupported"


def _tuned(served):
    from infra.localazure import ids
    from infra.localazure.entities import CustomModel
    from tests.localazure.cloud import START

    model = CustomModel(id=BABBAGE, account=ids.key(served.account), base="babbage-002-1", created=START)
    return f"{model.account}|{model.id}", model
