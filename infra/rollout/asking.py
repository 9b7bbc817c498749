"""What people ask of a rollout, from any process: it is written down, and found by whoever executes the rollout."""

from __future__ import annotations

import functools
from datetime import datetime

from infra.errors import Refused
from infra.rollout import durable
from infra.rollout.history import History, Rollout
from infra.rollout.state import Ask
from infra.rollout.workflow import machine_of

ENDED = ("succeeded", "failed", "rolledBack", "rollbackFailed", "aborted")


def ask(history: History, rollout: Rollout, wish: Ask, now: datetime) -> None:
    """Ask for something. A rollback may be asked after the end too: then the rollout begins again, with that.

    Raises Refused for what cannot be: of a rollout that has ended, or an answer where nothing is asked.
    """
    if rollout.outcome in ENDED:
        _after_the_end(history, rollout, wish, now)
        return
    if wish.what in ("approve", "deny"):
        _require_question(history, rollout, wish)
    elif wish.what == "resume" and rollout.outcome == "running":
        return  # somebody executes it, or will
    history.ask(rollout.id, wish, now)


def _after_the_end(history: History, rollout: Rollout, wish: Ask, now: datetime) -> None:
    run = history.run(rollout.id)
    if run is None or wish.what not in ("rollbackWave", "rollbackAll"):
        raise Refused(f"{rollout.id} has ended ({rollout.outcome}); see hearth rollout show {rollout.id}")
    if rollout.outcome == "rolledBack":
        raise Refused(f"{rollout.id} was rolled back already; see hearth rollout show {rollout.id}")
    later = [one.id for one in history.rollouts() if one.fleet == rollout.fleet and one.at > rollout.at]
    if later:
        raise Refused(
            f"{later[0]} came after {rollout.id}, so going back to what stood before {rollout.id} would undo it too: "
            f"roll {later[0]} back, or commit the record of the model that you want and start a rollout"
        )
    if history.run(f"{rollout.id}:window") is not None:
        history.ask(f"{rollout.id}:window", wish, now)
    history.ask(rollout.id, wish, now)
    door = durable.client(history)
    try:
        history.begin_again(run, functools.partial(durable.enqueue_run, door))
    finally:
        door.destroy()


def _require_question(history: History, rollout: Rollout, wish: Ask) -> None:
    run = history.run(rollout.id)
    machine = machine_of(history.plan(rollout.id), run) if run is not None else None
    asked = machine.open_questions() if machine is not None and hasattr(machine, "open_questions") else {}
    if not asked or (wish.gate is not None and wish.gate not in asked):
        open_ones = ", ".join(gate or "the wave's own" for gate in asked)
        hint = f"; asked now: {open_ones}" if asked else "; see hearth rollout status"
        raise Refused(f"{rollout.id} waits for no answer{f' for {wish.gate}' if wish.gate else ''}{hint}")
    may = asked[wish.gate if wish.gate is not None else next(iter(asked))]
    if may and wish.who not in may:
        raise Refused(f"{wish.who} may not answer here; who may: {', '.join(may)}")
