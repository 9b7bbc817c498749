"""From what was seen to what is to be done, each with its reason. Pure: no clock, no network.

Nothing but `retire` deletes; nothing but `revive` creates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from infra.keepalive import idle, watchlist
from infra.keepalive.idle import Certainty, Ends, IdleClock, Rules, Traffic
from infra.spec.duration import show

HOURS_A_MONTH = 730


class Act(Enum):
    """What is to be done about a deployment."""

    NOTHING = "nothing"
    PING = "ping"
    WARN = "warn"
    """Say that its deadline comes near, or that it is gone."""
    REVIVE = "revive"
    RETIRE = "retire"
    """Recommend, or with a yes do, its deletion."""


class Gone(Enum):
    """Who deleted a deployment, as far as the activity log tells."""

    BY_SERVICE = "the service"
    BY_SOMEBODY = "somebody"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Deletion:
    """How a deployment came to be gone."""

    by: Gone
    who: str = ""
    what: str = ""
    """What was deleted and took it along; empty for the deployment itself."""
    at: datetime | None = None
    written: datetime | None = None
    """When it was last written before, as the log tells."""
    why_unknown: str = ""
    unreadable: bool = False
    """The log could not be read, so that nothing may be concluded from its silence."""


@dataclass(frozen=True, slots=True)
class There:
    """A deployment as Azure has it."""

    state: str
    sku: str
    created: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that is known of one watched deployment."""

    account: watchlist.Account
    wish: watchlist.Deployment
    rules: Rules
    ends: Ends
    now: datetime | None = None
    """What the resource manager said; None where it did not answer."""
    there: There | None = None
    """None: the resource manager does not list it, or did not answer."""
    unlisted: str = ""
    """Why the account could not be looked at; empty if it was."""
    account_gone: bool = False
    traffic: Sequence[Traffic] | None = None
    unmeasured: str = ""
    """Why metrics could not be read; empty if they were."""
    own_call: datetime | None = None
    deletion: Deletion | None = None
    tokens: Collection[int] = ()
    """Prompt tokens of a ping."""
    hosting: float | None = None
    """Price an hour; None: not known."""

    @property
    def id(self) -> str:
        """Its id in Azure."""
        return f"{self.account.id}/deployments/{self.wish.active}"

    @property
    def where(self) -> str:
        """How people call it."""
        return f"{self.account.stack}/{self.wish.shown}"

    @property
    def sku(self) -> str:
        """Its SKU in Azure, else the one that it should have."""
        return self.there.sku if self.there else self.wish.sku.name

    @property
    def hosting_month(self) -> float | None:
        """What it costs a month for standing there."""
        return None if self.hosting is None else self.hosting * HOURS_A_MONTH


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one deployment, and why."""

    seen: Seen
    act: Act
    reason: str
    clock: IdleClock | None = None
    due: datetime | None = None
    """When its policy acts next; None where it does not."""
    alarm: bool = False
    """It should live, and is past its warning margin or gone: unless the act mends that, the run ends with 1."""
    ping: bool = False
    """It is due for a ping; with RETIRE too, until somebody says yes to that."""
    unwell: bool = False
    """It does not stand as it should: no ping mends that."""


def decide(seen: Seen) -> Step:
    """What to do about one deployment."""
    keep = seen.wish.keep_alive
    if seen.account_gone:
        by = seen.deletion if seen.deletion and seen.deletion.by is Gone.BY_SOMEBODY else None
        told = f"; {_told(seen, by, passed=False)}; not brought back" if by else ""
        return Step(seen, Act.WARN, f"its account is gone from Azure{told}", alarm=keep.policy != "off")
    if seen.now is None:
        return _unlisted(seen)
    if seen.there is None:
        return _gone(seen, seen.now)
    clock = idle.clock(seen.now, seen.there.created, seen.traffic, seen.rules, seen.ends, seen.own_call)
    return _standing(seen, clock)


# --- not seen ------------------------------------------------------------------------------------------------------


def _unlisted(seen: Seen) -> Step:
    """Without the resource manager there is neither a moment nor an age: a ping does no harm, silence might."""
    reason = f"its account could not be looked at ({seen.unlisted})"
    if seen.wish.keep_alive.policy == "ping":
        return Step(seen, Act.PING, f"{reason}, so it counts as never called", alarm=True, ping=True)
    return Step(seen, Act.WARN, reason, alarm=seen.wish.keep_alive.policy == "report")


# --- gone ----------------------------------------------------------------------------------------------------------


def _gone(seen: Seen, now: datetime) -> Step:
    keep, deletion = (
        seen.wish.keep_alive,
        seen.deletion or Deletion(Gone.UNKNOWN, why_unknown="nobody asked", unreadable=True),
    )
    passed = _deadline_passed(seen, deletion, now)
    told = _told(seen, deletion, passed=passed)
    should_live = keep.policy != "off"
    if deletion.by is Gone.BY_SOMEBODY:
        # With `retire` a deletion is what the stack wants; otherwise somebody must hear that the file says otherwise.
        return Step(seen, Act.WARN, f"{told}; not brought back", alarm=should_live and keep.retire is None)
    if not keep.revive:
        return Step(seen, Act.WARN, f"{told}; revive is false", alarm=should_live)
    if deletion.by is Gone.BY_SERVICE or passed:
        return Step(seen, Act.REVIVE, told, alarm=should_live)
    return Step(seen, Act.WARN, f"{told}, and its deadline is not known to have passed; not brought back", alarm=True)


def _deadline_passed(seen: Seen, deletion: Deletion, now: datetime) -> bool:
    """Whether what is known of it leaves no doubt that Azure was free to delete it when it went.

    The log tells when that was; where it has no entry, nobody has deleted it for as far back as the log reaches, and
    then a sign of life of that time is wanted: silence of the log on what was gone before says nothing.
    """
    if deletion.unreadable or seen.traffic is None:
        return False
    end = deletion.at or now
    signs = (seen.wish.created, deletion.written, seen.own_call, idle.alive_at(seen.traffic, end))
    known = [moment for moment in signs if moment is not None and moment <= end]
    if not known or (deletion.at is None and max(known) < now - seen.rules.log):
        return False
    return max(known) + (seen.rules.developer if seen.ends.developer else seen.rules.idle) <= end


def _told(seen: Seen, deletion: Deletion, *, passed: bool) -> str:
    at = f" at {deletion.at:%Y-%m-%d %H:%M} UTC" if deletion.at else ""
    if deletion.by is Gone.BY_SOMEBODY:
        return f"deleted {f'with {deletion.what} ' if deletion.what else ''}by {deletion.who}{at}"
    if deletion.by is Gone.BY_SERVICE:
        what = "24-hour rule" if seen.ends.developer else "idle"
        return f"deleted by the service itself{at} ({what})"
    why = f" ({deletion.why_unknown})" if deletion.why_unknown else ""
    return f"gone, and who deleted it is not known{why}" + ("; its deadline had passed" if passed else "")


# --- standing ------------------------------------------------------------------------------------------------------


def _standing(seen: Seen, clock: IdleClock) -> Step:
    keep = seen.wish.keep_alive
    if keep.policy == "off":
        return Step(seen, Act.NOTHING, "policy off", clock)
    retire = _retire(seen, clock)
    if clock.ends.developer:
        told = "Developer tier: it ends at its deadline, called or not"
        return Step(seen, Act.RETIRE if retire else Act.NOTHING, retire or told, clock)
    after = min(watchlist.span(keep.after), max(seen.rules.idle - seen.rules.margin, timedelta()))
    due = idle.due_after(after, seen.id) if keep.policy == "ping" else after
    late, ping = clock.age >= after, keep.policy == "ping" and clock.age >= due
    unwell = seen.there is not None and seen.there.state.lower() != "succeeded"
    act = Act.PING if ping else Act.WARN if late or unwell else Act.NOTHING
    told = retire or _age(seen, clock)
    if unwell and seen.there is not None:
        told = f"Azure says {seen.there.state or 'nothing'} of it, not Succeeded; {told}"
    return Step(
        seen, Act.RETIRE if retire else act, told, clock, clock.since + due, alarm=late or unwell, ping=ping,
        unwell=unwell,
    )  # fmt: skip


def _age(seen: Seen, clock: IdleClock) -> str:
    left = f"{show(clock.left)} left" if clock.left > timedelta() else "past its deadline"
    if clock.certainty is Certainty.ASSUMED:
        known = "so it counts as never called"
        if clock.last_call is not None:
            known = f"and all that is known is a ping of ours {show(clock.age)} ago"
        return f"metrics could not be read ({seen.unmeasured}), {known}; {left}"
    silence = _incredible(seen, clock.now)
    if silence is not None:
        return (
            f"metrics tell of no call for {show(silence)}, for which Azure lets none live, so they are not to be "
            f"believed (is the account moved or renamed?); {left}"
        )
    word = "never called; made" if clock.certainty is Certainty.NEVER_CALLED else "last called"
    return f"{word} {show(clock.age)} ago, {left}"


def _retire(seen: Seen, clock: IdleClock) -> str | None:
    """The recommendation to let it go; None where that is not wanted, not yet, or not known."""
    rule, created = seen.wish.keep_alive.retire, seen.there.created if seen.there else None
    if rule is None or seen.traffic is None or created is None:
        return None
    if _incredible(seen, clock.now) is not None:
        return None
    used = idle.last_use(seen.traffic, seen.tokens, created, clock.now)
    unused = clock.now - (used or created)
    if unused < watchlist.span(rule.after):
        return None
    saved = "what that saves is not known" if seen.hosting is None else f"saves {seen.hosting_month:,.0f} a month"
    return f"no real use for {show(unused)}, as inferred (stretches that hold our pings alone are no use); {saved}"


def _incredible(seen: Seen, now: datetime) -> timedelta | None:
    """For how long metrics tell of no call to one that stands and would be gone by now; None where they may be true."""
    if seen.traffic is None or seen.there is None or seen.ends.developer:
        return None
    since = idle.last_call(seen.traffic, seen.there.created, now) or seen.there.created
    return None if since is None or now - since < seen.rules.idle else now - since


def retired_now(steps: Sequence[Step]) -> list[Step]:
    """Of what is to be retired, what one run may delete: the longest unused first, as far as every limit allows."""
    wanted = [(step.clock.since, step.seen.id, step) for step in steps if step.act is Act.RETIRE and step.clock]
    chosen: list[Step] = []
    for _, _, step in sorted(wanted, key=lambda one: one[:2]):
        rule = step.seen.wish.keep_alive.retire
        if rule is not None and len(chosen) < rule.limit:
            chosen.append(step)
    return chosen
