"""`hearth rollout start`: from a commit to its end, or to where a person is wanted."""

from __future__ import annotations

import functools
import secrets
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place
from infra.cli.rollout.plan import WAVES_ONLY
from infra.errors import HearthError, Mistake, Refused, SpecError

if TYPE_CHECKING:
    from infra.cli.rollout.executing import Seat
    from infra.rollout.export import Source
    from infra.rollout.history import History, Rollout
    from infra.rollout.values import Outcome, Plan

UNTIL = typer.Option(
    "--until", help="Stay no longer than this, e.g. 5h: then finish what runs, say what is waited for."
)


def start(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Begin without asking.")] = False,
    commit: Annotated[str, typer.Option("--commit", help="Roll out the files of this commit.")] = "HEAD",
    dirty: Annotated[
        bool, typer.Option("--dirty", help="Roll out the files as they are, uncommitted ones too.")
    ] = False,
    plan_digest: Annotated[str, typer.Option("--plan-digest", help="Begin only if the plan is still this one.")] = "",
    until: Annotated[str, UNTIL] = "",
    waves_only: Annotated[bool, WAVES_ONLY] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Watch it; or leave it to the workers at once.")
    ] = True,
) -> None:
    """Bring a commit to the stacks of stacks/rollout.yaml, wave by wave, then to the others, and watch it to its end.

    A stack takes part where its model, its file or the program has changed. Runs from its own copy of the commit's
    files. Exits 0 when every stack stands as wanted, 1 when it failed, was rolled back, or stands and waits for a
    person; what to do then is said. Ctrl-C once: what runs is finished.
    """
    from infra.cli.rollout import executing

    root, stay = place.root(), span(until)
    kept = executing.history(root)
    if kept.embedded and not wait:
        text = "needs workers: set HEARTH_DATABASE_URL and start hearth worker; without them this process does the work"
        raise SpecError([Mistake("hearth rollout start", 0, "--no-wait", text)])
    seat = executing.Seat(kept, root, until=stay)
    try:
        rollout = _begun(kept, seat, root, commit, plan_digest, dirty=dirty, yes=yes, waves_only=waves_only)
        if rollout is None:
            return
        if not wait:
            typer.echo(f"{rollout.id} has begun; watch it with: hearth rollout watch {rollout.id}")
            return
        outcome = seat.see_through(rollout)
    finally:
        seat.release()
        kept.close()
    finish(outcome, rollout)


def finish(outcome: Outcome, rollout: Rollout) -> None:
    """Exit as the rollout stands."""
    if outcome == "succeeded":
        return
    if outcome not in ("running", "paused"):
        again = f"; try the rollback again: hearth rollout rollback {rollout.id}" if outcome == "rollbackFailed" else ""
        typer.echo(f"See what happened: hearth rollout show {rollout.id}{again}")
    raise typer.Exit(1)


def span(text: str) -> timedelta | None:
    """A span such as 5h. Raises SpecError."""
    from infra.spec import duration

    try:
        return duration.parse(text) if text else None
    except ValueError as error:
        raise SpecError([Mistake("hearth rollout", 0, "--until", str(error))]) from error


# --- beginning -------------------------------------------------------------------------------------------------------


def _begun(
    kept: History, seat: Seat, root: Path, commit: str, digest: str, *, dirty: bool, yes: bool, waves_only: bool
) -> Rollout | None:
    """The rollout, written down and about to run; None where there is nothing to do."""
    from infra.rollout import export
    from infra.spec import open_project

    fleet = open_project(root).name
    seat.take_or_refuse(fleet)
    now = datetime.now(UTC)
    name = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    source = export.take(root, name, commit=commit, dirty=dirty)
    begun = False
    try:
        again = _going_on(kept, fleet, source)
        if again is not None:
            return again
        plan = _planned(root, source, digest, waves_only=waves_only)
        if not _agreed(plan, yes=yes):
            return None
        rollout = _written(kept, name, plan, source, now)
        begun = True
    finally:
        if not begun:
            shutil.rmtree(source.folder.parent, ignore_errors=True)
    return rollout


def _going_on(kept: History, fleet: str, source: Source) -> Rollout | None:
    """The rollout of the same files that nobody executes any more: it is gone on with, not begun anew."""
    from infra.rollout.history import taken

    active = kept.active(fleet)
    if active is None:
        return None
    if active.commit != source.commit or not kept.embedded:
        raise Refused(taken(active))
    typer.echo(f"{active.id} of the same commit is under way and nobody executes it: it goes on")
    return active


def _planned(root: Path, source: Source, digest: str, *, waves_only: bool) -> Plan:
    from infra.cli.rollout import plan as planner
    from infra.rollout import plan as planning
    from infra.rollout.gates import check
    from infra.spec import open_project

    wish = planner.wanted(open_project(source.folder), waves_only=waves_only)
    mistakes = check(open_project(source.folder), wish.rollout.file.gates)
    if mistakes:
        raise SpecError(mistakes)
    made = planning.make(wish, planner.observe(open_project(root), wish, login=True), source.commit)
    if digest and digest != made.digest:
        raise HearthError(
            f"The plan is no longer the one with the digest {digest[:12]}…: now it is {made.digest}. Look at it with "
            "`hearth rollout plan`, and begin with the digest that it has now"
        )
    return made


def _agreed(plan: Plan, *, yes: bool) -> bool:
    """Show the plan and ask. False where nothing is to be done; Abort where the answer is no."""
    from infra.cli.rollout import plan as planner
    from infra.spec import limits

    planner.show(plan, limits.load().hosting.currency)
    targets = [target for wave in plan.waves for target in wave.targets]
    for wave in plan.waves:
        refused = [target.stack for target in wave.targets if target.standing == "refused"]
        if len(refused) > wave.tolerance:
            raise HearthError(
                f"Wave {wave.name} tolerates {wave.tolerance} failed, and {', '.join(refused)} would be refused: see "
                "above why"
            )
    if all(target.standing == "upToDate" for target in targets):
        typer.echo("Every stack serves its model and stands as its file says: nothing to do.")
        return False
    if not yes:
        if not sys.stdin.isatty():
            raise SpecError([Mistake("hearth rollout start", 0, "--yes", "is needed where nobody can be asked")])
        typer.confirm("Begin?", abort=True)
    return True


def _written(kept: History, name: str, plan: Plan, source: Source, now: datetime) -> Rollout:
    from infra.cli.rollout.executing import who
    from infra.rollout import durable, export
    from infra.rollout.history import Rollout, stamp
    from infra.rollout.state import State

    rollout = Rollout(
        id=name, fleet=plan.fleet, commit=plan.commit, digest=plan.digest, who=who(), at=stamp(now), outcome="running"
    )
    packed = None if kept.embedded else export.pack(source.folder)
    durable.prepare(kept)
    door = durable.client(kept)
    try:
        kept.begin(rollout, plan, State.new(plan), packed, functools.partial(durable.enqueue_run, door))
    finally:
        door.destroy()
    return rollout
