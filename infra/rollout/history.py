"""What rollouts leave behind, in tables of ours: who started what, every step of it, and how far it is.

One database, beside the tables of DBOS: SQLite in `.hearth/`, or PostgreSQL for several machines. The audit trail is
only ever added to. How far a rollout is, what it starts next and what the trail says of it change in one transaction.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc

from infra.errors import HearthError, Mistake, NotFound, Refused, SpecError, Unreachable
from infra.rollout.state import Ask, Note, State
from infra.rollout.values import Event, Outcome, Plan
from infra.rollout.window import WindowState

VARIABLE = "HEARTH_DATABASE_URL"

_META = sa.MetaData()
_ROLLOUTS = sa.Table(
    "hearth_rollouts", _META,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("fleet", sa.Text, nullable=False),
    sa.Column("commit", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Index("hearth_one_at_a_time", "fleet", unique=True,
             sqlite_where=sa.text("outcome IN ('running', 'paused')"),
             postgresql_where=sa.text("outcome IN ('running', 'paused')")),
)  # fmt: skip
RUNS = sa.Table(
    "hearth_runs", _META,
    sa.Column("id", sa.Text, primary_key=True),  # the rollout's, or with `:window`
    sa.Column("rollout", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("halting", sa.Boolean, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
)  # fmt: skip
JOBS = sa.Table(
    "hearth_jobs", _META,
    sa.Column("id", sa.Text, primary_key=True),  # of its workflow
    sa.Column("owner", sa.Text, nullable=False),  # the attempt at it that may write
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("report", sa.Text),
)  # fmt: skip
_ASKS = sa.Table(
    "hearth_asks", _META,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)  # fmt: skip
_EVENTS = sa.Table(
    "hearth_events", _META,
    sa.Column("rollout", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)  # fmt: skip
_EXPORTS = sa.Table(
    "hearth_exports", _META,
    sa.Column("rollout", sa.Text, primary_key=True),
    sa.Column("packed", sa.LargeBinary, nullable=False),
)  # fmt: skip
_WORKERS = sa.Table(
    "hearth_workers", _META,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
)  # fmt: skip


# Said once, for they are executed again and again: to build a statement takes longer than to execute it.
_NAMED = sa.select(*(column for column in _ROLLOUTS.c if column.name != "plan")).where(
    _ROLLOUTS.c.id == sa.bindparam("of"))  # fmt: skip
_LAST = sa.select(sa.func.coalesce(sa.func.max(_EVENTS.c.number), 0)).where(_EVENTS.c.rollout == sa.bindparam("of"))
_ADD = _EVENTS.insert()
_LINES = sa.select(_EVENTS.c.body).where(
    _EVENTS.c.rollout == sa.bindparam("of"), _EVENTS.c.number > sa.bindparam("after")
).order_by(_EVENTS.c.number)  # fmt: skip
_ASKED = sa.select(_ASKS.c.number, _ASKS.c.body).where(
    _ASKS.c.run == sa.bindparam("of"), _ASKS.c.number > sa.bindparam("after")
).order_by(_ASKS.c.number)  # fmt: skip


class DiskFull(HearthError):
    """The database cannot be written for want of room."""

    exit_code = 3


class Superseded(Exception):
    """Another process has gone on with this rollout: whoever meets this stops."""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """One rollout, as it is listed."""

    id: str
    fleet: str
    commit: str
    digest: str
    who: str
    at: str
    """ISO 8601, UTC."""
    outcome: Outcome


class Run(msgspec.Struct, kw_only=True):
    """How far a rollout, or its window, is."""

    id: str
    rollout: str
    kind: Literal["rollout", "window"]
    state: State | WindowState
    version: int
    """Grows with every change: who holds an older one has been superseded."""
    turn: int
    """How often it was begun: a rollback after the end begins it again."""

    @property
    def workflow(self) -> str:
        """The id of the workflow that conducts it."""
        return f"{self.id}:run:{self.turn}"


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that does steps."""

    name: str
    host: str
    pid: int
    since: str


Enqueue = Callable[[sa.Connection, Run], None]
"""Puts a run, or the jobs of one, into the queue within the transaction that it is given."""


def stamp(now: datetime) -> str:
    """A time as the record has it."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def url_of(folder: Path, environment: dict[str, str]) -> str:
    """The database: HEARTH_DATABASE_URL, else the file in the folder that git ignores. Raises SpecError."""
    named = environment.get(VARIABLE, "").strip()
    if not named:
        return f"sqlite:///{folder / 'rollouts.db'}"
    for prefix in ("postgresql://", "postgres://", "postgresql+psycopg://"):
        if named.startswith(prefix):
            return "postgresql+psycopg://" + named.removeprefix(prefix)
    raise SpecError([Mistake(VARIABLE, 0, "", "must be postgresql://user@host/database; nothing else is shared")])


class History:
    """The tables. Every method raises Unreachable or DiskFull in words where the database does not do its part."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy has it; the file's folder is made."""
        self.url = sa.make_url(url)
        self.embedded = self.url.get_backend_name() == "sqlite"
        if self.embedded:
            self._make_folder(Path(self.url.database or ""))
        self.engine = _engine(self.url)
        self._is_there = not self.embedded

    @property
    def exists(self) -> bool:
        """Whether there is anything to read: of a file that is not there nothing is made by looking."""
        self._is_there = self._is_there or Path(self.url.database or "").exists()
        return self._is_there

    def make_tables(self) -> None:
        """Make what is missing."""
        with self.at_work() as connection:
            if not self.embedded:  # two who begin at once: one makes, the other finds
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(714301)"))
            _META.create_all(connection)

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    # --- rollouts ----------------------------------------------------------------------------------------------------

    def begin(self, rollout: Rollout, plan: Plan, state: State, packed: bytes | None, enqueue: Enqueue) -> Run:
        """Write down a new rollout and put it into the queue. Raises Refused where the fleet has one under way."""
        run = Run(id=rollout.id, rollout=rollout.id, kind="rollout", state=state, version=0, turn=0)
        row = {**msgspec.to_builtins(rollout), "plan": msgspec.json.encode(plan).decode()}
        started = Note("started", who=rollout.who, data={"commit": rollout.commit, "digest": rollout.digest})
        try:
            with self.at_work() as connection:
                connection.execute(_ROLLOUTS.insert().values(row))
                connection.execute(RUNS.insert().values(_run_row(run)))
                if packed is not None:
                    connection.execute(_EXPORTS.insert().values(rollout=rollout.id, packed=packed))
                add_lines(connection, [_event(rollout.id, rollout.at, started)])
                enqueue(connection, run)
        except exc.IntegrityError:
            other = self.active(rollout.fleet)
            raise Refused(taken(other) if other else f"{rollout.id} exists already") from None
        return run

    def active(self, fleet: str) -> Rollout | None:
        """The rollout of a fleet that is under way."""
        found = self._rollouts(_ROLLOUTS.c.fleet == fleet, _ROLLOUTS.c.outcome.in_(("running", "paused")))
        return found[0] if found else None

    def rollouts(self) -> list[Rollout]:
        """All of them, the last one first."""
        return self._rollouts()

    def rollout(self, name: str | None, fleet: str) -> Rollout:
        """The one that is named, or that is under way, or the last one of the fleet. Raises NotFound."""
        if name is not None:
            found = self._found(_NAMED, of=name)
            if not found:
                raise NotFound(f"There is no rollout {name}; `hearth rollout list` shows them")
            return found[0]
        mine = self._rollouts(_ROLLOUTS.c.fleet == fleet)
        if not mine:
            raise NotFound(f"There is no rollout of {fleet} yet; begin one with: hearth rollout start")
        return next((one for one in mine if one.outcome in ("running", "paused")), mine[0])

    def plan(self, rollout: str) -> Plan:
        """What it was to do."""
        with self.at_work() as connection:
            found = connection.execute(sa.select(_ROLLOUTS.c.plan).where(_ROLLOUTS.c.id == rollout)).scalar_one()
        return msgspec.json.decode(found, type=Plan)

    def packed(self, rollout: str) -> bytes | None:
        """Its own files, for a machine that has not got them."""
        with self.at_work() as connection:
            query = sa.select(_EXPORTS.c.packed).where(_EXPORTS.c.rollout == rollout)
            return cast(bytes | None, connection.execute(query).scalar_one_or_none())

    def ended(self, fleet: str) -> list[str]:
        """Those of a fleet that are over, their windows too; the last one first."""
        going_on = sa.select(RUNS.c.rollout).where(sa.not_(RUNS.c.ended))
        return [one.id for one in self._rollouts(_ROLLOUTS.c.fleet == fleet, _ROLLOUTS.c.id.not_in(going_on))]

    def forget_packed(self, rollouts: Iterable[str]) -> None:
        """Let go of their own files. What they did stays."""
        with self.at_work() as connection:
            connection.execute(_EXPORTS.delete().where(_EXPORTS.c.rollout.in_(list(rollouts))))

    def _rollouts(self, *where: sa.ColumnElement[bool]) -> list[Rollout]:
        columns = [c for c in _ROLLOUTS.c if c.name != "plan"]
        return self._found(sa.select(*columns).where(*where).order_by(_ROLLOUTS.c.at.desc()))

    def _found(self, query: sa.Select[Any], **given: str) -> list[Rollout]:
        if not self.exists:
            return []
        try:
            with self.at_work() as connection:
                rows = connection.execute(query, given).mappings()
                return [msgspec.convert({str(name): value for name, value in row.items()}, Rollout) for row in rows]
        except (exc.OperationalError, exc.ProgrammingError) as error:
            if "no such table" in str(error) or "does not exist" in str(error):
                return []
            raise

    # --- how far it is -----------------------------------------------------------------------------------------------

    def run(self, name: str) -> Run | None:
        """A rollout or window by its id, as far as it was written down."""
        with self.at_work() as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.id == name)).mappings().one_or_none()
        if row is None:
            return None
        shape: Any = State if row["kind"] == "rollout" else WindowState
        state = msgspec.json.decode(row["state"], type=shape)
        return Run(id=row["id"], rollout=row["rollout"], kind=row["kind"], state=state, version=row["version"],
                   turn=row["turn"])  # fmt: skip

    def open_window(self, rollout: str) -> WindowState | None:
        """Its rollback window, while it is open."""
        run = self.run(f"{rollout}:window")
        return run.state if run is not None and isinstance(run.state, WindowState) and not run.state.closed else None

    def save(
        self, run: Run, events: list[Event], *, outcome: Outcome | None, halting: bool, ended: bool,
        then: Run | None, enqueue: Enqueue,
    ) -> list[Event]:  # fmt: skip
        """Write down how far it is, what happened, and what is to be done next, all or nothing; the events, numbered.

        `then`: another run that begins at its end. Raises Superseded where another process has written since.
        """
        with self.at_work() as connection:
            done = connection.execute(
                RUNS.update()
                .where(RUNS.c.id == run.id, RUNS.c.version == run.version)
                .values(state=_state(run), version=run.version + 1, halting=halting, ended=ended)
            )
            if done.rowcount != 1:
                raise Superseded(run.id)
            if outcome is not None:
                connection.execute(
                    _ROLLOUTS.update().where(_ROLLOUTS.c.id == run.rollout).values(outcome=outcome)
                )  # fmt: skip
            if then is not None:
                connection.execute(RUNS.insert().values(_run_row(then)))
            written = add_lines(connection, events)
            enqueue(connection, run)
        run.version += 1
        return written

    def begin_again(self, run: Run, enqueue: Enqueue) -> None:
        """Take up a rollout that had ended. Raises Refused where the fleet has another one under way by now."""
        again = msgspec.structs.replace(run, turn=run.turn + 1)
        try:
            with self.at_work() as connection:
                connection.execute(_ROLLOUTS.update().where(_ROLLOUTS.c.id == run.rollout).values(outcome="running"))
                values = {"turn": again.turn, "ended": False, "version": run.version + 1}
                where = (RUNS.c.id == run.id, RUNS.c.version == run.version)
                if connection.execute(RUNS.update().where(*where).values(values)).rowcount != 1:
                    raise Superseded(run.id)
                enqueue(connection, again)
        except exc.IntegrityError:
            row = self.rollout(run.rollout, "")
            other = self.active(row.fleet)
            raise Refused(taken(other) if other else f"{run.rollout} cannot be taken up") from None

    def windows(self) -> list[Run]:
        """The windows that are open."""
        with self.at_work() as connection:
            query = sa.select(RUNS.c.id).where(RUNS.c.kind == "window", sa.not_(RUNS.c.ended))
            names = list(connection.execute(query).scalars())
        return [run for run in map(self.run, names) if run is not None]

    # --- what people ask ---------------------------------------------------------------------------------------------

    def ask(self, run: str, ask: Ask, now: datetime) -> None:
        """Put a wish where whoever conducts the run finds it, now or when it lives again."""
        body = msgspec.json.encode(ask).decode()
        number = sa.select(sa.func.coalesce(sa.func.max(_ASKS.c.number), 0) + 1).where(_ASKS.c.run == run)

        def write(connection: sa.Connection) -> None:
            values = {"run": run, "number": number.scalar_subquery(), "at": stamp(now), "body": body}
            connection.execute(_ASKS.insert().values(values))

        self._numbered(write)

    def asks(self, run: str, after: int) -> list[tuple[int, Ask]]:
        """What was asked since."""
        with self.at_work() as connection:
            rows = connection.execute(_ASKED, {"of": run, "after": after}).all()
        return [(number, msgspec.json.decode(body, type=Ask)) for number, body in rows]

    # --- the audit trail ---------------------------------------------------------------------------------------------

    def add(self, rollout: str, at: datetime, note: Note, **fields: Any) -> Event:
        """Add a line; the line, with its number."""
        event = _event(rollout, stamp(at), note, **fields)
        found: list[Event] = []

        def write(connection: sa.Connection) -> None:
            found[:] = add_lines(connection, [event])

        self._numbered(write)
        return found[0]

    def events(self, rollout: str, after: int = 0) -> list[Event]:
        """Its lines, in order."""
        with self.at_work() as connection:
            bodies = connection.execute(_LINES, {"of": rollout, "after": after}).scalars().all()
        return [msgspec.json.decode(body, type=Event) for body in bodies]

    def _numbered(self, write: Callable[[sa.Connection], None]) -> None:
        """Write what takes the next number; two who take the same one at once try again."""
        for left in range(50, -1, -1):
            try:
                with self.at_work() as connection:
                    write(connection)
            except exc.IntegrityError:
                if not left:
                    raise
            else:
                return

    # --- workers -----------------------------------------------------------------------------------------------------

    def workers(self) -> list[Worker]:
        """Every worker that ever took a name, whether it lives or not."""
        with self.at_work() as connection:
            rows = connection.execute(sa.select(_WORKERS).order_by(_WORKERS.c.name)).mappings().all()
        return [msgspec.convert({str(name): value for name, value in row.items()}, Worker) for row in rows]

    def sign_in(self, worker: Worker) -> None:
        """Write down who has a name now."""
        with self.at_work() as connection:
            connection.execute(_WORKERS.delete().where(_WORKERS.c.name == worker.name))
            connection.execute(_WORKERS.insert().values(msgspec.to_builtins(worker)))

    # --- the database as it is ---------------------------------------------------------------------------------------

    @contextmanager
    def at_work(self) -> Iterator[sa.Connection]:
        """A transaction; what the database says of itself is told in a line."""
        with self.explained(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Tell in words what the database does not do. Raises Unreachable, DiskFull."""
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError) as error:
            raise self._explained(error) from error

    def _explained(self, error: exc.DBAPIError) -> Exception:
        said = " ".join(str(error.orig).split())
        if "disk is full" in said or "No space left" in said or "disk I/O error" in said:
            return DiskFull(f"{self.place}: no room to write ({said}); make room on that disk, then: "
                            "hearth rollout resume")  # fmt: skip
        if "no such table" in said:
            return error
        if self.embedded:
            return Unreachable(f"{self.place} cannot be used: {said}")
        return Unreachable(f"The database at {self.place} does not answer: {said[:200]}")

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        if self.embedded:
            return str(self.url.database)
        return f"{self.url.host or 'the local socket'}:{self.url.port or 5432}/{self.url.database or ''}"

    def _make_folder(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HearthError(f"{file.parent} cannot be made: {error.strerror}") from error


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_size=20, max_overflow=20, pool_pre_ping=True,
                                connect_args={"connect_timeout": 5})  # fmt: skip
    engine = sa.create_engine(url, connect_args={"timeout": 30}, pool_size=20, max_overflow=100)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = "IMMEDIATE"  # a writer waits at its beginning, and never loses half-way
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("PRAGMA foreign_keys = ON")
        with contextlib.suppress(Exception):  # a full disk is told by the statement that follows
            connection.execute("PRAGMA journal_mode = WAL")  # who watches does not keep who works from writing
        # A killed process loses nothing; a power cut may lose the last moment, and then its steps are done again.
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


def _run_row(run: Run) -> dict[str, object]:
    return {"id": run.id, "rollout": run.rollout, "kind": run.kind, "state": _state(run), "version": run.version,
            "halting": False, "ended": False, "turn": run.turn}  # fmt: skip


def _state(run: Run) -> str:
    return msgspec.json.encode(run.state).decode()


def event_of(rollout: str, at: datetime, note: Note, **fields: Any) -> Event:
    """A note as a line of the trail, which has no number yet."""
    return _event(rollout, stamp(at), note, **fields)


def _event(rollout: str, at: str, note: Note, **fields: Any) -> Event:
    given = {name: getattr(note, name) for name in ("wave", "target", "gate", "who", "text", "data")}
    return Event(rollout=rollout, number=0, at=at, kind=note.kind, **{**given, **fields})  # type: ignore[arg-type]


def events_of(rollout: str, at: datetime, notes: Iterable[Note], who: str) -> list[Event]:
    """Notes as lines of the trail; what no person did is by `who`."""
    return [_event(rollout, stamp(at), note, who=note.who or who) for note in notes]


def add_lines(connection: sa.Connection, events: list[Event]) -> list[Event]:
    """Write lines with the next numbers of their rollout."""
    if not events:
        return []
    if connection.dialect.name != "sqlite":  # nobody else takes the same numbers meanwhile
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtext(:rollout))")
        connection.execute(lock, {"rollout": events[0].rollout})
    last = connection.execute(_LAST, {"of": events[0].rollout}).scalar_one()
    numbered = [msgspec.structs.replace(event, number=last + i) for i, event in enumerate(events, 1)]
    rows = [{"rollout": e.rollout, "number": e.number, "body": msgspec.json.encode(e).decode()} for e in numbered]
    connection.execute(_ADD, rows)
    return numbered


def taken(other: Rollout) -> str:
    """Why another rollout cannot begin."""
    return (
        f"{other.who} has a rollout of {other.fleet} under way since {other.at}: {other.id} ({other.outcome}). Look at "
        f"it with `hearth rollout status {other.id}`; wait for its end, go on with it (`resume`), or end it (`abort`)"
    )


def here() -> str:
    """This machine's name."""
    return socket.gethostname()
