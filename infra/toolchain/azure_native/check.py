"""What is done with a program's inputs before anything else: defaults added, mistakes found. Pure.

The texts are those of the official plugin.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from infra.toolchain.azure_native.convert import API_VERSION, CREATE_BEFORE_DELETE
from infra.toolchain.azure_native.names import Naming, naming_of, new_name
from infra.toolchain.azure_native.shapes import Shape, shape_of
from infra.toolchain.azure_native.table import NameRule, Row
from infra.toolchain.azure_native.wire import UNKNOWN, Properties

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
    "list": (list,),
    "set": (list,),
    "map": (dict,),
    "object": (dict,),
}
_TYPE_NAMES = {"list": "array", "set": "array", "map": "object"}
_VALUE_NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}
_LOCATION_HINT = ". Either set it explicitly or configure it with 'pulumi config set azure-native:location <value>'."

LocationOf = Callable[[Mapping[str, Any]], Any]
"""The location to use for these inputs, from configuration or resource group; None when there is none."""


class Autonaming(Protocol):
    """What the stack's configuration says about names: `pulumi:autonaming`."""

    @property
    def proposed_name(self) -> str:
        """A name to take."""

    @property
    def mode(self) -> int:
        """Whether to take it: one of the two constants below, or 0 for "if you like"."""


ENFORCE, DISABLE = 1, 2


def with_defaults(
    row: Row,
    api_version: str,
    name: str,
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    seed: bytes,
    autonaming: Autonaming | None,
    location_of: LocationOf,
) -> Properties:
    """The new inputs with name, location and API version where the program leaves them to us."""
    inputs = dict(news)
    if row.name_input not in inputs:
        inputs |= _named(row, name, olds, seed, autonaming)
    if "location" not in inputs and "location" in shape_of(row.token).inputs.properties:
        location = olds.get("location") or location_of(inputs)
        if location is not None:
            inputs["location"] = location
    inputs.setdefault(API_VERSION, api_version)
    return inputs


def _named(row: Row, name: str, olds: Mapping[str, Any], seed: bytes, autonaming: Autonaming | None) -> Properties:
    key = row.name_input
    if key in olds:
        chosen, random = olds[key], olds.get(CREATE_BEFORE_DELETE) is True
    elif autonaming and autonaming.mode == DISABLE:
        return {}
    elif autonaming and (autonaming.mode == ENFORCE or naming_of(row) is not Naming.UUID):
        chosen, random = autonaming.proposed_name, True
    else:
        chosen, random = new_name(row, name, seed)
    return {key: chosen, **({CREATE_BEFORE_DELETE: True} if random else {})}


def mistakes(row: Row, inputs: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with the inputs, each in a sentence."""
    shape = shape_of(row.token).inputs
    found = [f"missing required property '{key}'" for key in row.path_parameters if key not in inputs]
    found += [text for text in _wrong(inputs, shape, "") if text not in found]
    if row.needs_location and "location" not in inputs:
        found.append(f"missing required property 'location'{_LOCATION_HINT}")
    for key, rule in row.names.items():
        if isinstance(inputs.get(key), str):
            found += _broken(key, inputs[key], rule)
    return found


def _wrong(value: Any, shape: Shape, place: str) -> Iterator[str]:
    if value is UNKNOWN or shape.kind == "any":
        return
    if not _fits(value, shape):
        kind = _TYPE_NAMES.get(shape.kind, shape.kind)
        yield f"'{place}' should be of type '{kind}' but got {_VALUE_NAMES[type(value)]}"
    elif shape.kind == "integer" and not float(value).is_integer():
        yield f"'{place}' must be an integer but got {value:f}"
    elif shape.kind == "object":
        prefix = f"{place}." if place else ""
        yield from (f"missing required property '{prefix}{key}'" for key in shape.required if key not in value)
        for key, item in value.items():
            if key in shape.properties:
                yield from _wrong(item, shape.properties[key], f"{prefix}{key}")
    elif shape.of and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _wrong(item, shape.of, f"{place}[{index}]")
    elif shape.of and isinstance(value, dict):
        for key, item in value.items():
            yield from _wrong(item, shape.of, f"{place}.{key}")


def _fits(value: Any, shape: Shape) -> bool:
    expected = _TYPES[shape.kind]
    return isinstance(value, expected) and (bool in expected or not isinstance(value, bool))


def _broken(key: str, name: str, rule: NameRule) -> Iterator[str]:
    if len(name) < rule.shortest:
        yield f"'{key}' is too short ({len(name)}): at least {rule.shortest} characters required"
    if len(name) > rule.longest:
        yield f"'{key}' is too long ({len(name)}): at most {rule.longest} characters allowed"
    if rule.pattern and not re.search(rule.pattern, name):
        yield f"'{key}' does not match expression '{rule.pattern}'"
