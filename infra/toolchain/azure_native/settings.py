"""The provider's configuration: what the stack says (`azure-native:*`), else the environment (`ARM_*`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from infra.toolchain.azure_native.errors import Misconfigured

_PREFIX = "azure-native:config:"


class Secret(str):
    """A string that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Settings:
    """Who acts, where, in which cloud. Empty strings stand for what nobody has said."""

    subscription: str
    location: str
    metadata_host: str
    environment: str
    tenant: str
    client: str
    client_secret: Secret
    client_certificate: str
    client_certificate_password: Secret
    auxiliary_tenants: tuple[str, ...]
    use_oidc: bool
    oidc_token: Secret
    oidc_token_file: str
    oidc_request_url: str
    oidc_request_token: Secret
    oidc_audience: str
    use_msi: bool
    use_default_credential: bool


def read_settings(variables: Mapping[str, str], env: Mapping[str, str]) -> Settings:
    """The settings in a Configure request's variables and in the environment. Raises Misconfigured."""

    def get(name: str, *env_names: str) -> str:
        if f"{_PREFIX}{name}" in variables:
            return variables[f"{_PREFIX}{name}"]
        return next((env[key] for key in env_names if env.get(key)), "")

    return Settings(
        subscription=get("subscriptionId", "ARM_SUBSCRIPTION_ID"),
        location=get("location"),
        metadata_host=get("metadataHost", "ARM_METADATA_HOSTNAME"),
        environment=get("environment", "AZURE_ENVIRONMENT", "ARM_ENVIRONMENT"),
        tenant=get("tenantId", "ARM_TENANT_ID"),
        client=get("clientId", "ARM_CLIENT_ID"),
        client_secret=Secret(get("clientSecret", "ARM_CLIENT_SECRET")),
        client_certificate=get("clientCertificatePath", "ARM_CLIENT_CERTIFICATE_PATH"),
        client_certificate_password=Secret(get("clientCertificatePassword", "ARM_CLIENT_CERTIFICATE_PASSWORD")),
        auxiliary_tenants=_list(get("auxiliaryTenantIds", "ARM_AUXILIARY_TENANT_IDS")),
        use_oidc=get("useOidc", "ARM_USE_OIDC") == "true",
        oidc_token=Secret(get("oidcToken", "ARM_OIDC_TOKEN")),
        oidc_token_file=get("oidcTokenFilePath", "ARM_OIDC_TOKEN_FILE_PATH"),
        oidc_request_url=get("oidcRequestUrl", "ARM_OIDC_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL"),
        oidc_request_token=Secret(get("oidcRequestToken", "ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")),
        oidc_audience=get("oidcAudience", "ARM_OIDC_AUDIENCE"),
        use_msi=get("useMsi", "ARM_USE_MSI") == "true",
        use_default_credential=get("useDefaultAzureCredential", "ARM_USE_DEFAULT_AZURE_CREDENTIAL") == "true",
    )


def _list(text: str) -> tuple[str, ...]:
    """A JSON list of strings, as the provider's configuration has it."""
    if not text:
        return ()
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Misconfigured('azure-native:auxiliaryTenantIds: should be a JSON list of tenant ids, such as ["1111…"].')
    return tuple(values)
