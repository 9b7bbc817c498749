"""What journeys share: the engine, found or built once, and desks that start where a story does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.toolchain import cli, progress
from tests.desk import Desk, open_desk
from tests.fidelity import coverage, measured
from tests.rollout.fleet import Fleet, open_fleet, without_job


@pytest.fixture(scope="session")
def engine() -> Path:
    """The folder of the Pulumi CLI; found, or built once on this machine."""
    return cli.find_or_build(progress.shown_on()).parent


@pytest.fixture(scope="session")
def empty_desk(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Path:
    """A closed desk where nothing has been put up: every story's desk is a copy of this one, or goes on from it."""
    root = tmp_path_factory.mktemp("desk") / "empty"
    with open_desk(root, engine):
        pass
    return root


@pytest.fixture(scope="session")
def desk_with_source(tmp_path_factory: pytest.TempPathFactory, engine: Path, empty_desk: Path) -> Path:
    """A closed desk where the source's stack is up."""
    root = tmp_path_factory.mktemp("desk") / "source"
    with open_desk(root, engine, empty_desk) as made:
        made.up("local-source")
    return root


@pytest.fixture(scope="session")
def desk_with_both(tmp_path_factory: pytest.TempPathFactory, engine: Path, desk_with_source: Path) -> Path:
    """A closed desk where both stacks are up."""
    root = tmp_path_factory.mktemp("desk") / "both"
    with open_desk(root, engine, desk_with_source) as made:
        made.up("local-target")
    return root


@contextmanager
def known_to_azure(root: Path, engine: Path, like: Path) -> Iterator[Desk]:
    """A desk; what was sent from it must be known to local Azure's tables and to Azure's descriptions."""
    with open_desk(root, engine, like) as made:
        yield made
        assert coverage.unlisted(made.azure.app.log) == []
    assert sorted({str(finding) for finding in measured.REQUESTS}) == []


@pytest.fixture
def desk(tmp_path: Path, engine: Path, empty_desk: Path) -> Iterator[Desk]:
    """A desk of one's own where nothing is up."""
    with known_to_azure(tmp_path / "project", engine, empty_desk) as made:
        yield made


@pytest.fixture
def source(tmp_path: Path, engine: Path, desk_with_source: Path) -> Iterator[Desk]:
    """A desk of one's own where the source's stack is up."""
    with known_to_azure(tmp_path / "project", engine, desk_with_source) as made:
        yield made


@pytest.fixture
def both(tmp_path: Path, engine: Path, desk_with_both: Path) -> Iterator[Desk]:
    """A desk of one's own where both stacks are up."""
    with known_to_azure(tmp_path / "project", engine, desk_with_both) as made:
        yield made


@pytest.fixture(scope="session")
def desk_to_roll_out(tmp_path_factory: pytest.TempPathFactory, engine: Path, desk_with_source: Path) -> Path:
    """A closed desk where both stacks are up, the target without what rollouts are not about."""
    root = tmp_path_factory.mktemp("desk") / "fleet"
    with open_desk(root, engine, desk_with_source) as made:
        without_job(made)
        made.up("local-target")
    return root


@pytest.fixture
def fleet(tmp_path: Path, engine: Path, desk_to_roll_out: Path) -> Iterator[Fleet]:
    """A fleet whose target is up."""
    with open_fleet(tmp_path / "project", engine, desk_to_roll_out) as made:
        yield made
