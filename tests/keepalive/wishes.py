"""Watched deployments for tests of the plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.keepalive import watchlist
from infra.keepalive.idle import Ends, Rules
from infra.keepalive.plan import Seen, There

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
RULES = Rules(timedelta(days=15), timedelta(hours=24), margin=timedelta(days=2), log=timedelta(days=89))
ACCOUNT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai"
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Hour:
    """An hour with calls."""

    start: datetime
    calls: int = 1
    prompt_tokens: int = 100
    length: timedelta = HOUR


def wish(name: str = "bot", **keep: Any) -> watchlist.Deployment:
    told = {"policy": "ping", "after": "11d", "revive": keep.get("policy", "ping") == "ping", **keep}
    return watchlist.Deployment(
        name=name, active=name, model="m.ft-1", version="1", sku=watchlist.Sku(name="Standard", capacity=1),
        keep_alive=watchlist.KeepAlive(**told),
    )  # fmt: skip


def seen(
    *, created: float | None = 60, called: float | None = None, gone: bool = False, developer: bool = False, **more: Any
) -> Seen:
    """A deployment made and last called so many days ago; `keep` is what its keepAlive says."""
    keep, name = more.pop("keep", {}), more.pop("name", "bot")
    made = None if created is None else NOW - timedelta(days=created)
    one = wish(name, **keep)
    account = watchlist.Account(
        id=ACCOUNT, location="swedencentral", endpoint="https://x/", stack="s", deployments=[one]
    )
    facts: dict[str, Any] = {
        "now": NOW,
        "there": None if gone else There("Succeeded", "DeveloperTier" if developer else "Standard", made),
        "traffic": () if called is None else (Hour(NOW - timedelta(days=called)),),
        "tokens": (15,),
        "hosting": 1.7,
        **more,
    }
    return Seen(account=account, wish=one, rules=RULES, ends=Ends(developer), **facts)
