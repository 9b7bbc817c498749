"""Local Azure as an ASGI application: find out who asks for what, let one handler answer, write it as Azure does."""

from __future__ import annotations

import email.utils
import hmac
import logging
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from infra.localazure import deployments, errors, generic, groups, ids, roles, softdelete
from infra.localazure.directory import ARM_AUDIENCES, Directory, bearer
from infra.localazure.entities import Account, Deployment
from infra.localazure.http import arm, control, data_plane, entra, envelope, versions
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
_ARM = {"subscriptions", "providers", "tenants"}
_SECRET = re.compile(r"sig|code|key|token|secret|password|assertion", re.IGNORECASE)
_log = logging.getLogger("infra.localazure")


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
        self.wire_up()

    def wire_up(self) -> None:
        """Schedule what the state has coming: at the start, and again when switches have moved it."""
        softdelete.wire_up(self.world)
        deployments.wire_up(self.world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (or the server's start and stop).

        A mistake of local Azure's own is a 500 in Azure's envelope, and its traceback stands in the process's log.
        """
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        request = Request(scope, receive)
        call = Call(
            app=self,
            method=request.method,
            path=scope.get("raw_path", scope["path"].encode()).decode("latin-1").split("?")[0],
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
            body=b"",
            peer=request.client.host if request.client else "",
            request_id=ids.new_guid(),
        )
        try:
            answer = await self._answer(call, request)
            response = _response(call, answer)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception:
            _log.exception("local Azure made a mistake in %s %s", call.method, call.path)
            at = f"{self.world.clock.real_now():%Y-%m-%dT%H:%M:%SZ}"
            answer = envelope.refusal(call, errors.INTERNAL(at=at, request=call.request_id))
            response = _response(call, answer)
        self.log.append(self._entry(call, answer))
        await response(scope, receive, send)

    async def _answer(self, call: Call, request: Request) -> Answer:
        try:
            call.body = await _read(request)
            with self.world.lock:
                return self.handle(call, split(call.path))
        except errors.AzureError as error:
            return envelope.refusal(call, error)

    def _entry(self, call: Call, answer: Answer) -> Logged:
        return Logged(
            at=self.world.now(),
            method=call.method,
            path=call.path,
            query="&".join(f"{k}={'***' if _SECRET.search(k) else v}" for k, v in call.query.items()),
            status=answer.status,
            caller=call.caller.client or call.caller.principal,
            code=envelope.code(answer),
        )

    def handle(self, call: Call, segments: list[str]) -> Answer:
        """Answer a call whose path has these segments; raises AzureError."""
        self.world.settle()
        call.path = "/" + "/".join(segments)
        return self._plane(segments)(call, segments)

    def served(self, account: Account, deployment: Deployment, operation: str, asked: int, said: int) -> None:
        """Take note of a call that a deployment answered, with its tokens."""
        deployments.called(self.world, deployment, successful=True)

    # --- planes ----------------------------------------------------------------------------------------------------

    def _plane(self, segments: list[str]) -> Callable[[Call, list[str]], Answer]:
        first = segments[0].lower() if segments else ""
        if first in _ARM:
            return self._manage
        if data_plane.is_data_host(first):
            return self._serve
        return self._control if first == control.PREFIX else self._log_in

    def _manage(self, call: Call, segments: list[str]) -> Answer:
        call.caller = self._arm_caller(call)
        call.api_version = versions.of_query(call.query)
        route = _arm_route(call, segments)
        self._require_own_tenant(call)
        if route.action is not None:
            action = route.action.replace("{namespace}", call.params.get("namespace", ""))
            roles.require(self.world, call.caller, action, _scope(call.path, action))
        return route.handler(call)

    def _require_own_tenant(self, call: Call) -> None:
        parts = call.path.split("/")
        if parts[1].lower() != "subscriptions" or len(parts) < 3:
            return
        found = groups.subscription(self.world, parts[2])
        if found.tenant != call.caller.tenant:
            raise errors.WRONG_TENANT(
                issuer=f"https://sts.windows.net/{call.caller.tenant}/",
                expected=f"https://sts.windows.net/{found.tenant}/",
                authority=call.url(f"/{found.tenant}"),
            )

    def _arm_caller(self, call: Call) -> Caller:
        token = bearer(call.headers.get("authorization"))
        if token is None:
            raise errors.NO_TOKEN({"www-authenticate": f'Bearer authorization_uri="{self.world.origin}/common"'})
        audiences = (*ARM_AUDIENCES, self.world.origin)
        caller = self.directory.caller(token, audiences)
        extra = call.headers.get("x-ms-authorization-auxiliary", "").replace(";", ",").split(",")
        tokens = [bearer(part) or part.strip() for part in extra if part.strip()]
        if not tokens:
            return caller
        auxiliary = tuple(self.directory.caller(t, audiences) for t in tokens)
        return msgspec.structs.replace(caller, auxiliary=auxiliary)

    def _serve(self, call: Call, segments: list[str]) -> Answer:
        route = data_plane.route(call, segments)
        data_plane.admit(call, route.action or "")
        return route.handler(call)

    def _control(self, call: Call, segments: list[str]) -> Answer:
        route, call.params = control.ROUTER.find(call.method, segments)
        given = call.headers.get(control.KEY_HEADER, "")
        if route.action is not None and not hmac.compare_digest(given.encode(), self.control_key.encode()):
            raise errors.BAD_KEY()
        return route.handler(call)

    def _log_in(self, call: Call, segments: list[str]) -> Answer:
        route, call.params = entra.ROUTER.find(call.method, segments)
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
        if size <= MOST_BYTES:
            chunks.append(chunk)  # what is too much is read to its end all the same, so that the client hears why
    if size > MOST_BYTES:
        raise errors.TOO_LARGE(limit=MOST_BYTES)
    return b"".join(chunks)


def _arm_route(call: Call, segments: list[str]) -> Route:
    """The route of the table; else a resource without rules of its own, or nothing."""
    try:
        route, call.params = arm.ROUTER.find(call.method, segments)
    except errors.AzureError as error:
        if error.kind is not errors.NO_SUCH_ROUTE:
            raise
        kind = generic.type_of(call.path, call.api_version)
        if call.method not in arm.GENERIC or (generic.is_collection(call.path) and call.method != "GET"):
            raise errors.WRONG_METHOD(method=call.method) from None
        handler, verb = arm.GENERIC[call.method]
        return Route(call.method, call.path, handler, f"{kind}/{verb}")
    return route


def _scope(path: str, action: str) -> str:
    """Where the action must be allowed: the resource itself; for an action on it what the action's path follows."""
    return path.rsplit("/", 1)[0] if action.endswith("/action") else path


def _response(call: Call, answer: Answer) -> Response:
    now = call.now
    correlation = call.headers.get("x-ms-correlation-request-id", "")
    headers = {
        "date": email.utils.format_datetime(now, usegmt=True),
        "cache-control": "no-cache",
        "pragma": "no-cache",
        "expires": "-1",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "x-ms-request-id": call.request_id,
        "x-ms-correlation-request-id": correlation if ids.GUID.fullmatch(correlation) else call.request_id,
        "x-ms-routing-request-id": f"LOCAL:{now:%Y%m%dT%H%M%SZ}:{call.request_id}",
        "apim-request-id": call.request_id,
        **answer.headers,
    }
    if answer.stream is not None:
        return StreamingResponse(answer.stream, answer.status, headers, answer.content_type)
    if answer.body is None:
        return Response(b"", answer.status, headers)
    if isinstance(answer.body, dict) and isinstance(answer.body.get("etag"), str):
        headers["etag"] = answer.body["etag"]
    return Response(msgspec.json.encode(answer.body), answer.status, headers, answer.content_type)
