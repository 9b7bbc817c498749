"""`hearth worker`: one of several machines that execute the rollouts of a database they share."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place
from infra.errors import HearthError, Mistake, SpecError

if TYPE_CHECKING:
    from infra.rollout.history import History
    from infra.rollout.values import Event
    from infra.rollout.workflow import Hands

_PATIENCE = 15.0
"""Seconds that a name's last owner, killed just now, is given to be noticed as gone."""


def worker(
    *,
    name: Annotated[str, typer.Option("--name", help="Its own name, the same after every restart.")],
    take_over: Annotated[
        list[str] | None,
        typer.Option("--take-over", help="Take up the work of a worker whose machine will not come back."),
    ] = None,
    at_once: Annotated[
        int, typer.Option("--at-once", min=0, help="Stacks that it works on at once; 0: one a core, from two.")
    ] = 0,
) -> None:
    """Execute rollouts of the database in HEARTH_DATABASE_URL, with other workers, until told to stop.

    Run it under a supervisor that starts it again under the same name: what it was at is then taken up. SIGTERM or
    Ctrl-C once: what runs is finished; twice: the engines are stopped. Needs the project's files, its Pulumi backend
    and a login; the files of each rollout come from the database.
    """
    from infra.cli.rollout import executing
    from infra.rollout import crew

    root = place.root()
    kept = executing.history(root)
    if kept.embedded:
        text = "must name a PostgreSQL that workers share; without it `hearth rollout start` does the work itself"
        raise SpecError([Mistake("HEARTH_DATABASE_URL", 0, "", text)])
    try:
        serve(kept, name, take_over or [], crew.of(kept, root), at_once=at_once)
    finally:
        kept.close()


def serve(kept: History, name: str, take_over: list[str], hands: Callable[[str], Hands], *, at_once: int = 0) -> None:
    """Work until a signal comes. Raises NameTaken, Unreachable, and why it cannot go on."""
    from infra.cli.rollout import view
    from infra.rollout import durable, held
    from infra.rollout.history import here, stamp
    from infra.rollout.workflow import Process

    lost: list[HearthError] = []
    asked = _Signals()

    def lose(error: HearthError) -> None:
        lost.append(error)
        asked.again()

    def say(event: Event) -> None:
        typer.echo(f"{event.rollout}  {view.lines(event)}")

    given = {"now": lambda: stamp(datetime.now(UTC)), "lost": lose}
    with ExitStack() as held_names:
        for one in [name, *take_over]:
            held_names.callback(held.wait_for(kept, one, _PATIENCE, **given).release)
        room = at_once or durable.room_here()
        process = Process(kept, hands, name=name, who=f"{name}@{here()}", say=say, at_once=room)
        process.launch()
        held_names.callback(process.close)
        typer.echo(f"{name} is at work on {kept.place}, {room} at once")
        for one in take_over:
            typer.echo(f"{name} takes over from {one}: {process.take_over(one)} under way")
        while not asked.wait(0.5) and process.failed is None:
            pass
        typer.echo(f"{name} finishes what runs; a second signal stops the engines")
        while not process.stop(wait=0.5) and not asked.count > 1 and not lost:
            pass
        if asked.count > 1 or lost:
            process.stop_engines(hard=False)
            process.stop(wait=None)
    for error in (*lost, *([process.failed] if process.failed is not None else [])):
        raise error


class _Signals:
    """SIGTERM and Ctrl-C, counted."""

    def __init__(self) -> None:
        self.count, self._came = 0, threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.again)

    def again(self, *_: object) -> None:
        """One more."""
        self.count += 1
        self._came.set()

    def wait(self, seconds: float) -> bool:
        """Whether one came by then."""
        return self._came.wait(seconds)
