"""The data plane's way in: odd paths and bodies, network rules, both logins, and streams that end too soon."""

from __future__ import annotations

import socket
import ssl
import time
from urllib.parse import urlsplit

import openai
import pytest
import requests

from infra.localazure.http import data_plane, sse
from tests.localazure.cloud import ARM, DATA, DATA_VERSION, OWNER, TUNED, Cloud

QUESTION = [{"role": "user", "content": "hello"}]
CHAT = "/oai-prod.openai.azure.com/openai/deployments/bot/chat/completions"


@pytest.fixture
def deployment(cloud: Cloud) -> str:
    """A tuned deployment that answers."""
    account = cloud.account()
    cloud.tune(account)
    return cloud.serve(account, capacity=50)


@pytest.fixture
def key(cloud: Cloud, deployment: str) -> dict[str, str]:
    """The header that opens the account."""
    return {"api-key": cloud.key(deployment.split("/deployments/", maxsplit=1)[0])}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (CHAT, 200),
        (CHAT.upper().replace("BOT", "Bot"), 200),
        (CHAT.replace("chat/", "chat%2F"), 404),
        (CHAT.replace("bot", "%2E%2E"), 404),
        (CHAT.replace("bot/", "bot//"), 404),
        (CHAT.replace("chat/completions", "chat"), 404),
        (CHAT + "/more", 404),
        (CHAT.replace("/openai/", "/openai/v2/"), 404),
    ],
)
def test_paths_are_read_as_azure_reads_them(cloud, key, path, status):
    answer = cloud.ask("POST", path, {"messages": QUESTION}, who=None, version=DATA_VERSION, headers=key)
    assert answer.status == status


def test_another_method_is_not_found(cloud, key):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert cloud.ask(method, CHAT, who=None, version=DATA_VERSION, headers=key).refusal == (404, "404")


def test_v1_takes_no_dated_version(cloud, key):
    path = "/oai-prod.openai.azure.com/openai/v1/models"
    for version, status in ((None, 200), ("v1", 200), ("preview", 200), ("latest", 200), ("2024-10-21", 400)):
        assert cloud.get(path, who=None, version=version, headers=key).status == status


def test_a_huge_body_is_refused_and_a_large_one_read(cloud, key):
    body = b'{"messages": [{"role": "user", "content": "' + b"x" * 5_000_000 + b'"}]}'
    answer = cloud.ask("POST", CHAT, raw=body, who=None, version=DATA_VERSION, headers=key)
    assert answer.status == 413
    large = cloud.ask("POST", CHAT, raw=body[:43] + body[-100_000:], who=None, version=DATA_VERSION, headers=key)
    assert large.status == 200


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"publicNetworkAccess": "Disabled"}, 403),
        ({"networkAcls": {"defaultAction": "Deny"}}, 403),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "10.0.0.0/8"}]}}, 403),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "127.0.0.0/8"}]}}, 200),
    ],
)
def test_the_networks_rules_hold_for_every_operation(cloud, rules, status):
    account = cloud.account(**rules)
    cloud.tune(account)
    cloud.serve(account, capacity=50)
    host, headers = "/oai-prod.openai.azure.com/openai/v1", {"api-key": cloud.key(account)}
    for method, path, body in (
        ("POST", "/chat/completions", {"model": "bot", "messages": QUESTION}),
        ("POST", "/responses", {"model": "bot", "input": "x"}),
        ("GET", "/models", None),
    ):
        assert cloud.ask(method, host + path, body, who=None, version=None, headers=headers).status == status


def test_keys_can_be_off_and_tokens_still_work(cloud):
    account = cloud.account(disableLocalAuth=True)
    cloud.tune(account)
    deployment = cloud.serve(account)
    assert cloud.chat(deployment).refusal == (403, "AuthenticationTypeDisabled")
    who = cloud.grant("Cognitive Services OpenAI User", account)
    assert cloud.chat(deployment, who=who).status == 200


def test_every_operation_asks_for_its_own_data_action(cloud, deployment):
    account = deployment.split("/deployments/")[0]
    nobody = cloud.grant("Reader", account)
    seen = {}
    for route in data_plane.ROUTES:
        names = dict.fromkeys(("response", "model", "file", "upload", "job"), "x")
        path = route.template.format(host="oai-prod.openai.azure.com", deployment="chat", **names)
        version = None if "/v1/" in path else "2025-04-01-preview"
        answer = cloud.ask(route.method, path, {}, who=nobody, audience=DATA, version=version)
        assert answer.refusal == (401, "PermissionDenied"), route
        assert f"OpenAI/{route.action}`" in answer.error["message"]
        seen[route.template] = answer.error["message"]
    assert seen["/{host}/openai/deployments/{deployment}/chat/completions"].endswith(
        "to perform `POST /openai/deployments/{deployment-id}/chat/completions` operation."
    )


def test_a_token_provider_opens_both_ways_in(served):
    served.let_in()
    token = served.azure.token
    with served.classic(azure_ad_token_provider=lambda: token(OWNER, DATA)) as client:
        assert client.chat.completions.create(model="bot", messages=QUESTION).model == TUNED
    with served.v1(api_key=lambda: token(OWNER, "https://ai.azure.com")) as client:
        assert client.chat.completions.create(model="bot", messages=QUESTION).model == TUNED
    with served.v1(api_key=lambda: token(OWNER, ARM)) as client, pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="bot", messages=QUESTION)
    assert "audience is incorrect" in refused.value.message


# --- streams that end too soon -------------------------------------------------------------------------------------


def test_a_stream_can_be_broken_off_by_a_fault(served, monkeypatch):
    answer = data_plane.answer

    def faulty(call, segments):
        made = answer(call, segments)
        if made.stream is not None:
            made.stream = sse.cut(made.stream, 3)
        return made

    seen = []

    def listen(client: openai.OpenAI) -> None:
        for chunk in client.chat.completions.create(model="bot", messages=QUESTION, stream=True):
            seen.append(chunk)  # noqa: PERF402 - what came before the break is kept

    with served.v1() as client:
        with monkeypatch.context() as patch:
            patch.setattr(data_plane, "answer", faulty)
            with pytest.raises(openai.APIConnectionError):
                listen(client)
        assert [len(chunk.choices) for chunk in seen] == [0, 1, 1]
        assert client.chat.completions.create(model="bot", messages=QUESTION).model == TUNED, "the server goes on"


def test_a_client_that_leaves_in_the_middle_of_a_stream_harms_nobody(served, caplog):
    parts = urlsplit(served.endpoint)
    context = ssl.create_default_context(cafile=str(served.azure.authority))
    body = '{"model": "bot", "stream": true, "n": 128, "messages": [{"role": "user", "content": "' + "x " * 90 + '"}]}'
    head = (
        f"POST {parts.path}openai/v1/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\napi-key: {served.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as plain:
        tls = context.wrap_socket(plain, server_hostname=parts.hostname)
        tls.sendall((head + body).encode())
        assert tls.recv(100).startswith(b"HTTP/1.1 200")
        tls.close()
    before = time.monotonic()
    answer = requests.post(
        f"{served.endpoint}openai/v1/responses",
        json={"model": "bot", "input": "x"},
        headers={"api-key": served.key},
        timeout=5,
    )
    assert answer.status_code in {200, 429}
    assert time.monotonic() - before < 4
    assert "Exception in ASGI application" not in caplog.text
