"""Tend: look at every watched deployment, decide, act, report. Safe to run twice at once, and to miss.

What is looked at: a list an account (whose Date header is the moment), metrics (one batch for up to fifty accounts of a
subscription and region), and the activity log of a subscription where something is gone.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from infra.errors import Busy, HearthError, LoginFailed, NotFound, Refused, Unreachable
from infra.keepalive import plan, watchlist
from infra.keepalive.idle import Ends, Rules
from infra.keepalive.memory import Memory
from infra.keepalive.plan import Act, Deletion, Gone, Seen, Step, There
from infra.keepalive.report import Outcome, Row, row
from infra.ports.activity import Entry
from infra.ports.arm import AccountView, DeploymentBody, DeploymentView, Listing
from infra.ports.inference import Message, Reply
from infra.ports.inference import Outcome as Said
from infra.ports.metrics import Readings
from infra.proofs.ready import PING, Calls, ping
from infra.spec.limits import Limits

T = TypeVar("T")
R = TypeVar("R")
CONCURRENCY = 16
METRICS_AT_ONCE = 2
"""Regions whose metrics are read side by side: an answer for fifty accounts has megabytes."""
PROMPTS: tuple[tuple[Message, ...], ...] = (
    PING,
    ({"role": "user", "content": "What is two plus two? Answer with one digit."},),
    ({"role": "user", "content": "Say hello."},),
)
"""What to say, in turn, to one that does not like the words."""
TRIES = 3
"""How often one prompt is tried where trying again may help."""
LONGEST_WAIT = 60.0
"""Seconds that a throttled call is waited for at most; the next run tries again."""
LATE_METRICS = timedelta(hours=6)
"""A ping of ours that metrics do not tell of counts this long; then they are right and our memory is not."""
UNDER_WAY = {"accepted", "creating", "moving", "scaling", "updating"}
"""Provisioning states that pass (REST, cognitiveservices 2025-06-01: Deleting and Disabled do not come back)."""
LOG_REACHES = timedelta(days=89)
"""A day less than Azure keeps its activity log."""
NO_ACCOUNT = {"ResourceNotFound", "ResourceGroupNotFound", "AccountNotFound"}
"""Codes of a 404 that say that the account does not exist."""


class ResourceManager(Protocol):
    """What is asked of the resource manager: the port `Arm`."""

    def listing(self, account_id: str) -> Listing:
        """The deployments of an account and the moment."""

    def account(self, account_id: str, *, tenant: str | None = None) -> AccountView:
        """An account."""

    def deployment(self, account_id: str, deployment: str) -> DeploymentView:
        """One deployment."""

    def create_deployment(self, account_id: str, deployment: str, body: DeploymentBody, *, tenant: str | None) -> bool:
        """Make one that does not exist."""

    def delete_deployment(self, account_id: str, deployment: str) -> None:
        """Delete one."""


class DataPlane(Calls, Protocol):
    """What is asked of the data plane: the port `Inference`."""

    def model(self, endpoint: str, model: str, *, tenant: str | None = None) -> dict[str, object]:
        """A model as an account's data plane knows it."""


class MetricsPort(Protocol):
    """What is asked of Azure Monitor: the port `Metrics`."""

    def of_account(self, account_id: str, *, since: datetime, now: datetime) -> Readings:
        """One account's."""

    def of_region(
        self,
        subscription: str,
        location: str,
        account_ids: Sequence[str],
        *,
        since: datetime,
        now: datetime,
        tokens: bool = True,
    ) -> dict[str, Readings | HearthError]:
        """Those of accounts of one subscription and region."""


class Log(Protocol):
    """What is asked of the activity log: the port `ActivityLog`."""

    def of_deployments(self, subscription: str, *, since: datetime, now: datetime) -> tuple[Entry, ...]:
        """What succeeded on deployments, the newest first."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world."""

    arm: ResourceManager
    inference: DataPlane
    metrics: MetricsPort
    log: Log


@dataclass(slots=True)
class _Account:
    """One account of a look."""

    watched: watchlist.Account
    span: timedelta
    """How far back its metrics are read."""
    tokens: bool
    """Whether prompt tokens are needed, to tell pings from use."""
    listing: Listing | None = None
    error: HearthError | None = None
    """Why it could not be listed."""
    readings: Readings | HearthError | None = None
    long_ago: Readings | HearthError | None = None
    """The same for as long as the activity log reaches, where something is gone and the log does not say how."""

    @property
    def subscription(self) -> str:
        return self.watched.id.split("/")[2].lower()

    @property
    def login_failed(self) -> HearthError | None:
        """A token that the resource manager refused: nothing may be assumed then.

        One that Azure Monitor alone refuses leaves the metrics unreadable, and no more.
        """
        return self.error if self.error is not None and _is_login(self.error) else None

    @property
    def gone(self) -> bool:
        """Whether Azure says that the account itself does not exist; any other 404 may be of something in between."""
        return isinstance(self.error, NotFound) and self.error.code in NO_ACCOUNT


@dataclass(slots=True)
class _Tries:
    """Calls made to one deployment."""

    calls: int = 0
    tokens: int = 0
    said: Reply = field(default_factory=lambda: Reply(Said.UNREACHABLE))


class Tender:
    """Tends what watch lists name."""

    def __init__(
        self,
        ports: Ports,
        limits: Limits,
        memory: Memory | None = None,
        *,
        concurrency: int = CONCURRENCY,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`sleep` waits for seconds; `concurrency` is how many calls may run side by side."""
        self._ports, self._limits, self._memory = ports, limits, memory
        self._concurrency, self._sleep = concurrency, sleep
        self._login_failed: LoginFailed | None = None
        self._accounts: dict[str, AccountView] = {}
        self._lock = threading.Lock()

    # --- look ------------------------------------------------------------------------------------------------------

    def look(self, wanted: Iterable[watchlist.WatchList]) -> list[Step]:
        """What is to be done about every deployment of the lists. Reads; calls no deployment.

        What could not be had of Azure stands in the steps' reasons.
        """
        self._login_failed = None
        lists = list(wanted)
        accounts = [[self._account(account, each.limits) for account in each.accounts] for each in lists]
        everything = [account for each in accounts for account in each]
        self._side_by_side(self._list, everything)
        self._read_metrics(everything)
        entries = self._read_log(everything)
        self._read_long_ago(everything, entries)
        remembered = self._remembered(everything)
        steps = []
        for each, found in zip(lists, accounts, strict=True):
            for account in found:
                for wish in account.watched.deployments:
                    steps.append(self._step(each, account, wish, entries, remembered))  # noqa: PERF401
        return steps

    def _account(self, account: watchlist.Account, own: watchlist.Overrides) -> _Account:
        retire = [watchlist.span(w.keep_alive.retire.after) for w in account.deployments if w.keep_alive.retire]
        back = max([_rules(own, self._limits).idle + timedelta(days=1), *(r + timedelta(hours=2) for r in retire)])
        return _Account(account, min(back, self._limits.metrics_kept.value), bool(retire))

    def _had(self, ask: Callable[[], T], what: str) -> T:
        """An answer, asked for again when it says so; what cannot be read in it is Refused, and costs no other's."""
        try:
            return self._again(ask)
        except HearthError:
            raise
        except Exception as error:  # an answer that nobody foresaw must not stop what lies beside it
            raise Refused(f"{what}: unreadable: {error!r}") from error

    def _list(self, account: _Account) -> None:
        if self._login_failed is not None:
            account.error = self._login_failed  # one refused login is refused for every account
            return
        try:
            account.listing = self._had(lambda: self._ports.arm.listing(account.watched.id), account.watched.id)
        except HearthError as error:
            account.error = error
            if isinstance(error, LoginFailed):
                self._login_failed = error

    def _again(self, ask: Callable[[], T]) -> T:
        """An answer, asked for again when it says so."""
        for _ in range(TRIES - 1):
            try:
                return ask()
            except Busy as busy:
                if busy.retry_after > LONGEST_WAIT:
                    raise
                self._sleep(busy.retry_after)
        return ask()

    def _read_metrics(self, accounts: list[_Account]) -> None:
        """The readings of every account that was listed: by batch where several lie together, else each by itself."""
        groups: dict[tuple[str, str], list[_Account]] = defaultdict(list)
        for account in accounts:
            if account.listing is not None:
                groups[account.subscription, account.watched.location.lower()].append(account)
        self._side_by_side(lambda group: self._read_group(*group), list(groups.items()), most=METRICS_AT_ONCE)
        alone = [a for a in accounts if a.listing is not None and isinstance(a.readings, Refused | LoginFailed | None)]
        self._side_by_side(self._read_alone, alone)

    def _read_group(self, where: tuple[str, str], group: list[_Account]) -> None:
        if len(group) == 1:
            return  # one is asked by itself, for which a role at the account is enough
        now = max(account.listing.at for account in group if account.listing)
        since, tokens = now - max(account.span for account in group), any(account.tokens for account in group)
        asked = group
        for _ in range(TRIES):
            ids = [account.watched.id for account in asked]
            try:
                found = self._had(
                    lambda ids=ids: self._ports.metrics.of_region(  # type: ignore[misc]
                        *where, ids, since=since, now=now, tokens=tokens
                    ),
                    f"metrics of {where[0]}",
                )
            except HearthError as error:
                found = dict.fromkeys(ids, error)
            for account in asked:
                account.readings = found.get(account.watched.id)
            waits = [a.readings.retry_after for a in asked if isinstance(a.readings, Busy)]
            if not waits or max(waits) > LONGEST_WAIT:
                return
            self._sleep(max(waits))
            asked = [account for account in asked if isinstance(account.readings, Busy)]

    def _read_alone(self, account: _Account) -> None:
        account.readings = self._read_one(account, account.span)

    def _read_one(self, account: _Account, span: timedelta) -> Readings | HearthError:
        assert account.listing is not None  # noqa: S101 - only listed ones are asked
        now, one = account.listing.at, account.watched.id
        try:
            return self._had(lambda: self._ports.metrics.of_account(one, since=now - span, now=now), one)
        except HearthError as error:
            return error

    def _read_long_ago(self, accounts: list[_Account], entries: dict[str, tuple[Entry, ...] | HearthError]) -> None:
        """The calls to what is gone and the log does not say how, for as long as the log reaches."""

        def wanted(account: _Account) -> bool:
            told = entries.get(account.subscription)
            return isinstance(told, tuple) and any(
                w.keep_alive.revive and _deletion(_id(account.watched, w), told).by is Gone.UNKNOWN
                for w in _gone_of(account)
            )

        def read(account: _Account) -> None:
            account.long_ago = self._read_one(account, LOG_REACHES)

        self._side_by_side(read, [a for a in accounts if a.listing is not None and wanted(a)])

    def _read_log(self, accounts: list[_Account]) -> dict[str, tuple[Entry, ...] | HearthError]:
        """The activity log of each subscription in which something is gone."""
        moments: dict[str, datetime] = {}
        for account in accounts:
            if account.listing is not None and _gone_of(account):
                moments[account.subscription] = account.listing.at
        found: dict[str, tuple[Entry, ...] | HearthError] = {}

        def read(subscription: str) -> None:
            now = moments[subscription]
            since = now - LOG_REACHES
            try:
                found[subscription] = self._had(
                    lambda: self._ports.log.of_deployments(subscription, since=since, now=now), "the activity log"
                )
            except HearthError as error:
                found[subscription] = error

        self._side_by_side(read, list(moments))
        return found

    def _remembered(self, accounts: list[_Account]) -> dict[str, tuple[datetime, int]]:
        if self._memory is None:
            return {}
        ids = [f"{a.watched.id}/deployments/{w.active}" for a in accounts for w in a.watched.deployments]
        return {one: (found.at, found.tokens) for one, found in self._memory.of(ids).items()}

    def _step(
        self,
        wanted: watchlist.WatchList,
        account: _Account,
        wish: watchlist.Deployment,
        entries: dict[str, tuple[Entry, ...] | HearthError],
        remembered: dict[str, tuple[datetime, int]],
    ) -> Step:
        listing = account.listing
        found = (
            next((d for d in listing.deployments if d.name.lower() == wish.active.lower()), None) if listing else None
        )
        sku = found.sku if found else wish.sku.name
        readings = account.readings if found or account.long_ago is None else account.long_ago
        seen = Seen(
            account=account.watched,
            wish=wish,
            rules=_rules(wanted.limits, self._limits),
            ends=self._ends(wish, sku),
            now=listing.at if listing else None,
            there=There(found.state, found.sku, found.created or wish.created) if found else None,
            unlisted=str(account.error or ""),
            account_gone=account.gone,
            traffic=readings.buckets.get(wish.active.lower(), ()) if isinstance(readings, Readings) else None,
            unmeasured=str(readings) if isinstance(readings, HearthError) else "" if readings else "no answer for it",
            tokens=self._limits.ping_tokens.value,
            hosting=_hosting(wanted.limits, self._limits, sku),
        )
        own, tokens = remembered.get(seen.id, (None, 0))
        if tokens:
            seen = replace(seen, tokens=(*seen.tokens, tokens))
        if own is not None and listing and (seen.traffic is None or listing.at - own < LATE_METRICS):
            seen = replace(seen, own_call=own)
        if account.login_failed is not None:
            return Step(seen, Act.NOTHING, f"the login was refused: {account.login_failed}", alarm=True)
        if listing and found is None:
            seen = replace(seen, deletion=_deletion(seen.id, entries.get(account.subscription)))
        try:
            return plan.decide(seen)
        except Exception as error:  # what nobody foresaw of one deployment must not stop the others
            return Step(seen, Act.WARN, f"unreadable: {error!r}", alarm=True)

    def _ends(self, wish: watchlist.Deployment, sku: str) -> Ends:
        base = self._limits.models.get(wish.base or "")
        developer = sku.lower() in {name.lower() for name in self._limits.developer_skus}
        return Ends(developer, base.deployment_until if base else None)

    # --- act -------------------------------------------------------------------------------------------------------

    def act(self, steps: list[Step], *, yes: bool = False, dry_run: bool = False) -> list[Row]:
        """Do what the steps say, the nearest deadline first, and tell how each went. `yes` lets `retire` delete.

        What is due comes first, then what could not be looked at, for what does not answer takes time; writes, which
        take the longest, come last, and those to one account go one by one, as Azure takes them.
        """
        if dry_run:
            return [_foretold(step) for step in steps]
        deleted = {id(step) for step in plan.retired_now(steps)} if yes else set()
        writes: dict[str, list[int]] = defaultdict(list)
        unlisted: dict[str, list[int]] = defaultdict(list)
        singles: list[list[int]] = []
        for at, step in enumerate(steps):
            if step.act is Act.REVIVE or id(step) in deleted:
                writes[step.seen.account.id.lower()].append(at)
            elif step.seen.now is None:
                unlisted[step.seen.account.id.lower()].append(at)
            else:
                singles.append([at])
        rows: dict[int, Row] = {}

        def run(chain: list[int]) -> None:
            silent = ""
            for at in chain:
                rows[at], said = self._take(steps[at], delete=id(steps[at]) in deleted, silent=silent)
                silent = said or silent

        def left(chain: list[int]) -> float:
            clock = steps[chain[0]].clock
            return clock.left.total_seconds() if clock else 0.0

        for chains in (singles, list(unlisted.values()), list(writes.values())):
            self._side_by_side(run, sorted(chains, key=left))
        return [rows[at] for at in range(len(steps))]

    def _take(self, step: Step, *, delete: bool, silent: str) -> tuple[Row, str]:
        """The row, and why the account's endpoint is not to be called again; `silent` is what is known of that."""
        try:
            return self._do(step, delete=delete, silent=silent)
        except HearthError as error:
            return row(step, _failed(step, delete=delete), f"{step.reason}; {error}", code=_code(error)), ""
        except Exception as error:  # an answer that nobody foresaw must not stop what lies beside it
            reason = f"{step.reason}; unreadable: {error!r}"
            return row(step, _failed(step, delete=delete), reason, code=1), ""

    def _do(self, step: Step, *, delete: bool, silent: str) -> tuple[Row, str]:
        if step.act is Act.REVIVE:
            return self._revive(step), ""
        if delete:
            return self._retire(step), ""
        if step.ping and silent:
            reason = f"{step.reason}; not tried, for its account does not answer: {silent}"
            return row(step, Outcome.NOT_PINGED, reason, code=int(step.alarm)), ""
        if step.ping:
            return self._ping(step)
        if step.act is Act.RETIRE:
            return row(step, Outcome.RECOMMENDED, step.reason, code=int(step.alarm)), ""
        return _told(step), ""

    def _ping(self, step: Step) -> tuple[Row, str]:
        seen = step.seen
        if self._memory is not None and seen.now is not None and not self._memory.claim(seen.id, seen.now):
            return row(
                step, Outcome.OTHERS_PING, f"{step.reason}; another tender pings it now", code=int(step.unwell)
            ), ""
        tries = _Tries()
        try:
            self._call(seen, tries)
        finally:
            answered = tries.said.outcome is Said.ANSWERED
            if self._memory is not None and not answered:
                self._memory.release(seen.id)
        code = int(step.unwell)
        if answered:
            at = tries.said.at or seen.now
            if self._memory is not None and at is not None:
                self._memory.keep(seen.id, at, tries.said.prompt_tokens)
            kept = Outcome.RECOMMENDED if step.act is Act.RETIRE else Outcome.PINGED
            reason = f"{step.reason}; pinged" if step.act is Act.RETIRE else step.reason
            return row(step, kept, reason, code=code, calls=tries.calls, tokens=tries.tokens), ""
        said = tries.said
        # Not kept is an alarm only once it is past its margin: until then the next run has time.
        why = self._why_not(seen, said)
        told, code = f"{step.reason}; {why}", int(step.alarm)
        silent = said.text if said.outcome is Said.UNREACHABLE else ""
        return row(step, Outcome.NOT_PINGED, told, code=code, calls=tries.calls, tokens=tries.tokens), silent

    def _call(self, seen: Seen, tries: _Tries) -> None:
        """Ping until it succeeds or there is no point in going on; `tries` holds the last answer."""
        for prompt in PROMPTS:
            for attempt in range(1, TRIES + 1):
                reply = ping(self._ports.inference, seen.account.endpoint, seen.wish.active, prompt)
                tries.calls, tries.said = tries.calls + 1, reply
                tries.tokens += reply.prompt_tokens
                wait = _worth_waiting(reply, attempt)
                if wait is None or (reply.outcome is Said.UNREACHABLE and seen.now is None):
                    break
                self._sleep(wait)
            if tries.said.outcome not in {Said.FILTERED, Said.REFUSED}:
                return

    def _why_not(self, seen: Seen, said: Reply) -> str:
        if said.outcome is Said.LOCKED:
            return "it is paused (423) and was not kept; resume it in Azure"
        if said.outcome is Said.NOT_THERE and seen.there is not None:
            try:
                self._ports.arm.deployment(seen.account.id, seen.wish.active)
            except NotFound:
                return "it vanished after it was listed; the next run decides"
            except HearthError:
                pass
            return f"Azure lists it as {seen.there.state}, and its data plane does not know it ({said.code})"
        return f"the ping did not succeed ({said.outcome.value}): {said.text}".rstrip(": ")

    def _revive(self, step: Step) -> Row:
        seen, wish = step.seen, step.seen.wish
        owner = wish.source or seen.account.id
        endpoint = seen.account.endpoint
        try:
            if wish.source is not None:
                endpoint = self._source(owner, wish.source_tenant).endpoint
            self._ports.inference.model(endpoint, wish.model, tenant=wish.source_tenant)
        except NotFound:
            if not wish.model.startswith("ftchkpt-"):  # a checkpoint that is not listed may still exist
                reason = f"{step.reason}; its model {wish.model} is gone from {owner.rsplit('/', 1)[-1]} too"
                return row(step, Outcome.NOT_REVIVED, reason, code=1)
        except (Refused, Unreachable, Busy):
            pass  # whether it is there cannot be told from here; Azure looks for it itself
        body = DeploymentBody(
            model=wish.model,
            version=wish.version,
            source=wish.source,
            in_other_tenant=wish.source_tenant is not None,
            sku=wish.sku.name,
            capacity=wish.sku.capacity,
            rai_policy=wish.rai_policy,
            upgrade_option=wish.version_upgrade_option,
            tags=wish.tags,
        )
        made = self._patiently(
            lambda: self._ports.arm.create_deployment(
                seen.account.id, wish.active, body, tenant=wish.source_tenant
            )
        )  # fmt: skip
        if made:
            return row(step, Outcome.REVIVED, f"{step.reason}; put back as it last stood", code=0)
        state = self._patiently(lambda: self._settled(seen))
        told = f"{step.reason}; it is there again already: somebody else put it back"
        if state.lower() != "succeeded":
            return row(step, Outcome.NOT_REVIVED, f"{told}, and Azure says {state} of it, not Succeeded", code=1)
        return row(step, Outcome.REVIVED, told, code=0)

    def _settled(self, seen: Seen) -> str:
        """What Azure says of it once no write is under way; raises Busy until then."""
        state = self._ports.arm.deployment(seen.account.id, seen.wish.active).state
        if state.lower() in UNDER_WAY:
            raise Busy(f"{seen.id}: Azure says {state}")
        return state

    def _retire(self, step: Step) -> Row:
        seen = step.seen
        try:
            there = self._ports.arm.deployment(seen.account.id, seen.wish.active)
            if not _same(seen, there):
                reason = f"{step.reason}; what stands there is not what was looked at (model {there.model}): left alone"
                return row(step, Outcome.NOT_RETIRED, reason, code=1)
            self._patiently(lambda: self._ports.arm.delete_deployment(seen.account.id, seen.wish.active))
        except NotFound:
            return row(step, Outcome.RETIRED, f"{step.reason}; it was gone already", code=0)
        return row(step, Outcome.RETIRED, f"{step.reason}; deleted, its model stays", code=0)

    def _source(self, source: str, tenant: str | None) -> AccountView:
        with self._lock:
            found = self._accounts.get(source.lower())
        if found is None:
            found = self._ports.arm.account(source, tenant=tenant)
            with self._lock:
                self._accounts[source.lower()] = found
        return found

    def _patiently(self, write: Callable[[], T]) -> T:
        """A write, waited for while another writer holds the account. Raises Busy once patience is over."""
        left, wait = self._limits.sibling_wait.value.total_seconds(), 1.0
        while True:
            try:
                return write()
            except Busy as busy:
                pause = max(busy.retry_after, wait)
                if pause > left:
                    raise
                self._sleep(pause)
                left, wait = left - pause, min(wait * 2, 30.0)

    def _side_by_side(self, work: Callable[[R], None], items: Sequence[R], most: int | None = None) -> None:
        if len(items) == 1:
            work(items[0])
        elif items:
            with ThreadPoolExecutor(max_workers=min(most or self._concurrency, len(items))) as pool:
                for _ in pool.map(work, items):
                    pass


# --- what the lists and limits say ---------------------------------------------------------------------------------


def _rules(own: watchlist.Overrides, dated: Limits) -> Rules:
    return Rules(
        watchlist.span(own.idle_deletion) if own.idle_deletion else dated.idle_deletion.value,
        watchlist.span(own.developer_lifetime) if own.developer_lifetime else dated.developer_lifetime.value,
        margin=dated.keep_alive_margin.value,
        log=LOG_REACHES,
    )


def _hosting(own: watchlist.Overrides, dated: Limits, sku: str) -> float | None:
    prices = {name.lower(): price for name, price in {**dated.hosting.per_hour, **own.hosting}.items()}
    return prices.get(sku.lower())


def _gone_of(account: _Account) -> list[watchlist.Deployment]:
    """What Azure no longer lists of what somebody wants."""
    there = {d.name.lower() for d in account.listing.deployments} if account.listing else set()
    return [w for w in account.watched.deployments if w.active.lower() not in there]


def _same(seen: Seen, found: DeploymentView) -> bool:
    """Whether a deployment is the one that was looked at, with the model that the list names."""
    made = seen.there.created if seen.there else None
    if made is None or found.created is None or found.model != seen.wish.model:
        return False
    return abs(found.created - made) < timedelta(seconds=1)  # two clients cut the seventh digit each their way


def _id(account: watchlist.Account, wish: watchlist.Deployment) -> str:
    return f"{account.id}/deployments/{wish.active}"


def _deletion(one: str, entries: tuple[Entry, ...] | HearthError | None) -> Deletion:
    """How the deployment of an id came to be gone, as the activity log tells."""
    if isinstance(entries, HearthError):
        return Deletion(Gone.UNKNOWN, why_unknown=f"the activity log could not be read: {entries}", unreadable=True)
    if entries is None:
        return Deletion(Gone.UNKNOWN, why_unknown="the activity log was not asked", unreadable=True)
    mine = [entry for entry in entries if entry.resource == one.lower()]
    written = next((entry.at for entry in mine if not entry.deletion), None)
    last = next((entry for entry in mine if entry.deletion), None)
    if last is None or (written is not None and written > last.at):
        return Deletion(Gone.UNKNOWN, written=written, why_unknown="the activity log tells of no deletion")
    if last.by_service:
        return Deletion(Gone.BY_SERVICE, at=last.at, written=written)
    if last.caller or last.identity:
        return Deletion(Gone.BY_SOMEBODY, who=last.caller or last.identity, at=last.at, written=written)
    return Deletion(Gone.UNKNOWN, at=last.at, written=written, why_unknown="the activity log names nobody")


# --- how it went ---------------------------------------------------------------------------------------------------


def _worth_waiting(reply: Reply, attempt: int) -> float | None:
    """Seconds to wait before the same is tried again; None where it is not."""
    if reply.outcome is Said.THROTTLED:
        return reply.retry_after if reply.retry_after <= LONGEST_WAIT and attempt < TRIES else None
    again = {Said.BROKEN, Said.UNREACHABLE, Said.NOT_THERE, Said.LOCKED}
    return 2.0 ** (attempt - 1) if reply.outcome in again and attempt < TRIES else None


def _is_login(error: HearthError) -> bool:
    return isinstance(error, LoginFailed) or (isinstance(error, Refused) and error.status == 401)


def _code(error: HearthError) -> int:
    return 3 if _is_login(error) else 1


def _failed(step: Step, *, delete: bool) -> Outcome:
    if delete:
        return Outcome.NOT_RETIRED
    return Outcome.NOT_REVIVED if step.act is Act.REVIVE else Outcome.NOT_PINGED


def _told(step: Step) -> Row:
    """The row of a step that does nothing."""
    seen = step.seen
    if seen.now is None and not seen.account_gone:
        return row(step, Outcome.NOT_SEEN, step.reason, code=3)
    if step.act is Act.NOTHING and step.clock is None:
        return row(step, Outcome.NOT_SEEN, step.reason, code=3)
    if seen.wish.keep_alive.policy == "off":
        return row(step, Outcome.OFF, step.reason, code=0)
    return row(step, Outcome.WARNED if step.act is Act.WARN else Outcome.KEPT, step.reason, code=int(step.alarm))


def _foretold(step: Step) -> Row:
    """The row of a step in a dry run."""
    if step.act is Act.REVIVE:
        return row(step, Outcome.WOULD_REVIVE, step.reason, code=int(step.alarm))
    if step.act is Act.RETIRE:
        return row(step, Outcome.RECOMMENDED, step.reason, code=int(step.alarm))
    if step.ping:
        return row(step, Outcome.WOULD_PING, step.reason, code=int(step.alarm))
    return _told(step)
