"""What the properties of each resource type look like, as the Python SDK of azure-native declares them.

The data is `shapes.json`, which `derive.py` writes from the installed SDK. A shape there is one of

    "string" "boolean" "integer" "number" "any"
    ["list", shape]     ["map", shape]     values under names that the user chooses
    ["set"]             a list of strings in a program, an object with these keys on the wire
    {"properties": {name: shape}, "required": [name]}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("shapes.json")
_NAMES_ON_THE_WIRE = {"odataType": "odata.type"}  # all others are the same in a program and on the wire


@dataclass(frozen=True, slots=True)
class Shape:
    """The kind of a value, with what it is made of."""

    kind: str
    of: "Shape | None" = None
    properties: Mapping[str, "Shape"] = field(default_factory=dict)
    required: tuple[str, ...] = ()


ANY = Shape("any")


@dataclass(frozen=True, slots=True)
class ResourceShape:
    """The inputs and the outputs of one resource type, each an object."""

    inputs: Shape
    outputs: Shape


@cache
def shape_of(token: str) -> ResourceShape:
    """The shape of the resource type with this token. Raises KeyError for one that is not known."""
    found = _all()[token]
    return ResourceShape(_parse(found["inputs"]), _parse(found["outputs"]))


def wire_name(name: str) -> str:
    """What Azure calls the property that a program calls `name`."""
    return _NAMES_ON_THE_WIRE.get(name, name)


@cache
def _all() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


def _parse(written: Any) -> Shape:
    match written:
        case str():
            return Shape(written)
        case [kind]:
            return Shape(kind)
        case [kind, of]:
            return Shape(kind, of=_parse(of))
        case _:
            properties = {name: _parse(shape) for name, shape in written["properties"].items()}
            return Shape("object", properties=properties, required=tuple(written.get("required", ())))
