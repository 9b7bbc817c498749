"""Which Azure this is, and who we are to it.

A cloud is found the way Azure's own tools find it: ARM_METADATA_HOSTNAME (else public Azure), AZURE_AUTHORITY_HOST, the
machine's certificates, ordinary credentials. Local Azure is one more cloud; nothing here knows of it.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from infra.errors import HearthError, LoginFailed, Refused, Unreachable

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.pipeline.transport import RequestsTransport

DATA_SCOPE = "https://cognitiveservices.azure.com/.default"
"""Scope of the classic data plane (Learn, Azure OpenAI with Microsoft Entra ID, as of October 2026)."""
NAME_NOT_KNOWN = "its name is not known (no network?)"
_PUBLIC = ("AzureCloud", "https://management.azure.com", "https://management.azure.com/.default")
CONNECTIONS = 64
"""Most connections that are kept open to one host: as many calls may run side by side."""
TIMEOUT = (10, 60)
"""Seconds to wait for a connection, and for an answer."""
LONGEST_WAIT = 60.0
"""Seconds that a Retry-After is honoured within a call; who asked hears of a longer one."""
_METRICS = {
    "https://management.azure.com": "https://{region}.metrics.monitor.azure.com",
    "https://management.usgovcloudapi.net": "https://{region}.metrics.monitor.azure.us",
    "https://management.chinacloudapi.cn": "https://{region}.metrics.monitor.azure.cn",
}
"""By resource manager, for Azure's metadata names no endpoint of metrics (audiences of azure-monitor-query, 2024; that
the hosts follow them is confirmed of public Azure alone). A cloud may name its own there, as `metricsEndpoint`."""
METADATA = "/metadata/endpoints?api-version=2022-09-01"
_KNOWN_AUTHORITIES = ("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn")
IMPORTING = threading.RLock()
"""Held while a package of Azure's is imported where it is first needed: their modules import each other, and when two
threads begin at once, one of them meets a module that is half there."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a cloud's resource manager is, and the scope of tokens for it."""

    name: str
    resource_manager: str
    scope: str
    metrics: str = ""
    """Where a region's metrics are asked for in batches, with {region} in its place; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who is logged in, as its own token says."""

    credential: str
    """The kind of login that answered, as azure-identity calls it; empty where that cannot be told."""
    tenant: str
    principal: str
    """Object id."""
    principal_type: str
    """ServicePrincipal or User; empty where the token does not say."""
    name: str
    """User name or client id."""


class Cloud:
    """The Azure that the environment names, and the login that it gives. Both are looked up once, when needed."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Read `environment` (default: the process's own)."""
        self._environment = os.environ if environment is None else environment
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str | None], Any] = {}

    @cached_property
    def endpoints(self) -> Endpoints:
        """The cloud's endpoints; asks the metadata host where one is named. Raises Unreachable or Refused."""
        host = self._environment.get("ARM_METADATA_HOSTNAME", "")
        if not host:
            return Endpoints(*_PUBLIC, metrics=_METRICS[_PUBLIC[1]])
        import requests

        address = host if "://" in host else f"https://{host}"
        try:
            answer = requests.get(address.rstrip("/") + METADATA, timeout=10)
            found = answer.json()
            manager = str(found["resourceManager"]).rstrip("/")
            return Endpoints(
                name=found["name"],
                resource_manager=manager,
                scope=str(found["authentication"]["audiences"][0]).rstrip("/") + "/.default",
                metrics=str(found.get("metricsEndpoint") or _METRICS.get(manager, "")),
            )
        except requests.RequestException as error:
            raise Unreachable(
                f"The cloud's metadata host {host} (ARM_METADATA_HOSTNAME) does not answer: {brief(error)}. "
                f"{_hint(host, brief(error))}"
            ) from error
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise Refused(f"{host} (ARM_METADATA_HOSTNAME) does not describe an Azure cloud: {error!r}") from error

    @cached_property
    def credential(self) -> TokenCredential:
        """The login that the environment gives: a service principal, a federated or managed identity, or `az login`.

        Raises LoginFailed for variables that make no login.
        """
        from infra.ports import login

        authority = self._environment.get("AZURE_AUTHORITY_HOST", "")
        private = bool(authority) and not any(known in authority for known in _KNOWN_AUTHORITIES)
        # Its own account of a failed login goes to the log in six lines; ours says the same in one.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        try:
            with IMPORTING:
                return login.credential(self._environment, disable_instance_discovery=private)
        except (ValueError, OSError) as error:
            raise LoginFailed(f"The login in the environment (AZURE_…) cannot be used: {error}") from error

    @cached_property
    def session(self) -> requests.Session:
        """The connections that calls without a client library of their own share."""
        with IMPORTING:
            from infra.ports.wire import Connections

        return Connections(CONNECTIONS)

    def transport(self) -> RequestsTransport:
        """The same connections for Azure's client libraries."""
        with IMPORTING:
            from azure.core.pipeline.transport import RequestsTransport

        connect, read = TIMEOUT
        return RequestsTransport(
            session=self.session, session_owner=False, connection_timeout=connect, read_timeout=read
        )

    def retries(self, **how: Any) -> RetryPolicy[Any, Any]:
        """What is tried again by Azure's client libraries: nothing that asks to be waited for longer than a minute."""
        with IMPORTING:
            from azure.core.pipeline.policies import RetryPolicy

        class Capped(RetryPolicy[Any, Any]):
            def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
                wait = self.get_retry_after(response)
                return (wait is None or wait <= LONGEST_WAIT) and bool(super().is_retry(settings, response))

        return Capped(**how)

    def token(self, scope: str, *, tenant: str | None = None) -> str:
        """An access token; kept until shortly before it expires. Raises LoginFailed or Unreachable."""
        import time

        with IMPORTING:
            from azure.core.exceptions import AzureError

        with self._lock:
            held = self._tokens.get((scope, tenant))
            if held is None or held.expires_on - 300 < time.time():
                try:
                    held = self.credential.get_token(scope, tenant_id=tenant)
                except AzureError as error:
                    raise login_error(error) from error
                self._tokens[scope, tenant] = held
            return str(held.token)

    def credential_of(self, tenant: str | None) -> TokenCredential:
        """The login, with tokens of another tenant where one is named. Raises LoginFailed."""
        from infra.ports import login

        return login.InTenant(self.credential, tenant) if tenant else self.credential

    def principal(self) -> str:
        """Object id of whoever is logged in, as its own token says."""
        return self.login().principal

    def login(self) -> Login:
        """Who is logged in. Raises LoginFailed, Unreachable, Refused."""
        payload = self.token(self.endpoints.scope).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        # azure-identity tells which credential of its chain answered only in its log and here.
        answered = getattr(self.credential, "_successful_credential", self.credential)
        return Login(
            credential=type(answered).__name__ if answered is not None else "",
            tenant=str(claims.get("tid", "")),
            principal=str(claims.get("oid", "")),
            principal_type={"app": "ServicePrincipal", "user": "User"}.get(str(claims.get("idtyp", "")), ""),
            name=str(claims.get("upn") or claims.get("appid") or ""),
        )


def login_error(error: Exception) -> HearthError:
    """What a failed login means, in one line, with the next move."""
    text = str(error)
    at = text.find("AADSTS")
    if at >= 0:
        fact = text[at:].split("Trace ID", maxsplit=1)[0].split("\n", maxsplit=1)[0].strip()
        return LoginFailed(f"Azure refused the login: {fact}")
    response: Any = getattr(
        error, "response", None
    )  # the sentence of AzurePipelinesCredential gives way to the body's own
    if "serviceConnectionId=" in str(getattr(getattr(response, "request", None), "url", "")):
        return LoginFailed(
            f"Azure Pipelines gave no token for the service connection (status {response.status_code}): {brief(error)}"
        )
    if any(word in text for word in ("Failed to resolve", "Max retries", "Connection", "certificate verify failed")):
        return Unreachable(f"The login server cannot be reached: {brief(error)}")
    return LoginFailed(
        "No login to Azure was found. Run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET "
        '(for local Azure: eval "$(hearth local env)").'
    )


def brief(error: Exception) -> str:
    """The fact inside a network library's error."""
    text = " ".join(str(error).split())
    for mark, fact in (
        ("certificate verify failed", "its certificate is not trusted (REQUESTS_CA_BUNDLE, SSL_CERT_FILE)"),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted (REQUESTS_CA_BUNDLE, SSL_CERT_FILE)"),
        ("Connection refused", "connection refused"),
        ("Failed to resolve", NAME_NOT_KNOWN),
        ("Name or service not known", NAME_NOT_KNOWN),
        ("Temporary failure in name resolution", NAME_NOT_KNOWN),
        ("timed out", "no answer in time"),
        ("Remote end closed", "the connection was closed"),
        ("Connection reset", "the connection was reset"),
    ):
        if mark in text:
            return fact
    return text[:200]


def _hint(host: str, fact: str) -> str:
    if "certificate" in fact:
        return "Name the bundle that holds its authority there."
    if host.split(":", maxsplit=1)[0] in {"localhost", "127.0.0.1"}:
        return "Is local Azure running? hearth local start"
    return "Check the name and the network."
