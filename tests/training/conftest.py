"""Fixtures: a studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.studio import Studio, open_studio


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """A project, an account that trains, and the command line."""
    yield from open_studio(tmp_path / "project", capsys, monkeypatch)
