"""What the order of a rollout costs: many targets whose steps only wait, and how soon a resumed one is at work."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from benchmarks.report import Row
from infra.toolchain import cli, progress
from tests.desk import open_desk, wait_for
from tests.journeys.rolling import Rolling
from tests.rollout.hands import Pretended
from tests.rollout.runs import begin, ended, history, outcome, process, until
from tests.rollout.simulation import plan, target, wave

TARGETS, AT_ONCE, STEP = 200, 20, 0.2
ROUNDS = 3


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    took, path = min(_simulated() for _ in range(ROUNDS)), TARGETS / AT_ONCE * 3 * STEP
    yield Row(
        f"{TARGETS} targets of 3 steps of {STEP} s, {AT_ONCE} at once, beside the critical path", took / path, 1.15,
        f"{took:.1f} s against {path:.1f} s, on SQLite; each step recorded at its start and end",
    )  # fmt: skip
    found = sorted(_resumed())
    yield Row("from `hearth rollout resume` to its first step, in seconds", found[len(found) // 2], 2,
              f"after kill -9 during a step; the middle of {len(found)}")  # fmt: skip


def _simulated() -> float:
    """Seconds of one rollout of targets that are placed, asked and switched to, from its start to its end."""
    folder = Path(tempfile.mkdtemp(prefix="hearth-bench-"))
    try:
        targets = [target(f"t{number:03}", "beside") for number in range(TARGETS)]
        kept = history(folder)
        with process(kept, Pretended(folder, seconds=STEP)):
            began = time.perf_counter()
            begin(kept, plan(wave("all", targets, concurrency=AT_ONCE, gates=("smoke",))))
            until(ended(kept), 120)
            took = time.perf_counter() - began
        if outcome(kept) != "succeeded":
            raise RuntimeError(f"it ended as {outcome(kept)}")
        kept.close()
        return took
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _resumed() -> Iterator[float]:
    """Seconds from the command to the step that it takes up, on the real engine, again and again."""
    with _one_stack() as rolling:
        running = rolling.begin("start", "--yes")
        rolling.waits_until("all/s1: placing", running)
        for _ in range(5):
            os.kill(running.pid, signal.SIGKILL)
            running.wait()
            known, began = len(_steps(rolling)), time.time()
            running = rolling.begin("resume")
            wait_for(lambda known=known: len(_steps(rolling)) > known, "it did not go on")  # type: ignore[misc]
            yield _steps(rolling)[-1] - began
        if running.wait(300) != 0:
            raise RuntimeError(running.said())


def _steps(rolling: Rolling) -> list[float]:
    """When steps began, in seconds since 1970."""
    kept = history(rolling.desk.root / ".hearth")
    try:
        events = kept.events(kept.rollouts()[0].id)
    finally:
        kept.close()
    return [datetime.fromisoformat(event.at).timestamp() for event in events if event.kind == "stepStarted"]


@contextmanager
def _one_stack() -> Iterator[Rolling]:
    folder = Path(tempfile.mkdtemp(prefix="hearth-bench-"))
    try:
        with open_desk(folder / "desk", cli.find_or_build(progress.shown_on()).parent) as desk:
            desk.up("local-source")
            yield Rolling(desk, "waves: [{name: all, targets: s1, bake: 0s}]\n", ["s1"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
