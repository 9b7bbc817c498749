"""How things are timed here: the candidates in turn, round after round, so that a noisy machine is unfair to all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """Wall times of one candidate, in seconds."""

    runs: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median."""
        return statistics.median(self.runs)

    @property
    def best(self) -> float:
        """The shortest."""
        return min(self.runs)


def side_by_side(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Run every candidate once per round; the first round warms up and is not counted."""
    runs: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, candidate in candidates.items():
            started = time.perf_counter()
            candidate()
            if number:
                runs[name].append(time.perf_counter() - started)
    return {name: Times(tuple(found)) for name, found in runs.items()}
