"""Chat completions: both paths, both logins, streams, limits, and the model that answered."""

from __future__ import annotations

import json

import jsonschema
import openai
import pytest
import requests

from infra.localazure import ids
from tests.localazure.cloud import (
    ARM,
    DATA,
    DATA_VERSION,
    OWNER,
    PRODUCTION,
    TUNED,
    Cloud,
    account_body,
)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
QUESTION = [{"role": "user", "content": "Which model are you?"}]


@pytest.fixture
def deployment(cloud: Cloud) -> str:
    """A tuned deployment of capacity 1 that answers."""
    account = cloud.account()
    cloud.tune(account)
    return cloud.serve(account)


# --- through the real client ---------------------------------------------------------------------------------------


def test_the_classic_client_gets_an_answer_that_names_the_model(azure, served):
    with openai.AzureOpenAI(azure_endpoint=served.endpoint, api_version=DATA_VERSION, api_key=served.key) as client:
        answer = client.chat.completions.create(model="bot", messages=QUESTION)
        again = client.chat.completions.create(model="bot", messages=QUESTION)
    assert answer.model == TUNED
    assert answer.choices[0].message.content == f"{TUNED} here. You asked: Which model are you?"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert again.choices[0].message.content == answer.choices[0].message.content, "answers are steady"
    assert again.id != answer.id


def test_the_classic_client_takes_a_token(azure, served):
    from infra.localazure import roles

    role = next(r for r in roles.built_in().values() if r.name == "Cognitive Services OpenAI User")
    path = f"{served.account}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}?api-version=2022-04-01"
    body = {"properties": {
        "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role.id}", "principalId": OWNER,
    }}  # fmt: skip
    with openai.AzureOpenAI(
        azure_endpoint=served.endpoint,
        api_version=DATA_VERSION,
        azure_ad_token_provider=lambda: azure.token(OWNER, DATA),
    ) as client:
        with pytest.raises(openai.AuthenticationError, match="lacks the required data action"):
            client.chat.completions.create(model="bot", messages=QUESTION)
        headers = {"authorization": f"Bearer {azure.token(OWNER, ARM)}"}
        assert requests.put(azure.origin + path, json=body, headers=headers, timeout=5).status_code == 201
        assert client.chat.completions.create(model="bot", messages=QUESTION).model == TUNED


def test_the_v1_client_takes_a_key_as_its_own_and_needs_no_version(azure, served):
    with openai.OpenAI(base_url=f"{served.endpoint}openai/v1/", api_key=served.key) as client:
        assert client.chat.completions.create(model="bot", messages=QUESTION).model == TUNED
        assert TUNED in {m.id for m in client.models.list()}
        assert client.models.retrieve(TUNED).id == TUNED
        with pytest.raises(openai.NotFoundError) as refused:
            client.chat.completions.create(model="nobody", messages=QUESTION)
        assert refused.value.code == "DeploymentNotFound"


def test_streams_are_read_by_the_client(azure, served):
    with openai.AzureOpenAI(azure_endpoint=served.endpoint, api_version=DATA_VERSION, api_key=served.key) as client:
        stream = client.chat.completions.create(
            model="bot", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    assert chunks[0].choices == [], "Azure's first event is the verdict on the prompt: clients trip over it"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).startswith(f"{TUNED} here.")
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens > 0
    assert all(c.usage is None for c in chunks[1:-1])


def test_a_429_is_waited_out_on_the_virtual_clock(azure, served):
    with openai.AzureOpenAI(
        azure_endpoint=served.endpoint, api_version=DATA_VERSION, api_key=served.key, max_retries=0
    ) as client:
        for _ in range(5):
            client.chat.completions.create(model="bot", messages=QUESTION)
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="bot", messages=QUESTION)
        assert refused.value.code == "429"
        assert refused.value.response.headers["retry-after"] == "10"
        azure.advance(seconds=10)
        assert client.chat.completions.create(model="bot", messages=QUESTION).model == TUNED


# --- the ways in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "401"),
        ({"api-key": "wrong"}, 401, "401"),
        ({"api-key": ""}, 401, "401"),
        ({"authorization": "Bearer rubbish"}, 401, "401"),
    ],
)
def test_bad_credentials_are_refused_in_the_gateways_words(cloud, deployment, headers, status, code):
    path = "/oai-prod.openai.azure.com/openai/deployments/bot/chat/completions"
    answer = cloud.ask("POST", path, {"messages": QUESTION}, who=None, version=DATA_VERSION, headers=headers)
    assert answer.refusal == (status, code)
    assert answer.error["message"].startswith(("Access denied due to invalid subscription key", "Unauthorized."))


def test_a_token_for_the_resource_manager_does_not_open_the_data_plane(cloud, deployment):
    path = "/oai-prod.openai.azure.com/openai/deployments/bot/chat/completions"
    for audience in (ARM, cloud.world.origin):
        answer = cloud.ask("POST", path, {"messages": QUESTION}, audience=audience, version=DATA_VERSION)
        assert answer.refusal == (401, "401")
        assert answer.error["message"].startswith(
            "Unauthorized. Access token is missing, invalid, audience is incorrect"
        )


def test_both_data_audiences_are_taken(cloud, deployment):
    who = cloud.grant("Cognitive Services OpenAI User", deployment.split("/deployments/")[0])
    for audience in (DATA, "https://ai.azure.com"):
        answer = cloud.get("/oai-prod.openai.azure.com/openai/v1/models", who=who, audience=audience, version=None)
        assert answer.status == 200


def test_a_key_in_the_authorization_header_is_for_v1_alone(cloud, deployment):
    account = deployment.split("/deployments/")[0]
    headers = {"authorization": f"Bearer {cloud.key(account)}"}
    host = "/oai-prod.openai.azure.com/openai"
    assert cloud.get(f"{host}/v1/models", who=None, version=None, headers=headers).status == 200
    assert cloud.get(f"{host}/models", who=None, version=DATA_VERSION, headers=headers).refusal == (401, "401")


@pytest.mark.parametrize("version", [None, "", "latest", "2024-13-01", "20241021", "2024-10-22", "2025-06-01"])
def test_a_classic_path_without_a_version_is_not_found(cloud, deployment, version):
    path = "/oai-prod.openai.azure.com/openai/deployments/bot/chat/completions"
    key_of = cloud.key(deployment.split("/deployments/")[0])
    answer = cloud.ask("POST", path, {"messages": QUESTION}, who=None, version=version, headers={"api-key": key_of})
    assert answer.refusal == (404, "404")
    assert answer.error["message"] == "Resource not found"


def test_hosts_that_are_nobodys_are_not_found(cloud, deployment):
    key_of = cloud.key(deployment.split("/deployments/")[0])
    for host in ("nobody.openai.azure.com", "oai-prod.cognitiveservices.azure.com", "oai-prod.services.ai.azure.com"):
        answer = cloud.get(f"/{host}/openai/models", who=None, version=DATA_VERSION, headers={"api-key": key_of})
        assert answer.refusal == (404, "404"), "an account of kind OpenAI has one host name"


def test_an_ai_services_account_answers_under_its_three_hosts(cloud):
    cloud.group()
    path = ids.account_id(PRODUCTION, "rg", "ais")
    cloud.put(path, account_body(kind="AIServices", customSubDomainName="ais"))
    cloud.settle()
    for host in ("ais.openai.azure.com", "ais.cognitiveservices.azure.com", "ais.services.ai.azure.com"):
        answer = cloud.get(f"/{host}/openai/v1/models", who=None, version=None, headers={"api-key": cloud.key(path)})
        assert answer.status == 200


def test_a_double_slash_after_the_endpoint_is_not_found(cloud, deployment):
    key_of = cloud.key(deployment.split("/deployments/")[0])
    for path in ("/oai-prod.openai.azure.com//openai/models", "//oai-prod.openai.azure.com/openai/models"):
        answer = cloud.get(path, who=None, version=DATA_VERSION, headers={"api-key": key_of})
        assert answer.status == 404, "Azure does not forgive it either"


# --- what may be asked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "messages"),
        ({"messages": []}, "empty_array", "messages"),
        ({"messages": "hello"}, "invalid_type", "messages"),
        ({"messages": [{"content": "no role"}]}, "missing_required_parameter", "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["odd"]}]}, "invalid_type", "messages[0].content[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "odd"}]}]},
            "invalid_value",
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "missing_required_parameter",
            "messages[0].content[0].text",
        ),
        ({"messages": [{"role": "user"}]}, None, "messages.[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "missing_required_parameter", "messages[0].tool_call_id"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "call_1"}]}, None, "messages.[0].role"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f"}}]}, *QUESTION]},
            None,
            "messages.[1].role",
        ),
        ({"messages": [{"role": "boss", "content": "x"}]}, "invalid_value", "messages[0].role"),
        ({"messages": QUESTION, "max_tokens": 0}, "integer_below_min_value", "max_tokens"),
        ({"messages": QUESTION, "max_completion_tokens": -1}, "integer_below_min_value", "max_completion_tokens"),
        ({"messages": QUESTION, "max_tokens": "many"}, "invalid_type", "max_tokens"),
        ({"messages": QUESTION, "max_tokens": 5, "max_completion_tokens": 5}, "invalid_parameter_combination", None),
        ({"messages": QUESTION, "max_tokens": 40000}, "invalid_value", "max_tokens"),
        ({"messages": QUESTION, "n": 0}, "integer_below_min_value", "n"),
        ({"messages": QUESTION, "n": 129}, "integer_above_max_value", "n"),
        ({"messages": QUESTION, "temperature": 2.5}, "decimal_above_max_value", "temperature"),
        ({"messages": QUESTION, "temperature": -1}, "decimal_below_min_value", "temperature"),
        ({"messages": QUESTION, "temperature": True}, "invalid_type", "temperature"),
        ({"messages": QUESTION, "top_p": 1.1}, "decimal_above_max_value", "top_p"),
        ({"messages": QUESTION, "stop": list("abcde")}, "array_above_max_length", "stop"),
        ({"messages": QUESTION, "reasoning_effort": "low"}, None, None),
        ({"messages": QUESTION, "tools": []}, "empty_array", "tools"),
        ({"messages": QUESTION, "tools": [{"type": "web"}]}, "invalid_value", "tools[0].type"),
        ({"messages": QUESTION, "tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].function"),
        (
            {"messages": QUESTION, "tools": [{"type": "function", "function": {"name": "word\n"}}]},
            "invalid_value",
            "tools[0].function.name",
        ),
        ({"messages": QUESTION, "tool_choice": "auto"}, None, "tool_choice"),
        ({"messages": QUESTION, "tools": [WEATHER], "tool_choice": "odd"}, "invalid_value", "tool_choice"),
        (
            {"messages": QUESTION, "tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "f"}}},
            "invalid_value",
            "tool_choice",
        ),
        ({"messages": QUESTION, "response_format": {"type": "odd"}}, "invalid_value", "response_format.type"),
        ({"messages": QUESTION, "response_format": {"type": "json_object"}}, None, "messages"),
        (
            {"messages": QUESTION, "response_format": {"type": "json_schema"}},
            "missing_required_parameter",
            "response_format.json_schema",
        ),
        ({"messages": QUESTION, "functions": [{"name": "f"}]}, "unsupported_value", "functions"),
        ({"messages": QUESTION, "modalities": ["audio"]}, "unsupported_value", "modalities"),
        ([], "invalid_type", None),
    ],
)
def test_bad_requests_are_refused_in_the_models_own_envelope(cloud, deployment, body, code, param):
    path = "/oai-prod.openai.azure.com/openai/deployments/bot/chat/completions"
    headers = {"api-key": cloud.key(deployment.split("/deployments/")[0])}
    answer = cloud.ask("POST", path, body, who=None, version=DATA_VERSION, headers=headers)
    assert answer.refusal == (400, code)
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["param"] == param


def test_what_is_no_json_is_refused(cloud, deployment):
    path = "/oai-prod.openai.azure.com/openai/deployments/bot/chat/completions"
    headers = {"api-key": cloud.key(deployment.split("/deployments/")[0])}
    for raw in (b"", b"{", b"\xff\xfe", b'{"x": ' + b"[" * 100_000):
        answer = cloud.ask("POST", path, raw=raw, who=None, version=DATA_VERSION, headers=headers)
        assert answer.status == 400
        assert answer.error["message"].startswith("We could not parse the JSON body of your request.")
        assert answer.error["code"] is None
    headers["content-type"] = "application/x-www-form-urlencoded"
    answer = cloud.ask("POST", path, {"messages": QUESTION}, who=None, version=DATA_VERSION, headers=headers)
    assert answer.error["message"].startswith("Invalid Content-Type header (application/x-www-form-urlencoded)")


def test_v1_needs_the_model_in_the_body(cloud, deployment):
    headers = {"api-key": cloud.key(deployment.split("/deployments/")[0])}
    path = "/oai-prod.openai.azure.com/openai/v1/chat/completions"
    answer = cloud.ask("POST", path, {"messages": QUESTION}, who=None, version=None, headers=headers)
    assert answer.refusal == (400, "missing_required_parameter")


def test_parts_of_a_message_count_as_its_text(cloud, deployment):
    parts = [
        {"type": "text", "text": "first"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
    ]
    answer = cloud.chat(deployment, messages=[{"role": "user", "content": parts}])
    assert answer.body["choices"][0]["message"]["content"] == f"{TUNED} here. You asked: first"
    cloud.advance(seconds=60)
    alone = cloud.chat(deployment, messages=[{"role": "user", "content": parts[:1]}])
    assert answer.body["usage"]["prompt_tokens"] - alone.body["usage"]["prompt_tokens"] == 85, "images count too"


def test_a_conversation_with_calls_of_a_tool_is_taken(cloud, deployment):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        *QUESTION,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    answer = cloud.chat(deployment, messages=messages, tools=[WEATHER], tool_choice="auto")
    assert answer.body["choices"][0]["message"]["content"].endswith("You asked: rain")


def test_a_tool_is_called_when_it_must_be_and_its_arguments_fit_its_schema(azure, served):
    named = {"type": "function", "function": {"name": "weather"}}
    with served.classic() as client:
        for choice, finish in (("required", "tool_calls"), (named, "stop")):
            answer = client.chat.completions.create(
                model="bot", messages=QUESTION, tools=[WEATHER], tool_choice=choice
            ).choices[0]
            assert answer.finish_reason == finish, "the models say stop of a call that was named to them"
            called = answer.message.tool_calls[0].function
            assert (called.name, json.loads(called.arguments)) == ("weather", {"city": QUESTION[0]["content"]})
        streamed = list(
            client.chat.completions.create(
                model="bot", messages=QUESTION, tools=[WEATHER], tool_choice="required", stream=True
            )
        )
    parts = [c.choices[0].delta.tool_calls[0].function for c in streamed if c.choices and c.choices[0].delta.tool_calls]
    assert parts[0].name == "weather"
    assert json.loads("".join(part.arguments for part in parts)) == {"city": QUESTION[0]["content"]}


def test_an_answer_in_json_is_json(cloud, deployment):
    asked = [{"role": "user", "content": "Say it in JSON"}]
    answer = cloud.chat(deployment, messages=asked, response_format={"type": "json_object"})
    said = json.loads(answer.body["choices"][0]["message"]["content"])
    assert said == {"model": TUNED, "asked": "Say it in JSON"}


def test_an_answer_by_a_schema_fits_it(cloud, deployment):
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["good", "bad"]},
            "score": {"type": "integer", "minimum": 3, "maximum": 5},
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 2},
            "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        },
        "required": ["mood", "score", "steps", "next"],
        "$defs": {"step": {"type": "object", "properties": {"text": {"type": "string", "maxLength": 5}}}},
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "plan", "strict": True, "schema": schema}}
    said = json.loads(cloud.chat(deployment, response_format=form).body["choices"][0]["message"]["content"])
    jsonschema.validate(said, schema)
    form["json_schema"]["schema"] = {"type": "object", "properties": {"x": {"type": "string", "pattern": "a"}},
                                     "required": ["x"]}  # fmt: skip
    cloud.advance(minutes=1)
    refused = cloud.chat(deployment, response_format=form)
    assert refused.refusal == (400, "invalid_json_schema"), "what cannot be made is refused, not made up"
    assert "it uses pattern" in refused.error["message"]


def test_a_stop_sequence_ends_the_answer_before_it(cloud, deployment):
    choice = cloud.chat(deployment, stop=[". You", "nowhere"]).body["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (f"{TUNED} here", "stop")


def test_logprobs_are_given_when_asked_for(cloud, deployment):
    choice = cloud.chat(deployment, logprobs=True, top_logprobs=2).body["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(t["token"] for t in tokens) == choice["message"]["content"]
    assert all(t["logprob"] < 0 and t["top_logprobs"] for t in tokens)


def test_seed_user_and_the_like_change_nothing(cloud, deployment):
    first = cloud.chat(deployment).body
    cloud.advance(minutes=1)
    again = cloud.chat(deployment, seed=7, user="someone", temperature=0.2, metadata={"a": "b"}, unknown=True).body
    assert first["choices"] == again["choices"]
    assert first["usage"] == again["usage"]


def test_the_pings_tokens_are_always_the_same(cloud, deployment):
    ping = [{"role": "user", "content": "Reply with the single word: pong"}]
    seen = []
    for model in (None, "gpt-4o-mini"):
        target = deployment
        if model:
            target = cloud.serve(deployment.split("/deployments/")[0], "base", model, model_version="2024-07-18")
        for _ in range(2):
            cloud.advance(minutes=1)
            seen.append(cloud.chat(target, messages=ping, max_completion_tokens=16).body["usage"]["prompt_tokens"])
    assert seen == [15] * 4


def test_a_reasoning_model_takes_other_parameters(cloud, deployment):
    account = deployment.split("/deployments/")[0]
    thinker = cloud.serve(account, "thinker", "o4-mini", model_version="2025-04-16", capacity=10, sku="GlobalStandard")
    for given, code in (
        ({"max_tokens": 50}, "unsupported_parameter"),
        ({"temperature": 0.5}, "unsupported_value"),
        ({"top_p": 0.5}, "unsupported_value"),
        ({"n": 2}, "unsupported_value"),
        ({"logprobs": True}, "unsupported_parameter"),
        ({"stop": "x"}, "unsupported_parameter"),
        ({"reasoning_effort": "extreme"}, "invalid_value"),
    ):
        refused = cloud.chat(thinker, **given)
        assert refused.refusal == (400, code), given
        assert refused.error["param"] == next(iter(given))
    answer = cloud.chat(thinker, temperature=1, reasoning_effort="low").body
    assert answer["model"] == "o4-mini-2025-04-16"
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == 32
    short = cloud.chat(thinker, max_completion_tokens=16).body
    assert short["choices"][0]["message"]["content"] == "", "it thinks first, and then has nothing left to say it with"
    assert (short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]) == ("length", 16)


def test_more_than_the_model_can_hold_is_refused(cloud):
    account = cloud.account()
    small = cloud.serve(account, "small", "gpt-35-turbo", model_version="0613", capacity=300)
    refused = cloud.chat(small, "word " * 4000)
    assert refused.refusal == (400, "context_length_exceeded")
    assert refused.error["message"].startswith("This model's maximum context length is 4096 tokens. However, your")
    with_answer = cloud.chat(small, "word " * 2000, max_tokens=3000)
    assert "in the messages, 3000 in the completion" in with_answer.error["message"]


def test_answers_say_where_they_come_from(cloud, deployment):
    answer = cloud.chat(deployment)
    assert answer.headers["x-ms-region"] == "Sweden Central"
    assert answer.headers["x-ms-deployment-name"] == "bot"
    assert answer.headers["x-request-id"]
    assert int(answer.headers["x-envoy-upstream-service-time"]) > 0
    refused = cloud.chat(deployment.replace("/bot", "/nobody"))
    assert "x-ms-region" not in refused.headers, "the gateway answers by itself"
    assert refused.headers["apim-request-id"]


def test_a_limit_of_tokens_cuts_the_answer_short(cloud, deployment):
    answer = cloud.chat(deployment, max_completion_tokens=3).body
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["model"] == TUNED


def test_several_choices_are_given_when_asked_for(cloud, deployment):
    answer = cloud.chat(deployment, n=3).body
    assert [c["index"] for c in answer["choices"]] == [0, 1, 2]
    cloud.advance(seconds=60)
    streamed = cloud.chat(deployment, n=2, stream=True)
    events = [json.loads(line[6:]) for line in streamed.content.decode().split("\n\n") if line.startswith("data: {")]
    assert {c["index"] for e in events for c in e["choices"]} == {0, 1}
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.content.endswith(b"data: [DONE]\n\n")


def test_a_model_that_does_not_chat_says_so(cloud):
    account = cloud.account()
    embedder = cloud.serve(account, "embedder", "text-embedding-3-small", model_version="1")
    assert cloud.chat(embedder).refusal == (400, "OperationNotSupported")


def test_an_unknown_deployment_is_not_found_whatever_is_asked_of_it(cloud, deployment):
    answer = cloud.chat(deployment.replace("/bot", "/nobody"), messages="rubbish-that-is-not-looked-at")
    assert answer.status in {400, 404}
    assert cloud.chat(deployment.replace("/bot", "/nobody")).refusal == (404, "DeploymentNotFound")


def test_a_paused_deployment_is_locked(cloud, deployment):
    from infra.localazure import accounts, deployments
    from infra.localazure.world import Caller

    found = next(iter(cloud.world.deployments))
    caller = Caller(principal=OWNER, tenant="")
    for _ in range(2):
        deployments.set_paused(cloud.world, caller, found, paused=True)
    assert cloud.chat(deployment).refusal == (423, "Locked")
    shown = cloud.get(deployment, version="2025-12-01").body["properties"]["deploymentState"]
    assert shown == "Paused"
    deployments.set_paused(cloud.world, caller, found, paused=False)
    assert cloud.chat(deployment).status == 200
    assert accounts.state(next(iter(cloud.world.accounts)), cloud.world.now()) == "Succeeded"


# --- rate limits ---------------------------------------------------------------------------------------------------


def test_capacity_one_passes_one_call_in_ten_seconds(cloud, deployment):
    first = cloud.chat(deployment)
    assert first.headers["x-ratelimit-limit-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    assert first.headers["x-ratelimit-reset-requests"] == "10"
    assert first.headers["x-ratelimit-limit-tokens"] == "1000"
    assert first.headers["apim-request-id"]
    cloud.advance(seconds=7.5)
    refused = cloud.chat(deployment)
    assert refused.refusal == (429, "429")
    assert (refused.headers["retry-after"], refused.headers["retry-after-ms"]) == ("3", "2500")
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.error["message"].startswith(
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded call "
        "rate limit of your current OpenAI S0 pricing tier. Please retry after 3 seconds."
    )
    cloud.advance(seconds=2.5)
    assert cloud.chat(deployment).status == 200


def test_capacity_scales_calls_and_tokens(cloud, deployment):
    account = deployment.split("/deployments/")[0]
    cloud.deploy(account, capacity=4)
    cloud.settle()
    answers = [cloud.chat(deployment) for _ in range(5)]
    assert [a.status for a in answers] == [200, 200, 200, 200, 429]
    assert answers[0].headers["x-ratelimit-limit-tokens"] == "4000"


def test_tokens_have_a_limit_of_their_own(cloud, deployment):
    assert cloud.chat(deployment, max_tokens=900).status == 200
    cloud.advance(seconds=20)
    refused = cloud.chat(deployment, max_tokens=900)
    assert refused.status == 429
    assert "exceeded token rate limit" in refused.error["message"]
    assert refused.headers["retry-after"] == "40"
    cloud.advance(seconds=40)
    assert cloud.chat(deployment, max_tokens=900).status == 200


def test_a_call_larger_than_a_minutes_tokens_never_passes(cloud, deployment):
    for _ in range(2):
        assert cloud.chat(deployment, max_tokens=1001).status == 429
        cloud.advance(minutes=5)


def test_a_refused_call_uses_nothing_up(cloud, deployment):
    assert cloud.chat(deployment, max_tokens=0).status == 400
    assert cloud.chat(deployment, max_tokens=5000).status == 429
    assert cloud.chat(deployment).status == 200
