"""What this machine remembers of its own pings: metrics are minutes late, and two tenders may run at once.

One small SQLite file; without one a tender remembers nothing and is still right, only less sparing.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

CLAIM = timedelta(minutes=15)
"""So long a tender that said that it pings may take; then another one may."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A ping that succeeded: when, and as how many prompt tokens it was counted."""

    at: datetime
    tokens: int


class Memory:
    """Pings by the deployment's id, in a file that several tenders share."""

    def __init__(self, path: Path, cloud: str) -> None:
        """`cloud` tells whose ids they are."""
        self._cloud, self._lock = cloud, threading.Lock()
        self._path, self._warned = path, False
        with self._forgiven():
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as file:
                file.execute("CREATE TABLE IF NOT EXISTS ping (id TEXT PRIMARY KEY, at REAL, tokens INT, claimed REAL)")

    def of(self, ids: Iterable[str]) -> dict[str, Remembered]:
        """What is remembered of these deployments, by the id as given."""
        rows: dict[str, tuple[float, int | None]] = {}
        with self._forgiven(), self._open() as file:
            rows = {row[0]: row[1:] for row in file.execute("SELECT id, at, tokens FROM ping WHERE at IS NOT NULL")}
        found = {one: rows.get(self._key(one)) for one in ids}
        return {
            one: Remembered(datetime.fromtimestamp(row[0], UTC), int(row[1] or 0)) for one, row in found.items() if row
        }

    def claim(self, one: str, now: datetime) -> bool:
        """Say that we are about to ping; False where another tender has just said so, or done it."""
        moment, before, after = (one.timestamp() for one in (now, now - CLAIM, now + CLAIM))
        with self._forgiven(), self._open() as file:
            # A claim a little ahead of us is a live one: the other tender heard the time a moment later than we did.
            done = file.execute(
                "INSERT INTO ping (id, claimed) VALUES (?, ?) ON CONFLICT (id) DO UPDATE "
                "SET claimed = excluded.claimed WHERE claimed IS NULL OR claimed < ? OR claimed > ?",
                (self._key(one), moment, before, after),
            )
            return done.rowcount == 1
        return True

    def release(self, one: str) -> None:
        """The ping came to nothing: whoever is next may try."""
        with self._forgiven(), self._open() as file:
            file.execute("UPDATE ping SET claimed = NULL WHERE id = ?", (self._key(one),))

    def keep(self, one: str, at: datetime, tokens: int) -> None:
        """A ping succeeded."""
        with self._forgiven(), self._open() as file:
            file.execute(
                "INSERT INTO ping (id, at, tokens) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "at = excluded.at, tokens = excluded.tokens",
                (self._key(one), at.timestamp(), tokens),
            )

    def _key(self, one: str) -> str:
        return f"{self._cloud}{one}".lower()

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        """A file that cannot be used is said once, and then there is no memory."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            if not self._warned:
                self._warned = True
                logging.getLogger(__name__).warning("%s is of no use (%s): pings are not remembered", self._path, error)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock, closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as file:
            with contextlib.suppress(sqlite3.OperationalError):
                file.execute("PRAGMA synchronous = OFF")  # a ping forgotten in a power cut costs one more
            yield file
