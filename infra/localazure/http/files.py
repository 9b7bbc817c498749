"""Files and uploads on the wire (azureopenai authoring 2024-10-21)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from infra.localazure import errors, files, finetuning, uploads
from infra.localazure.entities import Account, File, Json, Upload
from infra.localazure.http import lists, versions
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.forms import Sent

UPLOADS_SINCE = "2024-10-01-preview"
"""The first classic api-version whose description has uploads."""
Name = Annotated[str, Meta(min_length=1, max_length=1024)]


class Import(msgspec.Struct):
    """POST files/import."""

    purpose: str
    filename: Name
    content_url: Annotated[str, Meta(min_length=1)]


class Start(msgspec.Struct):
    """POST uploads."""

    purpose: str
    filename: Name
    bytes: Annotated[int, Meta(ge=1)]
    mime_type: Name


class Complete(msgspec.Struct):
    """POST uploads/{id}/complete."""

    part_ids: Annotated[list[str], Meta(min_length=1)]
    md5: str | None = None


# --- files ---------------------------------------------------------------------------------------------------------


def list_files(call: Call, account: Account) -> Answer:
    """The files of the account. Azure has no pages here; who asks for what comes after the last one gets nothing."""
    found = files.of(call.world, account, call.argument("purpose"))
    data = [_file(call, file) for file in lists.after(call, found)]
    return Answer(body={"object": "list", "data": data})


def upload_file(call: Call, account: Account) -> Answer:
    """A file, sent in one piece."""
    sent = _sent(call)
    purpose = _purpose(sent.fields.get("purpose", ""))
    if "file" not in sent.paths:
        raise errors.BAD_PAYLOAD(fact="the form has no file.")
    name = sent.names.get("file", "")
    if not name:
        raise errors.BAD_PAYLOAD(fact="the file has no name.")
    size = sent.paths["file"].stat().st_size
    most = files.limit(call.world, account, "fileBytes")
    if size > most:
        raise errors.FILE_TOO_LARGE(limit=most)
    if not size:
        raise errors.BAD_PAYLOAD(fact="the file is empty.")
    files.require_room(call.world, account, size)
    made = files.add(call.world, account, name, purpose, [sent.take("file", call.world.contents)])
    return Answer(201, _file(call, made), {"location": _place(call, f"files/{made.id}")})


def import_file(call: Call, account: Account) -> Answer:
    """A file that the service fetches from an address."""
    body = lists.read(call, Import)
    made = files.fetch(call.world, account, body.filename, _purpose(body.purpose), body.content_url)
    return Answer(201, _file(call, made), {"location": _place(call, f"files/{made.id}")})


def get_file(call: Call, account: Account) -> Answer:
    """A file."""
    return Answer(body=_file(call, files.get(call.world, account, call.params["file"])))


def delete_file(call: Call, account: Account) -> Answer:
    """A file, deleted."""
    files.delete(call.world, account, call.params["file"])
    return Answer(body={"object": "file", "id": call.params["file"], "deleted": True})


def get_content(call: Call, account: Account) -> Answer:
    """What a file holds; of results that still grow, what there is."""
    file = files.get(call.world, account, call.params["file"])
    headers = {"content-disposition": 'attachment; filename="content"'}
    grows = file.job is not None and not file.pieces
    tuning = call.world.tunings.get(f"{file.account}|{file.job}") if grows else None
    if tuning is not None:
        whole = b"".join(finetuning.results(call.world, tuning))
        return _bytes([whole], len(whole), headers)
    return _bytes(call.world.contents.read(file.pieces), file.size or 0, headers)


def _bytes(chunks: Iterable[bytes], size: int, headers: dict[str, str]) -> Answer:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    found = {**headers, "content-length": str(size)}
    return Answer(stream=stream(), content_type="application/octet-stream", headers=found)


def _file(call: Call, file: File) -> Json:
    wire: Json = {
        "object": "file",
        "id": file.id,
        "created_at": int(file.created.timestamp()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": files.status(call.world, file),
    }
    if file.size is not None:
        wire["bytes"] = file.size
    if file.error is not None:
        wire["status_details"] = file.error
    return wire


def _purpose(given: str) -> str:
    if given not in files.PURPOSES:
        raise errors.BAD_PAYLOAD(fact=f"purpose is one of {', '.join(files.PURPOSES)}, not '{given}'.")
    return given


def _sent(call: Call) -> Sent:
    if call.sent is None:
        raise errors.BAD_PAYLOAD(fact="a file is sent as multipart/form-data.")
    call.sent.require_sound()
    return call.sent


def _place(call: Call, path: str) -> str:
    """The address of something that was made, as the account's own host has it."""
    classic = call.api_version != versions.V1
    host = call.path.split("/")[1]
    return call.url(f"/{host}/openai/{path}?api-version={call.api_version}" if classic else f"/{host}/openai/v1/{path}")


# --- uploads -------------------------------------------------------------------------------------------------------


def start_upload(call: Call, account: Account) -> Answer:
    """An upload in parts, begun."""
    _require_known(call)
    body = lists.read(call, Start)
    made = uploads.start(call.world, account, body.filename, _purpose(body.purpose), body.bytes)
    return Answer(body=_upload(call, made), headers={"location": _place(call, f"uploads/{made.id}")})


def add_part(call: Call, account: Account) -> Answer:
    """A part of an upload."""
    _require_known(call)
    upload = uploads.pending(call.world, account, call.params["upload"])
    sent = _sent(call)
    if "data" not in sent.paths:
        raise errors.BAD_PAYLOAD(fact="the form has no data.")
    if sent.paths["data"].stat().st_size > uploads.MOST_OF_PART:
        raise errors.FILE_TOO_LARGE(limit=uploads.MOST_OF_PART)
    part = uploads.add(call.world, upload, sent.take("data", call.world.contents))
    body = {"object": "upload.part", "id": part.id, "upload_id": upload.id, "azure_block_id": part.block}
    return Answer(body={**body, "created_at": int(call.now.timestamp())})


def complete_upload(call: Call, account: Account) -> Answer:
    """An upload, made a file."""
    _require_known(call)
    body = lists.read(call, Complete)
    upload = uploads.pending(call.world, account, call.params["upload"])
    uploads.complete(call.world, account, upload, body.part_ids, body.md5)
    return Answer(body=_upload(call, upload))


def cancel_upload(call: Call, account: Account) -> Answer:
    """An upload, dropped."""
    _require_known(call)
    upload = uploads.pending(call.world, account, call.params["upload"])
    uploads.cancel(call.world, upload)
    return Answer(body=_upload(call, upload))


def _upload(call: Call, upload: Upload) -> Json:
    wire: Json = {
        "object": "upload",
        "id": upload.id,
        "created_at": int(upload.created.timestamp()),
        "expires_at": int(uploads.expires_at(upload).timestamp()),
        "bytes": upload.size,
        "filename": upload.filename,
        "purpose": upload.purpose,
        "status": upload.status,
    }
    file = files.find(call.world, upload.account, upload.file) if upload.file is not None else None
    return wire if file is None else {**wire, "file": _file(call, file)}


def _require_known(call: Call) -> None:
    if call.api_version != versions.V1 and call.api_version < UPLOADS_SINCE:
        raise errors.NO_DATA_ROUTE()
