"""From plain YAML values to frozen types, every mistake collected: nothing stops at the first.

The types say what may stand where (`model.py`); a named rule may look closer at a value and give it in Azure's
spelling. What could not be read comes back as BAD, and its mistakes are in the list.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from infra.spec import duration
from infra.spec.documents import SECRET, Path
from infra.spec.limits import did_you_mean
from infra.spec.model import Written

_LONGEST = 60
"""Characters of a wrong value that a message repeats."""
_ENGINE_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? (\+0000 UTC|[-+]\d{4} [-+]\d{4})", re.ASCII)
_LOOKS_PLAIN = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?|true|false", re.IGNORECASE)


class _Bad:
    """Stands for a value that could not be read."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Any = _Bad()


class Rule(NamedTuple):
    """A closer look at a value of the right type."""

    check: Callable[[Any], Any]
    """Returns the value, perhaps in Azure's spelling; raises ValueError."""
    schema: dict[str, Any]
    """The same rule as far as a JSON Schema can say it, for editors."""
    whole: bool = False
    """It looks at the value as it is written, and says all of its type."""


class Field(NamedTuple):
    """One key of a mapping that people write."""

    key: str
    name: str
    """In Python."""
    kind: Any
    required: bool
    default: Callable[[], Any]


class Reader:
    """Reads values by type. `rules` are the named checks; `mistakes` gathers (path, text), `secrets` paths."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        """Start without mistakes."""
        self.rules = rules
        self.mistakes: list[tuple[Path, str]] = []
        self.secrets: list[Path] = []

    def read(self, value: Any, kind: Any, path: Path) -> Any:
        """The value as `kind`, or BAD with its mistakes noted."""
        kind, rule = named_rule(kind)
        if value is SECRET and rule == "webhook":
            return ""  # whoever cannot read it does without
        if value is SECRET:
            self.secrets.append(path)
            return BAD
        read = value if rule is not None and self.rules[rule].whole else self._plain(value, kind, path)
        if rule is None or read is BAD:
            return read
        try:
            return self.rules[rule].check(read)
        except ValueError as error:
            return self._bad(path, str(error))

    def fields(self, value: dict[str, Any], kind: type[Written], path: Path) -> dict[str, Any]:
        """Every field of `kind` by its name in Python: as read, as defaulted, or BAD."""
        known = fields_of(kind)
        keys = [field.key for field in known]
        for key in value:
            if key not in keys:
                hint = did_you_mean(key, keys) or f"; the keys here are {', '.join(keys)}"
                self._bad((*path, key), f"unknown key{hint}")
        return {field.name: self._field(value, field, (*path, field.key)) for field in known}

    def _field(self, value: dict[str, Any], field: Field, path: Path) -> Any:
        given = value.get(field.key)
        if given is not None:
            return self.read(given, field.kind, path)
        if field.required:
            return self._bad(path, "has no value; write one" if field.key in value else "is missing; add it")
        return field.default()

    def _plain(self, value: Any, kind: Any, path: Path) -> Any:  # noqa: PLR0911 - one return per kind of type
        origin = get_origin(kind)
        if origin in {Union, types.UnionType}:
            return None if value is None else self.read(value, without_none(kind), path)
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
        return self._duration(value, path) if kind is timedelta else self._scalar(value, kind, path)

    def _struct(self, value: Any, kind: type[Written], path: Path) -> Any:
        if kind.shorthand is not None and isinstance(value, str):
            value = {kind.shorthand: value}
        if not isinstance(value, dict):
            short = "a text or " if kind.shorthand is not None else ""
            return self._bad(path, f"must be {short}a mapping, not {describe(value)}")
        found = self.fields(value, kind, path)
        return BAD if any(v is BAD for v in found.values()) else kind(**found)

    def _list(self, value: Any, kind: Any, path: Path) -> Any:
        """A list. An item that cannot be read stays in it as BAD, so that the others keep their numbers."""
        if not isinstance(value, list):
            return self._bad(path, f"must be a list, not {describe(value)}")
        return [self.read(item, kind, (*path, index)) for index, item in enumerate(value)]

    def _dict(self, value: Any, kinds: tuple[Any, ...], path: Path) -> Any:
        """A mapping with free keys. What can be read of it is kept, so that rules see it."""
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

    def _duration(self, value: Any, path: Path) -> Any:
        try:
            return duration.parse(value if isinstance(value, str) else "")
        except ValueError as error:
            return self._bad(path, f"{error}, not {describe(value)}")

    def _scalar(self, value: Any, kind: Any, path: Path) -> Any:
        wanted = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}[kind]
        if kind is str and isinstance(value, str) and _ENGINE_DATE.fullmatch(value):
            return self._bad(path, f'Pulumi makes "{value}" of this date; put it in quotes')
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)  # Pulumi's configuration has one kind of number
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        hint = ""
        if kind is str and isinstance(value, int | float):
            hint = "; put it in quotes"
        elif isinstance(value, str) and _LOOKS_PLAIN.fullmatch(value):
            hint = "; write it without quotes"
        return self._bad(path, f"must be {wanted}, not {describe(value)}{hint}")

    def _bad(self, path: Path, text: str) -> Any:
        self.mistakes.append((path, text))
        return BAD


@cache
def fields_of(kind: type[Written]) -> tuple[Field, ...]:
    """The keys of a mapping, in the order of the type."""
    kinds = get_type_hints(kind, include_extras=True)
    return tuple(
        Field(f.encode_name, f.name, kinds[f.name], f.required, _default(f)) for f in msgspec.structs.fields(kind)
    )


def _default(field: msgspec.structs.FieldInfo) -> Callable[[], Any]:
    factory = field.default_factory
    return (lambda: field.default) if factory is msgspec.NODEFAULT else factory


def named_rule(kind: Any) -> tuple[Any, str | None]:
    """A type without its notes, and the rule that they name."""
    if get_origin(kind) is not Annotated:
        return kind, None
    plain, *notes = get_args(kind)
    return plain, next((n.extra["check"] for n in notes if isinstance(n, msgspec.Meta) and n.extra), None)


def without_none(kind: Any) -> Any:
    """X of `X | None`; any other type as it is."""
    if get_origin(kind) not in {Union, types.UnionType}:
        return kind
    (inner,) = (k for k in get_args(kind) if k is not types.NoneType)
    return inner


def describe(value: Any) -> str:
    """A wrong value as a message names it, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…", ensure_ascii=False)
    return str(value)
