"""Resources that local Azure keeps as they are given: no rules but those every resource of Azure has."""

from __future__ import annotations

from infra.localazure import errors, groups, ids
from infra.localazure.entities import GenericResource, Json, Principal
from infra.localazure.world import Caller, World

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"

# Types in Azure's own spelling; other types are answered as Azure answers types it does not know.
TYPES = (
    "Microsoft.App/jobs",
    "Microsoft.App/managedEnvironments",
    "Microsoft.CognitiveServices/accounts/raiPolicies",
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/scheduledQueryRules",
    IDENTITIES,
    "Microsoft.OperationalInsights/workspaces",
)
_KNOWN = {t.lower(): t for t in TYPES}


def type_of(resource_id: str) -> str:
    """The type of a resource id (or of a list's path) in Azure's spelling; raises NotFound for one not kept here."""
    parts = resource_id.strip("/").split("/")
    at = max((i for i, part in enumerate(parts) if part.lower() == "providers"), default=-1)
    namespace_and_types = [parts[at + 1], *parts[at + 2 :: 2]] if 0 <= at < len(parts) - 2 else []
    found = _KNOWN.get("/".join(namespace_and_types).lower())
    if found is None:
        raise errors.NO_SUCH_ROUTE(path=resource_id)
    return found


def is_collection(path: str) -> bool:
    """Whether a path names a type rather than a resource."""
    parts = path.strip("/").split("/")
    at = max((i for i, part in enumerate(parts) if part.lower() == "providers"), default=-1)
    return (len(parts) - at) % 2 == 1


def action(resource_id: str, verb: str) -> str:
    """The action that a verb on such a resource asks for."""
    return f"{type_of(resource_id)}/{verb}"


def put(world: World, caller: Caller, resource_id: str, body: Json) -> tuple[GenericResource, bool]:
    """Keep the resource as given, with what Azure adds; tells whether it is new."""
    kind = type_of(resource_id)
    _require_parent(world, resource_id, kind)
    existing = world.generic.get(ids.key(resource_id))
    now = world.now()
    kept = {k: v for k, v in body.items() if k not in {"id", "name", "type", "systemData"}}
    if isinstance(kept.get("location"), str):
        kept["location"] = world.catalogue.region(kept["location"]) or kept["location"]
    properties = kept.get("properties")
    kept["properties"] = {
        **(properties if isinstance(properties, dict) else {}),
        **_added(world, resource_id, kind, existing),
    }
    made = GenericResource(
        id=resource_id,
        type=kind,
        name=resource_id.rsplit("/", 1)[-1],
        body=kept,
        created=existing.created if existing else caller.stamp(now),
        modified=caller.stamp(now),
    )
    world.generic.put(ids.key(resource_id), made)
    world.record(f"{kind}/write", resource_id, caller)
    return made, existing is None


def get(world: World, resource_id: str) -> GenericResource:
    """The resource, or ResourceNotFound."""
    kind = type_of(resource_id)
    found = world.generic.get(ids.key(resource_id))
    if found is None:
        raise errors.NO_RESOURCE(type=kind, name=resource_id.rsplit("/", 1)[-1], group=_group(resource_id))
    return found


def patch(world: World, caller: Caller, resource_id: str, body: Json) -> GenericResource:
    """Merge tags and properties into the resource."""
    found = get(world, resource_id)
    for name in ("tags", "properties"):
        if isinstance(body.get(name), dict):
            found.body[name] = {**(found.body.get(name) or {}), **body[name]}
    found.modified = caller.stamp(world.now())
    world.generic.put(ids.key(resource_id), found)
    world.record(f"{found.type}/write", resource_id, caller)
    return found


def delete(world: World, caller: Caller, resource_id: str) -> bool:
    """Forget the resource; tells whether there was one."""
    kind = type_of(resource_id)
    if world.generic.get(ids.key(resource_id)) is None:
        return False
    world.generic.drop(ids.key(resource_id))
    world.record(f"{kind}/delete", resource_id, caller)
    return True


def collection(world: World, path: str) -> list[GenericResource]:
    """The resources of a type in a scope; lists over a whole subscription too."""
    kind = type_of(path)
    scope = ids.key(path[: path.lower().rindex("/providers/")])
    return [r for r in world.generic if r.type == kind and ids.key(r.id).startswith(scope + "/")]


def below(world: World, scope: str) -> list[GenericResource]:
    """The resources that lie below a scope."""
    return [r for r in world.generic if ids.key(r.id).startswith(ids.key(scope) + "/")]


def _added(world: World, resource_id: str, kind: str, existing: GenericResource | None) -> Json:
    """What the service adds to the properties."""
    before = (existing.body.get("properties") or {}) if existing else {}
    subscription = ids.subscription_of(resource_id) or ""
    if kind == IDENTITIES:
        principal = before.get("principalId") or ids.new_guid()
        client = before.get("clientId") or ids.new_guid()
        tenant = groups.subscription(world, subscription).tenant
        name = resource_id.rsplit("/", 1)[-1]
        world.principals.put(principal, Principal(id=principal, tenant=tenant, name=name, client_id=client))
        return {"principalId": principal, "clientId": client, "tenantId": tenant}
    if kind == "Microsoft.OperationalInsights/workspaces":
        return {"customerId": before.get("customerId") or ids.new_guid(), "provisioningState": "Succeeded"}
    if kind in {"Microsoft.App/jobs", "Microsoft.App/managedEnvironments"}:
        return {"provisioningState": "Succeeded"}
    return {}


def _require_parent(world: World, resource_id: str, kind: str) -> None:
    subscription = ids.subscription_of(resource_id)
    parts = resource_id.strip("/").split("/")
    if subscription is not None:
        groups.require_registered(world, subscription, kind.split("/", 1)[0])
        if len(parts) > 3 and parts[2].lower() == "resourcegroups":
            groups.group(world, subscription, parts[3])
    if kind.lower().startswith(ids.ACCOUNTS.lower()):
        parent = resource_id.rsplit("/", 2)[0]
        if world.account(ids.key(parent)) is None:
            raise errors.NO_PARENT(verb="write", type=kind, parent=parent.rsplit("/", 1)[-1])


def _group(resource_id: str) -> str:
    parts = resource_id.strip("/").split("/")
    return parts[3] if len(parts) > 3 and parts[2].lower() == "resourcegroups" else ""
