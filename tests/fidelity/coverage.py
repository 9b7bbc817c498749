"""What the tests reach: every route of the tables is called, and what our program calls is in the tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from infra.localazure import errors, generic
from infra.localazure.http import arm
from tests.fidelity import known, measured


class Asked(Protocol):
    """An entry of the request log, as far as it is looked at here."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def path(self) -> str:
        """The path without its query."""
        ...


def routes() -> set[str]:
    """Every route of the tables, as `METHOD template`."""
    return {measured.name_of(route) for router in measured.ROUTERS for route in router.routes}


def unlisted(log: Iterable[Asked]) -> list[str]:
    """What was asked for and is in no table, nor of a type that is kept as it is given."""
    found = set()
    for entry in log:
        if measured.route_of(entry.method, entry.path) is None and not _is_generic(entry):
            found.add(f"{entry.method} {entry.path}")
    return sorted(found)


def _is_generic(entry: Asked) -> bool:
    try:
        generic.type_of(entry.path)
    except errors.AzureError:
        return False
    return entry.method in arm.GENERIC


class Reached:
    """What one run of the tests reached, in all its processes together."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.called: set[str] = set()
        self.needed: set[int] = set()

    def add(self, output: dict[str, list[str] | list[int]]) -> None:
        """What a process says of itself at its end."""
        self.called |= {str(name) for name in output.get("called", [])}
        self.needed |= {int(at) for at in output.get("needed", [])}

    def missing(self) -> list[str]:
        """What a run of all tests should have reached and did not."""
        uncalled = [f"no test calls {name}" for name in sorted(routes() - self.called)]
        rows = known.read().taken
        unneeded = [
            f"tests/fidelity/known.yaml: nothing needs {rows[at]}" for at in set(range(len(rows))) - self.needed
        ]
        return uncalled + (unneeded if measured.spec.FOLDER.is_dir() else [])


def output() -> dict[str, list[str] | list[int]]:
    """What this process reached."""
    return {"called": sorted(measured.CALLED), "needed": sorted(known.USED)}
