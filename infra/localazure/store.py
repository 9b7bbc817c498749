"""Where local Azure keeps its records: dictionaries in memory, written through to SQLite when there is a folder.

A write is on the disk's side of the operating system before it is acknowledged, so `kill -9` loses none. Reading never
touches the database.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

E = TypeVar("E", bound=msgspec.Struct)


class Database:
    """One SQLite file of (kind, key, JSON); without a path, nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        """Open, or make, the file."""
        self._connection: sqlite3.Connection | None = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Throwaway secrets as they are, the file is still nobody else's: SQLite gives its journals the same rights.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # WAL without a sync per commit: safe against the death of the process, which is what is promised.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS record (kind TEXT, key TEXT, body BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def read(self, kind: str) -> Iterable[tuple[str, bytes]]:
        """Every (key, JSON) of a kind, in the order of keys."""
        if self._connection is None:
            return ()
        return self._connection.execute("SELECT key, body FROM record WHERE kind = ? ORDER BY key", (kind,))

    def write(self, kind: str, key: str, body: bytes | None) -> None:
        """Keep a record, or with None forget it."""
        if self._connection is None:
            return
        if body is None:
            self._connection.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))
        else:
            self._connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (kind, key, body))

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Table(Generic[E]):
    """The records of one kind by key, with an index on one field of theirs if `group` names one.

    A record that was changed in place must be put again: that is what keeps it. The indexed field never changes.
    """

    def __init__(self, database: Database, kind: str, entity: type[E], group: Callable[[E], str] | None = None) -> None:
        """Read what the database has of this kind."""
        self._database, self._kind, self._group = database, kind, group
        self._encoder = msgspec.json.Encoder()
        self._records: dict[str, E] = {}
        self._groups: dict[str, dict[str, E]] = {}
        decoder = msgspec.json.Decoder(entity)
        for key, body in database.read(kind):
            self._hold(key, decoder.decode(body))

    def get(self, key: str) -> E | None:
        """The record, or None."""
        return self._records.get(key)

    def put(self, key: str, record: E) -> None:
        """Keep the record under this key."""
        body = self._encoder.encode(record)  # first: a record that cannot be kept is not held either
        self._database.write(self._kind, key, body)
        self._hold(key, record)

    def drop(self, key: str) -> None:
        """Forget the record; one that is not there is fine."""
        record = self._records.pop(key, None)
        if record is None:
            return
        if self._group is not None:
            self._groups[self._group(record)].pop(key, None)
        self._database.write(self._kind, key, None)

    def of(self, group: str) -> list[E]:
        """The records of one group of the index, in the order they were put."""
        return list(self._groups.get(group, {}).values())

    def __iter__(self) -> Iterator[E]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def _hold(self, key: str, record: E) -> None:
        self._records[key] = record
        if self._group is not None:
            self._groups.setdefault(self._group(record), {})[key] = record
