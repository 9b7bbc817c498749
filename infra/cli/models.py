"""`hearth models`: the model records."""

from __future__ import annotations

import typer

from infra.cli import evaluate

app = typer.Typer(help="Model records: which tuned model a name stands for, and how good it is.", no_args_is_help=True)
app.command("evaluate")(evaluate.evaluate)
