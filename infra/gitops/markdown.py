"""Reports as markdown: comments of a pull request, an issue, a run's summary. Every value is made harmless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra.gitops.drift import Row, summary
from infra.gitops.words import cell, shown


def drift(rows: list[Row], stacks: int) -> str:
    """What differs, for an issue."""
    text = ["### hearth drift", "", f"{summary(rows, stacks)}."]
    if rows:
        text += ["", *_table(("stack", "resource", "what", "who", "when (UTC)", "`up` would"), map(_row, rows))]
    return "\n".join(text) + "\n"


def _row(row: Row) -> tuple[str, ...]:
    differing = "<br>".join(
        f"{cell(d.path)}: {cell(shown(d.azure))} for {cell(shown(d.state))}" for d in row.differences
    )
    what = "<br>".join(filter(None, (cell(row.what), differing, cell(row.note))))
    who = " ".join(filter(None, (cell(row.who), f"({cell(row.ours)})" if row.ours else "")))
    when = f"{row.at:%Y-%m-%d %H:%M}" if row.at else ""
    return (cell(row.stack), cell(f"{row.kind} {row.resource}".strip()), what, who, when, cell(row.up))


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}", *(f"| {' | '.join(row)} |" for row in rows)]
