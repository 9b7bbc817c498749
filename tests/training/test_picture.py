"""The picture, whatever the data are."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.training import dataset, picture
from infra.training.dataset import Asked
from tests.training import cases


@pytest.mark.parametrize("file", [cases.CHAT, cases.HERE / "absent", cases.HERE / "broken" / "few-examples.jsonl"])
@pytest.mark.parametrize("counting", ["exact", "none"])
def test_whatever_was_found_can_be_drawn(tmp_path: Path, file: Path, counting: dataset.Counting):
    goal = tmp_path / "a.PNG"
    picture.draw(dataset.check(Asked([file], counting=counting)), goal)
    assert goal.read_bytes().startswith(b"\x89PNG")
