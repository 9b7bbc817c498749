"""A rollout in this process, on a database in a folder, with hands that pretend."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from infra.rollout import durable
from infra.rollout.history import History, Rollout, stamp
from infra.rollout.state import Ask, State
from infra.rollout.values import Event, Plan
from infra.rollout.workflow import Process
from tests.rollout.hands import Pretended

LONGEST = 60.0


def history(folder: Path) -> History:
    return History(f"sqlite:///{folder / 'rollouts.db'}")


@contextmanager
def process(kept: History, hands: Pretended, **settings: object) -> Iterator[Process]:
    """A process at work; at the end it stops as one that was told to."""
    made = Process(kept, lambda _: hands, **settings)  # type: ignore[arg-type]
    made.launch()
    try:
        yield made
    finally:
        made.stop_engines(hard=True)
        made.stop(wait=10)
        made.close()


def begin(kept: History, plan: Plan, name: str = "r1", who: str = "ann", **more: object) -> str:
    """Write a rollout down and into the queue."""
    durable.prepare(kept)
    door = durable.client(kept)
    row = Rollout(id=name, fleet=plan.fleet, commit=plan.commit, digest=plan.digest, who=who,
                  at=stamp(datetime.now(UTC)), outcome="running")  # fmt: skip
    kept.begin(row, plan, State.new(plan), b"packed", functools.partial(durable.enqueue_run, door))
    door.destroy()
    return name


def until(holds: Callable[[], object], longest: float = LONGEST) -> None:
    """Wait for what another thread or process does."""
    end = time.monotonic() + longest
    while not holds():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)


def outcome(kept: History, name: str = "r1") -> str:
    return kept.rollout(name, "").outcome


def ended(kept: History, name: str = "r1") -> Callable[[], bool]:
    return lambda: outcome(kept, name) not in ("running", "paused")


def ask(kept: History, what: str, who: str = "ann", name: str = "r1", **more: object) -> None:
    kept.ask(name, Ask(what, who, **more), datetime.now(UTC))  # type: ignore[arg-type]


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]
