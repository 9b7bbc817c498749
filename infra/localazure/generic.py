"""Resources that local Azure keeps as they are given: no rules but those every resource of Azure has."""

from __future__ import annotations

import re

import msgspec

from infra.localazure import blobs, bodies, deployments, errors, federation, groups, ids, tags, vaults
from infra.localazure.entities import GenericResource, Json, Principal
from infra.localazure.world import Caller, World

IDENTITIES = federation.IDENTITIES
RAI_POLICIES = "Microsoft.CognitiveServices/accounts/raiPolicies"
WORKSPACES = "Microsoft.OperationalInsights/workspaces"
STORAGE = blobs.STORAGE
JOBS, ENVIRONMENTS = "Microsoft.App/jobs", "Microsoft.App/managedEnvironments"

# Types in Azure's own spelling; other types are answered as Azure answers types it does not know. True: the type is
# a tracked one, which has a location that it keeps.
TYPES = {
    JOBS: True,
    ENVIRONMENTS: True,
    RAI_POLICIES: False,
    "Microsoft.Insights/actionGroups": True,
    "Microsoft.Insights/diagnosticSettings": False,
    "Microsoft.Insights/metricAlerts": True,
    "Microsoft.Insights/scheduledQueryRules": True,
    vaults.VAULTS: True,
    vaults.KEYS: False,
    IDENTITIES: True,
    federation.CREDENTIALS: False,
    STORAGE: True,
    blobs.CONTAINERS: False,
    WORKSPACES: True,
}
RULES = {
    vaults.VAULTS: vaults.require_sound,
    vaults.KEYS: vaults.require_sound,
    federation.CREDENTIALS: federation.require_sound,
    STORAGE: blobs.require_sound,
    blobs.CONTAINERS: blobs.require_sound,
}
"""What refuses a write of types that have rules of their own."""
NESTED = {vaults.KEYS: 2, federation.CREDENTIALS: 2, blobs.CONTAINERS: 4}
"""Types that lie in another resource of this store, and how many segments of an id are theirs."""
_KNOWN = {t.lower(): t for t in TYPES}
_NAME = re.compile(r"[^<>%&?#\\]{1,260}")
_SET_BY_SERVICE = {"id", "name", "type", "systemData", "etag"}


def type_of(resource_id: str, version: str = "") -> str:
    """The type of a resource id (or of a list's path) in Azure's spelling; refuses one that Azure would not know."""
    parts = resource_id.strip("/").split("/")
    at = _provider_at(parts)
    if not 0 <= at < len(parts) - 2:
        raise errors.NO_SUCH_ROUTE(path=resource_id)
    groups.require_provider(parts[at + 1])
    name = "/".join(parts[at + 2 :: 2])
    found = _KNOWN.get(f"{parts[at + 1]}/{name}".lower())
    if found is None:
        raise errors.NO_SUCH_TYPE(type=name, namespace=parts[at + 1], version=version)
    return found


def is_collection(path: str) -> bool:
    """Whether a path names a type rather than a resource."""
    parts = path.strip("/").split("/")
    return (len(parts) - _provider_at(parts)) % 2 == 1


def put(
    world: World, caller: Caller, resource_id: str, given: bodies.Generic, body: Json
) -> tuple[GenericResource, bool]:
    """Keep the resource as given, with what Azure adds; tells whether it is new."""
    kind = type_of(resource_id)
    existing = world.generic.get(ids.key(resource_id))
    require_home(world, resource_id, kind)
    tags.require(given.tags)
    location = _location(world, kind, given, existing)
    if not _NAME.fullmatch(resource_id.rsplit("/", 1)[-1]):
        raise errors.BAD_NAME(name=resource_id.rsplit("/", 1)[-1], pattern=_NAME.pattern, least=1, most=260)
    kept = {k: v for k, v in body.items() if k not in _SET_BY_SERVICE}
    if location is not None:
        kept["location"] = location
    made = GenericResource(
        id=existing.id if existing else resource_id,
        type=kind,
        name=existing.name if existing else resource_id.rsplit("/", 1)[-1],
        body=kept,
        created=existing.created if existing else caller.stamp(world.now()),
        modified=caller.stamp(world.now()),
    )
    if kind in RULES:
        RULES[kind](world, made, existing)
    if kind == vaults.VAULTS and existing is None:
        kept["properties"] = {**vaults.raised(world, caller, made), **(given.properties or {})}
    kept["properties"] = {**(kept.get("properties") or {}), **_added(world, made, existing)}
    kept["properties"].pop("createMode", None)  # said of the write, not of what is there
    return _keep(world, caller, made), existing is None


def get(world: World, resource_id: str) -> GenericResource:
    """The resource, or ResourceNotFound."""
    kind = type_of(resource_id)
    found = world.generic.get(ids.key(resource_id))
    if found is None:
        raise errors.NO_RESOURCE(type=kind, name=resource_id.rsplit("/", 1)[-1], group=_group(resource_id))
    return found


def patch(world: World, caller: Caller, resource_id: str, given: bodies.Generic) -> GenericResource:
    """Replace the tags and merge the properties of the resource."""
    found = get(world, resource_id)
    require_home(world, resource_id, found.type)
    if given.tags is not None:
        found.body["tags"] = tags.require(given.tags)
    if given.properties is not None:
        if found.type in RULES:
            merged = {**found.body, "properties": {**found.body["properties"], **given.properties}}
            RULES[found.type](world, msgspec.structs.replace(found, body=merged), found)
        found.body["properties"] = {**found.body["properties"], **given.properties, **_added(world, found, found)}
    found.modified = caller.stamp(world.now())
    return _keep(world, caller, found)


def delete(world: World, caller: Caller, resource_id: str) -> bool:
    """Forget the resource; tells whether there was one."""
    kind = type_of(resource_id)
    found = world.generic.get(ids.key(resource_id))
    if found is None:
        return False
    require_home(world, resource_id, kind)
    if kind == IDENTITIES:
        world.principals.drop(found.body["properties"]["principalId"])
    inside = below(world, resource_id)
    if kind == vaults.VAULTS:
        vaults.bury(world, found, [one for one in inside if one.type == vaults.KEYS], caller)
    if kind in {STORAGE, blobs.CONTAINERS}:
        blobs.forget(world, found)
    for gone in (*inside, found):
        world.generic.drop(ids.key(gone.id))
    world.record(f"{kind}/delete", resource_id, caller)
    return True


def collection(world: World, path: str) -> list[GenericResource]:
    """The resources of a type in a scope; lists over a whole subscription too."""
    kind = type_of(path)
    scope = path[: path.lower().rindex("/providers/")]
    parts = path.strip("/").split("/")
    nested = len(parts) - _provider_at(parts) > 3
    parent = path.rsplit("/", NESTED.get(kind, 2) - 1)[0] if nested else scope
    require_exists(world, parent)
    return [r for r in world.generic if r.type == kind and ids.key(r.id).startswith(ids.key(parent) + "/")]


def below(world: World, scope: str) -> list[GenericResource]:
    """The resources that lie below a scope."""
    return [r for r in world.generic if ids.key(r.id).startswith(ids.key(scope) + "/")]


def require_exists(world: World, scope: str) -> None:
    """Refuse a scope (a subscription, a group, any resource) that does not exist; what lies above both passes."""
    subscription = ids.subscription_of(scope)
    if subscription is None:
        return
    groups.subscription(world, subscription)
    parts = scope.strip("/").split("/")
    if len(parts) > 3 and parts[2].lower() == "resourcegroups":
        groups.group(world, parts[1], parts[3])
    lower = [part.lower() for part in parts]
    if "providers" not in lower:
        if len(parts) > 4 or (len(parts) > 2 and (lower[2], len(parts)) != ("resourcegroups", 4)):
            raise errors.NO_SUCH_ROUTE(path=scope)
        return
    if _provider_at(parts) + 1 >= len(parts):
        raise errors.NO_SUCH_ROUTE(path=scope)
    key = ids.key(scope)
    if world.account(key) is None and world.deployments.get(key) is None and world.generic.get(key) is None:
        at = _provider_at(parts)
        kind, name = "/".join([parts[at + 1], *parts[at + 2 :: 2]]), "/".join(parts[at + 3 :: 2])
        raise errors.NO_RESOURCE(type=kind, name=name, group=_group(scope))


def require_home(world: World, resource_id: str, kind: str) -> None:
    """Refuse a write where the provider is not registered, the group is missing, or the parent missing or busy."""
    subscription = ids.subscription_of(resource_id)
    if subscription is not None:
        groups.require_registered(world, subscription, kind.split("/", 1)[0])
    parts = resource_id.strip("/").split("/")
    if len(parts) > 3 and parts[2].lower() == "resourcegroups":
        groups.open_group(world, parts[1], parts[3])
    if kind in NESTED:
        holder = resource_id.rsplit("/", NESTED[kind])[0]
        if world.generic.get(ids.key(holder)) is None:
            raise errors.NO_PARENT(verb="write", type=kind, parent="/".join(holder.split("/")[-2:]))
        return
    if kind != RAI_POLICIES:
        require_exists(world, resource_id[: resource_id.lower().rindex("/providers/")])
        return
    parent = world.account(ids.key(resource_id.rsplit("/", 2)[0]))
    if parent is None:
        raise errors.NO_PARENT(verb="write", type=kind, parent=f"accounts/{parts[7]}")
    deployments.require_quiet(world, parent)


# --- steps of a write ----------------------------------------------------------------------------------------------


def _location(world: World, kind: str, given: bodies.Generic, existing: GenericResource | None) -> str | None:
    """Where the resource is: a tracked one says so and stays there."""
    if not TYPES[kind]:
        return given.location
    if given.location is None:
        raise errors.NO_LOCATION()
    is_global = given.location.lower() == "global"
    location = given.location if is_global else groups.require_region(world, given.location, kind)
    if existing is not None and existing.body["location"].lower() != location.lower():
        raise errors.ACCOUNT_ELSEWHERE(
            name=existing.name, existing=existing.body["location"], group=_group(existing.id), location=location
        )
    return location


def _added(world: World, made: GenericResource, existing: GenericResource | None) -> Json:
    """What the service adds to the properties."""
    before = existing.body["properties"] if existing else {}
    if made.type == IDENTITIES:
        tenant = groups.subscription(world, ids.subscription_of(made.id) or "").tenant
        return {
            "principalId": before.get("principalId") or ids.new_guid(),
            "clientId": before.get("clientId") or ids.new_guid(),
            "tenantId": tenant,
        }
    if made.type == WORKSPACES:
        return {"customerId": before.get("customerId") or ids.new_guid(), "provisioningState": "Succeeded"}
    if made.type in {vaults.VAULTS, vaults.KEYS}:
        return vaults.added(world, made, before)
    if made.type == STORAGE:
        endpoint = f"{world.origin}/{made.name.lower()}{blobs.HOST}/"
        return {"primaryEndpoints": {"blob": endpoint}, "provisioningState": "Succeeded"}
    if made.type in {JOBS, ENVIRONMENTS}:
        return {"provisioningState": "Succeeded"}
    return {}


def retag(world: World, caller: Caller, found: GenericResource, wanted: dict[str, str]) -> None:
    """Give a resource these tags and no others."""
    require_home(world, found.id, found.type)
    found.body["tags"] = tags.require(wanted)
    found.modified = caller.stamp(world.now())
    _keep(world, caller, found)


def _keep(world: World, caller: Caller, made: GenericResource) -> GenericResource:
    world.generic.put(ids.key(made.id), made)
    added = made.body["properties"]
    if made.type == blobs.CONTAINERS:
        blobs.keep(world, made)
    if made.type == IDENTITIES and world.principals.get(added["principalId"]) is None:
        principal = Principal(
            id=added["principalId"], tenant=added["tenantId"], name=made.name, client_id=added["clientId"]
        )
        world.principals.put(principal.id, principal)
    world.record(f"{made.type}/write", made.id, caller)
    return made


def _provider_at(parts: list[str]) -> int:
    """Where the last namespace of a path begins; -1 where it has none."""
    return max((i for i, part in enumerate(parts) if part.lower() == "providers"), default=-1)


def _group(resource_id: str) -> str:
    parts = resource_id.strip("/").split("/")
    return parts[3] if len(parts) > 3 and parts[2].lower() == "resourcegroups" else ""
