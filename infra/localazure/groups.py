"""Subscriptions, resource providers and resource groups."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from infra.localazure import blobs, bodies, errors, ids, roles, tags, vaults
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
GONE = "group gone"
TYPE = "Microsoft.Resources/resourceGroups"
_NAME = re.compile(r"[\w.()-]{0,89}[\w()-]")
_BAD = re.compile(r"[^\w.()-]")


def wire_up(world: World) -> None:
    """Schedule the ends of the resource groups that are being deleted."""
    world.on_due(GONE, _remove_if_due)
    for found in world.groups:
        if found.gone_at is not None:
            world.schedule(found.gone_at, GONE, ids.key(found.id))


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
    found = subscription(world, subscription_id)
    if registration(found, namespace.lower(), world.now()) != "Registered":
        raise errors.NOT_REGISTERED(namespace=PROVIDERS.get(namespace.lower(), namespace))


def registration(found: Subscription, namespace: str, now: datetime) -> str:
    """The registrationState of a namespace (in lower case) in a subscription."""
    if namespace in ALWAYS_REGISTERED or namespace in found.registered:
        return "Registered"
    done = found.registering.get(namespace)
    if done is None:
        return "NotRegistered"
    return "Registered" if now >= done else "Registering"


def require_provider(namespace: str) -> str:
    """The key of a resource provider; refuses one that does not exist."""
    if namespace.lower() not in PROVIDERS:
        raise errors.NO_SUCH_NAMESPACE(namespace=namespace)
    return namespace.lower()


def register(world: World, subscription_id: str, namespace: str, *, on: bool = True) -> Subscription:
    """Register a resource provider in a subscription, or take it away."""
    name = require_provider(namespace)
    found = subscription(world, subscription_id)
    if on and registration(found, name, world.now()) == "NotRegistered":
        found.registering[name] = world.now() + timedelta(seconds=world.switches.registration)
    if not on:
        found.registered.discard(name)
        found.registering.pop(name, None)
    world.subscriptions.put(found.id, found)
    return found


def group(world: World, subscription_id: str, name: str) -> ResourceGroup:
    """The resource group, or ResourceGroupNotFound."""
    found = world.groups.get(ids.key(ids.group_id(subscription_id, name)))
    if found is None:
        raise errors.NO_GROUP(group=name)
    return found


def open_group(world: World, subscription_id: str, name: str) -> ResourceGroup:
    """The resource group, if it can be written to: ResourceGroupBeingDeleted while it goes."""
    found = group(world, subscription_id, name)
    if found.gone_at is not None:
        raise errors.GROUP_BEING_DELETED(group=found.name)
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
    if existing is not None:
        open_group(world, subscription_id, name)
    if existing is not None and existing.location != region:
        raise errors.GROUP_ELSEWHERE(location=region, existing=existing.location)
    made = existing or ResourceGroup(id=resource_id, name=name, subscription=subscription_id.lower(), location=region)
    made.managed_by = body.managed_by
    made.tags = tags.require(body.tags)
    _keep(world, caller, made)
    return made, existing is None


def patch_group(world: World, caller: Caller, found: ResourceGroup, body: bodies.Group) -> ResourceGroup:
    """Change the tags of a resource group and leave the rest."""
    open_group(world, found.subscription, found.name)
    if body.tags is not None:
        found.tags = tags.require(body.tags)
    _keep(world, caller, found)
    return found


def delete_group(world: World, caller: Caller, found: ResourceGroup) -> float:
    """Delete a resource group and tell how many seconds it takes; its accounts must be gone already.

    What it holds goes first, the group itself at the end.
    """
    open_group(world, found.subscription, found.name)
    inside = ids.key(found.id) + "/"
    for resource in world.generic:
        if ids.key(resource.id).startswith(inside):
            if resource.type == vaults.VAULTS:
                keys = [one for one in world.generic if ids.key(one.id).startswith(ids.key(resource.id) + "/keys/")]
                vaults.bury(world, resource, keys, caller)
            if resource.type == blobs.STORAGE:
                blobs.forget(world, resource)
            world.generic.drop(ids.key(resource.id))
    seconds = world.switches.group_delete
    found.gone_at = world.now() + timedelta(seconds=seconds)
    world.record("Microsoft.Resources/subscriptions/resourceGroups/delete", found.id, caller, found.gone_at)
    world.groups.put(ids.key(found.id), found)
    if seconds:
        world.schedule(found.gone_at, GONE, ids.key(found.id))
    else:
        _remove_if_due(world, ids.key(found.id))
    return seconds


def _remove_if_due(world: World, key: str) -> None:
    found = world.groups.get(key)
    if found is not None and found.gone_at is not None and found.gone_at <= world.now():
        roles.forget_below(world, found.id)
        world.groups.drop(key)


def _keep(world: World, caller: Caller, group: ResourceGroup) -> None:
    world.groups.put(ids.key(group.id), group)
    world.record("Microsoft.Resources/subscriptions/resourceGroups/write", group.id, caller)
