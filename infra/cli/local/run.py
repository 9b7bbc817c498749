"""Start, find and stop local Azure."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from infra.cli.local import base


def start(port: Annotated[int | None, typer.Option(help="Port on loopback; kept once chosen.")] = None) -> None:
    """Start local Azure, or find it running. It listens on loopback only and keeps its state in .hearth/azure."""
    kept = base.folder() / "port"
    before = kept.read_text().strip() if kept.exists() else ""
    running = base.start(port)
    word = "started" if running.new else "runs already"
    typer.echo(f"local Azure {word} at {running.origin} (loopback only, process {running.pid})")
    if running.new:
        typer.echo('point this shell at it: eval "$(.venv/bin/hearth local env)"')
    if before and before != str(running.port):
        typer.echo("its accounts answer at another port now; bring stacks that are up along: pulumi up --refresh")


def stop() -> None:
    """Stop local Azure. Its state is kept; `make clean` removes it together with Pulumi's."""
    from infra.localazure import process

    typer.echo("local Azure stopped; its state is kept" if process.stop(base.folder()) else "local Azure does not run")


def status(*, as_json: base.JSON = False) -> None:
    """Tell whether local Azure runs and where, its time, its faults, its changed switches. Exits 1 when it is off."""
    from infra.localazure import process

    running = process.find(base.folder())
    if running is None:
        if as_json:
            base.show_json({"running": False})
        else:
            typer.echo("local Azure does not run; hearth local start")
        raise typer.Exit(1)
    clock = base.control(running, "GET", "clock")
    faults = base.control(running, "GET", "faults")["value"]
    rows = base.control(running, "GET", "switches/described")["value"]
    changed = {row["name"]: row["value"] for row in rows if row["value"] != row["usual"]}
    if as_json:
        base.show_json(
            {"running": True, "origin": running.origin, "loopbackOnly": True, "pid": running.pid, **clock}
            | {"faults": faults, "changedSwitches": changed}
        )
        return
    typer.echo(f"local Azure runs at {running.origin} (loopback only, process {running.pid})")
    typer.echo(f"clock     {base.moment(clock['now'])}, {pace(clock['factor'])}")
    typer.echo(f"faults    {', '.join(map(_fault, faults)) or 'none'}")
    typer.echo(f"switches  {', '.join(f'{name}={value}' for name, value in changed.items()) or 'as they come'}")


def env() -> None:
    """Print the environment for a shell: cloud, certificates, login, engine. Use it with eval.

    The login is the throwaway of the example's seed; nothing here is a secret of yours.
    """
    for name, value in base.environment(base.require_running()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def up() -> None:
    """Start local Azure, put up the example's stacks and ask each deployment a question: what `make up` runs."""
    from infra.cli import first_run

    raise typer.Exit(first_run.run())


def pace(factor: float) -> str:
    """How fast a clock goes, in words."""
    if factor == 0:
        return "frozen"
    return "as fast as real time" if factor == 1 else f"{factor:g} times as fast as real time"


def _fault(fault: dict[str, Any]) -> str:
    left = "" if fault["count"] is None else f", {fault['count']} to come"
    return f"{fault['id']} {fault['name']} ({fault['hits']} hits{left})"
