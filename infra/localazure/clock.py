"""The virtual clock of local Azure.

Every rule here (long-running operations, soft delete, the 15 days, role propagation) reads time from this object and
nowhere else, so a test moves 15 days in a millisecond. Only the expiry of tokens is real time, because clients cache
tokens by their own clocks; it comes through the same object, by `real_now`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

FASTEST = 1e6
"""Virtual seconds per real second, at most: eleven days a second."""
LAST = datetime(9000, 1, 1, tzinfo=UTC)
"""Where the clock stops: sums with its moments must stay within what a datetime can hold."""


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
        self._factor = 0.0
        self.follow(factor)

    @property
    def factor(self) -> float:
        """Virtual seconds per real second; `follow` changes it."""
        return self._factor

    def now(self) -> datetime:
        """The virtual moment, in UTC."""
        if not self._factor:
            return self._base
        gone = (self._monotonic() - self._since) * self._factor
        return LAST if gone >= (LAST - self._base).total_seconds() else self._base + timedelta(seconds=gone)

    def real_now(self) -> datetime:
        """The machine's moment, in UTC: for the expiry of tokens alone."""
        return datetime.fromtimestamp(self._real_time(), UTC)

    def advance(self, by: timedelta) -> datetime:
        """Move ahead by `by` (not negative) and return the new moment."""
        if by < timedelta(0):
            raise ValueError("the clock of local Azure never goes back")
        if by > LAST - self.now():
            raise ValueError(f"the clock of local Azure ends in the year {LAST.year}")
        self._rebase(self.now() + by)
        return self._base

    def follow(self, factor: float) -> None:
        """Go on at `factor` virtual seconds per real second; 0 freezes."""
        if not 0 <= factor <= FASTEST:
            raise ValueError(f"the clock of local Azure goes at a factor from 0 to {FASTEST:g}")
        self._rebase(self.now())
        self._factor = factor

    def set(self, at: datetime) -> None:
        """Start anew from `at`: for a state that was kept while local Azure was stopped."""
        self._rebase(at)

    def _rebase(self, at: datetime) -> None:
        self._base, self._since = at, self._monotonic()
