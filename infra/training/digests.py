"""Which examples say the same: the only thing that grows with the data, kept in a temporary file once it is large."""

from __future__ import annotations

import bisect
import tempfile
from array import array
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_IN_MEMORY = 16 << 20  # bytes
_AT_ONCE = 1 << 20  # examples looked at together
_WIDTH = 8


class Marks:
    """A set of lines, a bit each."""

    def __init__(self) -> None:
        """None of them."""
        self._bits = bytearray()

    def add(self, line: int) -> None:
        """Mark a line."""
        place = line >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place - len(self._bits) + 1))
        self._bits[place] |= 1 << (line & 7)

    def __contains__(self, line: object) -> bool:
        return isinstance(line, int) and line >> 3 < len(self._bits) and bool(self._bits[line >> 3] >> (line & 7) & 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Marks) and self._bits == other._bits

    __hash__ = None  # type: ignore[assignment]


class Place(NamedTuple):
    """An example's file, by its number, and its line, from 1."""

    file: int
    line: int


class _Stretch(NamedTuple):
    """Examples that follow one another."""

    first: int
    file: int
    line: int
    at: array[int] | None
    """How many lines further each example stands; None: one after the other."""


class Ledger:
    """The digests of all examples, in order; a context manager, for there may be a file."""

    def __init__(self) -> None:
        """Nothing in it."""
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by __exit__
        self._stretches: list[_Stretch] = []
        self._starts: list[int] = []
        self._count = 0

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, file: int, line: int, digests: bytes, at: array[int] | None = None) -> None:
        """Examples of a file, from a line (from 1) on; `at`: each one's line, from 0 there, if some hold none."""
        if not digests:
            return
        self._stretches.append(_Stretch(self._count, file, line, at))
        self._starts.append(self._count)
        self._file.write(digests)
        self._count += len(digests) // _WIDTH

    def place(self, example: int) -> Place:
        """Where an example stands."""
        found = self._stretches[bisect.bisect_right(self._starts, example) - 1]
        offset = example - found.first
        return Place(found.file, found.line + (found.at[offset] if found.at else offset))

    def repeats(self) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Examples that say what one before them says: (the nearest before, the later one), in portions."""
        if self._all_differ():
            return
        import numpy as np  # noqa: PLC0415 - after the processes were forked, for it has threads

        digests = self._digests()
        parts = -(-self._count // _AT_ONCE)
        for part in range(parts):
            here = np.arange(self._count) if parts == 1 else _portion(digests, part, parts)
            values = digests[here]
            order = np.argsort(values, kind="stable")
            ordered = values[order]
            same = np.flatnonzero(ordered[1:] == ordered[:-1])
            if same.size:
                yield here[order[same]], here[order[same + 1]]

    def _all_differ(self) -> bool:
        """Whether it is seen without numpy, which takes longer to load than this, that nothing comes twice."""
        if self._count > _AT_ONCE // 2:
            return False
        self._file.seek(0)
        return len(set(memoryview(self._file.read()).cast("Q"))) == self._count

    def _digests(self) -> npt.NDArray[np.uint64]:
        import numpy as np  # noqa: PLC0415

        if not self._count:
            return np.empty(0, np.uint64)
        self._file.flush()
        if self._count * _WIDTH > _IN_MEMORY:
            self._file.rollover()
            rolled: Any = self._file
            return np.memmap(rolled, np.uint64, mode="r")
        self._file.seek(0)
        return np.frombuffer(self._file.read(), np.uint64)


def _portion(digests: npt.NDArray[np.uint64], part: int, parts: int) -> npt.NDArray[np.int64]:
    """Where the digests stand whose turn it is: equal ones have the same turn. Reads the file in steps."""
    import numpy as np  # noqa: PLC0415

    found = []
    for start in range(0, len(digests), _AT_ONCE):
        block = np.asarray(digests[start : start + _AT_ONCE])
        found.append(np.flatnonzero(block % np.uint64(parts) == part) + start)
    return np.concatenate(found)
