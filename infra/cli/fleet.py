"""`hearth stack`: the stacks of a fleet as files: a further region, one that goes."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import place
from infra.errors import HearthError

app = typer.Typer(help="The stacks of the fleet: add one in the shape of another, take one out.", no_args_is_help=True)


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
