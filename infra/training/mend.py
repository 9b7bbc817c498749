"""A corrected copy of a file: what can be mended without a doubt, and nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Container, Iterator
from pathlib import Path

import msgspec

from infra.training import pieces, scan

_MARK = len(scan.BOM)


class Mended(msgspec.Struct):
    """What was changed."""

    path: str
    marks: int = 0
    """Byte-order marks taken away behind the start of the file."""
    blank: int = 0
    """Blank lines taken away."""
    line_ends: int = 0
    duplicates: int = 0

    @property
    def changed(self) -> bool:
        """Whether the copy differs at all."""
        return bool(self.marks or self.blank or self.line_ends or self.duplicates)


def target(path: Path) -> Path:
    """Where the copy of a file goes: beside it."""
    return path.with_name(f"{path.stem}.fixed{path.suffix}")


def mend(path: Path, repeats: Container[int], longest: int) -> Mended:
    """Write the copy, whole or not at all. Raises OSError where it cannot be read or written.

    `repeats` are the lines, from 1, that say what one before them says; a line longer than `longest` bytes is copied.
    """
    size, goal = path.stat().st_size, target(path)
    mended = Mended(str(goal))
    with tempfile.NamedTemporaryFile("wb", dir=goal.parent, prefix=f".{goal.name}.", delete=False) as copy:
        try:
            copy.writelines(_kept(path, size, repeats, longest, mended))
            copy.flush()
            Path(copy.name).chmod(path.stat().st_mode & 0o777)
            Path(copy.name).replace(goal)
        except BaseException:
            Path(copy.name).unlink(missing_ok=True)
            raise
    return mended


def _kept(path: Path, size: int, repeats: Container[int], longest: int, mended: Mended) -> Iterator[bytes]:
    """The lines of the copy, each with its line feed if it had one."""
    with path.open("rb") as file:
        start = _MARK if file.read(_MARK) == scan.BOM else 0
    if start:
        yield scan.BOM
    number = 0
    for piece in pieces.cut(path, start, size):
        for block in pieces.read_in_steps(piece, longest):
            if isinstance(block, int):
                number += 1
                yield from _copied(piece, block)
                continue
            lines = block.split(b"\n")
            ends = [b"\n"] * len(lines)
            if lines[-1] == b"":
                lines.pop()
            else:
                ends[-1] = b""  # a line feed here would hide that the file was cut off
            for line, end in zip(lines, ends, strict=False):
                number += 1
                if number in repeats:
                    mended.duplicates += 1
                elif (kept := _line(line, mended)) is not None:
                    yield kept + end


def _line(line: bytes, mended: Mended) -> bytes | None:
    """A line as it should be; None where it should not be."""
    while line.startswith(scan.BOM):
        line = line[_MARK:]
        mended.marks += 1
    if line.endswith(b"\r"):
        line = line.rstrip(b"\r")
        mended.line_ends += 1
    if not line or line.isspace():
        mended.blank += 1
        return None
    return line


def _copied(piece: pieces.Piece, length: int) -> Iterator[bytes]:
    """The long line at the end of a piece, as it stands."""
    with Path(piece.path).open("rb") as file:
        file.seek(piece.end - length)
        while length > 0 and (block := file.read(min(length, pieces.PIECE))):
            length -= len(block)
            yield block
