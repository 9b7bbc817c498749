"""Where local Azure keeps its records: dictionaries in memory, written through to SQLite when there is a folder.

A write is on the disk's side of the operating system before it is acknowledged, so `kill -9` loses none; what one
request writes is there in whole or not at all. Reading never touches the database.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec

E = TypeVar("E", bound=msgspec.Struct)


class Database:
    """One SQLite file of (kind, key, JSON); without a path, nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        """Open, or make, the file."""
        self.tables: list[Table[Any]] = []
        """Every table on it, for whoever takes or changes the state as a whole."""
        self._depth = 0
        self._pending: dict[tuple[str, str], bytes | None] = {}
        """What is written together, until it is."""
        self._afterwards: list[Callable[[], None]] = []
        self._one_at_a_time = threading.RLock()
        """One transaction at a time, whoever writes: requests and the clock hold the world's lock, tests need not."""
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
        self._connection.execute("CREATE TABLE IF NOT EXISTS request (number INTEGER PRIMARY KEY, body BLOB)")

    def read(self, kind: str) -> Iterable[tuple[str, bytes]]:
        """Every (key, JSON) of a kind, in the order of keys."""
        if self._connection is None:
            return ()
        self._flush()
        return self._connection.execute("SELECT key, body FROM record WHERE kind = ? ORDER BY key", (kind,))

    def write(self, kind: str, key: str, body: bytes | None) -> None:
        """Keep a record, or with None forget it."""
        if self._connection is None:
            return
        self._pending[kind, key] = body
        if self._depth:
            return
        try:
            self._flush()
        except sqlite3.Error:
            self._pending.pop((kind, key), None)
            raise

    def _flush(self) -> None:
        """Write what is pending, in one transaction."""
        with self._one_at_a_time:
            if self._connection is None or not self._pending:
                return
            taken, self._pending = self._pending, {}
            gone = [at for at, body in taken.items() if body is None]
            kept = [(*at, body) for at, body in taken.items() if body is not None]
            try:
                self._connection.execute("BEGIN")
                self._connection.executemany("DELETE FROM record WHERE kind = ? AND key = ?", gone)
                self._connection.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", kept)
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                # What was written together stays pending: memory has it, and the next write tries again.
                self._pending = {**taken, **self._pending}
                raise

    def __enter__(self) -> None:
        """Have the writes from here on happen together: `with database:`, within the lock of whoever owns it."""
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep them, after an error too: memory has them already, and the two must not differ."""
        self._depth -= 1
        if self._depth == 0:
            self._flush()
            done, self._afterwards = self._afterwards, []
            for action in done:
                action()

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do something when what is being written is kept: what cannot be taken back if the process dies before."""
        if self._depth:
            self._afterwards.append(action)
        else:
            action()

    def requests(self) -> Iterable[tuple[int, bytes]]:
        """The log of requests, oldest first."""
        if self._connection is None:
            return ()
        return self._connection.execute("SELECT number, body FROM request ORDER BY number")

    def note_requests(self, fresh: Iterable[tuple[int, bytes]], oldest: int) -> None:
        """Add to the log of requests, and forget what is not younger than `oldest`."""
        if self._connection is None:
            return
        self._flush()
        with self._one_at_a_time:
            self._connection.execute("BEGIN")
            try:
                self._connection.executemany("INSERT OR REPLACE INTO request VALUES (?, ?)", fresh)
                self._connection.execute("DELETE FROM request WHERE number <= ?", (oldest,))
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._flush()
            self._connection.close()
            self._connection = None


class Table(Generic[E]):
    """The records of one kind by key, with an index on one field of theirs if `group` names one.

    A record that was changed in place must be put again: that is what keeps it. The indexed field never changes.
    """

    def __init__(
        self,
        database: Database,
        kind: str,
        entity: type[E],
        group: Callable[[E], str] | None = None,
        watch: Callable[[str, E | None], None] | None = None,
    ) -> None:
        """Read what the database has of this kind; `watch` is told of every record put, and of None when it goes."""
        self._database, self.kind, self._group, self._watch = database, kind, group, watch
        self.version = 0
        """Another one after every change, for whoever keeps something that was worked out from the table."""
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(entity)
        self._records: dict[str, E] = {}
        self._groups: dict[str, dict[str, E]] = {}
        for key, body in database.read(kind):
            self._hold(key, self._decoder.decode(body))
        database.tables.append(self)

    def get(self, key: str) -> E | None:
        """The record, or None."""
        return self._records.get(key)

    def put(self, key: str, record: E) -> None:
        """Keep the record under this key."""
        body = self._encoder.encode(record)  # first: a record that cannot be kept is not held either
        self._database.write(self.kind, key, body)
        self._hold(key, record)

    def drop(self, key: str) -> None:
        """Forget the record; one that is not there is fine."""
        record = self._records.pop(key, None)
        if record is None:
            return
        self.version += 1
        if self._group is not None:
            self._groups[self._group(record)].pop(key, None)
        if self._watch is not None:
            self._watch(key, None)
        self._database.write(self.kind, key, None)

    def written(self) -> dict[str, msgspec.Raw]:
        """Every record by key, as JSON."""
        return {key: msgspec.Raw(self._encoder.encode(record)) for key, record in self._records.items()}

    def read(self, written: Mapping[str, msgspec.Raw]) -> dict[str, E]:
        """The records of such JSON; raises msgspec.MsgspecError for what is no record of this table."""
        return {key: self._decoder.decode(body) for key, body in written.items()}

    def replace(self, records: Mapping[str, E]) -> None:
        """Have these records and no others."""
        for key in list(self._records):
            self.drop(key)
        for key, record in records.items():
            self.put(key, record)

    def oldest(self) -> tuple[str, E] | None:
        """The record that was put first, with its key; of a state that was read, the first by key."""
        return next(iter(self._records.items()), None)

    def of(self, group: str) -> list[E]:
        """The records of one group of the index, in the order they were put."""
        return list(self._groups.get(group, {}).values())

    def __iter__(self) -> Iterator[E]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def _hold(self, key: str, record: E) -> None:
        self.version += 1
        self._records[key] = record
        if self._group is not None:
            self._groups.setdefault(self._group(record), {})[key] = record
        if self._watch is not None:
            self._watch(key, record)
