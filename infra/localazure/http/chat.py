"""Chat completions: what a request may say, and how an answer is written, whole or as a stream of events."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from infra.localazure import bodies, deployments, errors, inference
from infra.localazure.entities import Account, Deployment, Json
from infra.localazure.http.call import Answer, Call

OPERATION = "ChatCompletions_Create"
USUAL_TOKENS = 16
"""What a request without a limit of its own is taken to want of the rate limit."""
MOST_CHOICES = 128
_ROLES = {"system", "assistant", "user", "function", "tool", "developer"}


class Message(bodies.Body):
    """One message of a conversation."""

    role: str
    content: str | list[Any] | None = None


class StreamOptions(msgspec.Struct):
    """How a stream is written."""

    include_usage: bool | None = None


class ChatBody(msgspec.Struct, kw_only=True):
    """POST chat/completions; unknown fields are ignored, as Azure ignores many."""

    messages: list[Message] | None = None
    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class Said(msgspec.Struct, frozen=True):
    """An answer before it is written."""

    id: str
    created: int
    model: str
    text: str
    finish: str
    choices: int
    asked_tokens: int

    @property
    def usage(self) -> Json:
        """The tokens of question and answer."""
        said = inference.count_tokens(self.text) * self.choices
        return {"prompt_tokens": self.asked_tokens, "completion_tokens": said, "total_tokens": self.asked_tokens + said}


def complete(call: Call, account: Account, version: str) -> Answer:
    """A chat completion of the deployment that the path, or the body's `model`, names."""
    body = _read(call.body)
    name = call.params.get("deployment") or body.model
    if not name:
        raise errors.NO_PARAMETER(name="model", param="model")
    deployment, model = inference.serving(call.world, account, name)
    try:
        return _answered(call, account, deployment, model, body, version)
    except errors.AzureError:
        deployments.called(call.world, deployment, successful=False)
        raise


def _answered(call: Call, account: Account, deployment: Deployment, model: str, body: ChatBody, version: str) -> Answer:
    inference.require_chat(call.world, deployment, OPERATION)
    prompt = _prompt(body)
    _at_least_one(body.max_tokens, "max_tokens")
    most = _at_least_one(body.max_completion_tokens, "max_completion_tokens") or body.max_tokens
    choices = _at_least_one(body.n, "n") or 1
    if choices > MOST_CHOICES:
        raise errors.TOO_GREAT(name="n", value=choices, most=MOST_CHOICES, param="n")
    asked = inference.count_tokens(inference.prompt_text(prompt))
    wanted = asked + choices * (most or USUAL_TOKENS)
    budget = call.app.meter.admit(account, deployment, wanted, OPERATION, version)
    text, finish = inference.answer(model, prompt, most)
    said = Said(f"chatcmpl-{secrets.token_urlsafe(22)}", int(call.now.timestamp()), model, text, finish, choices, asked)
    call.app.served(account, deployment, OPERATION, asked, said.usage["completion_tokens"])
    headers = {"x-ms-region": call.world.catalogue.regions[account.location][0], **budget.headers()}
    if not body.stream:
        return Answer(body=_whole(said), headers=headers)
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    return Answer(stream=_events(said, with_usage=with_usage), content_type="text/event-stream", headers=headers)


# --- what may be said ----------------------------------------------------------------------------------------------


def _read(body: bytes) -> ChatBody:
    """The body, or the models' own words for what is wrong with it."""
    try:
        return msgspec.json.decode(body, type=ChatBody)
    except msgspec.ValidationError as error:
        raise errors.BAD_TYPE(fact=str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.BAD_PROMPT() from error


def _prompt(body: ChatBody) -> list[Json]:
    if body.messages is None:
        raise errors.NO_PARAMETER(name="messages", param="messages")
    if not body.messages:
        raise errors.EMPTY_MESSAGES(param="messages")
    for at, message in enumerate(body.messages):
        if message.role not in _ROLES:
            raise errors.BAD_ROLE(role=message.role, param=f"messages[{at}].role")
    return [{"role": m.role, "content": m.content} for m in body.messages]


def _at_least_one(value: int | None, name: str) -> int | None:
    if value is not None and value < 1:
        raise errors.TOO_SMALL(name=name, value=value, param=name)
    return value


# --- how it is written ---------------------------------------------------------------------------------------------


def _whole(said: Said) -> Json:
    choices = [
        {
            "index": at,
            "finish_reason": said.finish,
            "message": {"role": "assistant", "content": said.text},
            "logprobs": None,
            "content_filter_results": _clean(),
        }
        for at in range(said.choices)
    ]
    return {
        "id": said.id,
        "object": "chat.completion",
        "created": said.created,
        "model": said.model,
        "choices": choices,
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _clean()}],
        "system_fingerprint": inference.fingerprint(said.model),
        "usage": said.usage,
    }


async def _events(said: Said, *, with_usage: bool) -> AsyncIterator[bytes]:
    """The answer in server-sent events, word by word.

    Azure's stream begins with an event of its own that has no choices: the verdict on the prompt.
    """
    yield _event(
        {
            "choices": [],
            "created": 0,
            "id": "",
            "model": "",
            "object": "",
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _clean()}],
        }
    )
    frame = {"id": said.id, "object": "chat.completion.chunk", "created": said.created, "model": said.model}
    frame["system_fingerprint"] = inference.fingerprint(said.model)
    words = said.text.split(" ")
    deltas: list[tuple[Json, str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word if i == 0 else f" {word}"}, None) for i, word in enumerate(words)]
    deltas.append(({}, said.finish))
    usage: Json = {"usage": None} if with_usage else {}
    for at in range(said.choices):
        for delta, finish in deltas:
            choice = {"index": at, "delta": delta, "finish_reason": finish, "logprobs": None}
            yield _event({**frame, "choices": [choice], **usage})
    if with_usage:
        yield _event({**frame, "choices": [], "usage": said.usage})
    yield b"data: [DONE]\n\n"


def _event(body: Json) -> bytes:
    return b"data: " + msgspec.json.encode(body) + b"\n\n"


def _clean() -> Json:
    return {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
