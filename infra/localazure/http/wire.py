"""Records as Azure writes them on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zlib import crc32

from infra.localazure import accounts, catalogue, deployments, groups, ids, placement, roles
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
from infra.localazure.http import versions
from infra.localazure.world import World

# Capabilities of a live account (recorded, June 2026), those that fine-tuning and its limits speak of.
_CAPABILITIES: list[Json] = [
    {"name": "VirtualNetworks"},
    {"name": "CustomerManagedKey"},
    {"name": "MaxFineTuneCount", "value": "500"},
    {"name": "MaxRunningFineTuneCount", "value": "3"},
    {"name": "MaxUserFileCount", "value": "100"},
    {"name": "MaxTrainingFileSize", "value": "512000000"},
    {"name": "MaxUserFileImportDurationInHours", "value": "1"},
    {"name": "MaxFineTuneJobDurationInHours", "value": "720"},
    {"name": "MaxRunningGlobalStandardFineTuneCount", "value": "3"},
    {"name": "RaiMonitor"},
    {"name": "quotaRefundsEnabled", "value": "false"},
    {"name": "fineTune", "value": "true"},
]


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
    registered = namespace in found.registered or namespace in groups.ALWAYS_REGISTERED
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
        "registrationState": "Registered" if registered else "NotRegistered",
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
        "properties": {"provisioningState": "Succeeded"},
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


def account(world: World, found: Account) -> Json:
    """An account."""
    now = world.now()
    given = found.properties
    subdomain = str(given.get("customSubDomainName", "")).lower()
    acls = given.get("networkAcls") or {}
    properties: Json = {
        "endpoint": endpoint(world, found),
        "internalId": found.internal_id,
        "dateCreated": moment(found.created.at),
        "callRateLimit": {
            "rules": [
                {
                    "key": "openai",
                    "renewalPeriod": 1,
                    "count": 30,
                    "matchPatterns": [{"path": "openai/*", "method": "*"}],
                },
                {"key": "default", "renewalPeriod": 1, "count": 30, "matchPatterns": [{"path": "*", "method": "*"}]},
            ]
        },
        "isMigrated": False,
        "privateEndpointConnections": [],
        "publicNetworkAccess": given.get("publicNetworkAccess", "Enabled"),
        "capabilities": _CAPABILITIES,
        "disableLocalAuth": bool(given.get("disableLocalAuth", False)),
        "endpoints": _endpoints(world, found, subdomain),
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
    for name in (
        "dynamicThrottlingEnabled",
        "restrictOutboundNetworkAccess",
        "allowedFqdnList",
        "allowProjectManagement",
    ):
        if name in given:
            properties[name] = given[name]
    wire: Json = {
        "id": found.id,
        "name": found.name,
        "type": ids.ACCOUNTS,
        "etag": etag(found.etag, found.internal_id),
        "location": found.location,
        "sku": found.sku,
        "kind": found.kind,
        "properties": properties,
        "systemData": system_data(found.created, found.modified),
    }
    if found.identity is not None:
        wire["identity"] = found.identity
    if found.tags is not None:
        wire["tags"] = found.tags
    return wire


def _endpoints(world: World, found: Account, subdomain: str) -> dict[str, str]:
    if not subdomain:
        return {}
    if found.kind == "OpenAI":
        address = f"{world.origin}/{subdomain}.openai.azure.com/"
        labels = ["OpenAI Language Model Instance API", "Azure OpenAI Legacy API - Latest moniker", "Token Service API"]
        return dict.fromkeys(labels, address)
    return {
        "AI Foundry API": f"{world.origin}/{subdomain}.services.ai.azure.com/",
        "OpenAI Language Model Instance API": f"{world.origin}/{subdomain}.openai.azure.com/",
        "Azure OpenAI Legacy API - Latest moniker": f"{world.origin}/{subdomain}.openai.azure.com/",
        "Token": f"{world.origin}/{subdomain}.cognitiveservices.azure.com/",
    }


def deleted_account(world: World, found: Account) -> Json:
    """A soft-deleted account, as the deletedAccounts lists show it."""
    wire = account(world, found)
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
        "model": versions.known(model, api_version),
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
        "properties": versions.known(properties, api_version),
        "systemData": system_data(found.created, found.modified),
        "etag": etag(found.etag, found.id),
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


def role_definition(found: RoleDefinition, scope: str) -> Json:
    """A role definition."""
    prefix = "" if scope == "/" else scope
    if prefix.lower().startswith("/subscriptions/"):
        prefix = "/".join(prefix.split("/")[:3])
    properties: Json = {
        "roleName": found.name,
        "type": "BuiltInRole" if found.scope is None else "CustomRole",
        "description": found.description,
        "assignableScopes": found.assignable_scopes,
        "permissions": [
            {
                "actions": found.actions,
                "notActions": found.not_actions,
                "dataActions": found.data_actions,
                "notDataActions": found.not_data_actions,
            }
        ],
    }
    return {
        "id": f"{prefix}/providers/{roles.DEFINITIONS}/{found.id}",
        "type": roles.DEFINITIONS,
        "name": found.id,
        "properties": properties,
    }


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
    """A resource without rules of its own."""
    return {
        **found.body,
        "id": found.id,
        "name": found.name,
        "type": found.type,
        "systemData": system_data(found.created, found.modified),
    }


def etag(number: int, seed: str) -> str:
    """An etag whose value carries its own quotes, as live answers do."""
    return f'"{crc32(seed.encode()):08x}-0000-0a00-0000-{number:012x}"'


def page(items: list[Any]) -> Json:
    """A list that fits one page."""
    return {"value": items}
