"""`hearth post`: what a pipeline found, where people read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from infra.errors import Mistake, SpecError


def post(
    file: Annotated[Path, typer.Argument(help="Markdown to post.")],
    *,
    to: Annotated[Literal["pr", "issue", "summary"], typer.Option(help="Where: pull request, issue, run's summary.")],
    marker: Annotated[str, typer.Option(help="Name by which the comment or issue is found again.")] = "hearth",
    title: Annotated[str, typer.Option(help="Title of the issue.")] = "hearth: what differs",
    close: Annotated[bool, typer.Option("--close", help="Close the issue, with FILE as the last word.")] = False,
) -> None:
    """Post a text where people read it: one comment or issue of a marker, kept up to date.

    Knows GitHub Actions and Azure Pipelines by what their runners set; the token is GITHUB_TOKEN or SYSTEM_ACCESSTOKEN.
    """
    import os

    from infra.ports import repos

    _check(file, to, marker, close=close)
    text = file.read_text("utf-8", errors="replace")
    host = repos.of(os.environ)
    if to == "summary":
        done = host.summary(text)
    elif to == "pr":
        done = host.comment(marker, text)
    else:
        done = host.close(marker, text) if close else host.issue(marker, title, text)
    typer.echo(f"{to} {done.what}: {done.where}" if done.where else f"no {to} of this marker is open")


def _check(file: Path, to: str, marker: str, *, close: bool) -> None:
    mistakes = []
    if not file.is_file():
        mistakes.append(Mistake("hearth post", 0, "FILE", f"{file} is no file"))
    elif not file.stat().st_size:
        text = f"{file} is empty: the command that writes it did not come to its end, and nothing was posted"
        mistakes.append(Mistake("hearth post", 0, "FILE", text))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,40}", marker):
        mistakes.append(Mistake("hearth post", 0, "--marker", "takes letters, digits and '-', 41 at most"))
    if close and to != "issue":
        mistakes.append(Mistake("hearth post", 0, "--close", "goes with --to issue alone"))
    if mistakes:
        raise SpecError(mistakes)
