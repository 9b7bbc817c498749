"""Uploads in parts: a file that comes piece by piece, and is a file of its account when it is complete."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime, timedelta

from infra.localazure import errors, files, ids
from infra.localazure.entities import Account, File, Upload, UploadPart
from infra.localazure.world import World

LIFETIME = timedelta(hours=2)
"""How long after its start an upload that is not complete is dropped (azureopenai authoring 2024-10-21)."""
MOST = 9 * 1024**3
"""Bytes of an upload (the same)."""
MOST_OF_PART = 64 * 1024**2
"""Bytes of a part (openai 3.54 cuts files so; not confirmed of Azure)."""
EXPIRED = "upload expires"


def wire_up(world: World) -> None:
    """Schedule the ends of uploads of a state that was read."""
    world.on_due(EXPIRED, _expire_if_due)
    for upload in world.uploads:
        if upload.status == "pending":
            world.schedule(expires_at(upload), EXPIRED, _key(upload))


def expires_at(upload: Upload) -> datetime:
    """When it is dropped, unless it is complete by then."""
    return upload.created + LIFETIME


def start(world: World, account: Account, filename: str, purpose: str, size: int) -> Upload:
    """Begin an upload of so many bytes."""
    if size > MOST:
        raise errors.FILE_TOO_LARGE(limit=MOST)
    files.require_room(world, account, size)
    upload = Upload(
        id=f"{purpose}-{secrets.token_hex(16)}",
        account=ids.key(account.id),
        created=world.now(),
        filename=filename,
        purpose=purpose,
        size=size,
    )
    world.uploads.put(_key(upload), upload)
    world.schedule(expires_at(upload), EXPIRED, _key(upload))
    return upload


def get(world: World, account: Account, upload_id: str) -> Upload:
    """The upload of that id, or its 404."""
    found = world.uploads.get(f"{ids.key(account.id)}|{upload_id}")
    if found is None:
        raise errors.NO_UPLOAD(upload=upload_id)
    return found


def pending(world: World, account: Account, upload_id: str) -> Upload:
    """The upload of that id, if something can still be done with it."""
    found = get(world, account, upload_id)
    if found.status != "pending":
        raise errors.UPLOAD_OVER(upload=found.id, status=found.status)
    return found


def add(world: World, upload: Upload, piece: str) -> UploadPart:
    """A part of it; parts come in any order, and one that was sent twice is two parts."""
    block = base64.b64encode(secrets.token_bytes(16)).decode()
    part = UploadPart(id=f"uplprt-{secrets.token_hex(16)}", block=block, piece=piece, size=world.contents.size([piece]))
    upload.parts.append(part)
    world.uploads.put(_key(upload), upload)
    return part


def complete(world: World, account: Account, upload: Upload, part_ids: list[str], md5: str | None) -> File:
    """Make a file of the parts named, in this order; what else was sent is dropped."""
    known = {name: part for part in upload.parts for name in (part.id, part.block)}
    absent = [name for name in part_ids if name not in known]
    if absent:
        raise errors.UPLOAD_WRONG(upload=upload.id, fact=f"there is no part {', '.join(absent)}")
    chosen = [known[name] for name in part_ids]
    if len({part.id for part in chosen}) < len(chosen):
        raise errors.UPLOAD_WRONG(upload=upload.id, fact="a part is named twice")
    size = sum(part.size for part in chosen)
    if size != upload.size:
        raise errors.UPLOAD_WRONG(upload=upload.id, fact=f"its parts have {size} bytes, announced were {upload.size}")
    pieces = [part.piece for part in chosen]
    if md5 is not None:
        found = hashlib.md5(usedforsecurity=False)
        for chunk in world.contents.read(pieces):
            found.update(chunk)
        if md5 not in {found.hexdigest(), base64.b64encode(found.digest()).decode()}:
            raise errors.UPLOAD_WRONG(upload=upload.id, fact=f"the md5 of its parts is {found.hexdigest()}, not {md5}")
    files.require_room(world, account, size)
    file = files.add(world, account, upload.filename, upload.purpose, pieces)
    upload.parts = [part for part in upload.parts if part not in chosen]
    _end(world, upload, "completed", file.id)
    return file


def cancel(world: World, upload: Upload) -> None:
    """Drop an upload and its parts."""
    _end(world, upload, "cancelled")


def forget(world: World, account_key: str) -> None:
    """Drop the uploads of an account that is no more."""
    for upload in world.uploads.of(account_key):
        world.uploads.drop(_key(upload))
        world.contents.drop(part.piece for part in upload.parts)


def _end(world: World, upload: Upload, status: str, file: str | None = None) -> None:
    """What the file took is no part of it any more; the rest is dropped."""
    rest, upload.parts = upload.parts, []
    upload.status, upload.file = status, file
    world.uploads.put(_key(upload), upload)
    world.contents.drop(part.piece for part in rest)


def _key(upload: Upload) -> str:
    return f"{upload.account}|{upload.id}"


def _expire_if_due(world: World, key: str) -> None:
    upload = world.uploads.get(key)
    if upload is not None and upload.status == "pending" and expires_at(upload) <= world.now():
        _end(world, upload, "expired")
