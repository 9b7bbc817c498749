"""Every command of `hearth`, in one place. A group's module is imported once one of its commands is wanted."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from infra.cli import check, clean, doctor, drift, post, preview, results, stack, tend, train, worker

GROUPS = {
    "data": ("infra.cli.data", "Training data: check it before it is uploaded."),
    "jobs": ("infra.cli.jobs", "Fine-tuning jobs: list, show, watch, cancel, pause, resume."),
    "models": ("infra.cli.models", "Model records: write them from jobs, list, show, compare, evaluate."),
    "stack": ("infra.cli.fleet", "The stacks of the fleet: list them, add one in the shape of another, take one out."),
    "rollout": ("infra.cli.rollout.app", "Bring a new model to many stacks, wave by wave."),
    "local": ("infra.cli.local", "Azure on this machine: an honest double, for trying and testing."),
}
"""By name, the module that has the group's `app`, and its help: some fifty commands that most runs do not need."""


class Group(TyperGroup):
    """A group that is not built before it is looked into."""

    def __init__(self, name: str) -> None:
        """`name`: one of GROUPS."""
        self._built: MutableMapping[str, Any] | None = None
        self._module, text = GROUPS[name]
        super().__init__(name=name, help=text, no_args_is_help=True)

    @property
    def commands(self) -> MutableMapping[str, Any]:
        """Its commands, by name."""
        if self._built is None:
            built = typer.main.get_command(import_module(self._module).app)
            self._built = built.commands if isinstance(built, TyperGroup) else {str(built.name): built}
        return self._built

    @commands.setter
    def commands(self, _none: MutableMapping[str, Any]) -> None:
        """Typer sets the commands that it was given: none."""


class Top(TyperGroup):
    """`hearth` itself: commands first, then groups."""

    def __init__(self, **settings: Any) -> None:
        """`settings` are Typer's."""
        super().__init__(**settings)
        self.commands.update({name: Group(name) for name in GROUPS})


app = typer.Typer(
    cls=Top,
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
app.command("train")(train.train)
app.command("clean")(clean.clean)
app.command("results")(results.results)
app.command("checkpoints")(results.checkpoints)
app.command("preview")(preview.preview)
app.command("drift")(drift.drift)
app.command("post")(post.post)
app.command("worker")(worker.worker)
