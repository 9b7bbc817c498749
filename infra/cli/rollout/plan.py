"""`hearth rollout plan`: which stack would get which model, in which order. Reads only."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place

if TYPE_CHECKING:
    from infra.rollout.plan import Observed, Wanted
    from infra.rollout.values import Plan
    from infra.spec import Project


WAVES_ONLY = typer.Option(
    "--waves-only", help="Leave alone stacks that rollout.yaml does not name: something else puts them up."
)


def plan(
    *,
    as_tree: Annotated[bool, typer.Option("--tree", help="Print it as a tree, with models in full.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write it to this file too.")] = None,
    hand_on: Annotated[
        bool, typer.Option("--hand-on", help="In a pipeline: give later jobs the digest, as this step's output.")
    ] = False,
    waves_only: Annotated[bool, WAVES_ONLY] = False,
) -> None:
    """Show what `hearth rollout start` would do: wave by wave, which stack gets which model, how, and what it costs.

    Looks at the files as they are, at the stacks' outputs and at Azure; changes nothing. The digest is of targets,
    models from and to, strategies, waves and gates: two plans with the same one do the same. Exits 1 when something is
    refused, 2 when stacks/rollout.yaml is wrong.
    """
    import msgspec

    from infra.cli.rollout import planned
    from infra.spec import limits

    made, currency = make(place.project(), waves_only=waves_only), limits.load().hosting.currency
    if markdown is not None:
        place.write(markdown, planned.markdown(made, currency), "--markdown")
    if hand_on:
        from infra.ports import repos

        repos.of(os.environ).hand_on("digest", made.digest)
    if as_json:
        typer.echo(json.dumps({"digest": made.digest, **msgspec.to_builtins(made)}, indent=2))
    elif as_tree:
        put(planned.tree(made, currency))
    else:
        show(made, currency)
    if any(target.standing == "refused" for wave in made.waves for target in wave.targets):
        raise typer.Exit(1)


def show(made: Plan, currency: str) -> None:
    """Print a plan for people."""
    from infra.cli.rollout import planned

    for number, wave in enumerate(made.waves, 1):
        put(planned.heading(wave, number))
        put(planned.table(wave, currency))
        for note in planned.notes(wave):
            typer.echo(f"   {note}")
        typer.echo()
    typer.echo(planned.summary(made, currency))
    typer.echo(planned.digest(made))


def make(project: Project, only: Collection[str] | None = None, *, waves_only: bool = False) -> Plan:
    """The plan of the files as they are; with `only` of these stacks alone, waves without any of them left out.

    `waves_only` leaves out stacks that rollout.yaml does not name. Raises SpecError, and what looking raises of the
    cloud as a whole.
    """
    from infra.rollout import plan as planning

    wish = wanted(project, waves_only=waves_only)
    if only is not None:
        wish = planning.of_these(wish, only)
    return planning.make(wish, observe(project, wish), commit(project.root))


def wanted(project: Project, *, waves_only: bool = False) -> Wanted:
    """What the files say. Raises SpecError for stacks/rollout.yaml; a stack that cannot be read is told in the plan."""
    from infra.ports import clock
    from infra.rollout.plan import Wanted
    from infra.spec import Rollout, applied, check_project, has_rollout, limits, load_rollout
    from infra.spec.rollout import RolloutFile

    names = project.stack_names()
    stacks, mistakes = check_project(project, names, today=clock.today())
    # Without waves every stack is one that no wave names: one command puts up a merge, whatever the fleet.
    waves = waves_only or has_rollout(project)
    rollout = load_rollout(project, stacks) if waves else Rollout(file=RolloutFile(waves=[]), waves=())
    files = {project.shown(project.stack_file(name)): name for name in names}
    wrong = {files[one.file]: f"{one.file}, {one}" for one in reversed(mistakes) if one.file in files}
    read = {stack.name: stack for stack in stacks if stack.name not in wrong}
    named = {name for wave in rollout.waves for name in wave.stacks}
    program = applied.program(project.root)
    return Wanted(
        fleet=project.name,
        rollout=rollout,
        stacks=read,
        unread=wrong,
        others=() if waves_only else tuple(name for name in names if name not in named),
        digests={name: applied.digest(project, one, program, named=name in named) for name, one in read.items()},
        limits=limits.load(),
    )


def observe(project: Project, wish: Wanted, *, login: bool = False) -> dict[str, Observed]:
    """What stands at the stacks of the rollout, looked at side by side; of stacks that no wave names the outputs alone.

    Without a login it is their outputs alone; where `login` demands one, that raises LoginFailed.
    """
    from infra.errors import LoginFailed
    from infra.ports.arm import Arm
    from infra.ports.cloud import Cloud
    from infra.ports.metrics import Metrics
    from infra.ports.stacks import Stacks
    from infra.rollout import observe as eyes

    cloud, backend, tokens = Cloud(), Stacks(project.root, project.name), wish.limits.ping_tokens.value
    moved = {name: stack for name, stack in wish.stacks.items() if name not in wish.others}
    try:
        return eyes.observe(wish.names, moved, backend, Arm(cloud), Metrics(cloud), tokens)
    except LoginFailed as error:
        if login:
            raise
        typer.echo(f"Azure was not looked at, only the stacks' outputs: {error}", err=True)
        return eyes.observe(wish.names, {}, backend, Arm(cloud), Metrics(cloud), tokens)


def commit(root: Path) -> str:
    """The commit of the files, or what stands for it where they differ from it or are in no repository."""
    import subprocess

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    head = git("rev-parse", "--verify", "HEAD")
    if head is None:
        return "no commit"
    return f"{head} and changes" if git("status", "--porcelain", "--", ".") else head


def put(what: object) -> None:
    """Print what Rich draws. A log has no width of its own; a table folded at 80 columns is no table."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=200)).print(what, markup=False)
