"""A job watched until it is over: its events in the order of time, its loss as it falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from infra.errors import Busy, HearthError, Unreachable
from infra.ports import clock
from infra.ports.finetuning import EventView, FineTuning, JobView
from infra.training.results import FULL_LOSS, TRAIN_LOSS, VALID_LOSS, Results

EVERY = 5.0
"""Seconds between two looks at a job."""
LONG_IN_QUEUE = timedelta(hours=24)
PATIENCE = 20
"""Looks in a row without an answer before it is given up; the job goes on by itself."""


@dataclass
class Seen:
    """What was seen of a job so far."""

    job: JobView
    new: list[EventView] = field(default_factory=list)
    """What happened since the last look."""
    steps: dict[int, dict[str, float]] = field(default_factory=dict)
    """Step → its figures, as events told them."""
    long_in_queue: bool = False
    """Whether it is this look that finds it in the queue for a day."""

    @property
    def curve(self) -> Results | None:
        """The losses that events told of; None before the first."""
        if not self.steps:
            return None
        numbers = sorted(self.steps)
        columns = {
            name: np.array([self.steps[number].get(name, np.nan) for number in numbers])
            for name in (TRAIN_LOSS, VALID_LOSS, FULL_LOSS)
        }
        return Results(np.array(numbers, dtype=float), columns)


def watch(jobs: FineTuning, job: str, every: float = EVERY) -> Iterator[Seen]:
    """A look now and then, the last one when the job is over or paused. Raises what Azure refuses.

    An answer that does not come is waited for, some minutes long: the job does not need us.
    """
    known: set[str] = set()
    steps: dict[int, dict[str, float]] = {}
    warned, silent = False, 0
    while True:
        try:
            found = jobs.job(job)
            new = jobs.events(job, known)
            silent = 0
        except (Unreachable, Busy) as error:
            silent += 1
            if silent >= PATIENCE:
                raise
            clock.sleep(max(every, error.retry_after) if isinstance(error, Busy) else every)
            continue
        known |= {event.id for event in new}
        for event in new:
            _note(steps, event)
        long = not warned and _is_long_in_queue(found, jobs.now)
        warned = warned or long
        yield Seen(found, new, steps, long)
        if found.is_over or found.status == "paused":
            return
        clock.sleep(every)


def end(jobs: FineTuning, job: str, tell: Callable[[Seen], None], every: float = EVERY) -> JobView:
    """Watch a job to its end, and tell of each look."""
    last: JobView | None = None
    for seen in watch(jobs, job, every):
        tell(seen)
        last = seen.job
    if last is None:
        raise HearthError(f"{job} was not seen")
    return last


def _note(steps: dict[int, dict[str, float]], event: EventView) -> None:
    data = event.data or {}
    if event.type == "metrics" and isinstance(data.get("step"), int | float):
        figures = {name: float(value) for name, value in data.items() if isinstance(value, int | float)}
        steps[int(data["step"])] = figures


def _is_long_in_queue(job: JobView, now: datetime | None) -> bool:
    """By Azure's clock, for the machine's may be another."""
    if now is None or job.status not in {"pending", "queued", "created"}:
        return False
    return now - datetime.fromtimestamp(job.created_at, UTC) >= LONG_IN_QUEUE
