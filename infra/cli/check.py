"""`hearth check`: the wish alone, without cloud and engine."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from infra.cli import place


def check(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to check; all of them when none is named.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Check what is written: every mistake of every stack, each with its place. Needs no cloud and no engine.

    Exits 2 when something is wrong. Rules that hold across stacks are checked here too.
    """
    from infra.ports import clock
    from infra.spec import check_project

    names = place.require_stacks(stacks or [])
    project = place.project()
    found, mistakes = check_project(project, project.stack_names(), today=clock.today())
    if stacks:
        own = {project.shown(project.stack_file(name)) for name in names}
        others = {project.shown(project.stack_file(name)) for name in project.stack_names()} - own
        mistakes = [m for m in mistakes if m.file not in others]
    warnings = [w for s in found if s.name in names for w in s.warnings]
    if as_json:
        rows = [{"file": m.file, "line": m.line, "path": m.path, "text": m.text} for m in mistakes]
        typer.echo(json.dumps({"mistakes": rows, "warnings": warnings}, indent=2))
    else:
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
    if mistakes:
        from infra.errors import SpecError

        if as_json:
            raise typer.Exit(2)
        raise SpecError(mistakes)
    if not as_json:
        typer.echo(f"{len(names)} stack{'s' if len(names) != 1 else ''} as they should be: {', '.join(names)}")
