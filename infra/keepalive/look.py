"""Look: what stands, when it was called, how it came to be gone. Reads alone; no deployment is ever called.

A list an account (whose Date header is the moment), metrics (one batch for up to fifty accounts of a subscription and
region), and the activity log of a subscription where something is gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from infra.errors import Busy, HearthError, LoginFailed, NotFound, Refused
from infra.keepalive import gone, plan, watchlist
from infra.keepalive.idle import Ends, Rules
from infra.keepalive.memory import Memory, Remembered
from infra.keepalive.outside import Ports
from infra.keepalive.patience import LONGEST_WAIT, TRIES, Patience, is_login
from infra.keepalive.plan import Act, Gone, Seen, Step, There
from infra.ports.activity import Entry
from infra.ports.arm import DeploymentView, Listing
from infra.ports.metrics import Readings
from infra.spec.limits import Limits

METRICS_AT_ONCE = 2
"""Regions whose metrics are read side by side: an answer for fifty accounts has megabytes."""
LATE_METRICS = timedelta(hours=6)
"""A ping of ours that metrics do not tell of counts this long; then they are right and our memory is not."""
NO_ACCOUNT = {"ResourceNotFound", "ResourceGroupNotFound", "AccountNotFound"}
"""Codes of a 404 that say that the account does not exist."""


@dataclass(slots=True)
class _Account:
    """One account of a look."""

    watched: watchlist.Account
    rules: Rules
    span: timedelta
    """How far back its metrics are read."""
    tokens: bool
    """Whether prompt tokens are needed, to tell pings from use."""
    prices: Mapping[str, float]
    """An hour, by SKU in lower case."""
    at: datetime | None = None
    """When the resource manager answered, by its own clock."""
    standing: dict[str, DeploymentView] | None = None
    """What it lists, by the name in lower case; None where it could not be listed."""
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
        return self.error if self.error is not None and is_login(self.error) else None

    @property
    def gone(self) -> bool:
        """Whether Azure says that the account itself does not exist; any other 404 may be of something in between."""
        return isinstance(self.error, NotFound) and self.error.code in NO_ACCOUNT

    @property
    def missing(self) -> list[watchlist.Deployment]:
        """What somebody wants and Azure no longer has."""
        if self.gone:
            return self.watched.deployments
        there = self.standing
        return [] if there is None else [w for w in self.watched.deployments if w.active.lower() not in there]

    def id_of(self, wish: watchlist.Deployment) -> str:
        return f"{self.watched.id}/deployments/{wish.active}"

    def called(self, wish: watchlist.Deployment) -> datetime | None:
        """When its last stretch with calls began, as far as metrics were read."""
        read = [one.buckets for one in (self.readings, self.long_ago) if isinstance(one, Readings)]
        traffic = [bucket for buckets in read for bucket in buckets.get(wish.active.lower(), ())]
        return max((bucket.start for bucket in traffic if bucket.calls), default=None)


@dataclass(slots=True)
class Look:
    """One look at everything that watch lists name."""

    ports: Ports
    limits: Limits
    memory: Memory | None
    patience: Patience
    _developer: frozenset[str] = field(init=False, default=frozenset())
    """SKUs of the Developer tier, in lower case."""
    _login_failed: LoginFailed | None = field(init=False, default=None)
    _logs: dict[str, tuple[Entry, ...] | HearthError] = field(init=False, default_factory=dict)
    """By subscription, where something is gone."""
    _remembered: Mapping[str, Remembered] = field(init=False, default_factory=dict)
    """By the deployment's id."""

    def at(self, wanted: Iterable[watchlist.WatchList]) -> list[Step]:
        """What is to be done about every deployment of the lists.

        What could not be had of Azure stands in the steps' reasons.
        """
        self._developer = frozenset(name.lower() for name in self.limits.developer_skus)
        accounts = [self._account(account, each.limits) for each in wanted for account in each.accounts]
        self.patience.side_by_side(self._list, accounts)
        self._read_metrics(accounts)
        self._read_logs(accounts)
        self._read_long_ago(accounts)
        if self.memory is not None:
            self._remembered = self.memory.of([a.id_of(w) for a in accounts for w in a.watched.deployments])
        return [self._step(account, wish) for account in accounts for wish in account.watched.deployments]

    def _account(self, account: watchlist.Account, own: watchlist.Overrides) -> _Account:
        rules = _rules(own, self.limits)
        retire = [watchlist.span(w.keep_alive.retire.after) for w in account.deployments if w.keep_alive.retire]
        back = max([rules.idle + timedelta(days=1), *(r + timedelta(hours=2) for r in retire)])
        prices = {name.lower(): price for name, price in {**self.limits.hosting.per_hour, **own.hosting}.items()}
        return _Account(account, rules, min(back, self.limits.metrics_kept.value), bool(retire), prices)

    # --- lists -----------------------------------------------------------------------------------------------------

    def _list(self, account: _Account) -> None:
        if self._login_failed is not None:
            account.error = self._login_failed  # one refused login is refused for every account
            return
        one = account.watched.id
        try:
            found: Listing = self.patience.had(lambda: self.ports.arm.listing(one), one)
        except HearthError as error:
            account.error = error
            account.at = error.at if isinstance(error, NotFound) else None
            if isinstance(error, LoginFailed):
                self._login_failed = error
        else:
            account.at, account.standing = found.at, {d.name.lower(): d for d in found.deployments}

    # --- metrics ---------------------------------------------------------------------------------------------------

    def _read_metrics(self, accounts: Sequence[_Account]) -> None:
        """The readings of every account that was listed: by batch where several lie together, else each by itself."""
        listed = [account for account in accounts if account.standing is not None]
        groups: dict[tuple[str, str], list[_Account]] = defaultdict(list)
        for account in listed:
            groups[account.subscription, account.watched.location.lower()].append(account)
        self.patience.side_by_side(lambda group: self._read_group(*group), list(groups.items()), most=METRICS_AT_ONCE)
        alone = [account for account in listed if isinstance(account.readings, Refused | LoginFailed | None)]
        self.patience.side_by_side(self._read_alone, alone)

    def _read_group(self, where: tuple[str, str], group: list[_Account]) -> None:
        if len(group) == 1:
            return  # one is asked by itself, for which a role at the account is enough
        now = max(account.at for account in group if account.at)
        since, tokens = now - max(account.span for account in group), any(account.tokens for account in group)
        asked = group
        for _ in range(TRIES):
            ids = [account.watched.id for account in asked]
            try:
                found = self.patience.had(_question(self.ports, where, ids, since, now, tokens=tokens), where[0])
            except HearthError as error:
                found = dict.fromkeys(ids, error)
            for account in asked:
                account.readings = found.get(account.watched.id)
            waits = [a.readings.retry_after for a in asked if isinstance(a.readings, Busy)]
            if not waits or max(waits) > LONGEST_WAIT:
                return
            self.patience.sleep(max(waits))
            asked = [account for account in asked if isinstance(account.readings, Busy)]

    def _read_alone(self, account: _Account) -> None:
        account.readings = self._read_one(account, account.span)

    def _read_one(self, account: _Account, span: timedelta) -> Readings | HearthError:
        now, one = account.at, account.watched.id
        assert now is not None  # noqa: S101 - only listed ones are asked
        try:
            return self.patience.had(lambda: self.ports.metrics.of_account(one, since=now - span, now=now), one)
        except HearthError as error:
            return error

    # --- the activity log ------------------------------------------------------------------------------------------

    def _read_logs(self, accounts: Sequence[_Account]) -> None:
        """The log of each subscription in which something is gone; of its groups where nothing else tells it."""
        moments = {account.subscription: account.at for account in accounts if account.at and account.missing}

        def read(subscription: str) -> None:
            self._logs[subscription] = self._entries(subscription, moments[subscription], self.ports.log.of_deployments)

        self.patience.side_by_side(read, list(moments))
        unknown = {account.subscription for account in accounts if account.at and self._unexplained(account)}

        def read_groups(subscription: str) -> None:
            known = self._logs[subscription]
            more = self._entries(subscription, moments[subscription], self.ports.log.of_groups)
            if isinstance(known, tuple):
                self._logs[subscription] = _newest_first((*known, *more)) if isinstance(more, tuple) else more

        self.patience.side_by_side(read_groups, sorted(unknown))

    def _entries(
        self, subscription: str, now: datetime, ask: Callable[..., tuple[Entry, ...]]
    ) -> tuple[Entry, ...] | HearthError:
        try:
            return self.patience.had(
                lambda: ask(subscription, since=now - self.limits.activity_log_read, now=now), "the activity log"
            )
        except HearthError as error:
            return error

    def _unexplained(self, account: _Account) -> list[watchlist.Deployment]:
        """What is missing though the log can be read and does not say how it went."""
        log = self._logs.get(account.subscription)
        if not isinstance(log, tuple):
            return []
        return [
            w
            for w in account.missing
            if gone.deletion(account.id_of(w), log, called=account.called(w)).by is Gone.UNKNOWN
        ]

    def _read_long_ago(self, accounts: Sequence[_Account]) -> None:
        """The calls to what is gone and the log does not say how, for as long as the log reaches."""

        def read(account: _Account) -> None:
            account.long_ago = self._read_one(account, self.limits.activity_log_read)

        listed = [account for account in accounts if account.standing is not None]
        wanted = [a for a in listed if any(wish.keep_alive.revive for wish in self._unexplained(a))]
        self.patience.side_by_side(read, wanted)

    # --- what it comes to ------------------------------------------------------------------------------------------

    def _step(self, account: _Account, wish: watchlist.Deployment) -> Step:
        seen = self._seen(account, wish)
        if account.login_failed is not None:
            return Step(seen, Act.NOTHING, f"the login was refused: {account.login_failed}", alarm=True)
        try:
            return plan.decide(seen)
        except Exception as error:  # what nobody foresaw of one deployment must not stop the others
            return Step(seen, Act.WARN, f"unreadable: {error!r}", alarm=True)

    def _seen(self, account: _Account, wish: watchlist.Deployment) -> Seen:
        name, now = wish.active.lower(), account.at if account.standing is not None else None
        found = account.standing.get(name) if account.standing is not None else None
        missing = account.gone or (now is not None and found is None)
        sku = found.sku if found else wish.sku.name
        readings = account.readings if found or account.long_ago is None else account.long_ago
        traffic = readings.buckets.get(name, ()) if isinstance(readings, Readings) else None
        own = self._remembered.get(account.id_of(wish))
        heeded = own is not None and now is not None and (traffic is None or now - own.at < LATE_METRICS)
        log = self._logs.get(account.subscription)
        return Seen(
            account=account.watched,
            wish=wish,
            rules=account.rules,
            ends=self._ends(wish, sku),
            now=now,
            there=There(found.state, found.sku, found.created or wish.created) if found else None,
            unlisted=str(account.error or ""),
            account_gone=account.gone,
            traffic=traffic,
            unmeasured=str(readings) if isinstance(readings, HearthError) else "" if readings else "no answer for it",
            own_call=own.at if own is not None and heeded else None,
            deletion=gone.deletion(account.id_of(wish), log, called=account.called(wish)) if missing else None,
            tokens=(*self.limits.ping_tokens.value, *((own.tokens,) if own is not None and own.tokens else ())),
            hosting=account.prices.get(sku.lower()),
        )

    def _ends(self, wish: watchlist.Deployment, sku: str) -> Ends:
        base = self.limits.models.get(wish.base or "")
        return Ends(sku.lower() in self._developer, base.deployment_until if base else None)


def _question(
    ports: Ports, where: tuple[str, str], ids: Sequence[str], since: datetime, now: datetime, *, tokens: bool
) -> Callable[[], dict[str, Readings | HearthError]]:
    return lambda: ports.metrics.of_region(*where, ids, since=since, now=now, tokens=tokens)


def _newest_first(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.at, reverse=True))


def _rules(own: watchlist.Overrides, dated: Limits) -> Rules:
    return Rules(
        watchlist.span(own.idle_deletion) if own.idle_deletion else dated.idle_deletion.value,
        watchlist.span(own.developer_lifetime) if own.developer_lifetime else dated.developer_lifetime.value,
        margin=dated.keep_alive_margin.value,
        log=dated.activity_log_read,
    )
