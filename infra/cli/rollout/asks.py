"""`hearth rollout approve | pause | resume | abort | rollback`: what a person wants of a rollout, from any terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from infra.cli import place
from infra.cli.rollout.start import UNTIL, finish, span

if TYPE_CHECKING:
    from infra.cli.rollout.executing import Seat
    from infra.rollout.history import History, Rollout

Named = Annotated[str | None, typer.Argument(help="The rollout; without it the one under way, else the last one.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why: it goes into the record.")]
As = Annotated[str, typer.Option("--as", help="Who says so; without it, who is logged in.")]
Until = Annotated[str, UNTIL]


def approve(
    rollout: Named = None,
    *,
    gate: Annotated[str | None, typer.Option("--gate", help="Which approval gate, if several ask.")] = None,
    no: Annotated[bool, typer.Option("--no", help="Say no instead: the wave fails.")] = False,
    comment: Comment = "",
    by: As = "",
) -> None:
    """Say yes, or no, to what a rollout asks a person now."""
    from infra.rollout import asking
    from infra.rollout.state import Ask

    kept, seat, found = _open(rollout)
    try:
        asking.ask(kept, found, Ask("deny" if no else "approve", _who(by), comment, gate), datetime.now(UTC))
        typer.echo(f"{found.id}: {'no' if no else 'yes'}, by {_who(by)}")
        if seat.alone():
            typer.echo(f"Nobody executes it now. Go on with: hearth rollout resume {found.id}")
    finally:
        kept.close()


def pause(rollout: Named = None, *, comment: Comment = "", by: As = "") -> None:
    """Begin nothing new; what runs is finished."""
    _ask("pause", rollout, comment, by)


def resume(rollout: Named = None, *, comment: Comment = "", by: As = "", until: Until = "") -> None:
    """Go on with a rollout that is paused, or whose process was stopped or killed.

    What had failed or could not be told is tried again. Exits as `start` does.
    """
    _ask("resume", rollout, comment, by, until)


def abort(rollout: Named = None, *, comment: Comment = "", by: As = "") -> None:
    """End a rollout where it is: what runs is finished, nothing is undone."""
    _ask("abort", rollout, comment, by)


def rollback(
    rollout: Named = None,
    *,
    wave: Annotated[bool, typer.Option("--wave", help="Only the wave at hand; without it, every wave.")] = False,
    comment: Comment = "",
    by: As = "",
    until: Until = "",
) -> None:
    """Put every stack that a rollout changed back to the model it served before, also after its end."""
    _ask("rollbackWave" if wave else "rollbackAll", rollout, comment, by, until)


# --- pieces ----------------------------------------------------------------------------------------------------------


def _ask(
    what: Literal["pause", "resume", "abort", "rollbackWave", "rollbackAll"],
    rollout: str | None, comment: str, by: str, until: str = "",
) -> None:  # fmt: skip
    from infra.rollout import asking
    from infra.rollout.held import NameTaken
    from infra.rollout.state import Ask

    kept, seat, found = _open(rollout, until)
    try:
        try:
            seat.take()
        except NameTaken as taken:  # somebody executes it, and will find the wish
            asking.ask(kept, found, Ask(what, _who(by), comment), datetime.now(UTC))
            typer.echo(f"{found.id}: {_WISHES[what]} is asked. {taken}")
            return
        if what == "resume" and found.outcome not in ("running", "paused") and seat.close_windows():
            return
        asking.ask(kept, found, Ask(what, _who(by), comment), datetime.now(UTC))
        if not seat.executes and what in ("pause", "abort"):
            typer.echo(f"{found.id}: {_WISHES[what]} is asked of the workers")
            return
        outcome = seat.see_through(found)
    finally:
        seat.release()
        kept.close()
    if what in ("pause", "abort") or (what.startswith("rollback") and outcome == "rolledBack"):
        return
    finish(outcome, found)


_WISHES = {"pause": "a pause", "resume": "to go on", "abort": "an end", "rollbackWave": "to undo the wave",
           "rollbackAll": "to undo it all"}  # fmt: skip


def _open(rollout: str | None, until: str = "") -> tuple[History, Seat, Rollout]:
    from infra.cli.rollout import executing
    from infra.spec import open_project

    root = place.root()
    kept = executing.history(root)
    found = kept.rollout(rollout, open_project(root).name)
    return kept, executing.Seat(kept, root, until=span(until)), found


def _who(given: str) -> str:
    from infra.cli.rollout.executing import who

    return given or who()
