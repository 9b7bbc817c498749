"""The machine's clock. Only the edges of the program ask it; everywhere else time is an argument."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime


def now() -> datetime:
    """This moment, by this machine, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """This day, in UTC."""
    return now().date()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
