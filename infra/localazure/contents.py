"""What files, parts of uploads and blobs hold: on the disk, piece by piece, never in memory or among the records.

A piece is written elsewhere and moved into its place when it is whole, before the record that names it is kept; a kill
in between leaves a piece that nobody names, and the next start takes it away. A piece goes after the records that named
it. Snapshots hold links to the pieces.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

CHUNK = 1024 * 1024
"""Bytes that are read at a time."""


class Contents:
    """The pieces of a world: below its folder, or of one without a folder in a temporary one."""

    def __init__(self, folder: Path | None, afterwards: Callable[[Callable[[], None]], None]) -> None:
        """Use the folder; nothing is made before it is needed. `afterwards` acts when the records are kept."""
        self._folder, self._afterwards = folder, afterwards
        self._leaving: set[str] = set()
        """Pieces that go when the records are kept."""

    def fresh(self) -> Path:
        """A file that does not exist yet, to write a piece to."""
        return self._make("incoming") / secrets.token_hex(16)

    def keep(self, written: Path) -> str:
        """Move what was written to its place; gives the name of the piece."""
        written.replace(self._make("pieces") / written.name)
        return written.name

    def write(self, chunks: Iterable[bytes]) -> str:
        """A piece of these bytes."""
        path = self.fresh()
        with path.open("wb") as file:
            file.writelines(chunks)
        return self.keep(path)

    def twin(self, piece: str) -> str:
        """Another piece that holds the same, at no cost."""
        name = secrets.token_hex(16)
        os.link(self.path(piece), self._make("pieces") / name)
        return name

    def path(self, piece: str) -> Path:
        """Where a piece is."""
        return self._make("pieces") / piece

    def size(self, pieces: Iterable[str]) -> int:
        """Bytes of these pieces together."""
        return sum(self.path(piece).stat().st_size for piece in pieces)

    def read(self, pieces: Iterable[str]) -> Iterator[bytes]:
        """The bytes of these pieces one after the other, some at a time."""
        for piece in pieces:
            with self.path(piece).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk

    def lines(self, pieces: Iterable[str]) -> Iterator[bytes]:
        """The lines of these pieces, without their ends; a line may go on in the next piece."""
        begun: list[bytes] = []
        for chunk in self.read(pieces):
            first, *more = chunk.split(b"\n")
            begun.append(first)
            if more:
                yield b"".join(begun)
                yield from more[:-1]
                begun = [more[-1]]
        if last := b"".join(begun):
            yield last

    def drop(self, pieces: Iterable[str]) -> None:
        """Take pieces away as soon as it is kept that no record names them; snapshots have theirs still."""
        self._leaving.update(pieces)
        self._afterwards(self._let_go)

    def _let_go(self) -> None:
        while self._leaving:
            self.path(self._leaving.pop()).unlink(missing_ok=True)

    def sweep(self, known: set[str]) -> None:
        """Take away every piece that is not among those known, and no other."""
        self._leaving -= known
        if self._folder is None or not (self._folder / "contents").is_dir():
            return
        self.drop({path.name for path in self._make("pieces").iterdir()} - known)

    def tidy(self) -> None:
        """Take away what was being written when local Azure ended."""
        home = self._home("incoming")
        if home is not None:
            shutil.rmtree(home, ignore_errors=True)

    # --- snapshots -------------------------------------------------------------------------------------------------

    def save(self, snapshot: str, known: set[str]) -> None:
        """Have a snapshot hold the pieces that are known now, in the place of what it held."""
        self.forget(snapshot)
        if not known:
            return
        home = self._make(f"snapshots/{snapshot}")
        for piece in known:
            os.link(self.path(piece), home / piece)

    def restore(self, snapshot: str) -> None:
        """Have the pieces of a snapshot again, beside those that there are."""
        home = self._home(f"snapshots/{snapshot}")
        for path in home.iterdir() if home is not None and home.is_dir() else ():
            if not self.path(path.name).exists():
                os.link(path, self.path(path.name))

    def forget(self, snapshot: str) -> None:
        """Let go of what a snapshot holds."""
        home = self._home(f"snapshots/{snapshot}")
        if home is not None:
            shutil.rmtree(home, ignore_errors=True)

    # --- where it is -----------------------------------------------------------------------------------------------

    def _home(self, name: str) -> Path | None:
        return None if self._folder is None else self._folder / "contents" / name

    def _make(self, name: str) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="local-azure-contents-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        path = self._folder / "contents" / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path
