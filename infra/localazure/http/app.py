"""Local Azure as an ASGI application: find out who asks for what, let one handler answer, write it as Azure does."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import hmac
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from infra.localazure import (
    deployments,
    errors,
    files,
    finetuning,
    generic,
    groups,
    ids,
    inference,
    responses,
    roles,
    snapshot,
    softdelete,
    uploads,
)
from infra.localazure.containerapps import Platform
from infra.localazure.directory import ARM_AUDIENCES, Directory, bearer
from infra.localazure.http import (
    activity,
    arm,
    control,
    data_plane,
    entra,
    envelope,
    forms,
    monitor,
    sse,
    storage,
    strikes,
    versions,
)
from infra.localazure.http.call import Answer, Call, Plane
from infra.localazure.http.router import Route, split
from infra.localazure.http.throttle import Throttle
from infra.localazure.inference import Meter
from infra.localazure.metrics import Monitor
from infra.localazure.recall import Memory
from infra.localazure.requestlog import RequestLog
from infra.localazure.runner import Runner
from infra.localazure.seed import Seed, plant
from infra.localazure.traffic import Traffic
from infra.localazure.world import Caller, World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

MOST_BYTES = 4 * 1024 * 1024
"""Largest body of a request: ARM's limit."""
ABORT = "local-azure.abort"
"""Where the server puts, in the scope of a request, what resets its connection."""
GENERIC_TEMPLATE = "/{resource}"
"""What the log calls the route of a resource that has no rules of its own."""
_ARM = {"subscriptions", "providers", "tenants"}
_MOST_DECISIONS = 50_000
_NO_BODY = {204, 304}
_FORM = "multipart/form-data"
_log = logging.getLogger("infra.localazure")
_encode = msgspec.json.Encoder().encode


class _Gone(Exception):
    """The client has gone: nobody is left to answer."""


class App:
    """The ASGI application. State is changed only by `handle`, which never waits: one request at a time."""

    def __init__(
        self,
        world: World,
        control_key: str | None = None,
        seed: Seed | None = None,
        runner: Runner | None = None,
    ) -> None:
        """Serve this world; `control_key` opens the control API (default: a fresh one).

        `seed` is planted again by a reset that names no other; whoever makes the world plants it the first time.
        `runner` runs the executions of Container Apps jobs; without one they only pass.
        """
        self.world = world
        self.seed = seed
        self.control_key = control_key or secrets.token_urlsafe(24)
        self.log = RequestLog(world.database)
        self.platform = Platform(world, runner)
        self.renew()

    def renew(self) -> None:
        """Begin with this state: no meter and nothing worked out before is kept."""
        self.directory = Directory(self.world)
        self.meter = Meter(self.world)
        self.monitor = Monitor(self.world)
        self.throttle = Throttle(self.world)
        self.memory = Memory(self.world)
        self._allowed: set[tuple[str, str, str]] = set()
        self._allowed_at = (0, 0, 0)
        self.wire_up()

    def wire_up(self) -> None:
        """Schedule what the state has coming: at the start, and again when switches have moved it."""
        self.world.unschedule()
        softdelete.wire_up(self.world)
        deployments.wire_up(self.world)
        responses.wire_up(self.world)
        files.wire_up(self.world)
        uploads.wire_up(self.world)
        finetuning.wire_up(self.world)
        groups.wire_up(self.world)

    def plant(self, seed: Seed) -> None:
        """Plant a seed, and remember it for a reset; raises BadSeed."""
        plant(self.world, seed)
        self.seed = seed

    def reset(self, seed: Seed | None) -> None:
        """Forget everything and plant a seed; raises BadSeed, and then nothing was forgotten."""
        if seed is not None:
            plant(World(), seed)
        snapshot.reset(self.world)
        if seed is not None:
            self.plant(seed)
        self.renew()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (or the server's start and stop).

        A mistake of local Azure's own is a 500 in Azure's envelope, and its traceback stands in the process's log.
        """
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        started = time.perf_counter()
        query = scope["query_string"]
        client = scope.get("client")
        call = Call(
            app=self,
            method=scope["method"],
            path=scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0],
            query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
            headers={k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
            body=b"",
            peer=client[0] if client else "",
            request_id=ids.new_guid(),
        )
        try:
            answer = await self._answer(call, receive)
            headers, body = _written(call, answer)
        except _Gone:
            return
        except strikes.Reset:
            self._note(call, Answer(0), started)
            await _reset(scope, receive)
            return
        except Exception:
            _log.exception("local Azure made a mistake in %s %s", call.method, call.path)
            at = f"{self.world.clock.real_now():%Y-%m-%dT%H:%M:%SZ}"
            answer = envelope.refusal(call, errors.INTERNAL(at=at, request=call.request_id))
            headers, body = _written(call, answer)
        self._note(call, answer, started)
        if answer.stream is not None:
            texts = {k.decode("latin-1"): v.decode("latin-1") for k, v in headers}
            response = StreamingResponse(answer.stream, answer.status, texts, answer.content_type)
            with contextlib.suppress(ClientDisconnect, sse.Interrupted):
                await response(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, call: Call, receive: Receive) -> Answer:
        try:
            if _is_large(call):
                call.sent = await self._take(call, receive)
            else:
                call.body = await _read(receive)
            segments = split(call.path)
            call.path = "/" + "/".join(segments)
            call.plane = _plane(segments)
            if call.plane != "control" and len(self.world.faults):
                return await self._struck(call, segments)
            with self.world.lock, self.world.database:
                return self.handle(call, segments)
        except errors.AzureError as error:
            return envelope.refusal(call, error)
        finally:
            if call.sent is not None:
                call.sent.discard()

    async def _take(self, call: Call, receive: Receive) -> forms.Sent:
        """A body that goes to the disk."""
        kind = call.headers.get("content-type", "")
        if kind.lower().startswith(_FORM):
            return await forms.read_form(_chunks(receive), kind, self.world.contents)
        return await forms.read_whole(_chunks(receive), self.world.contents)

    async def _struck(self, call: Call, segments: list[str]) -> Answer:
        """Answer while faults stand; raises AzureError and Reset where one strikes."""
        with self.world.lock:
            call.target = strikes.aim(call, segments)
            wait = strikes.delay(call)
        if wait:
            call.draft.waited_ms = wait * 1000
            await asyncio.sleep(wait)
        with self.world.lock, self.world.database:
            self.world.settle()
            call.target = strikes.aim(call, segments)  # it may be about something else after the wait
            try:
                strikes.arrive(call)
            except errors.AzureError as error:
                if call.plane == "data":
                    data_plane.turned_away(call, segments, error.status)
                raise
            try:
                answer = self.handle(call, segments)
            except errors.AzureError as error:
                answer = envelope.refusal(call, error)
            strikes.answer(call)
            return answer

    def _note(self, call: Call, answer: Answer, started: float) -> None:
        """Write a request into the log; what is asked of the control API is no business of Azure's."""
        if call.plane == "control":
            return
        route = call.route
        with self.world.lock:
            self.log.add(
                at=self.world.now(),
                method=call.method,
                path=call.path,
                query=call.query,
                status=answer.status,
                caller=call.caller.client or call.caller.principal,
                code=envelope.code(answer) if answer.status >= 400 else "",
                route=route.template if route is not None else "",
                operation=(route.action or f"{route.method} {route.template}") if route is not None else "",
                ms=round((time.perf_counter() - started) * 1000, 3),
                faults=call.faults,
            )

    def handle(self, call: Call, segments: list[str]) -> Answer:
        """Answer a call whose path has these segments; raises AzureError."""
        self.world.settle()
        if call.plane == "arm":
            return self._manage(call, segments)
        if call.plane == "data":
            return self._serve(call, segments)
        if call.plane == "blob":
            return self._store(call, segments)
        if call.plane == "metrics":
            return self._measure(call, segments)
        return self._control(call, segments) if call.plane == "control" else self._log_in(call, segments)

    def took(self, traffic: Traffic) -> None:
        """Take note of a call that reached an account's data plane, whatever came of it."""
        inference.note(self.world, traffic)
        self.monitor.note(traffic)

    # --- planes ----------------------------------------------------------------------------------------------------

    def _manage(self, call: Call, segments: list[str]) -> Answer:
        call.caller = activity.marked(call, self._arm_caller(call))
        if call.target is not None:
            strikes.show_token(call)
        call.notes |= self.throttle.take(call)
        call.api_version = versions.of_query(call.query)
        versions.require_known(call.api_version, call.path, strict=self.world.switches.strict_api_versions)
        route = call.route = _arm_route(call, segments)
        self._require_own_tenant(call)
        if route.action is not None:
            action = route.action.replace("{namespace}", call.params.get("namespace", ""))
            with activity.told(call, action):
                self._require(call.caller, action, _scope(call.path, action))
                self.is_allowed(call)
                return route.handler(call)
        self.is_allowed(call)
        return route.handler(call)

    def _require(self, caller: Caller, action: str, scope: str) -> None:
        """What `roles.require` requires; a permission that was found holds until roles or principals change."""
        world = self.world
        at = (world.role_assignments.version, world.role_definitions.version, world.principals.version)
        if at != self._allowed_at or len(self._allowed) > _MOST_DECISIONS:
            self._allowed_at = at
            self._allowed.clear()
        asked = (caller.principal, action, scope)
        if asked not in self._allowed:
            roles.require(world, caller, action, scope)
            self._allowed.add(asked)

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
        return data_plane.answer(call, segments)

    def _store(self, call: Call, segments: list[str]) -> Answer:
        route = call.route = storage.find(call, segments)
        return route.handler(call)

    def _measure(self, call: Call, segments: list[str]) -> Answer:
        route = call.route = monitor.find(call, segments)
        call.caller = monitor.authenticate(call)
        if call.target is not None:
            strikes.show_token(call)
        self._require(call.caller, monitor.READ, f"/subscriptions/{call.params['subscription']}")
        self.is_allowed(call)
        return route.handler(call)

    def shows_token(self, call: Call) -> None:
        """Where a call to the data plane, whose route is found, shows who it is; a fault may strike here."""
        if call.target is not None:
            strikes.show_data_token(call)

    def is_allowed(self, call: Call) -> None:
        """Where a call was found to be allowed and its work begins; a fault may strike here."""
        if call.target is not None:
            strikes.work(call)

    def _control(self, call: Call, segments: list[str]) -> Answer:
        route, call.params = control.ROUTER.find(call.method, segments)
        call.route = route
        given = call.headers.get(control.KEY_HEADER, "")
        if route.action is not None and not hmac.compare_digest(given.encode(), self.control_key.encode()):
            raise errors.BAD_KEY()
        return route.handler(call)

    def _log_in(self, call: Call, segments: list[str]) -> Answer:
        route, call.params = entra.ROUTER.find(call.method, segments)
        call.route = route
        if call.target is not None and route.handler is entra.token:
            strikes.give_token(call)
        return route.handler(call)


# --- pieces --------------------------------------------------------------------------------------------------------


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The body of a request as it comes in."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def _read(receive: Receive) -> bytes:
    chunks, size = [], 0
    async for chunk in _chunks(receive):
        size += len(chunk)
        if size <= MOST_BYTES:
            chunks.append(chunk)  # what is too much is read to its end all the same, so that the client hears why
    if size > MOST_BYTES:
        raise errors.TOO_LARGE(limit=MOST_BYTES)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _is_large(call: Call) -> bool:
    """Whether a request may have a body that is too large for memory: a form of the data plane, or a blob."""
    host = unquote(call.path.removeprefix("/").partition("/")[0])
    form = call.headers.get("content-type", "").lower().startswith(_FORM)
    return (call.method == "POST" and form and data_plane.is_data_host(host)) or (
        call.method == "PUT" and storage.is_host(host)
    )


async def _reset(scope: Scope, receive: Receive) -> None:
    """Cut the connection; raises ConnectionResetError where there is none, for a caller within this process."""
    abort = scope.get(ABORT)
    if abort is None:
        raise ConnectionResetError("a fault has reset the connection")
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _plane(segments: list[str]) -> Plane:
    first = segments[0].lower() if segments else ""
    if first in _ARM:
        return "arm"
    if data_plane.is_data_host(first):
        return "data"
    if monitor.is_host(first):
        return "metrics"
    if storage.is_host(first):
        return "blob"
    return "control" if first == control.PREFIX else "login"


def _arm_route(call: Call, segments: list[str]) -> Route:
    """The route of the table; else a resource without rules of its own, or nothing."""
    try:
        route, call.params = arm.ROUTER.find(call.method, segments)
    except errors.AzureError as error:
        if error.kind is not errors.NO_SUCH_ROUTE:
            raise
        kind = generic.type_of(call.path, call.api_version)
        listed = generic.is_collection(call.path) and call.method != "GET"
        if call.method not in arm.GENERIC or listed or call.method in arm.NOT_OFFERED.get(kind, ()):
            raise errors.WRONG_METHOD(method=call.method) from None
        handler, verb = arm.GENERIC[call.method]
        return Route(call.method, GENERIC_TEMPLATE, handler, f"{kind}/{verb}")
    return route


def _scope(path: str, action: str) -> str:
    """Where the action must be allowed: the resource itself; for an action on it what the action's path follows."""
    return path.rsplit("/", 1)[0] if action.endswith("/action") else path


def _written(call: Call, answer: Answer) -> tuple[Headers, bytes]:
    """Headers and body of an answer, as they are sent."""
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
        **call.notes,
        **answer.headers,
    }
    body = b""
    if answer.body is not None:
        if isinstance(answer.body, dict) and isinstance(answer.body.get("etag"), str):
            headers["etag"] = answer.body["etag"]
        body = _encode(answer.body)
        headers["content-type"] = answer.content_type
    elif answer.raw is not None:
        body = answer.raw
        headers["content-type"] = answer.content_type
    if answer.stream is None and answer.status not in _NO_BODY:
        headers.setdefault("content-length", str(len(body)))
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()], body
