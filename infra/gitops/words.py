"""Words for resources and values, in a report for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

_KINDS = {
    "azure-native:resources:ResourceGroup": "resource group",
    "azure-native:cognitiveservices:Account": "account",
    "azure-native:cognitiveservices:Deployment": "deployment",
    "azure-native:authorization:RoleAssignment": "role",
}
DEPLOYMENT, ACCOUNT = "azure-native:cognitiveservices:Deployment", "azure-native:cognitiveservices:Account"


def kind_of(type_: str) -> str:
    """What people call a type of the engine's."""
    return _KINDS.get(type_, type_.rsplit(":", 1)[-1])


def shown(value: Any) -> str:
    """A value, short enough for a line."""
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def move(before: Any, after: Any) -> str:
    """From one value to another."""
    return f"{shown(before)} → {shown(after)}"


_ESCAPED = str.maketrans({**{mark: f"&#{ord(mark)};" for mark in "|<[`\\&"}, "\n": " ", "\r": " ", "@": "@\u200b"})
"""As entities: what a backslash escapes is read otherwise inside a table, by one host or the other."""


def cell(text: str) -> str:
    """A text for a cell of a markdown table: no markup of its own, and nobody is called by name."""
    return text.translate(_ESCAPED)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A markdown table; the cells are harmless already."""
    return [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}", *(f"| {' | '.join(row)} |" for row in rows)]
