"""`hearth models`: the model records, written from jobs, listed, shown with their line, compared."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import evaluate, place
from infra.cli.trainers import AccountOption, StackOption
from infra.errors import Mistake, SpecError

if TYPE_CHECKING:
    from infra.spec import ModelRecord, Project

app = typer.Typer(no_args_is_help=True)
app.command("evaluate")(evaluate.evaluate)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A file of stacks/models, without .yaml.")]


@app.command("record")
def write_record(
    job: Annotated[str, typer.Argument(help="ftjob-…, or the tuned model that it made.")],
    *,
    name: Annotated[str, typer.Option("--name", help="The record: a file of stacks/models, without .yaml.")],
    checkpoint: Annotated[
        int | None,
        typer.Option("--checkpoint", min=1, help="The step of a checkpoint; default: the job's last result."),
    ] = None,
    account: AccountOption = None,
    stack: StackOption = None,
) -> None:
    """Write the record of a job's model, or of a checkpoint of it. An existing one is shown as a diff and replaced."""
    from infra.cli import trainers
    from infra.training import outcome, record

    project = place.project()
    trainer, found = trainers.search(account, stack, lambda one: outcome.find_job(one, job), job)
    written = record.put(project, name, record.text(trainer, found, project, checkpoint))
    if written.diff:
        typer.echo(written.diff)
    verb = "wrote" if written.is_new else "replaced" if written.diff else "unchanged:"
    typer.echo(f"{verb} {project.shown(written.file)}")


@app.command("list")
def list_records(*, as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False) -> None:
    """List the records of the project, and the stacks that use them. Asks nobody. Exits 2 where one has mistakes."""
    from infra.spec import load_record

    project = place.project()
    used = _used(project)
    rows, mistakes = [], []
    for name in project.record_names():
        try:
            rows.append(_row(name, load_record(project, name), used.get(name, [])))
        except SpecError as error:
            mistakes += error.mistakes
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _show(rows)
    if mistakes:
        raise SpecError(mistakes)


@app.command()
def show(name: Name, *, as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False) -> None:
    """Show a record: its model, where it was trained and how, and the line that it comes from, oldest first."""
    from msgspec import to_builtins

    from infra.spec import load_record
    from infra.spec.documents import write

    record = load_record(place.project(), _known(name))
    line = lineage(record)
    if as_json:
        typer.echo(json.dumps({"name": name, **to_builtins(record), "lineage": line}, indent=2))
        return
    whole = {key: value for key, value in to_builtins(record).items() if value not in (None, {}, [])}
    whole["source"] = {k: v for k, v in whole["source"].items() if v is not None}
    trained = {k: v for k, v in whole.pop("trained", {}).items() if v not in (None, {}, []) and k != "parents"}
    typer.echo(write({**whole, **({"trained": trained} if trained else {})}).rstrip())
    for number, one in enumerate(line):
        told = f"{one['base']} → {one['model']}" + (f" by {one['job']}" if one.get("job") else "")
        typer.echo(f"{'  ' * number}{told}")


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="NAME, NAME@GIT-REF, or a file.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The same.")],
) -> None:
    """Compare two records, or one with what it was in git. Exits 0 where they say the same, else 1."""
    from infra.training import record

    project = place.project()
    old, new = (_text(project, one) for one in (a, b))
    shown = record.compared(old, new, a, b)
    if shown:
        typer.echo(shown)
        raise typer.Exit(1)


def lineage(record: ModelRecord) -> list[dict[str, str]]:
    """The trainings that led to a model, oldest first, itself the last one: each with its job, model and base."""
    found = [{str(k): str(v) for k, v in one.items()} for one in record.trained.parents if isinstance(one, dict)]
    found = [one for one in found if {"model", "base"} <= one.keys()]
    base = found[-1]["model"] if found else record.base or "unknown"
    return [*found, {"job": record.trained.job or "", "model": record.model, "base": base}]


# --- parts ---------------------------------------------------------------------------------------------------------


def _known(name: str) -> str:
    """A name of a record; raises SpecError for what is none, or has no file."""
    from infra.spec.limits import did_you_mean
    from infra.spec.rules import is_record_name

    project = place.project()
    if not is_record_name(name):
        text = f'"{name[:80]}" is no name of a record: a file of stacks/models, without .yaml'
    elif not project.record_file(name).exists():
        text = f"there is no record {name}{did_you_mean(name, project.record_names())}"
    else:
        return name
    raise SpecError([Mistake("command line", 0, "NAME", text)])


def _text(project: Project, one: str) -> str:
    """The text of a record by its name, as it was at a commit, or of a file."""
    from infra.spec.rules import is_record_name

    name, at, ref = one.partition("@")
    if at and is_record_name(name):
        return _of_git(project, name, ref)
    file = project.record_file(one) if is_record_name(one) and project.record_file(one).exists() else Path(one)
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        from infra.spec.limits import did_you_mean

        text = f"is neither a record nor a file that can be read{did_you_mean(one, project.record_names())}"
        raise SpecError([Mistake(one[:200], 0, "", text)]) from error


def _of_git(project: Project, name: str, ref: str) -> str:
    path = project.shown(project.record_file(name))
    wrong = "no ref is named behind the @" if not ref else "a ref does not begin with -" if ref[0] == "-" else ""
    if not wrong:
        command = ["git", "-C", str(project.root), "show", f"{ref}:./{path}"]
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        except OSError as error:
            wrong = f"git cannot be run: {error.strerror or error}"
        except UnicodeDecodeError:
            wrong = "is not UTF-8 text there"
        else:
            if done.returncode == 0:
                return done.stdout
            wrong = (done.stderr.strip().splitlines() or ["git shows nothing"])[0]
    raise SpecError([Mistake(f"{name}@{ref}", 0, "", wrong)])


def _used(project: Project) -> dict[str, list[str]]:
    """Record → deployments that name it, as STACK/DEPLOYMENT; stacks with mistakes name none."""
    from infra.ports import clock
    from infra.spec import check_project

    found: dict[str, list[str]] = {}
    stacks, _ = check_project(project, project.stack_names(), today=clock.today())
    for stack in stacks:
        for wish in stack.deployments:
            found.setdefault(wish.record_name, []).append(f"{stack.name}/{wish.name}")
    return found


def _row(name: str, record: ModelRecord, used: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "model": record.model,
        "base": record.base,
        "source": record.source.account,
        "job": record.trained.job,
        "at": record.trained.at,
        "evaluation": record.evaluation or None,
        "used": used,
    }


def _show(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        typer.echo("no records in stacks/models")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("record", "model", "trained in", "at", "passes", "deployed as"):
        table.add_column(title, overflow="fold")
    for row in rows:
        rate = (row["evaluation"] or {}).get("passRate")
        passes = f"{rate:.0%}" if isinstance(rate, float | int) else ""
        used = ", ".join(row["used"]) or "by no stack"
        table.add_row(row["name"], row["model"], row["source"], row["at"] or "", passes, used)
    console = Console()
    (console if console.is_terminal else Console(width=240)).print(table)
