"""Which cloud: the endpoints that its metadata service names, and whether the stand-in may work there."""

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from infra.toolchain.azure_native.errors import Misconfigured, NotHere
from infra.toolchain.azure_native.settings import Settings
from infra.toolchain.versions import AZURE_NATIVE

if TYPE_CHECKING:
    from infra.toolchain.azure_native.transport import Transport

CONSENT = "HEARTH_STANDIN_BEYOND_LOOPBACK"
CONSENT_VALUE = "yes-write-to-this-cloud-with-the-stand-in"
_METADATA_PATH = "/metadata/endpoints?api-version=2022-09-01"


@dataclass(frozen=True, slots=True)
class Cloud:
    """The endpoints that the plugin uses. No trailing slashes but in the audience, where they belong."""

    name: str
    resource_manager: str
    login: str
    audience: str

    @property
    def scope(self) -> str:
        """What a token is asked for."""
        return f"{self.audience}/.default"


def find_cloud(settings: Settings, transport: "Transport", env: Mapping[str, str] = os.environ) -> Cloud:
    """The cloud that the settings mean. Raises NotHere when the stand-in may not work in it."""
    if settings.metadata_host:
        cloud = _described_by(settings.metadata_host, transport)
    elif _has_consent(env):
        cloud = _public(settings)
    else:
        raise NotHere(_refusal("no metadata host is configured, so public Azure is meant"))
    require_here(cloud.resource_manager, env)
    return cloud


def require_here(url: str, env: Mapping[str, str] = os.environ) -> None:
    """Raise NotHere unless `url` is on loopback, or the user has asked for more in so many words."""
    host = urlsplit(url).hostname or ""
    if not is_loopback(host) and not _has_consent(env):
        raise NotHere(_refusal(f"{host} is not this machine"))


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by what it is called and without asking anybody."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _has_consent(env: Mapping[str, str]) -> bool:
    return env.get(CONSENT) == CONSENT_VALUE


def _refusal(fact: str) -> str:
    return (
        f"The stand-in for the azure-native plugin writes to a resource manager on this machine only, and {fact}. "
        f"Install the official plugin (pulumi plugin install resource azure-native {AZURE_NATIVE}), or set "
        f"ARM_METADATA_HOSTNAME to a local Azure. {CONSENT}={CONSENT_VALUE} overrules this."
    )


def _described_by(host: str, transport: "Transport") -> Cloud:
    url = (host if "://" in host else f"https://{host}").rstrip("/") + _METADATA_PATH
    answer = transport.send("GET", url, {"Accept": "application/json"})
    try:
        described: dict[str, Any] = json.loads(answer.body)
        authentication = described["authentication"]
        return Cloud(
            name=described["name"],
            resource_manager=described["resourceManager"].rstrip("/"),
            login=authentication["loginEndpoint"].rstrip("/"),
            audience=authentication["audiences"][0],
        )
    except (ValueError, LookupError, TypeError) as error:
        raise Misconfigured(
            f"{host}: its answer ({answer.status}) does not describe a cloud. Is it the metadata host of one?"
        ) from error


def _public(settings: Settings) -> Cloud:
    """One of Azure's own clouds, as its libraries know them."""
    from azure.core import AzureClouds  # noqa: PLC0415 -- heavy, and needed by nobody who stays on loopback
    from azure.identity import AzureAuthorityHosts  # noqa: PLC0415
    from azure.mgmt.core.tools import get_arm_endpoints  # noqa: PLC0415

    clouds = {
        "": (AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
        "public": (AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
        "usgovernment": (AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
        "china": (AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
    }
    if settings.environment.lower() not in clouds:
        known = ", ".join(filter(None, clouds))
        raise Misconfigured(f'azure-native:environment: "{settings.environment}" is not one of {known}.')
    cloud, authority = clouds[settings.environment.lower()]
    endpoints = get_arm_endpoints(cloud)
    manager = endpoints["resource_manager"].rstrip("/")
    return Cloud(
        cloud.name, manager, f"https://{authority}", endpoints["credential_scopes"][0].removesuffix("/.default")
    )
