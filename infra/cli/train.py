"""`hearth train`: from stacks/training/<name>.yaml to a model record, and on from wherever it was cut off."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place

if TYPE_CHECKING:
    from infra.ports.finetuning import JobView
    from infra.spec import Project
    from infra.spec.training import Training
    from infra.training.accounts import Trainer
    from infra.training.data import Source
    from infra.training.intent import Book, Intent


def train(
    name: Annotated[str, typer.Argument(help="A file of stacks/training: its name or its path.", show_default=False)],
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return as soon as the job is made.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Train anew where a job of this is over.")] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Check the data first, remote ones too.")] = True,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks at the job.")] = 5.0,
) -> None:
    """Train a model: check the data, upload them, make the job once, follow it, write the model record.

    Killed or cut off at any point, the same command goes on. Exits 2 for mistakes in the YAML or the data, 1 for a job
    that failed or was cancelled, and for what Azure would refuse.
    """
    from infra.ports import clock
    from infra.ports.cloud import Cloud
    from infra.spec import limits
    from infra.spec.training import load_training
    from infra.training import ahead, data
    from infra.training import train as work

    project = place.project()
    training = load_training(project, _name(project, name))
    for warning in training.warnings:
        typer.echo(f"warning: {training.file}: {warning}", err=True)
    trainer = _trainer(training)
    with data.gather(Cloud(), trainer, training, project.root, os.environ, fetch=check) as sources:
        book = work.book(place.hidden_folder() / "training", trainer, training, sources)
        with book.held():

            def prove() -> None:
                ahead.prove(trainer, training.wish, sources, limits.load(), clock.today())
                ahead.jobs(trainer)
                if check:
                    _check(trainer, training, sources)
                else:
                    typer.echo("not checked (--no-check): neither tokens nor cost are known")

            begun = work.begin(
                trainer, training, sources, book, again=again, prove=prove, tell=typer.echo, progress=_bar()
            )
            _tell_job(begun.job, training, begun.intent, is_old=begun.is_old)
            if detach and not begun.job.is_over:
                typer.echo(f"goes on without us: hearth jobs watch {begun.job.id}, or this command again")
                return
            job = begun.job if begun.job.is_over else _follow(trainer, begun.job, every)
            code = _finish(project, trainer, training, job, begun.intent, book)
    raise typer.Exit(code)


def _name(project: Project, text: str) -> str:
    """The name of a training file, which may be given as its path."""
    path = Path(text)
    return path.stem if path.suffix == ".yaml" and path.resolve().parent == project.training_folder.resolve() else text


def _trainer(training: Training) -> Trainer:
    from infra.cli import trainers

    source = training.wish.account or trainers.of_stack(training.wish.stack or "")
    (opened,) = trainers.opened([source])
    return opened()


# --- before --------------------------------------------------------------------------------------------------------


def _check(trainer: Trainer, training: Training, sources: list[Source]) -> None:
    """Check the data as `hearth data check` does; exits 2 where they have faults."""
    from infra.cli import data_report
    from infra.training import dataset

    epochs = training.wish.hyperparameters.n_epochs
    asked = dataset.Asked(
        training=[s.path for s in sources if s.role == "training" and s.path is not None],
        validation=[s.path for s in sources if s.role == "validation" and s.path is not None],
        model=training.wish.model,
        method=training.wish.method,
        epochs=epochs,
        called={s.path: s.data.file for s in sources if s.path is not None},
        file_bytes=trainer.limit("MaxTrainingFileSize", 0) or None,
    )
    report = dataset.check(asked)
    data_report.tell(report)
    if report.count("fault"):
        typer.echo("nothing was uploaded", err=True)
        raise typer.Exit(2)


def _bar() -> Callable[[str, int, int], None]:
    """A line for each tenth of a large file, one for a small file."""
    said: dict[str, int] = {}

    def progress(name: str, done: int, size: int) -> None:
        tenth = done * 10 // max(size, 1)
        if tenth > said.get(name, 0):
            said[name] = tenth
            typer.echo(f"uploaded {name}: {done:,} of {size:,} bytes")

    return progress


# --- while it runs -------------------------------------------------------------------------------------------------


def _tell_job(job: JobView, training: Training, intent: Intent, *, is_old: bool) -> None:
    if not is_old:
        typer.echo(f"made {job.id}: {job.model}, seed {job.seed}")
    elif job.is_over and intent.told:
        typer.echo(f"{training.name} was trained before: {job.id} {job.status}")
    else:
        typer.echo(f"goes on with {job.id} ({job.status})")


def _follow(trainer: Trainer, job: JobView, every: float) -> JobView:
    from infra.cli import watching
    from infra.training import follow

    try:
        with watching.watcher() as tell:
            return follow.end(trainer.jobs, job.id, tell, every)
    except KeyboardInterrupt:
        typer.echo(f"{job.id} goes on without us; the same command follows it again", err=True)
        raise


# --- after ---------------------------------------------------------------------------------------------------------


def _finish(project: Project, trainer: Trainer, training: Training, job: JobView, intent: Intent, book: Book) -> int:
    """Tell how it ended, write the record; gives the exit code."""
    from infra.training import outcome

    if job.status == "paused":
        typer.echo(f"{job.id} is paused: hearth jobs resume {job.id}, then this command again")
        return 0
    if job.status != "succeeded":
        why = outcome.failure(job) if job.status == "failed" else "somebody cancelled it"
        typer.echo(f"{job.id} {job.status}: {why}\nto try again: hearth train {training.name} --again", err=True)
        _told(intent, book)
        return 1
    if intent.told and project.record_file(training.record).exists():
        file = project.shown(project.record_file(training.record))
        typer.echo(f"its model: {job.fine_tuned_model}, record {file}; to train anew: --again")
        return 0
    _tell_outcome(trainer, training, job)
    _record(project, trainer, training, job, intent)
    _told(intent, book)
    return 0


def _told(intent: Intent, book: Book) -> None:
    intent.told = True
    book.save(intent)


def _tell_outcome(trainer: Trainer, training: Training, job: JobView) -> None:
    from infra.cli import results
    from infra.errors import HearthError
    from infra.training import outcome

    typer.echo(f"{job.id} succeeded: {job.fine_tuned_model}")
    if job.trained_tokens is not None:
        typer.echo(f"tokens billed: {job.trained_tokens:,}{_cost(training, job.trained_tokens)}")
    try:
        found = outcome.of_job(trainer, job)
    except HearthError as error:  # the model is there, whatever its figures' file is
        typer.echo(f"its results cannot be read: {error}", err=True)
        return
    results.tell(found)
    if found.choice.checkpoint is not None:
        typer.echo(
            f"to take that checkpoint: hearth models record {job.id} --name {training.record} "
            f"--checkpoint {found.choice.step}"
        )


def _cost(training: Training, tokens: int) -> str:
    from infra.spec import tuning

    prices, base = tuning.load().prices, training.wish.model.partition(".ft-")[0]
    price = prices.per_million_tokens.get(base, {}).get(training.wish.training_type or "Standard")
    if price is None:
        return " (price unknown)"
    return f" = {tokens * price / 1e6:,.2f} {prices.currency} ({prices.source}, {prices.as_of})"


def _record(project: Project, trainer: Trainer, training: Training, job: JobView, intent: Intent) -> None:
    from infra.training import record

    written = record.put(project, training.record, record.text(trainer, job, project, sent=intent.files))
    if written.diff:
        typer.echo(written.diff)
    verb = "wrote" if written.is_new else "replaced" if written.diff else "unchanged:"
    typer.echo(f"{verb} {project.shown(written.file)}")
