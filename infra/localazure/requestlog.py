"""The log of requests: who asked what when, and what they were told. No token, key, secret or body is in it.

The last ones are in memory; where there is a state, they are written beside it in batches, so that a request costs
next to nothing. A kill loses the last second of the log, never of the state.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatch
from itertools import islice
from typing import Annotated

import msgspec

from infra.localazure.store import Database

MOST = 20_000
"""How many requests are kept."""
_SECRET = re.compile(r"sig|code|key|token|secret|password|assertion", re.IGNORECASE)
_MASK = "***"


class Logged(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request of the log; nothing secret is in it."""

    number: int
    at: datetime
    """The virtual moment of the answer."""
    method: str
    path: str
    query: str
    status: int
    """0 where the connection was reset instead of an answer."""
    caller: str
    code: str = ""
    """Azure's code of a refusal."""
    route: str = ""
    """The template of the route table; empty where none was found."""
    operation: str = ""
    """The action of the route, or its method and template where it has none."""
    ms: float = 0.0
    """Real milliseconds that it took."""
    faults: tuple[str, ...] = ()
    """Ids of the faults that struck it."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests are wanted; all of what is named must hold."""

    after: int = 0
    """Only those with a higher number."""
    since: datetime | None = None
    path: str = ""
    """Part of the path, or a pattern with *; in any case."""
    status: str = ""
    """404, or 4xx."""
    caller: str = ""
    most: Annotated[int, msgspec.Meta(ge=1)] = MOST
    """So many of the last ones."""

    def wants(self, entry: Logged) -> bool:
        """Whether a request is among those."""
        path, wanted = entry.path.lower(), self.path.lower()
        return (
            entry.number > self.after
            and (self.since is None or entry.at >= self.since)
            and (not wanted or (fnmatch(path, wanted) if "*" in wanted else wanted in path))
            and (not self.status or fnmatch(str(entry.status), self.status.lower().replace("x", "?")))
            and (not self.caller or self.caller.lower() == entry.caller.lower())
        )


class RequestLog(Sequence[Logged]):
    """The last requests, oldest first."""

    def __init__(self, database: Database) -> None:
        """Go on after what the database has."""
        self._database = database
        self._entries: deque[Logged] = deque(maxlen=MOST)
        decoder = msgspec.json.Decoder(Logged)
        self._entries.extend(decoder.decode(body) for _, body in database.requests())
        self._last = self._written = self._entries[-1].number if self._entries else 0

    def add(
        self,
        at: datetime,
        method: str,
        path: str,
        query: dict[str, str],
        status: int,
        caller: str,
        code: str,
        route: str,
        operation: str,
        ms: float,
        faults: tuple[str, ...] = (),
    ) -> None:
        """Note a request; the values of parameters that may be secret are not kept."""
        self._last += 1
        told = "&".join(f"{k}={_MASK if _SECRET.search(k) else v}" for k, v in query.items()) if query else ""
        entry = Logged(self._last, at, method, path, told, status, caller, code, route, operation, ms, faults)
        self._entries.append(entry)

    def find(self, wanted: Filter) -> list[Logged]:
        """The requests that a filter wants, oldest first."""
        found = islice((entry for entry in reversed(self._entries) if wanted.wants(entry)), wanted.most)
        return list(found)[::-1]

    def keep(self) -> None:
        """Write down what is new since the last time, and forget what is too old."""
        fresh = []
        for entry in reversed(self._entries):
            if entry.number <= self._written:
                break
            fresh.append((entry.number, msgspec.json.encode(entry)))
        if fresh:
            self._database.note_requests(reversed(fresh), self._last - MOST)
            self._written = self._last

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Logged]:
        return iter(list(self._entries))

    def __getitem__(self, at):  # type: ignore[no-untyped-def] # noqa: ANN001,ANN204 - one or a slice of them
        return list(self._entries)[at] if isinstance(at, slice) else self._entries[at]
