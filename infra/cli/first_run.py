"""The first run: local Azure, the example's stacks, an answer from each deployment."""

from __future__ import annotations

import os
import time

import typer

from infra import recover
from infra.cli import engine, local, place, stack
from infra.errors import HearthError, Refused
from infra.ports import clock
from infra.ports.stacks import Stacks
from infra.spec import Project, Stack, load_stack

PREFIX = "local-"
QUESTION = "Which model are you?"


def run() -> int:
    """Do it all; interrupted, it leaves nothing running that it started. Returns the exit code."""
    from infra.localazure import process

    started = time.monotonic()
    running = local.start()
    typer.echo(f"① local Azure at {running.origin}{'' if running.new else ' (ran already)'}")
    try:
        os.environ.update(local.environment(running))
        project = place.project()
        names = _in_order(project)
        for number, name in enumerate(names, start=2):
            typer.echo(f"\n{_circled(number)} pulumi up --stack {name}")
            _up(project, name)
        typer.echo(f"\n{_circled(len(names) + 2)} each tuned model answers")
        code = _ask(project, names)
    except KeyboardInterrupt:
        if running.new:
            process.stop(running.folder)
            typer.echo("\ninterrupted; local Azure is stopped, its state is kept. Run it again to go on.", err=True)
        return 130
    typer.echo(f"\ndone in {time.monotonic() - started:.0f} s. What to try next:")
    typer.echo('  eval "$(.venv/bin/hearth local env)"     # this shell: cloud, certificates, login, engine')
    typer.echo(f"  pulumi preview --stack {names[-1]}     # no changes")
    typer.echo("  hearth status")
    typer.echo("  make down                                # stops local Azure, keeps its state")
    return code


def _in_order(project: Project) -> list[str]:
    """The example's stacks; one whose account owns a model comes before those that serve it elsewhere."""
    stacks = [
        load_stack(project, name, project.config(name), today=clock.today())
        for name in project.stack_names()
        if name.startswith(PREFIX)
    ]

    def serves_model_of(one: Stack, other: Stack) -> bool:
        return any(w.record.source.id.lower() == other.account_id.lower() for w in one.deployments)

    ordered: list[Stack] = []
    while stacks:
        free = [s for s in stacks if not any(serves_model_of(s, o) for o in stacks if o is not s)] or stacks
        ordered += free
        stacks = [s for s in stacks if s not in free]
    return [s.name for s in ordered]


def _up(project: Project, name: str) -> None:
    """`pulumi up` of one stack, shown as it goes; recovered first. Raises Refused where the engine fails."""
    stacks = Stacks(project.root, project.name)
    if name not in stacks.names():
        stacks.create(name)
    done = recover.recover(project.root, name, stacks)
    for lock in done.removed_locks:
        typer.echo(f"  removed the lock of {lock.owner}, which is gone")
    code = engine.run(["up", "--yes", "--skip-preview", "--stack", name], project.root)
    if code:
        raise Refused(f"pulumi up --stack {name} failed; its message is above")


def _ask(project: Project, names: list[str]) -> int:
    """Ask every deployment side by side and show the answers; 1 if one does not answer."""
    stacks = Stacks(project.root, project.name)
    addresses = {
        f"{name}/{deployment}": stack.address(stacks, name, deployment)
        for name in names
        for deployment in (stacks.outputs(name) or {}).get("deployments") or {}
    }
    code = 0
    for where, reply in stack.ask_all(addresses, QUESTION, say=lambda text: typer.echo(f"  {text}")).items():
        if isinstance(reply, HearthError):
            typer.echo(f"  {where}: {reply}", err=True)
            code = 1
        else:
            typer.echo(f"  {where}: {reply.text}")
    return code


def _circled(number: int) -> str:
    return chr(ord("①") + number - 1)
