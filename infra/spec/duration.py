"""Durations as people write them: 30m, 10d, 1h30m."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([dhms])")
PATTERN = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[dhms])+")
"""What a duration looks like."""


def parse(text: str) -> timedelta:
    """The duration that `text` writes; raises ValueError with what a duration looks like."""
    if not PATTERN.fullmatch(text):
        raise ValueError('must be a duration with its unit, such as "30m", "12h" or "10d"')
    try:
        return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        raise ValueError("must be a duration of less than a thousand million days") from None


def show(duration: timedelta) -> str:
    """A duration as it would be written: the two largest units that say something."""
    seconds = round(duration.total_seconds())
    if seconds < 0:
        return f"-{show(-duration)}"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
