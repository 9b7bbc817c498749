"""Between what a program writes, what Azure reads and answers, and what the program sees. Pure.

A resource's body may be flattened: what Azure keeps below `properties` the SDK shows one level up. Values
keep their names but for a few, sets of strings are objects on the wire, and what a shape does not list is
dropped, as the official plugin does. For an API version that the SDK does not describe, it is kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.toolchain.azure_native.shapes import ANY, Shape, shape_of, wire_name
from infra.toolchain.azure_native.table import Row
from infra.toolchain.azure_native.wire import UNKNOWN, Properties, has_unknowns

API_VERSION = "azureApiVersion"
CREATE_BEFORE_DELETE = "__createBeforeDelete"
_OURS = {API_VERSION, CREATE_BEFORE_DELETE}


@dataclass(frozen=True)
class Converter:
    """The conversions for one resource type, in one API version of it."""

    row: Row
    described: bool = True
    """Whether the SDK describes this API version, so that unlisted properties can be dropped."""

    def body(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a PUT. Path parameters are not in it."""
        body: dict[str, Any] = {}
        listed = shape_of(self.row.token).inputs.properties
        for name, value in inputs.items():
            shape = listed.get(name) or (None if self.described else ANY)
            if shape is not None and name not in _OURS and name not in self.row.path_parameters:
                place = body if self._at_top(name) else body.setdefault("properties", {})
                place[wire_name(name)] = self._shaped(value, shape, names_of=wire_name, sets_as=_as_object)
        return body

    def outputs(self, response: Mapping[str, Any]) -> Properties:
        """What a program sees of Azure's answer."""
        return self._from_wire(response, shape_of(self.row.token).outputs)

    def inputs(self, response: Mapping[str, Any], path_values: Mapping[str, str]) -> Properties:
        """The inputs that would give this answer: what a program has to say to adopt the resource."""
        shape = shape_of(self.row.token).inputs
        found = {name: _without_empty(value) for name, value in self._from_wire(response, shape).items()}
        return {**{name: value for name, value in found.items() if value is not None}, **path_values}

    def input_part(self, outputs: Mapping[str, Any]) -> Properties:
        """Of outputs, what a program could have said: nothing that only Azure writes, no path parameters."""
        listed = shape_of(self.row.token).inputs.properties
        return {
            name: self._shaped(value, listed[name], sets_as=_as_list)
            for name, value in outputs.items()
            if name in listed and name not in self.row.path_parameters
        }

    def preview(self, inputs: Mapping[str, Any]) -> Properties:
        """Outputs as far as the inputs tell them; the rest is not known before Azure has answered."""
        return _foreseen(inputs, shape_of(self.row.token).outputs)

    def _at_top(self, name: str) -> bool:
        return self.row.top_level is None or name in self.row.top_level

    def _from_wire(self, response: Mapping[str, Any], shape: Shape) -> Properties:
        flat = dict(response)
        if self.row.top_level is not None and isinstance(flat.get("properties"), dict):
            flat = {**flat.pop("properties"), **flat}
        found: Properties = self._shaped(flat, shape, sets_as=_as_list, from_wire=True)
        found.pop("id", None)  # Pulumi keeps it elsewhere, and as a property it would only differ
        return found

    def _shaped(
        self,
        value: Any,
        shape: Shape,
        *,
        names_of: Callable[[str], str] = lambda name: name,
        sets_as: Callable[[Any], Any],
        from_wire: bool = False,
    ) -> Any:
        def again(value: Any, shape: Shape) -> Any:
            return self._shaped(value, shape, names_of=names_of, sets_as=sets_as, from_wire=from_wire)

        if shape.kind == "set":
            return sets_as(value)
        if shape.kind == "list" and shape.of and isinstance(value, list):
            return [again(item, shape.of) for item in value]
        if shape.kind == "map" and shape.of and isinstance(value, dict):
            return {key: again(item, shape.of) for key, item in value.items()}
        if shape.kind != "object" or not isinstance(value, dict):
            return value
        result = {}
        for name, item_shape in shape.properties.items():
            source = wire_name(name) if from_wire else name
            if value.get(source) is not None:
                result[names_of(name)] = again(value[source], item_shape)
        if not self.described:
            result |= {name: item for name, item in value.items() if name not in shape.properties}
        return result


def _as_object(value: Any) -> Any:
    return {str(item): {} for item in value} if isinstance(value, list) else value


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, dict) else value


def _without_empty(value: Any) -> Any:
    """The value without empty lists and objects in it, which Azure gives for what nobody ever set."""
    if isinstance(value, dict):
        return {k: v for k, v in ((k, _without_empty(v)) for k, v in value.items()) if v is not None} or None
    if isinstance(value, list):
        return [v for v in map(_without_empty, value) if v is not None] or None
    return value


def _foreseen(inputs: Mapping[str, Any], outputs: Shape) -> Properties:
    return {name: _foresee(inputs.get(name, UNKNOWN), shape) for name, shape in outputs.properties.items()}


def _foresee(value: Any, shape: Shape) -> Any:
    if value is UNKNOWN:
        return UNKNOWN
    if shape.kind == "object":
        return _foreseen(value, shape) if isinstance(value, dict) else UNKNOWN
    if shape.kind == "list" and shape.of and isinstance(value, list):
        return [_foresee(item, shape.of) for item in value]
    if shape.kind == "map" and shape.of:
        # A set of the program's comes out as a map, with values that nobody knows yet.
        return {k: _foresee(v, shape.of) for k, v in value.items()} if isinstance(value, dict) else UNKNOWN
    return UNKNOWN if shape.kind == "any" and has_unknowns(value) else value
