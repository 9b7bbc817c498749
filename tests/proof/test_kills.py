"""`kill -9` at twenty seeded moments: `hearth recover`, and the command again, get there; nobody edits state.

Run with `-s` it prints the twenty ends as a table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import open_desk
from tests.journeys.killing import End, Killing, Moment

pytestmark = pytest.mark.proof
SEEDS = range(20)


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory, engine: Path, empty_desk: Path) -> Iterator[Killing]:
    """One stack for all kills: what a recovery leaves is what the next one starts from."""
    with open_desk(tmp_path_factory.mktemp("kills") / "project", engine, empty_desk) as desk:
        yield Killing(desk)


@pytest.fixture(scope="module")
def ends() -> Iterator[list[End]]:
    """Every end; printed when all have come."""
    found: list[End] = []
    yield found
    lines = ["", End.HEAD, "|" + " --- |" * (End.HEAD.count("|") - 1), *(end.row() for end in found)]
    sys.stdout.write("\n".join(lines) + "\n")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kill_at_any_moment_is_recovered_from(seed: int, killing: Killing, ends: list[End]):
    ends.append(killing.run(Moment.of(seed)))


def test_the_seeds_kill_everybody_in_every_phase():
    moments = [Moment.of(seed) for seed in SEEDS]
    assert len({(m.phase, m.victim) for m in moments}) == 16
    assert len(set(moments)) == len(moments)
