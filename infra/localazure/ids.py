"""Names and ids of Azure Resource Manager: compared without regard to case, kept in the case they were made with."""

from __future__ import annotations

import re
import secrets
import uuid
from datetime import datetime

ACCOUNTS = "Microsoft.CognitiveServices/accounts"
DEPLOYMENTS = "Microsoft.CognitiveServices/accounts/deployments"
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def key(resource_id: str) -> str:
    """The form in which two ids are compared; the root is '/'."""
    return resource_id.rstrip("/").lower() or "/"


def group_id(subscription: str, group: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def account_id(subscription: str, group: str, account: str) -> str:
    """The id of a CognitiveServices account."""
    return f"{group_id(subscription, group)}/providers/{ACCOUNTS}/{account}"


def subscription_of(resource_id: str) -> str | None:
    """The subscription an id lies in, in lower case; None for an id outside every subscription."""
    parts = resource_id.strip("/").split("/")
    return parts[1].lower() if len(parts) > 1 and parts[0].lower() == "subscriptions" else None


def scopes_above(resource_id: str) -> list[str]:
    """Every scope whose role assignments hold at `resource_id`: itself, what it is nested in, up to the root.

    A list's path lies in what it is a list of.

    >>> scopes_above("/subscriptions/s/resourceGroups/g/providers/N/t/a")
    ['/subscriptions/s/resourcegroups/g/providers/n/t/a', '/subscriptions/s/resourcegroups/g', '/subscriptions/s', '/']
    >>> scopes_above("/subscriptions/s/providers/N/locations/l/models")
    ['/subscriptions/s/providers/n/locations/l', '/subscriptions/s', '/']
    """
    parts = [part for part in key(resource_id).split("/") if part]
    ends = []
    at = 0
    while at < len(parts):
        if parts[at] == "providers":
            at += 2  # the namespace belongs to the pairs of type and name behind it
            continue
        at += 2
        if at <= len(parts):
            ends.append(at)
    return ["/" + "/".join(parts[:end]) for end in reversed(ends)] + ["/"]


def new_guid() -> str:
    """A fresh id, as Azure makes them."""
    return str(uuid.uuid4())


def timed_guid(at: datetime) -> str:
    """A fresh id that sorts by its moment (version 7)."""
    since = int(at.timestamp() * 1000) & (1 << 48) - 1
    return str(uuid.UUID(int=since << 80 | 7 << 76 | 2 << 62 | secrets.randbits(76) & ~(3 << 62)))


def derived_guid(text: str) -> str:
    """The same id for the same text."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))
