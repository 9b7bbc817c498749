"""`hearth rollout start --all`: which stacks get a plain `up` after the waves, in which order, and what ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.cli.rollout import rest
from infra.rollout import export, hands
from infra.rollout.export import Source
from infra.rollout.values import StepResult

REPOSITORY = Path(__file__).parents[2]
STACK = """\
config:
  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222
  azure-native:location: swedencentral
  hearth:account: {{name: contoso-{0}, resourceGroup: rg-contoso-{0}}}
  hearth:deployments:
    bot: {{model: bot, sku: {{name: GlobalStandard, capacity: 1}}}}
"""
RECORD = """\
model: gpt-4.1-mini-2025-04-14.ft-1
source: {subscription: 11111111-1111-4111-8111-111111111111, resourceGroup: rg, account: contoso-train}
"""


class Hands:
    """An engine that remembers."""

    failing = frozenset[str]()
    asked: list[str]

    def __init__(self, *_: object, **__: object) -> None:
        Hands.asked = []

    def put_up(self, stack: str) -> StepResult:
        Hands.asked.append(stack)
        if stack in self.failing:
            return StepResult(outcome="failed", reason="no quota")
        return StepResult(outcome="done", changes={"same": 3, "update": 1})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Waves world (b), canary (a); c and d are in none."""
    (tmp_path / "stacks" / "models").mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_text((REPOSITORY / "Pulumi.yaml").read_text())
    for name in "abcd":
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(STACK.format(name))
    (tmp_path / "stacks" / "models" / "bot.yaml").write_text(RECORD)
    (tmp_path / "stacks" / "rollout.yaml").write_text(
        "waves: [{name: canary, targets: b}, {name: world, targets: a}]\n"
    )
    kept = tmp_path / "kept" / "source"
    monkeypatch.setattr(export, "take", lambda *_, **__: (kept.mkdir(parents=True), Source(tmp_path, "c"))[1])
    monkeypatch.setattr(rest.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(hands, "EngineHands", Hands)
    monkeypatch.setattr(Hands, "failing", frozenset())
    return tmp_path


def test_the_waves_stacks_come_first_in_their_order_and_what_they_have_put_up_is_left(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rest.put_up(root, "HEAD", dirty=False, done=()) == []
    assert Hands.asked[:2] == ["b", "a"]
    assert sorted(Hands.asked[2:]) == ["c", "d"]
    assert "b: 1 update" in capsys.readouterr().out
    (root / "kept").joinpath("source").rmdir()
    assert rest.put_up(root, "HEAD", dirty=False, done={"b", "c"}) == []
    assert Hands.asked == ["a", "d"]


def test_what_fails_in_a_wave_ends_it_and_elsewhere_it_fails_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Hands, "failing", frozenset("b"))
    assert rest.put_up(root, "HEAD", dirty=False, done=()) == ["b"]
    assert Hands.asked == ["b"]
    assert "b: no quota" in capsys.readouterr().out
    (root / "kept").joinpath("source").rmdir()
    monkeypatch.setattr(Hands, "failing", frozenset("c"))
    assert rest.put_up(root, "HEAD", dirty=False, done=()) == ["c"]
    assert sorted(Hands.asked) == ["a", "b", "c", "d"]
