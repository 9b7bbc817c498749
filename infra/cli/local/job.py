"""Container Apps jobs of local Azure: start one, see what it wrote."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from infra.cli.local import base

PAUSE_SECONDS = 0.2
API = "2025-02-02-preview"


def job(
    name: Annotated[str, typer.Argument(help="A job's name or id; without one, show what has run.")] = "",
    *,
    as_json: base.JSON = False,
) -> None:
    """Start a job as its schedule would, wait for its end and show what it wrote. Exits 1 when it failed.

    It is started through the resource manager, as `az containerapp job start` does, by the login of the seed.
    """
    running = base.require_running()
    if not name:
        _show(base.control(running, "GET", "executions")["value"], as_json=as_json)
        return
    made = _start(running, name)
    found = _await_end(running, made)
    lines = base.control(running, "GET", f"executions/{made}/log")["value"]
    if as_json:
        base.show_json({**found, "log": lines})
    else:
        for line in lines:
            typer.echo(line["line"], err=line["stream"] == "stderr")
        typer.echo(f"{made}: {found['status']} (exit code {found['exitCode']})", err=True)
    raise typer.Exit(0 if found["status"] == "Succeeded" else 1)


def _start(running: Any, name: str) -> str:
    """Start it through the resource manager and give the execution's name. Raises LoginFailed, Refused."""
    import requests

    from infra.errors import Refused
    from infra.ports.cloud import Cloud

    known: list[str] = base.control(running, "GET", "jobs")["value"]
    found = [one for one in known if name.lower() in {one.lower(), one.rsplit("/", 1)[-1].lower()}]
    if len(found) != 1:
        what = "there is no such job" if not found else "several jobs are called so; give an id"
        raise base.mistake("job", name, f"{what} (there are: {', '.join(known) or 'none'})")
    os.environ.update(base.cloud(running))
    cloud = Cloud()
    answer = requests.post(
        f"{running.origin}{found[0]}/start",
        params={"api-version": API},
        headers={"Authorization": f"Bearer {cloud.token(cloud.endpoints.scope)}"},
        timeout=30,
    )
    if not answer.ok:
        raise Refused(f"{found[0]}: {answer.json()['error']['message']}", status=answer.status_code)
    return str(answer.json()["name"])


def _await_end(running: Any, execution: str) -> dict[str, Any]:
    while True:
        rows = base.control(running, "GET", "executions")["value"]
        found: dict[str, Any] = next(row for row in rows if row["name"] == execution)
        if found["status"] != "Running":
            return found
        time.sleep(PAUSE_SECONDS)


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        base.show_json(rows)
        return
    if not rows:
        typer.echo("no job has run yet: hearth local job NAME")
        return
    cells = [[base.moment(row["startTime"]), row["name"], row["status"], str(row["exitCode"] or 0)] for row in rows]
    base.table(cells, ["started", "execution", "status", "exit code"])
