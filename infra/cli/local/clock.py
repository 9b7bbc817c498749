"""The clock of local Azure."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from infra.cli.local import base
from infra.cli.local.run import pace

app = typer.Typer(help="The clock of local Azure: show it, freeze it, move it ahead.", invoke_without_command=True)
HowFar = Annotated[str, typer.Argument(help="How far: 14d2h, 12h, 90s.")]


@app.callback()
def show(context: typer.Context, *, as_json: base.JSON = False) -> None:
    """Show what time it is in local Azure, how fast the clock goes, and what is due next."""
    if context.invoked_subcommand is not None:
        return
    clock = base.ask("GET", "clock")
    if as_json:
        base.show_json(clock)
        return
    _say(clock)
    for coming in clock["next"]:
        typer.echo(f"  {base.moment(coming['at'])}  {coming['what']}: {coming['key']}")
    if not clock["next"]:
        typer.echo("  nothing is due")


@app.command()
def freeze() -> None:
    """Have the clock stand still until it is moved."""
    _say(base.ask("PUT", "clock", {"factor": 0}))


@app.command()
def follow(factor: Annotated[float, typer.Option(help="Virtual seconds per real second.")] = 1.0) -> None:
    """Have the clock go on, as fast as real time or at a factor."""
    _say(base.ask("PUT", "clock", {"factor": factor}))


@app.command("set")
def set_to(moment: Annotated[str, typer.Argument(help="2026-12-01T08:00:00Z; it cannot lie in the past.")]) -> None:
    """Move the clock ahead to a moment; what is due before it happens at its own moment."""
    _say(base.ask("PUT", "clock", {"now": moment}))


@app.command("advance")
def advance(by: HowFar) -> None:
    """Move the clock of local Azure ahead; what is due in between happens at its own moment."""
    from infra.spec import duration

    try:
        seconds = duration.parse(by).total_seconds()
    except ValueError as error:
        raise base.mistake("advance", by, str(error)) from None
    clock = base.ask("POST", "clock/advance", {"seconds": seconds})
    typer.echo(f"in local Azure it is now {base.moment(clock['now'])}")


def _say(clock: dict[str, Any]) -> None:
    typer.echo(f"in local Azure it is {base.moment(clock['now'])}; {pace(clock['factor'])}")
