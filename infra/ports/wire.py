"""Connections for thousands of small calls: requests, without what it does anew for every connection and every call."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from ssl import SSLContext
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import SSLError
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

_ADDRESS = re.compile(r"https://[-.0-9:a-z]+/[-!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~]*")
"""An address with nothing in it that is to be escaped."""


class Connections(requests.Session):
    """Connections that calls share. What a client library has made ready to send is sent as it is."""

    def __init__(self, most: int) -> None:
        """Keep at most so many connections to a host."""
        super().__init__()
        self.mount("https://", Wire(pool_connections=most, pool_maxsize=most))

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """The request as it is sent; what has its login in it needs no putting together and no netrc."""
        headers = {str(name).lower() for name in request.headers or ()}
        body = request.data if isinstance(request.data, bytes | str) and "content-length" in headers else None
        whole = body is not None or (request.method == "GET" and not request.data)
        more = request.params or request.files or request.json or request.auth or request.cookies or self.cookies
        if "authorization" not in headers or not whole or more or not _ADDRESS.fullmatch(str(request.url)):
            return super().prepare_request(request)
        made = requests.PreparedRequest()
        made.method, made.url, made.body = request.method, str(request.url), body
        made.headers = CaseInsensitiveDict({**self.headers, **request.headers})
        made.hooks = default_hooks()
        return made


class Wire(HTTPAdapter):
    """The adapter of requests, with the certificates of a bundle read once.

    requests reads them anew for every connection: some hundred and forty for public Azure.
    """

    def __init__(self, **pool: Any) -> None:
        """`pool` is the adapter's own."""
        self._lock = threading.Lock()
        self._contexts: dict[str, SSLContext] = {}
        super().__init__(**pool)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Where to connect, and how to trust it; raises SSLError for a bundle that cannot be read."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if verify:
            bundle = pool.pop("ca_certs", None) or pool.pop("ca_cert_dir", None) or DEFAULT_CA_BUNDLE_PATH
            pool["ssl_context"] = self._context(str(bundle))
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing is left to say where the context has the certificates."""
        if not verify:
            super().cert_verify(conn, url, verify, cert)

    def _context(self, bundle: str) -> SSLContext:
        with self._lock:
            if bundle not in self._contexts:
                made = create_urllib3_context()  # requires a certificate, and the host's name in it
                try:
                    made.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
                except OSError as error:
                    raise SSLError(f"{bundle} holds no certificates of authorities: {error}") from error
                self._contexts[bundle] = made
            return self._contexts[bundle]
