"""Drift: what differs between a stack's state and Azure, who changed it and when, and what `up` would do about it.

The engine compares (a refresh that saves nothing), the activity log names the hands, and a preview with a refresh says
what `up` would put back. Reads alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from infra.errors import HearthError, NotFound, Refused
from infra.gitops.words import cell, kind_of, move, shown, table
from infra.ports.activity import ActivityLog, Entry
from infra.ports.arm import Arm
from infra.ports.foresee import Engine, Foreseen, Step, keys
from infra.ports.stacks import Stacks
from infra.spec.limits import Limits

OWN_TAG = "hearth-stack"
"""What every deployment of a hearth stack is tagged with."""
_WITHIN = timedelta(hours=1)
"""What an answer's clock may be behind the log's."""


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A property that Azure has otherwise than the state."""

    path: str
    state: Any
    azure: Any


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One resource that differs, or a stack that could not be looked at."""

    stack: str
    resource: str = ""
    """Its name in the program; of what the state does not know, in Azure."""
    kind: str = ""
    """account, role, deployment, resource group, or the type of anything else."""
    id: str = ""
    what: Literal["changed", "deleted", "not of the stack", "not looked at"]
    differences: tuple[Difference, ...] = ()
    who: str = ""
    """Whom the activity log names; empty where it does not say."""
    at: datetime | None = None
    ours: str = ""
    """What of hearth's own did it; empty where somebody else did."""
    up: str = ""
    """What the next `pulumi up` would do about it."""
    note: str = ""
    code: int = 1


@dataclass(frozen=True, slots=True)
class Ports:
    """Whom a look asks."""

    engine: Engine
    stacks: Stacks
    arm: Arm
    log: ActivityLog
    limits: Limits


def of_stack(name: str, ports: Ports) -> list[Row]:
    """What differs in one stack; empty where nothing does. What cannot be read of the reasons is said in the rows.

    Raises HearthError where the stack itself cannot be looked at.
    """
    outputs = ports.stacks.outputs(name)
    if outputs is None or not outputs.get("account"):
        return []  # not up: nothing to differ
    locks = [lock for lock in ports.stacks.locks(name) if not lock.is_dead()]
    if locks:
        raise HearthError(f"{name}: {locks[0].owner} is changing it since {locks[0].since}; look again afterwards")
    found = ports.engine.refresh(name)
    account = str(outputs["account"]["id"])
    at, extra = _extra(name, account, outputs, ports)
    differing = [step for step in found.steps if step.op == "delete" or _differences(step)]
    if not differing and not extra:
        return []
    # Who did it, and what would be done, matter only where something differs.
    hands = _hands([step.id for step in differing] + [row.id for row in extra], at, ports)
    would = ports.engine.up(name, refresh=True) if differing else Foreseen((), (), {})
    pending = frozenset(ports.stacks.state(name).pending)
    job = str((outputs.get("keepAlive") or {}).get("principalId") or "")
    rows = [_row(name, step, would, pending) for step in differing] + extra
    return [_with_hand(row, hands, job) for row in rows]


def _row(stack: str, step: Step, would: Foreseen, pending: frozenset[str]) -> Row:
    then = next((s for s in would.steps if s.urn == step.urn), None)
    interrupted = "an `up` that did not end" if step.urn in pending else ""
    return Row(
        stack=stack,
        resource=step.name,
        kind=kind_of(step.type),
        id=step.id,
        what="deleted" if step.op == "delete" else "changed",
        differences=_differences(step),
        ours=interrupted,
        up=_up(then, {f.path for f in _differences(step)}),
    )


def _up(then: Step | None, differing: set[str]) -> str:
    if then is None:
        return "nothing: nobody wishes otherwise"
    if then.op == "create":
        return "makes it again"
    if then.op == "delete":
        return "deletes it"
    changed = (
        ", ".join(f"{f.path} {move(f.before, f.after)}" for f in then.fields if f.path in differing) or "writes it"
    )
    return f"{'replaces it: ' if then.op == 'replace' else ''}{changed}"


def _differences(step: Step) -> tuple[Difference, ...]:
    """Of a refresh: wishes that Azure has otherwise, and tags. What else Azure has filled in is nobody's wish."""
    if step.op == "delete":
        return ()
    return tuple(
        Difference(path=f.path, state=f.before, azure=f.after)
        for f in step.fields
        if f.wished and (f.before is not None or "tags" in keys(f.path))
    )


# --- deployments that the stack does not know ---------------------------------------------------------------------


def _extra(stack: str, account: str, outputs: Mapping[str, Any], ports: Ports) -> tuple[datetime | None, list[Row]]:
    """When the resource manager answered, and deployments on the account that no stack of ours has put there."""
    try:
        listing = ports.arm.listing(account)
    except NotFound as error:
        return error.at, []  # the refresh says that it is gone
    held = {one.rsplit("/", 1)[-1] for one in ports.stacks.state(stack).ids if "/deployments/" in one}
    rows = [
        Row(
            stack=stack,
            resource=d.name,
            kind="deployment",
            id=f"{account}/deployments/{d.name}",
            what="not of the stack",
            note=f"serves {d.model}",
            up="nothing: it is in nobody's state; hearth adopt takes it in, or delete it",
        )
        for d in listing.deployments
        if d.name.lower() not in held and OWN_TAG not in (d.tags or {})
    ]
    return listing.at, rows


# --- who -----------------------------------------------------------------------------------------------------------


def _hands(ids: Iterable[str], at: datetime | None, ports: Ports) -> dict[str, tuple[Entry, ...]] | str:
    """What the log tells of each resource; why it could not be read, where it could not."""
    if at is None:
        return "when it happened is not known: the resource manager gave no time"
    since = at - ports.limits.activity_log_read
    by_subscription: dict[str, list[str]] = defaultdict(list)
    for one in ids:
        by_subscription[one.lower().split("/")[2] if one.lower().startswith("/subscriptions/") else ""].append(one)
    found: dict[str, tuple[Entry, ...]] = {}
    for subscription, of in by_subscription.items():
        if not subscription:
            continue
        try:
            found |= ports.log.of_resources(subscription, [*of, *_above(of)], since=since, now=at + _WITHIN)
        except Refused as error:
            return f"the activity log may not be read: {error}"
        except HearthError as error:
            return f"the activity log was not read: {error}"
    return found


def _above(ids: Iterable[str]) -> set[str]:
    """Accounts and groups that hold the resources: what takes them down takes these along."""
    found = set()
    for one in ids:
        parts = one.lower().split("/")
        found |= {"/".join(parts[:size]) for size in (5, 9) if len(parts) > size}
    return found


def _with_hand(row: Row, hands: dict[str, tuple[Entry, ...]] | str, job: str) -> Row:
    if isinstance(hands, str):
        return msgspec.structs.replace(row, note="; ".join(filter(None, (row.note, hands))))
    told = [entry for entry in hands.get(row.id.lower(), ()) if row.what != "deleted" or entry.deletion]
    if not told and row.what == "deleted":
        told = [e for above in _above([row.id]) for e in hands.get(above, ()) if e.deletion]
    if not told:
        return msgspec.structs.replace(
            row, note="; ".join(filter(None, (row.note, "the activity log does not say who")))
        )
    last = max(told, key=lambda entry: entry.at)
    who = last.caller or last.identity
    ours = "hearth tend, by the keep-alive job" if job and job in {last.identity, last.caller} else row.ours
    return msgspec.structs.replace(row, who=who, at=last.at, ours=ours)


# --- told ----------------------------------------------------------------------------------------------------------


def summary(rows: list[Row], stacks: int) -> str:
    """The look in a line."""
    unread = sum(row.what == "not looked at" for row in rows)
    differing = len(rows) - unread
    told = f"{differing} resource{'s differ' if differing != 1 else ' differs'}" if differing else "nothing differs"
    return f"{told} in {stacks - unread} stack{'s' if stacks - unread != 1 else ''}" + (
        f"; {unread} could not be looked at" if unread else ""
    )


def lines(row: Row) -> list[str]:
    """A row for people: what, who, what next."""
    if row.what == "not looked at":
        return [f"{row.stack}: {row.note}"]
    found = [f"{row.stack}  {row.kind} {row.resource}: {row.what}"]
    found += [f"    {d.path}: {shown(d.state)} in the state, {shown(d.azure)} in Azure" for d in row.differences]
    if row.who:
        ours = f" ({row.ours})" if row.ours else ""
        found.append(f"    by {row.who}{ours} on {row.at:%Y-%m-%d %H:%M} UTC")
    elif row.ours:
        found.append(f"    by {row.ours}")
    if row.note:
        found.append(f"    {row.note}")
    return [*found, f"    up: {row.up}"]


def markdown(rows: list[Row], stacks: int) -> str:
    """What differs, for an issue; every value is made harmless."""
    text = ["### hearth drift", "", f"{summary(rows, stacks)}."]
    if rows:
        text += ["", *table(("stack", "resource", "what", "who", "when (UTC)", "`up` would"), map(_cells, rows))]
    return "\n".join(text) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    differing = "<br>".join(
        f"{cell(d.path)}: {cell(shown(d.azure))} for {cell(shown(d.state))}" for d in row.differences
    )
    what = "<br>".join(filter(None, (cell(row.what), differing, cell(row.note))))
    who = " ".join(filter(None, (cell(row.who), f"({cell(row.ours)})" if row.ours else "")))
    when = f"{row.at:%Y-%m-%d %H:%M}" if row.at else ""
    return (cell(row.stack), cell(f"{row.kind} {row.resource}".strip()), what, who, when, cell(row.up))
