"""One live process a name: two that shared one would do the same step twice at once.

Embedded, the name is a file that is locked while its owner lives. In PostgreSQL it is a lock of a session of its own,
which a restart of the database ends: it is taken again, and who finds it taken by then has been replaced.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from sqlalchemy import exc

from infra.errors import HearthError, Refused, Unreachable
from infra.rollout.history import History, Worker, here

EMBEDDED = "embedded"
"""The name of whoever executes on the file of a folder."""
_EVERY = 2.0
"""Seconds between looks whether the session that holds a name still lives."""


class NameTaken(Refused):
    """A live process has this name."""


class Name:
    """A name, held until `release`. `lost` is called once, from a thread, when another process took it meanwhile."""

    def __init__(
        self, history: History, name: str, *, now: Callable[[], str], lost: Callable[[HearthError], None]
    ) -> None:
        """Take it. Raises NameTaken, Unreachable."""
        self._history, self._name, self._now, self._lost = history, name, now, lost
        self._file: IO[str] | None = None
        self._session: sa.Connection | None = None
        self._over = threading.Event()
        self._keeper: threading.Thread | None = None
        if history.embedded:
            self._lock_file(Path(history.url.database or "").with_suffix(".lock"))
        else:
            history.make_tables()
            self._session = self._take()
            self._keeper = threading.Thread(target=self._keep, name="name", daemon=True)
            self._keeper.start()

    def release(self) -> None:
        """Let go of it."""
        self._over.set()
        if self._keeper is not None:
            self._keeper.join(_EVERY + 5)
        if self._session is not None:
            self._session.invalidate()
            self._session.close()
            self._session = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lock_file(self, place: Path) -> None:
        file = place.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip()
            file.close()
            raise NameTaken(
                f"Rollouts of this folder are being executed by {owner or 'another process'}. This one may look on and "
                "ask: hearth rollout watch | status | approve | pause | resume | abort"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {here()} since {self._now()}")
        file.flush()
        self._file = file

    def _take(self) -> sa.Connection:
        with self._history.explained():
            session = self._history.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            query = sa.text("SELECT pg_try_advisory_lock(714302, hashtext(:name))")
            if session.execute(query, {"name": self._name}).scalar_one():
                self._history.sign_in(Worker(name=self._name, host=here(), pid=os.getpid(), since=self._now()))
                return session
            session.close()
        raise NameTaken(_taken(self._history, self._name))

    def _keep(self) -> None:
        while not self._over.wait(_EVERY):
            try:
                with self._history.explained():
                    if self._session is None:
                        self._session = self._take()
                    self._session.execute(sa.text("SELECT 1"))
            except NameTaken as error:
                self._lost(error)
                return
            except (Unreachable, exc.SQLAlchemyError):
                if self._session is not None:
                    self._session.invalidate()
                    self._session.close()
                    self._session = None


def wait_for(history: History, name: str, seconds: float, **given: object) -> Name:
    """Take a name, waiting for its last owner's session to be noticed as gone. Raises NameTaken, Unreachable."""
    until = time.monotonic() + seconds
    while True:
        try:
            return Name(history, name, **given)  # type: ignore[arg-type]
        except NameTaken:
            if time.monotonic() >= until:
                raise
            time.sleep(0.2)


def _taken(history: History, name: str) -> str:
    owner = next((worker for worker in history.workers() if worker.name == name), None)
    by = f" by process {owner.pid} on {owner.host} since {owner.since}" if owner else ""
    return (
        f"The worker's name {name} is in use{by}: give this one another name. If that machine is gone for good, its "
        "session ends by itself once PostgreSQL notices (tcp_keepalives_idle)"
    )
