"""The few functions of the official plugin that cost nothing to offer."""

import base64
import json
from typing import Any

from infra.toolchain.azure_native.errors import PluginError
from infra.toolchain.azure_native.login import Tokens
from infra.toolchain.azure_native.settings import Settings

CLIENT_CONFIG = "azure-native:authorization:getClientConfig"


class NoSuchFunction(PluginError):
    """The stand-in does not offer this function."""


def invoke(function: str, settings: Settings, tokens: Tokens) -> dict[str, Any]:
    """Call a function; what it returns. Raises NoSuchFunction."""
    if function != CLIENT_CONFIG:
        raise NoSuchFunction(
            f"{function}: the stand-in azure-native plugin offers only {CLIENT_CONFIG}. "
            f"Install the official plugin for this function."
        )
    claims = _claims(tokens.headers()["Authorization"])
    return {
        "clientId": settings.client or claims.get("appid", ""),
        "objectId": claims.get("oid", ""),
        "subscriptionId": settings.subscription,
        "tenantId": settings.tenant or claims.get("tid", ""),
    }


def _claims(authorization: str) -> dict[str, Any]:
    """What the token says about its bearer. Nobody is believed here: Azure checks it when it is used."""
    payload = authorization.removeprefix("Bearer ").split(".")[1:2]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload[0] + "=" * (-len(payload[0]) % 4)))
    except (ValueError, IndexError):
        return {}
    return claims if isinstance(claims, dict) else {}
