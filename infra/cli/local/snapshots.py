"""Snapshots of local Azure, and a new start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli import place
from infra.cli.local import base

app = typer.Typer(help="Keep all that local Azure knows under a name, and go back to it.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Its name.")]
PULUMI = "Pulumi's own state is not touched: a stack whose resources are gone wants `pulumi refresh`."


@app.command()
def save(name: Name) -> None:
    """Keep records, clock, switches and faults as they are now; what had the name before is replaced."""
    kept = base.ask("PUT", f"snapshots/{_quoted(name)}")
    typer.echo(f"snapshot {kept['name']} kept, as of {base.moment(kept['now'])} ({kept['bytes']} bytes)")


@app.command("list")
def list_all(*, as_json: base.JSON = False) -> None:
    """List the snapshots there are."""
    found = base.ask("GET", "snapshots")["value"]
    if as_json:
        base.show_json(found)
    elif not found:
        typer.echo("there is no snapshot; hearth local snapshot save NAME")
    else:
        rows = [[k["name"], base.moment(k["now"]) if k["now"] else "of another format", str(k["bytes"])] for k in found]
        base.table(rows, ["name", "as of", "bytes"])


@app.command()
def restore(name: Name) -> None:
    """Go back to a snapshot, the clock too, without a restart."""
    clock = base.ask("POST", f"snapshots/{_quoted(name)}/restore")
    typer.echo(f"back at snapshot {name}: in local Azure it is {base.moment(clock['now'])}. {PULUMI}")


@app.command()
def delete(name: Name) -> None:
    """Forget a snapshot."""
    base.ask("DELETE", f"snapshots/{_quoted(name)}")
    typer.echo(f"snapshot {name} is gone")


def reset(
    seed: Annotated[Path | None, typer.Option(help="Plant this file; stacks/local-azure.yaml unless told.")] = None,
) -> None:
    """Forget everything but the snapshots, and plant the seed anew."""
    running = base.require_running()
    base.control(running, "POST", "reset", _read(seed))
    typer.echo(f"local Azure is as new. {PULUMI}")


def _read(given: Path | None) -> Any:
    import msgspec

    from infra.localazure import seed

    path = given or place.project().stacks / base.SEED
    if given is None and not path.exists():
        return None
    try:
        return msgspec.to_builtins(seed.read(path))
    except seed.BadSeed as error:
        raise base.mistake("reset", str(path), str(error)) from error


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")
