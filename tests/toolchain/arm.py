"""A resource manager that does what a test tells it: canned answers first, else a plain store.

It has its own CA and speaks HTTPS on a free port of localhost, with the metadata and the token endpoint
beside it, as one process would on a machine.
"""

import json
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
TENANT = "22222222-2222-2222-2222-222222222222"
CLIENT = "33333333-3333-3333-3333-333333333333"
SECRET = "not-a-real-secret"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/acc"
DEPLOYMENT = f"{ACCOUNT}/deployments/bot"


@dataclass
class Answer:
    """What the server says to one request. A body of None is an empty one."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """What the server was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


def error(status: int, code: str, message: str) -> Answer:
    """An error in Azure's envelope."""
    return Answer(status, {"error": {"code": code, "message": message}})


class Arm:
    """The state of the server. Tests script it, and read what it was asked."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[Asked] = []
        self.resources: dict[str, Any] = {}
        self.script: dict[tuple[str, str], deque[Answer]] = defaultdict(deque)
        self.logins: list[dict[str, str]] = []
        self.metadata_manager = ""
        self.on_put: Callable[[], None] = lambda: None

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        """Answer the next requests for this path so; later ones get what the store has."""
        self.script[method, path].extend(answers)

    def requests(self, method: str = "") -> list[str]:
        """The paths that were asked for at the resource manager, oldest first."""
        return [asked.path for asked in self.asked if not method or asked.method == method]

    def respond(self, asked: Asked) -> Answer:
        """The answer to one request."""
        if asked.path == "/metadata/endpoints":
            return Answer(200, self._metadata())
        if asked.path.endswith("/oauth2/v2.0/token"):
            return self._token(asked)
        self.asked.append(asked)
        if asked.method == "PUT":
            self.on_put()
        if self.script[asked.method, asked.path]:
            return self.script[asked.method, asked.path].popleft()
        return self._stored(asked)

    def _stored(self, asked: Asked) -> Answer:
        key = asked.path.lower()
        if asked.method == "PUT":
            status = 200 if key in self.resources else 201
            self.resources[key] = {"id": asked.path, "name": asked.path.rpartition("/")[2], **asked.body}
            return Answer(status, self.resources[key])
        if asked.method == "DELETE":
            return Answer(200 if self.resources.pop(key, None) else 204)
        found = self.resources.get(key)
        return (
            Answer(200, found)
            if found
            else error(404, "ResourceNotFound", f"The Resource '{asked.path}' was not found.")
        )

    def _metadata(self) -> dict[str, Any]:
        return {
            "name": "LocalAzure",
            "resourceManager": self.metadata_manager or f"{self.address}/",
            "authentication": {"loginEndpoint": f"{self.address}/", "audiences": [self.address]},
        }

    def _token(self, asked: Asked) -> Answer:
        form = {key: values[0] for key, values in asked.body.items()}
        self.logins.append({**form, "tenant": asked.path.split("/")[1]})
        if form.get("client_secret", SECRET) != SECRET:
            text = "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1\r\nCorrelation ID: 2"
            return Answer(401, {"error": "invalid_client", "error_description": text})
        return Answer(200, {"access_token": f"token-{len(self.logins)}", "expires_in": 3600})


@contextmanager
def serving(arm: Arm, folder: Path) -> Iterator[Path]:
    """Serve; the file of the CA that signed the server's certificate."""
    authority = trustme.CA()
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(tls)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # headers and body in one packet

        def handle_any(self) -> None:
            url = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {key.lower(): value for key, value in self.headers.items()}
            is_form = "form" in headers.get("content-type", "")
            body = parse_qs(content.decode()) if is_form else json.loads(content or b"null")
            answer = arm.respond(Asked(self.command, url.path, parse_qs(url.query), headers, body))
            text = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for key, value in {**answer.headers, "Content-Length": str(len(text))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_DELETE = do_POST = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    arm.address = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield bundle
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
