"""CognitiveServices accounts: create, change, keys, soft delete, restore, purge."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from infra.localazure import bodies, errors, groups, ids, roles
from infra.localazure.entities import Account, Json, Operation, Principal
from infra.localazure.world import Caller, World

KINDS = ("OpenAI", "AIServices", "CognitiveServices")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_LEAST, _MOST = 2, 64
PURGE = "purge"


def wire_up(world: World) -> None:
    """Schedule what accounts of a state that was read have coming."""
    world.on_due(PURGE, _purge_if_due)
    for account in world.accounts:
        if account.deleted_at is not None:
            world.schedule(_purge_at(world, account), PURGE, ids.key(account.id))


def get(world: World, resource_id: str) -> Account:
    """The account that stands under an id, or ResourceNotFound (ResourceGroupNotFound without its group)."""
    found = world.account(ids.key(resource_id))
    if found is None:
        parts = resource_id.split("/")
        groups.group(world, parts[2], parts[4])
        raise errors.NO_RESOURCE(type=ids.ACCOUNTS, name=parts[8], group=parts[4])
    return found


def in_subscription(world: World, subscription: str, group: str | None = None) -> list[Account]:
    """The accounts that stand in a subscription, or in one of its groups."""
    return [
        a
        for a in world.accounts
        if a.deleted_at is None
        and a.subscription == subscription.lower()
        and (group is None or a.group.lower() == group.lower())
    ]


def state(account: Account, now: datetime) -> str:
    """The provisioningState of an account at a moment."""
    return account.writing if account.settled_at is not None and now < account.settled_at else "Succeeded"


def require_settled(world: World, account: Account) -> None:
    """Refuse a write to an account whose last one is not done."""
    current = state(account, world.now())
    if current != "Succeeded":
        raise errors.ACCOUNT_NOT_SETTLED(account=account.id, state=current)


def put(
    world: World, caller: Caller, subscription: str, group: str, name: str, body: bodies.Account
) -> tuple[Account, Operation | None]:
    """Create, restore or replace an account; the operation is that of a create."""
    found = groups.group(world, subscription, group)
    if not _NAME.fullmatch(name) or not _LEAST <= len(name) <= _MOST:
        raise errors.BAD_NAME(name=name, pattern=_NAME.pattern, least=_LEAST, most=_MOST)
    resource_id = ids.account_id(subscription, found.name, name)
    region = groups.require_region(world, body.location, ids.ACCOUNTS)
    existing = world.accounts.get(ids.key(resource_id))
    if existing is None:
        return _create(world, caller, resource_id, region, body)
    if existing.deleted_at is not None:
        return _restore(world, caller, existing, region, body)
    if existing.location != region:
        raise errors.ACCOUNT_ELSEWHERE(name=name, existing=existing.location, group=existing.group, location=region)
    require_settled(world, existing)
    existing.tags = body.tags
    existing.properties = {}
    return _change(world, caller, existing, body), None


def patch(world: World, caller: Caller, account: Account, body: bodies.Account) -> Account:
    """Change what is given and leave the rest."""
    require_settled(world, account)
    if body.tags is not None:
        account.tags = body.tags
    return _change(world, caller, account, body)


def delete(world: World, caller: Caller, account: Account) -> None:
    """Soft-delete: name, subdomain and tuned models are kept for 48 hours, deployments are gone."""
    now = world.now()
    for deployment in world.deployments.of(ids.key(account.id)):
        world.deployments.drop(ids.key(deployment.id))
    for resource in world.generic:
        if ids.key(resource.id).startswith(ids.key(account.id) + "/"):
            world.generic.drop(ids.key(resource.id))
    roles.forget_below(world, account.id)
    account.deleted_at = now
    world.accounts.put(ids.key(account.id), account)
    world.schedule(_purge_at(world, account), PURGE, ids.key(account.id))
    world.record(f"{ids.ACCOUNTS}/delete", account.id, caller)


def deleted(world: World, subscription: str, location: str, group: str, name: str) -> Account:
    """The soft-deleted account of that name, or its 404."""
    found = world.accounts.get(ids.key(ids.account_id(subscription, group, name)))
    if found is None or found.deleted_at is None or found.location != world.catalogue.region(location):
        raise errors.NO_DELETED_ACCOUNT(name=name, location=location)
    return found


def purge(world: World, caller: Caller | None, account: Account) -> None:
    """Forget a soft-deleted account for good, with the tuned models it owns."""
    key = ids.key(account.id)
    for model in world.models.of(key):
        world.models.drop(f"{key}|{model.id}")
    world.accounts.drop(key)
    world.subdomains.pop(_subdomain(account), None)
    world.record("Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts/delete", account.id, caller)


def purged_at(world: World, account: Account) -> datetime:
    """When a soft-deleted account is purged by itself."""
    return _purge_at(world, account)


def keys(account: Account) -> list[str]:
    """The two keys; refused while local authentication is off."""
    if account.properties.get("disableLocalAuth"):
        raise errors.KEYS_OFF()
    return account.keys


def regenerate_key(world: World, caller: Caller, account: Account, key_name: str) -> list[str]:
    """Replace one of the two keys."""
    names = ["key1", "key2"]
    if key_name.lower() not in names:
        raise errors.BAD_REQUEST(fact=f"The key name '{key_name}' is invalid. Use Key1 or Key2.")
    keys(account)
    account.keys[names.index(key_name.lower())] = _new_key()
    world.accounts.put(ids.key(account.id), account)
    world.record(f"{ids.ACCOUNTS}/regenerateKey/action", account.id, caller)
    return account.keys


def by_subdomain(world: World, subdomain: str) -> Account | None:
    """The account that answers under a subdomain."""
    key = world.subdomains.get(subdomain.lower())
    return world.account(key) if key else None


def subdomain_free(world: World, subdomain: str) -> bool:
    """Whether a subdomain can be had: unique in the world, soft-deleted accounts included."""
    return subdomain.lower() not in world.subdomains


# --- steps of a write ----------------------------------------------------------------------------------------------


def _create(
    world: World, caller: Caller, resource_id: str, region: str, body: bodies.Account
) -> tuple[Account, Operation]:
    parts = resource_id.split("/")
    if body.properties.restore:
        raise errors.NOTHING_TO_RESTORE(id=resource_id)
    if body.kind is None or body.sku is None:
        absent = "kind" if body.kind is None else "sku"
        raise errors.BAD_JSON(fact=f"Required property '{absent}' not found in JSON")
    kind = next((k for k in KINDS if k.lower() == body.kind.lower()), body.kind)
    _require_account_quota(world, parts[2], region, kind)
    now = world.now()
    account = Account(
        id=resource_id,
        name=parts[8],
        group=parts[4],
        subscription=parts[2].lower(),
        location=region,
        kind=kind,
        sku=bodies.given(body.sku),
        properties={},
        created=caller.stamp(now),
        modified=caller.stamp(now),
        internal_id=secrets.token_hex(16),
        keys=[_new_key(), _new_key()],
        tags=body.tags,
        writing="Creating",
    )
    _change(world, caller, account, body)
    return _settle_later(world, account, world.switches.account_create)


def _restore(
    world: World, caller: Caller, account: Account, region: str, body: bodies.Account
) -> tuple[Account, Operation]:
    if not body.properties.restore:
        raise errors.SOFT_DELETED(id=account.id)
    if account.location != region:
        raise errors.ACCOUNT_ELSEWHERE(
            name=account.name, existing=account.location, group=account.group, location=region
        )
    account.deleted_at = None
    if body.tags is not None:
        account.tags = body.tags
    _change(world, caller, account, body)
    return _settle_later(world, account, world.switches.account_create)


def _change(world: World, caller: Caller, account: Account, body: bodies.Account) -> Account:
    given = bodies.given(body.properties)
    given.pop("restore", None)
    _take_subdomain(world, account, given.get("customSubDomainName"))
    subdomain = account.properties.get("customSubDomainName")
    account.properties = {**account.properties, **given}
    if subdomain:
        account.properties["customSubDomainName"] = subdomain
    if body.sku is not None:
        account.sku = bodies.given(body.sku)
    if body.kind is not None:
        account.kind = next((k for k in KINDS if k.lower() == body.kind.lower()), body.kind)
    if body.identity is not None:
        account.identity = _identity(world, account, body.identity)
    account.modified = caller.stamp(world.now())
    account.etag += 1
    world.accounts.put(ids.key(account.id), account)
    world.record(f"{ids.ACCOUNTS}/write", account.id, caller)
    return account


def _take_subdomain(world: World, account: Account, wanted: str | None) -> None:
    held = next((s for s, key in world.subdomains.items() if key == ids.key(account.id)), None)
    if wanted is None or (held is not None and held == wanted.lower()):
        if held is not None:
            account.properties.setdefault("customSubDomainName", wanted or held)
        return
    if held is not None:
        raise errors.SUBDOMAIN_FIXED(subdomain=held)
    if not subdomain_free(world, wanted):
        raise errors.SUBDOMAIN_TAKEN(subdomain=wanted)
    world.subdomains[wanted.lower()] = ids.key(account.id)


def _identity(world: World, account: Account, wanted: bodies.Identity) -> Json:
    """The identity as answered; a system-assigned one becomes a principal of the directory."""
    identity: Json = {"type": wanted.type}
    if "systemassigned" in wanted.type.lower():
        before = account.identity or {}
        tenant = groups.subscription(world, account.subscription).tenant
        principal = before.get("principalId") or ids.new_guid()
        world.principals.put(
            principal, Principal(id=principal, tenant=tenant, name=account.name, client_id=ids.new_guid())
        )
        identity |= {"principalId": principal, "tenantId": tenant}
    if wanted.user_assigned_identities:
        identity["userAssignedIdentities"] = {
            resource_id: _user_identity(world, resource_id) for resource_id in wanted.user_assigned_identities
        }
    return identity


def _user_identity(world: World, resource_id: str) -> Json:
    found = world.generic.get(ids.key(resource_id))
    if found is None:
        raise errors.BAD_REQUEST(fact=f"The user assigned identity '{resource_id}' was not found.")
    properties = found.body.get("properties", {})
    return {"principalId": properties.get("principalId"), "clientId": properties.get("clientId")}


def _settle_later(world: World, account: Account, seconds: float) -> tuple[Account, Operation]:
    account.settled_at = world.now() + timedelta(seconds=seconds)
    world.accounts.put(ids.key(account.id), account)
    return account, world.start_operation(account.id, account.location, seconds)


def _require_account_quota(world: World, subscription: str, region: str, kind: str) -> None:
    limit = world.catalogue.limit(f"{kind}.S0.AccountCount")
    standing = [
        a for a in world.accounts.of(f"{subscription.lower()}/{region}") if a.deleted_at is None and a.kind == kind
    ]
    if len(standing) >= limit:
        raise errors.ACCOUNT_LIMIT(kind=kind, region=region, limit=limit)


def _purge_if_due(world: World, key: str) -> None:
    account = world.accounts.get(key)
    if account is not None and account.deleted_at is not None and _purge_at(world, account) <= world.now():
        purge(world, None, account)


def _purge_at(world: World, account: Account) -> datetime:
    since = account.deleted_at or world.now()
    return since + timedelta(hours=world.switches.soft_delete_hours)


def _subdomain(account: Account) -> str:
    return str(account.properties.get("customSubDomainName", "")).lower()


def _new_key() -> str:
    return secrets.token_hex(16)
