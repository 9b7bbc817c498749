"""The whole of local Azure's state: what stands in which tables, what time it is, what is due.

The rules are in the modules beside this one (accounts, deployments, roles …), each a set of functions on a World.
Nothing here has heard of HTTP.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from infra.localazure import catalogue, ids
from infra.localazure.clock import LAST, VirtualClock
from infra.localazure.entities import (
    Account,
    Activity,
    CustomModel,
    Deployment,
    GenericResource,
    Json,
    Operation,
    Principal,
    ResourceGroup,
    RoleAssignment,
    RoleDefinition,
    Stamp,
    Subscription,
    Tenant,
)
from infra.localazure.store import Database, Table
from infra.localazure.switches import Switches

SERVICE = "Microsoft.CognitiveServices"
"""Who the activity log names for what the service does by itself."""


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request: what a valid token or key said."""

    principal: str
    """Object id; empty for a key."""
    tenant: str
    client: str = ""
    """Application id, or the name of a user."""
    type: str = "ServicePrincipal"
    auxiliary: tuple[Caller, ...] = ()
    """The callers of the auxiliary tokens, for another tenant's resources."""

    def stamp(self, now: datetime) -> Stamp:
        """The half of systemData that says who and when."""
        return Stamp(by=self.client or self.principal, by_type="User" if self.type == "User" else "Application", at=now)


Due = Callable[["World", str], None]


class World:
    """Everything local Azure knows, in memory, and in `folder` if one is given."""

    def __init__(self, folder: Path | None = None, clock: VirtualClock | None = None) -> None:
        """Read the folder's state, or start empty; the clock goes on from where it stood."""
        self.lock = threading.RLock()
        """Held while a request is answered and while the clock is moved: one change at a time."""
        self.clock = clock or VirtualClock()
        self.kept_ahead = timedelta(0)
        """How far ahead of itself the clock is written down. Whoever writes it down more often than that has it go on,
        after a kill, from a moment that nobody has seen yet: never back."""
        self.switches = Switches()
        self.catalogue = catalogue.load()
        self.database = Database(folder / "state.db" if folder else None)
        self.tenants = Table(self.database, "tenant", Tenant)
        self.principals = Table(self.database, "principal", Principal)
        self.subscriptions = Table(self.database, "subscription", Subscription)
        self.groups = Table(self.database, "group", ResourceGroup, lambda g: g.subscription)
        self.accounts = Table(self.database, "account", Account, lambda a: f"{a.subscription}/{a.location}")
        self.deployments = Table(self.database, "deployment", Deployment, lambda d: d.account)
        self.models = Table(self.database, "model", CustomModel, lambda m: m.account)
        self.role_definitions = Table(self.database, "role", RoleDefinition)
        self.role_assignments = Table(self.database, "assignment", RoleAssignment, lambda a: a.principal)
        self.generic = Table(self.database, "generic", GenericResource)
        self.operations = Table(self.database, "operation", Operation)
        self.activities = Table(self.database, "activity", Activity, lambda a: ids.subscription_of(a.resource) or "")
        self.subdomains: dict[str, str] = {
            str(a.properties["customSubDomainName"]).lower(): ids.key(a.id)
            for a in self.accounts
            if a.properties.get("customSubDomainName")
        }
        """Subdomain in lower case → key of its account, soft-deleted ones included."""
        self.origin = "https://localhost"
        """Where this local Azure is reached; endpoints are paths below it."""
        self._handlers: dict[str, Due] = {}
        self._due: list[tuple[datetime, str, str]] = []
        self._restore_meta()

    # --- time ------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The virtual moment."""
        return self.clock.now()

    def on_due(self, kind: str, handler: Due) -> None:
        """Say what happens when something scheduled as `kind` is due."""
        self._handlers[kind] = handler

    def schedule(self, at: datetime, kind: str, key: str) -> None:
        """Have `kind`'s handler look at `key` once it is `at`; a handler that finds it too early schedules again."""
        heapq.heappush(self._due, (at, kind, key))

    def settle(self) -> datetime:
        """Let everything happen that is due by now, in order, and return the moment."""
        now = self.now()
        while self._due and self._due[0][0] <= now:
            _, kind, key = heapq.heappop(self._due)
            self._handlers[kind](self, key)
        return now

    def advance(self, by: timedelta) -> datetime:
        """Move the clock ahead, everything due in between happening at its own moment; raises ValueError."""
        with self.lock:
            self.settle()
            start = self.now()
            if by < timedelta(0) or by > LAST - start:
                return self.clock.advance(by)  # which says why it cannot be
            target = start + by
            while self._due and self._due[0][0] <= target:
                self._move_to(self._due[0][0])
                self.settle()
            self._move_to(target)
            self.keep_time()
            return self.settle()

    def _move_to(self, at: datetime) -> None:
        if at > self.now():
            self.clock.advance(at - self.now())

    def keep_time(self) -> None:
        """Write down the moment (as far ahead as `kept_ahead` says) and the switches, to go on from after a stop."""
        with self.lock:
            factor = self.clock.factor
            meta: Json = {
                "now": self.now() + self.kept_ahead * factor,
                "factor": factor,
                "switches": self.switches,
            }
            self.database.write("meta", "world", msgspec.json.encode(meta))

    def _restore_meta(self) -> None:
        for _, body in self.database.read("meta"):
            meta = msgspec.json.decode(body)
            self.clock.follow(meta["factor"])
            self.clock.set(datetime.fromisoformat(meta["now"]))
            self.switches = msgspec.convert(meta["switches"], Switches)

    # --- finding things --------------------------------------------------------------------------------------------

    def account(self, key: str) -> Account | None:
        """The account of that key, unless it is soft-deleted."""
        account = self.accounts.get(key)
        return account if account is not None and account.deleted_at is None else None

    def record(self, operation: str, resource: str, caller: Caller | None) -> None:
        """Write an entry of the activity log; without a caller it was the service itself."""
        claims: dict[str, str] = {}
        if caller is not None:
            claims = {
                "appid": caller.client,
                "http://schemas.microsoft.com/identity/claims/objectidentifier": caller.principal,
            }
        now = self.now()
        entry = Activity(
            id=ids.new_guid(),
            at=now,
            operation=operation,
            resource=resource,
            caller=(caller.client or caller.principal) if caller else SERVICE,
            claims=claims,
            correlation=ids.new_guid(),
        )
        self.activities.put(f"{now:%Y%m%dT%H%M%S.%f}-{entry.id}", entry)

    def start_operation(self, resource: str, location: str, seconds: float) -> Operation:
        """Begin a long-running operation that is over after `seconds`."""
        now = self.now()
        operation = Operation(
            id=ids.new_guid(),
            subscription=ids.subscription_of(resource) or "",
            location=location,
            started=now,
            done_at=now + timedelta(seconds=seconds),
            resource=resource,
        )
        self.operations.put(operation.id, operation)
        return operation

    def close(self) -> None:
        """Write down the very moment and let go of the state."""
        self.kept_ahead = timedelta(0)
        self.keep_time()
        self.database.close()
