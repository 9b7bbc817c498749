"""Whether anybody but ourselves still calls a deployment: what must be known before the one that stands by goes.

Metrics name no caller. A call is taken for ours where an hour holds two at most and exactly the prompt tokens of our
ping, which is also what every `up` proves a deployment with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from infra.keepalive.idle import Traffic, looks_like_pings
from infra.ports.metrics import Readings

HOUR = timedelta(hours=1)
LAGGARDS = timedelta(minutes=5)
"""So long after a switch callers may still use the old name: clients keep it for a minute, then for a call's length."""


class Metrics(Protocol):
    """What is asked of Azure Monitor: the port `Metrics`."""

    def of_account(self, account_id: str, *, since: datetime, now: datetime, fine: bool = False) -> Readings:
        """What one account's metrics say."""


@dataclass(frozen=True, slots=True)
class _Hour:
    """An hour's calls."""

    start: datetime
    calls: int
    prompt_tokens: int
    length: timedelta = HOUR


@dataclass(frozen=True, slots=True)
class Use:
    """The calls to a deployment that were not ours, as inferred."""

    calls: int
    last: datetime | None
    """Within the hour from here was the last one; None without any."""


def use(
    metrics: Metrics, account: str, deployment: str, tokens: Collection[int], *, since: datetime, now: datetime
) -> Use:
    """The use of a deployment from `since` to `now`, by the resource manager's clock. Failed calls are none.

    Raises Refused, NotFound, Busy, Unreachable, LoginFailed.
    """
    read = metrics.of_account(account, since=since, now=now, fine=True)
    start = since.replace(second=0, microsecond=0)
    used = [h for h in _hours(read.buckets.get(deployment.lower(), ()), start) if not looks_like_pings(h, tokens)]
    return Use(sum(hour.calls for hour in used), max((hour.start for hour in used), default=None))


def _hours(traffic: Iterable[Traffic], start: datetime) -> list[_Hour]:
    """The traffic by the hour from `start`: the rule of pings is one of hours."""
    found: dict[int, _Hour] = {}
    for one in traffic:
        if one.start < start or not one.calls:
            continue
        at = (one.start - start) // HOUR
        held = found.get(at, _Hour(start + at * HOUR, 0, 0))
        found[at] = _Hour(held.start, held.calls + one.calls, held.prompt_tokens + one.prompt_tokens)
    return [found[at] for at in sorted(found)]
