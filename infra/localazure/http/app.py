"""Local Azure as an ASGI application: find out who asks for what, let one handler answer, write it as Azure does."""

from __future__ import annotations

import email.utils
import hmac
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from infra.localazure import accounts, deployments, errors, generic, groups, ids, roles
from infra.localazure.directory import ARM_AUDIENCES, Directory, bearer
from infra.localazure.entities import Account, Deployment
from infra.localazure.http import arm, control, data_plane, entra
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, split
from infra.localazure.inference import Meter
from infra.localazure.world import Caller, World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 4 * 1024 * 1024
"""Largest body of a request: ARM's limit."""
KEPT_REQUESTS = 20_000
_VERSION_LENGTH = len("YYYY-MM-DD")


class Logged(msgspec.Struct, frozen=True):
    """One request of the log; nothing secret is in it."""

    at: datetime
    method: str
    path: str
    query: str
    status: int
    caller: str
    code: str = ""


class App:
    """The ASGI application. State is changed only by `handle`, which never waits: one request at a time."""

    def __init__(self, world: World, control_key: str | None = None) -> None:
        """Serve this world; `control_key` opens the control API (default: a fresh one)."""
        self.world = world
        self.directory = Directory(world)
        self.meter = Meter(world)
        self.control_key = control_key or secrets.token_urlsafe(24)
        self.log: deque[Logged] = deque(maxlen=KEPT_REQUESTS)
        accounts.wire_up(world)
        deployments.wire_up(world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (or the server's start and stop)."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        request = Request(scope, receive)
        call = Call(
            app=self,
            method=request.method,
            path="",
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
            body=b"",
            peer=request.client.host if request.client else "",
            request_id=ids.new_guid(),
        )
        answer = await self._answer(call, request)
        await _response(call, answer)(scope, receive, send)

    async def _answer(self, call: Call, request: Request) -> Answer:
        raw = request.scope.get("raw_path", request.scope["path"].encode()).decode("latin-1").split("?")[0]
        call.path = raw
        try:
            call.body = await _read(request)
            answer = self.handle(call, split(raw))
        except errors.AzureError as error:
            answer = _refusal(error)
        self.log.append(
            Logged(
                at=self.world.now(),
                method=call.method,
                path=call.path,
                query="&".join(f"{k}={v}" for k, v in call.query.items() if k.lower() not in {"sig", "code"}),
                status=answer.status,
                caller=call.caller.client or call.caller.principal,
                code=_code(answer),
            )
        )
        return answer

    def handle(self, call: Call, segments: list[str]) -> Answer:
        """Answer a call whose path has these segments; raises AzureError."""
        self.world.settle()
        call.path = "/" + "/".join(segments)
        first = segments[0].lower() if segments else ""
        if first in {"subscriptions", "providers", "tenants"}:
            return self._manage(call, segments)
        if data_plane.is_data_host(first):
            return self._serve(call, segments)
        if first == control.PREFIX:
            return self._control(call, segments)
        route, call.params = entra.ROUTER.find(call.method, segments)
        return route.handler(call)

    def served(self, account: Account, deployment: Deployment, operation: str, asked: int, said: int) -> None:
        """Take note of a call that a deployment answered, with its tokens."""
        deployments.called(self.world, deployment, successful=True)

    # --- planes ----------------------------------------------------------------------------------------------------

    def _manage(self, call: Call, segments: list[str]) -> Answer:
        call.caller = self._arm_caller(call)
        call.api_version = _api_version(call)
        route = self._arm_route(call, segments)
        subscription = ids.subscription_of(call.path)
        if subscription is not None:
            found = groups.subscription(self.world, subscription)
            if found.tenant != call.caller.tenant:
                raise errors.WRONG_TENANT(
                    issuer=f"https://sts.windows.net/{call.caller.tenant}/",
                    expected=f"https://sts.windows.net/{found.tenant}/",
                    authority=call.url(f"/{found.tenant}"),
                )
        if route.action is not None:
            action = route.action.replace("{namespace}", call.params.get("namespace", ""))
            roles.require(self.world, call.caller, action, _scope(call, action))
        return route.handler(call)

    def _arm_route(self, call: Call, segments: list[str]) -> Route:
        try:
            route, call.params = arm.ROUTER.find(call.method, segments)
        except errors.AzureError:
            if call.method not in arm.GENERIC:
                raise
            handler, verb = arm.GENERIC[call.method]
            return Route(call.method, call.path, handler, generic.action(call.path, verb))
        return route

    def _arm_caller(self, call: Call) -> Caller:
        token = bearer(call.headers.get("authorization"))
        if token is None:
            raise errors.NO_TOKEN({"www-authenticate": f'Bearer authorization_uri="{self.world.origin}/common"'})
        caller = self.directory.caller(token, ARM_AUDIENCES)
        extra = call.headers.get("x-ms-authorization-auxiliary", "").replace(";", ",").split(",")
        tokens = [bearer(part) or part.strip() for part in extra if part.strip()]
        if not tokens:
            return caller
        auxiliary = tuple(self.directory.caller(t, ARM_AUDIENCES) for t in tokens)
        return msgspec.structs.replace(caller, auxiliary=auxiliary)

    def _serve(self, call: Call, segments: list[str]) -> Answer:
        account = data_plane.account_of(call, segments[0])
        route, call.params = data_plane.ROUTER.find(call.method, segments)
        data_plane.admit(call, account, route.action or "")
        if data_plane.takes_a_version(segments):
            call.api_version = call.query.get("api-version", "")
            if not _is_version(call.api_version):
                raise errors.BAD_DATA_API_VERSION()
        return route.handler(call)

    def _control(self, call: Call, segments: list[str]) -> Answer:
        route, call.params = control.ROUTER.find(call.method, segments)
        given = call.headers.get(control.KEY_HEADER, "")
        if route.action is not None and not hmac.compare_digest(given.encode(), self.control_key.encode()):
            raise errors.BAD_KEY()
        return route.handler(call)


# --- pieces --------------------------------------------------------------------------------------------------------


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise errors.TOO_LARGE(limit=MOST_BYTES)
        chunks.append(chunk)
    return b"".join(chunks)


def _is_version(version: str) -> bool:
    day, rest = version[:_VERSION_LENGTH], version[_VERSION_LENGTH:]
    try:
        datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007 - only its shape is of interest
    except ValueError:
        return False
    return len(day) == _VERSION_LENGTH and rest in {"", "-preview", "-alpha", "-beta"}


def _api_version(call: Call) -> str:
    version = next((v for k, v in call.query.items() if k.lower() == "api-version"), "")
    if not version:
        raise errors.NO_API_VERSION()
    if not _is_version(version):
        raise errors.BAD_API_VERSION(version=version)
    return version


def _scope(call: Call, action: str) -> str:
    """Where the action must be allowed: the resource itself, or what holds it for a list or an action on it."""
    if "scope" in call.params:
        return call.params["scope"]
    if action.endswith("/action"):
        return call.path.rsplit("/", 1)[0]
    return call.path


def _refusal(error: errors.AzureError) -> Answer:
    return Answer(error.status, {"error": {"code": error.code, "message": error.message}}, dict(error.headers))


def _code(answer: Answer) -> str:
    body = answer.body
    if answer.status < 400 or not isinstance(body, dict):
        return ""
    error = body.get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else str(error)


def _response(call: Call, answer: Answer) -> Response:
    now = call.now
    headers = {
        "date": email.utils.format_datetime(now, usegmt=True),
        "cache-control": "no-cache",
        "pragma": "no-cache",
        "expires": "-1",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-ms-request-id": call.request_id,
        "x-ms-correlation-request-id": call.headers.get("x-ms-correlation-request-id", call.request_id),
        "x-ms-routing-request-id": f"LOCAL:{now:%Y%m%dT%H%M%SZ}:{call.request_id}",
        "apim-request-id": call.request_id,
        **answer.headers,
    }
    if answer.stream is not None:
        return StreamingResponse(answer.stream, answer.status, headers, answer.content_type)
    if answer.content is not None:
        return Response(answer.content, answer.status, headers, answer.content_type)
    if answer.body is None:
        return Response(b"", answer.status, headers)
    if isinstance(answer.body, dict) and "etag" in answer.body:
        headers["etag"] = answer.body["etag"]
    return Response(msgspec.json.encode(answer.body), answer.status, headers, answer.content_type)
