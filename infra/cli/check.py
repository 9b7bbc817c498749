"""`hearth check`: the wish alone, without cloud and engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import place
from infra.errors import SpecError


def check(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to check; all of them when none is named.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write what it finds to this file too.")] = None,
) -> None:
    """Check what is written: every mistake of every stack, each with its place. Needs no cloud and no engine.

    Exits 2 when something is wrong. Rules that hold across stacks are checked here too, and stacks/rollout.yaml and
    stacks/training are where no stack is named.
    """
    from infra.ports import clock
    from infra.spec import check_project, load_rollout
    from infra.spec.training import check_trainings
    from infra.spec.waves import FILE

    names = place.require_stacks(stacks or [])
    project = place.project()
    found, mistakes = check_project(project, names, today=clock.today())
    if stacks:
        # How the named ones fit together with the others is told where the named ones stand.
        files = {project.shown(project.stack_file(name)) for name in names}
        _, everywhere = check_project(project, project.stack_names(), today=clock.today())
        mistakes = sorted({*mistakes, *(m for m in everywhere if m.file in files)})
    warnings = [w for s in found for w in s.warnings]
    # Which stack is in which wave takes all of them to say.
    named = not mistakes and not stacks and (project.stacks / FILE).exists()
    rollout = load_rollout(project, found) if named else None
    if rollout is not None and any(gate.prompts or gate.compare for gate in rollout.file.gates.values()):
        from infra.rollout import gates

        mistakes = gates.check(project, rollout.file.gates)
    if not stacks:
        trained, wrong = check_trainings(project)
        warnings += trained
        mistakes = sorted({*mistakes, *wrong})
    waves = rollout.waves if rollout is not None else ()
    unread = sorted(set(names) - {s.name for s in found})
    if markdown is not None:
        from infra.gitops.words import cell

        said = [f"- :x: {cell(f'{m.file}, {m}')}" for m in mistakes] + [f"- :warning: {cell(w)}" for w in warnings]
        head = f"{len(mistakes)} mistake{'s' if len(mistakes) != 1 else ''} in {len(names)} stacks."
        place.write(markdown, "\n".join(["### hearth check", "", head, "", *said]) + "\n", "--markdown")
    if as_json:
        rows = [{"file": m.file, "line": m.line, "path": m.path, "text": m.text} for m in mistakes]
        told = [{"wave": wave.name, "stacks": wave.stacks} for wave in waves]
        typer.echo(json.dumps({"mistakes": rows, "warnings": warnings, "rollout": told}, indent=2))
        raise typer.Exit(2 if mistakes else 0)
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    if mistakes:
        raise SpecError(mistakes)
    typer.echo(f"{len(names)} stack{'s' if len(names) != 1 else ''} as they should be: {', '.join(names)}")
    for number, wave in enumerate(waves, 1):
        typer.echo(f"wave {number}, {wave.name}: {', '.join(wave.stacks)}")
    if unread:
        typer.echo(f"read only in part, for their secrets are the engine's: {', '.join(unread)}")
