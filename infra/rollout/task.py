"""One attempt at a job, and what is recorded of it: how many of its steps are done, and how it ended.

The end of a step, whether the next one may begin, and the beginning of that one are one transaction: so the trail has
every end once, and a job that is done again after a crash goes on at the step that was interrupted. Whoever begins a
job takes it; the writes of one who began it before, and was thought dead, are refused.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from infra.rollout.history import JOBS, RUNS, History, Superseded, add_lines, event_of
from infra.rollout.state import Job, Note, Report, Step
from infra.rollout.values import Event

_STOPPABLE = ("change", "watch", "retire")
"""Kinds of jobs that stop between two steps when the run is aborted or rolled back."""

# Said once: to build a statement takes longer than to execute it, and every step comes by here.
_KNOWN = sa.select(JOBS.c.done, JOBS.c.report).where(JOBS.c.id == sa.bindparam("job"))


def _take(insert: Any) -> Any:
    made = insert(JOBS).values(id=sa.bindparam("job"), owner=sa.bindparam("mine"), done=0, report=None)
    return made.on_conflict_do_update(index_elements=[JOBS.c.id], set_={"owner": made.excluded.owner})


_TAKE = {"sqlite": _take(sqlite.insert), "postgresql": _take(postgresql.insert)}
_MINE = JOBS.c.id == sa.bindparam("job"), JOBS.c.owner == sa.bindparam("mine")
_DONE = JOBS.update().where(*_MINE, JOBS.c.done == sa.bindparam("before")).values(
    done=sa.bindparam("after"), report=sa.bindparam("how"))  # fmt: skip
_STANDS = sa.select(JOBS.c.done, JOBS.c.report).where(*_MINE)
_HALTING = sa.select(RUNS.c.halting).where(RUNS.c.id == sa.bindparam("run"))


class Task:
    """A job, taken. `at` is the step to do; once there is a `report`, nothing is left to do."""

    def __init__(self, history: History, run: str, job: Job, who: str) -> None:
        """Nothing is taken yet."""
        self.job, self.at = job, 0
        self.report: Report | None = None
        self.rollout = run.removesuffix(":window")
        self._history, self._run, self._who = history, run, who
        self._id, self._owner = f"{run}:{job.id}", secrets.token_hex(8)

    @property
    def step(self) -> Step:
        """The one to do."""
        return self.job.steps[self.at]

    def begin(self, now: datetime) -> list[Event]:
        """Take the job and begin its first step that is not done; the lines of the trail that say so."""
        with self._history.at_work() as connection:
            # First: of two who begin it at once one waits here, and then has it from the other.
            connection.execute(_TAKE[connection.dialect.name], {"job": self._id, "mine": self._owner})
            self._know(*connection.execute(_KNOWN, {"job": self._id}).one())
            if self.report is not None:
                return []
            if self._is_to_stop(connection):
                self._set(connection, self.at, self.at, self._stopped())
                return []
            return add_lines(connection, self._beginning(now))

    def ended(self, report: Report, text: str, data: dict[str, object], now: datetime, *, on: bool) -> list[Event]:
        """Record how the step ended, and with `on` begin the next one; the lines of the trail that say so.

        Raises Superseded where somebody else has taken the job since.
        """
        lines, stood = self._ending(report, text, data, now), (self.at, self.report)
        try:
            with self._history.at_work() as connection:
                return self._written(connection, report, lines, now, on=on)
        except BaseException:
            self.at, self.report = stood  # for nothing of it is written
            raise

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _written(
        self, connection: sa.Connection, report: Report, lines: list[Event], now: datetime, *, on: bool
    ) -> list[Event]:
        before, left = self.at, report.outcome == "done" and self.at + 1 < len(self.job.steps)
        if not self._set(connection, before, before + 1, None if left else report):
            self._found_done(connection)  # the connection was lost just after it had been written
            return []
        if left and on:
            if self._is_to_stop(connection):
                self._set(connection, before + 1, before + 1, self._stopped())
            else:
                lines += self._beginning(now)
        return add_lines(connection, lines)

    def _know(self, done: int, report: str | None) -> None:
        self.at = done
        self.report = None if report is None else msgspec.json.decode(report, type=Report)

    def _set(self, connection: sa.Connection, before: int, after: int, report: Report | None) -> bool:
        how = None if report is None else msgspec.json.encode(report).decode()
        values = {"job": self._id, "mine": self._owner, "before": before, "after": after, "how": how}
        if connection.execute(_DONE, values).rowcount != 1:
            return False
        self.at, self.report = after, report
        return True

    def _found_done(self, connection: sa.Connection) -> None:
        found = connection.execute(_STANDS, {"job": self._id, "mine": self._owner}).one_or_none()
        if found is None:
            raise Superseded(self._id)
        self._know(*found)

    def _is_to_stop(self, connection: sa.Connection) -> bool:
        if self.job.kind not in _STOPPABLE:
            return False
        return bool(connection.execute(_HALTING, {"run": self._run}).scalar_one_or_none())

    def _stopped(self) -> Report:
        return Report(self.job.id, "stopped", self.at, "told to stop")

    def _beginning(self, now: datetime) -> list[Event]:
        if self.step.hook or self.step.quiet:  # nothing is said of their beginning
            return []
        return [self._line("Started", now)]

    def _ending(self, report: Report, text: str, data: dict[str, object], now: datetime) -> list[Event]:
        what = _verdict(self.step, report)
        if self.step.quiet and what != "Passed":  # the window says why it keeps
            return []
        return [self._line(what, now, text, data)]

    def _line(self, what: str, now: datetime, text: str = "", data: dict[str, object] | None = None) -> Event:
        step, job = self.step, self.job
        kind = "note" if step.quiet else f"{'hook' if step.hook else 'step' if step.phase else 'gate'}{what}"
        note = Note(kind, wave=job.wave, target=job.target, gate=step.gate, who=self._who, text=text, data=data or {})
        return event_of(self.rollout, now, note, phase=step.phase)


def _verdict(step: Step, report: Report) -> str:
    """How a step ended, as kinds of events have it."""
    if step.phase is None and step.hook is None:
        return {"done": "Passed", "failed": "Failed"}.get(report.outcome, "Inconclusive")
    return "Done" if report.outcome == "done" else "Failed"
