"""Rollouts on the real engine, as a person at a terminal has them; tests/proof/test_rollouts.py tells the long ones."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import known_to_azure
from tests.journeys.rolling import Rolling
from tests.rollout.fleet import FIRST

WAVES = """\
defaults: {strategy: beside, bake: 0s}
gates:
  mine: {command: [test, -n, $HEARTH_TARGET]}
waves:
  - {name: canary, targets: one, gates: [mine]}
  - {name: rest, targets: two, approval: {by: [ann]}}
"""


@pytest.fixture
def rolling(tmp_path: Path, engine: Path, desk_with_source: Path) -> Iterator[Rolling]:
    """Two stacks in two waves; nothing of them is up."""
    with known_to_azure(tmp_path / "project", engine, desk_with_source) as desk:
        yield Rolling(desk, WAVES.replace("$HEARTH_TARGET", "x"), ["one", "two"])


def test_a_rollout_waits_for_a_yes_from_another_terminal_goes_on_after_ctrl_c_and_can_be_rolled_back(
    rolling: Rolling,
) -> None:
    """One story, for every step takes an engine's time."""
    desk = rolling.desk
    desk.pulumi("stack", "init", "one")
    desk.up("one")
    better = desk.tune("b")
    rolling.merge(better)

    first = rolling.begin("start", "--yes")
    rolling.waits_until("canary/one: placing", first)
    first.process.send_signal(signal.SIGINT)  # finishes what runs, and stops
    assert first.wait() == 130
    assert "Go on with: hearth rollout resume" in first.said()
    assert rolling.kinds()[-1] == "stepDone"
    assert rolling.serves("one") == FIRST

    second = rolling.begin("resume")
    rolling.waits_until("rest: asks for a yes", second)
    assert rolling.serves("one") == better
    assert "waits for a yes for wave rest (by ann)." in rolling.rollout("status")
    said = rolling.rollout("start", "--yes", code=3)
    assert "has a rollout of hearth under way since" in said
    assert "eve may not answer here; who may: ann" in rolling.rollout("approve", "--as", "eve", code=3)
    rolling.rollout("approve", "--as", "ann", "--comment", "looks good")
    assert second.wait() == 0, second.said()
    assert rolling.all_serve() == {"one": better, "two": better}
    assert rolling.kinds().count("stepStarted") == 3, "placed, switched; the other one for the first time"

    assert "nothing to do" in rolling.rollout("start", "--yes")
    page = desk.root / "page.html"
    rolling.rollout("show", "--html", str(page))
    assert "looks good" in page.read_text()
    rolling.rollout("rollback", "--comment", "too slow")
    assert rolling.all_serve() == {"one": FIRST, "two": better}, "what stood there before; there was nothing at two"
    undone = [e for e in rolling.events() if e["kind"] == "stepDone" and e["phase"] == "undo" and e["target"] == "one"]
    assert "create" not in undone[0]["data"]["changes"], "the former model still stood by"
    assert rolling.status_of_last() == "rolledBack"

    for stack in rolling.stacks:
        rolling.fleet.require_sound(stack)


@pytest.mark.proof
def test_what_changed_besides_models_goes_through_its_wave_or_comes_after_them_and_is_never_undone(rolling: Rolling):
    desk = rolling.desk
    for stack in rolling.stacks:
        desk.pulumi("stack", "init", stack)
        desk.up(stack)
    rolling.fleet.repository.commit()
    rolling.write("defaults: {bake: 0s}\nwaves: [{name: rest, targets: two}]\n")
    desk.change("two", "hearth:account: {", "hearth:account: {tags: {team: a}, ")
    desk.pulumi("refresh", "--yes", "--stack", "two")  # runs the program, and puts nothing up
    rolling.fleet.repository.commit()
    assert "2 to update" in rolling.rollout("start", "--yes")
    steps = [event["target"] for event in rolling.events() if event["kind"] == "stepStarted"]
    assert steps == ["two", "one"], "its file has changed; then the one that no wave names any more"
    assert desk.account("contoso-two").tags["team"] == "a"
    assert "nothing to do" in rolling.rollout("start", "--yes")
    assert "nothing is undone: what its file says stays" in rolling.rollout("rollback")
    assert rolling.all_serve() == {"one": FIRST, "two": FIRST}
    for stack in rolling.stacks:
        rolling.fleet.require_sound(stack)
