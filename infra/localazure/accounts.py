"""CognitiveServices accounts: create, change, keys, subdomains. How they are deleted is in `softdelete`.

A write is worked out in full before anything is kept, so that a refused one changes nothing.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from ipaddress import ip_network

import msgspec

from infra.localazure import bodies, errors, groups, ids, quotas, roles, tags
from infra.localazure.entities import Account, Json, Operation, Principal
from infra.localazure.world import Caller, World

ASSIGN_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
KINDS = ("OpenAI", "AIServices", "CognitiveServices")
SKU = "S0"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_LEAST, _MOST = 2, 64
_SUBDOMAIN = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?")
_SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)
_KEY_NAMES = ("key1", "key2")


def get(world: World, subscription: str, group: str, name: str) -> Account:
    """The account that stands under a name, or ResourceNotFound (ResourceGroupNotFound without its group)."""
    found = world.account(ids.key(ids.account_id(subscription, group, name)))
    if found is None:
        groups.group(world, subscription, group)
        raise errors.NO_RESOURCE(type=ids.ACCOUNTS, name=name, group=group)
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
    """Refuse a write to an account whose last one, or one to what is in it, is not done."""
    if state(account, world.now()) != "Succeeded":
        raise errors.ACCOUNT_NOT_SETTLED(account=account.id)
    require_no_sibling(world, account)


def require_no_sibling(world: World, account: Account) -> None:
    """Refuse a write while a deployment of the account is being written."""
    now = world.now()
    for sibling in world.deployments.of(ids.key(account.id)):
        if sibling.settled_at is not None and now < sibling.settled_at:
            raise errors.SIBLING_BUSY(account=account.id)


def put(
    world: World, caller: Caller, subscription: str, group: str, name: str, body: bodies.Account
) -> tuple[Account, Operation | None]:
    """Create, restore or replace an account; there is an operation to follow where it takes its time."""
    found = groups.open_group(world, subscription, group)
    if not _NAME.fullmatch(name) or not _LEAST <= len(name) <= _MOST:
        raise errors.BAD_NAME(name=name, pattern=_NAME.pattern, least=_LEAST, most=_MOST)
    resource_id = ids.account_id(subscription, found.name, name)
    region = groups.require_region(world, body.location, ids.ACCOUNTS)
    existing = world.accounts.get(ids.key(resource_id))
    if existing is None:
        return _create(world, caller, resource_id, region, body)
    _require_same_region(existing, region)
    if existing.deleted_at is not None:
        return _restore(world, caller, existing, body)
    require_settled(world, existing)
    wanted = _wanted(world, caller, existing, body, kept={})
    wanted.tags = body.tags
    return _keep_changed(world, caller, wanted)


def patch(world: World, caller: Caller, account: Account, body: bodies.Account) -> tuple[Account, Operation | None]:
    """Change what is given and leave the rest; there is an operation to follow where it takes its time."""
    require_settled(world, account)
    if body.location is not None:
        _require_same_region(account, world.catalogue.region(body.location) or body.location)
    return _keep_changed(world, caller, _wanted(world, caller, account, body, kept=account.properties))


def keys(account: Account) -> list[str]:
    """The two keys; refused while local authentication is off."""
    if account.properties.get("disableLocalAuth"):
        raise errors.KEYS_OFF()
    return account.keys


def regenerate_key(world: World, caller: Caller, account: Account, key_name: str) -> list[str]:
    """Replace one of the two keys."""
    if key_name.lower() not in _KEY_NAMES:
        raise errors.BAD_REQUEST(fact=f"The key name '{key_name}' is invalid. Use Key1 or Key2.")
    if state(account, world.now()) != "Succeeded":
        raise errors.ACCOUNT_NOT_SETTLED(account=account.id)
    keys(account)[_KEY_NAMES.index(key_name.lower())] = _new_key()
    world.accounts.put(ids.key(account.id), account)
    world.record(f"{ids.ACCOUNTS}/regenerateKey/action", account.id, caller)
    return account.keys


def by_subdomain(world: World, subdomain: str) -> Account | None:
    """The account that answers under a subdomain; none before it is created in full, nor while it is deleted."""
    account = world.account(world.subdomains.get(subdomain.lower(), ""))
    return account if account is not None and state(account, world.now()) == "Succeeded" else None


def by_key(world: World, region: str, key: str) -> Account | None:
    """The account that a key opens on the endpoint that a region's accounts without a subdomain share."""
    for account in world.accounts:
        shares = account.deleted_at is None and account.properties.get("customSubDomainName") is None
        if shares and account.location == region and key in account.keys:
            return account
    return None


def subdomain_free(world: World, subdomain: str) -> bool:
    """Whether a subdomain can be had: unique in the world, soft-deleted accounts included."""
    return subdomain.lower() not in world.subdomains


# --- what a write comes to -----------------------------------------------------------------------------------------


def _create(
    world: World, caller: Caller, resource_id: str, region: str, body: bodies.Account
) -> tuple[Account, Operation]:
    parts = resource_id.split("/")
    if body.properties.restore:
        raise errors.NOTHING_TO_RESTORE(id=resource_id)
    if body.kind is None or body.sku is None:
        absent = "kind" if body.kind is None else "sku"
        raise errors.BAD_JSON(fact=f"Required property '{absent}' not found in JSON")
    stamp = caller.stamp(world.now())
    blank = Account(
        id=resource_id,
        name=parts[8],
        group=parts[4],
        subscription=parts[2].lower(),
        location=region,
        kind="",
        sku={"name": SKU},
        properties={},
        created=stamp,
        modified=stamp,
        internal_id=secrets.token_hex(16),
        keys=[_new_key(), _new_key()],
        etag=0,
    )
    wanted = _wanted(world, caller, blank, body, kept={})
    _require_account_quota(world, wanted)
    return _settle_later(world, caller, wanted, "Creating", world.switches.account_create)


def _restore(world: World, caller: Caller, account: Account, body: bodies.Account) -> tuple[Account, Operation]:
    if not body.properties.restore:
        raise errors.SOFT_DELETED(id=account.id)
    if account.purging:
        raise errors.PURGE_BUSY(account=account.id)
    wanted = _wanted(world, caller, account, body, kept=account.properties)
    wanted.deleted_at = wanted.purge_at = None
    _require_account_quota(world, wanted)
    if not world.switches.restore_brings_deployments:
        for deployment in world.deployments.of(ids.key(account.id)):
            world.deployments.drop(ids.key(deployment.id))
    return _settle_later(world, caller, wanted, "Creating", world.switches.account_create)


def _wanted(world: World, caller: Caller, account: Account, body: bodies.Account, kept: Json) -> Account:
    """The account as the body wants it, on top of the properties `kept`; or the first reason why it cannot be."""
    given = bodies.given(body.properties)
    given.pop("restore", None)
    kind = _kind(account.kind, body.kind)
    properties = {**kept, **given}
    subdomain = _subdomain(world, account, body.properties.custom_sub_domain_name)
    if subdomain is not None:
        properties["customSubDomainName"] = subdomain
    _require_sound_rules(properties)
    return msgspec.structs.replace(
        account,
        kind=kind,
        sku=_sku(kind, body.sku) if body.sku is not None else account.sku,
        properties=properties,
        identity=_identity(world, caller, account, body.identity) if body.identity is not None else account.identity,
        tags=account.tags if body.tags is None else tags.require(body.tags),
        modified=caller.stamp(world.now()),
        etag=account.etag + 1,
    )


def _kind(current: str, wanted: str | None) -> str:
    if wanted is None:
        return current
    kind = next((k for k in KINDS if k.lower() == wanted.lower()), None)
    if kind is None:
        raise errors.BAD_KIND(kind=wanted)
    upgrade = (current, kind) == ("OpenAI", "AIServices")  # the one change that Microsoft's pages offer
    if current not in {"", kind} and not upgrade:
        raise errors.KIND_FIXED()
    return kind


def _sku(kind: str, wanted: bodies.Sku) -> Json:
    if wanted.name.upper() != SKU:
        raise errors.BAD_ACCOUNT_SKU(sku=wanted.name, kind=kind)
    return {"name": SKU}


def _subdomain(world: World, account: Account, wanted: str | None) -> str | None:
    """The subdomain of the account: once taken it stays, and nobody else's can be taken."""
    held: str | None = account.properties.get("customSubDomainName")
    if wanted is None or (held is not None and held.lower() == wanted.lower()):
        return held
    if held is not None:
        raise errors.SUBDOMAIN_FIXED(subdomain=held)
    if not _SUBDOMAIN.fullmatch(wanted):
        raise errors.SUBDOMAIN_INVALID(subdomain=wanted)
    if not subdomain_free(world, wanted):
        raise errors.SUBDOMAIN_TAKEN(subdomain=wanted)
    return wanted


def _require_sound_rules(properties: Json) -> None:
    rules = properties.get("networkAcls")
    if rules is None:
        return
    if "customSubDomainName" not in properties:
        raise errors.RULES_WITHOUT_SUBDOMAIN()
    for rule in rules.get("ipRules", []):
        try:
            ip_network(rule["value"], strict=False)
        except ValueError:
            raise errors.BAD_REQUEST(fact=f"The value '{rule['value']}' is no IP address or range.") from None
    for rule in rules.get("virtualNetworkRules", []):
        if not _SUBNET.fullmatch(rule["id"]):
            raise errors.BAD_REQUEST(fact=f"The value '{rule['id']}' is no id of a subnet.")


def _identity(world: World, caller: Caller, account: Account, wanted: bodies.Identity) -> Json:
    """The identity as answered; `_keep` makes a system-assigned one a principal of the directory."""
    identity: Json = {"type": wanted.type}
    if "SystemAssigned" in wanted.type:
        before = account.identity or {}
        identity["principalId"] = before.get("principalId") or ids.new_guid()
        identity["tenantId"] = groups.subscription(world, account.subscription).tenant
    if wanted.user_assigned_identities:
        identity["userAssignedIdentities"] = {
            resource_id: _user_identity(world, caller, account, resource_id)
            for resource_id in wanted.user_assigned_identities
        }
    return identity


def _user_identity(world: World, caller: Caller, account: Account, resource_id: str) -> Json:
    """What is shown of a user-assigned identity; to give it to an account takes a right at the identity too."""
    if not roles.allowed(world, caller.principal, ASSIGN_IDENTITY, resource_id, world.now()):
        raise errors.NOT_ALLOWED_AT_SOURCE(
            client=caller.client or caller.principal,
            oid=caller.principal,
            action=f"{ids.ACCOUNTS}/write",
            scope=account.id,
            linked_action=ASSIGN_IDENTITY,
            linked=resource_id,
        )
    found = world.generic.get(ids.key(resource_id))
    if found is None:
        raise errors.BAD_REQUEST(fact=f"The user assigned identity '{resource_id}' was not found.")
    properties = found.body.get("properties", {})
    return {"principalId": properties.get("principalId"), "clientId": properties.get("clientId")}


def _require_same_region(account: Account, region: str) -> None:
    if account.location != region:
        raise errors.ACCOUNT_ELSEWHERE(
            name=account.name, existing=account.location, group=account.group, location=region
        )


def _require_account_quota(world: World, wanted: Account) -> None:
    limit = quotas.limit(world, wanted.subscription, wanted.location, f"{wanted.kind}.S0.AccountCount")
    region = world.accounts.of(f"{wanted.subscription}/{wanted.location}")
    others = (a for a in region if ids.key(a.id) != ids.key(wanted.id))
    if sum(a.kind == wanted.kind for a in others) >= limit:  # a deleted one counts until it is purged
        raise errors.ACCOUNT_LIMIT(kind=wanted.kind, region=wanted.location, limit=limit)


# --- how it is kept ------------------------------------------------------------------------------------------------


def _keep(world: World, caller: Caller, account: Account) -> Account:
    key = ids.key(account.id)
    _keep_identity(world, account, world.accounts.get(key))
    subdomain = account.properties.get("customSubDomainName")
    if subdomain is not None:
        world.subdomains[subdomain.lower()] = key
    world.accounts.put(key, account)
    world.record(f"{ids.ACCOUNTS}/write", account.id, caller, account.settled_at)
    return account


def _keep_changed(world: World, caller: Caller, wanted: Account) -> tuple[Account, Operation | None]:
    """Keep a changed account; without a switch that says otherwise it is done at once."""
    if not world.switches.account_update:
        return _keep(world, caller, wanted), None
    return _settle_later(world, caller, wanted, "Accepted", world.switches.account_update)


def _keep_identity(world: World, account: Account, before: Account | None) -> None:
    """Keep the directory's principal of a system-assigned identity in step with the account."""
    old = ((before.identity or {}) if before else {}).get("principalId")
    new = (account.identity or {}).get("principalId")
    if old is not None and old != new:
        world.principals.drop(old)
    if new is not None and world.principals.get(new) is None:
        tenant = groups.subscription(world, account.subscription).tenant
        made = Principal(id=new, tenant=tenant, name=account.name, client_id=ids.new_guid())
        world.principals.put(new, made)


def _settle_later(
    world: World, caller: Caller, account: Account, writing: str, seconds: float
) -> tuple[Account, Operation]:
    account.writing = writing
    account.settled_at = world.now() + timedelta(seconds=seconds)
    return _keep(world, caller, account), world.start_operation(account.id, account.location, seconds)


def _new_key() -> str:
    return secrets.token_hex(16)
