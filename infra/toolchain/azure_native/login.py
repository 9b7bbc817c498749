"""Tokens for the resource manager: one for each tenant, kept until shortly before they end.

A client secret and a federated token (OIDC) are exchanged right here, with one request. Everything else,
a certificate, a managed identity, a developer's own login, is left to azure-identity, which is loaded then.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from infra.toolchain.azure_native.cloud import Cloud
from infra.toolchain.azure_native.errors import LoginFailed, Misconfigured
from infra.toolchain.azure_native.settings import Secret, Settings
from infra.toolchain.azure_native.transport import Transport

_EARLY = 300.0  # seconds before its end that a token is asked for anew
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_OK = 200


class Login(Protocol):
    """A way to get a token."""

    def __call__(self, tenant: str) -> tuple[Secret, float]:
        """A token for a tenant, and for how many seconds it is good."""


class Tokens:
    """The tokens of one provider. Safe to use from any thread."""

    def __init__(
        self, login: Login, tenant: str, auxiliary: tuple[str, ...], now: Callable[[], float] = time.monotonic
    ) -> None:
        """`now` gives seconds of any clock that only goes forward."""
        self._login = login
        self._tenant = tenant
        self._auxiliary = auxiliary
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Secret, float]] = {}

    def headers(self) -> dict[str, str]:
        """The headers that authorize a request. Raises LoginFailed."""
        headers = {"Authorization": f"Bearer {self._token(self._tenant)}"}
        if self._auxiliary:
            bearers = (f"Bearer {self._token(tenant)}" for tenant in self._auxiliary)
            headers["x-ms-authorization-auxiliary"] = ", ".join(bearers)
        return headers

    def forget(self) -> None:
        """Ask for new tokens next time: the present ones were refused."""
        with self._lock:
            self._kept.clear()

    def _token(self, tenant: str) -> Secret:
        # Held while asking: a dozen resources that start together need one token, not a dozen.
        with self._lock:
            token, until = self._kept.get(tenant, (Secret(), 0.0))
            if not token or self._now() >= until:
                token, lasts = self._login(tenant)
                self._kept[tenant] = (token, self._now() + max(lasts - _EARLY, lasts / 2))
            return token


def login_for(settings: Settings, cloud: Cloud, transport: Transport) -> Login:
    """The way to log in that the settings ask for, in the official plugin's order. Raises Misconfigured."""
    if settings.use_default_credential:
        return _azure_identity(settings, cloud)
    if settings.client_certificate:
        _require(settings, "as a Service Principal using a Client Certificate", tenant=True)
        return _azure_identity(settings, cloud)
    if settings.client_secret:
        _require(settings, "as a Service Principal using a Client Secret", tenant=True)
        return _exchange(settings, cloud, transport, lambda: {"client_secret": settings.client_secret})
    if settings.use_oidc:
        _require(settings, "with OIDC", tenant=True)
        return _exchange(settings, cloud, transport, lambda: _assertion(settings, transport))
    if settings.use_msi:
        _require(settings, "as a Managed Identity using MSI", tenant=False)
    return _azure_identity(settings, cloud)


def _require(settings: Settings, how: str, *, tenant: bool) -> None:
    needed = {"Subscription ID": settings.subscription}
    if tenant:
        needed |= {"Tenant ID": settings.tenant, "Client ID": settings.client}
    for name, value in needed.items():
        if not value:
            raise Misconfigured(f"A {name} must be configured when authenticating {how}.")


def _exchange(settings: Settings, cloud: Cloud, transport: Transport, proof: Callable[[], Mapping[str, str]]) -> Login:
    """Client credentials for a token, at the cloud's own authority."""

    def login(tenant: str) -> tuple[Secret, float]:
        form = {"grant_type": "client_credentials", "client_id": settings.client, "scope": cloud.scope, **proof()}
        url = f"{cloud.login}/{quote(tenant)}/oauth2/v2.0/token"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = transport.send("POST", url, headers, urlencode(form).encode())
        said = _json(answer.body)
        if answer.status == _OK and said.get("access_token"):
            return Secret(said["access_token"]), float(said.get("expires_in", 0))
        # The authority's text: a code such as AADSTS7000215, then a sentence, then lines for its own logs.
        reason = str(said.get("error_description") or said.get("error") or f"status {answer.status}").splitlines()[0]
        raise LoginFailed(f"{cloud.login}: login as client {settings.client} in tenant {tenant} failed. {reason}")

    return login


def _assertion(settings: Settings, transport: Transport) -> Mapping[str, str]:
    """A token of another issuer's that says who we are, read anew each time: it is short-lived."""
    token = settings.oidc_token
    if not token and settings.oidc_token_file:
        try:
            token = Secret(Path(settings.oidc_token_file).read_text().strip())
        except OSError as error:
            raise LoginFailed(f"{settings.oidc_token_file}: cannot read the OIDC token ({error.strerror}).") from error
    if not token and settings.oidc_request_url and settings.oidc_request_token:
        token = _requested_assertion(settings, transport)
    if not token:
        raise LoginFailed("A OIDC token or request URL and token must be configured when authenticating with OIDC.")
    return {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": token}


def _requested_assertion(settings: Settings, transport: Transport) -> Secret:
    separator = "&" if "?" in settings.oidc_request_url else "?"
    audience = urlencode({"audience": settings.oidc_audience or "api://AzureADTokenExchange"})
    answer = transport.send(
        "GET",
        f"{settings.oidc_request_url}{separator}{audience}",
        {"Authorization": f"Bearer {settings.oidc_request_token}", "Accept": "application/json"},
    )
    value = _json(answer.body).get("value")
    if answer.status != _OK or not value:
        raise LoginFailed(f"The OIDC token request was answered with status {answer.status} and no token.")
    return Secret(value)


def _azure_identity(settings: Settings, cloud: Cloud) -> Login:
    credential: list[Any] = []  # made at the first request, in the thread that needs it

    def login(tenant: str) -> tuple[Secret, float]:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 -- half a second, for those who need it

        try:
            if not credential:
                credential.append(_make_credential(settings, cloud))
            options = {"tenant_id": tenant} if tenant else {}
            token = credential[0].get_token(cloud.scope, **options)
        except (AzureError, ValueError, OSError) as error:
            raise LoginFailed(
                "No login found: set ARM_CLIENT_ID, ARM_CLIENT_SECRET and ARM_TENANT_ID, or log in with `az login`. "
                f"azure-identity said: {str(error).strip().splitlines()[0]}"
            ) from error
        return Secret(token.token), token.expires_on - time.time()

    return login


def _make_credential(settings: Settings, cloud: Cloud) -> Any:
    from azure import identity  # noqa: PLC0415

    bundle = os.environ.get("SSL_CERT_FILE")  # azure-identity's HTTP library does not look there itself
    common = {"authority": cloud.login, "additionally_allowed_tenants": list(settings.auxiliary_tenants)}
    if bundle:
        common["connection_verify"] = bundle
    if settings.client_certificate and not settings.use_default_credential:
        return identity.CertificateCredential(
            settings.tenant,
            settings.client,
            settings.client_certificate,
            password=settings.client_certificate_password or None,
            disable_instance_discovery=True,
            **common,
        )
    if settings.use_msi:
        return identity.ManagedIdentityCredential(client_id=settings.client or None)
    return identity.DefaultAzureCredential(**common)


def _json(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
