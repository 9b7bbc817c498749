"""The rules for training data (`rules.yaml`): what each asks, what to do, who says so and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from infra.spec import documents

FILE = Path(__file__).with_name("rules.yaml")
Kind = Literal["fault", "warning"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    id: str
    kind: Kind
    asks: str
    do: str
    source: str
    as_of: str
    """The day, or the year where no more is known."""
    fixed: bool
    """Whether --fix mends it."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """A place where a rule does not hold."""

    line: int
    """1 for the first line; 0 for the file as a whole."""
    rule: str
    text: str


@cache
def load() -> Mapping[str, Rule]:
    """The table, by id, in its order."""
    data = documents.parse(FILE.read_text("utf-8"), str(FILE)).value
    return {name: _rule(name, row, data["sources"]) for name, row in data["rules"].items()}


def _rule(name: str, row: dict[str, Any], sources: dict[str, Any]) -> Rule:
    kind: Kind = "fault" if "fault" in row else "warning"
    source = sources[row["source"]]
    return Rule(name, kind, row[kind], row["do"], source["says"], source["asOf"], row.get("fixed", False))
