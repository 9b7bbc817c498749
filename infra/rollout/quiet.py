"""Whether anybody but ourselves still calls a deployment: what must be known before the one that stands by goes.

Metrics name no caller. A call is taken for ours where a minute holds two at most and exactly the prompt tokens of our
ping, which is also what every `up` proves a deployment with; unless an hour holds more of them than our own runs make.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from infra.keepalive.idle import looks_like_pings
from infra.ports.metrics import Readings

HOUR = timedelta(hours=1)
LAGGARDS = timedelta(minutes=5)
"""So long after a switch callers may still use the old name: clients keep it for a minute, then for a call's length."""


class Metrics(Protocol):
    """What is asked of Azure Monitor: the port `Metrics`."""

    def of_account(self, account_id: str, *, since: datetime, now: datetime, fine: bool = False) -> Readings:
        """What one account's metrics say."""


MOST_AN_HOUR = 12
"""Calls of an hour that look like ours and may be: an `up` proves a deployment once, a rollout has four at a stack."""


@dataclass(frozen=True, slots=True)
class Use:
    """The calls to a deployment that were not ours, as inferred."""

    calls: int
    last: datetime | None
    """The stretch of a minute or more that begins here had the last one; None without any."""


def use(
    metrics: Metrics, account: str, deployment: str, tokens: Collection[int], *, since: datetime, now: datetime
) -> Use:
    """The use of a deployment from `since` to `now`, by the resource manager's clock. Failed calls are none.

    Raises Refused, NotFound, Busy, Unreachable, LoginFailed.
    """
    read = metrics.of_account(account, since=since, now=now, fine=True)
    start = since.replace(second=0, microsecond=0)
    called = [one for one in read.buckets.get(deployment.lower(), ()) if one.start >= start and one.calls]
    alike: Counter[int] = Counter()
    for one in called:
        if looks_like_pings(one, tokens):
            alike[(one.start - start) // HOUR] += one.calls
    used = [
        one for one in called if not looks_like_pings(one, tokens) or alike[(one.start - start) // HOUR] > MOST_AN_HOUR
    ]
    return Use(sum(one.calls for one in used), max((one.start for one in used), default=None))
