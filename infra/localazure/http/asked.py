"""The JSON a model is asked with, read into a type; what is wrong with it is told as the models tell it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from infra.localazure import errors
from infra.localazure.http.call import Call

T = TypeVar("T")
_KINDS = {
    "int": "an integer", "float": "a decimal", "str": "a string", "bool": "a boolean", "null": "null",
    "array": "an array", "object": "an object",
}  # fmt: skip
_AT = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_TYPE = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<given>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_BOUND = re.compile(r"Expected (?P<what>`int`|`float`|`array` of length) (?P<sign>[<>])= (?P<bound>-?[0-9.e+]+)")
_PART = re.compile(r"\[(\d+)\]|\.([^.\[]+)")


def read(call: Call, kind: type[T]) -> T:
    """The body of a call to a model as `kind`; unknown fields are ignored, as Azure ignores many."""
    given = call.headers.get("content-type", "")
    essence = given.split(";")[0].strip().lower()
    if essence and essence != "application/json" and not essence.endswith("+json"):
        raise errors.BAD_CONTENT_TYPE(given=given)
    try:
        return msgspec.json.decode(call.body, type=kind)
    except msgspec.ValidationError as error:
        raise _told(str(error), call.body) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.BAD_PROMPT() from error


def one_of(value: str, known: Sequence[str], param: str) -> str:
    """The value, if it is one of those known."""
    if value not in known:
        raise errors.BAD_VALUE(value=value, known=_listed(known), param=param)
    return value


def _listed(known: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in known]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def _told(text: str, body: bytes) -> errors.AzureError:
    """msgspec's finding in the models' words, with the field that it is about."""
    match = _AT.match(text)
    fact, path = (match["text"], match["path"] or "") if match else (text, "")
    name = path.removeprefix("$").removeprefix(".")
    if missing := _MISSING.match(fact):
        name = f"{name}.{missing['name']}".removeprefix(".")
        return errors.NO_PARAMETER(name=name, param=name)
    if wrong := _TYPE.match(fact):
        return _wrong_type(name, wrong["wanted"], wrong["given"])
    if bound := _BOUND.match(fact):
        return _out_of_bounds(name, bound["what"], bound["sign"], bound["bound"], _value(body, path))
    return errors.BAD_FIELD(name=name or "body", fact=fact[:1].lower() + fact[1:], param=name or None)


def _wrong_type(name: str, wanted: str, given: str) -> errors.AzureError:
    kinds = [_KINDS.get(kind, kind) for kind in wanted.split(" | ") if kind != "null"]
    return errors.BAD_TYPE(
        name=name or "body",
        wanted=f"one of {' or '.join(kinds)}" if len(kinds) > 1 else "".join(kinds) or "null",
        given=_KINDS.get(given, given),
        param=name or None,
    )


def _out_of_bounds(name: str, what: str, sign: str, bound: str, value: Any) -> errors.AzureError:
    """`what` is the kind of value that has the bound: int, float, or array of length."""
    edge = f"{float(bound):g}"
    if what.startswith("`array"):
        if sign == ">":
            return errors.EMPTY_ARRAY(name=name, least=edge, param=name)
        return errors.LONG_ARRAY(name=name, most=edge, value=len(value) if isinstance(value, list) else 0, param=name)
    small, great = errors.TOO_SMALL, errors.TOO_GREAT
    if what == "`float`":
        small, great = errors.DECIMAL_TOO_SMALL, errors.DECIMAL_TOO_GREAT
    if sign == ">":
        return small(name=name, least=edge, value=value, param=name)
    return great(name=name, most=edge, value=value, param=name)


def _value(body: bytes, path: str) -> Any:
    """What stands at msgspec's path in the body, for a text that quotes it."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # elsewhere in the body stands what cannot be shown at all
    for index, field in _PART.findall(path):
        try:
            found = found[int(index)] if index else found[field]
        except (LookupError, TypeError):
            return None
    return found
