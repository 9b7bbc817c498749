"""Named rules of single values: what Azure takes, checked and put in Azure's spelling. Each raises ValueError."""

from __future__ import annotations

import ipaddress
import re

from infra.spec.limits import Limits, did_you_mean
from infra.spec.reading import Rule

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RECORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RESOURCE_ID = re.compile(r"/subscriptions/[^/]+(/[^/]+)+")


def rules(limits: Limits) -> dict[str, Rule]:
    """Every rule that `model.py` names, by name."""
    return {
        **{name: _name(limits, name) for name in limits.names},
        "addresses": addresses,
        "capacity": capacity,
        "guid": guid,
        "record": record,
        "region": _region(limits),
        "resourceId": resource_id,
        "role": _role(limits),
        "sku": _sku(limits),
    }


def guid(value: str) -> str:
    """An id of Azure or Entra, in lower case."""
    if not _GUID.fullmatch(value):
        raise ValueError(f'must be an id such as 9f1c0a52-1111-4222-8333-444455556666, not "{value}"')
    return value.lower()


def capacity(value: int) -> int:
    """At least 1."""
    if value < 1:
        raise ValueError(f"must be at least 1 (1 is 1,000 tokens a minute), not {value}")
    return value


def record(value: str) -> str:
    """The name of a file in stacks/models."""
    if not _RECORD.fullmatch(value):
        raise ValueError(f'must be the name of a file in stacks/models without ".yaml", not "{value}"')
    return value


def addresses(value: str) -> str:
    """An IPv4 address or range: Azure's network rules take no others."""
    try:
        ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        raise ValueError(f'must be an IPv4 address or range such as "203.0.113.0/24", not "{value}"') from None
    return value


def resource_id(value: str) -> str:
    """The id of a resource."""
    if not _RESOURCE_ID.fullmatch(value):
        raise ValueError(f'must be a resource id that starts with /subscriptions/, not "{value}"')
    return value


def _name(limits: Limits, name: str) -> Rule:
    def rule(value: str) -> str:
        if not limits.names[name].holds(value):
            raise ValueError(f'must {limits.names[name].must}, not "{value}"')
        return value

    return rule


def _region(limits: Limits) -> Rule:
    def rule(value: str) -> str:
        if value in limits.regions:
            return value
        display = {shown.lower(): name for name, shown in limits.regions.items()}
        name = value.replace(" ", "").lower()
        if value.lower() in display or name in limits.regions:
            raise ValueError(f'must be the name of the region, "{display.get(value.lower(), name)}", not "{value}"')
        raise ValueError(
            f'"{value}" is no region with Azure OpenAI{did_you_mean(value, list(limits.regions))} (as of '
            f"{limits.regions_as_of}; a newer one is added in infra/spec/limits.yaml)"
        )

    return rule


def _sku(limits: Limits) -> Rule:
    def rule(value: str) -> str:
        found = limits.skus.get(value.lower())
        if found is None:
            names = list(limits.skus.values())
            raise ValueError(f'"{value}" is no SKU of a deployment{did_you_mean(value, names)}: {", ".join(names)}')
        return found

    return rule


def _role(limits: Limits) -> Rule:
    def rule(value: str) -> str:
        if _GUID.fullmatch(value):
            return value.lower()
        found = limits.roles.get(value.lower())
        if found is None:
            hint = did_you_mean(value, list(limits.role_names.values()))
            raise ValueError(f'"{value}" is no role that is known by name{hint}; any role can be given by its id')
        return found

    return rule
