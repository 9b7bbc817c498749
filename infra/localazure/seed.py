"""What a local Azure starts with: a directory, subscriptions, who holds which role, and models trained before.

Planting twice is planting once. Models are named by the id of the account that owns them, which need not exist yet:
they wait for it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from infra.localazure import groups, ids, models, quotas, roles
from infra.localazure.catalogue import is_custom
from infra.localazure.entities import CustomModel, Principal, QuotaLimit, RoleAssignment, Stamp, Subscription, Tenant
from infra.localazure.world import World

_BY = "local-azure"
_ACCOUNT = re.compile(ids.account_id("[^/]+", "[^/]+", "[^/]+"), re.IGNORECASE)


class SeedTenant(msgspec.Struct, forbid_unknown_fields=True):
    """A directory."""

    id: str
    name: str = ""


class SeedSubscription(msgspec.Struct, forbid_unknown_fields=True):
    """A subscription; every known resource provider is registered unless `registered` says which."""

    id: str
    tenant: str
    name: str = ""
    registered: list[str] | None = None


class SeedPrincipal(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Somebody who can log in (with a secret) or be given a role."""

    id: str
    tenant: str
    type: Literal["User", "Group", "ServicePrincipal"] = "ServicePrincipal"
    name: str = ""
    client_id: str | None = None
    secret: str | None = None
    member_of: list[str] = []
    guest_of: list[str] = []


class SeedRole(msgspec.Struct, forbid_unknown_fields=True):
    """A role, by name or id, of a principal at a scope."""

    principal: str
    role: str
    scope: str


class SeedModel(msgspec.Struct, forbid_unknown_fields=True):
    """A tuned model and the id of the account that owns it."""

    account: str
    model: str
    base: str | None = None
    """Full name of the base model; needed for checkpoints, whose own name does not tell it."""
    created: datetime | None = None
    job: str | None = None


class SeedQuota(msgspec.Struct, forbid_unknown_fields=True):
    """A limit that differs from the catalogue's: of a quota by its name (OpenAI.FineTuned.Deployments), or of an
    account (fineTunedDeployments, files, trainingJobs …); everywhere unless a subscription or region is named."""

    name: str
    limit: Annotated[int, msgspec.Meta(ge=0)]
    subscription: str = ""
    region: str = ""


class Seed(msgspec.Struct, forbid_unknown_fields=True):
    """A seed file."""

    tenants: list[SeedTenant] = []
    subscriptions: list[SeedSubscription] = []
    principals: list[SeedPrincipal] = []
    roles: list[SeedRole] = []
    models: list[SeedModel] = []
    quotas: list[SeedQuota] = []


class BadSeed(Exception):
    """The seed file cannot be read; the text says where and why."""


def read(path: Path) -> Seed:
    """The seed of a YAML file; raises BadSeed."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Seed)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadSeed(f"{path}: {' '.join(str(error).split())}") from error


def plant(world: World, seed: Seed) -> None:
    """Put into the world what the seed names and the world lacks.

    Tenants, logins and quotas follow the seed, so that a changed secret holds; all else that stands already
    stays as it is. Raises BadSeed, and then nothing was planted.
    """
    principals = [_principal(world, seed, p) for p in seed.principals]
    subscriptions = [_subscription(world, seed, s) for s in seed.subscriptions]
    known = {p.id: p for p in (*world.principals, *principals)}
    roles_given = [_role(world, known, r) for r in seed.roles]
    tuned = [_model(world, m) for m in seed.models]
    limits = [_quota(world, q) for q in seed.quotas]
    with world.lock:
        for tenant in seed.tenants:
            world.tenants.put(tenant.id.lower(), Tenant(id=tenant.id.lower(), name=tenant.name))
        for principal in principals:
            world.principals.put(principal.id, principal)
        for subscription in subscriptions:
            if world.subscriptions.get(subscription.id) is None:
                world.subscriptions.put(subscription.id, subscription)
        for assignment in roles_given:
            key = roles.assignment_key(assignment.scope, assignment.name)
            if world.role_assignments.get(key) is None:
                world.role_assignments.put(key, assignment)
        for model in tuned:
            if models.owned(world, model.account, model.id) is None:
                models.put(world, model)
        for limit in limits:
            quotas.put(world, limit)


def _require_tenant(world: World, seed: Seed, tenant: str, whose: str) -> str:
    name = tenant.lower()
    if world.tenants.get(name) is None and all(t.id.lower() != name for t in seed.tenants):
        raise BadSeed(f"{whose}: there is no tenant {tenant}")
    return name


def _subscription(world: World, seed: Seed, wanted: SeedSubscription) -> Subscription:
    if not ids.GUID.fullmatch(wanted.id):
        raise BadSeed(f"subscriptions: {wanted.id} is no GUID")
    tenant = _require_tenant(world, seed, wanted.tenant, f"subscriptions/{wanted.id}")
    names = groups.PROVIDERS if wanted.registered is None else [n.lower() for n in wanted.registered]
    return Subscription(id=wanted.id.lower(), tenant=tenant, name=wanted.name, registered=set(names))


def _principal(world: World, seed: Seed, wanted: SeedPrincipal) -> Principal:
    whose = f"principals/{wanted.id}"
    return Principal(
        id=wanted.id.lower(),
        tenant=_require_tenant(world, seed, wanted.tenant, whose),
        type=wanted.type,
        name=wanted.name,
        client_id=wanted.client_id,
        secret=wanted.secret,
        member_of=[group.lower() for group in wanted.member_of],
        guest_of=[_require_tenant(world, seed, tenant, whose) for tenant in wanted.guest_of],
    )


def _role(world: World, known: dict[str, Principal], wanted: SeedRole) -> RoleAssignment:
    scope = wanted.scope.rstrip("/") or "/"
    principal = known.get(wanted.principal.lower())
    if principal is None:
        raise BadSeed(f"roles: there is no principal {wanted.principal}")
    offered = roles.definitions_at(world, scope)
    found = next((r for r in offered if wanted.role.lower() in {r.id, r.name.lower()}), None)
    if found is None:
        raise BadSeed(f"roles: no role is called '{wanted.role}'")
    name = ids.derived_guid(f"{scope}|{found.id}|{principal.id}".lower())
    stamp = Stamp(by=_BY, by_type="Application", at=world.now())
    return RoleAssignment(
        id=f"{'' if scope == '/' else scope}/providers/{roles.ASSIGNMENTS}/{name}",
        name=name,
        scope=scope,
        role=found.id,
        role_definition_id=roles.full_id(scope, found.id),
        principal=principal.id,
        principal_type=principal.type,
        created=stamp,
        modified=stamp,
        effective_at=world.now(),
    )


def _quota(world: World, wanted: SeedQuota) -> QuotaLimit:
    region = world.catalogue.region(wanted.region) if wanted.region else ""
    if region is None:
        raise BadSeed(f"quotas/{wanted.name}: there is no region {wanted.region}")
    if wanted.subscription and not ids.GUID.fullmatch(wanted.subscription):
        raise BadSeed(f"quotas/{wanted.name}: {wanted.subscription} is no GUID")
    return QuotaLimit(name=wanted.name, limit=wanted.limit, subscription=wanted.subscription.lower(), region=region)


def _model(world: World, wanted: SeedModel) -> CustomModel:
    if not _ACCOUNT.fullmatch(wanted.account.rstrip("/")):
        raise BadSeed(f"models: {wanted.account} is no id of an account")
    base = world.catalogue.named(wanted.base) if wanted.base else world.catalogue.base_of(wanted.model)
    if base is None:
        raise BadSeed(f"models: {wanted.model} has no base model that local Azure knows; name it as `base`")
    if not is_custom(wanted.model):
        raise BadSeed(f"models: {wanted.model} has not the form of a tuned model's name")
    created = wanted.created.astimezone(UTC) if wanted.created else world.now()
    return CustomModel(
        id=wanted.model, account=ids.key(wanted.account), base=base.full_name, created=created, job=wanted.job
    )
