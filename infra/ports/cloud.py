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
    from azure.core.credentials import TokenCredential

DATA_SCOPE = "https://cognitiveservices.azure.com/.default"
"""Scope of the classic data plane (Learn, Azure OpenAI with Microsoft Entra ID, as of October 2026)."""
_PUBLIC = ("AzureCloud", "https://management.azure.com", "https://management.azure.com/.default")
_METADATA = "/metadata/endpoints?api-version=2022-09-01"
_KNOWN_AUTHORITIES = ("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a cloud's resource manager is, and the scope of tokens for it."""

    name: str
    resource_manager: str
    scope: str


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
            return Endpoints(*_PUBLIC)
        import requests

        address = host if "://" in host else f"https://{host}"
        try:
            answer = requests.get(address.rstrip("/") + _METADATA, timeout=10)
            found = answer.json()
            return Endpoints(
                name=found["name"],
                resource_manager=str(found["resourceManager"]).rstrip("/"),
                scope=str(found["authentication"]["audiences"][0]).rstrip("/") + "/.default",
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
        from azure.identity import DefaultAzureCredential

        authority = self._environment.get("AZURE_AUTHORITY_HOST", "")
        private = bool(authority) and not any(known in authority for known in _KNOWN_AUTHORITIES)
        # Its own account of a failed login goes to the log in six lines; ours says the same in one.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        try:
            return DefaultAzureCredential(
                exclude_interactive_browser_credential=True,
                disable_instance_discovery=private,
                additionally_allowed_tenants=["*"],
            )
        except ValueError as error:
            raise LoginFailed(f"The login in the environment (AZURE_…) cannot be used: {error}") from error

    def token(self, scope: str, *, tenant: str | None = None) -> str:
        """An access token; kept until shortly before it expires. Raises LoginFailed or Unreachable."""
        import time

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

    def principal(self) -> str:
        """Object id of whoever is logged in, as its own token says."""
        payload = self.token(self.endpoints.scope).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get("oid", ""))


def login_error(error: Exception) -> HearthError:
    """What a failed login means, in one line, with the next move."""
    text = str(error)
    at = text.find("AADSTS")
    if at >= 0:
        fact = text[at:].split("Trace ID", maxsplit=1)[0].split("\n", maxsplit=1)[0].strip()
        return LoginFailed(f"Azure refused the login: {fact}")
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
        ("Failed to resolve", "its name is not known (no network?)"),
        ("Name or service not known", "its name is not known (no network?)"),
        ("Temporary failure in name resolution", "its name is not known (no network?)"),
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
