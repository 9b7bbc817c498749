"""`hearth data check`: training data, looked at before anything is uploaded."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.errors import SpecError
    from infra.training.dataset import Progress, Report
    from infra.training.mend import Mended

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Training data: check it before it is uploaded."""


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Training files (JSONL).", show_default=False)],
    *,
    validation: Annotated[
        list[Path] | None, typer.Option("--validation", help="Validation file: checked too, and for overlap.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Base model: its methods, its length of an example, its price.")
    ] = None,
    method: Annotated[
        Literal["supervised", "dpo", "reinforcement"] | None,
        typer.Option("--method", help="What the data are for; by default as they look."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs; by default Azure chooses.")] = None,
    account: Annotated[
        str | None,
        typer.Option("--account", help="SUBSCRIPTION/GROUP/NAME or ARM id: how large a file may be is asked there."),
    ] = None,
    tokens: Annotated[
        Literal["exact", "estimate", "none"], typer.Option("--tokens", help="How to count tokens.")
    ] = "exact",
    show: Annotated[int, typer.Option("--show", min=1, help="Findings shown for each rule and file.")] = 5,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write FILE.fixed.jsonl: no blank lines, duplicates, stray marks, CR LF.")
    ] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw lengths and roles to this .png or .svg.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Check training files: shape, encoding, tools, images, duplicates, overlap, tokens, cost. Uploads nothing.

    Exits 2 when there is a fault, 0 when there are warnings alone. Needs no login, but for --account.
    """
    from infra.cli import data_report
    from infra.training import dataset

    if plot is not None:
        _require_drawable(plot)
    asked = dataset.Asked(
        training=files,
        validation=validation or [],
        model=model,
        method=method,
        epochs=epochs,
        counting=tokens,
        file_bytes=_file_bytes(account) if account is not None else None,
        keep=show,
    )
    with _bar() as progress:
        report = dataset.check(asked, progress)
    mended = _mend(report) if fix else []
    if plot is not None:
        _draw(report, plot)
    if as_json:
        typer.echo(json.dumps(data_report.for_programs(report, mended), indent=2))
    else:
        data_report.tell(report)
        for one in mended:
            typer.echo(data_report.changes(one))
    raise typer.Exit(2 if report.count("fault") else 0)


def _file_bytes(account: str) -> int | None:
    """How large a training file may be, as the account says; None where it does not. Raises HearthError."""
    from infra.ports.arm import Arm
    from infra.ports.cloud import Cloud
    from infra.training import accounts

    told = Arm(Cloud()).account(accounts.parse(account).id).capabilities.get("MaxTrainingFileSize", "")
    return int(told) if told.isdecimal() else None


# --- progress ------------------------------------------------------------------------------------------------------


@contextmanager
def _bar() -> Iterator[Progress]:
    """A bar on a terminal's standard error; elsewhere a line now and then."""
    import sys
    import time

    if not sys.stderr.isatty():
        yield _log(sys.stderr.write, time.monotonic)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    # No thread draws it: the processes that read are forked, which is safe without threads alone.
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar("checking", *columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=None)
        drawn = time.monotonic()

        def progress(done: int, total: int) -> None:
            nonlocal drawn
            bar.update(task, completed=done, total=total)
            if time.monotonic() - drawn > 0.1:
                drawn = time.monotonic()
                bar.refresh()

        yield progress


def _log(write: Any, now: Any) -> Progress:
    """A plain line every ten seconds."""
    last = now()

    def progress(done: int, total: int) -> None:
        nonlocal last
        if now() - last >= 10:
            last = now()
            write(f"checking: {done:,} of {total:,} bytes\n")

    return progress


# --- --fix and --plot ----------------------------------------------------------------------------------------------


def _mend(report: Report) -> list[Mended]:
    from infra.errors import HearthError
    from infra.spec import tuning
    from infra.training import mend

    done = []
    for file in report.files:
        if file.shape is None:
            continue
        try:
            done.append(mend.mend(Path(file.path), file.repeats, tuning.load().line_bytes.value))
        except OSError as error:
            goal = mend.target(Path(file.path))
            raise HearthError(f"{goal}: cannot be written: {error.strerror or error}") from error
    return done


def _require_drawable(plot: Path) -> None:
    """Raises SpecError for a picture that cannot be written, before the data are read."""
    from infra.training.picture import SUFFIXES

    if plot.suffix.lower() not in SUFFIXES:
        raise _unwritable(plot, f"ends neither with {' nor with '.join(sorted(SUFFIXES))}")
    if not plot.parent.is_dir():
        raise _unwritable(plot, f"there is no folder {plot.parent}")


def _draw(report: Report, plot: Path) -> None:
    from infra.training import picture

    try:
        picture.draw(report, plot)
    except OSError as error:
        raise _unwritable(plot, f"cannot be written: {error.strerror or error}") from error


def _unwritable(plot: Path, text: str) -> SpecError:
    from infra.errors import Mistake, SpecError

    return SpecError([Mistake(str(plot), 0, "--plot", text)])
