"""`hearth results` and `hearth checkpoints`: what came of a training, in figures, pictures and words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.trainers import AccountOption, StackOption
from infra.errors import HearthError, Mistake, SpecError

if TYPE_CHECKING:
    from infra.ports.finetuning import CheckpointView, JobView
    from infra.training.outcome import Outcome

_WIDEST = 120


def results(
    of: Annotated[str, typer.Argument(metavar="JOB|FILE", help="ftjob-…, file-…, or a results file on the disk.")],
    *,
    png: Annotated[Path | None, typer.Option("--png", help="Draw the charts to this file.")] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="The same, as SVG.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write one page with charts and verdict.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
    account: AccountOption = None,
    stack: StackOption = None,
) -> None:
    """Tell what the figures of a training mean: losses, accuracies, a verdict, the checkpoint to take.

    Exits 1 when the model should not be taken as it is, or there is nothing to read.
    """
    wanted = [(file, suffix) for file, suffix in ((png, ".png"), (svg, ".svg"), (html, "")) if file is not None]
    _require_places([file for file, _ in wanted])
    outcome = _outcome(of, account, stack)
    for file, suffix in wanted:
        _write(file, _drawn(outcome, suffix))
    if as_json:
        typer.echo(json.dumps(for_programs(outcome), indent=2))
    else:
        tell(outcome)
        for file, _ in wanted:
            typer.echo(f"wrote {file}")
    failed = outcome.job is not None and outcome.job.status in {"failed", "cancelled"}  # there is no model to take
    raise typer.Exit(int(failed or any(finding.is_bad for finding in outcome.findings)))


def checkpoints(
    job: Annotated[str, typer.Argument(help="ftjob-…, or the tuned model that it made.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
    account: AccountOption = None,
    stack: StackOption = None,
) -> None:
    """List the checkpoints that Azure keeps of a job: their figures, and whether they can be deployed."""
    from infra.cli import trainers
    from infra.training import outcome

    trainer, found = trainers.search(account, stack, lambda one: outcome.find_job(one, job), job)
    kept = trainer.jobs.checkpoints(found.id)
    rows = [_row(found, one, kept) for one in kept]
    if as_json:
        typer.echo(json.dumps({"job": found.id, "status": found.status, "checkpoints": rows}, indent=2))
        return
    if not rows:
        typer.echo(f"{found.id} ({found.status}) has no checkpoint: Azure makes one after each epoch")
        return
    _show(rows)


# --- what is told --------------------------------------------------------------------------------------------------


def tell(outcome: Outcome) -> None:
    """The chart, the verdict and the choice, for people."""
    from infra.training import charts, verdict
    from infra.training import outcome as outcomes

    width = min(_WIDEST, shutil.get_terminal_size((100, 24)).columns)
    typer.echo(charts.terminal(outcome.results, width))
    if outcome.job is not None:
        typer.echo(f"{outcome.job.id}: {outcome.job.status}")
        if outcome.job.status == "failed":
            typer.echo(outcomes.failure(outcome.job))
    for name, value in last(outcome).items():
        typer.echo(f"  {name}: {value:g}")
    for finding in outcome.findings:
        advice = f" → {finding.advice}" if finding.advice else ""
        typer.echo(f"{finding.kind}: {finding.fact} ({finding.rule}){advice}")
    taken = f" = {outcome.choice.checkpoint}" if outcome.choice.checkpoint else ""
    head = (
        "none is worth taking; the least bad"
        if verdict.none_is_worth_taking(outcome.findings)
        else "checkpoint to take"
    )
    typer.echo(f"{head}: step {outcome.choice.step}{taken}, {outcome.choice.why}")


def for_programs(outcome: Outcome) -> dict[str, Any]:
    """The same as JSON has it."""
    choice = outcome.choice
    return {
        "title": outcome.title,
        "job": outcome.job.id if outcome.job else None,
        "status": outcome.job.status if outcome.job else None,
        "steps": int(outcome.results.steps[-1]),
        "last": last(outcome),
        "verdict": [
            {"kind": f.kind.value, "bad": f.is_bad, "fact": f.fact, "rule": f.rule, "advice": f.advice}
            for f in outcome.findings
        ],
        "choice": {"step": choice.step, "checkpoint": choice.checkpoint, "why": choice.why},
        "checkpoints": [_row(outcome.job, one, outcome.checkpoints) for one in outcome.checkpoints if outcome.job],
    }


def last(outcome: Outcome) -> dict[str, float]:
    """The last figure of every column that has one."""
    import math

    from infra.training.results import COLUMNS

    found = {name: outcome.results.points(name)[1] for name in COLUMNS}
    return {name: float(values[-1]) for name, values in found.items() if len(values) and math.isfinite(values[-1])}


def _row(job: JobView | None, one: CheckpointView, kept: list[CheckpointView]) -> dict[str, Any]:
    from infra.training import outcome

    why_not = outcome.why_not(job, one, kept) if job is not None else ""
    return {
        "step": one.step_number,
        "id": one.id,
        "model": one.fine_tuned_model_checkpoint,
        "metrics": {name: value for name, value in one.metrics.items() if name != "step"},
        "deployable": not why_not,
        "why": why_not,
    }


def _show(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = {
        "train_loss": "loss",
        "valid_loss": "validation",
        "full_valid_loss": "whole validation",
        "full_valid_mean_token_accuracy": "its accuracy",
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("step", "checkpoint", *shown.values(), "deployable"):
        table.add_column(title, overflow="fold")
    for row in rows:
        figures = [row["metrics"].get(name) for name in shown]
        cells = ["" if value is None else f"{value:.4f}" for value in figures]
        table.add_row(str(row["step"]), row["id"], *cells, "yes" if row["deployable"] else f"no: {row['why']}")
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


# --- where it is read from, and written to ---------------------------------------------------------------------------


def _outcome(of: str, account: str | None, stack: str | None) -> Outcome:
    from infra.cli import trainers
    from infra.training import outcome

    file = Path(of)
    if of.startswith("ftjob-") or (".ft-" in of and not file.exists()):
        trainer, job = trainers.search(account, stack, lambda one: outcome.find_job(one, of), of)
        return outcome.of_job(trainer, job)
    if of.startswith("file-") and not file.exists():
        _, content = trainers.search(account, stack, lambda one: one.files.read(of), of)
        return outcome.of_file(content, of)
    try:
        return outcome.of_file(file.read_bytes(), of)
    except OSError as error:
        text = f"cannot be read: {error.strerror or error}; name a file, a job (ftjob-…) or a file in Azure (file-…)"
        raise SpecError([Mistake(of[:200], 0, "", text)]) from error


def _drawn(outcome: Outcome, suffix: str) -> Callable[[Path], Any]:
    from infra.training import charts

    if suffix:
        return lambda file: charts.save(outcome.results, file, outcome.title, outcome.choice, suffix[1:])
    page = charts.page(outcome.results, outcome.title, outcome.findings, outcome.choice)
    return lambda file: file.write_text(page, "utf-8")


def _require_places(files: list[Path]) -> None:
    """Raises SpecError for what cannot be written, before anything is read."""
    wrong = [file for file in files if not file.parent.is_dir()]
    if wrong:
        raise SpecError([Mistake(str(file), 0, "", f"there is no folder {file.parent}") for file in wrong])


def _write(file: Path, write: Callable[[Path], Any]) -> None:
    try:
        write(file)
    except OSError as error:
        raise HearthError(f"{file}: cannot be written: {error.strerror or error}") from error
