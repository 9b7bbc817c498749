"""Values of the Pulumi protocol as Python values, and back.

The protocol carries properties in protobuf's Struct, whose numbers are all doubles. A value that is not
known yet (in a preview) is a string that means nothing else; a secret is an object with a signature.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 -- the protocol's word for "this is a secret"


class Unknown:
    """A value that is known only after something else has been created."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()

Properties = dict[str, Any]
"""A resource's inputs or outputs by name: JSON values, `UNKNOWN` among them in a preview."""


def properties_of(message: Struct) -> Properties:
    """The properties in a message. Nulls are left out, whole numbers are ints, secrets are plain values."""
    return {key: _python(value) for key, value in message.fields.items() if not _is_null(value)}


def struct_of(properties: Mapping[str, Any]) -> Struct:
    """A message with these properties."""
    message = Struct()
    _fill(message, properties)
    return message


def has_unknowns(value: object) -> bool:
    """Whether a value, or anything in it, is not known yet."""
    if isinstance(value, dict):
        return any(map(has_unknowns, value.values()))
    if isinstance(value, list):
        return any(map(has_unknowns, value))
    return value is UNKNOWN


def _is_null(value: Value) -> bool:
    return value.WhichOneof("kind") in {"null_value", None}


def _python(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value == _UNKNOWN else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "struct_value":
        fields = value.struct_value.fields
        is_secret = _SIGNATURE in fields and fields[_SIGNATURE].string_value == _SECRET
        return _python(fields["value"]) if is_secret else properties_of(value.struct_value)
    if kind == "list_value":
        return [_python(item) for item in value.list_value.values]
    return value.bool_value if kind == "bool_value" else None


def _fill(message: Struct, properties: Mapping[str, Any]) -> None:
    for key, value in properties.items():
        if value is not None:
            _put(message.fields[key], value)


def _put(slot: Value, value: Any) -> None:
    match value:
        case Unknown():
            slot.string_value = _UNKNOWN
        case bool():
            slot.bool_value = value
        case str():
            slot.string_value = value
        case int() | float():
            slot.number_value = value
        case dict():
            slot.struct_value.SetInParent()
            _fill(slot.struct_value, value)
        case list():
            slot.list_value.SetInParent()
            for item in value:
                _put(slot.list_value.values.add(), item)
        case _:
            slot.null_value = 0  # type: ignore[assignment]  # the only value of its enum
