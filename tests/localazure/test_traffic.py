"""Every call to the data plane leaves one record; calls that succeed keep their deployment alive."""

from __future__ import annotations

import pytest

from infra.localazure import ids
from infra.localazure.traffic import Traffic
from tests.localazure.cloud import ARM, DATA, DATA_VERSION, TUNED, Cloud

HOST = "/oai-prod.openai.azure.com/openai"
QUESTION = [{"role": "user", "content": "hello"}]


@pytest.fixture
def taken(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> list[Traffic]:
    """The records as the application takes them."""
    found: list[Traffic] = []
    took = cloud.app.took

    def keep(traffic: Traffic) -> None:
        found.append(traffic)
        took(traffic)

    monkeypatch.setattr(cloud.app, "took", keep)
    return found


@pytest.fixture
def deployment(cloud: Cloud) -> str:
    """A tuned deployment that answers."""
    account = cloud.account()
    cloud.tune(account)
    return cloud.serve(account, capacity=5)


def test_an_answered_call_is_told_in_full(cloud, deployment, taken):
    usage = cloud.chat(deployment).body["usage"]
    (one,) = taken
    account = deployment.split("/deployments/")[0]
    assert one == Traffic(
        at=cloud.world.now(),
        account=ids.key(account),
        deployment="bot",
        model=TUNED,
        model_version="1",
        api="Azure OpenAI API version 2024-10-21",
        operation="ChatCompletions_Create",
        status=200,
        stream="Non-Streaming",
        prompt_tokens=usage["prompt_tokens"],
        generated_tokens=usage["completion_tokens"],
        response_ms=one.latency_ms,
        latency_ms=one.latency_ms,
    )
    cloud.chat(deployment)
    assert taken[1].latency_ms == one.latency_ms > 0, "the same call takes the same time"
    cloud.chat(deployment, stream=True)
    assert taken[2].stream == "Streaming"
    assert taken[2].generated_tokens == one.generated_tokens


def test_failed_calls_are_told_once_each_with_what_was_known(cloud, deployment, taken):
    account = deployment.split("/deployments/")[0]
    key = {"api-key": cloud.key(account)}
    chat = f"{HOST}/deployments/bot/chat/completions"
    body = {"messages": QUESTION}
    stranger = cloud.grant("Reader", account)
    cloud.ask("POST", chat, body, who=None, version=DATA_VERSION, headers={"api-key": "wrong"})
    cloud.ask("POST", chat, body, who=stranger, audience=DATA, version=DATA_VERSION)
    cloud.ask("POST", chat, body, audience=ARM, version=DATA_VERSION)
    cloud.ask("POST", chat, {"messages": []}, who=None, version=DATA_VERSION, headers=key)
    cloud.chat(deployment.replace("/bot", "/nobody"))
    cloud.chat(deployment, max_tokens=20_000)
    cloud.chat(deployment, "local-azure:filter-prompt=hate")
    cloud.ask("POST", f"{HOST}/nothing", who=None, version=DATA_VERSION, headers=key)
    cloud.ask("POST", f"{HOST}/v1/responses", {"model": "bot"}, who=None, version=None, headers=key)
    assert [(t.status, t.operation, t.deployment, t.model) for t in taken] == [
        (401, "ChatCompletions_Create", "bot", ""),
        (401, "ChatCompletions_Create", "bot", ""),
        (401, "ChatCompletions_Create", "bot", ""),
        (400, "ChatCompletions_Create", "bot", TUNED),
        (404, "ChatCompletions_Create", "nobody", ""),
        (429, "ChatCompletions_Create", "bot", TUNED),
        (400, "ChatCompletions_Create", "bot", TUNED),
        (404, "", "", ""),
        (400, "Responses_Create", "bot", TUNED),
    ]
    assert all(t.generated_tokens == 0 for t in taken)
    assert taken[6].prompt_tokens > 0, "the filter has read the prompt"


def test_an_account_that_nobody_has_gets_no_record(cloud, deployment, taken):
    cloud.get("/nobody.openai.azure.com/openai/v1/models", who=None, version=None)
    assert taken == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/deployments/bot/chat/completions", {"messages": QUESTION}),
        ("/deployments/BOT/chat/completions", {"messages": QUESTION, "stream": True}),
        ("/v1/responses", {"model": "bot", "input": "hello"}),
    ],
)
def test_a_call_that_succeeds_starts_the_fifteen_days_anew(cloud, deployment, path, body):
    key = {"api-key": cloud.key(deployment.split("/deployments/")[0])}
    cloud.advance(days=14)
    version = None if path.startswith("/v1") else DATA_VERSION
    answer = cloud.ask("POST", f"{HOST}{path}", body, who=None, version=version, headers=key)
    assert answer.status == 200
    cloud.advance(days=14)
    assert cloud.get(deployment).status == 200
    cloud.advance(days=1, seconds=1)
    assert cloud.get(deployment).status == 404


def test_other_calls_and_failed_ones_do_not(cloud, deployment):
    key = {"api-key": cloud.key(deployment.split("/deployments/")[0])}
    made = cloud.ask(
        "POST", f"{HOST}/v1/responses", {"model": "bot", "input": "x"}, who=None, version=None, headers=key
    )
    since = cloud.world.now()
    cloud.advance(days=14)
    cloud.ask("GET", f"{HOST}/v1/responses/{made.body['id']}", who=None, version=None, headers=key)
    cloud.ask("GET", f"{HOST}/v1/models", who=None, version=None, headers=key)
    cloud.chat(deployment, temperature=9)
    cloud.chat(deployment, "local-azure:filter-prompt=violence")
    (found,) = cloud.world.deployments
    assert found.last_call == since
    cloud.switch(failed_calls_count=True)
    cloud.chat(deployment, temperature=9)
    assert found.last_call == cloud.world.now()
