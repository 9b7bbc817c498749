"""The page that the figures are written to."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).with_name("README.md")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it is, what it was, what it should be at most (None: only reported)."""

    what: str
    figure: float
    most: float | None
    note: str


def render(chapters: dict[str, Iterable[Row]]) -> str:
    """The page, chapter by chapter."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. A ratio compares the medians of things that ran in turn within one run.",
        f"This run: Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}.",
    ]
    for title, rows in chapters.items():
        lines += ["", f"## {title}", "", "| what | figure | at most | |", "|---|---|---|---|"]
        for row in rows:
            most = "" if row.most is None else f"{row.most:g}"
            lines.append(f"| {row.what} | {row.figure:.3g} | {most} | {row.note} |")
    return "\n".join(lines) + "\n"
