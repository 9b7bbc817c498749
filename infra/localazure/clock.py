"""The virtual clock of local Azure.

Every rule here (long-running operations, soft delete, the 15 days, role propagation) reads time from this object and
nowhere else, so a test moves 15 days in a millisecond. Only the expiry of tokens is real time, because clients cache
tokens by their own clocks; it comes through the same object, by `real_now`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """Time that follows the machine's at a factor, stands still when told to, and can be moved ahead.

    `at` is the virtual moment to start from (default: the real one). `factor` is virtual seconds per real second;
    0 is a frozen clock. The clock never goes back.
    """

    def __init__(
        self,
        at: datetime | None = None,
        factor: float = 1.0,
        *,
        real_time: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at `at` and follow `monotonic` at `factor`."""
        self._real_time = real_time
        self._monotonic = monotonic
        self._base = at or self.real_now()
        self._since = monotonic()
        self.factor = factor

    def now(self) -> datetime:
        """The virtual moment, in UTC."""
        return self._base + timedelta(seconds=(self._monotonic() - self._since) * self.factor)

    def real_now(self) -> datetime:
        """The machine's moment, in UTC: for the expiry of tokens alone."""
        return datetime.fromtimestamp(self._real_time(), UTC)

    def advance(self, by: timedelta) -> datetime:
        """Move ahead by `by` (not negative) and return the new moment."""
        if by < timedelta(0):
            raise ValueError("the clock of local Azure never goes back")
        self._rebase(self.now() + by)
        return self._base

    def follow(self, factor: float) -> None:
        """Go on at `factor` virtual seconds per real second; 0 freezes."""
        if factor < 0:
            raise ValueError("the clock of local Azure never goes back")
        self._rebase(self.now())
        self.factor = factor

    def set(self, at: datetime) -> None:
        """Put the clock at `at`: for a state that was kept while local Azure was stopped, or a snapshot."""
        self._rebase(at)

    def _rebase(self, at: datetime) -> None:
        self._base, self._since = at, self._monotonic()
