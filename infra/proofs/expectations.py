"""What an answer must be: a text, texts in it, a pattern, JSON of a schema, words like those of a reference.

Nothing that a file or a model writes can keep a check busy for long: patterns have an end to their time, references an
end to their length, and a schema takes nothing from the network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Annotated, Any

import regex
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from infra.spec.model import Written, check
from infra.spec.reading import Rule, describe
from infra.spec.rollout import Share
from infra.spec.rules import rules as rules_of_files

LONGEST_SEARCH = 1.0
"""Seconds that one pattern may look at one answer."""
LONGEST_REFERENCE = 20_000
"""Characters; the likeness of texts takes the product of their lengths."""
SHOWN = 100
"""Characters of a prompt, an answer or a pattern that a message repeats."""


class Similar(Written, frozen=True):
    """An answer whose words are those of a reference, in their order, as far as `least` says."""

    to: Annotated[str, check("reference")]
    least: Share = 0.8


class Expect(Written, frozen=True):
    """What an answer must be. Everything that is said must hold."""

    text: str | None = None
    """The whole of it, but for space around it."""
    contains: Annotated[Any, check("words")] | None = None
    """A text that is in it, or a list of texts that all are. Letter by letter."""
    regex: Annotated[str, check("pattern")] | None = None
    """A pattern that is found in it."""
    json_schema: Annotated[Any, check("schema")] | None = None
    """It is JSON, and fits this schema (draft 2020-12)."""
    similar: Similar | None = None


def rules() -> dict[str, Rule]:
    """The named rules of what may be expected, beside those of all files."""
    own = {"reference": _reference, "words": _words, "pattern": _pattern, "schema": _schema}
    return {**rules_of_files(), **{name: Rule(rule, {}) for name, rule in own.items()}}


def failing(expect: Expect, answer: str) -> str:
    """In which point an answer is not what it must be; empty where it is."""
    return next((fact for fact in _failing(expect, answer) if fact), "")


def likeness(one: str, other: str) -> float:
    """How much of the words of two texts is the same in the same order, from 0 to 1; case and punctuation are nothing.

    Twice the words in common over the words of both, as difflib counts them.
    """
    first, second = (re.findall(r"\w+", text.casefold()) for text in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def cut(text: str, most: int = SHOWN) -> str:
    """A text as one line of a message, without what a terminal might take for orders."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if len(line) <= most else f"{line[:most]}…"


# --- does it hold? -------------------------------------------------------------------------------------------------


def _failing(expect: Expect, answer: str) -> Iterator[str]:
    if expect.text is not None and answer.strip() != expect.text.strip():
        yield f"is not {_quoted(expect.text)} but {_quoted(answer)}"
    for word in expect.contains or ():
        if word not in answer:
            yield f"lacks {_quoted(word)}: {_quoted(answer)}"
    if expect.regex is not None:
        yield _unmatched(expect.regex, answer)
    if expect.json_schema is not None:
        yield _unfit(expect.json_schema, answer)
    if expect.similar is not None:
        found = likeness(expect.similar.to, answer)
        if found < expect.similar.least:
            yield f"is like the reference by {found:.2f}, not {expect.similar.least:.2f}: {_quoted(answer)}"


def _unmatched(pattern: str, answer: str) -> str:
    try:
        return "" if _found(pattern, answer) else f"does not match /{cut(pattern)}/: {_quoted(answer)}"
    except TimeoutError:
        return f"cannot be held against /{cut(pattern)}/: that takes longer than {LONGEST_SEARCH:g} s"


def _unfit(schema: Any, answer: str) -> str:
    try:
        error = best_match(_validator(schema).iter_errors(_json(answer)))
    except (ValueError, RecursionError):
        return f"is no JSON: {_quoted(answer)}"
    except TimeoutError:
        return f"cannot be held against a pattern of its schema: that takes longer than {LONGEST_SEARCH:g} s"
    return "" if error is None else f"does not fit the schema at {error.json_path}: {cut(error.message)}"


def _found(pattern: str, text: str) -> bool:
    return regex.search(pattern, text, timeout=LONGEST_SEARCH) is not None


def _quoted(text: str) -> str:
    return f'"{cut(text)}"'


def _json(text: str) -> Any:
    """JSON, strictly; raises ValueError."""

    def refuse(name: str) -> Any:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def _matches(_validator: Validator, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _found(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Schemas: Any = validators.extend(Draft202012Validator, {"pattern": _matches})  # type: ignore[no-untyped-call]


def _validator(schema: Any) -> Validator:
    found: Validator = _Schemas(schema, registry=Registry())  # an empty one: what is not in the schema is nowhere
    return found


# --- may it be expected? -------------------------------------------------------------------------------------------


def _reference(value: str) -> str:
    if len(value) > LONGEST_REFERENCE:
        raise ValueError(f"must have {LONGEST_REFERENCE:,} characters at most, not {len(value):,}")
    return value


def _words(value: Any) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise ValueError(f"must be a text or a list of texts, none of them empty, not {describe(value)}")
    return tuple(found)


def _pattern(value: str) -> str:
    try:
        regex.compile(value)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no pattern that can be read: {cut(str(error))}") from None
    return value


def _schema(value: Any) -> Any:
    if value is None or not isinstance(value, dict):
        raise ValueError(f"must be a JSON schema, not {describe(value)}")
    try:
        _Schemas.check_schema(value)
        for pattern in _patterns(value):
            _pattern(pattern)
        instances: tuple[Any, ...] = ({}, [], "", 0, None)
        for instance in instances:  # so that references are followed
            list(_validator(value).iter_errors(instance))
    except SchemaError as error:
        raise ValueError(f"is no JSON schema: at {error.json_path}: {cut(error.message)}") from None
    except Unresolvable as error:
        raise ValueError(f"refers to what is not in it ({cut(error.ref)}); write that into it") from None
    except TimeoutError:
        raise ValueError("has a pattern that takes too long on an empty text") from None
    except RecursionError:
        raise ValueError("is too deep, or refers to itself without an end") from None
    return value


def _patterns(schema: Any) -> Iterator[str]:
    """The patterns of a schema, wherever they stand."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        yield from schema.get("patternProperties") or () if isinstance(schema.get("patternProperties"), dict) else ()
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _patterns(value)
