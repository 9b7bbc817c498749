"""The data plane: who answers under a host name, who may call it, and the models it lists.

Classic paths are `/openai/deployments/{d}/…?api-version=`, those of v1 `/openai/v1/…`. What the models are asked is in
`chat`, `completions`, `embeddings` and `responses`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import wraps

from infra.localazure import accounts, errors, groups, ids, inference, models
from infra.localazure.catalogue import Model, midnight
from infra.localazure.directory import DATA_AUDIENCES, bearer
from infra.localazure.entities import Account, CustomModel, Json
from infra.localazure.http import chat, completions, embeddings, files, responses, tuning, turn, versions
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Handler, Route, Router

OPENAI = ".openai.azure.com"
HOSTS = (OPENAI, ".cognitiveservices.azure.com", ".services.ai.azure.com")
SHARED = ".api.cognitive.microsoft.com"
"""The endpoint that a region's accounts without a subdomain share; keys alone tell them apart."""


# --- the way in ----------------------------------------------------------------------------------------------------


def is_data_host(segment: str) -> bool:
    """Whether the first segment of a path names a data-plane host."""
    return segment.lower().endswith((*HOSTS, SHARED))


def answer(call: Call, segments: list[str]) -> Answer:
    """Answer a call, and let the application take note of it: here and nowhere else, whatever comes of it."""
    call.account = account = _named(call, segments[0].lower())
    status = 500
    try:
        found = call.route = _route(call, segments)
        call.app.shows_token(call)
        _admit(call, found)
        call.app.is_allowed(call)
        made = found.handler(call)
        made.headers = {**made.headers, **_headers(call, account)}
        status = made.status
    except errors.AzureError as error:
        error.headers = {**error.headers, **_headers(call, account)}
        status = error.status
        raise
    finally:
        call.app.took(call.draft.done(call.now, ids.key(account.id), status))
    return made


def turned_away(call: Call, segments: list[str], status: int) -> None:
    """Let the application take note of a call that was answered before anybody looked at it."""
    try:
        account = _named(call, segments[0].lower())
        _route(call, segments)
    except errors.AzureError:
        return
    if call.target is not None and "/deployments/" in call.target.resource:
        call.draft.deployment = call.target.resource.rpartition("/")[2]
    call.app.took(call.draft.done(call.now, ids.key(account.id), status))


def _route(call: Call, segments: list[str]) -> Route:
    """The route of a call; a path or version that is not here is a plain 404."""
    try:
        found, call.params = ROUTER.find(call.method, segments)
    except errors.AzureError as error:
        raise errors.NO_DATA_ROUTE() from error
    call.draft.operation = found.operation
    call.draft.deployment = call.params.get("deployment", "")
    call.api_version = versions.of_data_query(call.query, v1=segments[2].lower() == versions.V1)
    call.draft.api = f"Azure OpenAI API version {call.api_version}"
    return found


def _admit(call: Call, route: Route) -> None:
    """Let a call in: the network's rules, then who it is, then what it may do."""
    account = _account(call)
    inference.require_network(account, call.peer)
    _authenticate(call, account)
    path = route.template.removeprefix("/{host}").replace("{deployment}", "{deployment-id}")
    inference.require_action(call.world, account, call.caller, route.action or "", call.method, path)


def _headers(call: Call, account: Account) -> dict[str, str]:
    given = call.headers.get("x-ms-client-request-id", "")
    headers = {"x-ms-client-request-id": given if ids.GUID.fullmatch(given) else call.request_id}
    return headers | (turn.reached_headers(call, account) if call.draft.model else {})


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
    if key is None and call.api_version == versions.V1 and token in account.keys:
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
    return chat.complete(call, _account(call))


def completion(call: Call) -> Answer:
    """A completion."""
    return completions.complete(call, _account(call))


def embedding(call: Call) -> Answer:
    """Embeddings."""
    return embeddings.embed(call, _account(call))


def create_response(call: Call) -> Answer:
    """A response."""
    return responses.create(call, _with_responses(call))


def get_response(call: Call) -> Answer:
    """A response that was kept."""
    return responses.get(call, _with_responses(call))


def delete_response(call: Call) -> Answer:
    """A response, deleted."""
    return responses.delete(call, _with_responses(call))


def list_input_items(call: Call) -> Answer:
    """What a response was made from."""
    return responses.input_items(call, _with_responses(call))


def _with_responses(call: Call) -> Account:
    """The account, if the call's version knows responses."""
    if call.api_version != versions.V1 and call.api_version < responses.SINCE:
        raise errors.RESPONSES_TOO_EARLY()
    return _account(call)


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
_TYPES = "openai 3.54"


def _both(method: str, path: str, handler: Handler, action: str, operation: str, *, checked: str = "") -> list[Route]:
    """A route on the classic path, below the deployment where one is called, and on that of v1."""
    of_deployment = "/deployments/{deployment}" if action.startswith("deployments/") else ""
    return [
        Route(method, f"{_CLASSIC}{of_deployment}{path}", handler, action, checked or _TYPES, operation),
        Route(method, f"{_V1}{path}", handler, action, _TYPES, operation),
    ]


_RESPONSE = "/responses/{response}"
_FILE, _UPLOAD, _JOB = "/files/{file}", "/uploads/{upload}", "/fine_tuning/jobs/{job}"
_READ, _WRITE = "fine-tunes/read", "fine-tunes/write"


def _of_account(handler: Callable[[Call, Account], Answer]) -> Handler:
    """A handler that is given its account."""

    @wraps(handler)
    def handle(call: Call) -> Answer:
        return handler(call, _account(call))

    return handle


def _authored(
    method: str, path: str, handler: Callable[[Call, Account], Answer], action: str, operation: str
) -> list[Route]:
    """A route of the authoring API, on both paths; the description tells of the classic one."""
    return _both(method, path, _of_account(handler), action, operation, checked=_AUTHORING)


def _undescribed(path: str, handler: Callable[[Call, Account], Answer], action: str, operation: str) -> list[Route]:
    """A route that the curl samples of Microsoft's pages call by POST, and no description has."""
    found = _of_account(handler)
    return [
        Route("POST", f"{_CLASSIC}{path}", found, action, "Learn's curl samples; a switch", operation),
        Route("POST", f"{_V1}{path}", found, action, "Learn's curl samples; a switch", operation),
    ]


ROUTES = [
    *_both(
        "POST",
        "/chat/completions",
        chat_completions,
        "deployments/chat/completions/action",
        inference.CHAT,
        checked=_SPEC,
    ),
    *_both("POST", "/completions", completion, "deployments/completions/action", inference.COMPLETION, checked=_SPEC),
    *_both("POST", "/embeddings", embedding, "deployments/embeddings/action", inference.EMBEDDING, checked=_SPEC),
    *_both("POST", "/responses", create_response, "responses/write", inference.RESPONSE),
    *_both("GET", _RESPONSE, get_response, "responses/read", "Responses_Get"),
    *_both("DELETE", _RESPONSE, delete_response, "responses/delete", "Responses_Delete"),
    *_both("GET", f"{_RESPONSE}/input_items", list_input_items, "responses/read", "Responses_ListInputItems"),
    *_both("GET", "/models", list_models, "models/read", "Models_List", checked=_AUTHORING),
    *_both("GET", "/models/{model}", get_model, "models/read", "Models_Get", checked=_AUTHORING),
    *_authored("GET", "/files", files.list_files, "files/read", "Files_List"),
    *_authored("POST", "/files", files.upload_file, "files/write", "Files_Upload"),
    *_authored("POST", "/files/import", files.import_file, "files/import/action", "Files_Import"),
    *_authored("GET", _FILE, files.get_file, "files/read", "Files_Get"),
    *_authored("DELETE", _FILE, files.delete_file, "files/delete", "Files_Delete"),
    *_authored("GET", f"{_FILE}/content", files.get_content, "files/read", "Files_GetContent"),
    *_authored("POST", "/uploads", files.start_upload, "files/write", "UploadFile_Start"),
    *_authored("POST", f"{_UPLOAD}/parts", files.add_part, "files/write", "UploadFile_Part"),
    *_authored("POST", f"{_UPLOAD}/complete", files.complete_upload, "files/write", "UploadFile_Complete"),
    *_authored("POST", f"{_UPLOAD}/cancel", files.cancel_upload, "files/write", "UploadFile_Cancel"),
    *_authored("GET", "/fine_tuning/jobs", tuning.list_jobs, _READ, "FineTuning_List"),
    *_authored("POST", "/fine_tuning/jobs", tuning.create_job, _WRITE, "FineTuning_Create"),
    *_authored("GET", _JOB, tuning.get_job, _READ, "FineTuning_Get"),
    *_authored("DELETE", _JOB, tuning.delete_job, "fine-tunes/delete", "FineTuning_Delete"),
    *_authored("POST", f"{_JOB}/cancel", tuning.cancel_job, "fine-tunes/cancel/action", "FineTuning_Cancel"),
    *_authored("GET", f"{_JOB}/events", tuning.list_events, _READ, "FineTuning_GetEvents"),
    *_authored("GET", f"{_JOB}/checkpoints", tuning.list_checkpoints, _READ, "FineTuning_GetCheckpoints"),
    *_undescribed(f"{_JOB}/events", tuning.post_events, _READ, "FineTuning_GetEvents"),
    *_undescribed(f"{_JOB}/checkpoints", tuning.post_checkpoints, _READ, "FineTuning_GetCheckpoints"),
    Route("POST", f"{_V1}{_JOB}/pause", _of_account(tuning.pause_job), _WRITE, _TYPES, "FineTuning_Pause"),
    Route("POST", f"{_V1}{_JOB}/resume", _of_account(tuning.resume_job), _WRITE, _TYPES, "FineTuning_Resume"),
]
ROUTER = Router(ROUTES)
