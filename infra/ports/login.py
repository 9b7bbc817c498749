"""Which login to use: the one that the provider uses, where its own variables name one; else what Azure's SDKs find.

The proofs must speak for the identity that writes. pulumi-azure-native reads ARM_… variables (its client code as of
3.29.0: certificate, secret, OIDC, managed identity, then the Azure CLI); Azure's SDKs read AZURE_… ones.

A pipeline's own token (OIDC) is good for minutes, Azure's for an hour or so, a rollout lasts longer than both: so the
pipeline is asked for a fresh one each time that Azure's runs out, never once for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import LoginFailed, Unreachable

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

_ON = {"true", "1"}
_AUDIENCE = "api://AzureADTokenExchange"
_NAMED = ("ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH")
_CONNECTIONS = (
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID",
    "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
)


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
        if uses_oidc(environment):
            if _on_azure_pipelines(environment):
                return identity.AzurePipelinesCredential(
                    tenant_id=tenant,
                    client_id=client,
                    service_connection_id=_connection(environment),
                    system_access_token=environment.get("SYSTEM_ACCESSTOKEN", ""),
                    **common,
                )
            return identity.ClientAssertionCredential(tenant, client, lambda: assertion(environment), **common)
    if environment.get("ARM_USE_MSI", "").lower() in _ON:
        return identity.ManagedIdentityCredential(client_id=client or None)
    return identity.DefaultAzureCredential(exclude_interactive_browser_credential=True, **common)


def uses_oidc(environment: Mapping[str, str]) -> bool:
    """Whether an environment asks for a login by a pipeline's own token."""
    return environment.get("ARM_USE_OIDC", "").lower() in _ON


def asks_for_itself(environment: Mapping[str, str]) -> bool:
    """Whether a pipeline gives out fresh tokens here, and no other token is named."""
    if any(environment.get(name) for name in _NAMED):
        return False
    return bool(environment.get("SYSTEM_OIDCREQUESTURI") or _request(environment)[0])


def engine_asks(environment: Mapping[str, str]) -> bool:
    """Whether the provider asks the pipeline itself: it knows GitHub's way alone (3.29.0), not Azure Pipelines'."""
    return not _on_azure_pipelines(environment)


def assertion(environment: Mapping[str, str]) -> str:
    """What the pipeline proves itself with: a token given, one in a file, or a fresh one that it gives out.

    The provider's order. Raises LoginFailed or Unreachable.
    """
    if given := environment.get("ARM_OIDC_TOKEN"):
        return given
    if file := environment.get("ARM_OIDC_TOKEN_FILE_PATH"):
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise LoginFailed(f"{file} (ARM_OIDC_TOKEN_FILE_PATH) cannot be read: {error.strerror}") from error
    if _on_azure_pipelines(environment):
        where, bearer = environment["SYSTEM_OIDCREQUESTURI"], environment.get("SYSTEM_ACCESSTOKEN", "")
        more = {"api-version": "7.1", "serviceConnectionId": _connection(environment)}
        return _asked("POST", where, bearer, more, "oidcToken")
    where, bearer = _request(environment)
    if not where or not bearer:
        raise LoginFailed(
            "ARM_USE_OIDC is set, and nothing gives a token: a job on GitHub needs `permissions: id-token: write`; "
            "elsewhere set ARM_OIDC_TOKEN_FILE_PATH"
        )
    return _asked("GET", where, bearer, {"audience": environment.get("ARM_OIDC_AUDIENCE", _AUDIENCE)}, "value")


def _asked(method: str, where: str, bearer: str, more: Mapping[str, str], name: str) -> str:
    """A fresh token of the pipeline's; what it says where it gives none never holds the bearer."""
    import requests

    headers = {"Authorization": f"Bearer {bearer}", "X-TFS-FedAuthRedirect": "Suppress"}
    try:
        answer = requests.request(method, where, params=dict(more), headers=headers, timeout=30)
    except requests.RequestException as error:
        raise Unreachable(f"The pipeline's token service does not answer: {type(error).__name__}") from error
    try:
        return str(answer.json()[name])
    except (ValueError, KeyError, TypeError) as error:
        raise LoginFailed(f"The pipeline's token service gave no token (status {answer.status_code})") from error


def _on_azure_pipelines(environment: Mapping[str, str]) -> bool:
    """Whether Azure Pipelines is to be asked: a file beside a service connection is the one that we keep for others."""
    if not environment.get("SYSTEM_OIDCREQUESTURI") or environment.get("ARM_OIDC_TOKEN"):
        return False
    if environment.get("ARM_OIDC_REQUEST_URL"):
        return False
    file = environment.get("ARM_OIDC_TOKEN_FILE_PATH")
    return not file or any(environment.get(name) for name in _CONNECTIONS)


def _connection(environment: Mapping[str, str]) -> str:
    """The service connection's id: Azure Pipelines' own tasks set the first, Terraform's users know the others."""
    found = next((environment[name] for name in _CONNECTIONS if environment.get(name)), "")
    if not found:
        raise LoginFailed(f"Azure Pipelines gives a token of a service connection: name its id in {_CONNECTIONS[0]}")
    return found


def _request(environment: Mapping[str, str]) -> tuple[str, str]:
    where = environment.get("ARM_OIDC_REQUEST_URL") or environment.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    bearer = environment.get("ARM_OIDC_REQUEST_TOKEN") or environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    return where, bearer
