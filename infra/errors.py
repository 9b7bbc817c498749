"""What can go wrong, in one tree.

    HearthError         exit 1   it ran, and something is not as it should be
    ├── SpecError       exit 2   what was written is wrong: every mistake, each with its place
    ├── ProofFailed     exit 1   what is wanted cannot work: source, region, SKU, tier
    ├── NotReady        exit 1   a deployment does not serve
    ├── LockHeld        exit 3   somebody else is changing this stack
    ├── Unreachable     exit 3   no network, no such host, a certificate that is not trusted
    ├── LoginFailed     exit 3   no login, or one that is refused
    ├── Refused         exit 3   Azure or the engine said no; trying again will not help
    │   └── NotFound    exit 3   what was asked for does not exist
    └── Busy            exit 3   try again: a sibling is being written (409), or we are throttled (429)

Foreign exceptions stop at the port that met them. A text names the place, the fact and the next move.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


class HearthError(Exception):
    """Anything that hearth can explain."""

    exit_code: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is written wrong: where, and what to do about it."""

    file: str
    line: int
    """1 for the first line; 0 where it is not known."""
    path: str
    """Keys from the top of the file, joined by '/'."""
    text: str

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        place = ", ".join(part for part in (line, self.path) if part)
        return f"{place}: {self.text}" if place else self.text


class SpecError(HearthError):
    """What was written is wrong; carries every mistake found."""

    exit_code = 2

    def __init__(self, mistakes: list[Mistake]) -> None:
        """Keep the mistakes, in the order of file and line."""
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(_listing(self.mistakes)))


class ProofFailed(HearthError):
    """What is wanted cannot work, as Azure stands now; the text is the fact and the next move."""

    def __init__(self, fact: str, next_move: str = "") -> None:
        """Keep the two apart as well, for who shows them apart."""
        super().__init__(f"{fact} {next_move}".rstrip())
        self.fact, self.next_move = fact, next_move


class NotReady(HearthError):
    """A deployment does not answer calls."""


class LockHeld(HearthError):
    """Another run holds the stack."""

    exit_code = 3


class Unreachable(HearthError):
    """No answer: network, name, certificate."""

    exit_code = 3


class LoginFailed(HearthError):
    """No credential, or one that is refused."""

    exit_code = 3


class Refused(HearthError):
    """Azure or the engine said no; `code` is Azure's own, `status` that of HTTP (0 where there was none)."""

    exit_code = 3

    def __init__(self, text: str, *, code: str = "", status: int = 0) -> None:
        """Keep Azure's code beside the text."""
        super().__init__(text)
        self.code, self.status = code, status


class NotFound(Refused):
    """What was asked for does not exist; `at` is when Azure said so, by its own clock, where it did."""

    def __init__(self, text: str, *, code: str = "", status: int = 0, at: datetime | None = None) -> None:
        """Keep the moment too."""
        super().__init__(text, code=code, status=status)
        self.at = at


class Busy(HearthError):
    """Try again after `retry_after` seconds."""

    exit_code = 3

    def __init__(self, text: str, *, retry_after: float = 1.0, code: str = "") -> None:
        """Keep how long to wait."""
        super().__init__(text)
        self.retry_after, self.code = retry_after, code


def _listing(mistakes: list[Mistake]) -> list[str]:
    lines: list[str] = []
    for file in dict.fromkeys(m.file for m in mistakes):
        found = [m for m in mistakes if m.file == file]
        lines.append(f"{file} has {len(found)} mistake{'s' if len(found) > 1 else ''}")
        lines += [f"  {mistake}" for mistake in found]
    return lines
