"""`hearth rollout gate`: one gate, tried at what stands at a stack. Changes nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place

if TYPE_CHECKING:
    from infra.rollout.gates import Gates
    from infra.spec import Project
    from infra.spec.rollout import RolloutFile

EXIT = {"pass": 0, "fail": 1, "inconclusive": 3}


def gate(
    name: Annotated[str, typer.Argument(help="The gate, as stacks/rollout.yaml calls it, or `ready`.")],
    *,
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack whose deployments are looked at.")],
    deployment: Annotated[str, typer.Option("--deployment", help="This one of them alone.")] = "",
    standby: Annotated[
        bool, typer.Option("--standby", help="Look at what stands beside the active one, not at that.")
    ] = False,
    since: Annotated[str, typer.Option("--since", help="How far back metrics are read.")] = "1h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Try one gate of stacks/rollout.yaml at what a stack serves now, without a rollout.

    Prompts are real calls, commands are really run; nothing is changed. Exits 0 when it passes, 1 when it fails, 3 when
    it cannot tell, 2 when something is written wrong.
    """
    import msgspec

    from infra.errors import Mistake, SpecError
    from infra.ports import clock
    from infra.ports.stacks import Stacks
    from infra.rollout import trial
    from infra.spec import duration

    try:
        back = duration.parse(since)
    except ValueError as error:
        raise SpecError([Mistake("hearth rollout gate", 0, "--since", str(error))]) from error
    place.require_stacks([stack])
    project = place.project()
    gates = _gates(project, _file(project), back)
    gates.require(name)
    target = trial.target(
        stack, Stacks(project.root, project.name).outputs(stack), deployment=deployment, standby=standby
    )
    if dry_run:
        told = gates.foretell(target, name)
        typer.echo(json.dumps({"gate": name, "stack": stack, "would": told}) if as_json else f"{stack}: {told}")
        return
    found = gates.gate("", "", target, name, since=clock.now() - back)
    if as_json:
        typer.echo(json.dumps({"gate": name, "stack": stack, **msgspec.to_builtins(found)}, indent=2))
    else:
        typer.echo(f"{stack}: {found.outcome}: {found.reason}")
    raise typer.Exit(EXIT[found.outcome])


def _file(project: Project) -> RolloutFile:
    from infra.ports import clock
    from infra.spec import check_project, load_rollout

    stacks, _ = check_project(project, project.stack_names(), today=clock.today())
    return load_rollout(project, stacks).file


def _gates(project: Project, file: RolloutFile, window: timedelta) -> Gates:
    from infra.ports.arm import Arm
    from infra.ports.cloud import Cloud
    from infra.ports.inference import Inference
    from infra.ports.metrics import Metrics
    from infra.rollout.gates import Gates
    from infra.rollout.kinds import Ports
    from infra.spec import limits

    known, cloud = limits.load(), Cloud()
    ports = Ports(Arm(cloud), Inference(cloud, known.inference_api_version.value), Metrics(cloud))
    return Gates(ports, project, file.gates, file.limits, known, window=window)
