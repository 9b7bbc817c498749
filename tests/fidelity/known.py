"""The one list of known differences, `known.yaml`."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import msgspec

from tests.fidelity.spec import Finding

FILE = Path(__file__).with_name("known.yaml")


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that is as it should be."""

    side: str
    kind: str
    operation: str
    what: str
    why: str
    source: str
    where: str = "(?s).*"

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is this one."""
        pairs = (
            (self.side, finding.side),
            (self.kind, finding.kind),
            (self.operation, finding.operation),
            (self.where, finding.where),
            (self.what, finding.what),
        )
        return all(re.fullmatch(pattern, text, re.DOTALL) for pattern, text in pairs)


class Substitution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in an official example and what is sent in its place."""

    find: str
    put: str
    why: str
    parameter: str | None = None


class Lack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Places that Azure's answers have and ours have not. `of`: pattern of an operation's or a recording's name."""

    of: str
    places: list[str]
    """Patterns of whole places."""
    why: str

    def covers(self, of: str, place: str) -> bool:
        """Whether a lack is this one."""
        return bool(re.fullmatch(self.of, of)) and any(re.fullmatch(p, place) for p in self.places)


class Unoffered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Operations that local Azure does not offer."""

    operation: str
    why: str


class Unsent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An official example of an offered operation that is not sent."""

    example: str
    why: str


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    taken: list[Taken]
    substitutions: list[Substitution]
    unsent: list[Unsent]
    lacks: list[Lack]
    unoffered: list[Unoffered]
    behaviour: list[str]


@cache
def read() -> Known:
    """The file, read once."""
    return msgspec.yaml.decode(FILE.read_bytes(), type=Known)


USED: Counter[int] = Counter()
"""How often each row of `taken` was needed, by its place."""


def is_known(finding: Finding) -> bool:
    """Whether a finding is in the list; notes that its row is needed."""
    for at, row in enumerate(read().taken):
        if row.covers(finding):
            USED[at] += 1
            return True
    return False


def why_unoffered(operation: str) -> str | None:
    """Why local Azure does not offer an operation; None where the list does not say."""
    return next((row.why for row in read().unoffered if re.fullmatch(row.operation, operation)), None)


def is_known_lack(of: str, place: str) -> bool:
    """Whether a lack is in the list."""
    return any(row.covers(of, place) for row in read().lacks)
