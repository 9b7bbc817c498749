"""YAML documents with the place of every value, read as Pulumi's engine reads them.

The engine follows YAML 1.2: `off`, `yes` and `2026-10-14` are text, where PyYAML's default makes them a boolean and a
date. What a person checks at a desk must be what the engine hands to the program, so the same rules hold here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from infra.errors import Mistake

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # a PyYAML without libyaml: slower, the same
    from yaml import SafeLoader as _Base  # type: ignore[assignment]

Path = tuple[str | int, ...]


class _Loader(_Base):
    """Plain scalars by the core schema of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {}

for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first) + [""] * (tag == "null")
    )
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^(?:<<)$"), ["<"])


@dataclass(slots=True)
class Document:
    """A parsed file: its value, where each part of it stands, and what is wrong with it as YAML."""

    file: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    comments: dict[Path, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it that stands in the file; 0 if there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0) if path else 0

    def find(self, path: Path) -> Any:
        """The value at a path; None where there is nothing."""
        found = self.value
        for step in path:
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                return None
        return found


def parse(text: str, file: str) -> Document:
    """Read one YAML document; a text that is no YAML, or has a key twice, gives a document with mistakes."""
    document = Document(file)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _walk(node, (), document)
            document.value = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        document.mistakes.append(Mistake(file, mark.line + 1 if mark else 0, "", f"is not YAML: {problem}"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        document.mistakes.append(Mistake(file, 0, "", f"is not YAML: {error}"))
    return document


def _walk(node: yaml.Node, path: Path, document: Document) -> None:
    """Note the line of every key and item, and every key that stands twice."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            at = (*path, name)
            if name in seen:
                text = f"the key stands twice: here and on line {seen[name]}; keep one"
                document.mistakes.append(Mistake(document.file, line, show(at), text))
            seen[name] = line
            document.lines[at] = line
            _walk(value, at, document)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.lines[*path, index] = item.start_mark.line + 1
            _walk(item, (*path, index), document)


def show(path: Path) -> str:
    """A path as messages write it."""
    return "/".join(str(step) for step in path)
