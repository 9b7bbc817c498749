"""`hearth drift`: what differs between what was put up and Azure, who changed it, and what `up` would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place

if TYPE_CHECKING:
    from infra.gitops.drift import Ports, Row


def drift(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks; all of them when none is named.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a resource that differs.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the report to this file too.")] = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Stacks that are looked at side by side.")] = 2,
) -> None:
    """Say what differs between the stacks' state and Azure, with who changed it and when. Changes nothing.

    Exits 1 when something differs, 3 when Azure or a stack could not be looked at.
    """
    from infra.gitops import drift as look

    names = place.require_stacks(stacks or [])
    if markdown is not None:
        place.require_writable(markdown, "--markdown")
    ports = _ports()
    rows = _side_by_side(names, ports, at_once)
    if as_json:
        for row in rows:
            typer.echo(_json(row))
    else:
        for row in rows:
            typer.echo("\n".join(look.lines(row)))
        typer.echo(look.summary(rows, len(names)))
    if markdown is not None:
        place.write(markdown, look.markdown(rows, len(names)), "--markdown")
    raise typer.Exit(max((row.code for row in rows), default=0))


def _side_by_side(names: list[str], ports: Ports, at_once: int) -> list[Row]:
    from concurrent.futures import ThreadPoolExecutor

    from infra.errors import HearthError
    from infra.gitops.drift import Row, of_stack

    def one(name: str) -> list[Row]:
        try:
            return of_stack(name, ports)
        except HearthError as error:
            text = str(error).removeprefix(f"{name}: ")
            return [Row(stack=name, what="not looked at", note=text, code=error.exit_code)]

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return [row for rows in pool.map(one, names) for row in rows]


def _ports() -> Ports:
    from infra.gitops.drift import Ports
    from infra.ports.activity import ActivityLog
    from infra.ports.arm import Arm
    from infra.ports.cloud import Cloud
    from infra.ports.foresee import Engine
    from infra.ports.stacks import Stacks
    from infra.spec import limits

    project, cloud = place.project(), Cloud()
    stacks = Stacks(project.root, project.name)
    return Ports(Engine(project.root), stacks, Arm(cloud), ActivityLog(cloud), limits.load())


def _json(row: Row) -> str:
    import msgspec

    return msgspec.json.encode(row).decode()
