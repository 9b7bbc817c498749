"""Blobs: as much of a storage account as an import of files needs, with logins by token and by signature.

Signatures are those that a user delegation key makes; account keys are not here. They follow the machine's clock, as
tokens do, because clients write the times in them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

from infra.localazure import errors, roles
from infra.localazure.entities import Blob, GenericResource
from infra.localazure.world import Caller, World

HOST = ".blob.core.windows.net"
STORAGE = "Microsoft.Storage/storageAccounts"
SERVICE = f"{STORAGE}/blobServices"
CONTAINERS = f"{SERVICE}/containers"
BLOBS = f"{SERVICE}/containers/blobs"
DELEGATE = f"{SERVICE}/generateUserDelegationKey/action"
VERBS = {"r": "read", "w": "write", "c": "write", "d": "delete"}
"""What a letter of a signature's permissions allows."""
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]|\$root|\$web")
_LONGEST = timedelta(days=7)
"""How long a user delegation key lasts at most."""
_SKEW = timedelta(minutes=5)


class NotFetched(Exception):
    """What an address names could not be had; the text says why."""


@dataclass(frozen=True, slots=True)
class DelegationKey:
    """A key that its owner signs addresses with: whose it is, and from when to when."""

    oid: str
    tenant: str
    start: str
    expiry: str
    version: str
    service: str = "b"


def storage(world: World, host: str) -> GenericResource:
    """The storage account behind a host name."""
    name = host.lower().removesuffix(HOST)
    found = next((g for g in world.generic if g.type == STORAGE and g.name.lower() == name), None)
    if found is None:
        raise errors.NO_STORAGE()
    return found


def get(world: World, host: str, container: str, name: str) -> Blob:
    """The blob of that name."""
    require_container(world, host, container)
    found = world.blobs.get(_key(host, container, name))
    if found is None:
        raise errors.NO_BLOB()
    return found


def require_container(world: World, host: str, container: str) -> None:
    """Refuse where there is no such container."""
    if world.blobs.get(_key(host, container, "")) is None:
        raise errors.NO_CONTAINER()


def require_sound(world: World, made: GenericResource, existing: GenericResource | None) -> None:
    """Refuse a storage account that Storage would not make: its name is part of an address, had once in all Azure."""
    if made.type == CONTAINERS:
        if not _CONTAINER.fullmatch(made.name):
            raise errors.BAD_NAME(name=made.name, pattern=_CONTAINER.pattern, least=3, most=63)
        return
    if not _ACCOUNT.fullmatch(made.name):
        raise errors.BAD_STORAGE_NAME(name=made.name)
    if existing is None and any(g.type == STORAGE and g.name.lower() == made.name for g in world.generic):
        raise errors.STORAGE_TAKEN(name=made.name)


def keep(world: World, made: GenericResource) -> None:
    """Let the container that the resource manager was given be there for blobs too."""
    host, container = _named(made)
    if world.blobs.get(_key(host, container, "")) is None:
        make_container(world, host, container)


def forget(world: World, gone: GenericResource) -> None:
    """Drop a container that the resource manager has deleted, or a storage account's all, with the blobs in them."""
    host, container = _named(gone)
    for blob in world.blobs.of(host):
        if container in {"", blob.container}:
            world.blobs.drop(_key(host, blob.container, blob.name))
            if blob.piece is not None:
                world.contents.drop([blob.piece])


def make_container(world: World, host: str, container: str) -> None:
    """A container, with nothing in it."""
    if world.blobs.get(_key(host, container, "")) is not None:
        raise errors.CONTAINER_EXISTS()
    made = Blob(host=host, container=container, name="", piece=None, size=0, created=world.now())
    world.blobs.put(_key(host, container, ""), made)


def put(world: World, host: str, container: str, name: str, piece: str, content_type: str) -> Blob:
    """A blob of this content, in the place of one that had the name."""
    require_container(world, host, container)
    before = world.blobs.get(_key(host, container, name))
    size = world.contents.size([piece])
    made = Blob(
        host=host, container=container, name=name, piece=piece, size=size, created=world.now(),
        content_type=content_type,
    )  # fmt: skip
    world.blobs.put(_key(host, container, name), made)
    if before is not None and before.piece is not None:
        world.contents.drop([before.piece])
    return made


def delete(world: World, host: str, container: str, name: str) -> None:
    """Forget a blob."""
    found = get(world, host, container, name)
    world.blobs.drop(_key(host, container, name))
    if found.piece is not None:
        world.contents.drop([found.piece])


def fetched(world: World, url: str, at: datetime) -> Blob:
    """The blob that an address names and its signature opens at a moment of the machine's; raises NotFetched.

    Nothing leaves the machine: other addresses than those of blobs that are here are refused.
    """
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), unquote(parts.path).strip("/")
    if host == "localhost" or not host.endswith(HOST):
        host, _, path = path.partition("/")  # the address that local Azure itself gives: the host is its first segment
        host = host.lower()
    container, _, name = path.partition("/")
    if not host.endswith(HOST) or not container or not name:
        raise NotFetched("The address is none of a blob of this local Azure; nothing is fetched from elsewhere.")
    try:
        found = storage(world, host)
        require_signed(world, found, host, container, name, "r", dict(parse_qsl(parts.query)), at)
        return get(world, host, container, name)
    except errors.AzureError as error:
        raise NotFetched(f"{error.code}: {error.message}") from error


# --- who may -------------------------------------------------------------------------------------------------------


def require_allowed(world: World, account: GenericResource, container: str, caller: Caller, verb: str) -> None:
    """Refuse a caller with a token who may not do that with blobs of the container, by a role there or above."""
    scope = f"{account.id}/blobServices/default/containers/{container}"
    if not roles.allowed(world, caller.principal, f"{BLOBS}/{verb}", scope, world.now(), data=True):
        raise errors.BLOB_NOT_ALLOWED()


def delegate(world: World, account: GenericResource, caller: Caller, start: str, expiry: str, version: str) -> str:
    """A user delegation key's value for a caller who may have one."""
    if not roles.allowed(world, caller.principal, DELEGATE, account.id, world.now()):
        raise errors.BLOB_NOT_ALLOWED()
    until = _moment(expiry)
    if until is None or until > world.clock.real_now() + _LONGEST + _SKEW:
        raise errors.BAD_BLOB_REQUEST(fact="A user delegation key needs an Expiry within 7 days.")
    return key_value(world, account, DelegationKey(caller.principal, caller.tenant, start, expiry, version))


def key_value(world: World, account: GenericResource, key: DelegationKey) -> str:
    """The secret of a user delegation key: worked out anew each time, so nothing is kept."""
    told = "\n".join((account.id.lower(), key.oid, key.tenant, key.start, key.expiry, key.service, key.version))
    secret = f"{account.id.lower()}|{account.created.at.isoformat()}"
    return base64.b64encode(hmac.new(secret.encode(), told.encode(), hashlib.sha256).digest()).decode()


def require_signed(
    world: World,
    account: GenericResource,
    host: str,
    container: str,
    name: str,
    permission: str,
    query: dict[str, str],
    at: datetime,
) -> None:
    """Refuse an address whose signature is none, is of something else, is out of its time or allows too little."""
    if "sig" not in query or not query.get("skoid"):
        raise errors.BLOB_FORBIDDEN()
    key = DelegationKey(
        query["skoid"], query.get("sktid", ""), query.get("skt", ""), query.get("ske", ""), query.get("skv", ""),
        query.get("sks", ""),
    )  # fmt: skip
    given = query["sig"].encode("utf-8", "surrogatepass")
    made = _signatures(key_value(world, account, key), host, container, name, query)
    if not any(hmac.compare_digest(one.encode(), given) for one in made):
        raise errors.BLOB_FORBIDDEN()
    starts = [_moment(query[word]) for word in ("st", "skt") if query.get(word)]
    ends = [_moment(query.get(word, "")) for word in ("se", "ske")]
    if any(end is None or at > end for end in ends) or any(start is None or at < start - _SKEW for start in starts):
        raise errors.BLOB_FORBIDDEN()
    if permission not in query.get("sp", ""):
        raise errors.BLOB_NOT_ALLOWED()
    signer = Caller(principal=key.oid, tenant=key.tenant)
    require_allowed(
        world, account, container, signer, VERBS[permission]
    )  # a signature allows no more than its signer may


def _signatures(secret: str, host: str, container: str, name: str, query: dict[str, str]) -> list[str]:
    """What the key signs (Storage's page on user delegation SAS; azure-storage-blob 12.31).

    Later versions sign more lines, first of delegated users, then of request headers; which version began with which
    is not told, so each way of writing it is taken.
    """
    place = f"/blob/{host.removesuffix(HOST)}/{container}" + (f"/{name}" if query.get("sr") == "b" else "")

    def lines(*words: str) -> list[str]:
        return [query.get(word, "") for word in words]

    head = [*lines("sp", "st", "se"), place]
    head += lines("skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid")
    middle = [*lines("sip", "spr", "sv", "sr"), "", *lines("ses")]
    tail = lines("rscc", "rscd", "rsce", "rscl", "rsct")
    users = lines("skdutid", "sduoid")
    told = ([*head, *middle, *tail], [*head, *users, *middle, *tail], [*head, *users, *middle, "", "", *tail])
    key = base64.b64decode(secret)
    return [
        base64.b64encode(
            hmac.new(key, "\n".join(one).encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        ).decode()
        for one in told
    ]


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _key(host: str, container: str, name: str) -> str:
    return f"{host.lower()}|{container}|{name}"


def _named(found: GenericResource) -> tuple[str, str]:
    """The host that a container is on, and its name; no name for an account."""
    parts = found.id.strip("/").split("/")
    return parts[7].lower() + HOST, found.name if found.type == CONTAINERS else ""
