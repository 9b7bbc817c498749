"""Which login to use: the one that the provider uses, where its own variables name one; else what Azure's SDKs find.

The proofs must speak for the identity that writes. pulumi-azure-native reads ARM_… variables (its client code as of
3.29.0: certificate, secret, OIDC, managed identity, then the Azure CLI); Azure's SDKs read AZURE_… ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

_ON = {"true", "1"}
_AUDIENCE = "api://AzureADTokenExchange"


class InTenant:
    """A login whose tokens are those of another tenant, in which the same application must be known."""

    def __init__(self, credential: TokenCredential, tenant: str) -> None:
        """Wrap a credential that may get tokens of any tenant."""
        self._credential, self._tenant = credential, tenant

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token of the tenant, whatever tenant was asked for."""
        return self._credential.get_token(*scopes, **{**options, "tenant_id": self._tenant})


def credential(environment: Mapping[str, str], *, disable_instance_discovery: bool) -> TokenCredential:
    """The login that an environment names. Raises ValueError or OSError for variables that make none."""
    from azure import identity

    common: dict[str, Any] = {
        "disable_instance_discovery": disable_instance_discovery,
        "additionally_allowed_tenants": ["*"],
    }
    tenant, client = environment.get("ARM_TENANT_ID", ""), environment.get("ARM_CLIENT_ID", "")
    if tenant and client:
        if certificate := environment.get("ARM_CLIENT_CERTIFICATE_PATH"):
            password = environment.get("ARM_CLIENT_CERTIFICATE_PASSWORD")
            return identity.CertificateCredential(tenant, client, certificate, password=password, **common)
        if secret := environment.get("ARM_CLIENT_SECRET"):
            return identity.ClientSecretCredential(tenant, client, secret, **common)
        if environment.get("ARM_USE_OIDC", "").lower() in _ON:
            return identity.ClientAssertionCredential(tenant, client, lambda: _assertion(environment), **common)
    if environment.get("ARM_USE_MSI", "").lower() in _ON:
        return identity.ManagedIdentityCredential(client_id=client or None)
    return identity.DefaultAzureCredential(exclude_interactive_browser_credential=True, **common)


def _assertion(environment: Mapping[str, str]) -> str:
    """What the pipeline proves itself with: a token given, one in a file, or one that its own service gives out."""
    if given := environment.get("ARM_OIDC_TOKEN"):
        return given
    if file := environment.get("ARM_OIDC_TOKEN_FILE_PATH"):
        return Path(file).read_text().strip()
    address = environment.get("ARM_OIDC_REQUEST_URL") or environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    bearer = environment.get("ARM_OIDC_REQUEST_TOKEN") or environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not address or not bearer:
        raise ValueError("ARM_USE_OIDC is set, and no ARM_OIDC_TOKEN, _TOKEN_FILE_PATH or _REQUEST_URL names a token")
    import requests

    audience = environment.get("ARM_OIDC_AUDIENCE", _AUDIENCE)
    answer = requests.get(
        address, params={"audience": audience}, headers={"Authorization": f"Bearer {bearer}"}, timeout=30
    )
    answer.raise_for_status()
    return str(json.loads(answer.content)["value"])
