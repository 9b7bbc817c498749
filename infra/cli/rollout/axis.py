"""A time axis on which minutes of work and hours of waiting both can be seen: waiting is drawn shorter than it was.

Pure arithmetic: moments to horizontal places.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import log1p

_WAITING = 0.45
"""Share of the width that waiting takes at most, where there is work besides."""
_LEAST = 1 / 250
"""Of the work's time: what a stretch of it is drawn as at least."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the axis."""

    start: datetime
    end: datetime
    left: float
    right: float
    shortened: bool
    """It took longer than it looks beside the others."""

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.end - self.start).total_seconds()


class Axis:
    """From moments to places between `left` and `right`."""

    def __init__(
        self, work: Iterable[tuple[datetime, datetime]], moments: Iterable[datetime], left: float, right: float
    ) -> None:
        """`work` are spans in which something was done; `moments` all that is to have a place of its own."""
        spans = list(work)
        edges = sorted({*moments, *(moment for span in spans for moment in span)})
        self.edges = edges
        pieces = list(pairwise(edges))
        busy = _busy(spans, pieces)
        seconds = [(end - start).total_seconds() for start, end in pieces]
        weights = _weights(seconds, busy)
        scale = (right - left) / (sum(weights) or 1.0)
        self.stretches: list[Stretch] = []
        at = left
        for (start, end), weight, span, work_here in zip(pieces, weights, seconds, busy, strict=True):
            shortened = not work_here and weight < span
            self.stretches.append(Stretch(start, end, at, at + weight * scale, shortened))
            at += weight * scale
        self.left, self.right = left, right

    def place(self, moment: datetime) -> float:
        """Where a moment is; one outside of the axis is at its end."""
        if len(self.edges) < 2 or moment <= self.edges[0]:
            return self.left
        if moment >= self.edges[-1]:
            return self.right
        found = self.stretches[bisect_right(self.edges, moment) - 1]
        return found.left + (found.right - found.left) * ((moment - found.start).total_seconds() / found.seconds)


def _busy(spans: list[tuple[datetime, datetime]], pieces: list[tuple[datetime, datetime]]) -> list[bool]:
    """Whether something was done in each piece. Both come in order of time, so one pass is enough."""
    starts, ends = sorted(start for start, _ in spans), sorted(end for _, end in spans)
    return [bisect_right(starts, start) > bisect_right(ends, start) for start, _ in pieces]


def _weights(seconds: list[float], busy: list[bool]) -> list[float]:
    """How much of the width each piece gets: work by its time, waiting by the logarithm of its own."""
    work = sum(span for span, here in zip(seconds, busy, strict=True) if here)
    if not work:
        return seconds
    waiting = sum(log1p(span) for span, here in zip(seconds, busy, strict=True) if not here)
    room = work * _WAITING / (1 - _WAITING)
    return [
        max(span, work * _LEAST) if here else min(span, room * log1p(span) / waiting)
        for span, here in zip(seconds, busy, strict=True)
    ]
