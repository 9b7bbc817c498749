"""The log of requests of local Azure."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from infra.cli.local import base

PAUSE_SECONDS = 0.3


def log(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    since: Annotated[str, typer.Option(help="Since a virtual moment: 2026-11-01T12:00:00Z.")] = "",
    path: Annotated[str, typer.Option(help="Part of the path, or a pattern with *.")] = "",
    status: Annotated[str, typer.Option(help="404, or 4xx.")] = "",
    caller: Annotated[str, typer.Option(help="Application id, or name of a user.")] = "",
    most: Annotated[int, typer.Option(help="So many of the last ones.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs, a line each with --follow.")] = False,
) -> None:
    """Show what was asked of local Azure and how it ended. No token, key, secret or body is in it."""
    running = base.require_running()
    asked: dict[str, Any] = {"since": since, "path": path, "status": status, "caller": caller, "most": most}
    found = base.control(running, "GET", f"log?{urlencode(asked)}")
    if as_json and not follow:
        base.show_json(found)
        return
    _show(found, as_json=as_json)
    after = found[-1]["number"] if found else 0
    while follow:
        time.sleep(PAUSE_SECONDS)
        found = base.control(running, "GET", f"log?{urlencode({**asked, 'after': after, 'most': 1000})}")
        _show(found, as_json=as_json)
        after = found[-1]["number"] if found else after


def _show(entries: list[dict[str, Any]], *, as_json: bool) -> None:
    for entry in entries:
        typer.echo(json.dumps(entry) if as_json else _line(entry))


def _line(entry: dict[str, Any]) -> str:
    status = entry["status"] or "RST"
    code = f" {entry['code']}" if entry["code"] else ""
    struck = f" [{', '.join(entry['faults'])}]" if entry["faults"] else ""
    query = f"?{entry['query']}" if entry["query"] else ""
    asked = f"{entry['method']} {entry['path']}{query}"
    return f"{base.moment(entry['at'])} {status}{code} {asked} {entry['ms']:.1f} ms{struck}"
