"""The idle clock: how long nobody has called a deployment, and when Azure may delete it. Pure arithmetic.

Azure deletes a deployment of a tuned model that is older than the limit and had no completion, chat completion or
response call for as long (limits.yaml, idleDeletion); one of the Developer tier a fixed time after its creation,
called or not. A call counts when it succeeded: whether a failed one does is not known, so it does not here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Protocol

MOST_PINGS = 2
"""As many calls of a stretch may be our own: a ping and one more, of another tender or of an `up`."""
SPREAD = 0.1
"""Share of `after` by which a ping may come early, so that many do not fire at once."""


class Traffic(Protocol):
    """A stretch of time with successful calls, as metrics tell of it."""

    @property
    def start(self) -> datetime:
        """Where it begins: the calls came then or later."""

    @property
    def length(self) -> timedelta:
        """How long it is."""

    @property
    def calls(self) -> int:
        """How many succeeded."""

    @property
    def prompt_tokens(self) -> int:
        """What they asked, in tokens."""


class Certainty(Enum):
    """How well the last call is known."""

    MEASURED = "measured"
    NEVER_CALLED = "never called"
    """Metrics were read and tell of no call since it was made (or for as long as they were read)."""
    ASSUMED = "assumed"
    """Metrics could not be read: it counts as never called but by a ping of ours that is remembered."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Azure's limits, as dated or as overridden."""

    idle: timedelta
    developer: timedelta
    margin: timedelta = timedelta()
    """With so much left it is late, whatever a policy says."""
    log: timedelta = timedelta()
    """How far back the activity log can be read."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends a deployment beside idleness."""

    developer: bool = False
    retires: date | None = None
    """Day on which deployments of its base model stop answering; None: not known."""


@dataclass(frozen=True, slots=True)
class IdleClock:
    """The clock of one deployment at one moment."""

    now: datetime
    since: datetime
    """From when it counts: the last successful call, or the creation."""
    last_call: datetime | None
    certainty: Certainty
    deadline: datetime
    """From when Azure may delete it."""
    ends: Ends

    @property
    def age(self) -> timedelta:
        """The idle age; never negative."""
        return max(self.now - self.since, timedelta())

    @property
    def left(self) -> timedelta:
        """Time until the deadline; negative past it."""
        return self.deadline - self.now


def clock(
    now: datetime,
    created: datetime | None,
    traffic: Iterable[Traffic] | None,
    rules: Rules,
    ends: Ends,
    own_call: datetime | None = None,
) -> IdleClock:
    """The clock at `now`, which is the resource manager's.

    `traffic`: None where metrics could not be read. Of a stretch with calls its start is taken, the cautious choice.
    `own_call`: when a ping of ours succeeded, where that is remembered; metrics are minutes late. What came before the
    creation was another deployment of the name. A creation that is not known counts as long ago.
    """
    last = last_call(traffic or (), created, now)
    if own_call is not None and own_call <= now and (created is None or own_call >= created):
        last = max(last or own_call, own_call)
    if traffic is None:
        certainty = Certainty.ASSUMED
    else:
        certainty = Certainty.NEVER_CALLED if last is None else Certainty.MEASURED
    since = last or created or now - rules.idle
    if ends.developer:
        return IdleClock(now, since, last, certainty, (created or now - rules.developer) + rules.developer, ends)
    return IdleClock(now, since, last, certainty, since + rules.idle, ends)


def last_call(traffic: Iterable[Traffic], created: datetime | None, now: datetime) -> datetime | None:
    """A moment at or before the last call that the traffic tells of, not before the creation; None without calls."""
    starts = [
        t.start for t in traffic if t.calls > 0 and t.start <= now and (created is None or t.start + t.length > created)
    ]
    if not starts:
        return None
    return max(starts) if created is None else max(*starts, created)


def alive_at(traffic: Iterable[Traffic], until: datetime) -> datetime | None:
    """A moment not before the last call that the traffic tells of, and not after `until`; None without calls."""
    ends = [t.start + t.length for t in traffic if t.calls > 0 and t.start <= until]
    return min(max(ends), until) if ends else None


def last_use(traffic: Iterable[Traffic], tokens: Collection[int], created: datetime, now: datetime) -> datetime | None:
    """As `last_call`, of real use: without the hours that look like our own pings."""
    return last_call([t for t in traffic if not looks_like_pings(t, tokens)], created, now)


def looks_like_pings(traffic: Traffic, tokens: Collection[int]) -> bool:
    """Whether a stretch may hold our pings alone: two calls at most, with exactly a ping's prompt tokens.

    An inference: metrics name no caller. A call that Azure cut short is no success but its tokens are counted, so one
    success may stand beside the tokens of two.
    """
    if not 0 < traffic.calls <= MOST_PINGS:
        return False
    counts = range(traffic.calls, MOST_PINGS + 1)
    return any(traffic.prompt_tokens == count * each for count in counts for each in tokens)


def due_after(after: timedelta, deployment_id: str) -> timedelta:
    """The idle age at which a deployment is pinged: `after`, or up to a tenth sooner, the same for the same id."""
    digest = hashlib.sha256(deployment_id.lower().encode()).digest()
    return after * (1 - SPREAD * int.from_bytes(digest[:8]) / 2**64)
