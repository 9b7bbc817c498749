"""Twenty random rollouts on DBOS whose process is killed on the way; two more seeds are in tests/rollout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rollout.test_workflow import shake

pytestmark = pytest.mark.proof


@pytest.mark.parametrize("seed", range(2, 22))
def test_random_rollouts_keep_their_promises_though_their_process_is_killed(tmp_path: Path, seed: int) -> None:
    shake(tmp_path, seed)
