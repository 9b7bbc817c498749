"""`hearth jobs`: the fine-tuning jobs of an account, listed, shown, watched, ended, paused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.trainers import AccountOption, StackOption

if TYPE_CHECKING:
    from infra.ports.finetuning import FineTuning, JobView
    from infra.training.accounts import Trainer

app = typer.Typer(no_args_is_help=True)
Job = Annotated[str, typer.Argument(metavar="JOB", help="ftjob-…, or the tuned model that it made.")]


@app.command("list")
def list_jobs(
    *,
    number: Annotated[int, typer.Option("--limit", min=1, help="How many of an account, newest first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
    account: AccountOption = None,
    stack: StackOption = None,
) -> None:
    """List the jobs of an account, newest first. An account that cannot be read is told; the exit code is 3 then."""
    from itertools import islice

    from infra.cli import trainers
    from infra.errors import HearthError

    rows: list[tuple[str, JobView]] = []
    code = 0
    for source, opened in (pairs := _accounts(trainers.sources(account, stack))):
        try:
            rows += [(source, job) for job in islice(opened().jobs.jobs(), number)]
        except HearthError as error:
            code = max(code, error.exit_code)
            typer.echo(f"{source}: {error}", err=True)
    if as_json:
        typer.echo(json.dumps([{"account": source, **_plain(job)} for source, job in rows], indent=2))
    elif rows or not code:  # "no jobs" is not known of accounts that cannot be read
        _show(rows, several=len(pairs) > 1)
    raise typer.Exit(code)


@app.command()
def show(
    job: Job,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
    account: AccountOption = None,
    stack: StackOption = None,
) -> None:
    """Show a job: what was asked for, how far it is, why it failed, and all that happened."""
    from infra.cli import watching
    from infra.training import outcome

    trainer, found = _find(job, account, stack)
    events = trainer.jobs.events(found.id)
    if as_json:
        from msgspec import to_builtins

        typer.echo(json.dumps({**_plain(found), "events": to_builtins(events)}, indent=2))
        return
    for key, value in _plain(found).items():
        typer.echo(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")
    if found.status == "failed":
        typer.echo(f"why: {outcome.failure(found)}")
    for event in events:
        typer.echo(watching.line(event))


@app.command()
def watch(
    job: Job,
    *,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks.")] = 5.0,
    account: AccountOption = None,
    stack: StackOption = None,
) -> None:
    """Watch a job until it is over: events in the order of time, and on a terminal its loss. Exits 1 when it fails."""
    from infra.cli import watching
    from infra.training import follow, outcome

    trainer, found = _find(job, account, stack)
    with watching.watcher() as tell:
        last = follow.end(trainer.jobs, found.id, tell, every)
    if last.status == "succeeded":
        typer.echo(f"{last.id} succeeded: {last.fine_tuned_model}; its figures: hearth results {last.id}")
    elif last.status == "paused":
        typer.echo(f"{last.id} is paused: hearth jobs resume {last.id}")
    else:
        why = f": {outcome.failure(last)}" if last.status == "failed" else ""
        typer.echo(f"{last.id} {last.status}{why}", err=True)
        raise typer.Exit(1)


@app.command()
def cancel(job: Job, *, account: AccountOption = None, stack: StackOption = None) -> None:
    """End a job. What was trained until now is billed, and its checkpoints go with it."""
    _act(job, account, stack, lambda jobs, name: jobs.cancel(name), "cancelled")


@app.command()
def pause(job: Job, *, account: AccountOption = None, stack: StackOption = None) -> None:
    """Pause a running job that has done a step: it leaves a checkpoint that can be deployed."""
    _act(job, account, stack, lambda jobs, name: jobs.pause(name), "paused")


@app.command()
def resume(job: Job, *, account: AccountOption = None, stack: StackOption = None) -> None:
    """Have a paused job go on."""
    _act(job, account, stack, lambda jobs, name: jobs.resume(name), "running")


# --- parts ---------------------------------------------------------------------------------------------------------


def _accounts(sources: list[Any]) -> list[tuple[str, Callable[[], Trainer]]]:
    from infra.cli import trainers

    return list(zip((source.account for source in sources), trainers.opened(sources), strict=True))


def _find(job: str, account: str | None, stack: str | None) -> tuple[Trainer, JobView]:
    from infra.cli import trainers
    from infra.training import outcome

    return trainers.search(account, stack, lambda trainer: outcome.find_job(trainer, job), job)


def _act(
    job: str, account: str | None, stack: str | None, act: Callable[[FineTuning, str], JobView], wanted: str
) -> None:
    """Do it; where no answer came, look whether it was done."""
    from infra.errors import Unreachable

    trainer, found = _find(job, account, stack)
    if found.status == wanted:
        typer.echo(f"{found.id} is {wanted} already")
        return
    try:
        now = act(trainer.jobs, found.id)
    except Unreachable:
        now = trainer.jobs.job(found.id)
        if now.status == found.status:
            raise
    typer.echo(f"{now.id}: {now.status}")


def _plain(job: JobView) -> dict[str, Any]:
    """A job for programs, without what it does not have."""
    from msgspec import to_builtins

    found: dict[str, Any] = to_builtins(job)
    return {key: value for key, value in found.items() if value not in (None, [], {})}


def _show(rows: list[tuple[str, JobView]], *, several: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo("no jobs")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in (*(("account",) if several else ()), "job", "status", "made", "of", "model", "tokens"):
        table.add_column(title, overflow="fold")
    for source, job in rows:
        made = f"{datetime.fromtimestamp(job.created_at, UTC):%Y-%m-%d %H:%M}"
        tokens = f"{job.trained_tokens:,}" if job.trained_tokens is not None else ""
        cells = (job.id, job.status, made, job.model, job.fine_tuned_model or "", tokens)
        table.add_row(*((source,) if several else ()), *cells)
    console = Console()
    (console if console.is_terminal else Console(width=240)).print(table)
