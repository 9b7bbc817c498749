"""Progress of something that takes minutes: one line rewritten on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

_LOG_EVERY = 10.0  # seconds
_BAR = 30


class Progress(Protocol):
    """Told about each step of a long job."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` steps of `what`; `total` is None while nobody knows it."""


def silent(what: str, done: int, total: int | None) -> None:
    """Show nothing."""


def shown_on(stream: TextIO | None = None, now: Callable[[], float] = time.monotonic) -> Progress:
    """Progress on `stream` (stderr), in the form that suits it."""
    stream = stream or sys.stderr
    return _Line(stream) if stream.isatty() else _Log(stream, now)


class _Line:
    """One line, rewritten; ended when the job says it has done all of it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if total:
            filled = _BAR * done // total
            text = f"{what} {'━' * filled}{' ' * (_BAR - filled)} {100 * done // total:3d} %"
        else:
            text = f"{what} {done or ''}"
        self._stream.write(f"\r\x1b[K{text}" + ("\n" if total and done >= total else ""))
        self._stream.flush()


class _Log:
    """A plain line when a job starts, every ten seconds, and at its end."""

    def __init__(self, stream: TextIO, now: Callable[[], float]) -> None:
        self._stream = stream
        self._now = now
        self._what = ""
        self._last = 0.0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        ended = total is not None and done >= total
        if what == self._what and not ended and self._now() - self._last < _LOG_EVERY:
            return
        self._what, self._last = what, self._now()
        self._stream.write(f"{what}: {done} of {total}\n" if total else f"{what}\n")
        self._stream.flush()
