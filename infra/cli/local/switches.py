"""The switches of local Azure."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from infra.cli.local import base


def switch(
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Switches to set; none lists them.")
    ] = None,
    *,
    as_json: base.JSON = False,
) -> None:
    """List the switches with what they are for, or set some and leave the others.

    A switch stands where Azure's own pace varies, or where what Azure does is not known.
    """
    wanted = dict(_read(text) for text in settings or [])
    if wanted:
        base.ask("PUT", "switches", wanted)
    rows = base.ask("GET", "switches/described")["value"]
    shown = [row for row in rows if not wanted or row["name"] in wanted]
    if as_json:
        base.show_json(shown)
        return
    for row in shown:
        usual = "" if row["value"] == row["usual"] else f" (usually {_text(row['usual'])})"
        typer.echo(f"{row['name']}={_text(row['value'])}{usual}")
        typer.echo(f"    {row['about']}")


def _read(setting: str) -> tuple[str, Any]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise base.mistake("switch", setting, "is no setting; write NAME=VALUE")
    try:
        return name.strip(), json.loads(value.strip())
    except ValueError:
        return name.strip(), value.strip()


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
