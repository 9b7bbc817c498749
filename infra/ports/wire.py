"""Connections over TLS that share what they know of certificates.

requests reads the authorities' certificates anew for every connection: some hundred and forty of them for public Azure.
"""

from __future__ import annotations

import threading
from pathlib import Path
from ssl import SSLContext
from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import SSLError
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context


class Wire(HTTPAdapter):
    """The adapter of requests, with the certificates of a bundle read once."""

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
