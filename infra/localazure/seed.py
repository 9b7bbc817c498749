"""What a local Azure starts with: a directory, subscriptions, who holds which role, and models trained before.

Planting is idempotent: what is there already stays as it is. Models are named by the id of the account that owns
them, which need not exist yet: they wait for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from infra.localazure import groups, ids, models, roles
from infra.localazure.entities import CustomModel, Principal, RoleAssignment, Stamp, Subscription, Tenant
from infra.localazure.world import World

_BY = "local-azure"


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
    type: str = "ServicePrincipal"
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


class Seed(msgspec.Struct, forbid_unknown_fields=True):
    """A seed file."""

    tenants: list[SeedTenant] = []
    subscriptions: list[SeedSubscription] = []
    principals: list[SeedPrincipal] = []
    roles: list[SeedRole] = []
    models: list[SeedModel] = []


class BadSeed(Exception):
    """The seed file cannot be read; the text says where and why."""


def read(path: Path) -> Seed:
    """The seed of a YAML file; raises BadSeed."""
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Seed)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadSeed(f"{path}: {error}") from error


def plant(world: World, seed: Seed) -> None:
    """Put into the world what the seed names and the world lacks; raises BadSeed for a role or base not known."""
    for tenant in seed.tenants:
        world.tenants.put(tenant.id.lower(), Tenant(id=tenant.id.lower(), name=tenant.name))
    for sub in seed.subscriptions:
        if world.subscriptions.get(sub.id.lower()) is None:
            names = groups.PROVIDERS if sub.registered is None else [n.lower() for n in sub.registered]
            made = Subscription(id=sub.id.lower(), tenant=sub.tenant.lower(), name=sub.name, registered=set(names))
            world.subscriptions.put(made.id, made)
    for principal in seed.principals:
        made_principal = Principal(**msgspec.structs.asdict(principal))
        world.principals.put(principal.id.lower(), made_principal)
    for role in seed.roles:
        _plant_role(world, role)
    for model in seed.models:
        _plant_model(world, model)


def _plant_role(world: World, wanted: SeedRole) -> None:
    found = next(
        (r for r in roles.definitions_at(world, wanted.scope) if wanted.role.lower() in {r.id, r.name.lower()}), None
    )
    if found is None:
        raise BadSeed(f"roles: no role is called '{wanted.role}'")
    name = ids.derived_guid(f"{wanted.scope}|{found.id}|{wanted.principal}".lower())
    key = roles.assignment_key(wanted.scope, name)
    if world.role_assignments.get(key) is not None:
        return
    stamp = Stamp(by=_BY, by_type="Application", at=world.now())
    prefix = "" if wanted.scope == "/" else wanted.scope
    assignment = RoleAssignment(
        id=f"{prefix}/providers/{roles.ASSIGNMENTS}/{name}",
        name=name,
        scope=wanted.scope,
        role=found.id,
        role_definition_id=f"/providers/{roles.DEFINITIONS}/{found.id}",
        principal=wanted.principal.lower(),
        principal_type=p.type if (p := world.principals.get(wanted.principal.lower())) else "ServicePrincipal",
        created=stamp,
        modified=stamp,
        effective_at=world.now(),
    )
    world.role_assignments.put(key, assignment)


def _plant_model(world: World, wanted: SeedModel) -> None:
    account = ids.key(wanted.account)
    if models.owned(world, account, wanted.model) is not None:
        return
    base = world.catalogue.named(wanted.base) if wanted.base else world.catalogue.base_of(wanted.model)
    if base is None:
        raise BadSeed(f"models: {wanted.model} has no base model that local Azure knows; name it as `base`")
    created = wanted.created.astimezone(UTC) if wanted.created else world.now()
    models.put(
        world, CustomModel(id=wanted.model, account=account, base=base.full_name, created=created, job=wanted.job)
    )
