"""Write shapes.json anew from the installed Python SDK: `python -m infra.toolchain.azure_native.derive`.

The SDK is generated from the same data as the official plugin, so what it declares is what that plugin
accepts and returns. A test fails when the file and the SDK no longer agree.
"""

import collections.abc
import enum
import importlib
import inspect
import json
import re
import types
import typing
from typing import Any

from pulumi import _types

from infra.toolchain.azure_native.shapes import FILE
from infra.toolchain.azure_native.table import ROWS, Row

_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}


def derive() -> str:
    """What shapes.json should contain."""
    shapes = {row.token: _resource(row) for row in ROWS}
    # One line for each side of a type: a change of the SDK's then shows where it is.
    lines = [
        f' "{token}": {{\n  "inputs": {json.dumps(shape["inputs"])},\n  "outputs": {json.dumps(shape["outputs"])}\n }}'
        for token, shape in shapes.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _resource(row: Row) -> dict[str, Any]:
    _, module_name, type_name = row.token.split(":")
    # The package is lazy, and spoilt for everybody when a file in it is imported before it is loaded.
    hasattr(importlib.import_module(f"pulumi_azure_native.{module_name}"), type_name)
    # The file of the resource and not its package, where a nested type may have the same name.
    file_name = re.sub(r"(?<!^)(?=[A-Z])", "_", type_name).lower()
    module = importlib.import_module(f"pulumi_azure_native.{module_name}.{file_name}")
    arguments, resource = (getattr(module, name) for name in module.__all__)
    inputs = _object(arguments, _types.input_type_types)
    outputs = {name: _shape(hint) for name, hint in _types.resource_types(resource).items()}
    del outputs["azureApiVersion"]
    # Where the SDK gives up on a union in an output, the input still says what can be in it.
    outputs |= {name: inputs["properties"][name] for name, shape in outputs.items() if shape == "any"}
    return {"inputs": _with_sets(inputs, outputs), "outputs": {"properties": outputs}}


def _object(of: type, properties_of: typing.Callable[[type], dict[str, type]]) -> dict[str, Any]:
    properties = {name: _shape(hint) for name, hint in properties_of(of).items()}
    names = _types.input_type_py_to_pulumi_names(of) if _types.is_input_type(of) else {}
    parameters = inspect.signature(of.__init__).parameters.values()  # type: ignore[misc]
    required = sorted(names[p.name] for p in parameters if p.name in names and p.default is p.empty)
    return {"properties": properties, **({"required": required} if required else {})}


def _shape(hint: Any) -> Any:
    """The shape of a type hint of the SDK's."""
    arguments = typing.get_args(hint)
    match typing.get_origin(hint):
        case None:
            return _plain_shape(hint)
        case collections.abc.Sequence:
            return ["list", _shape(arguments[0])]
        case collections.abc.Mapping:
            return ["map", _shape(arguments[1])]
        case typing.Union | types.UnionType:
            return _union([_shape(argument) for argument in arguments if not _is_wrapper(argument)])
        case _:
            return "any"


def _plain_shape(hint: Any) -> Any:
    if not isinstance(hint, type):
        return "any"
    if _types.is_input_type(hint):
        return _object(hint, _types.input_type_types)
    if _types.is_output_type(hint):
        return _object(hint, _types.output_type_types)
    return "string" if issubclass(hint, enum.Enum) else _SCALARS.get(hint, "any")


def _is_wrapper(hint: Any) -> bool:
    """Whether it is what the SDK wraps around the value's own type: a promise, an output, None."""
    return hint is type(None) or typing.get_origin(hint) in {collections.abc.Awaitable} or "Output" in str(hint)


def _union(shapes: list[Any]) -> Any:
    """One shape for all of these. Of objects: an object with the properties of each, none of them required."""
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    if all(isinstance(shape, dict) for shape in shapes):
        merged: dict[str, Any] = {}
        for shape in shapes:
            for name, value in shape["properties"].items():
                merged[name] = _union([merged[name], value]) if name in merged else value
        return {"properties": merged}
    if all(isinstance(shape, list) and len(shape) > 1 for shape in shapes):
        return [shapes[0][0], _union([shape[1] for shape in shapes])]
    return "any"


def _with_sets(inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs where a list that comes out as a map is called a set: that is how the wire has it."""
    properties: dict[str, Any] = {}
    for name, shape in inputs["properties"].items():
        theirs = outputs.get(name)
        if shape == ["list", "string"] and isinstance(theirs, list) and theirs[0] == "map":
            properties[name] = ["set"]
        elif isinstance(shape, dict) and isinstance(theirs, dict):
            properties[name] = _with_sets(shape, theirs["properties"])
        else:
            properties[name] = shape
    return {**inputs, "properties": properties}


if __name__ == "__main__":
    FILE.write_text(derive())
