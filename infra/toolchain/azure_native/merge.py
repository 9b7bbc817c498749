"""Which inputs a resource seems to have now, when Azure's answer is not what it was. Pure.

Azure does not tell inputs from its own defaults, so a default must not look like somebody's change. What
was different between the last answer and this one is a change; that, and nothing else, goes into the inputs.
"""

from collections.abc import Mapping
from typing import Any


def merge(inputs: Mapping[str, Any], was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with the changes from `was` to `now`, both the input part of an answer."""
    merged = {name: value for name, value in inputs.items() if name not in was or name in now}
    for name, value in now.items():
        if name not in was:
            merged[name] = value
        elif was[name] != value:
            merged[name] = _merge_value(inputs[name], was[name], value) if name in inputs else value
    return merged


def _merge_value(value: Any, was: Any, now: Any) -> Any:
    if isinstance(value, dict) and isinstance(was, dict) and isinstance(now, dict):
        return merge(value, was, now)
    if isinstance(value, list) and isinstance(was, list) and isinstance(now, list):
        known = min(len(value), len(was))
        return [_merge_value(value[i], was[i], item) if i < known else item for i, item in enumerate(now)]
    return now
