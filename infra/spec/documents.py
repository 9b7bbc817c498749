"""YAML documents with the place of every value, read as Pulumi's engine reads them.

What a person checks at a desk must be what the engine hands to the program, so its rules hold here: those of scalars
(`scalars.py`), a key is always text, `<<` takes in the keys of another mapping. Where the engine only guesses (a tag
that it does not know, a second document), a file is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from infra.errors import Mistake
from infra.spec import scalars

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # a PyYAML without libyaml: slower, the same
    from yaml import SafeLoader as _Base  # type: ignore[assignment]

Path = tuple[str | int, ...]

_DEEPEST = 100
"""Deeper than any file of ours; some ten thousand would bring the parser down."""
_LARGEST = 100_000
"""Values in one file. Aliases of aliases make millions out of a few lines."""
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_HINTS = {
    "mapping values are not allowed": 'a text that holds ": " must stand in quotes',
    "cannot start any token": "indent with spaces, not tabs; put a text that starts with @, % or ` in quotes",
    "could not find expected ':'": "a key needs a colon and a space behind it",
    "found undefined alias": "an anchor (&name) must stand above the place that uses it (*name)",
}


class _Loader(_Base):
    """Tells what a plain scalar looks like; the values are made here, not by PyYAML."""


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what is no text to PyYAML (off, 1:30), and what is none to the engine (1e3, 0o7)."""


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern in scalars.PATTERNS.items():
    _Loader.add_implicit_resolver(_TAG + _kind, _pattern, list(scalars.FIRST[_kind]))
    _Dumper.add_implicit_resolver(_TAG + _kind, _pattern, list(scalars.FIRST[_kind]))


class _Unreadable(Exception):
    """YAML that the parser takes and we do not."""

    def __init__(self, where: yaml.Node | yaml.Event, problem: str) -> None:
        super().__init__(problem)
        self.line = where.start_mark.line + 1 if where.start_mark else 0


class _Secret:
    """Stands for an encrypted value, which only the engine can read."""

    def __repr__(self) -> str:
        return "SECRET"


SECRET = _Secret()


@dataclass(slots=True)
class Document:
    """A parsed file: its value, where each part of it stands, and what is wrong with it as YAML."""

    file: str
    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it that stands in the file; 0 if there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

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


def parse(text: str, file: str, *, engine: bool = False) -> Document:
    """Read a file of one YAML document; one that is no YAML, or has a key twice, gives a document with mistakes.

    `engine`: a date without quotes becomes the text that the engine makes of it; else it is text as written.
    """
    first, *more = parse_all(text, file, engine=engine) or [Document(file)]
    if more:
        text = "a second document starts here (---); a file holds one"
        first.mistakes += more[-1].mistakes or [Mistake(file, more[0].line(()), "", text)]
    return first


def parse_all(text: str, file: str, *, engine: bool = False) -> list[Document]:
    """Every document of a file, as `parse` reads one; lines count from the top of the file."""
    found: list[Document] = []
    try:
        for node in _nodes(text):
            found.append(Document(file))
            found[-1].value = _Walk(found[-1], engine=engine).value(node, ())
    except _Unreadable as error:
        found.append(_broken(file, error.line, str(error)))
    except yaml.MarkedYAMLError as error:
        found.append(_broken(file, _line(error, text), _explain(error)))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found.append(_broken(file, line, "it holds a character that no text has, such as a control character"))
    except UnicodeEncodeError as error:
        found.append(_broken(file, text.count("\n", 0, error.start) + 1, "it holds half a character"))
    return found


def write(value: Any, *, flow: bool | None = False) -> str:
    """A value as YAML that the engine and every other reader take for the same. `flow`: None for the inmost in { }."""
    return str(
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=120)
    )


def show(path: Path) -> str:
    """A path as messages write it."""
    return "/".join(str(step) for step in path)


def _broken(file: str, line: int, problem: str) -> Document:
    return Document(file, mistakes=[Mistake(file, line, "", f"is not YAML: {problem}")])


def _line(error: yaml.MarkedYAMLError, text: str) -> int:
    """Where it breaks; for what is missing at the very end, where that starts which lacks it."""
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    last = text.rstrip().count("\n")
    if mark is not None and start is not None and mark.line > last:
        mark = start
    return min(mark.line, last) + 1 if mark else 0


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem, mark, start = str(error.problem or error.context), error.problem_mark, error.context_mark
    for words, hint in _HINTS.items():
        if words in problem:
            return f"{problem}; {hint}"
    if error.context and mark and start and start.line < mark.line:
        return f"{problem} ({error.context} that starts on line {start.line + 1})"
    return problem


def _nodes(text: str) -> Iterator[yaml.Node]:
    """The documents as trees. The depth is looked at first, for the parser's own recursion knows no limit."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _Unreadable(event, f"nested more than {_DEEPEST} deep")
    yield from yaml.compose_all(text, Loader=_Loader)


class _Walk:
    """One document from nodes to plain values, with the line of every key and item."""

    def __init__(self, document: Document, *, engine: bool) -> None:
        self.document, self.engine = document, engine
        self.around: list[yaml.Node] = []
        self.left = _LARGEST

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The value of a node."""
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        self.left -= 1
        if self.left < 0:
            raise _Unreadable(node, f"more than {_LARGEST:,} values")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if any(node is outer for outer in self.around):
            raise _Unreadable(node, "an anchor holds itself")
        self.around.append(node)
        made = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self.around.pop()
        return made

    def _sequence(self, node: yaml.Node, path: Path) -> list[Any]:
        self._check_tag(node, "seq", path)
        return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """Keys of its own win over keys that are merged in."""
        self._check_tag(node, "map", path)
        found: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                found.update(self._merged(value, path))
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = self._key(key, path), key.start_mark.line + 1
            if name in seen:
                self._bad(line, (*path, name), f"the key stands twice: here and on line {seen[name]}; keep one")
            seen[name] = line
            if key.tag != _MERGE:
                self.document.lines[*path, name] = line
                found[name] = self.value(value, (*path, name))
        return found

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """What `<<` takes in. Of several mappings the first wins."""
        found: dict[str, Any] = {}
        for source in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(source, yaml.MappingNode):
                found.update(self.value(source, path))
            else:
                self._bad(source.start_mark.line + 1, (*path, "<<"), "must be a mapping, or a list of mappings")
        return found

    def _key(self, node: yaml.Node, path: Path) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _Unreadable(node, "a key must be text")
        return scalars.as_text(self._scalar(node, path))

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind in scalars.PATTERNS and kind != "merge" and scalars.PATTERNS[kind].match(text):
            return scalars.read(kind, text, engine=self.engine)
        if kind != "merge":
            self._check_tag(node, "str", path)
        return text

    def _check_tag(self, node: yaml.Node, kind: str, path: Path) -> None:
        if node.tag != _TAG + kind:
            tag = node.tag.replace(_TAG, "!!")
            self._bad(node.start_mark.line + 1, path, f"the tag {tag} means nothing here; remove it")

    def _bad(self, line: int, path: Path, text: str) -> None:
        self.document.mistakes.append(Mistake(self.document.file, line, show(path), text))
