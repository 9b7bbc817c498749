"""Plain scalars as Pulumi's engine reads them: what is a number, a date or text where no quotes tell.

The engine follows Go's yaml.v3, which lies between YAML 1.1 and 1.2: `off` and `yes` are text, `010` is eight, and a
date is turned into another text. `tests/spec/test_as_the_engine.py` holds these rules against the engine itself.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

_NUMBER = "-+.0123456789"
_INT = r"[-+]?(?:0[bB]_*[01][01_]*|0[oO]_*[0-7][0-7_]*|0[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*)"
_FLOAT = r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
_NO_NUMBER = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
_DATE = r"(\d{4})-(\d\d?)-(\d\d?)"
_CLOCK = r"(\d\d?):(\d\d?):(\d\d?(?:\.\d+)?)"

PATTERNS = {
    "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "int": re.compile(rf"{_INT}\Z"),
    "float": re.compile(rf"(?:{_FLOAT}|{_NO_NUMBER})\Z"),
    "null": re.compile(r"(?:~|null|Null|NULL|)\Z"),
    "timestamp": re.compile(rf"{_DATE}(?:[Tt]{_CLOCK}(?:Z|([-+]\d\d:\d\d))| {_CLOCK})?\Z", re.ASCII),
    "merge": re.compile(r"<<\Z"),
}
"""Kind of scalar → what it looks like."""
FIRST = {
    "bool": "tTfF",
    "int": _NUMBER,
    "float": _NUMBER,
    "null": ["~", "n", "N", ""],
    "timestamp": _NUMBER,
    "merge": "<",
}
"""Kind of scalar → the characters it can start with; the empty text stands for nothing at all."""


def read(kind: str, text: str, *, engine: bool) -> Any:
    """The value of a scalar that looks like `kind`. `engine`: a date is the text that the engine makes of it."""
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "timestamp":
        return _engine_date(text) if engine else text
    return _number(text.replace("_", "").lower())


def as_text(value: Any) -> str:
    """A scalar as the engine writes it where it wants text: a key, or a value at the top of the configuration."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return "" if value is None else str(value)


def _number(text: str) -> int | float:
    """An int within 64 bits, else a float. A leading zero means octal, where the digits allow it."""
    bare = text.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(bare[:2], 8 if bare.startswith("0") else 10)
    try:
        number = int(text, base)
    except ValueError:  # no int, or more digits than Python takes
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    return number if -(2**63) <= number < 2**64 else float(number) if number.bit_length() < 1024 else float("inf")


def _engine_date(text: str) -> str:
    """A date in Go's way to print one; a day that no calendar has is text to the engine."""
    match = PATTERNS["timestamp"].match(text)
    year, month, day, hour, minute, second, zone, *spaced = match.groups() if match else ()
    try:
        shown = date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return text
    clock = [hour, minute, second] if hour else spaced
    whole, _, fraction = (clock[2] or "0").partition(".")
    fraction = fraction.rstrip("0")
    offset = f"{zone.replace(':', '')} {zone.replace(':', '')}" if zone else "+0000 UTC"
    return f"{shown} {clock[0] or 0:0>2}:{clock[1] or 0:0>2}:{whole:0>2}{'.' + fraction if fraction else ''} {offset}"
