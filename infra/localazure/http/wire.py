"""Records as Azure writes them on the wire."""

from __future__ import annotations

from datetime import datetime
from zlib import crc32

from infra.localazure import accounts, catalogue, deployments, groups, ids, jobs, offers, placement, roles
from infra.localazure.entities import (
    Account,
    Deployment,
    GenericResource,
    Json,
    ResourceGroup,
    RoleAssignment,
    RoleDefinition,
    Stamp,
    Subscription,
)
from infra.localazure.generic import JOBS, RAI_POLICIES
from infra.localazure.http import versions
from infra.localazure.world import World


def moment(at: datetime) -> str:
    """A moment with the seven digits that Azure's answers carry."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z"


def system_data(created: Stamp, modified: Stamp) -> Json:
    """systemData: who made it, who changed it last."""
    return {
        "createdBy": created.by,
        "createdByType": created.by_type,
        "createdAt": moment(created.at),
        "lastModifiedBy": modified.by,
        "lastModifiedByType": modified.by_type,
        "lastModifiedAt": moment(modified.at),
    }


def subscription(found: Subscription) -> Json:
    """A subscription."""
    return {
        "id": f"/subscriptions/{found.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": found.id,
        "tenantId": found.tenant,
        "displayName": found.name or found.id,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def provider(world: World, found: Subscription, namespace: str) -> Json:
    """A resource provider with its registration state."""
    name = groups.PROVIDERS[namespace]
    regions = [display for display, _ in world.catalogue.regions.values()]
    types = {
        "microsoft.cognitiveservices": ["accounts", "accounts/deployments", "accounts/raiPolicies", "locations"],
        "microsoft.app": ["managedEnvironments", "jobs"],
        "microsoft.managedidentity": ["userAssignedIdentities"],
        "microsoft.operationalinsights": ["workspaces"],
    }.get(namespace, [])
    return {
        "id": f"/subscriptions/{found.id}/providers/{name}",
        "namespace": name,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": groups.registration(found, namespace, world.now()),
        "resourceTypes": [
            {"resourceType": t, "locations": regions, "apiVersions": ["2025-06-01", "2024-10-01", "2023-05-01"]}
            for t in types
        ],
    }


def group(found: ResourceGroup) -> Json:
    """A resource group."""
    wire: Json = {
        "id": found.id,
        "name": found.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": found.location,
        "properties": {"provisioningState": "Succeeded" if found.gone_at is None else "Deleting"},
    }
    if found.tags is not None:
        wire["tags"] = found.tags
    if found.managed_by:
        wire["managedBy"] = found.managed_by
    return wire


def endpoint(world: World, account: Account) -> str:
    """Where an account answers: a path of this local Azure that names the host it stands for."""
    subdomain = account.properties.get("customSubDomainName")
    if not subdomain:
        return f"{world.origin}/{account.location}.api.cognitive.microsoft.com/"
    host = "openai.azure.com" if account.kind == "OpenAI" else "cognitiveservices.azure.com"
    return f"{world.origin}/{str(subdomain).lower()}.{host}/"


_AS_GIVEN = (
    "dynamicThrottlingEnabled",
    "restrictOutboundNetworkAccess",
    "allowedFqdnList",
    "encryption",
    "userOwnedStorage",
    "allowProjectManagement",
    "defaultProject",
    "associatedProjects",
    "raiMonitorConfig",
    "storedCompletionsDisabled",
)
"""Properties of an account that are kept and shown and mean nothing here."""


def account(world: World, found: Account, api_version: str) -> Json:
    """An account."""
    now = world.now()
    given = found.properties
    subdomain = str(given.get("customSubDomainName", "")).lower()
    acls = given.get("networkAcls") or {}
    properties: Json = {
        "endpoint": endpoint(world, found),
        "internalId": found.internal_id,
        "dateCreated": moment(found.created.at),
        "apiProperties": {**offers.api_properties(found.kind), **given.get("apiProperties", {})},
        "callRateLimit": {"rules": offers.call_rates()},
        "isMigrated": False,
        "privateEndpointConnections": [],
        "publicNetworkAccess": given.get("publicNetworkAccess", "Enabled"),
        "capabilities": offers.capabilities(found.kind),
        "disableLocalAuth": bool(given.get("disableLocalAuth", False)),
        "endpoints": offers.endpoints(found.kind, f"{world.origin}/{subdomain}.{{host}}/") if subdomain else {},
        "provisioningState": accounts.state(found, now),
    }
    if subdomain:
        properties["customSubDomainName"] = given["customSubDomainName"]
        properties["networkAcls"] = {
            "defaultAction": acls.get("defaultAction", "Allow"),
            "virtualNetworkRules": acls.get("virtualNetworkRules", []),
            "ipRules": acls.get("ipRules", []),
            **({"bypass": acls["bypass"]} if "bypass" in acls else {}),
        }
    properties |= {name: given[name] for name in _AS_GIVEN if name in given}
    wire: Json = {
        "id": found.id,
        "name": found.name,
        "type": ids.ACCOUNTS,
        "etag": account_etag(found),
        "location": found.location,
        "sku": found.sku,
        "kind": found.kind,
        "properties": versions.known(properties, api_version, versions.ACCOUNT_SINCE),
        "systemData": system_data(found.created, found.modified),
    }
    if found.identity is not None:
        wire["identity"] = found.identity
    if found.tags is not None:
        wire["tags"] = found.tags
    return wire


def deleted_account(world: World, found: Account, api_version: str) -> Json:
    """A soft-deleted account, as the deletedAccounts lists show it."""
    wire = account(world, found, api_version)
    wire["id"] = (
        f"/subscriptions/{found.subscription}/providers/Microsoft.CognitiveServices/locations/{found.location}"
        f"/resourceGroups/{found.group}/deletedAccounts/{found.name}"
    )
    wire["type"] = "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts"
    for name, at in (("deletionDate", found.deleted_at), ("scheduledPurgeDate", found.purge_at)):
        if at is not None:
            wire["properties"][name] = moment(at)
    return wire


def deployment(world: World, owner: Account, found: Deployment, api_version: str) -> Json:
    """A deployment."""
    now = world.now()
    model: Json = {"format": found.model.format, "name": found.model.name}
    for name, value in (
        ("version", found.model.version),
        ("source", found.model.source),
        ("sourceAccount", found.model.source_account),
        ("publisher", found.model.publisher),
    ):
        if value is not None:
            model[name] = value
    sku = placement.sku_of(world, owner, found)
    properties: Json = {
        "model": versions.known(model, api_version, versions.DEPLOYMENT_SINCE),
        "versionUpgradeOption": found.upgrade_option,
        "currentCapacity": found.capacity,
        "capabilities": _deployment_capabilities(world, owner, placement.model_of(world, found)),
        "raiPolicyName": found.rai_policy,
        "provisioningState": deployments.state(found, now),
        "rateLimits": catalogue.rate_limits(sku, found.capacity, 60),
        "deploymentState": "Paused" if found.paused else "Running",
        **found.extra,
    }
    wire: Json = {
        "id": found.id,
        "type": ids.DEPLOYMENTS,
        "name": found.name,
        "sku": {"name": found.sku_name, "capacity": found.capacity},
        "properties": versions.known(properties, api_version, versions.DEPLOYMENT_SINCE),
        "systemData": system_data(found.created, found.modified),
        "etag": deployment_etag(found),
    }
    if found.tags is not None:
        wire["tags"] = found.tags
    return wire


def _deployment_capabilities(world: World, owner: Account, base: catalogue.Model | None) -> dict[str, str]:
    if base is None or base.embeddings:
        return {"embeddings": "true"}
    if not base.chat:
        return {"completion": "true"}
    area = world.catalogue.regions[owner.location][1]
    return {"chatCompletion": "true", "completion": "true", "responses": "true"} | ({"area": area} if area else {})


def permission(found: RoleDefinition) -> Json:
    """What a role lets its holder do."""
    return {
        "actions": found.actions,
        "notActions": found.not_actions,
        "dataActions": found.data_actions,
        "notDataActions": found.not_data_actions,
    }


def role_definition(found: RoleDefinition, scope: str) -> Json:
    """A role definition."""
    prefix = "" if scope == "/" else scope
    if prefix.lower().startswith("/subscriptions/"):
        prefix = "/".join(prefix.split("/")[:3])
    properties: Json = {
        "roleName": found.name,
        "type": role_type(found),
        "description": found.description,
        "assignableScopes": found.assignable_scopes,
        "permissions": [permission(found)],
    }
    for name, stamp in (("created", found.created), ("updated", found.modified)):
        if stamp is not None:
            properties |= {f"{name}On": moment(stamp.at), f"{name}By": stamp.by}
    return {
        "id": f"{prefix}/providers/{roles.DEFINITIONS}/{found.id}",
        "type": roles.DEFINITIONS,
        "name": found.id,
        "properties": properties,
    }


def role_type(found: RoleDefinition) -> str:
    """Whether a role is Azure's or a customer's."""
    return "BuiltInRole" if found.scope is None else "CustomRole"


def role_assignment(found: RoleAssignment) -> Json:
    """A role assignment."""
    properties: Json = {
        "roleDefinitionId": found.role_definition_id,
        "principalId": found.principal,
        "principalType": found.principal_type,
        "scope": found.scope,
        "condition": found.condition,
        "conditionVersion": found.condition_version,
        "createdOn": moment(found.created.at),
        "updatedOn": moment(found.modified.at),
        "createdBy": found.created.by,
        "updatedBy": found.modified.by,
        "delegatedManagedIdentityResourceId": found.delegated,
        "description": found.description,
    }
    return {"properties": properties, "id": found.id, "type": roles.ASSIGNMENTS, "name": found.name}


def generic(found: GenericResource) -> Json:
    """A resource without rules of its own; content filters alone have an etag."""
    return {
        **(jobs.without_secrets(found) if found.type == JOBS else found.body),
        **({"etag": generic_etag(found)} if found.type == RAI_POLICIES else {}),
        "id": found.id,
        "name": found.name,
        "type": found.type,
        "systemData": system_data(found.created, found.modified),
    }


def etag(number: int, seed: str) -> str:
    """An etag whose value carries its own quotes, as live answers do."""
    return f'"{crc32(seed.encode()):08x}-0000-0a00-0000-{number:012x}"'


def account_etag(found: Account) -> str:
    """The etag of an account."""
    return etag(found.etag, found.internal_id)


def deployment_etag(found: Deployment) -> str:
    """The etag of a deployment."""
    return etag(found.etag, f"{found.id}|{found.created.at}")


def generic_etag(found: GenericResource) -> str:
    """The etag of a resource without rules of its own: it changes with every write."""
    return etag(int(found.modified.at.timestamp() * 1000), f"{found.id}|{found.modified.at}")
