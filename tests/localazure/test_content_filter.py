"""The content filter: refused prompts, filtered answers, and a verdict in every answer."""

from __future__ import annotations

import json

import openai
import pytest

PROMPT, ANSWER = "local-azure:filter-prompt=", "local-azure:filter-answer="


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("category", ["hate", "self_harm", "sexual", "violence", "jailbreak"])
def test_a_prompt_that_is_filtered_is_refused_with_the_verdict(served, category):
    for client in (served.classic(), served.v1()):
        with client, pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="bot", messages=ask(f"look: {PROMPT}{category}"))
        error = refused.value.body
        assert (error["code"], error["param"], error["type"], error["status"]) == (
            "content_filter",
            "prompt",
            None,
            400,
        )
        assert error["innererror"]["code"] == "ResponsibleAIPolicyViolation"
        verdict = error["innererror"]["content_filter_result"]
        assert {name for name, one in verdict.items() if one["filtered"]} == {category}
        assert set(verdict) == {"hate", "jailbreak", "self_harm", "sexual", "violence"}


def test_an_answer_that_is_filtered_says_so_and_nothing_else(served):
    with served.v1() as client:
        answer = client.chat.completions.create(model="bot", messages=ask(f"{ANSWER}violence")).to_dict()
        choice = answer["choices"][0]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", None)
        assert choice["content_filter_results"]["violence"] == {"filtered": True, "severity": "medium"}
        assert answer["prompt_filter_results"][0]["content_filter_results"]["violence"]["filtered"] is False
        chunks = list(client.chat.completions.create(model="bot", messages=ask(f"{ANSWER}hate"), stream=True))
        assert chunks[-1].choices[0].finish_reason == "content_filter"
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ""
        response = client.responses.create(model="bot", input=f"{ANSWER}hate")
        assert (response.status, response.incomplete_details.reason) == ("incomplete", "content_filter")
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="bot", input=f"{PROMPT}hate")
        assert refused.value.code == "content_filter"


def test_the_first_event_of_a_stream_is_the_verdict_on_the_prompt(cloud):
    account = cloud.account()
    deployment = cloud.serve(account, "bot", "gpt-4o-mini", model_version="2024-07-18", capacity=9)
    content = cloud.chat(deployment, stream=True).content.decode()
    events = [json.loads(line[6:]) for line in content.split("\n\n") if line.startswith("data: {")]
    assert events[0]["choices"] == []
    assert events[0]["prompt_filter_results"][0]["content_filter_results"]["hate"]["severity"] == "safe"
    said = [e["choices"][0] for e in events[1:]]
    assert said[0]["content_filter_results"] == {}
    assert all(c["content_filter_results"]["hate"]["filtered"] is False for c in said[1:-1])


def test_words_that_are_no_mark_are_never_filtered(cloud):
    account = cloud.account()
    deployment = cloud.serve(account, "bot", "gpt-4o-mini", model_version="2024-07-18", capacity=9)
    for text in ("hate violence", f"{PROMPT}nothing", f"{PROMPT}", "filter-prompt=hate"):
        assert cloud.chat(deployment, text).status == 200
