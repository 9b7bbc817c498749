"""Every command of `hearth`, in one place."""

from __future__ import annotations

import typer

from infra.cli import (
    check,
    clean,
    data,
    doctor,
    drift,
    fleet,
    jobs,
    local,
    models,
    post,
    preview,
    results,
    stack,
    tend,
    train,
    worker,
)
from infra.cli.rollout import app as rollout

app = typer.Typer(
    help="Fine-tuned Azure OpenAI models as Pulumi code, kept serving.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("status")(stack.status)
app.command("tend")(tend.tend)
app.command("chat")(stack.chat)
app.command("recover")(stack.recover)
app.command("adopt")(stack.adopt)
app.add_typer(data.app, name="data")
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.command("train")(train.train)
app.command("clean")(clean.clean)
app.command("results")(results.results)
app.command("checkpoints")(results.checkpoints)
app.command("preview")(preview.preview)
app.command("drift")(drift.drift)
app.command("post")(post.post)
app.add_typer(fleet.app, name="stack")
app.add_typer(rollout.app, name="rollout")
app.command("worker")(worker.worker)
app.add_typer(local.app, name="local")
