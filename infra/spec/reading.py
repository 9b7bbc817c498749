"""From plain YAML values to frozen types, every mistake collected: nothing stops at the first.

The types say what may stand where (`model.py`); a named rule may look closer at a value and give it in Azure's
spelling. What could not be read comes back as BAD, and its mistakes are in the list.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from infra.spec import duration
from infra.spec.documents import Path
from infra.spec.limits import did_you_mean
from infra.spec.model import Written


class _Bad:
    """Stands for a value that could not be read."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Any = _Bad()

Rule = Callable[[Any], Any]
"""Takes a value of the right type and returns it, perhaps in Azure's spelling; raises ValueError."""


class Reader:
    """Reads values by type. `rules` are the named checks; `mistakes` gathers (path, text)."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        """Start without mistakes."""
        self.rules = rules
        self.mistakes: list[tuple[Path, str]] = []

    def read(self, value: Any, kind: Any, path: Path) -> Any:
        """The value as `kind`, or BAD with its mistakes noted."""
        kind, rule = named_rule(kind)
        read = self._plain(value, kind, path)
        if rule is None or read is BAD:
            return read
        try:
            return self.rules[rule](read)
        except ValueError as error:
            return self._bad(path, str(error))

    def _plain(self, value: Any, kind: Any, path: Path) -> Any:  # noqa: PLR0911 - one return per kind of type
        origin = get_origin(kind)
        if origin in {Union, types.UnionType}:
            if value is None:
                return None
            (inner,) = (k for k in get_args(kind) if k is not types.NoneType)
            return self.read(value, inner, path)
        if origin is Literal:
            return self._one_of(value, get_args(kind), path)
        if origin is list:
            return self._list(value, get_args(kind)[0], path)
        if origin is dict:
            return self._dict(value, get_args(kind), path)
        if isinstance(kind, type) and issubclass(kind, Written):
            return self._struct(value, kind, path)
        if kind is Any:
            return value
        return self._scalar(value, kind, path)

    def fields(self, value: dict[str, Any], kind: type[Written], path: Path) -> dict[str, Any]:
        """Every field of `kind` by its name in Python: as read, as defaulted, or BAD."""
        kinds = get_type_hints(kind, include_extras=True)
        fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
        for key in value:
            if key not in fields:
                self._bad((*path, key), f"unknown key{did_you_mean(str(key), list(fields))}")
        found: dict[str, Any] = {}
        for name, field in fields.items():
            given = value.get(name)
            if given is not None:
                found[field.name] = self.read(given, kinds[field.name], (*path, name))
            elif field.required:
                found[field.name] = self._bad((*path, name), "has no value" if name in value else "is missing")
            else:
                made = field.default_factory
                found[field.name] = field.default if made is msgspec.NODEFAULT else made()
        return found

    def _struct(self, value: Any, kind: type[Written], path: Path) -> Any:
        if kind.shorthand is not None and isinstance(value, str):
            value = {kind.shorthand: value}
        if not isinstance(value, dict):
            return self._bad(path, f"must be a mapping, not {describe(value)}")
        found = self.fields(value, kind, path)
        return BAD if any(v is BAD for v in found.values()) else kind(**found)

    def _list(self, value: Any, kind: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return self._bad(path, f"must be a list, not {describe(value)}")
        items = [self.read(item, kind, (*path, index)) for index, item in enumerate(value)]
        return [item for item in items if item is not BAD]

    def _dict(self, value: Any, kinds: tuple[Any, ...], path: Path) -> Any:
        """A mapping with free keys. Of it, as of a list, what can be read is kept, so that rules see it."""
        if not isinstance(value, dict):
            return self._bad(path, f"must be a mapping, not {describe(value)}")
        key_kind, value_kind = kinds
        found = {}
        for key, item in value.items():
            name = self.read(key, key_kind, (*path, key))
            read = self.read(item, value_kind, (*path, key))
            if name is not BAD and read is not BAD:
                found[name] = read
        return found

    def _one_of(self, value: Any, known: tuple[str, ...], path: Path) -> Any:
        for word in known:
            if isinstance(value, str) and value.lower() == word.lower():
                return word
        listed = ", ".join(known[:-1]) + f" or {known[-1]}"
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        return self._bad(path, f"must be {listed}, not {describe(value)}{hint}")

    def _scalar(self, value: Any, kind: Any, path: Path) -> Any:
        if kind is timedelta:
            try:
                return duration.parse(value if isinstance(value, str) else "")
            except ValueError as error:
                return self._bad(path, f"{error}, not {describe(value)}")
        wanted = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[kind]
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)  # Pulumi's configuration has one kind of number
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        quotes = "; put it in quotes" if kind is str and isinstance(value, int | float) else ""
        return self._bad(path, f"must be {wanted}, not {describe(value)}{quotes}")

    def _bad(self, path: Path, text: str) -> Any:
        self.mistakes.append((path, text))
        return BAD


def named_rule(kind: Any) -> tuple[Any, str | None]:
    """A type without its notes, and the rule that they name."""
    if get_origin(kind) is not Annotated:
        return kind, None
    plain, *notes = get_args(kind)
    return plain, next((n.extra["check"] for n in notes if isinstance(n, msgspec.Meta) and n.extra), None)


def describe(value: Any) -> str:
    """A wrong value as a message names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}…"'
    return str(value)
