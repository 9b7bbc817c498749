"""Run checks side by side, each within its time, each after those that it hangs on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, TimeoutError  # noqa: A004 - the builtin's own name since Python 3.11
from dataclasses import dataclass, field
from typing import Any, TypeVar

from infra.doctor.findings import Finding, State
from infra.errors import HearthError, ProofFailed

T = TypeVar("T")
AT_ONCE = 8
LIMIT = 30.0
"""Seconds for a check that names no limit of its own."""

Found = tuple[State, str] | tuple[State, str, str]
"""State, fact, and the next move where there is one."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. `look` may raise a HearthError, which is a failure with that text."""

    name: str
    about: str
    look: Callable[[], list[Found]]
    needs: tuple[Check, ...] = ()
    """Checks that must not fail first; each stands before this one in the list."""
    limit: float = LIMIT

    @property
    def label(self) -> str:
        """How others name it."""
        return f"{self.name} of {self.about}" if self.about else self.name


@dataclass(slots=True)
class _Outcome:
    findings: list[Finding]
    failed: Check | None = None
    """The check at the root of the failure."""


class Once:
    """Answers kept by their question, and asked for once, also by several threads. A refusal is an answer as well."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, question: Hashable, ask: Callable[[], T]) -> T:
        """The answer; raises what asking for it raised."""
        with self._lock:
            future, mine = self._known.get(question), False
            if future is None:
                future, mine = self._known.setdefault(question, Future()), True
        if mine:
            _settle(future, ask)
        answer: T = future.result()
        return answer


@dataclass(slots=True)
class _Run:
    begun: Callable[[Check], None]
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))
    outcomes: dict[int, Future[_Outcome]] = field(default_factory=dict)

    def outcome(self, check: Check) -> _Outcome:
        for need in check.needs:
            failed = self.outcomes[id(need)].result().failed
            if failed is not None:
                fact = f"because {failed.label} fails"
                return _Outcome([Finding(check.name, check.about, State.NOT_CHECKED, fact)], failed)
        with self.room:
            self.begun(check)
            findings = [Finding(check.name, check.about, *found) for found in _within(check)]
        return _Outcome(findings, check if any(f.state is State.FAILS for f in findings) else None)


def examine(checks: Sequence[Check], begun: Callable[[Check], None] = lambda _check: None) -> Iterator[Finding]:
    """The findings in the order of the checks, each as soon as it and those before it are there.

    `begun` is told, from other threads, what is being looked at.
    """
    run = _Run(begun, outcomes={id(check): Future() for check in checks})
    for check in checks:
        _start(run.outcomes[id(check)], lambda check=check: run.outcome(check))  # type: ignore[misc]
    for check in checks:
        yield from run.outcomes[id(check)].result().findings


def _within(check: Check) -> list[Found]:
    """What a check found within its time; a thread that hangs is left behind and ends with the process."""
    future: Future[list[Found]] = Future()
    _start(future, check.look)
    try:
        return future.result(check.limit)
    except TimeoutError:
        return [(State.FAILS, f"no answer within {check.limit:.0f} s", "Check the network and run it again")]
    except ProofFailed as error:
        return [(State.FAILS, error.fact, error.next_move)]
    except HearthError as error:
        return [(State.FAILS, str(error))]


def _start(future: Future[T], work: Callable[[], T]) -> None:
    # Not a pool: at the end of the process Python waits for a pool's threads, however long they hang.
    threading.Thread(target=_settle, args=(future, work), daemon=True).start()


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
