"""`kill -9` of local Azure at seeded moments of a stream of writes: no acknowledged one is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.localazure.crash import killed_again_and_again

pytestmark = pytest.mark.proof


@pytest.mark.parametrize("seed", range(10))
def test_no_acknowledged_write_is_lost_whenever_the_kill_comes(tmp_path: Path, seed: int):
    stream = killed_again_and_again(tmp_path / "state", seed, kills=4)
    assert stream.acknowledged >= 4
