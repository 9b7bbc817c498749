"""The files of an account's data plane: sent in one piece or in parts, imported, read, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from infra.ports.authoring import Authoring
from infra.ports.cloud import Cloud

TRAINING = "fine-tune"
"""What a file is uploaded for."""
MIME = "application/jsonl"


class FileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file as Azure has it."""

    id: str
    filename: str = ""
    bytes: int | None = None
    """None: not known yet (an import)."""
    created_at: int = 0
    """Unix seconds."""
    purpose: str = ""
    status: str = ""
    """uploaded, pending, running, processed, error, deleting, deleted."""
    status_details: Any = None
    """Why it is in error: a text, or an object with a message."""

    @property
    def is_open(self) -> bool:
        """Whether Azure is still at work on it."""
        return self.status in {"uploaded", "pending", "running"}

    @property
    def why(self) -> str:
        """Azure's words about an error."""
        told = self.status_details
        return str(told.get("message", told)) if isinstance(told, dict) else str(told or "")


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """An upload in parts."""

    id: str
    status: str
    """pending, completed, cancelled, expired."""
    expires_at: int = 0
    file: FileView | None = None


class _Id(msgspec.Struct):
    id: str


class _Files(msgspec.Struct):
    data: list[FileView]


class Files:
    """Calls about the files of one account. They raise what `Authoring` raises."""

    def __init__(self, cloud: Cloud, endpoint: str, *, tenant: str | None = None) -> None:
        """`tenant` is the account's, where it is another one than the login's own."""
        self._calls = Authoring(cloud, endpoint, tenant=tenant)

    def all(self, purpose: str = "") -> list[FileView]:
        """The files of the account; Azure has no pages here."""
        return self._calls.get("files", _Files, **({"purpose": purpose} if purpose else {})).data

    def get(self, file: str) -> FileView:
        """A file by its id."""
        return self._calls.get(f"files/{file}", FileView)

    @contextmanager
    def content(self, file: str) -> Iterator[Iterator[bytes]]:
        """What a file holds, in pieces."""
        with self._calls.stream(f"files/{file}/content") as pieces:
            yield pieces

    def read(self, file: str) -> bytes:
        """What a file holds."""
        with self.content(file) as pieces:
            return b"".join(pieces)

    def delete(self, file: str) -> None:
        """Delete a file."""
        self._calls.delete(f"files/{file}")

    # --- what makes files: sent once, as Authoring.post ------------------------------------------------------------

    def send(self, filename: str, content: bytes) -> FileView:
        """A training file, sent in one piece."""
        part = {"file": (filename, content, MIME)}
        return self._calls.form("files", FileView, {"purpose": TRAINING}, part)

    def fetch(self, filename: str, url: str) -> FileView:
        """A training file that Azure fetches from a Blob's address."""
        body = {"purpose": TRAINING, "filename": filename, "content_url": url}
        return self._calls.post("files/import", FileView, body)

    def start_upload(self, filename: str, size: int) -> UploadView:
        """An upload of so many bytes, begun; Azure drops it two hours later."""
        body = {"purpose": TRAINING, "filename": filename, "bytes": size, "mime_type": MIME}
        return self._calls.post("uploads", UploadView, body)

    def send_part(self, upload: str, content: bytes) -> str:
        """A part of an upload; its id. One that was sent twice is two parts, and only what `complete` names counts."""
        part = {"data": ("part", content, "application/octet-stream")}
        return self._calls.form(f"uploads/{upload}/parts", _Id, {}, part).id

    def complete(self, upload: str, parts: list[str]) -> UploadView:
        """An upload, made a file of the parts in this order."""
        return self._calls.post(f"uploads/{upload}/complete", UploadView, {"part_ids": parts})

    def cancel_upload(self, upload: str) -> None:
        """An upload, dropped."""
        self._calls.post(f"uploads/{upload}/cancel", UploadView)
