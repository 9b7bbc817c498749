"""What journeys share: the engine, found or built once, and a fresh desk for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.toolchain import cli, progress
from tests.desk import Desk, open_desk


@pytest.fixture(scope="session")
def engine() -> Path:
    """The folder of the Pulumi CLI; found, or built once on this machine."""
    return cli.find_or_build(progress.shown_on()).parent


@pytest.fixture
def desk(tmp_path: Path, engine: Path) -> Iterator[Desk]:
    """A desk of one's own."""
    with open_desk(tmp_path / "project", engine) as made:
        yield made
