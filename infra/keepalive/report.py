"""What a run came to, a row for each deployment: for people, for programs, for a pipeline's summary."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import msgspec

from infra.keepalive.plan import Step
from infra.spec.duration import show


class Outcome(Enum):
    """How it went with one deployment."""

    KEPT = "kept"
    """Nothing was due."""
    PINGED = "pinged"
    NOT_PINGED = "not pinged"
    OTHERS_PING = "left to another tender"
    WOULD_PING = "would ping"
    REVIVED = "revived"
    NOT_REVIVED = "not revived"
    WOULD_REVIVE = "would revive"
    RETIRED = "retired"
    NOT_RETIRED = "not retired"
    RECOMMENDED = "recommended to retire"
    WARNED = "warned"
    OFF = "off"
    NOT_SEEN = "not looked at"


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One deployment, or a stack that could not be read. Times are the resource manager's; spans in seconds."""

    at: datetime | None
    stack: str
    deployment: str
    id: str
    policy: str
    outcome: Outcome
    reason: str
    ok: bool
    """Whether it is as it should be."""
    code: int
    """What it adds to the exit code."""
    last_call: datetime | None = None
    idle_seconds: int | None = None
    deadline: datetime | None = None
    seconds_left: int | None = None
    certainty: str | None = None
    due: datetime | None = None
    """When its policy acts next."""
    retires: str | None = None
    """Day on which deployments of its base model stop answering."""
    calls: int = 0
    """Calls that were made to it."""
    prompt_tokens: int = 0
    hosting_month: float | None = None
    currency: str = "USD"


def row(
    step: Step, outcome: Outcome, reason: str, *, code: int, calls: int = 0, tokens: int = 0, currency: str = "USD"
) -> Row:
    """The row of a deployment after its step."""
    seen, clock = step.seen, step.clock
    pinged = outcome is Outcome.PINGED and clock is not None
    since = clock.now if pinged and clock else clock.since if clock else None
    deadline = clock.deadline + (since - clock.since) if clock and since and not clock.ends.developer else None
    deadline = clock.deadline if clock and clock.ends.developer else deadline
    return Row(
        at=seen.now,
        stack=seen.account.stack,
        deployment=seen.wish.shown,
        id=seen.id,
        policy=seen.wish.keep_alive.policy,
        outcome=outcome,
        reason=reason,
        ok=code == 0,
        code=code,
        last_call=(clock.now if pinged else clock.last_call) if clock else None,
        idle_seconds=int((clock.now - since).total_seconds()) if clock and since else None,
        deadline=deadline,
        seconds_left=int((deadline - clock.now).total_seconds()) if clock and deadline else None,
        certainty=clock.certainty.value if clock else None,
        due=step.due + (since - clock.since) if step.due and clock and since else None,
        retires=seen.ends.retires.isoformat() if seen.ends.retires else None,
        calls=calls,
        prompt_tokens=tokens,
        hosting_month=None if seen.hosting_month is None else round(seen.hosting_month, 2),
        currency=currency,
    )


def unread(stack: str, reason: str, code: int, deployment: str = "") -> Row:
    """The row of a stack, or of one of its deployments, that could not be read."""
    return Row(
        at=None, stack=stack, deployment=deployment, id="", policy="", outcome=Outcome.NOT_SEEN, reason=reason,
        ok=False, code=code,
    )  # fmt: skip


def exit_code(rows: Iterable[Row]) -> int:
    """What the rows come to."""
    return max((one.code for one in rows), default=0)


def json_lines(rows: Iterable[Row]) -> str:
    """One line of JSON a deployment."""
    return "\n".join(msgspec.json.encode(one).decode() for one in rows)


def summary(rows: list[Row]) -> str:
    """The run in a line."""
    counts = {kind: sum(one.outcome is kind for one in rows) for kind in Outcome}
    told = ", ".join(f"{number} {kind.value}" for kind, number in counts.items() if number)
    calls, tokens = sum(one.calls for one in rows), sum(one.prompt_tokens for one in rows)
    cost = f"; {calls} call{'s' if calls != 1 else ''}, {tokens} prompt tokens" if calls else ""
    return f"{told or 'nothing to tend'}{cost}"


TITLES = ("deployment", "policy", "last call", "idle", "deadline", "outcome", "why")


def cells(one: Row) -> tuple[str, ...]:
    """A row for a table."""
    where = f"{one.stack}/{one.deployment}" if one.deployment else one.stack
    idle = show_seconds(one.idle_seconds)
    return (where, one.policy, moment(one.last_call), idle, deadline(one), one.outcome.value, one.reason)


def deadline(one: Any) -> str:
    """The deadline with what is left until then."""
    if one.deadline is None:
        return ""
    left = show_seconds(one.seconds_left)
    return f"{moment(one.deadline)} ({left} left)" if one.seconds_left >= 0 else f"{moment(one.deadline)} (passed)"


def moment(at: datetime | None) -> str:
    """A moment as people read it, in UTC."""
    return f"{at:%Y-%m-%d %H:%M}" if at else ""


def show_seconds(seconds: int | None) -> str:
    """A span as people read it, to the minute."""
    if seconds is None:
        return ""
    whole = seconds // 60 * 60 if seconds >= 60 else seconds
    return show(timedelta(seconds=whole))


def markdown(rows: list[Row]) -> str:
    """A page for a pipeline's summary."""
    lines = ["### hearth tend", "", summary(rows), "", f"| {' | '.join(TITLES)} |", f"|{' --- |' * len(TITLES)}"]
    escape = str.maketrans({"|": "\\|", "\n": " "})
    lines += [f"| {' | '.join(cell.translate(escape) for cell in cells(one))} |" for one in by_deadline(rows)]
    return "\n".join(lines) + "\n"


def by_deadline(rows: Iterable[Row]) -> list[Row]:
    """What is not as it should be first, then the nearest deadline."""
    return sorted(rows, key=lambda r: (r.ok, r.deadline.timestamp() if r.deadline else 0.0, r.stack, r.deployment))
