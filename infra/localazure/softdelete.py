"""How an account ends: soft-deleted for 48 hours, then, or by request, purged for good."""

from __future__ import annotations

from datetime import datetime, timedelta

from infra.localazure import accounts, errors, files, finetuning, ids, models, roles, uploads
from infra.localazure.entities import Account
from infra.localazure.world import Caller, World

DELETED, PURGE = "account deleted", "account purged"
PURGE_ACTION = "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts/delete"


def wire_up(world: World) -> None:
    """Schedule what accounts of a state that was read have coming."""
    world.on_due(DELETED, _soft_delete_if_due)
    world.on_due(PURGE, _purge_if_due, _purge_at)
    for account in world.accounts:
        if account.purge_at is not None:
            world.schedule(account.purge_at, PURGE, ids.key(account.id))
        elif account.writing == "Deleting" and account.settled_at is not None:
            world.schedule(account.settled_at, DELETED, ids.key(account.id))


def delete(world: World, caller: Caller, account: Account) -> float:
    """Delete an account and tell how many seconds it takes."""
    accounts.require_settled(world, account)
    if world.switches.delete_with_deployments == "refuse" and world.deployments.of(ids.key(account.id)):
        raise errors.STILL_HAS_DEPLOYMENTS(account=account.name)
    seconds = world.switches.account_delete
    if seconds == 0:
        delete_now(world, caller, account)
        return 0
    account.writing, account.settled_at = "Deleting", world.now() + timedelta(seconds=seconds)
    world.record(f"{ids.ACCOUNTS}/delete", account.id, caller, account.settled_at)
    world.accounts.put(ids.key(account.id), account)
    world.schedule(account.settled_at, DELETED, ids.key(account.id))
    return seconds


def delete_now(world: World, caller: Caller, account: Account) -> None:
    """Delete an account at once, in whatever state it is: with its resource group."""
    world.record(f"{ids.ACCOUNTS}/delete", account.id, caller)
    _soft_delete(world, account)


def find(world: World, subscription: str, location: str, group: str, name: str) -> Account | None:
    """The soft-deleted account of that name, or None."""
    found = world.accounts.get(ids.key(ids.account_id(subscription, group, name)))
    gone = found is None or found.deleted_at is None or found.location != world.catalogue.region(location)
    return None if gone else found


def get(world: World, subscription: str, location: str, group: str, name: str) -> Account:
    """The soft-deleted account of that name, or its 404."""
    found = find(world, subscription, location, group, name)
    if found is None:
        raise errors.NO_DELETED_ACCOUNT(name=name, location=location)
    return found


def purge(world: World, caller: Caller, account: Account) -> float:
    """Purge a soft-deleted account and tell how many seconds it takes."""
    if account.purging:
        raise errors.PURGE_BUSY(account=account.id)
    seconds = world.switches.purge
    world.record(PURGE_ACTION, account.id, caller, world.now() + timedelta(seconds=seconds))
    if seconds == 0:
        _forget(world, account)
    else:
        account.purging = True
        _purge_later(world, account, timedelta(seconds=seconds))
    return seconds


def _soft_delete(world: World, account: Account) -> None:
    """Keep name, subdomain and tuned models, and the quota of its deployments, until the purge."""
    key = ids.key(account.id)
    for resource in world.generic:
        if ids.key(resource.id).startswith(key + "/"):
            world.generic.drop(ids.key(resource.id))
    roles.forget_below(world, account.id)
    account.deleted_at = world.now()
    account.settled_at = None
    _purge_later(world, account, timedelta(hours=world.switches.soft_delete_hours))


def _purge_later(world: World, account: Account, after: timedelta) -> None:
    at = world.now() + after
    account.purge_at = at if account.purge_at is None else min(at, account.purge_at)
    world.accounts.put(ids.key(account.id), account)
    world.schedule(account.purge_at, PURGE, ids.key(account.id))


def _soft_delete_if_due(world: World, key: str) -> None:
    account = world.account(key)
    if account is None or account.writing != "Deleting" or account.settled_at is None:
        return
    if account.settled_at <= world.now():
        _soft_delete(world, account)


def _purge_if_due(world: World, key: str) -> None:
    account = world.accounts.get(key)
    if account is None or account.purge_at is None or account.purge_at > world.now():
        return
    world.record(PURGE_ACTION, account.id, None)
    _forget(world, account)


def _purge_at(world: World, key: str) -> datetime | None:
    account = world.accounts.get(key)
    return account.purge_at if account is not None else None


def _forget(world: World, account: Account) -> None:
    key = ids.key(account.id)
    for model in world.models.of(key):
        models.drop(world, model)
    files.forget(world, key)
    uploads.forget(world, key)
    finetuning.forget(world, key)
    for deployment in world.deployments.of(key):
        world.deployments.drop(ids.key(deployment.id))
    principal = (account.identity or {}).get("principalId")
    if principal is not None:
        world.principals.drop(principal)
    world.subdomains.pop(str(account.properties.get("customSubDomainName", "")).lower(), None)
    world.accounts.drop(key)
