"""How much of what a subscription may have in a region: the catalogue's limits, and what a seed raised or lowered."""

from __future__ import annotations

from infra.localazure.entities import QuotaLimit
from infra.localazure.world import World

TUNED_PER_ACCOUNT, PER_ACCOUNT = "fineTunedDeployments", "standardDeployments"
"""Names of the limits that hold for each account."""


def limit(world: World, subscription: str, region: str, name: str) -> int:
    """The limit of a quota, or of an account: the most exact override, else the catalogue's."""
    if len(world.quotas):
        for place in ((subscription.lower(), region), (subscription.lower(), ""), ("", region), ("", "")):
            found = world.quotas.get(_key(*place, name))
            if found is not None:
                return found.limit
    per_account = world.catalogue.account_limits.get(name)
    return world.catalogue.limit(name) if per_account is None else per_account


def put(world: World, override: QuotaLimit) -> None:
    """Let a limit be another one from now on."""
    world.quotas.put(_key(override.subscription, override.region, override.name), override)


def _key(subscription: str, region: str, name: str) -> str:
    return f"{subscription}|{region}|{name.lower()}"
