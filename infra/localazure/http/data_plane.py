"""The data plane: who answers under a host name, who may call it, and the models it lists.

Classic paths are `/openai/deployments/{d}/…?api-version=`, those of v1 `/openai/v1/…`. Chat completions are in `chat`.
"""

from __future__ import annotations

from datetime import date

from infra.localazure import accounts, errors, groups, ids, inference, models
from infra.localazure.catalogue import Model, midnight
from infra.localazure.directory import DATA_AUDIENCES, bearer
from infra.localazure.entities import Account, CustomModel, Json
from infra.localazure.http import chat, versions
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router

OPENAI = ".openai.azure.com"
HOSTS = (OPENAI, ".cognitiveservices.azure.com", ".services.ai.azure.com")
SHARED = ".api.cognitive.microsoft.com"
"""The endpoint that a region's accounts without a subdomain share; keys alone tell them apart."""
V1 = "v1"


# --- the way in ----------------------------------------------------------------------------------------------------


def is_data_host(segment: str) -> bool:
    """Whether the first segment of a path names a data-plane host."""
    return segment.lower().endswith((*HOSTS, SHARED))


def route(call: Call, segments: list[str]) -> Route:
    """The route of a call, with the account it is for; a path, host or version that is not here is a plain 404."""
    call.account = _named(call, segments[0].lower())
    try:
        found, call.params = ROUTER.find(call.method, segments)
    except errors.AzureError as error:
        raise errors.NO_DATA_ROUTE() from error
    if segments[2].lower() != V1:
        call.api_version = call.query.get("api-version", "")
        if not versions.is_version(call.api_version):
            raise errors.NO_DATA_ROUTE()
    return found


def admit(call: Call, action: str) -> None:
    """Let a call in: the network's rules, then who it is, then what it may do."""
    account = _account(call)
    inference.require_network(account, call.peer)
    _authenticate(call, account)
    path = call.path.removeprefix(f"/{call.params['host']}")
    if "deployment" in call.params:
        path = path.replace(f"/deployments/{call.params['deployment']}/", "/deployments/{deployment-id}/")
    inference.require_action(call.world, account, call.caller, action, call.method, path)


def _named(call: Call, host: str) -> Account:
    """The account that a host name, or on a shared endpoint the key, stands for."""
    if host.endswith(SHARED):
        region = call.world.catalogue.region(host.removesuffix(SHARED))
        found = accounts.by_key(call.world, region, call.headers.get("api-key", "")) if region else None
        if found is None:
            raise errors.BAD_KEY()  # no token opens it either: those need a subdomain
        return found
    for suffix in HOSTS:
        if host.endswith(suffix):
            found = accounts.by_subdomain(call.world, host.removesuffix(suffix))
            if found is not None and (suffix == OPENAI or found.kind != "OpenAI"):
                return found
    raise errors.NO_DATA_ROUTE()


def _authenticate(call: Call, account: Account) -> None:
    """Find out who calls: by key, or by a token for the data plane."""
    key = call.headers.get("api-key")
    token = bearer(call.headers.get("authorization"))
    if key is None and call.api_version == "" and token in account.keys:
        key = token  # v1 takes a key in the Authorization header too, as OpenAI's own client sends it
    if key is not None:
        call.caller = inference.key_caller(account, key)
        return
    if token is None:
        raise errors.BAD_KEY()
    try:
        call.caller = call.app.directory.caller(token, DATA_AUDIENCES)
    except errors.AzureError as error:
        raise errors.BAD_DATA_TOKEN() from error
    if call.caller.tenant != groups.subscription(call.world, account.subscription).tenant:
        raise errors.TOKEN_OF_OTHER_TENANT(tenant=call.caller.tenant)


def _account(call: Call) -> Account:
    if call.account is None:
        raise errors.NO_DATA_ROUTE()
    return call.account


# --- handlers ------------------------------------------------------------------------------------------------------


def chat_completions(call: Call) -> Answer:
    """A chat completion."""
    return chat.complete(call, _account(call), call.api_version or V1)


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
        if wanted == model.full_name:
            return Answer(body=_base_model(call, model))
    tuned = models.owned(call.world, ids.key(account.id), wanted)
    if tuned is None:
        raise errors.NO_MODEL(model=wanted)
    return Answer(body=_tuned_model(call, tuned))


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
        chat_completions,
        "deployments/chat/completions/action",
        _SPEC,
    ),
    Route("POST", _V1 + "/chat/completions", chat_completions, "deployments/chat/completions/action"),
    Route("GET", _CLASSIC + "/models", list_models, "models/read", _AUTHORING),
    Route("GET", _V1 + "/models", list_models, "models/read"),
    Route("GET", _CLASSIC + "/models/{model}", get_model, "models/read", _AUTHORING),
    Route("GET", _V1 + "/models/{model}", get_model, "models/read"),
]
ROUTER = Router(ROUTES)
