"""The rollback window: pure, told of every event and the time.

A model that was replaced beside its successor is kept, so that a rollback needs no new deployment. It goes when the
window is over and metrics show no call in it but our own; while somebody still calls it, it is looked at again later.
It has the shape of the machine in schedule.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from infra.rollout.state import Ask, Job, Note, Report, Step
from infra.rollout.values import Plan

AGAIN = 3600.0
"""Seconds until the next look at a model that is still called, or could not be taken away."""


class Kept(msgspec.Struct, omit_defaults=True):
    """One target whose former model is kept."""

    wave: str
    look: float
    """When it is looked at next."""
    reason: str = ""


class WindowState(msgspec.Struct, omit_defaults=True):
    """All that the window knows besides the plan."""

    since: float
    until: float
    kept: dict[str, Kept]
    jobs: dict[str, Job] = {}
    jobs_made: int = 0
    closed: bool = False
    told: bool = False
    asks_seen: int = 0


def new(plan: Plan, passed: Iterable[str], now: float) -> WindowState | None:
    """The window of a rollout that succeeded just now; None where nothing was put beside anything."""
    until, wanted = now + plan.rollback_window, set(passed)
    kept = {
        target.stack: Kept(wave.name, until)
        for wave in plan.waves
        for target in wave.targets
        if target.stack in wanted and any(m.strategy == "beside" and m.before is not None for m in target.moves)
    }
    return WindowState(now, until, kept) if kept else None


class Window:
    """When the former models go."""

    def __init__(self, plan: Plan, state: WindowState) -> None:
        """`state` is changed in place."""
        self.plan, self.state = plan, state
        self._notes: list[Note] = []

    def due(self, now: float) -> list[Job]:
        """The targets to look at now, and to take the former model from where nobody calls it."""
        state, started = self.state, []
        if not state.told:
            state.told = True
            self._notes.append(Note("windowOpened", data={"until": state.until, "targets": sorted(state.kept)}))
        for stack, kept in state.kept.items():
            if not state.closed and now >= kept.look and all(job.target != stack for job in state.jobs.values()):
                state.jobs_made += 1
                kept.look = now + AGAIN
                steps = (Step(quiet=True), Step(phase="retire"))
                job = Job(f"{stack}:retire:{state.jobs_made}", "retire", kept.wave, steps, stack, state.since)
                state.jobs[job.id] = job
                started.append(job)
        if not state.kept and not state.closed:
            self._close("every former model is gone")
        return started

    def report(self, report: Report) -> None:
        """A look ended: gone, to be looked at again, or no business of ours any more."""
        job = self.state.jobs.pop(report.job, None)
        if job is None or job.target is None:
            return
        if report.outcome in ("done", "foreign"):
            self.state.kept.pop(job.target, None)
            if report.outcome == "foreign":
                self._notes.append(Note("note", wave=job.wave, target=job.target, text=report.reason))
            return
        kept = self.state.kept[job.target]
        if kept.reason != report.reason:  # the same reason every hour would drown the record
            self._notes.append(Note("note", wave=job.wave, target=job.target, text=f"kept: {report.reason}"))
        kept.reason = report.reason

    def ask(self, ask: Ask) -> None:
        """A rollback needs what is kept: the window closes, and takes nothing away."""
        if ask.what in ("rollbackWave", "rollbackAll", "abort") and not self.state.closed:
            self._close(f"{ask.what} asked by {ask.who}")

    def wake(self, now: float) -> float | None:
        """When it wants to be asked again though nothing happened."""
        busy = {job.target for job in self.state.jobs.values()}
        times = [kept.look for stack, kept in self.state.kept.items() if stack not in busy]
        return None if self.state.closed else min((time for time in times if time > now), default=None)

    def notes(self) -> list[Note]:
        """What went on since it was asked last, for the audit trail."""
        found, self._notes = self._notes, []
        return found

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state.closed and not self.state.jobs

    @property
    def halting(self) -> bool:
        """Whether looks under way are to stop before they take something away."""
        return self.state.closed

    def _close(self, why: str) -> None:
        self.state.closed = True
        self._notes.append(Note("windowClosed", text=why))
