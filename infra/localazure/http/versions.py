"""What an api-version knows: properties that came later are neither taken nor shown.

From the specs of 2023-05-01 and 2024-10-01 and the Bicep types of later versions.
"""

from __future__ import annotations

import re
from datetime import datetime

from infra.localazure import bodies, errors
from infra.localazure.entities import Json

_VERSION = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})(-preview|-alpha|-beta)?")
PATCH_SINCE = "2024-10-01"
"""First stable version with a PATCH of deployments."""
DEPLOYMENT_SINCE = {
    "publisher": "2024-10-01",
    "sourceAccount": "2024-10-01",
    "currentCapacity": "2024-10-01",
    "parentDeploymentName": "2024-10-01",
    "spilloverDeploymentName": "2025-06-01",
    "deploymentState": "2025-12-01",
    "serviceTier": "2025-12-01",
}


def is_version(version: str) -> bool:
    """Whether this is an api-version by its form: a date, with or without -preview."""
    match = _VERSION.fullmatch(version)
    try:
        return match is not None and bool(datetime.strptime(match["day"], "%Y-%m-%d"))  # noqa: DTZ007 - form alone
    except ValueError:
        return False


def of_query(query: dict[str, str]) -> str:
    """The api-version of a request to the resource manager; refuses none and what is none."""
    version = next((v for k, v in query.items() if k.lower() == "api-version"), "")
    if not version:
        raise errors.NO_API_VERSION()
    if not is_version(version):
        raise errors.BAD_API_VERSION(version=version)
    return version


def known(properties: Json, version: str) -> Json:
    """The properties of a deployment, or of its model, that a version shows."""
    day = version[:10]
    return {name: value for name, value in properties.items() if DEPLOYMENT_SINCE.get(name, "") <= day}


def deployment(body: Json, version: str) -> bodies.Deployment:
    """The PUT of a deployment as a version reads it: unknown properties are ignored."""
    properties = body.get("properties")
    if isinstance(properties, dict):
        properties = known(properties, version)
        if isinstance(properties.get("model"), dict):
            properties["model"] = known(properties["model"], version)
        body = {**body, "properties": properties}
    return bodies.convert(body, bodies.Deployment)
