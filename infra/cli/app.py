"""Every command of `hearth`, in one place."""

from __future__ import annotations

import typer

<<<<<<< HEAD
from infra.cli import check, doctor, drift, fleet, local, post, preview, stack, tend
=======
from infra.cli import check, doctor, fleet, local, post, stack, tend, worker
>>>>>>> d1c913fbae8ab6ab0114460eeee0a91d4982d2f1
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
<<<<<<< HEAD
app.command("preview")(preview.preview)
app.command("drift")(drift.drift)
app.command("post")(post.post)
app.add_typer(fleet.app, name="stack")
app.add_typer(rollout.app, name="rollout")
=======
app.command("post")(post.post)
app.add_typer(fleet.app, name="stack")
app.add_typer(rollout.app, name="rollout")
app.command("worker")(worker.worker)
>>>>>>> d1c913fbae8ab6ab0114460eeee0a91d4982d2f1
app.add_typer(local.app, name="local")
