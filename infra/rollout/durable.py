"""DBOS as rollouts use it: its settings, its two queues, JSON alone in its tables, and its talk kept to what matters.

Measured behaviour that this rests on is in the design's facts about DBOS 3.4.0.
"""

from __future__ import annotations

import json
import logging
from typing import Any, NoReturn

import msgspec
import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from dbos import _serialization as dbos_serialization
from dbos._serialization import Serializer

from infra.errors import HearthError
from infra.rollout.history import History, Run
from infra.rollout.schedule import Job

VERSION = "hearth-rollout-1"
"""Pinned: work in a database must never wait for code that is gone. Raised only when newer code could not do it."""
CONDUCT, WORK = "hearth.conduct", "hearth.work"
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_ROLLOUTS, _JOBS = "hearth-rollouts", "hearth-jobs"
_JOBS_OF_A_WORKER, _JOBS_OF_ALL = 32, 256
"""Above what a wave's concurrency allows in any but the largest fleets."""
_EMBEDDED_POLL, _SHARED_POLL = 0.02, 0.2
"""Seconds between looks into the queue: of the one process on SQLite, and of workers that share a PostgreSQL."""


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
        DBOS.launch()


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
    poll, door = _EMBEDDED_POLL if history.embedded else _SHARED_POLL, client(history)
    try:  # before the launch, which else learns of them a second later
        with history.explained():
            door.register_queue(_ROLLOUTS, polling_interval_sec=max(poll, 0.1))
            door.register_queue(
                _JOBS, worker_concurrency=_JOBS_OF_A_WORKER, global_concurrency=_JOBS_OF_ALL, polling_interval_sec=poll
            )
    finally:
        door.destroy()


def enqueue_run(door: DBOSClient, connection: sa.Connection, run: Run) -> None:
    """Have a rollout or window conducted, once the transaction is through."""
    _enqueue(door, connection, CONDUCT, _ROLLOUTS, run.workflow, run.id)


def enqueue_job(door: DBOSClient, connection: sa.Connection, run: Run, job: Job) -> None:
    """Have a job done, once the transaction is through."""
    _enqueue(door, connection, WORK, _JOBS, f"{run.id}:{job.id}", run.id, msgspec.to_builtins(job))


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
