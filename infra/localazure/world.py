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
from typing import Any

import msgspec

from infra.localazure import catalogue, ids
from infra.localazure.clock import LAST, VirtualClock
from infra.localazure.contents import Contents
from infra.localazure.entities import (
    Account,
    Activity,
    Blob,
    CustomModel,
    Deployment,
    File,
    GenericResource,
    Operation,
    Principal,
    QuotaLimit,
    Request,
    ResourceGroup,
    RoleAssignment,
    RoleDefinition,
    Stamp,
    StoredResponse,
    Subscription,
    Tenant,
    Tuning,
    Upload,
)
from infra.localazure.faults import Fault
from infra.localazure.metrics import Series
from infra.localazure.store import Database, Table
from infra.localazure.switches import Switches
from infra.localazure.tally import Tally

SERVICE = "Microsoft.CognitiveServices"
"""Who the activity log names for what the service does by itself."""


class Meta(msgspec.Struct, frozen=True):
    """What a world is beside its tables."""

    now: datetime
    factor: float
    switches: Switches


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
    request: Request | None = None
    """How the caller asked, for the activity log."""

    def stamp(self, now: datetime) -> Stamp:
        """The half of systemData that says who and when."""
        return Stamp(by=self.client or self.principal, by_type="User" if self.type == "User" else "Application", at=now)


ACTIVITIES_KEPT = timedelta(days=90)
"""How long the activity log remembers."""
OPERATIONS_KEPT = timedelta(days=1)
"""How long one can ask how a long-running operation ended."""

Due = Callable[["World", str], None]
Moment = Callable[["World", str], datetime | None]


class Coming(msgspec.Struct, frozen=True):
    """Something that is due."""

    at: datetime
    what: str
    key: str


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
        self.folder = folder
        self.shelf: dict[str, bytes] = {}
        """The snapshots of a world without a folder, by name."""
        self.database = Database(folder / "state.db" if folder else None)
        self.contents = Contents(folder, self.database.afterwards)
        self.tenants = Table(self.database, "tenant", Tenant)
        self.principals = Table(self.database, "principal", Principal)
        self.subscriptions = Table(self.database, "subscription", Subscription)
        self.groups = Table(self.database, "group", ResourceGroup, lambda g: g.subscription)
        self.accounts = Table(self.database, "account", Account, lambda a: f"{a.subscription}/{a.location}")
        self.tally = Tally()
        self.deployments = Table(self.database, "deployment", Deployment, lambda d: d.account, self._count)
        self.models = Table(self.database, "model", CustomModel, lambda m: m.account)
        self.files = Table(self.database, "file", File, lambda f: f.account)
        self.uploads = Table(self.database, "upload", Upload, lambda u: u.account)
        self.tunings = Table(self.database, "tuning", Tuning, lambda t: t.account)
        self.blobs = Table(self.database, "blob", Blob, lambda b: b.host)
        self.responses = Table(self.database, "response", StoredResponse)
        self.role_definitions = Table(self.database, "role", RoleDefinition)
        self.role_assignments = Table(self.database, "assignment", RoleAssignment, lambda a: a.principal)
        self.generic = Table(self.database, "generic", GenericResource)
        self.quotas = Table(self.database, "quota", QuotaLimit)
        self.operations = Table(self.database, "operation", Operation)
        self.activities = Table(self.database, "activity", Activity, lambda a: ids.subscription_of(a.resource) or "")
        self.faults = Table(self.database, "fault", Fault)
        self.measured = Table(self.database, "measured", Series, lambda s: s.account)
        self.subdomains: dict[str, str] = {}
        """Subdomain in lower case → key of its account, soft-deleted ones included."""
        self.issuers: dict[str, list[dict[str, Any]]] = {}
        """Public keys of other issuers whose tokens logins may come with, by issuer."""
        self.origin = "https://localhost"
        """Where this local Azure is reached; endpoints are paths below it."""
        self._handlers: dict[str, Due] = {}
        self._moments: dict[str, Moment] = {}
        self._due: list[tuple[datetime, str, str]] = []
        self._happening: datetime | None = None
        self._restore_meta()
        self.index()
        self.contents.tidy()
        self.contents.sweep(self.pieces())

    def index(self) -> None:
        """Work out anew what is worked out from the tables."""
        self.subdomains = {
            str(a.properties["customSubDomainName"]).lower(): ids.key(a.id)
            for a in self.accounts
            if a.properties.get("customSubDomainName")
        }

    def pieces(self) -> set[str]:
        """Every content that a record names."""
        named = {piece for file in self.files for piece in file.pieces}
        named |= {part.piece for upload in self.uploads for part in upload.parts}
        named |= {blob.piece for blob in self.blobs if blob.piece is not None}
        return named | {model.lessons for model in self.models if model.lessons is not None}

    # --- time ------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The virtual moment; while something that was due happens, the moment at which it was due."""
        return self._happening or self.clock.now()

    def on_due(self, kind: str, handler: Due, moment: Moment | None = None) -> None:
        """Say what happens when something scheduled as `kind` is due.

        `moment` tells when it is due as things stand now, for kinds that are put off without being scheduled anew.
        """
        self._handlers[kind] = handler
        if moment is not None:
            self._moments[kind] = moment

    def schedule(self, at: datetime, kind: str, key: str) -> None:
        """Have `kind`'s handler look at `key` once it is `at`; a handler that finds it too early schedules again."""
        heapq.heappush(self._due, (at, kind, key))

    def unschedule(self) -> None:
        """Forget what is scheduled, for whoever schedules all of it anew."""
        self._due.clear()

    def coming(self, most: int) -> list[Coming]:
        """What is due next, soonest first, each once."""
        found: dict[tuple[str, str], datetime] = {}
        for at, kind, key in self._due:
            moment = self._moments.get(kind)
            at_last = moment(self, key) if moment is not None else at
            if at_last is not None:
                found[kind, key] = min(at_last, found.get((kind, key), at_last))
        soonest = heapq.nsmallest(most, ((at, kind, key) for (kind, key), at in found.items()))
        return [Coming(at, kind, key) for at, kind, key in soonest]

    def settle(self) -> datetime:
        """Let everything happen that is due by now, in order, and return the moment."""
        now = self.now()
        if not self._due or self._due[0][0] > now:
            return now
        with self.database:
            try:
                while self._due and self._due[0][0] <= now:
                    self._happening, kind, key = heapq.heappop(self._due)
                    self._handlers[kind](self, key)
            finally:
                self._happening = None
        return now

    def advance(self, by: timedelta) -> datetime:
        """Move the clock ahead, everything due in between happening at its own moment; raises ValueError."""
        with self.lock, self.database:
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
            meta = self.meta()
            kept = msgspec.structs.replace(meta, now=min(meta.now + self.kept_ahead * meta.factor, LAST))
            self.database.write("meta", "world", msgspec.json.encode(kept))

    def meta(self) -> Meta:
        """Clock and switches, as they are."""
        return Meta(now=self.now(), factor=self.clock.factor, switches=self.switches)

    def go_on_from(self, meta: Meta) -> None:
        """Take over such a clock and such switches."""
        self.clock.follow(meta.factor)
        self.clock.set(meta.now)
        self.switches = meta.switches

    def _restore_meta(self) -> None:
        for _, body in self.database.read("meta"):
            self.go_on_from(msgspec.json.decode(body, type=Meta))

    # --- finding things --------------------------------------------------------------------------------------------

    def account(self, key: str) -> Account | None:
        """The account of that key, unless it is soft-deleted."""
        account = self.accounts.get(key)
        return account if account is not None and account.deleted_at is None else None

    def _count(self, key: str, deployment: Deployment | None) -> None:
        """Keep the tally of quotas in step with a deployment; its account, soft-deleted or not, says where it is."""
        account = self.accounts.get(deployment.account) if deployment is not None else None
        if deployment is None or account is None:
            self.tally.forget(key)
            return
        amounts = {catalogue.TUNED_DEPLOYMENTS: 1} if deployment.custom else {}
        model = self.catalogue.named(deployment.base)
        for sku in self.catalogue.skus(model, account.location) if model is not None else ():
            if (sku.name, sku.tuned) == (deployment.sku_name, deployment.custom):
                amounts[sku.usage] = deployment.capacity
        self.tally.note(key, f"{account.subscription}/{account.location}", amounts)

    def record(
        self,
        operation: str,
        resource: str,
        caller: Caller | None,
        ends_at: datetime | None = None,
        refusal: tuple[int, str, str] | None = None,
    ) -> None:
        """Write an entry of the activity log; without a caller it was the service itself.

        A long-running operation says when it ends; a refused one its status, code and text.
        """
        now = self.now()
        while (first := self.activities.oldest()) is not None and first[1].at < now - ACTIVITIES_KEPT:
            self.activities.drop(first[0])
        status, code, message = refusal or (0, "", "")
        entry = Activity(
            id=ids.new_guid(),
            at=now,
            operation=operation,
            resource=resource,
            caller=(caller.client or caller.principal) if caller else SERVICE,
            claims=_claims(caller) if caller else {},
            correlation=caller.request.correlation if caller and caller.request else ids.new_guid(),
            tenant=caller.tenant if caller else "",
            request=caller.request if caller else None,
            ends_at=ends_at if ends_at is not None and ends_at > now else None,
            failed=status,
            failed_code=code,
            failed_message=message,
        )
        self.activities.put(f"{now:%Y%m%dT%H%M%S.%f}-{entry.id}", entry)

    def start_operation(
        self,
        resource: str,
        location: str,
        seconds: float,
        *,
        deletes: bool = False,
        failed: tuple[str, str] | None = None,
    ) -> Operation:
        """Begin a long-running operation that is over after `seconds`, in `failed` (code and text) if that is given."""
        now = self.now()
        while (first := self.operations.oldest()) is not None and first[1].done_at < now - OPERATIONS_KEPT:
            self.operations.drop(first[0])
        code, message = failed or (None, None)
        operation = Operation(
            id=ids.timed_guid(now),
            subscription=ids.subscription_of(resource) or "",
            location=location,
            started=now,
            done_at=now + timedelta(seconds=seconds),
            resource=resource,
            deletes=deletes,
            failed_code=code,
            failed_message=message,
        )
        self.operations.put(operation.id, operation)
        return operation

    def close(self) -> None:
        """Write down the very moment and let go of the state."""
        self.kept_ahead = timedelta(0)
        self.keep_time()
        self.database.close()


def _claims(caller: Caller) -> dict[str, str]:
    schemas = "http://schemas.microsoft.com/identity/claims"
    claims = {
        "aud": "https://management.azure.com",
        "iss": f"https://sts.windows.net/{caller.tenant}/",
        f"{schemas}/objectidentifier": caller.principal,
        f"{schemas}/tenantid": caller.tenant,
    }
    if caller.type == "User":
        return claims | {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": caller.client}
    return claims | {"appid": caller.client}
