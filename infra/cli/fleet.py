"""`hearth stack`: the stacks of a fleet as files: which there are, a further region, one that goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place
from infra.errors import HearthError, SpecError

if TYPE_CHECKING:
    from infra.gitops.fleet import Row, State
    from infra.rollout.plan import Observed
    from infra.spec import Project, Rollout, Stack

app = typer.Typer(no_args_is_help=True)
_STATES: dict[State, str] = {
    "asWanted": "as wanted",
    "held": "held",
    "behind": "behind its record",
    "notUp": "not up",
    "gone": "not in its file any more",
    "unread": "unread",
}


@app.command("list")
def show(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """List the stacks of the fleet: wave, the model that the record names, the model served, and whether it is held.

    From the files and the stacks' last outputs; asks nothing of Azure. What cannot be read is said in its row.
    """
    import msgspec

    from infra.gitops import fleet

    project = place.project()
    names = project.stack_names()
    stacks, unread, rollout = _files(project, names)
    found = fleet.rows(names, stacks, unread, rollout, _outputs(project, list(stacks)))
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2))
        return
    _table(found)
    for stack, why in {row.stack: row.why for row in found if row.why}.items():
        typer.echo(f"{stack}: {why}", err=True)


def _files(project: Project, names: list[str]) -> tuple[dict[str, Stack], dict[str, str], Rollout | None]:
    """The stacks that can be read, why the others cannot, and the rollout; a wrong one is told of and left out."""
    from infra.ports import clock
    from infra.spec import load_rollout, load_stack

    stacks: dict[str, Stack] = {}
    unread: dict[str, str] = {}
    for name in names:
        try:
            stacks[name] = load_stack(project, name, project.config(name), today=clock.today())
        except SpecError as error:
            first = error.mistakes[0]
            unread[name] = f"{first.file}, {first}"
    if not (project.stacks / "rollout.yaml").exists():
        return stacks, unread, None
    try:
        return stacks, unread, load_rollout(project, list(stacks.values()))
    except SpecError as error:
        typer.echo(f"no waves: {error}", err=True)
        return stacks, unread, None


def _outputs(project: Project, names: list[str]) -> dict[str, Observed]:
    """The last outputs of the named stacks, or why they cannot be read."""
    from concurrent.futures import ThreadPoolExecutor

    from infra.ports.stacks import Stacks
    from infra.rollout.plan import Observed

    backend = Stacks(project.root, project.name)

    def one(name: str) -> Observed:
        try:
            return Observed(outputs=backend.outputs(name))
        except HearthError as error:
            return Observed(unread=" ".join(str(error).split()))

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def _table(found: list[Row]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from infra.cli.rollout import planned

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("stack", "region", "wave", "deployment", "wanted", "served", "state"):
        table.add_column(title, overflow="fold")
    for row in found:
        by = f" (rollout {row.rollout})" if row.held and row.rollout else ""
        table.add_row(
            row.stack, row.location, row.wave or "", row.deployment, planned.short(row.wanted or ""),
            planned.short(row.served or ""), f"{_STATES[row.state]}{by}",
        )  # fmt: skip
    console = Console()
    # A log has no width of its own; a table folded at 80 columns is no table.
    (console if console.is_terminal else Console(width=200)).print(table, markup=False)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The new stack.")],
    *,
    like: Annotated[str, typer.Option(help="The stack whose shape it takes.")],
    location: Annotated[str, typer.Option(help="Its region.")],
    account: Annotated[str, typer.Option(help="Its account's name, which is unique in all of Azure.")],
    resource_group: Annotated[str | None, typer.Option(help="Derived from the other's by default.")] = None,
    subscription: Annotated[str | None, typer.Option(help="The other's by default.")] = None,
) -> None:
    """Write the file of a further stack in the shape of another, comments and all, and check it.

    Where something is not as it should be, nothing is written.
    """
    from infra.gitops import shape
    from infra.ports import clock

    project = place.project()
    place.require_stacks([like])
    shape.add(
        project, name, like, location=location, account=account, resource_group=resource_group,
        subscription=subscription, today=clock.today(),
    )  # fmt: skip
    typer.echo(f"wrote {project.shown(project.stack_file(name))}; what next:")
    typer.echo(f"  hearth doctor {name}\n  pulumi stack init {name} && pulumi up --stack {name}, or the next rollout")


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The stack that goes.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only said.")] = False,
) -> None:
    """Take a stack out of the fleet: its file, and what the backend knows of it. One that is up is refused."""
    from infra.ports.stacks import Stacks

    project = place.project()
    place.require_stacks([name])
    stacks, file = Stacks(project.root, project.name), project.shown(project.stack_file(name))
    held = stacks.state(name).ids
    if held:
        raise HearthError(
            f"{name}: {len(held)} resources stand; take them down first: pulumi destroy --stack {name}. (To leave them "
            f"where they are and only forget them: pulumi stack rm --force {name})"
        )
    known = name in stacks.names()
    if not yes:
        typer.echo(f"would remove {file}{' and the empty stack in the backend' if known else ''}; with --yes it does")
        return
    if known:
        stacks.remove(name)
    project.stack_file(name).unlink()
    typer.echo(f"removed {file}; commit it")
