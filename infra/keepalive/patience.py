"""How questions are asked: many side by side, again where an answer says so, and never without end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from infra.errors import Busy, HearthError, LoginFailed, Refused

T = TypeVar("T")
R = TypeVar("R")
CONCURRENCY = 16
TRIES = 3
"""How often a question is asked, or one prompt tried, where trying again may help."""
LONGEST_WAIT = 60.0
"""Seconds that a throttled call is waited for at most; the next run tries again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many calls may run side by side, and what waits for seconds."""

    concurrency: int = CONCURRENCY
    sleep: Callable[[float], None] = time.sleep

    def had(self, ask: Callable[[], T], what: str) -> T:
        """An answer, asked for again when it says so; what cannot be read in it is Refused, and costs no other's."""
        try:
            return self._again(ask)
        except HearthError:
            raise
        except Exception as error:  # an answer that nobody foresaw must not stop what lies beside it
            raise Refused(f"{what}: unreadable: {error!r}") from error

    def _again(self, ask: Callable[[], T]) -> T:
        for _ in range(TRIES - 1):
            try:
                return ask()
            except Busy as busy:
                if busy.retry_after > LONGEST_WAIT:
                    raise
                self.sleep(busy.retry_after)
        return ask()

    def written(self, write: Callable[[], T], longest: float) -> T:
        """A write, waited for while another writer holds the account. Raises Busy after `longest` seconds."""
        left, wait = longest, 1.0
        while True:
            try:
                return write()
            except Busy as busy:
                pause = max(busy.retry_after, wait)
                if pause > left:
                    raise
                self.sleep(pause)
                left, wait = left - pause, min(wait * 2, 30.0)

    def side_by_side(self, work: Callable[[R], None], items: Sequence[R], most: int | None = None) -> None:
        """Work on everything, so many at once."""
        if len(items) == 1:
            work(items[0])
        elif items:
            with ThreadPoolExecutor(max_workers=min(most or self.concurrency, len(items))) as pool:
                for _ in pool.map(work, items):
                    pass


def is_login(error: HearthError) -> bool:
    """Whether an error says that the login is refused."""
    return isinstance(error, LoginFailed) or (isinstance(error, Refused) and error.status == 401)
