"""Values that satisfy a JSON schema: what a model says when it must answer in one, or call a function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.localazure.entities import Json

DEEPEST, MOST = 32, 5_000
_REFUSED = frozenset(
    {"pattern", "format", "allOf", "not", "if", "multipleOf", "uniqueItems", "contains", "minProperties"}
)


class Unsupported(ValueError):
    """A schema that local Azure cannot make a value for; says why."""


def example(schema: Any, text: str) -> Any:
    """A value that satisfies the schema, always the same for the same; `text` where a plain string may stand.

    Understood are type, enum, const, properties, required, items and its least and greatest number, lengths and bounds,
    anyOf, oneOf (its first alternative) and $ref within the schema. Raises Unsupported for anything else that says
    something about values.
    """
    return _Maker(schema if isinstance(schema, Mapping) else {}, text).value(schema, 0)


class _TooLarge(Unsupported):
    """No other alternative is tried after this."""


class _Maker:
    def __init__(self, root: Mapping[str, Any], text: str) -> None:
        self._root, self._text, self._made = root, text, 0

    def value(self, schema: Any, depth: int) -> Any:
        self._made += 1
        if self._made > MOST:
            raise _TooLarge(f"its values have more than {MOST} parts")
        if depth > DEEPEST:
            raise Unsupported(f"it is nested more than {DEEPEST} deep or refers to itself without an end")
        if schema is True:
            return self._text
        if not isinstance(schema, Mapping):
            raise Unsupported("a part of it is no schema")
        for name in sorted(_REFUSED & schema.keys()):
            raise Unsupported(f"it uses {name}")
        if "$ref" in schema:
            return self.value(self._referred(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        for name in ("anyOf", "oneOf"):
            if isinstance(schema.get(name), list) and schema[name]:
                return self._first(schema[name], depth)
        return self._typed(schema, depth)

    def _first(self, alternatives: list[Any], depth: int) -> Any:
        """The first alternative that ends; the others are for schemas that refer to themselves."""
        for alternative in alternatives[:-1]:
            try:
                return self.value(alternative, depth + 1)
            except _TooLarge:
                raise
            except Unsupported:
                continue
        return self.value(alternatives[-1], depth + 1)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list) and kind:
            kind = kind[0]
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return [self.value(schema.get("items", True), depth + 1)] * _count(schema)
            case "string":
                return self._string(schema)
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
        raise Unsupported(f"it has a type {kind!r}")

    def _object(self, schema: Mapping[str, Any], depth: int) -> Json:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            raise Unsupported("its properties are no object, or its required ones no list")
        made: Json = {}
        for name, inner in properties.items():
            try:
                made[name] = self.value(inner, depth + 1)
            except Unsupported as error:
                if name in required or isinstance(error, _TooLarge):
                    raise
        return made | {name: self._text for name in required if isinstance(name, str) and name not in properties}

    def _string(self, schema: Mapping[str, Any]) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength", len(self._text))
        if not isinstance(least, int) or not isinstance(most, int) or not 0 <= least <= 10_000:
            raise Unsupported("its lengths are none")
        return self._text[:most].ljust(least, ".")

    def _referred(self, ref: Any) -> Any:
        if not isinstance(ref, str) or not ref.startswith("#"):
            raise Unsupported(f"it refers to {ref!r}, which is not within it")
        found: Any = self._root
        for part in ref.removeprefix("#").strip("/").split("/"):
            if part:
                name = part.replace("~1", "/").replace("~0", "~")
                if not isinstance(found, Mapping) or name not in found:
                    raise Unsupported(f"it refers to {ref}, which it has not")
                found = found[name]
        return found


def _count(schema: Mapping[str, Any]) -> int:
    least, most = schema.get("minItems", 0), schema.get("maxItems", 1)
    if not isinstance(least, int) or not isinstance(most, int) or not 0 <= least <= 1000:
        raise Unsupported("its numbers of items are none")
    return max(least, min(1, most))


def _number(schema: Mapping[str, Any], *, whole: bool) -> float | int:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if any(
        isinstance(bound, bool) or not isinstance(bound, int | float | None) for bound in (least, most, above, below)
    ):
        raise Unsupported("its bounds are no numbers")
    candidates = [1, 0, least, most]
    candidates += [above + 1 if above is not None else None, below - 1 if below is not None else None]
    for candidate in candidates:
        if (
            candidate is not None
            and (least is None or candidate >= least)
            and (most is None or candidate <= most)
            and (above is None or candidate > above)
            and (below is None or candidate < below)
            and (not whole or candidate == int(candidate))
        ):
            return int(candidate) if whole else candidate
    raise Unsupported("its bounds leave no number that local Azure would think of")
