"""HTTPS requests, from any thread, over connections that are kept.

The standard library's client, because it is there in a third of the time of any other one, and a plugin
starts on somebody's waiting time. Certificates and proxies are found as Go finds them, since the official
plugin is a Go program: SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, NO_PROXY, never a proxy to loopback.
"""

import http.client
import os
import re
import socket
import ssl
import threading
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from infra.toolchain.azure_native.cloud import is_loopback
from infra.toolchain.azure_native.errors import Misconfigured, Unreachable

TIMEOUT = 120.0  # seconds without a byte
_HASHED_NAME = re.compile(r"^[0-9a-f]{8}\.\d+$")
_GONE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends requests. Safe to use from any thread."""

    def __init__(self) -> None:
        """Connections are made when they are needed, and kept until `close`."""
        self._lock = threading.Lock()
        self._idle: dict[str, list[http.client.HTTPSConnection]] = defaultdict(list)
        self._keeps = True

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        """Send one request. Raises Unreachable when there is no answer; any status is an answer."""
        address = urlsplit(url)
        if address.scheme != "https":
            raise Misconfigured(f"{url}: not https. Tokens are sent over https only.")
        try:
            return self._send(method, address, headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(address, error) from error

    def close(self) -> None:
        """Keep no connections any more. Requests can still be sent, each over one of its own."""
        with self._lock:
            self._keeps = False
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _send(self, method: str, address: SplitResult, headers: Mapping[str, str], body: bytes | None) -> Response:
        target = address._replace(scheme="", netloc="").geturl() or "/"
        with self._lock:
            kept = self._idle[address.netloc]
            connection = kept.pop() if kept else None
        if connection:
            try:
                return self._exchange(connection, address, method, target, headers, body)
            except _GONE:
                connection.close()  # the other side had closed it meanwhile; all our requests may be repeated
        return self._exchange(_connection(address), address, method, target, headers, body)

    def _exchange(
        self,
        connection: http.client.HTTPSConnection,
        address: SplitResult,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Response:
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if self._keeps:
                self._idle[address.netloc].append(connection)
            else:
                connection.close()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


def _connection(address: SplitResult) -> http.client.HTTPSConnection:
    host, port = address.hostname or "", address.port or 443
    proxy = None if is_loopback(host) or proxy_bypass_environment(host) else getproxies_environment().get("https")
    if not proxy:
        return http.client.HTTPSConnection(host, port, context=_tls(), timeout=TIMEOUT)
    through = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    connection = http.client.HTTPSConnection(
        through.hostname or "", through.port or 80, context=_tls(), timeout=TIMEOUT
    )
    authorization = {}
    if through.username:
        pair = f"{unquote(through.username)}:{unquote(through.password or '')}"
        authorization["Proxy-Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    connection.set_tunnel(host, port, authorization)
    return connection


def load_certificates() -> None:
    """Read now who is trusted, so that the first request need not wait for it."""
    _tls()


@cache
def _tls() -> ssl.SSLContext:
    """Who is trusted. OpenSSL knows both variables, but looks in a folder only for files named by hash."""
    context = ssl.create_default_context()
    for folder in filter(None, os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)):
        names = os.listdir(folder) if os.path.isdir(folder) else []
        if not any(map(_HASHED_NAME.match, names)):
            for name in names:
                _trust(context, Path(folder, name))
    return context


def _trust(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except (ssl.SSLError, OSError):
        return  # not a certificate; folders hold other things too


def _unreachable(address: SplitResult, error: Exception) -> Unreachable:
    where = address.netloc
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            f"{where}: its certificate is not trusted here ({error.verify_message}). {_bundle_hint()}", transient=False
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(f"{where}: no such name, or no network ({error.strerror}).", transient=False)
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{where}: nothing answers there (connection refused). Is this cloud running?", transient=True
        )
    return Unreachable(f"{where}: no answer ({str(error) or type(error).__name__}).", transient=True)


def _bundle_hint() -> str:
    named = os.environ.get("SSL_CERT_FILE")
    if not named:
        return "Name the CA bundle of this cloud in SSL_CERT_FILE."
    if not os.path.exists(named):
        return f"SSL_CERT_FILE names {named}, which does not exist."
    return f"SSL_CERT_FILE names {named}, which does not hold the CA of this cloud."
