"""`hearth tend`: keep alive what should live, bring back what was lost, let go what should not live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place

if TYPE_CHECKING:
    from infra.keepalive.memory import Memory
    from infra.keepalive.report import Row
    from infra.keepalive.tend import Tender
    from infra.keepalive.watchlist import WatchList


def tend(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks; all of them when none is named.")] = None,
    *,
    watch_list: Annotated[
        Path | None,
        typer.Option("--watch-list", help="Tend what this file (or env:NAME, a variable) names instead of stacks."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Let `retire` delete, as many a run as its limit says.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a deployment.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the report to this file too.")] = None,
) -> None:
    """Look at every deployment's idle clock and do what its policy says: ping, report, revive, retire.

    Safe to run twice at once; a missed run does no harm. Exits 1 when a deployment that should live is past its warning
    margin, or gone and not brought back; 3 when Azure could not be reached or refused the login.
    """
    from infra.keepalive import report

    if markdown is not None:
        place.require_writable(markdown, "--markdown")
    looked = tender(None if watch_list else place.hidden_folder() / "pings.db")
    lists, rows = _lists(stacks or [], watch_list)
    rows += looked.act(looked.look(lists), yes=yes, dry_run=dry_run)
    if as_json and rows:
        typer.echo(report.json_lines(rows))
    elif not as_json:
        _render(rows)
    if markdown is not None:
        place.write(markdown, report.markdown(rows), "--markdown")
    told = dry_run or _tell(lists, rows)
    raise typer.Exit(max(report.exit_code(rows), 0 if told else 1))


def _tell(lists: list[WatchList], rows: list[Row]) -> bool:
    """Send the notices; False where one did not arrive, which is said and stops nothing."""
    from infra.errors import HearthError
    from infra.keepalive import notify
    from infra.ports import webhook

    arrived = True
    for who, news in notify.notices(lists, rows):
        try:
            webhook.send(who.webhook, notify.body(who.shape, news))
        except HearthError as error:
            typer.echo(f"{error}", err=True)
            arrived = False
    return arrived


def tender(memory: Path | None) -> Tender:
    """A tender of the cloud that the environment names, with its pings remembered in a file."""
    from infra.keepalive.memory import Memory
    from infra.keepalive.outside import Ports
    from infra.keepalive.tend import Tender
    from infra.ports.activity import ActivityLog
    from infra.ports.arm import Arm
    from infra.ports.cloud import Cloud
    from infra.ports.inference import Inference
    from infra.ports.metrics import Metrics
    from infra.spec import limits

    known, cloud = limits.load(), Cloud()
    inference = Inference(cloud, known.inference_api_version.value)
    ports = Ports(Arm(cloud), inference, Metrics(cloud), ActivityLog(cloud))
    kept: Memory | None = Memory(memory, cloud.endpoints.resource_manager) if memory is not None else None
    return Tender(ports, known, kept)


def _lists(names: list[str], file: Path | None) -> tuple[list[WatchList], list[Row]]:
    """The watch lists, and a row for each stack that could not be read: it does not stop the others."""
    from concurrent.futures import ThreadPoolExecutor

    from infra.errors import HearthError, Mistake, SpecError
    from infra.keepalive import report
    from infra.keepalive.stacks import watch_list
    from infra.ports import clock
    from infra.ports.stacks import Stacks

    if file is not None:
        if names:
            raise SpecError(
                [Mistake("hearth tend", 0, "--watch-list", "takes the place of stacks; name one or the other")]
            )
        return [_watch_list(file)], []
    chosen, project, today = place.require_stacks(names), place.project(), clock.today()
    backend = Stacks(project.root, project.name)

    def one(name: str) -> tuple[list[WatchList], list[Row]]:
        try:
            found = watch_list(project, backend, name, today=today)
        except HearthError as error:
            return [], [report.unread(name, str(error), error.exit_code)]
        except Exception as error:  # what nobody foresaw in one stack must not stop the others
            return [], [report.unread(name, f"unreadable: {error!r}", 1)]
        return [found.list], [report.unread(name, said.text, said.code, said.deployment) for said in found.remarks]

    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(one, chosen))
    return [one for lists, _ in found for one in lists], [one for _, rows in found for one in rows]


def _watch_list(file: Path) -> WatchList:
    """A watch list from a file, or from a variable: a container's secrets are variables. Raises SpecError."""
    import os

    from infra.errors import Mistake, SpecError
    from infra.keepalive import watchlist

    kind, _, name = str(file).partition(":")
    if kind != "env":
        return watchlist.read(file)
    try:
        return watchlist.decode(os.environ[name].encode())
    except KeyError:
        text = "is not set"
    except ValueError as error:
        text = f"is no watch list: {error}"
    raise SpecError([Mistake(name, 0, "", text)])


def _render(rows: list[Row]) -> None:
    """A table for people, and the run in a line."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from infra.keepalive import report

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in report.TITLES:
        table.add_column(title, overflow="fold")
    for one in report.by_deadline(rows):
        *cells, outcome, why = report.cells(one)
        table.add_row(*cells, Text(outcome, "green" if one.ok else "red"), Text(why))
    console = Console()
    console.print(table) if console.is_terminal else Console(width=180).print(table)
    typer.echo(report.summary(rows))
