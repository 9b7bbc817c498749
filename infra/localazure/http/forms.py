"""Bodies that are too large for memory: forms with a file, and blobs. They go to the disk as they come in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

from infra.localazure import errors
from infra.localazure.contents import Contents

MOST = 600 * 1000 * 1000
"""Bytes of a request: more than any file or part may have; what is more is read and not kept."""
_MOST_OF_FIELD = 64 * 1024
_FILES = ("file", "data")
"""Fields whose value is a file even where the client names none."""


@dataclass(slots=True)
class Sent:
    """What was sent in such a body; `discard` takes away what nobody took."""

    fields: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Field → the name of its file."""
    paths: dict[str, Path] = field(default_factory=dict)
    """Field → where its file is."""
    fault: str = ""
    """Why the body could not be read."""
    size: int = 0

    def take(self, name: str, contents: Contents) -> str:
        """The file of a field as a content that is kept."""
        return contents.keep(self.paths.pop(name))

    def require_sound(self) -> None:
        """Refuse a body that could not be read, or is too large."""
        if self.size > MOST:
            raise errors.TOO_LARGE(limit=MOST)
        if self.fault:
            raise errors.BAD_PAYLOAD(fact=self.fault)

    def discard(self) -> None:
        """Take away what nobody took."""
        for path in self.paths.values():
            path.unlink(missing_ok=True)


async def read_form(chunks: AsyncIterator[bytes], content_type: str, contents: Contents) -> Sent:
    """A form (multipart/form-data), its files on the disk."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    with _whole_or_nothing() as sent, contextlib.closing(_Reader(sent, contents)) as reader:
        if not boundary:
            sent.fault = "the form has no boundary"
        parser = MultipartParser(boundary or b"-", reader.callbacks())
        async for chunk in chunks:
            sent.size += len(chunk)
            if sent.fault or sent.size > MOST:
                continue
            try:
                parser.write(chunk)
            except FormParserError as error:
                sent.fault = f"the form cannot be read: {error}"
        if not sent.fault and not reader.whole:
            sent.fault = "the form ends too early"
    return sent


async def read_whole(chunks: AsyncIterator[bytes], contents: Contents) -> Sent:
    """A body that is one file, on the disk under the name `body`."""
    with _whole_or_nothing() as sent:
        sent.paths["body"] = contents.fresh()
        with sent.paths["body"].open("wb") as file:
            async for chunk in chunks:
                sent.size += len(chunk)
                if sent.size <= MOST:
                    file.write(chunk)
    return sent


@contextlib.contextmanager
def _whole_or_nothing() -> Iterator[Sent]:
    """What is sent, and nothing of it on the disk where the client goes away in the middle."""
    sent = Sent()
    try:
        yield sent
    except BaseException:
        sent.discard()
        raise


class _Reader:
    """What the parser tells, written down."""

    def __init__(self, sent: Sent, contents: Contents) -> None:
        self._sent, self._contents = sent, contents
        self._file: BinaryIO | None = None
        self._text = bytearray()
        self._name = ""
        self._header, self._value, self._headers = b"", b"", dict[bytes, bytes]()
        self.whole = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self._headers, self._header, self._value = {}, b"", b""
        self._text = bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _headers_end(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition", b""))[1]
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options and self._name not in _FILES:
            return
        old = self._sent.paths.pop(self._name, None)
        if old is not None:
            old.unlink(missing_ok=True)
        self._sent.names[self._name] = options.get(b"filename", b"").decode("utf-8", "replace")
        self._sent.paths[self._name] = self._contents.fresh()
        self._file = self._sent.paths[self._name].open("wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
        elif len(self._text) + end - start <= _MOST_OF_FIELD:
            self._text += data[start:end]
        else:
            self._sent.fault = f"the field '{self._name}' is longer than {_MOST_OF_FIELD} bytes"

    def _end(self) -> None:
        if self._file is None:
            self._sent.fields[self._name] = self._text.decode("utf-8", "replace")
        self.close()

    def _all(self) -> None:
        self.whole = True
