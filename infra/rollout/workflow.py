"""Rollouts that survive anything, on DBOS.

A rollout is one workflow that conducts it (`conduct`): it folds what ended and what people asked through the machine of
schedule.py, and writes down, in one transaction, how far the rollout is, its audit trail and the jobs that start next.
Each job is a workflow of its own (`work`), taken from a queue by any worker; each of its steps is recorded when it is
done, and one that a crash interrupted is done again. How a job ended is read from its workflow, so nothing can be lost
between the two.

Since all that the conductor knows stands in our own row, it needs no replay: after a crash, or an upgrade of hearth in
mid-bake, it goes on from that row. That is why the version of the application is pinned: work in the database must
never wait for code that is gone. Only JSON goes into the database, and pickle is refused when reading.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn, Protocol, TypeVar

import msgspec
import sqlalchemy as sa
from dbos import DBOS, DBOSClient

from infra.errors import HearthError, Unreachable
from infra.rollout import durable, window
from infra.rollout.history import DiskFull, History, Run, Superseded, events_of
from infra.rollout.notices import HookFailed
from infra.rollout.schedule import Machine
from infra.rollout.state import Job, Note, Report, State, Step
from infra.rollout.task import Task
from infra.rollout.values import Event, GateResult, Phase, Plan, StepResult, Target
from infra.rollout.window import Window

_LOOK, _BUSY_LOOK = 0.5, 0.1
"""Seconds between looks of a conductor at what other workers ended, and at what people ask; at the latter while steps
are under way in the one process on SQLite."""
_GATHER = 0.015
"""Seconds from the end of a job to what is decided on it: jobs that began together end nearly together."""
_LONGEST_PAUSE = 15.0
"""Seconds between tries to reach a database that is away."""
_Read = TypeVar("_Read")


class Hands(Protocol):
    """What acts for a rollout. Blocking; everything may be done twice. HearthError concerns the whole run."""

    def step(self, rollout: str, target: Target, phase: Phase) -> StepResult:
        """One phase at one target."""

    def gate(self, rollout: str, wave: str, target: Target, gate: str, *, since: datetime | None) -> GateResult:
        """Ask a gate about a target; `since`: the start of the bake, for metrics."""

    def quiet(self, rollout: str, target: Target, *, since: datetime) -> GateResult:
        """Whether nobody but ourselves has called the target's former model since the window opened."""

    def hook(self, rollout: str, wave: str, when: Literal["before", "after"]) -> str:
        """Run the user's commands around a wave; what they printed. Raises HookFailed."""

    def notify(self, event: Event) -> None:
        """Tell people; never raises."""

    def stop(self, *, hard: bool) -> None:
        """End the engines that run: cleanly, or hard."""


class Stopped(BaseException):
    """This process stops: what it was at stays as it was recorded, to be taken up again. DBOS records no such end."""


# --- what a process has ----------------------------------------------------------------------------------------------


class Process:
    """What this process works with: its name, the database, the hands, and how it is told to stop. One at a time."""

    def __init__(
        self,
        history: History,
        hands: Callable[[str], Hands],
        *,
        name: str = "embedded",
        who: str = "hearth",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        say: Callable[[Event], None] = lambda _: None,
        at_once: int = durable.AT_ONCE,
    ) -> None:
        """`hands` gives those of a rollout by its id; `name` is the one under which work is taken up again.

        `say` hears of what happens here. `at_once`: how many jobs this machine does at once, whatever waves allow.
        """
        self.history, self.name, self.who, self.clock, self._say = history, name, who, clock, say
        self._hands_of, self._hands, self._choosing = hands, dict[str, Hands](), threading.Lock()
        self._stopping, self._cutting = threading.Event(), threading.Event()
        self._busy, self._bell = 0, threading.Condition()
        self._rung: dict[str, Report] = {}
        """How jobs ended here, by workflow: their last steps are recorded, which is all that a replay needs."""
        self._looked: dict[str, float] = {}
        """When a conductor last looked into the database for what ended, by run."""
        self._plans: dict[str, Plan] = {}
        self._notices = ThreadPoolExecutor(1, thread_name_prefix="notices")
        self._client: DBOSClient | None = None
        self._queues = durable.Queues(history, at_once)
        self.failed: HearthError | None = None
        """Why the process cannot go on."""

    # --- life --------------------------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Begin to work: what was under way under this name is taken up."""
        global _process  # noqa: PLW0603  DBOS is one a process too
        self.history.make_tables()
        _process = self
        durable.launch(self.history, self.name)
        self._queues.open()

    def take_over(self, name: str) -> int:
        """Take up the work of a worker that will not come back; how many workflows. Its name must be held."""
        return len(DBOS._recover_pending_workflows([name]))

    def stop(self, *, wait: float | None = None) -> bool:
        """Take nothing new and wait until every step under way is recorded; whether that came within `wait` seconds."""
        self._queues.close()  # before what has been taken is told to stop, or it would stay here undone
        self._stopping.set()
        until = None if wait is None else time.monotonic() + wait
        with self._bell:
            self._bell.notify_all()
            while self._busy and (until is None or time.monotonic() < until):
                self._bell.wait(0.2)
            return not self._busy

    def stop_engines(self, *, hard: bool) -> None:
        """End the engines under way; their steps are not recorded, and will be done again."""
        self._take_nothing_new()
        self._cutting.set()
        with self._choosing:
            hands = list(self._hands.values())
        for one in hands:
            one.stop(hard=hard)

    def close(self) -> None:
        """Let go of everything. Work that is not done stays in the database."""
        global _process  # noqa: PLW0603
        self._take_nothing_new()
        with self._bell:
            self._bell.notify_all()
        self._notices.shutdown(wait=True)
        self._queues.close()
        DBOS.destroy(workflow_completion_timeout_sec=0)
        if self._client is not None:
            self._client.destroy()
        _process = None

    def _take_nothing_new(self) -> None:
        self._stopping.set()
        self._queues.end()

    @property
    def stopping(self) -> bool:
        """Whether it takes nothing new."""
        return self._stopping.is_set()

    @property
    def client(self) -> DBOSClient:
        """The door to the queue, which runs nothing."""
        with self._choosing:
            if self._client is None:
                self._client = durable.client(self.history)
            return self._client

    def hands(self, rollout: str) -> Hands:
        """Those of a rollout."""
        with self._choosing:
            if rollout not in self._hands:
                self._hands[rollout] = self._hands_of(rollout)
            return self._hands[rollout]

    # --- conducting --------------------------------------------------------------------------------------------------

    def conduct(self, name: str) -> None:
        """See a rollout, or its window, through; again from its row whenever the database was away."""
        pause = 1.0
        while True:
            try:
                return self._conduct(name)
            except Unreachable:
                self._wait_or_stop(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except (Superseded, DiskFull) as error:
                self._give_up(error)
            except Exception as error:  # recorded as its end, it would keep the rollout from ever going on
                self._give_up(HearthError(f"{name} cannot be gone on with: {error!r}"))

    def _conduct(self, name: str) -> None:
        run = self.history.run(name)
        if run is None:
            raise HearthError(f"{name} is not in the database")
        plan = self.history.plan(run.rollout)
        self._let_the_window_close(run)
        machine = machine_of(plan, run)
        while True:
            self._go_on_or_stop()
            heard = self._tell(machine, run)
            jobs = machine.due(self.clock().timestamp())
            notes = machine.notes()
            if heard or jobs or notes:
                self._save(machine, run, plan, jobs, notes)
            if machine.ended:
                return
            self._wait(machine, run)

    def _tell(self, machine: Machine | Window, run: Run) -> bool:
        """Tell it what ended and what was asked; whether there was anything."""
        reports = self._ended(run)
        asks = self.history.asks(run.id, run.state.asks_seen)
        for report in reports:
            machine.report(report)
            self._rung.pop(f"{run.id}:{report.job}", None)
        for number, ask in asks:
            machine.ask(ask)
            run.state.asks_seen = number
        return bool(reports or asks)

    def _save(self, machine: Machine | Window, run: Run, plan: Plan, jobs: list[Job], notes: list[Note]) -> None:
        now = self.clock()
        then = None
        if isinstance(machine, Machine) and machine.outcome == "succeeded":
            kept = window.new(plan, machine.passed, now.timestamp())
            if kept is not None and run.turn == 0:
                then = Run(id=f"{run.id}:window", rollout=run.rollout, kind="window", state=kept, version=0, turn=0)

        def enqueue(connection: sa.Connection, run: Run) -> None:
            for job in jobs:
                durable.enqueue_job(self.client, connection, run, job)
            if then is not None:
                durable.enqueue_run(self.client, connection, then)

        events = self.history.save(
            run, events_of(run.rollout, now, notes, self.who), halting=machine.halting, ended=machine.ended, then=then,
            outcome=machine.outcome if isinstance(machine, Machine) else None, enqueue=enqueue,
        )  # fmt: skip
        if jobs:
            self._queues.call(durable.JOBS)
        for event in events:
            self._say(event)
            with contextlib.suppress(RuntimeError):  # the process is closing
                self._notices.submit(self._notify, event)

    def _notify(self, event: Event) -> None:
        with contextlib.suppress(Exception):  # a notice that is lost loses nothing
            self.hands(event.rollout).notify(event)

    def _ended(self, run: Run) -> list[Report]:
        """Which of its jobs have ended, and how."""
        names = {f"{run.id}:{name}": name for name in run.state.jobs}
        with self._bell:
            reports = [self._rung[workflow] for workflow in names if workflow in self._rung]
        now = time.monotonic()
        if not names or now < self._looked.get(run.id, -_LOOK) + _LOOK:
            return reports
        self._looked[run.id] = now
        names = {workflow: name for workflow, name in names.items() if name not in {one.job for one in reports}}
        if not names:
            return reports
        with self.history.explained():
            rows = self.client.list_workflows(workflow_ids=list(names), status=list(durable.ENDED), load_input=False)
        for row in rows:
            name = names[row.workflow_id]
            if row.status == "SUCCESS":
                reports.append(msgspec.convert(row.output, Report))
            else:
                reports.append(Report(name, "halted", reason=f"{row.status.lower()}: {row.error}"))
        return reports

    def _wait(self, machine: Machine | Window, run: Run) -> None:
        """Until something may have happened: a job here rang, a look is due, or the machine wants to be woken."""
        wake = machine.wake(self.clock().timestamp())
        until = time.monotonic() + (_BUSY_LOOK if self.history.embedded and run.state.jobs else _LOOK)
        with self._bell:
            while (left := until - time.monotonic()) > 0:
                self._go_on_or_stop()
                sooner = left if wake is None else min(left, wake - self.clock().timestamp())
                if sooner <= 0:
                    return
                if any(f"{run.id}:{name}" in self._rung for name in run.state.jobs):
                    break
                self._bell.wait(sooner)
            else:
                return
        time.sleep(_GATHER)

    def _let_the_window_close(self, run: Run) -> None:
        """A rollback after the end begins once nothing takes away what it needs."""
        while run.kind == "rollout" and run.turn > 0:
            kept = self.history.run(f"{run.id}:window")
            if kept is None or not isinstance(kept.state, window.WindowState):
                return
            if kept.state.closed and not kept.state.jobs:
                return
            self._wait_or_stop(0.2)

    # --- working -----------------------------------------------------------------------------------------------------

    def work(self, run: str, job: Job) -> Report:
        """Do the steps of a job that are not recorded as done; how it ended. A stop leaves undone what is left."""
        with self._at_work():
            self._go_on_or_stop()
            task = Task(self.history, run, job, self.who)
            self._tell_of(lambda: task.begin(self.clock()))
            while task.report is None:
                report, text, data = self._do(task)
                self._tell_of(
                    lambda: task.ended(report, text, data, self.clock(), on=not self.stopping)  # noqa: B023
                )
                if task.report is None:
                    self._go_on_or_stop()
        self._ring(f"{run}:{job.id}", task.report)
        return task.report

    def _do(self, task: Task) -> tuple[Report, str, dict[str, Any]]:
        """Do a step: how it ended, in words, in figures. Stopped where that is not known."""
        job, began = task.job, time.monotonic()
        target = self._target(task.rollout, job.target)
        try:
            report, text, data = self._act(task.rollout, job, task.step, task.at, target)
        except Exception as error:
            if self._cutting.is_set():
                raise Stopped from error  # an engine that was stopped did not fail
            known = isinstance(error, HearthError)
            report = Report(job.id, "halted", task.at, str(error) if known else f"unexpected: {error!r}")
            text, data = report.reason, {}
        if self._cutting.is_set() and report.outcome != "done":
            raise Stopped  # it may be that the stop ended it: it is done again
        return report, text, {"seconds": round(time.monotonic() - began, 3), **data}

    def _act(
        self, rollout: str, job: Job, step: Step, at: int, target: Target | None
    ) -> tuple[Report, str, dict[str, Any]]:
        hands = self.hands(rollout)
        since = None if job.since is None else datetime.fromtimestamp(job.since, UTC)
        if step.hook is not None:
            try:
                printed = hands.hook(rollout, job.wave, step.hook)
            except HookFailed as error:
                return Report(job.id, "failed", at, str(error)), str(error), {}
            return Report(job.id, "done", at), printed, {}
        if target is None:
            raise HearthError(f"{job.target} is not in the plan")
        if step.phase is not None:
            done = hands.step(rollout, target, step.phase)
            return Report(job.id, done.outcome, at, done.reason), done.reason, msgspec.to_builtins(done)
        if step.quiet:
            found = hands.quiet(rollout, target, since=since or self.clock())
        else:
            found = hands.gate(rollout, job.wave, target, step.gate or "", since=since)
        ends: dict[str, Any] = {"pass": "done", "fail": "failed", "inconclusive": "inconclusive"}
        reason = "" if found.outcome == "pass" else found.reason
        return Report(job.id, ends[found.outcome], at, reason), found.reason, msgspec.to_builtins(found)

    def _tell_of(self, write: Callable[[], list[Event]]) -> None:
        """Record a step; of what was taken over meanwhile nothing is."""
        try:
            for event in self._patiently(write):
                self._say(event)
        except Superseded as error:
            raise Stopped from error

    def _target(self, rollout: str, stack: str | None) -> Target | None:
        plan = self._plan(rollout)
        return next((one for wave in plan.waves for one in wave.targets if one.stack == stack), None)

    def _plan(self, rollout: str) -> Plan:
        if rollout not in self._plans:  # a plan never changes
            self._plans[rollout] = self._patiently(lambda: self.history.plan(rollout))
        return self._plans[rollout]

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """While steps are done and recorded: a stop waits for the one under way."""
        with self._bell:
            self._busy += 1
        try:
            yield
        finally:
            with self._bell:
                self._busy -= 1
                self._bell.notify_all()

    def _ring(self, workflow: str, report: Report) -> None:
        """A job has ended here."""
        with self._bell:
            self._rung[workflow] = report
            self._bell.notify_all()

    # --- stopping ----------------------------------------------------------------------------------------------------

    def _patiently(self, read: Callable[[], _Read]) -> _Read:
        """Read or write; where the database is away, until it is back."""
        pause = 1.0
        while True:
            try:
                return read()
            except Unreachable:
                self._wait_or_stop(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except DiskFull as error:
                self._give_up(error)

    def _go_on_or_stop(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _wait_or_stop(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopped

    def _give_up(self, error: Exception) -> NoReturn:
        if isinstance(error, HearthError):
            self.failed = error
            self._take_nothing_new()
        raise Stopped from error


def machine_of(plan: Plan, run: Run) -> Machine | Window:
    """What decides in a run."""
    if isinstance(run.state, State):
        return Machine(plan, run.state)
    return Window(plan, run.state)


# --- what DBOS runs --------------------------------------------------------------------------------------------------

_process: Process | None = None


def _this() -> Process:
    if _process is None:
        raise Stopped
    return _process


@DBOS.workflow(name=durable.CONDUCT, max_recovery_attempts=None)
def conduct(run: str) -> None:
    """See a rollout or its window through."""
    _this().conduct(run)


@DBOS.workflow(name=durable.WORK, max_recovery_attempts=None)
def work(run: str, job: dict[str, Any]) -> dict[str, Any]:
    """Do the steps of a job; how it ended."""
    return msgspec.to_builtins(_this().work(run, msgspec.convert(job, Job)))  # type: ignore[no-any-return]
