"""A rollout seen through from a terminal or a pipeline: executed here where nobody else does, and watched."""

from __future__ import annotations

import getpass
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from infra.errors import HearthError, Refused, Unreachable

if TYPE_CHECKING:
    from infra.rollout.held import Name
    from infra.rollout.history import History, Rollout
    from infra.rollout.values import Event, Outcome
    from infra.rollout.workflow import Process

WELL = ("running", "succeeded")


def history(root: Path) -> History:
    """The project's database. Raises SpecError for a HEARTH_DATABASE_URL that is none."""
    from infra.rollout.history import History, url_of

    return History(url_of(root / ".hearth", dict(os.environ)))


def who() -> str:
    """The person, as the login has it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"user {os.getuid()}"


class _Over(Exception):
    """Enough was seen."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


class Seat:
    """Where a rollout is watched from; embedded, and where nobody else does it, also executed."""

    def __init__(self, kept: History, root: Path, *, until: timedelta | None = None) -> None:
        """`until`: how long to stay; then what runs is finished, and the next process goes on."""
        self.kept, self.root = kept, root
        self._leave_at = None if until is None else time.monotonic() + until.total_seconds()
        self._until = until
        self._name: Name | None = None
        self._process: Process | None = None
        self._failed: HearthError | None = None

    @property
    def executes(self) -> bool:
        """Whether rollouts are executed here, or by workers."""
        return self.kept.embedded

    def take(self) -> None:
        """Be the one who executes on this folder. Raises NameTaken."""
        from infra.rollout.held import EMBEDDED, Name
        from infra.rollout.history import stamp

        if self.executes and self._name is None:
            self._name = Name(self.kept, EMBEDDED, now=lambda: stamp(datetime.now(UTC)), lost=self._lose)

    def take_or_refuse(self, fleet: str) -> None:
        """The same, for one who wants to begin: where a rollout is under way that one is named. Raises Refused."""
        from infra.rollout.held import NameTaken
        from infra.rollout.history import taken

        try:
            self.take()
        except NameTaken:
            active = self.kept.active(fleet)
            if active is not None:
                raise Refused(taken(active)) from None
            raise

    def alone(self) -> bool:
        """Whether nobody executes here. Of workers it is not known."""
        from infra.rollout.held import NameTaken

        if not self.executes or self._name is not None:
            return False
        try:
            self.take()
        except NameTaken:
            return False
        self.release()
        return True

    def close_windows(self) -> bool:
        """Take away former models whose time is over and that nobody calls; False where none are kept.

        The place must be taken.
        """
        windows = self.kept.windows() if self.executes else []
        if not windows:
            return False
        with _terminated_as_interrupted():
            try:
                if self._due():
                    self._launch()
                    while self._due():
                        time.sleep(0.2)
            finally:
                if self._process is not None:
                    self._process.stop()
                    self._process.close()
                    self._process = None
        for window in self.kept.windows():
            state = window.state
            for stack, one in sorted(getattr(state, "kept", {}).items()):
                at = datetime.fromtimestamp(one.look, UTC)
                why = f": {one.reason}" if one.reason else ""
                typer.echo(
                    f"{window.rollout}: the former model at {stack} is looked at again {at:%Y-%m-%d %H:%M} UTC{why}"
                )
        return True

    def _due(self) -> bool:
        from infra.rollout.window import WindowState

        now = datetime.now(UTC).timestamp()
        states = [window.state for window in self.kept.windows()]
        return any(
            state.jobs or any(one.look <= now for one in state.kept.values())
            for state in states
            if isinstance(state, WindowState)
        )

    def release(self) -> None:
        """Leave the place to others."""
        if self._name is not None:
            self._name.release()
            self._name = None

    def see_through(self, rollout: Rollout) -> Outcome:
        """Execute it, or look on, until it has ended, stands, or the time is over; how it stands then."""
        with _terminated_as_interrupted():
            try:
                if self._name is not None:
                    self._launch()
                why = self._watch(rollout)
            except KeyboardInterrupt:
                self._finish(rollout, interrupted=True)
                raise
            else:
                self._finish(rollout, interrupted=False)
            finally:
                if self._process is not None:
                    self._process.close()
                    self._process = None
        if why:
            typer.echo(why)
        if self._failed is not None:
            raise self._failed
        return self.kept.rollout(rollout.id, "").outcome

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        from infra.rollout import crew
        from infra.rollout.held import EMBEDDED
        from infra.rollout.history import here
        from infra.rollout.workflow import Process

        self._process = Process(self.kept, crew.of(self.kept, self.root), name=EMBEDDED, who=f"{who()}@{here()}")
        self._process.launch()

    def _lose(self, error: HearthError) -> None:
        self._failed = error

    def _watch(self, rollout: Rollout) -> str:
        from infra.cli.rollout import view

        plan, seen = self.kept.plan(rollout.id), _Seen(self, rollout)
        try:
            view.watch(plan, seen.events)
        except _Over as over:
            return over.why
        return ""

    def leave(self, rollout: Rollout) -> str | None:
        """Why not to watch any longer; None: go on."""
        if self._process is not None and self._process.failed is not None:
            self._failed = self._process.failed
            return ""
        if self._failed is not None:
            return ""
        if self.kept.rollout(rollout.id, "").outcome == "paused":
            run = self.kept.run(rollout.id)
            if run is not None and not run.state.jobs:
                return f"{rollout.id} is paused. {how_to_go_on(rollout.id)}"
        if self._process is None and self.alone():
            return f"{rollout.id}: nobody executes it now. {how_to_go_on(rollout.id)}"
        if self._leave_at is not None and time.monotonic() >= self._leave_at:
            return f"{waits_for(self.kept, rollout)}. {how_to_go_on(rollout.id)}"
        return None

    def _finish(self, rollout: Rollout, *, interrupted: bool) -> None:
        """Let what runs come to its end; a Ctrl-C meanwhile stops the engines, one more ends them."""
        asked = 0
        while self._process is not None:
            try:
                if asked == 0 and not self._process.stop(wait=0.0):
                    again = "Ctrl-C again" if interrupted else "Ctrl-C"
                    typer.echo(f"Finishing what runs. {again} stops the engines: their steps are repeated.", err=True)
                elif asked:
                    self._process.stop_engines(hard=asked > 1)
                self._process.stop()
                break
            except KeyboardInterrupt:
                asked += 1
                typer.echo("Stopping the engines." if asked == 1 else "Ending the engines.", err=True)
        if interrupted and self.kept.rollout(rollout.id, "").outcome in ("running", "paused"):
            typer.echo(how_to_go_on(rollout.id), err=True)


class _Seen:
    """The events as they come; those last known while the database is away."""

    def __init__(self, seat: Seat, rollout: Rollout) -> None:
        self._seat, self._rollout = seat, rollout
        self._known: list[Event] = []
        self._leaving: str | None = None

    def events(self) -> list[Event]:
        """All so far. Raises _Over once they have been seen and there is a reason to leave."""
        if self._leaving is not None:
            raise _Over(self._leaving)
        try:
            self._leaving = self._seat.leave(self._rollout)
            last = self._known[-1].number if self._known else 0
            going_on = self._seat.kept.rollout(self._rollout.id, "").outcome in ("running", "paused")
            self._known += self._seat.kept.events(self._rollout.id, after=last)
            return _without_former_end(self._known) if going_on else self._known
        except Unreachable:  # it comes back, or a person loses patience
            return self._known


def _without_former_end(events: list[Event]) -> list[Event]:
    """Of a rollout that is taken up after its end, and whose record does not say so yet: up to that end."""
    ends = [event.kind for event in events if event.kind in ("ended", "rollbackAsked")]
    if ends[-1:] != ["ended"]:
        return events
    return events[: max(i for i, event in enumerate(events) if event.kind == "ended")]


def how_to_go_on(rollout: str) -> str:
    """For whoever finds it standing."""
    return f"Go on with: hearth rollout resume {rollout}  (or end it: hearth rollout rollback | abort {rollout})"


def waits_for(kept: History, rollout: Rollout) -> str:
    """What a rollout that is not over waits for, in a sentence without its full stop."""
    from infra.rollout.schedule import Machine
    from infra.rollout.workflow import machine_of

    run = kept.run(rollout.id)
    machine = None if run is None else machine_of(kept.plan(rollout.id), run)
    if not isinstance(machine, Machine):
        return f"{rollout.id} is not begun"
    return f"{rollout.id} {machine.waiting_for(datetime.now(UTC).timestamp())}"


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A pipeline that is cancelled sends SIGTERM: the same as Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
