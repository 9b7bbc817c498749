"""The faults of local Azure."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from infra.cli.local import base

app = typer.Typer(help="Have local Azure fail as Azure fails: add, list and clear faults.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Which fault; `hearth local fault kinds` lists them.")],
    *,
    scope: Annotated[
        str, typer.Option(help="Whom: a resource id, a region, a path, an operation such as '*/deployments/write'.")
    ] = "",
    count: Annotated[int | None, typer.Option(help="How often; until it is cleared unless told.")] = None,
    rate: Annotated[float, typer.Option(help="Which share of the calls, 0 to 1.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Decides which calls, where it is not all of them.")] = 0,
    seconds: Annotated[float | None, typer.Option(help="How long, for faults that take time.")] = None,
    after: Annotated[int, typer.Option(help="How many calls pass first.")] = 0,
    when: Annotated[str, typer.Option(help="before | after the work, for a lost answer.")] = "before",
    as_json: base.JSON = False,
) -> None:
    """Have a fault stand from now on."""
    wish = {"name": name, "scope": scope, "rate": rate, "seed": seed, "after": after, "when": when}
    given = {"count": count, "seconds": seconds}
    fault = base.ask("POST", "faults", wish | {k: v for k, v in given.items() if v is not None})
    if as_json:
        base.show_json(fault)
    else:
        typer.echo(f"{fault['id']} stands: {_told(fault)}")


@app.command("list")
def list_all(*, as_json: base.JSON = False) -> None:
    """List the faults that stand, with how often each has struck."""
    found = base.ask("GET", "faults")["value"]
    if as_json:
        base.show_json(found)
    elif not found:
        typer.echo("no fault stands; hearth local fault kinds lists those there are")
    else:
        rows = [[f["id"], f["name"], _left(f), str(f["met"]), str(f["hits"]), _how(f)] for f in found]
        base.table(rows, ["id", "fault", "to come", "met", "hits", "how"])


@app.command()
def kinds(*, as_json: base.JSON = False) -> None:
    """List the faults there are: what each strikes and what the client sees."""
    found = base.ask("GET", "faults/kinds")["value"]
    if as_json:
        base.show_json(found)
        return
    for kind in found:
        typer.echo(f"{kind['name']}: {kind['strikes']}")
        typer.echo(f"    {kind['seen']}")
        if kind["seconds"] is not None:
            typer.echo(f"    seconds (usually {kind['seconds']:g}): {kind['secondsAre']}")
        typer.echo(f"    source: {kind['source']}")


@app.command()
def clear(fault: Annotated[str | None, typer.Argument(help="Its id; all of them when none is named.")] = None) -> None:
    """Take one fault away, or all."""
    from urllib.parse import quote

    gone = base.ask("DELETE", "faults" if fault is None else f"faults/{quote(fault, safe='')}")["value"]
    for found in gone:
        typer.echo(f"{found['id']} {found['name']} is cleared; it struck {found['hits']} of {found['met']} calls")
    if not gone:
        typer.echo("no fault stands")


def _told(fault: dict[str, Any]) -> str:
    how = _how(fault)
    return f"{fault['name']}, {_left(fault)} to come" + (f", {how}" if how else "")


def _left(fault: dict[str, Any]) -> str:
    return "any" if fault["count"] is None else str(fault["count"])


def _how(fault: dict[str, Any]) -> str:
    usual = {"scope": "", "rate": 1.0, "seed": 0, "seconds": None, "after": 0, "when": "before"}
    return " ".join(f"{name}={fault[name]}" for name, value in usual.items() if fault[name] != value)
