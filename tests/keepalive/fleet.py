"""A fleet for sixty days: accounts full of deployments, traffic, faults, and a tender that misses runs."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from infra.keepalive import watchlist
from infra.keepalive.report import Outcome, Row
from infra.keepalive.tend import Tender
from infra.localazure import Seed, VirtualClock, deployments, faults, ids, models, seed
from infra.localazure.entities import Account, CustomModel, Deployment, DeploymentModel, Stamp
from infra.localazure.http.app import App
from infra.localazure.inference import CHAT
from infra.localazure.traffic import Traffic
from infra.localazure.world import Caller, World
from infra.spec import limits
from tests.keepalive.inprocess import CloudInProcess, ports

START = datetime(2026, 11, 1, tzinfo=UTC)
TENANT, TENDER = "aaaaaaaa-0000-4000-8000-000000000001", "dddddddd-0000-4000-8000-000000000001"
REGIONS = ("swedencentral", "northcentralus")
PER_REGION, PER_ACCOUNT = 30, 10
"""Azure's limits: accounts of a region and subscription, tuned deployments of an account."""
AFTER = timedelta(days=11)
PERSON = "alice@contoso.com"
RUN_HOUR = 5


@dataclass(frozen=True)
class Days:
    """On which days what goes wrong."""

    metrics_down: range
    tokens_refused: int
    region_down: range
    throttled: int
    server_errors: int


@dataclass
class Member:
    """One deployment of the fleet."""

    id: str
    account: str
    name: str
    model: str
    policy: str
    every: float
    """Mean days between two calls of its users; 0: nobody calls it."""
    last_use: datetime
    ideal: datetime
    """When an ideal tender's clock for it began: the last call that was real use, or a ping of its own."""


@dataclass
class Told:
    """What the simulation came to."""

    runs: int = 0
    missed: int = 0
    refused_runs: int = 0
    pings: int = 0
    pings_unmeasured: int = 0
    most_unmeasured_a_day: int = 0
    ideal: int = 0
    calls: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    deleted_by_person: int = 0
    revived: int = 0

    def __str__(self) -> str:
        return (
            f"{self.runs} runs, {self.missed} missed, {self.refused_runs} without a login; {self.pings} pings against "
            f"{self.ideal} of an ideal one ({self.pings / max(self.ideal, 1):.3f} times), {self.pings_unmeasured} more "
            f"while metrics were unreadable; {self.calls} calls in all; lost by policy: {dict(self.lost)}; "
            f"{self.deleted_by_person} deleted by a person, {self.revived} revived; "
            f"{len(self.unexplained)} explained wrongly, {len(self.touched)} touched that should not have been"
        )


class Fleet:
    """The world, the watch list, and the days."""

    def __init__(self, accounts: int, number: int) -> None:
        """A fleet of so many accounts with ten deployments each; `number` seeds everything that is drawn."""
        self.lot = random.Random(number)  # noqa: S311 - drawn, not secret
        self.world = World(clock=VirtualClock(START, 0))
        self.world.switches.throttling = "off"
        self.members: dict[str, Member] = {}
        listed = populate(self.world, accounts, PER_REGION, self.lot, self.members)
        self.app = App(self.world, "control")
        self.world.settle()
        self.cloud = CloudInProcess(self.app, TENDER)
        self.tender = Tender(ports(self.cloud), limits.load(), concurrency=8, sleep=lambda _seconds: None)
        self.list = watchlist.WatchList(version=1, accounts=listed)
        self.told = Told()
        self._gone: dict[str, str] = {}
        self._to_explain: set[str] = set()
        self._explained: set[str] = set()

    # --- the days --------------------------------------------------------------------------------------------------

    def live(self, days: int, wrong: Days, *, missed: float = 0.15, people: int = 10) -> Told:
        """So many days, with one run a day unless it is missed."""
        deletions = Counter(self.lot.randrange(days) for _ in range(people))
        for day in range(days):
            self._set_faults(day, wrong)
            for hour in range(24):
                self.world.advance(timedelta(hours=1))
                self._use()
                if hour == RUN_HOUR:
                    self._note_losses()
                    self._run(self.lot.random() < missed)
            for _ in range(deletions[day]):
                self._delete_by_hand()
        self._note_losses()
        self.told.unexplained += [f"{one}: never explained" for one in sorted(self._to_explain - self._explained)]
        for path, number in self.cloud.wire.counted.items():
            self.told.calls += number if path[0] == "POST" and path[1].endswith("/completions") else 0
        self.told.touched += self._touched()
        return self.told

    def _set_faults(self, day: int, wrong: Days) -> None:
        faults.clear(self.world)
        stands: list[tuple[bool, dict[str, object]]] = [
            (day in wrong.metrics_down, {"name": "metrics-down"}),
            (day == wrong.tokens_refused, {"name": "token-refused"}),
            (day in wrong.region_down, {"name": "region-down", "scope": REGIONS[0]}),
            (day == wrong.throttled, {"name": "throttle", "rate": 0.3, "seed": day}),
            (day == wrong.server_errors, {"name": "server-error", "rate": 0.2, "seed": day}),
        ]
        for stand, how in stands:
            if stand:
                faults.add(self.world, faults.read(how, self.world.catalogue))

    def _use(self) -> None:
        """An hour of calls by the deployments' own users."""
        now = self.world.now()
        for member in self.members.values():
            if member.every and self.lot.random() < 1 / (24 * member.every) and self._stands(member):
                member.last_use = member.ideal = now
                self.app.took(Traffic(
                    at=now, account=member.account, deployment=member.name, model=member.model, model_version="1",
                    api="Azure OpenAI API version 2024-10-21", operation=CHAT, status=200, stream="Non-Streaming",
                    prompt_tokens=self.lot.randrange(50, 500), generated_tokens=20,
                ))  # fmt: skip

    def _stands(self, member: Member) -> bool:
        return self.world.deployments.get(ids.key(member.id)) is not None

    def _delete_by_hand(self) -> None:
        member = self.lot.choice([m for m in self.members.values() if m.id not in self._gone and self._stands(m)])
        found = self.world.deployments.get(ids.key(member.id))
        account = self.world.account(member.account)
        assert found is not None
        assert account is not None
        deployments.delete(self.world, Caller(principal=ids.new_guid(), tenant=TENANT, client=PERSON, type="User"),
                           account, found)  # fmt: skip
        self._gone[member.id] = PERSON
        self.told.deleted_by_person += 1

    def _note_losses(self) -> None:
        for member in self.members.values():
            if member.id not in self._gone and not self._stands(member):
                self._gone[member.id] = "service"
                self.told.lost[member.policy] += 1

    # --- the tender ------------------------------------------------------------------------------------------------

    def _run(self, missed: bool) -> None:
        if missed:
            self.told.missed += 1
            return
        self.told.runs += 1
        now = self.world.now()
        steps = self.tender.look([self.list])
        rows = self.tender.act(steps)
        if all(row.code == 3 for row in rows):
            self.told.refused_runs += 1
        unmeasured: Counter[str] = Counter()
        for row in rows:
            self._weigh(row, now, unmeasured)
        self.told.most_unmeasured_a_day = max([self.told.most_unmeasured_a_day, *unmeasured.values()])

    def _weigh(self, row: Row, now: datetime, unmeasured: Counter[str]) -> None:
        member = self.members[row.id]
        readable = row.certainty in {"measured", "never called"}
        if row.outcome is Outcome.REVIVED:
            self.told.revived += 1
        if readable and member.policy == "ping":
            self.told.pings += row.outcome is Outcome.PINGED
            if now - member.ideal >= AFTER:
                self.told.ideal += 1
                member.ideal = now
        elif row.outcome is Outcome.PINGED:
            self.told.pings_unmeasured += 1
            unmeasured[row.id] += 1
            member.ideal = now  # an ideal tender is as blind, and pings as well
        if row.id in self._gone and row.at is not None:
            self._to_explain.add(row.id)
            by = self._gone[row.id]
            told = f"deleted by {PERSON}" if by == PERSON else "deleted by the service itself"
            if told in row.reason:
                self._explained.add(row.id)
            # A day on which the log cannot be had is said so; another day explains.
            elif "the activity log could not be read" not in row.reason:
                self.told.unexplained.append(f"{row.id}: {row.reason}, and it was {by}")

    def _touched(self) -> list[str]:
        """Deployments of other policies that were called or written by the tender."""
        quiet = {f"/deployments/{m.name}".lower() for m in self.members.values() if m.policy != "ping"}
        found = []
        for method, path in self.cloud.wire.counted:
            at = path.lower().find("/deployments/")
            name = path.lower()[at:].split("/chat/")[0]
            if method in {"POST", "PUT", "PATCH", "DELETE"} and at >= 0 and name in quiet:
                found.append(f"{method} {path}")
        return found


def populate(
    world: World,
    accounts: int,
    per_pair: int,
    lot: random.Random,
    members: dict[str, Member],
    login: dict[str, str] | None = None,
) -> list[watchlist.Account]:
    """Accounts full of deployments put straight into the tables, so many to a pair of region and subscription."""
    pairs = -(-accounts // per_pair)
    subscriptions = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(1, -(-pairs // 2) + 1)]
    seed.plant(world, _seed(subscriptions, login or {}))
    made = []
    for at in range(accounts):
        pair = at // per_pair
        made.append(_account(world, at, subscriptions[pair // 2], REGIONS[pair % 2], lot, members))
    world.index()
    return made


def _account(
    world: World, at: int, subscription: str, region: str, lot: random.Random, members: dict[str, Member]
) -> watchlist.Account:
    name = f"oai-{at}"
    account = ids.account_id(subscription, "rg", name)
    key = ids.key(account)
    stamp = Stamp(by="test", by_type="User", at=START - timedelta(days=12))
    world.accounts.put(key, Account(
        id=account, name=name, group="rg", subscription=subscription, location=region, kind="OpenAI",
        sku={"name": "S0"}, properties={"customSubDomainName": name}, created=stamp, modified=stamp,
        internal_id=f"{at:032x}", keys=["a" * 32, "b" * 32],
    ))  # fmt: skip
    world.subdomains[name] = key
    wishes = [_deployment(world, account, at * PER_ACCOUNT + n, lot, members) for n in range(PER_ACCOUNT)]
    return watchlist.Account(
        id=account, location=region, endpoint=f"{world.origin}/{name}.openai.azure.com/", stack=name, deployments=wishes
    )


def _deployment(
    world: World, account: str, at: int, lot: random.Random, members: dict[str, Member]
) -> watchlist.Deployment:
    name, model, key = f"bot-{at}", f"gpt-4.1-mini-2025-04-14.ft-{at:032x}", ids.key(account)
    made = START - timedelta(days=lot.uniform(0, 10))
    stamp = Stamp(by="test", by_type="User", at=made)
    models.put(world, CustomModel(id=model, account=key, base="gpt-4.1-mini-2025-04-14", created=made))
    deployment = Deployment(
        id=f"{account}/deployments/{name}", name=name, account=key,
        model=DeploymentModel(format="OpenAI", name=model, version="1"), base="gpt-4.1-mini-2025-04-14",
        sku_name="Standard", capacity=1, created=stamp, modified=stamp, custom=True, owner=key,
        rai_policy="Microsoft.DefaultV2", serving_at=made,
    )  # fmt: skip
    world.deployments.put(ids.key(deployment.id), deployment)
    policy = lot.choices(["ping", "report", "off"], [8, 1, 1])[0]
    every = lot.choices([0.0, 40.0, 8.0, 1.0], [4, 2, 2, 2])[0]
    members[deployment.id] = Member(deployment.id, key, name, model, policy, every, made, made)
    return watchlist.Deployment(
        name=name, active=name, model=model, version="1", sku=watchlist.Sku(name="Standard", capacity=1),
        base="gpt-4.1-mini-2025-04-14",
        keep_alive=watchlist.KeepAlive(policy=policy, after="11d", revive=policy == "ping"),
    )  # fmt: skip


def _seed(subscriptions: list[str], login: dict[str, str]) -> Seed:
    scopes = [f"/subscriptions/{one}" for one in subscriptions]
    return seed.msgspec.convert(
        {
            "tenants": [{"id": TENANT, "name": "contoso.onmicrosoft.com"}],
            "subscriptions": [{"id": one, "tenant": TENANT} for one in subscriptions],
            "principals": [{"id": TENDER, "tenant": TENANT, "name": "tender", **login}],
            "roles": [
                {"principal": TENDER, "role": role, "scope": scope}
                for scope in scopes
                for role in ("Cognitive Services OpenAI Contributor", "Monitoring Reader")
            ],
        },
        Seed,
    )
