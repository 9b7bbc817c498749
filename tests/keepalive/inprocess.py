"""Local Azure without a network: the ports' own code, down to its HTTP requests, answered in this process."""

from __future__ import annotations

import io
import time
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from infra.keepalive.outside import Ports
from infra.localazure.http.app import App
from infra.ports.activity import ActivityLog
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud, Endpoints
from infra.ports.inference import Inference
from infra.ports.metrics import Metrics

ARM = "https://management.azure.com"


class InProcess(HTTPAdapter):
    """Answers requests by an ASGI application; `counted` is (method, what was asked) → how often."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.counted: Counter[tuple[str, str]] = Counter()

    def send(self, request: Any, **_options: Any) -> requests.Response:
        address = urlsplit(request.url)
        self.counted[request.method, address.path] += 1
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
        scope = {
            "type": "http",
            "method": request.method,
            "path": address.path,
            "raw_path": address.path.encode(),
            "query_string": address.query.encode(),
            "headers": [
                (k.lower().encode(), v if isinstance(v, bytes) else str(v).encode()) for k, v in request.headers.items()
            ],
            "client": ("127.0.0.1", 1),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def keep(message: Any) -> None:
            sent.append(message)

        answering = self.app(scope, receive, keep)
        try:
            answering.send(None)  # nothing in it waits for anything, so there is no need of a loop
        except StopIteration:
            pass
        except ConnectionResetError as error:
            raise requests.ConnectionError("Connection reset by peer") from error
        else:
            raise AssertionError("local Azure waits for something")
        headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        answer = b"".join(m.get("body", b"") for m in sent[1:])
        raw = HTTPResponse(io.BytesIO(answer), headers, sent[0]["status"], preload_content=False)
        return self.build_response(request, raw)


class _Transport(RequestsTransport):
    """A transport that waits by local Azure's own clock."""

    def __init__(self, app: App, session: requests.Session) -> None:
        super().__init__(session=session, session_owner=False)
        self._world = app.world

    def sleep(self, duration: float) -> None:
        self._world.advance(timedelta(seconds=duration))


class _Login:
    """Tokens of a principal, without a login."""

    def __init__(self, app: App, who: str) -> None:
        self._app, self._who = app, who

    def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        principal = self._app.world.principals.get(self._who)
        assert principal is not None
        token = self._app.directory.issue(principal, scopes[0].removesuffix("/.default"))
        return AccessToken(token, int(time.time()) + 3000)


class CloudInProcess(Cloud):
    """The cloud of an application."""

    def __init__(self, app: App, who: str) -> None:
        super().__init__({})
        self.wire = InProcess(app)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("https://", self.wire)
        self.endpoints = Endpoints(
            "local", ARM, f"{ARM}/.default", "https://localhost/{region}.metrics.monitor.azure.com"
        )
        self.credential = _Login(app, who)

    def transport(self) -> RequestsTransport:
        return _Transport(self.wire.app, self.session)


def ports(cloud: Cloud) -> Ports:
    """The real ports on a cloud."""
    return Ports(Arm(cloud), Inference(cloud, "2024-10-21"), Metrics(cloud), ActivityLog(cloud, lambda _seconds: None))
