"""Rollouts at length on the real engine: six stacks in three waves, refused, beyond tolerance, and killed."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.desk import open_desk, processes_in, wait_for
from tests.journeys.conftest import known_to_azure
from tests.journeys.rolling import Rolling
from tests.rollout.fleet import FIRST

pytestmark = pytest.mark.proof
SIX = [f"{wave}-{n}" for wave in ("canary", "europe", "world") for n in (1, 2)]
WAVES = """\
defaults: {{strategy: beside, bake: 1s, onFailure: {on_failure}, tolerance: {tolerance}}}
gates:
  mine: {{command: [sh, -c, 'test ! -e "$REFUSING/$HEARTH_TARGET"']}}
waves:
  - {{name: canary, targets: "canary-*", gates: [mine]}}
  - {{name: europe, targets: "europe-*", gates: [mine]}}
  - {{name: world, targets: "world-*", gates: [mine]}}
"""
SEEDS = range(20)


def settings(on_failure: str = "rollbackAll", tolerance: int = 0) -> str:
    return WAVES.format(on_failure=on_failure, tolerance=tolerance)


def test_six_stacks_in_three_waves(tmp_path: Path, engine: Path, desk_with_source: Path) -> None:
    """To the end; a merged record and a plain up; a gate that refuses in the second wave; a tolerance used up."""
    with known_to_azure(tmp_path / "project", engine, desk_with_source) as desk:
        desk.env["REFUSING"] = str(tmp_path)
        rolling = Rolling(desk, settings(), SIX)
        _run(rolling, "start", "--yes")
        assert rolling.all_serve() == dict.fromkeys(SIX, FIRST)

        better = desk.tune("b")
        rolling.merge(better)
        assert "promote with `hearth rollout start`" in desk.up("canary-1")
        assert rolling.serves("canary-1") == FIRST, "a merged record and a plain up change nothing"
        rolling.fleet.repository.commit()  # the salt that the engine wrote into the stack's file
        _run(rolling, "start", "--yes")
        assert rolling.all_serve() == dict.fromkeys(SIX, better)
        _require_order(rolling)

        worse = desk.tune("c")
        rolling.merge(worse)
        (tmp_path / "europe-2").touch()
        said = _run(rolling, "start", "--yes", code=1)
        assert "europe-2: gate mine failed" in said
        assert rolling.all_serve() == dict.fromkeys(SIX, better)
        tried = {e["target"] for e in rolling.events() if e["kind"] == "stepStarted"}
        assert tried == {"canary-1", "canary-2", "europe-1", "europe-2"}, "the third wave was left alone"
        assert rolling.status_of_last() == "rolledBack"

        rolling.write(settings("rollbackWave", tolerance=1))
        rolling.merge(worse)
        _run(rolling, "start", "--yes")  # one refusal is tolerated, and undone
        assert rolling.all_serve() == {stack: better if stack == "europe-2" else worse for stack in SIX}
        for stack in ("europe-1", "europe-2"):
            (tmp_path / stack).touch()
        best = desk.tune("d")
        rolling.merge(best)
        _run(rolling, "start", "--yes", code=1)
        served = rolling.all_serve()
        assert [served[stack] for stack in SIX] == [best, best, worse, better, worse, worse]
        for stack in SIX:
            rolling.fleet.require_sound(stack)


def test_ctrl_c_twice_stops_the_engines_cleanly(tmp_path: Path, engine: Path, desk_with_source: Path) -> None:
    with known_to_azure(tmp_path / "project", engine, desk_with_source) as desk:
        rolling = Rolling(desk, 'waves: [{name: all, targets: "s*", bake: 0s}]\n', ["s1", "s2"])
        running = rolling.begin("start", "--yes")
        rolling.waits_until("all/s2: placing", running)
        wait_for(lambda: any(a.name == "contoso-s1" for a in desk.azure.world.accounts), "no account")
        running.process.send_signal(signal.SIGINT)
        wait_for(lambda: "Finishing what runs" in running.said(), "it did not hear")
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 130
        assert "Stopping the engines" in running.said()
        wait_for(lambda: not desk.processes(), "engines live on")
        assert not list((desk.root / ".hearth" / "pulumi").rglob("locks/**/*.json"))
        _run(rolling, "resume")
        assert rolling.all_serve() == dict.fromkeys(("s1", "s2"), FIRST)


# --- killed ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory, engine: Path, desk_with_source: Path) -> Iterator[Rolling]:
    """Three stacks that are up; each kill goes on from where the last one was recovered."""
    with open_desk(tmp_path_factory.mktemp("killing") / "project", engine, desk_with_source) as desk:
        rolling = Rolling(desk, _killed_waves("inPlace"), ["k1", "k2", "k3"])
        _run(rolling, "start", "--yes")
        yield rolling


def _killed_waves(strategy: str) -> str:
    return (
        f"defaults: {{strategy: {strategy}, bake: 0s}}\n"
        "waves: [{name: one, targets: k1}, {name: rest, targets: 'k*'}]\n"
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_moment_a_rollout_is_resumed_to_the_same_end(seed: int, killing: Rolling) -> None:
    dice, desk = random.Random(seed), killing.desk  # noqa: S311
    strategy, victim = ("inPlace", "beside")[seed % 2], ("hearth", "everything")[seed // 2 % 2]
    desk.advance(hours=2)  # many runs in an hour prove themselves by more calls than are known to be ours
    killing.write(_killed_waves(strategy))
    model = desk.tune(f"{seed + 16:02x}")
    killing.merge(model)
    write, later = dice.randint(1, 3 if strategy == "inPlace" else 6), dice.randint(0, 4)

    def strike() -> None:
        if victim == "everything":  # as a machine that loses power
            for line in processes_in(desk.root):
                with suppress(ProcessLookupError):
                    os.kill(int(line.split()[0]), signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)

    with desk.at_write(write, strike, later=later) as struck:
        running = killing.begin("start", "--yes")
        running.wait(300)
    assert struck.is_set(), running.said()
    assert running.process.returncode == -signal.SIGKILL
    said = _run(killing, ("resume", "start")[seed % 2], *(["--yes"] if seed % 2 else []))
    assert killing.all_serve() == dict.fromkeys(killing.stacks, model), said
    assert killing.status_of_last() == "succeeded"
    for stack in killing.stacks:
        killing.fleet.require_sound(stack)
    sys.stdout.write(f"seed {seed}: {strategy}, {victim} killed after write {write}, {later} requests later: resumed\n")


def _run(rolling: Rolling, *arguments: str, code: int = 0) -> str:
    running = rolling.begin(*arguments)
    assert running.wait(600) == code, running.said()
    return running.said()


def _require_order(rolling: Rolling) -> None:
    """No step of a wave before the wave before it has passed."""
    passed = 0
    for event in rolling.events():
        passed += event["kind"] == "waveDone"
        if event["kind"] == "stepStarted":
            assert ("canary", "europe", "world").index(event["wave"]) == passed
