"""Subscriptions, resource providers and resource groups."""

from __future__ import annotations

import re

from infra.localazure import bodies, errors, ids, roles
from infra.localazure.entities import ResourceGroup, Subscription
from infra.localazure.world import Caller, World

PROVIDERS = {
    "microsoft.app": "Microsoft.App",
    "microsoft.authorization": "Microsoft.Authorization",
    "microsoft.cognitiveservices": "Microsoft.CognitiveServices",
    "microsoft.insights": "Microsoft.Insights",
    "microsoft.keyvault": "Microsoft.KeyVault",
    "microsoft.managedidentity": "Microsoft.ManagedIdentity",
    "microsoft.operationalinsights": "Microsoft.OperationalInsights",
    "microsoft.resources": "Microsoft.Resources",
    "microsoft.storage": "Microsoft.Storage",
}
ALWAYS_REGISTERED = {"microsoft.authorization", "microsoft.resources"}
TYPE = "Microsoft.Resources/resourceGroups"
_NAME = re.compile(r"[\w.()-]{0,89}[\w()-]")
_BAD = re.compile(r"[^\w.()-]")


def subscription(world: World, subscription_id: str) -> Subscription:
    """The subscription, or SubscriptionNotFound (InvalidSubscriptionId for what is no id)."""
    if not ids.GUID.fullmatch(subscription_id):
        raise errors.BAD_SUBSCRIPTION(subscription=subscription_id)
    found = world.subscriptions.get(subscription_id.lower())
    if found is None:
        raise errors.NO_SUBSCRIPTION(subscription=subscription_id)
    return found


def require_registered(world: World, subscription_id: str, namespace: str) -> None:
    """Refuse where the namespace is not registered in the subscription."""
    name = namespace.lower()
    if name not in ALWAYS_REGISTERED and name not in subscription(world, subscription_id).registered:
        raise errors.NOT_REGISTERED(namespace=PROVIDERS.get(name, namespace))


def require_provider(namespace: str) -> str:
    """The key of a resource provider; refuses one that does not exist."""
    if namespace.lower() not in PROVIDERS:
        raise errors.NO_SUCH_NAMESPACE(namespace=namespace)
    return namespace.lower()


def register(world: World, subscription_id: str, namespace: str, *, on: bool = True) -> Subscription:
    """Register a resource provider in a subscription, or take it away."""
    name = require_provider(namespace)
    found = subscription(world, subscription_id)
    if on:
        found.registered.add(name)
    else:
        found.registered.discard(name)
    world.subscriptions.put(found.id, found)
    return found


def group(world: World, subscription_id: str, name: str) -> ResourceGroup:
    """The resource group, or ResourceGroupNotFound."""
    found = world.groups.get(ids.key(ids.group_id(subscription_id, name)))
    if found is None:
        raise errors.NO_GROUP(group=name)
    return found


def require_region(world: World, location: str | None, resource_type: str) -> str:
    """The region's name for a location in any spelling; refuses none and unknown ones."""
    if location is None:
        raise errors.NO_LOCATION()
    region = world.catalogue.region(location)
    if region is None:
        regions = ",".join(world.catalogue.regions)
        raise errors.BAD_LOCATION(location=location, type=resource_type, regions=regions)
    return region


def put_group(
    world: World, caller: Caller, subscription_id: str, name: str, body: bodies.Group
) -> tuple[ResourceGroup, bool]:
    """Make a resource group or change its tags; tells whether it is new."""
    resource_id = ids.group_id(subscription_id, name)
    existing = world.groups.get(ids.key(resource_id))
    if existing is None and not _NAME.fullmatch(name):
        raise errors.BAD_GROUP_NAME(name=name, bad="".join(_BAD.findall(name)) or name[-1])
    region = require_region(world, body.location, TYPE)
    if existing is not None and existing.location != region:
        raise errors.GROUP_ELSEWHERE(location=region, existing=existing.location)
    made = existing or ResourceGroup(id=resource_id, name=name, subscription=subscription_id.lower(), location=region)
    made.managed_by = body.managed_by
    made.tags = body.tags
    _keep(world, caller, made)
    return made, existing is None


def patch_group(world: World, caller: Caller, found: ResourceGroup, body: bodies.Group) -> ResourceGroup:
    """Change the tags of a resource group and leave the rest."""
    if body.tags is not None:
        found.tags = body.tags
    _keep(world, caller, found)
    return found


def delete_group(world: World, caller: Caller, found: ResourceGroup) -> None:
    """Delete a resource group and what the generic store has in it; its accounts must be gone already."""
    inside = ids.key(found.id) + "/"
    for resource in world.generic:
        if ids.key(resource.id).startswith(inside):
            world.generic.drop(ids.key(resource.id))
    roles.forget_below(world, found.id)
    world.groups.drop(ids.key(found.id))
    world.record("Microsoft.Resources/subscriptions/resourceGroups/delete", found.id, caller)


def _keep(world: World, caller: Caller, group: ResourceGroup) -> None:
    world.groups.put(ids.key(group.id), group)
    world.record("Microsoft.Resources/subscriptions/resourceGroups/write", group.id, caller)
