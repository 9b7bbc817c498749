"""Every command of `hearth rollout`, in one place."""

from __future__ import annotations

import typer

from infra.cli.rollout import gate, plan

app = typer.Typer(help="Bring a new model to many stacks, wave by wave.", no_args_is_help=True)
app.command("plan")(plan.plan)
app.command("gate")(gate.gate)
