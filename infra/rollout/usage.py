"""Who still calls a deployment: our own pings and proofs, or somebody."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from infra.keepalive import idle
from infra.ports.arm import Arm
from infra.ports.metrics import Metrics
from infra.spec import Limits

LOOK_BACK = timedelta(hours=1)
"""How far back calls to a standby are looked for."""


class Usage:
    """What Azure Monitor tells of the calls to deployments."""

    def __init__(self, arm: Arm, metrics: Metrics, limits: Limits) -> None:
        """Nothing is asked yet."""
        self._arm, self._metrics, self._limits = arm, metrics, limits

    def calls(self, account_id: str, names: Iterable[str], back: timedelta = LOOK_BACK) -> dict[str, int]:
        """Calls that succeeded and were not ours, by deployment of one account, so far back by Azure's clock.

        Metrics name no caller: what looks like a ping of ours in a minute of its own counts as one. They come some
        minutes late, too. Raises Refused, NotFound, Busy, Unreachable, LoginFailed.
        """
        now = self._arm.now(account_id)
        read = self._metrics.of_account(account_id, since=now - back, now=now, fine=True)
        tokens = self._limits.ping_tokens.value
        return {
            name: sum(b.calls for b in read.buckets.get(name.lower(), ()) if not idle.looks_like_pings(b, tokens))
            for name in names
        }
