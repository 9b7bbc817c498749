"""A file in pieces of whole lines, so that all cores can read it side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

PIECE = 2 << 20
_STEP = 16 << 10


class Piece(msgspec.Struct, frozen=True):
    """Whole lines of a file: the bytes from `start` to `end`."""

    path: str
    start: int
    end: int
    last: bool
    """Whether the file ends here."""


def cut(path: Path, start: int, size: int, step: int = PIECE) -> Iterator[Piece]:
    """The pieces of a file from `start` on; one holds more than `step` bytes only where a line reaches beyond."""
    with path.open("rb", buffering=0) as file:
        while start < size:
            end = _after_line(file.fileno(), min(start + step, size), size)
            yield Piece(str(path), start, end, last=end == size)
            start = end


def read(piece: Piece) -> bytes:
    """The bytes of a piece; fewer where the file has become shorter."""
    with Path(piece.path).open("rb", buffering=0) as file:
        return _read(file.fileno(), piece.start, piece.end)


def read_in_steps(piece: Piece, longest: int) -> Iterator[bytes | int]:
    """The lines of a piece, as blocks of whole lines; a line longer than `longest` bytes as its length.

    Only the last line of a piece can be long, for a piece ends with the line that reaches over its bounds.
    """
    if piece.end - piece.start <= PIECE + longest:
        yield read(piece)
        return
    with Path(piece.path).open("rb", buffering=0) as file:
        head = _read(file.fileno(), piece.start, piece.start + PIECE)
    whole = head.rfind(b"\n") + 1
    if whole:
        yield head[:whole]
    yield piece.end - piece.start - whole


def _after_line(handle: int, position: int, size: int) -> int:
    """Where the line that holds the byte before `position` ends."""
    step = _STEP
    position -= 1
    while position < size:
        block = os.pread(handle, step, position)
        found = block.find(b"\n")
        if found >= 0:
            return position + found + 1
        if not block:
            break
        position += len(block)
        step = min(step * 2, PIECE)
    return size


def _read(handle: int, start: int, end: int) -> bytes:
    parts = []
    while start < end and (block := os.pread(handle, end - start, start)):
        parts.append(block)
        start += len(block)
    return b"".join(parts) if len(parts) != 1 else parts[0]
