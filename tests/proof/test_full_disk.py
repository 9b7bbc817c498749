"""A disk without room: a rollout ends in one line, loses nothing, and goes on once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.errors import HearthError
from infra.rollout import export
from tests.rollout.hands import Pretended, begun, serves
from tests.rollout.repository import Repository
from tests.rollout.runs import begin, ended, history, outcome, process, until
from tests.rollout.simulation import plan, target, wave

pytestmark = pytest.mark.proof


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB, as only root may have one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root, who may mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free:
            file.write(bytes(4096))
    return filler


def test_a_rollout_whose_database_has_no_room_ends_in_a_line_and_goes_on_once_there_is_some(
    small: Path, tmp_path: Path
) -> None:
    kept = history(small)
    stacks = [f"t{number}" for number in range(6)]
    begin(kept, plan(wave("one", [target(stack) for stack in stacks], concurrency=2)))
    with process(kept, Pretended(tmp_path, seconds=0.3)) as first:
        until(lambda: begun(tmp_path, "t0:place"))
        filler = fill(small)
        until(lambda: first.failed)
        assert "no room to write" in str(first.failed)
        assert "make room on that disk, then: hearth rollout resume" in str(first.failed)
    filler.unlink()
    with process(kept, Pretended(tmp_path)):
        until(ended(kept))
    assert outcome(kept) == "succeeded"
    assert {serves(tmp_path, stack) for stack in stacks} == {"new"}
    numbers = [event.number for event in kept.events("r1")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_commit_that_has_no_room_is_refused_in_a_line_and_leaves_nothing(small: Path) -> None:
    repository = Repository(small / "project")
    repository.write("Pulumi.yaml", "name: hearth\n")
    repository.write("big", "x" * 400_000)
    repository.commit()
    filler = fill(small)
    with pytest.raises(HearthError, match="the disk is full; make room and try again"):
        export.take(repository.root, "r1")
    filler.unlink()
    assert not list(export.folder(repository.root, "r1").glob(".source-*"))
    assert (export.take(repository.root, "r1").folder / "big").stat().st_size == 400_000
