"""The blob endpoint: containers and blobs, as much of it as an import of files needs.

`/{account}.blob.core.windows.net/{container}/{blob}`, by token, or for one blob by a signature in the address. A blob
is put in one request; there are no blocks, no lists and no ranges.
"""

from __future__ import annotations

import email.utils
from collections.abc import AsyncIterator
from xml.sax.saxutils import escape

from infra.localazure import blobs, errors
from infra.localazure.directory import bearer
from infra.localazure.entities import Blob, GenericResource
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router
from infra.localazure.world import Caller

AUDIENCE = "https://storage.azure.com"
XML = "application/xml"


def is_host(segment: str) -> bool:
    """Whether the first segment of a path names a storage account's blobs."""
    return segment.lower().endswith(blobs.HOST)


def folded(segments: list[str]) -> list[str]:
    """The segments with a blob's name, slashes and all, as the third one."""
    return [*segments[:2], "/".join(segments[2:])] if len(segments) > 3 else segments


def find(call: Call, segments: list[str]) -> Route:
    """The route of a call."""
    found, call.params = ROUTER.find(call.method, folded(segments))
    return found


# --- handlers ------------------------------------------------------------------------------------------------------


def delegation_key(call: Call) -> Answer:
    """A user delegation key, for whoever logs in with a token."""
    if call.argument("comp") != "userdelegationkey":
        raise errors.BAD_BLOB_REQUEST(fact="Of the service there are user delegation keys alone.")
    account = _account(call)
    caller = _logged_in(call)
    start, expiry = _between(call.body, "Start"), _between(call.body, "Expiry")
    version = call.headers.get("x-ms-version", "")
    value = blobs.delegate(call.world, account, caller, start, expiry, version)
    rows = {
        "SignedOid": caller.principal, "SignedTid": caller.tenant, "SignedStart": start, "SignedExpiry": expiry,
        "SignedService": "b", "SignedVersion": version, "Value": value,
    }  # fmt: skip
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in rows.items())
    return Answer(raw=_xml(f"<UserDelegationKey>{inner}</UserDelegationKey>"), content_type=XML)


def make_container(call: Call) -> Answer:
    """A container."""
    if call.argument("restype") != "container":
        raise errors.BAD_BLOB_REQUEST(fact="A container is made with restype=container.")
    account = _account(call)
    blobs.require_allowed(call.world, account, call.params["container"], _logged_in(call), "write")
    blobs.make_container(call.world, _host(call), call.params["container"])
    return Answer(201, headers=_headers(call, None))


def put_blob(call: Call) -> Answer:
    """A block blob, in one piece."""
    _require(call, "w")
    if call.headers.get("x-ms-blob-type") != "BlockBlob" or call.argument("comp"):
        raise errors.BAD_BLOB_REQUEST(fact="Blobs are put in one piece, as BlockBlob, here.")
    if call.sent is None:
        raise errors.BAD_BLOB_REQUEST(fact="There is no content.")
    call.sent.require_sound()
    kind = call.headers.get("x-ms-blob-content-type") or call.headers.get("content-type") or "application/octet-stream"
    blobs.require_container(call.world, _host(call), call.params["container"])
    piece = call.sent.take("body", call.world.contents)
    made = blobs.put(call.world, _host(call), call.params["container"], call.params["blob"], piece, kind)
    return Answer(201, headers=_headers(call, made))


def get_blob(call: Call) -> Answer:
    """A blob."""
    found = _require(call, "r")
    pieces = [found.piece] if found.piece else []

    async def stream() -> AsyncIterator[bytes]:
        for chunk in call.world.contents.read(pieces):
            yield chunk

    headers = {**_headers(call, found), "content-length": str(found.size), "x-ms-blob-type": "BlockBlob"}
    return Answer(stream=stream(), content_type=found.content_type, headers=headers)


def head_blob(call: Call) -> Answer:
    """What is known of a blob."""
    found = _require(call, "r")
    about = {"content-length": str(found.size), "content-type": found.content_type, "x-ms-blob-type": "BlockBlob"}
    return Answer(headers={**_headers(call, found), **about})


def delete_blob(call: Call) -> Answer:
    """A blob, deleted."""
    _require(call, "d")
    blobs.delete(call.world, _host(call), call.params["container"], call.params["blob"])
    return Answer(202, headers=_headers(call, None))


# --- who may -------------------------------------------------------------------------------------------------------


def _require(call: Call, permission: str) -> Blob:
    """Let a call at a blob in, by signature or token; gives the blob where it is to be read or deleted."""
    account, host = _account(call), _host(call)
    container, name = call.params["container"], call.params["blob"]
    if "sig" in call.query:
        at = call.world.clock.real_now()
        blobs.require_signed(call.world, account, host, container, name, permission, call.query, at)
    else:
        blobs.require_allowed(call.world, account, container, _logged_in(call), blobs.VERBS[permission])
    if permission == "w":
        return Blob(host=host, container=container, name=name, piece=None, size=0, created=call.now)
    return blobs.get(call.world, host, container, name)


def _logged_in(call: Call) -> Caller:
    token = bearer(call.headers.get("authorization"))
    if token is None:
        challenge = f'Bearer authorization_uri="{call.world.origin}/common" resource_id="{AUDIENCE}"'
        raise errors.NO_BLOB_LOGIN({"www-authenticate": challenge})
    try:
        call.caller = call.app.directory.caller(token, (AUDIENCE,))
    except errors.AzureError as error:
        raise errors.BLOB_FORBIDDEN() from error
    return call.caller


def _account(call: Call) -> GenericResource:
    return blobs.storage(call.world, _host(call))


def _host(call: Call) -> str:
    return call.params["host"].lower()


def _headers(call: Call, blob: Blob | None) -> dict[str, str]:
    headers = {"x-ms-version": call.headers.get("x-ms-version", "2024-11-04")}
    if blob is None:
        return headers
    at = email.utils.format_datetime(blob.created, usegmt=True)
    return {**headers, "last-modified": at, "etag": f'"0x{(blob.piece or "0")[:15].upper()}"', "accept-ranges": "none"}


def _between(body: bytes, name: str) -> str:
    """The text of an element of a small XML body, without a parser for what a stranger sends."""
    text = body.decode("utf-8", "replace")
    return text.partition(f"<{name}>")[2].partition(f"</{name}>")[0].strip()


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()


def refusal(code: str, message: str) -> bytes:
    """The body of a refusal."""
    return _xml(f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>")


_CLIENT = "azure-storage-blob 12.31"
_BLOB = "/{host}/{container}/{blob}"
ROUTES = [
    Route("POST", "/{host}", delegation_key, blobs.DELEGATE, _CLIENT),
    Route("PUT", "/{host}/{container}", make_container, f"{blobs.BLOBS}/write", _CLIENT),
    Route("PUT", _BLOB, put_blob, f"{blobs.BLOBS}/write", _CLIENT),
    Route("GET", _BLOB, get_blob, f"{blobs.BLOBS}/read", _CLIENT),
    Route("HEAD", _BLOB, head_blob, f"{blobs.BLOBS}/read", _CLIENT),
    Route("DELETE", _BLOB, delete_blob, f"{blobs.BLOBS}/delete", _CLIENT),
]
ROUTER = Router(ROUTES)
