"""Durations as people write them: 30m, 10d, 1h30m."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


def parse(text: str) -> timedelta:
    """The duration that `text` writes; raises ValueError with what a duration looks like."""
    if not _WHOLE.fullmatch(text):
        raise ValueError('must be a duration with its unit, such as "30m", "12h" or "10d"')
    return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in _PART.findall(text)), timedelta())


def show(duration: timedelta) -> str:
    """A duration as it would be written: the two largest units that say something."""
    seconds = round(duration.total_seconds())
    if seconds <= 0:
        return "0s" if seconds == 0 else f"-{show(-duration)}"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])
