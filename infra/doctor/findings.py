"""What a check finds, and what all findings together mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

WISH = "wish"
REACH = frozenset({"cloud", "login"})
"""Checks without which nobody is reached."""


class State(Enum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    """Allowed, and worth a word; or it could not be told."""
    FAILS = "fails"
    NOT_CHECKED = "not checked"
    """It hangs on something else that fails."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    check: str
    about: str
    """Empty for the machine and its login; `subscription ID`, STACK, or STACK/DEPLOYMENT."""
    state: State
    fact: str
    next_move: str = ""
    """What to do about it; commands stand on lines of their own."""


def exit_code(findings: Iterable[Finding]) -> int:
    """0 all is well or only worth a word · 1 something is not · 2 the wish is wrong · 3 not reached, or not let in."""
    failing = {finding.check for finding in findings if finding.state is State.FAILS}
    if WISH in failing:
        return 2
    return 3 if failing & REACH else 1 if failing else 0
