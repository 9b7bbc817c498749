"""Local Azure that is measured while it answers: each request and answer is held against Azure's description of it.

`tests/conftest.py` puts `Measured` in the place of the application in every test that runs local Azure inside its own
process, so that the whole suite is a test of fidelity.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from infra.localazure import errors
from infra.localazure.http import arm, control, data_plane, entra, monitor, storage
from infra.localazure.http.app import App, Receive, Scope, Send
from infra.localazure.http.router import Route, split
from tests.fidelity import known, spec

FINDINGS: list[spec.Finding] = []
"""What was found since somebody looked; a test fails on what it leaves here."""
CALLED: set[str] = set()
"""The routes that answered at least once, as `METHOD template`."""
REQUESTS: list[spec.Finding] = []
"""What requests said that their description does not, whatever they were answered: for tests of our own clients."""

ROUTERS = (arm.ROUTER, control.ROUTER, data_plane.ROUTER, entra.ROUTER, monitor.ROUTER, storage.ROUTER)


def route_of(method: str, path: str) -> Route | None:
    """The route of a request; None where no table has one (then a resource without rules of its own, or a refusal)."""
    try:
        segments = split(path)
    except errors.AzureError:
        return None
    first = segments[0].lower() if segments else ""
    if first in ("subscriptions", "providers", "tenants"):
        router = arm.ROUTER
    elif data_plane.is_data_host(first):
        router = data_plane.ROUTER
    elif monitor.is_host(first):
        router = monitor.ROUTER
    elif storage.is_host(first):
        router, segments = storage.ROUTER, storage.folded(segments)
    else:
        router = control.ROUTER if first == control.PREFIX else entra.ROUTER
    try:
        return router.find(method, segments)[0]
    except errors.AzureError:
        return None


def name_of(route: Route) -> str:
    """How a route is named here."""
    return f"{route.method} {route.template}"


class Measured(App):
    """The application, and what is to be said about each of its answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, and look at both sides of it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        asked: list[bytes] = []
        said: list[MutableMapping[str, Any]] = []

        async def hear() -> MutableMapping[str, Any]:
            message = await receive()
            asked.append(message.get("body", b""))
            return message

        async def say(message: MutableMapping[str, Any]) -> None:
            said.append(message)
            await send(message)

        await super().__call__(scope, hear, say)
        if said:
            _look(scope, b"".join(asked), said)


def _look(scope: Scope, body: bytes, said: list[MutableMapping[str, Any]]) -> None:
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").split("?")[0]
    method, status = scope["method"], said[0]["status"]
    route = route_of(method, path)
    if route is not None and status < 400:
        CALLED.add(name_of(route))
    if not spec.FOLDER.is_dir():
        return
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    version = next((v for k, v in query.items() if k.lower() == "api-version"), "")
    found = spec.find(method, path, version)
    if found is None or (route is None and status >= 400):
        return
    op, values = found
    headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in said[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in said[1:])
    FINDINGS.extend(f for f in spec.answer(op, status, headers, content) if not known.is_known(f))
    wrong = [f for f in spec.request(op, values, query, body) if not known.is_known(f)]
    REQUESTS.extend(wrong)
    if status < 300:  # what the description forbids was taken all the same
        FINDINGS.extend(f for f in wrong if f.kind == "wrong")
