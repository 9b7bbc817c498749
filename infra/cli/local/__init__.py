"""`hearth local`: Azure on this machine."""

from __future__ import annotations

import typer

from infra.cli.local import clock, faults, job, log, models, run, snapshots, switches
from infra.cli.local.base import control, environment, folder, require_running, start

__all__ = ["app", "control", "environment", "folder", "require_running", "start"]

app = typer.Typer(no_args_is_help=True)
app.command("start")(run.start)
app.command("stop")(run.stop)
app.command("status")(run.status)
app.command("env")(run.env)
app.command("up")(run.up)
app.command("advance")(clock.advance)
app.add_typer(clock.app, name="clock")
app.add_typer(faults.app, name="fault")
app.command("log")(log.log)
app.command("job")(job.job)
app.add_typer(snapshots.app, name="snapshot")
app.command("reset")(snapshots.reset)
app.command("switch")(switches.switch)
app.command("delete-model")(models.delete_model)
