"""What an api-version knows: properties that came later are neither taken nor shown.

From the specs of 2023-05-01 and 2024-10-01 and the Bicep types of later versions.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from infra.localazure import bodies, errors
from infra.localazure.entities import Json

KNOWN = tuple(
    f"{year}-{day}"
    for year, days in {
        "2017": "04-18",  # of the operations that are followed
        "2021": "04-30 10-01",
        "2022": "03-01 10-01 12-01",
        "2023": "05-01",
        "2024": "10-01 04-01-preview 06-01-preview",
        "2025": "06-01 09-01 12-01 04-01-preview 07-01-preview",
        "2026": "03-01 05-01 07-01 01-15-preview 03-15-preview 05-15-preview 09-15-preview",
    }.items()
    for day in days.split()
)
"""Versions of Microsoft.CognitiveServices that Microsoft's pages and packages name (2026)."""
_VERSION = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})(-preview|-alpha|-beta)?")
_OWN = re.compile(r"/providers/Microsoft\.CognitiveServices/(?P<type>[^/]+)", re.IGNORECASE)
PATCH_SINCE = "2024-10-01"
"""First stable version with a PATCH of deployments."""
PAUSE_SINCE = "2026-03-15"
"""First preview with pause and resume of deployments; no stable version has them."""
ACCOUNT_SINCE = {
    "amlWorkspace": "2024-10-01",
    "raiMonitorConfig": "2024-10-01",
    "allowProjectManagement": "2025-06-01",
    "defaultProject": "2025-06-01",
    "associatedProjects": "2025-06-01",
    "storedCompletionsDisabled": "2025-09-01",
}
DEPLOYMENT_SINCE = {
    "publisher": "2024-10-01",
    "sourceAccount": "2024-10-01",
    "currentCapacity": "2024-10-01",
    "parentDeploymentName": "2024-10-01",
    "spilloverDeploymentName": "2025-06-01",
    "deploymentState": "2025-12-01",
    "serviceTier": "2025-12-01",
}

V1, V1_WORDS = "v1", frozenset({"", "v1", "preview", "latest"})
"""The data plane's v1 as a version, and what its paths may give as api-version."""
DATA = frozenset(
    {
        "2022-12-01",
        "2023-03-15-preview",
        "2023-05-15",
        "2023-06-01-preview",
        "2023-07-01-preview",
        "2023-08-01-preview",
        "2023-09-01-preview",
        "2023-10-01-preview",
        "2023-12-01-preview",
        "2024-02-01",
        "2024-02-15-preview",
        "2024-03-01-preview",
        "2024-04-01-preview",
        "2024-05-01-preview",
        "2024-06-01",
        "2024-07-01-preview",
        "2024-08-01-preview",
        "2024-09-01-preview",
        "2024-10-01-preview",
        "2024-10-21",
        "2024-12-01-preview",
        "2025-01-01-preview",
        "2025-02-01-preview",
        "2025-03-01-preview",
        "2025-04-01-preview",
    }
)
"""The versions of the data plane's classic paths that there ever were; v1 took their place. Retired ones answer too."""


@lru_cache(1024)
def is_version(version: str) -> bool:
    """Whether this is an api-version by its form: a date, with or without -preview."""
    match = _VERSION.fullmatch(version)
    try:
        return match is not None and bool(datetime.strptime(match["day"], "%Y-%m-%d"))  # noqa: DTZ007 - form alone
    except ValueError:
        return False


def of_data_query(query: dict[str, str], *, v1: bool) -> str:
    """The api-version of a request to the data plane, V1 for its paths; another than Azure knows is refused."""
    version = _given(query)
    if v1:
        if version.lower() not in V1_WORDS:
            raise errors.BAD_V1_VERSION()
        return V1
    if version not in DATA:
        raise errors.NO_DATA_ROUTE()
    return version


def _given(query: dict[str, str]) -> str:
    return next((v for k, v in query.items() if k.lower() == "api-version"), "")


def of_query(query: dict[str, str]) -> str:
    """The api-version of a request to the resource manager; refuses none and what is none."""
    version = _given(query)
    if not version:
        raise errors.NO_API_VERSION()
    if not is_version(version):
        raise errors.BAD_API_VERSION(version=version)
    return version


def require_known(version: str, path: str, *, strict: bool) -> None:
    """Refuse a version of Microsoft.CognitiveServices that nobody knows, where the switch asks for that."""
    match = _OWN.search(path) if strict else None
    if match is not None and version not in KNOWN:
        raise errors.UNKNOWN_API_VERSION(
            location="", version=version, type=match["type"], versions=", ".join(sorted(KNOWN)), locations=""
        )


def can_pause(version: str) -> bool:
    """Whether a version has pause and resume."""
    return version >= PAUSE_SINCE and version.endswith("-preview")


def known(properties: Json, version: str, since: dict[str, str]) -> Json:
    """The properties that a version shows, of an account, of a deployment, or of its model."""
    day = version[:10]
    return {name: value for name, value in properties.items() if since.get(name, "") <= day}


def account(body: Json, version: str) -> bodies.Account:
    """The PUT or PATCH of an account as a version reads it: unknown properties are ignored."""
    return bodies.convert(_cut(body, version, ACCOUNT_SINCE), bodies.Account)


def deployment(body: Json, version: str) -> bodies.Deployment:
    """The PUT of a deployment as a version reads it: unknown properties are ignored."""
    body = _cut(body, version, DEPLOYMENT_SINCE)
    properties = body.get("properties")
    if isinstance(properties, dict) and isinstance(properties.get("model"), dict):
        properties["model"] = known(properties["model"], version, DEPLOYMENT_SINCE)
    return bodies.convert(body, bodies.Deployment)


def _cut(body: Json, version: str, since: dict[str, str]) -> Json:
    properties = body.get("properties")
    return {**body, "properties": known(properties, version, since)} if isinstance(properties, dict) else body
