"""What changes between two sets of inputs, and whether that needs a new resource. Pure.

The official plugin compares inputs with inputs, so defaults that Azure sets never count. Nothing is
normalized but the location: names of SKUs and resource ids that differ in case only are a change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from infra.toolchain.azure_native.convert import API_VERSION, CREATE_BEFORE_DELETE
from infra.toolchain.azure_native.table import Row


class Change(Enum):
    """What happens to one property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class PropertyChange:
    """One change, at a path such as `properties.model.version` or `scopes[1]`."""

    path: str
    change: Change
    replaces: bool

    @property
    def top(self) -> str:
        """The property of the resource that the change is in."""
        return self.path.split(".")[0].split("[")[0]


@dataclass(frozen=True)
class Diff:
    """All changes of a resource."""

    changes: list[PropertyChange]
    delete_first: bool
    """Whether a replacement deletes before it creates: always, but for names that are random anyway."""

    @property
    def replaces(self) -> list[str]:
        """The properties that force a replacement."""
        return [change.path for change in self.changes if change.replaces]


def diff(row: Row, old: Mapping[str, Any], new: Mapping[str, Any], state: Mapping[str, Any]) -> Diff:
    """Compare old and new inputs. `state` is what Azure answered last."""
    # An imported resource has no API version among its inputs; the one it was read with is no change.
    before = {API_VERSION: state[API_VERSION], **old} if API_VERSION in state else dict(old)
    forcing = {*row.path_parameters, *row.replaced_by}
    changes = []
    for path, change in _changes(before, dict(new), ""):
        top = path.split(".")[0].split("[")[0]
        replaces = top in forcing
        if path == "location" and change is Change.UPDATE and _same_place(before[path], new[path]):
            continue
        if replaces and change is Change.ADD and state.get(path) == new.get(path):
            replaces = False  # now the program says what was the case all along
        changes.append(PropertyChange(path, change, replaces))
    replaced = any(change.replaces for change in changes)
    return Diff(changes, delete_first=replaced and old.get(CREATE_BEFORE_DELETE) is not True)


def _changes(old: Any, new: Any, path: str) -> Iterator[tuple[str, Change]]:
    """Where two values differ, as deep as their structure is the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}" if path else key
            if key not in old:
                yield inner, Change.ADD
            elif key not in new:
                yield inner, Change.DELETE
            else:
                yield from _changes(old[key], new[key], inner)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            inner = f"{path}[{index}]"
            if index >= len(old):
                yield inner, Change.ADD
            elif index >= len(new):
                yield inner, Change.DELETE
            else:
                yield from _changes(old[index], new[index], inner)
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield path, Change.UPDATE


def _same_place(old: Any, new: Any) -> bool:
    """Whether two locations are one: "West Europe" is westeurope."""
    return str(old).replace(" ", "").lower() == str(new).replace(" ", "").lower()
