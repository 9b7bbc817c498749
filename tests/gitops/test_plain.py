"""How a stack is previewed that takes part in a rollout though no rollout moves its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from infra.gitops.foretold import Previewer, Question
from infra.ports.foresee import Foreseen
from infra.rollout.values import Target
from infra.spec import limits
from infra.spec.promotion import VARIABLE
from tests.rollout.planning import observed, stack, target

PROD = stack()
MOVED = target(PROD, observed(PROD))


@dataclass
class Engine:
    """Foresees nothing, and remembers what it was told."""

    told: list[Mapping[str, str]] = field(default_factory=list)

    def up(self, _stack: str, *, environment: Mapping[str, str]) -> Foreseen:
        self.told.append(environment)
        return Foreseen((), (), {})


def changed(**fields: Any) -> Target:
    return msgspec.structs.replace(MOVED, **fields)


@pytest.mark.parametrize(
    ("planned", "promoted"),
    [(MOVED, True), (changed(moves=(), standing="update"), False), (changed(standing="update", plain=True), False)],
    ids=["moved", "its file alone", "in no wave"],
)
def test_it_is_told_of_a_promotion_only_where_a_rollout_moves_a_model(planned: Target, promoted: bool):
    engine = Engine()
    row = Previewer(engine, limits.load()).one(Question("prod-swe", (), PROD, "", ("canary", planned)))  # type: ignore[arg-type]
    assert (VARIABLE in engine.told[0]) is promoted
    assert bool(row.models) is promoted, "what a plain up moves, the engine foresees"
    assert row.warnings == planned.why
