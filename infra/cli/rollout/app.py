"""Every command of `hearth rollout`, in one place."""

from __future__ import annotations

import typer

from infra.cli.rollout import asks, gate, look, plan, start

app = typer.Typer(no_args_is_help=True)
app.command("plan")(plan.plan)
app.command("gate")(gate.gate)
app.command("start")(start.start)
app.command("status")(look.status)
app.command("watch")(look.watch)
app.command("approve")(asks.approve)
app.command("pause")(asks.pause)
app.command("resume")(asks.resume)
app.command("abort")(asks.abort)
app.command("rollback")(asks.rollback)
app.command("list")(look.list_)
app.command("show")(look.show)
