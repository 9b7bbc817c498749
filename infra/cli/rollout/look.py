"""`hearth rollout status | watch | list | show`: how rollouts stand and what they did. Reads only."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place
from infra.cli.rollout.asks import Named

if TYPE_CHECKING:
    from infra.rollout.history import History, Rollout


def status(
    rollout: Named = None, *, as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False
) -> None:
    """How a rollout stands now. Exits 0 while it runs and when it succeeded, else 1."""
    from infra.cli.rollout import plan as planner
    from infra.cli.rollout import story, view
    from infra.cli.rollout.executing import Seat, waits_for

    kept, found = _found(rollout)
    try:
        plan, events = kept.plan(found.id), kept.events(found.id)
        told = story.tell(plan, events, datetime.now(UTC))
        alone = found.outcome in ("running", "paused") and Seat(kept, place.root()).alone()
        waits = waits_for(kept, found)
        window = kept.open_window(found.id)
    finally:
        kept.close()
    if as_json:
        import msgspec

        targets = [
            {"stack": one.target.stack, "wave": one.wave, "state": one.state, "reason": one.reason}
            for one in told.targets
        ]
        kept_until = None if window is None else datetime.fromtimestamp(window.until, UTC).isoformat()
        rows = {**msgspec.to_builtins(found), "says": waits, "executed": not alone, "targets": targets,
                "keptUntil": kept_until}  # fmt: skip
        typer.echo(json.dumps(rows, indent=2))
    else:
        planner.put(view.render(told))
        typer.echo(f"{waits}.")
        if alone:
            typer.echo(f"Nobody executes it now. Go on with: hearth rollout resume {found.id}")
        if window is not None:
            left = ", ".join(sorted(window.kept))
            until = datetime.fromtimestamp(window.until, UTC)
            typer.echo(
                f"The former models are kept until {until:%Y-%m-%d %H:%M} UTC, and while they are called: {left}"
            )
    if found.outcome not in ("running", "succeeded"):
        raise typer.Exit(1)


def watch(rollout: Named = None) -> None:
    """Watch a rollout that another process executes, until its end or a pause. Exits 0 when it succeeded, else 1."""
    from infra.cli.rollout import executing
    from infra.cli.rollout.start import finish

    kept, found = _found(rollout)
    try:
        outcome = executing.Seat(kept, place.root()).see_through(found)
    finally:
        kept.close()
    finish(outcome, found)


def list_(*, as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False) -> None:
    """Every rollout, the last one first."""
    import msgspec
    from rich import box
    from rich.table import Table

    from infra.cli.rollout import executing
    from infra.cli.rollout import plan as planner

    kept = executing.history(place.root())
    try:
        found = kept.rollouts()
    finally:
        kept.close()
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    if not found:
        typer.echo("No rollout yet; begin one with: hearth rollout start")
        return
    table = Table("rollout", "began", "by", "commit", "outcome", box=box.SIMPLE, pad_edge=False)
    for one in found:
        table.add_row(one.id, one.at[:16].replace("T", " "), one.who, one.commit[:18], one.outcome)
    planner.put(table)


def show(
    rollout: Named = None,
    *,
    html: Annotated[Path | None, typer.Option("--html", help="Write one page with the timeline drawn.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write a summary.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print plan and record for programs.")] = False,
) -> None:
    """What a rollout did: every step, gate and answer, with who and when."""
    import msgspec

    from infra.cli.rollout import page, view

    kept, found = _found(rollout)
    try:
        plan, events = kept.plan(found.id), kept.events(found.id)
    finally:
        kept.close()
    if html is not None:
        place.write(html, page.html(plan, events), "--html")
    if markdown is not None:
        place.write(markdown, view.summary_markdown(plan, events), "--markdown")
    if as_json:
        rows = {"rollout": msgspec.to_builtins(found), "plan": {"digest": plan.digest, **msgspec.to_builtins(plan)},
                "events": msgspec.to_builtins(events)}  # fmt: skip
        typer.echo(json.dumps(rows, indent=2))
    elif html is None and markdown is None:
        typer.echo(f"{found.id} of {found.fleet}: {found.outcome}; commit {found.commit}, plan {found.digest[:12]}")
        for event in events:
            typer.echo(view.lines(event))
    for file in (html, markdown):
        if file is not None:
            typer.echo(f"{found.id}: {file}")


def _found(rollout: str | None) -> tuple[History, Rollout]:
    from infra.cli.rollout import executing
    from infra.spec import open_project

    root = place.root()
    kept = executing.history(root)
    return kept, kept.rollout(rollout, open_project(root).name)
