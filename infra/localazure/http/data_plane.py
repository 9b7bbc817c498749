"""Handlers of the data plane: classic paths (`/openai/deployments/{d}/…?api-version=`) and v1 (`/openai/v1/…`)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import msgspec

from infra.localazure import accounts, bodies, errors, groups, ids, inference, models
from infra.localazure.catalogue import Model, midnight
from infra.localazure.directory import DATA_AUDIENCES, bearer
from infra.localazure.entities import Account, CustomModel, Json
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router
from infra.localazure.inference import Budget

HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
V1 = "v1"


class Message(bodies.Body):
    """One message of a conversation."""

    role: str
    content: str | list[Any] | None = None


class ChatBody(msgspec.Struct, kw_only=True):
    """POST chat/completions; unknown fields are ignored, as Azure ignores many."""

    messages: list[Message]
    model: str | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    stream: bool | None = None
    temperature: float | None = None


def account_of(call: Call, host: str) -> Account:
    """The account behind a data-plane host name."""
    for suffix in HOSTS:
        if host.lower().endswith(suffix):
            found = accounts.by_subdomain(call.world, host[: -len(suffix)])
            if found is not None and (suffix == HOSTS[0] or found.kind != "OpenAI"):
                return found
    raise errors.NO_DATA_HOST()


def authenticate(call: Call, account: Account) -> None:
    """Find out who calls: by key, or by a token for the data plane."""
    key = call.headers.get("api-key")
    if key is not None:
        call.caller = inference.key_caller(account, key)
        return
    token = bearer(call.headers.get("authorization"))
    if token is None:
        raise errors.BAD_KEY()
    try:
        call.caller = call.app.directory.caller(token, DATA_AUDIENCES)
    except errors.AzureError as error:
        # v1 takes an API key in the Authorization header too, as OpenAI's own clients send it.
        if token in account.keys:
            call.caller = inference.key_caller(account, token)
            return
        raise errors.BAD_DATA_TOKEN() from error
    if call.caller.tenant != groups.subscription(call.world, account.subscription).tenant:
        raise errors.BAD_DATA_TOKEN()


def chat(call: Call) -> Answer:
    """A chat completion."""
    account = _account(call)
    body = call.read(ChatBody)
    name = call.params.get("deployment") or body.model
    if not name:
        raise errors.BAD_CHAT(fact="you must provide a model parameter")
    if not body.messages:
        raise errors.BAD_CHAT(fact="[] is too short - 'messages'")
    deployment, model = inference.serving(call.world, account, name)
    prompt = [msgspec.to_builtins(m) for m in body.messages]
    asked = inference.count_tokens(inference.prompt_text(prompt))
    most = body.max_completion_tokens or body.max_tokens or 16
    budget = call.app.meter.admit(account, deployment, asked + most, "ChatCompletions_Create", call.api_version or V1)
    text = inference.answer(model, prompt)
    call.app.served(account, deployment, "ChatCompletions_Create", asked, inference.count_tokens(text))
    headers = _headers(call, account, budget)
    if body.stream:
        return Answer(stream=_stream(call, model, text), content_type="text/event-stream", headers=headers)
    return Answer(body=_completion(call, model, text, asked), headers=headers)


def list_models(call: Call) -> Answer:
    """The base models of the region and the account's own tuned ones."""
    account = _account(call)
    base, tuned = models.visible(call.world, account)
    data = [_base_model(call, m) for m in base] + [_tuned_model(call, m) for m in tuned]
    return Answer(body={"object": "list", "data": data})


def get_model(call: Call) -> Answer:
    """One model, base or tuned."""
    account = _account(call)
    wanted = call.params["model"]
    base, _ = models.visible(call.world, account)
    for model in base:
        if wanted in {model.full_name, f"{model.name}.{model.version}", model.name}:
            return Answer(body=_base_model(call, model))
    tuned = models.owned(call.world, ids.key(account.id), wanted)
    if tuned is None:
        raise errors.NO_MODEL(model=wanted)
    return Answer(body=_tuned_model(call, tuned))


def _account(call: Call) -> Account:
    return account_of(call, call.params["host"])


def _completion(call: Call, model: str, text: str, asked: int) -> Json:
    said = inference.count_tokens(text)
    return {
        "id": f"chatcmpl-{secrets.token_urlsafe(22)}",
        "object": "chat.completion",
        "created": int(call.now.timestamp()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
                "content_filter_results": _clean(),
            }
        ],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _clean()}],
        "system_fingerprint": inference.fingerprint(model),
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }


async def _stream(call: Call, model: str, text: str) -> AsyncIterator[bytes]:
    """The answer in server-sent events, word by word."""
    frame = {
        "id": f"chatcmpl-{secrets.token_urlsafe(22)}",
        "object": "chat.completion.chunk",
        "created": int(call.now.timestamp()),
        "model": model,
    }
    words = text.split(" ")
    deltas: list[tuple[Json, str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word if i == 0 else f" {word}"}, None) for i, word in enumerate(words)]
    deltas.append(({}, "stop"))
    for delta, finish in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        yield b"data: " + msgspec.json.encode({**frame, "choices": [choice]}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _clean() -> Json:
    return {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


def _headers(call: Call, account: Account, budget: Budget) -> dict[str, str]:
    return {
        "x-ms-region": call.world.catalogue.regions[account.location][0],
        "x-ratelimit-limit-requests": str(budget.limit_requests),
        "x-ratelimit-remaining-requests": str(budget.remaining_requests),
        "x-ratelimit-limit-tokens": str(budget.limit_tokens),
        "x-ratelimit-remaining-tokens": str(budget.remaining_tokens),
    }


def _capabilities(model: Model | None, *, base: bool) -> Json:
    return {
        "fine_tune": bool(base and model and model.tunable),
        "inference": True,
        "completion": bool(model and not model.embeddings),
        "chat_completion": bool(model and model.chat),
        "embeddings": bool(model and model.embeddings),
    }


def _base_model(call: Call, model: Model) -> Json:
    wire: Json = {
        "object": "model",
        "id": model.full_name,
        "created_at": 1646126127,
        "status": "succeeded",
        "capabilities": _capabilities(model, base=True),
        "lifecycle_status": "preview" if model.lifecycle == "Preview" else "generally-available",
        "deprecation": {"inference": 2145916800},
    }
    if model.retires is not None:
        wire["deprecation"] = {
            "inference": _unix(model.retires.base),
            **({"fine_tune": _unix(model.retires.base)} if model.tunable else {}),
        }
    return wire


def _tuned_model(call: Call, model: CustomModel) -> Json:
    base = call.world.catalogue.named(model.base)
    wire: Json = {
        "object": "model",
        "id": model.id,
        "model": model.base,
        "created_at": int(model.created.timestamp()),
        "status": model.status,
        "capabilities": _capabilities(base, base=False),
        "lifecycle_status": "generally-available",
        "deprecation": {"inference": 2145916800},
    }
    if base is not None and base.retires is not None:
        wire["deprecation"] = {"inference": _unix(base.retires.deployment)}
    if model.job is not None:
        wire["fine_tune"] = model.job
    return wire


def _unix(day: date) -> int:
    return int(midnight(day).timestamp())


_CLASSIC = "/{host}/openai"
_V1 = "/{host}/openai/v1"
_SPEC = "azureopenai inference 2024-10-21"
_AUTHORING = "azureopenai authoring 2024-10-21"

ROUTES = [
    Route(
        "POST",
        _CLASSIC + "/deployments/{deployment}/chat/completions",
        chat,
        "deployments/chat/completions/action",
        _SPEC,
    ),
    Route("POST", _V1 + "/chat/completions", chat, "deployments/chat/completions/action"),
    Route("GET", _CLASSIC + "/models", list_models, "models/read", _AUTHORING),
    Route("GET", _V1 + "/models", list_models, "models/read"),
    Route("GET", _CLASSIC + "/models/{model}", get_model, "models/read", _AUTHORING),
    Route("GET", _V1 + "/models/{model}", get_model, "models/read"),
]
ROUTER = Router(ROUTES)


def is_data_host(segment: str) -> bool:
    """Whether the first segment of a path names a data-plane host."""
    return segment.lower().endswith(HOSTS)


def takes_a_version(segments: list[str]) -> bool:
    """Classic paths ask for an api-version, v1 paths do not."""
    return len(segments) > 2 and segments[2].lower() != V1


def admit(call: Call, account: Account, action: str) -> None:
    """Let a call in: the network's rules, then who it is, then what it may do."""
    inference.require_network(account, call.peer)
    authenticate(call, account)
    path = call.path.removeprefix(f"/{call.params['host']}")
    if "deployment" in call.params:
        path = path.replace(f"/deployments/{call.params['deployment']}/", "/deployments/{deployment-id}/")
    inference.require_action(call.world, account, call.caller, action, call.method, path)
