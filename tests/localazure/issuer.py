"""A pipeline's own token service: short-lived tokens that say which run of which repository asks.

Its REST calls are those of GitHub's runner (GET with an audience) and of Azure Pipelines (POST with a service
connection). Times are given, so that a test need not wait until a token is over.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

from infra.localazure import LocalAzure
from infra.localazure.directory import _process_key

GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"
LIFETIME = timedelta(minutes=5)
BEARER = "the-runner's-own"


@dataclass
class Issuer:
    """Gives out tokens for a subject; `moved` is how far its clock is ahead of the machine's."""

    subject: str = "repo:contoso/models:pull_request"
    name: str = GITHUB
    audience: str = AUDIENCE
    moved: timedelta = timedelta(0)
    given: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and target of each request."""
    address: str = ""

    @property
    def keys(self) -> list[dict[str, Any]]:
        """The public keys of its tokens."""
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(_process_key().public_key(), as_dict=True)
        return [{**jwk, "use": "sig", "kid": "issuer", "alg": "RS256"}]

    def token(self, **changes: Any) -> str:
        """A token that is good from now on for five minutes."""
        now = datetime.now(UTC) + self.moved
        claims = {
            "iss": self.name, "sub": self.subject, "aud": self.audience, "iat": int(now.timestamp()) - 1,
            "exp": int((now + LIFETIME).timestamp()), "jti": str(len(self.given)), **changes,
        }  # fmt: skip
        made = jwt.encode(claims, _process_key(), algorithm="RS256", headers={"kid": "issuer"})
        self.given.append(made)
        return made


@contextmanager
def serving(issuer: Issuer, azure: LocalAzure | None = None) -> Iterator[Issuer]:
    """The issuer behind an address on this machine, which only a runner's own token opens.

    With a local Azure it is https, by that one's certificate: the provider asks nobody else.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.audience = parse_qs(urlsplit(self.path).query).get("audience", [""])[0]
            self._answer("value")

        def do_POST(self) -> None:
            self._answer("oidcToken")

        def _answer(self, name: str) -> None:
            issuer.asked.append((self.command, self.path))
            known = self.headers.get("Authorization") == f"Bearer {BEARER}"
            body = json.dumps({name: issuer.token()} if known else {"message": "no"}).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if azure is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(azure._certificates.server)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    scheme = "http" if azure is None else "https"
    issuer.address = f"{scheme}://localhost:{server.server_port}/oidc?run=7"
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
