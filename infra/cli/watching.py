"""A job as it is watched: its events, and on a terminal its loss as it falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from infra.ports.finetuning import EventView
    from infra.training.follow import Seen

_HIGH = 14
"""Lines of the curve."""


@contextmanager
def watcher() -> Iterator[Callable[[Seen], None]]:
    """What is to be called at each look."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        yield _plain
        return
    from rich.live import Live
    from rich.text import Text

    from infra.training import charts

    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(seen: Seen) -> None:
            for event in seen.new:
                live.console.print(Text(line(event)))
            _warn(seen)
            curve = seen.curve
            if curve is not None and len(curve.steps) > 1:
                live.update(Text(charts.terminal(curve, min(console.width, 120), _HIGH)), refresh=True)

        yield show


def line(event: EventView) -> str:
    """An event, as a log has it."""
    at = datetime.fromtimestamp(event.created_at, UTC)
    level = "" if event.level == "info" else f"{event.level}: "
    return f"{at:%Y-%m-%d %H:%M:%S} {level}{event.message}"


def _plain(seen: Seen) -> None:
    for event in seen.new:
        typer.echo(line(event))
    _warn(seen)


def _warn(seen: Seen) -> None:
    if seen.long_in_queue:
        typer.echo(
            f"{seen.job.id} has been in the queue for 24 h. Azure runs a few jobs of an account at a time (hearth jobs "
            "list); trainingType: GlobalStandard has queues of its own. To give it up: "
            f"hearth jobs cancel {seen.job.id}",
            err=True,
        )
