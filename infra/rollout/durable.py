"""DBOS as rollouts use it: its settings, its two queues, JSON alone in its tables, and its talk kept to what matters.

Measured behaviour that this rests on is in the design's facts about DBOS 3.4.0.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any, NoReturn

import msgspec
import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from dbos import _serialization as dbos_serialization
from dbos._dbos import _get_dbos_instance
from dbos._queue import _INTERNAL_QUEUE_CONSTRUCTION, Queue, queue_worker_thread
from dbos._serialization import Serializer

from infra.errors import HearthError
from infra.rollout.history import History, Run
from infra.rollout.state import Job

VERSION = "hearth-rollout-1"
"""Pinned: work in a database must never wait for code that is gone. Raised only when newer code could not do it."""
CONDUCT, WORK = "hearth.conduct", "hearth.work"
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_ROLLOUTS, JOBS = "hearth-rollouts", "hearth-jobs"
AT_ONCE = 32
"""Jobs at once where one process does them all: above what a wave's concurrency allows in most fleets."""
_MEMORY_OF_AN_ENGINE = 200e6
"""Bytes, with its plugins and the program."""
_EMBEDDED_POLL = {_ROLLOUTS: 0.1, JOBS: 0.5}
"""Seconds between looks into a queue, of the one process on SQLite: it is called when there are jobs."""
_SHARED_POLL = 0.2
"""The same of workers that share a PostgreSQL: they are not called, or who conducts would take every job himself."""


class PickleRefused(HearthError):
    """The database holds a pickle where only JSON is written: reading it would run what it holds."""

    exit_code = 3


class Json(Serializer):
    """Plain JSON. Errors go as their text."""

    def serialize(self, data: Any) -> str:
        """As text."""
        if isinstance(data, BaseException):
            return json.dumps({"$error": type(data).__name__, "text": str(data)})
        return json.dumps(data)

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805  named as the base has it
        """From text."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and data.keys() == {"$error", "text"}:
            return HearthError(f"{data['$error']}: {data['text']}")
        return data

    def name(self) -> str:
        """What is written beside every value."""
        return "hearth_json"


def _refuse_pickle(_: object, serialized_data: str) -> NoReturn:
    raise PickleRefused(
        f"The database holds a pickled value of {len(serialized_data)} bytes, which hearth never writes: somebody else "
        "did. Find out who may write to it"
    )


# A custom serializer does not keep DBOS from unpickling a row that says that it is one.
dbos_serialization.DefaultSerializer.deserialize = _refuse_pickle  # type: ignore[method-assign,assignment]


def launch(history: History, name: str) -> None:
    """Begin to work under a name: what was under way under it is taken up."""
    prepare(history)
    with history.explained():
        DBOS(
            config={
                "name": "hearth",
                "system_database_engine": history.engine,
                "application_version": VERSION,
                "executor_id": name,
                "serializer": Json(),
                "notification_listener_polling_interval_sec": 0.5,
            }
        )
        DBOS.listen_queues([])  # but for its own: to ours we listen ourselves
        DBOS.launch()


def room_here() -> int:
    """Jobs that this machine does at once among others: an engine takes about a core, and its memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(max(2, os.cpu_count() or 1), int(memory / _MEMORY_OF_AN_ENGINE)))


class Queues:
    """The two queues, as this process takes from them: as many jobs at once as this machine does, and when called.

    DBOS by itself has one number for all machines, kept in the database, and looks at fixed times.
    """

    def __init__(self, history: History, at_once: int) -> None:
        """Nothing is taken yet."""
        self._limits = {_ROLLOUTS: None, JOBS: at_once}
        self._bells = {name: _Bell() for name in self._limits}
        self._threads: list[threading.Thread] = []
        self._embedded = history.embedded

    def open(self) -> None:
        """Begin to take what is there, once DBOS is launched."""
        for name, at_once in self._limits.items():
            poll = _EMBEDDED_POLL[name] if self._embedded else _SHARED_POLL
            queue = Queue(
                name, worker_concurrency=at_once, polling_interval_sec=poll, token=_INTERNAL_QUEUE_CONSTRUCTION
            )
            given = (self._bells[name], _get_dbos_instance(), queue)
            self._threads.append(threading.Thread(target=queue_worker_thread, args=given, name=name, daemon=True))
            self._threads[-1].start()
            self.call(name)

    def call(self, name: str) -> None:
        """Look into one of them now."""
        if self._embedded:
            self._bells[name].ring()

    def end(self) -> None:
        """Take no more: what is taken by a process that does nothing with it waits for who takes its work over."""
        for bell in self._bells.values():
            bell.set()

    def close(self) -> None:
        """Take no more, and let go."""
        self.end()
        for thread in self._threads:
            thread.join(10)


class _Bell(threading.Event):
    """The event on whose being set a queue of DBOS stops, and on which it waits between its looks: it may be rung."""

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Event()

    def ring(self) -> None:
        """The wait is over."""
        self._rung.set()

    def set(self) -> None:
        super().set()
        self._rung.set()

    def wait(self, timeout: float | None = None) -> bool:
        self._rung.wait(timeout)
        self._rung.clear()
        return self.is_set()


def client(history: History) -> DBOSClient:
    """The door to the queues for whoever runs nothing."""
    quiet()
    with history.explained():
        return DBOSClient(
            system_database_engine=history.engine, serializer=Json(), application_name="hearth",
            retry_connection_errors=False,
        )  # fmt: skip


def prepare(history: History) -> None:
    """Make what is missing in the database, as a launch would, without running anything."""
    quiet()
    history.make_tables()
    with history.explained():
        DBOS.migrate(history.engine.url.render_as_string(hide_password=False))


def enqueue_run(door: DBOSClient, connection: sa.Connection, run: Run) -> None:
    """Have a rollout or window conducted, once the transaction is through."""
    _enqueue(door, connection, CONDUCT, _ROLLOUTS, run.workflow, run.id)


def enqueue_job(door: DBOSClient, connection: sa.Connection, run: Run, job: Job) -> None:
    """Have a job done, once the transaction is through."""
    _enqueue(door, connection, WORK, JOBS, f"{run.id}:{job.id}", run.id, msgspec.to_builtins(job))


def _enqueue(door: DBOSClient, connection: sa.Connection, what: str, queue: str, name: str, *arguments: Any) -> None:
    door.enqueue_in_transaction(
        connection,
        {"workflow_name": what, "queue_name": queue, "workflow_id": name, "app_version": VERSION},
        *arguments,
    )


def quiet() -> None:
    """Keep DBOS from printing: its INFO is chatter, and a database that is away fills screens."""
    log = logging.getLogger("dbos")
    if not any(isinstance(handler, _Kept) for handler in log.handlers):
        log.handlers[:] = [_Kept()]
        log.propagate = False
        log.setLevel(logging.WARNING)


class _Kept(logging.Handler):
    """Hands warnings on to our own log, which a user turns up with HEARTH_LOG."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger("infra.rollout.dbos").debug("%s", record.getMessage())
