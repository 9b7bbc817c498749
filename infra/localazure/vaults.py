"""Key vaults and their keys, as the resource manager shows them; what is done with a key itself is not here.

A vault that is deleted keeps its name, its keys and a way back for as long as its retention says. From Key Vault's REST
reference (Microsoft.KeyVault 2024-11-01) and its pages on soft delete and on purge protection.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from infra.localazure import errors, ids
from infra.localazure.entities import GenericResource, Json
from infra.localazure.world import Caller, World

VAULTS, KEYS = "Microsoft.KeyVault/vaults", "Microsoft.KeyVault/vaults/keys"
DELETED = "Microsoft.KeyVault/deletedVaults"
KINDS = ("RSA", "RSA-HSM", "EC", "EC-HSM")
_NAME = re.compile(r"[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]")
_KEY_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_LONGEST, _SHORTEST = 90, 7
_OPERATIONS = ["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"]


def require_sound(world: World, made: GenericResource, existing: GenericResource | None) -> None:
    """Refuse a vault or key that Key Vault would not make, or not change so. `made` has the properties as given."""
    given: Json = made.body.get("properties") or {}
    if made.type == KEYS:
        if not _KEY_NAME.fullmatch(made.name):
            raise errors.BAD_NAME(name=made.name, pattern=_KEY_NAME.pattern, least=1, most=127)
        if existing is None and given.get("kty") not in KINDS:
            raise errors.BAD_PROPERTY(fact=f"A key's kty is one of {', '.join(KINDS)}.")
        return
    if not _NAME.fullmatch(made.name):
        raise errors.BAD_VAULT_NAME(name=made.name)
    recovers = given.get("createMode") == "recover"
    if existing is None:
        _require_free_name(world, made, recovers=recovers)
    if not recovers and not (given.get("tenantId") and isinstance(given.get("sku"), dict)):
        raise errors.BAD_PROPERTY(fact="A vault needs properties.tenantId and properties.sku.")
    before = existing.body["properties"] if existing is not None else {}
    _require_no_step_back(given, before)


def added(world: World, made: GenericResource, before: Json) -> Json:
    """What the service adds to the properties of a vault or a key."""
    if made.type == KEYS:
        return _added_to_key(world, made, before)
    given: Json = made.body.get("properties") or {}
    return {
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": given.get("softDeleteRetentionInDays")
        or before.get("softDeleteRetentionInDays", _LONGEST),
        "enableRbacAuthorization": given.get("enableRbacAuthorization", before.get("enableRbacAuthorization", False)),
        "vaultUri": f"https://{made.name.lower()}.vault.azure.net/",
        "provisioningState": "Succeeded",
    }


def bury(world: World, vault: GenericResource, keys: list[GenericResource], caller: Caller) -> None:
    """Keep a vault that is being deleted, with its keys, until its retention is over."""
    made = GenericResource(
        id=_deleted_id(vault),
        type=DELETED,
        name=vault.name,
        body={"id": vault.id, "vault": vault.body, "keys": [{"id": key.id, "body": key.body} for key in keys]},
        created=vault.created,
        modified=caller.stamp(world.now()),
    )
    world.generic.put(ids.key(made.id), made)


def raised(world: World, caller: Caller, made: GenericResource) -> Json:
    """Bring back the keys of a deleted vault that is made again with createMode recover; its old properties."""
    found = _deleted(world, made.name)
    if found is None:
        return {}
    for key in found.body["keys"]:
        stamp = caller.stamp(world.now())
        back = GenericResource(
            id=key["id"], type=KEYS, name=key["id"].rsplit("/", 1)[-1], body=key["body"], created=stamp, modified=stamp
        )
        world.generic.put(ids.key(back.id), back)
    world.generic.drop(ids.key(found.id))
    properties: Json = found.body["vault"]["properties"]
    return properties


def deleted_vaults(world: World, subscription: str) -> list[GenericResource]:
    """The deleted vaults of a subscription that can still be brought back."""
    found = [g for g in world.generic if g.type == DELETED and ids.subscription_of(g.id) == subscription.lower()]
    return [one for one in found if not _forgotten(world, one)]


def deleted_vault(world: World, subscription: str, location: str, name: str) -> GenericResource:
    """A deleted vault, or what Key Vault says where there is none."""
    found = _deleted(world, name)
    if found is None or ids.subscription_of(found.id) != subscription.lower() or _location(found) != location.lower():
        raise errors.NO_DELETED_VAULT(name=name)
    return found


def purge(world: World, caller: Caller, found: GenericResource) -> None:
    """Forget a deleted vault for good; one that is protected from that stays until its retention is over."""
    if found.body["vault"]["properties"].get("enablePurgeProtection"):
        raise errors.PURGE_PROTECTED(name=found.name)
    world.generic.drop(ids.key(found.id))
    world.record("Microsoft.KeyVault/locations/deletedVaults/purge/action", found.id, caller)


def shown(found: GenericResource) -> Json:
    """A deleted vault as its lists show it."""
    vault: Json = found.body["vault"]
    until = _until(found)
    properties = {
        "vaultId": found.body["id"],
        "location": vault["location"],
        "deletionDate": found.modified.at.isoformat(),
        "scheduledPurgeDate": until.isoformat(),
        "purgeProtectionEnabled": bool(vault["properties"].get("enablePurgeProtection")),
        "tags": vault.get("tags") or {},
    }
    return {"id": found.id, "name": found.name, "type": DELETED, "properties": properties}


# --- inside --------------------------------------------------------------------------------------------------------


def _require_free_name(world: World, made: GenericResource, *, recovers: bool) -> None:
    """A vault's name is part of an address: it is had once in all of Azure, by the deleted ones too."""
    if any(g.type == VAULTS and g.name.lower() == made.name.lower() for g in world.generic):
        raise errors.VAULT_TAKEN(name=made.name)
    deleted = _deleted(world, made.name)
    if recovers and (deleted is None or ids.key(deleted.body["id"]) != ids.key(made.id)):
        raise errors.NO_VAULT_TO_RECOVER(name=made.name)
    if deleted is not None and not recovers:
        raise errors.VAULT_DELETED()


def _require_no_step_back(given: Json, before: Json) -> None:
    if given.get("enablePurgeProtection") is False:
        raise errors.BAD_PROPERTY(
            fact='The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a '
            "vault is an irreversible action."
        )
    if given.get("enableSoftDelete") is False:
        raise errors.BAD_PROPERTY(fact='The property "enableSoftDelete" can be set to false only for an older vault.')
    days, had = given.get("softDeleteRetentionInDays"), before.get("softDeleteRetentionInDays")
    if days is not None and had is not None and days != had:
        raise errors.BAD_PROPERTY(
            fact='The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.'
        )
    if days is not None and not (isinstance(days, int) and _SHORTEST <= days <= _LONGEST):
        raise errors.BAD_PROPERTY(fact=f"softDeleteRetentionInDays is from {_SHORTEST} to {_LONGEST}.")


def _added_to_key(world: World, made: GenericResource, before: Json) -> Json:
    """The first version is made once; a later PUT finds it and writes nothing (Keys - Create If Not Exist)."""
    if before:
        return before
    vault = made.id.split("/")[-3].lower()
    given: Json = made.body.get("properties") or {}
    address = f"https://{vault}.vault.azure.net/keys/{made.name}"
    born = int(world.now().timestamp())
    size = {"keySize": given.get("keySize", 2048)} if str(given.get("kty", "")).startswith("RSA") else {}
    attributes = {"enabled": True, "exportable": False, **(given.get("attributes") or {})}
    return {
        **size,
        "keyOps": given.get("keyOps", _OPERATIONS),
        "attributes": {**attributes, "created": born, "updated": born},
        "keyUri": address,
        "keyUriWithVersion": f"{address}/{secrets.token_hex(16)}",
    }


def _deleted(world: World, name: str) -> GenericResource | None:
    for one in world.generic:
        if one.type == DELETED and one.name.lower() == name.lower() and not _forgotten(world, one):
            return one
    return None


def _forgotten(world: World, found: GenericResource) -> bool:
    return _until(found) <= world.now()


def _until(found: GenericResource) -> datetime:
    return found.modified.at + timedelta(days=found.body["vault"]["properties"]["softDeleteRetentionInDays"])


def _location(found: GenericResource) -> str:
    return str(found.body["vault"]["location"]).lower()


def _deleted_id(vault: GenericResource) -> str:
    where = f"/subscriptions/{ids.subscription_of(vault.id)}/providers/Microsoft.KeyVault"
    return f"{where}/locations/{vault.body['location']}/deletedVaults/{vault.name}"
