"""The Responses API through OpenAI's own clients: made, kept, followed up, listed, deleted, streamed."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest
from openai.types.responses import Response

from tests.localazure.cloud import DATA, OWNER, TUNED, Cloud

PREVIEW = "2025-04-01-preview"
HOST = "/oai-prod.openai.azure.com/openai"
LOOKUP = {
    "type": "function",
    "name": "lookup",
    "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}


@pytest.fixture
def deployment(cloud: Cloud) -> str:
    """A tuned deployment that answers."""
    account = cloud.account()
    cloud.tune(account)
    return cloud.serve(account, capacity=50)


def ask(cloud: Cloud, deployment: str, method: str, path: str, body: object = None, **more: str):
    headers = {"api-key": cloud.key(deployment.split("/deployments/", maxsplit=1)[0])}
    return cloud.ask(method, f"{HOST}/v1{path}", body, who=None, version=None, headers=headers, **more)


def make(cloud: Cloud, deployment: str, **body: object):
    return ask(cloud, deployment, "POST", "/responses", {"model": "bot", "input": "hello", **body})


# --- through the real clients --------------------------------------------------------------------------------------


def test_a_response_is_made_followed_up_and_deleted(served):
    for client in (served.v1(), served.classic(PREVIEW)):
        with client:
            made = client.responses.create(model="bot", input="Which model are you?")
            assert made.output_text == f"{TUNED} here. You asked: Which model are you?"
            assert (made.model, made.status, made.store) == (TUNED, "completed", True)
            Response.model_validate(made.to_dict(), strict=False)
            assert client.responses.retrieve(made.id).output_text == made.output_text
            second = client.responses.create(model="bot", input="And now?", previous_response_id=made.id)
            assert second.usage.input_tokens > made.usage.input_tokens, "the conversation is read again"
            items = list(client.responses.input_items.list(second.id, order="asc", limit=2))
            assert [item.role for item in items] == ["user", "assistant", "user"]
            assert items[-1].content[0].text == "And now?"
            client.responses.delete(made.id)
            with pytest.raises(openai.NotFoundError, match="not found"):
                client.responses.retrieve(made.id)
            with pytest.raises(openai.BadRequestError) as refused:
                client.responses.create(model="bot", input="x", previous_response_id=made.id)
            assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
        served.azure.advance(minutes=1)


def test_a_stream_has_its_events_in_order(served):
    with served.v1() as client:
        events = list(client.responses.create(model="bot", input="hi you", stream=True))
    kinds = [event.type for event in events]
    assert [k for at, k in enumerate(kinds) if k not in kinds[:at]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == f"{TUNED} here. You asked: hi you"
    assert events[-1].response.usage.output_tokens > 0


def test_the_async_client_streams_with_a_token(served):
    served.let_in()

    async def run() -> str:
        async with openai.AsyncAzureOpenAI(
            azure_endpoint=served.endpoint,
            api_version=PREVIEW,
            azure_ad_token_provider=lambda: served.azure.token(OWNER, DATA),
            max_retries=0,
        ) as client:
            found = ""
            async for event in await client.responses.create(model="bot", input="hello", stream=True):
                found += event.delta if event.type == "response.output_text.delta" else ""
            chat = await client.chat.completions.create(model="bot", messages=[{"role": "user", "content": "hello"}])
            assert chat.choices[0].message.content == found
            return found

    assert asyncio.run(run()) == f"{TUNED} here. You asked: hello"


def test_a_function_is_called_and_its_result_answered(served):
    with served.v1() as client:
        called = client.responses.create(model="bot", input="find it", tools=[LOOKUP], tool_choice="required")
        call = called.output[0]
        assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "lookup", {"word": "find it"})
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "it is here"}
        after = client.responses.create(model="bot", input=[result], tools=[LOOKUP], previous_response_id=called.id)
        assert after.output_text.endswith("You asked: it is here")
        stream = list(
            client.responses.create(model="bot", input="find it", tools=[LOOKUP], tool_choice=LOOKUP, stream=True)
        )
    pieces = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
    assert json.loads("".join(pieces)) == {"word": "find it"}


# --- rules ---------------------------------------------------------------------------------------------------------


def test_what_is_not_stored_is_not_found(cloud, deployment):
    made = make(cloud, deployment, store=False).body
    assert made["store"] is False
    found = ask(cloud, deployment, "GET", f"/responses/{made['id']}")
    assert (found.status, found.error["code"]) == (404, None)
    assert not len(cloud.world.responses)


def test_a_response_is_kept_for_thirty_days_and_by_its_account_alone(cloud, deployment):
    made = make(cloud, deployment).body
    other = cloud.account("oai-other")
    headers = {"api-key": cloud.key(other)}
    elsewhere = f"/oai-other.openai.azure.com/openai/v1/responses/{made['id']}"
    assert cloud.get(elsewhere, who=None, version=None, headers=headers).status == 404
    cloud.advance(days=29)
    assert ask(cloud, deployment, "GET", f"/responses/{made['id']}").body == made
    cloud.advance(days=1)
    assert ask(cloud, deployment, "GET", f"/responses/{made['id']}").status == 404
    assert not len(cloud.world.responses), "nobody need ask for it to be gone"


def test_responses_outlive_the_process(tmp_path):
    from datetime import timedelta

    from infra.localazure import VirtualClock, responses
    from infra.localazure.entities import StoredResponse
    from infra.localazure.http.app import App
    from infra.localazure.world import World
    from tests.localazure.cloud import START

    world = World(tmp_path, VirtualClock(START, 0))
    App(world)
    responses.keep(world, StoredResponse(id="resp_1", account="a", created=START, body={"id": "resp_1"}, context=[]))
    world.close()
    again = World(tmp_path, VirtualClock(START, 0))
    App(again)
    assert again.responses.get("resp_1").body == {"id": "resp_1"}
    again.advance(timedelta(days=30))
    assert again.responses.get("resp_1") is None
    again.close()


def test_an_old_classic_version_knows_no_responses(cloud, deployment):
    headers = {"api-key": cloud.key(deployment.split("/deployments/")[0])}
    body = {"model": "bot", "input": "x"}
    for version, status in (("2024-10-21", 400), ("2025-02-01-preview", 400), ("2025-03-01-preview", 200)):
        answer = cloud.ask("POST", f"{HOST}/responses", body, who=None, version=version, headers=headers)
        assert answer.status == status, version
    refused = cloud.ask("POST", f"{HOST}/responses", body, who=None, version="2024-10-21", headers=headers)
    assert refused.error["message"].startswith("Azure OpenAI Responses API is enabled only for api-version 2025-03-01")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"model": None}, "missing_required_parameter", "model"),
        ({"input": None}, "missing_required_parameter", "input"),
        ({"input": []}, "empty_array", "input"),
        ({"input": 5}, "invalid_type", "input"),
        ({"input": [{"role": "boss", "content": "x"}]}, "invalid_value", "input[0].role"),
        ({"input": [{"role": "user"}]}, "missing_required_parameter", "input[0].content"),
        ({"input": [{"type": "odd"}]}, "invalid_value", "input[0].type"),
        ({"input": [{"type": "function_call_output"}]}, "missing_required_parameter", "input[0].call_id"),
        ({"input": [{"role": "user", "content": [{"type": "text"}]}]}, "invalid_value", "input[0].content[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "unsupported_value", "input[0].type"),
        ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
        ({"temperature": 3}, "decimal_above_max_value", "temperature"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_value", "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
        ({"tool_choice": "required"}, None, "tool_choice"),
        ({"text": {"format": {"type": "json_schema"}}}, "missing_required_parameter", "text.format.name"),
        ({"text": {"format": {"type": "json_object"}}}, None, "input"),
        ({"background": True}, "unsupported_value", "background"),
        ({"conversation": "conv_1"}, "unsupported_value", "conversation"),
        ({"reasoning": {"effort": "low"}}, "unsupported_parameter", "reasoning.effort"),
        ({"truncation": "odd"}, "invalid_value", "truncation"),
    ],
)
def test_bad_responses_are_refused_with_the_field_that_is_wrong(cloud, deployment, body, code, param):
    answer = make(cloud, deployment, **body)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, param)


def test_an_answer_that_is_cut_short_is_incomplete(cloud, deployment):
    answer = make(cloud, deployment, max_output_tokens=16, text={"format": {"type": "text"}}).body
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert answer["usage"]["output_tokens"] == 16


def test_pages_of_input_items_can_be_walked_both_ways(cloud, deployment):
    messages = [{"role": "user", "content": f"message {n}"} for n in range(5)]
    made = make(cloud, deployment, input=messages).body
    path = f"/responses/{made['id']}/input_items"
    newest = ask(cloud, deployment, "GET", path, limit="2").body
    assert [item["content"][0]["text"] for item in newest["data"]] == ["message 4", "message 3"]
    assert newest["has_more"]
    rest = ask(cloud, deployment, "GET", path, after=newest["last_id"]).body
    assert [item["content"][0]["text"] for item in rest["data"]] == ["message 2", "message 1", "message 0"]
    assert not rest["has_more"]
    for name, value in (("limit", "0"), ("limit", "101"), ("limit", "x"), ("order", "up"), ("after", "nobody")):
        refused = ask(cloud, deployment, "GET", path, **{name: value})
        assert (refused.status, refused.error["param"]) == (400, name)


def test_a_reasoning_model_thinks_in_an_item_of_its_own(cloud, deployment):
    account = deployment.split("/deployments/")[0]
    cloud.serve(account, "thinker", "o4-mini", model_version="2025-04-16", capacity=10, sku="GlobalStandard")
    answer = make(cloud, deployment, model="thinker", reasoning={"effort": "low"}).body
    assert [item["type"] for item in answer["output"]] == ["reasoning", "message"]
    assert answer["usage"]["output_tokens_details"]["reasoning_tokens"] == 32


def test_each_operation_asks_for_its_data_action(cloud, deployment):
    from infra.localazure.entities import RoleDefinition

    account = deployment.split("/deployments/")[0]
    action = "Microsoft.CognitiveServices/accounts/OpenAI/responses"
    made = make(cloud, deployment).body
    for verb, method, path, body in (
        ("write", "POST", "/responses", {"model": "bot", "input": "x"}),
        ("read", "GET", f"/responses/{made['id']}", None),
        ("read", "GET", f"/responses/{made['id']}/input_items", None),
        ("delete", "DELETE", f"/responses/{made['id']}", None),
    ):
        role = RoleDefinition(id=f"role-{path}", name=f"only {verb} {path}", data_actions=[f"{action}/{verb}"])
        cloud.world.role_definitions.put(role.id.lower(), role)
        able, unable = cloud.grant(role.name, account), cloud.grant("Reader", account)
        refused = cloud.ask(method, f"{HOST}/v1{path}", body, who=unable, audience=DATA, version=None)
        assert refused.refusal == (401, "PermissionDenied")
        assert f"`{action}/{verb}`" in refused.error["message"]
        assert cloud.ask(method, f"{HOST}/v1{path}", body, who=able, audience=DATA, version=None).status == 200
