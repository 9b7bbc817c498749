"""Rollout: what planning costs once everything is read, and what real targets cost beside bare runs."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import flow, targets
from benchmarks.report import Row
from benchmarks.timing import side_by_side
from infra.rollout.plan import Observed, Quota, Wanted, make
from infra.rollout.values import Plan
from tests.rollout.planning import COMMIT, observed, stack, wanted, wave, wish

ROUNDS = 7


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    wish_of, seen = fleet(1000)
    made: list[Plan] = []
    time = side_by_side({"plan": lambda: made.append(make(wish_of, seen, COMMIT))}, ROUNDS)["plan"]
    moves = sum(len(target.moves) for wave_of in made[-1].waves for target in wave_of.targets)
    yield Row(
        "plan of 1,000 targets after reading, in seconds", time.middle, 1, f"8 waves, {moves:,} deployments to move"
    )
    yield from flow.rows()
    yield from targets.rows()


def fleet(size: int) -> tuple[Wanted, dict[str, Observed]]:
    """Stacks of three deployments, all to be moved beside what serves, in eight waves."""
    bots = [wish(f"bot-{n}", f"gpt-4.1-mini-2025-04-14.ft-{n}") for n in range(3)]
    stacks = [stack(f"prod-{n:04}", *bots) for n in range(size)]
    names = [one.name for one in stacks]
    waves = [wave(tuple(names[n::8]), f"wave-{n}", strategy="beside", gates=("smoke",)) for n in range(8)]
    quota = {bot.name: Quota(name=f"OpenAI.Standard.{bot.name}", left=10**9) for bot in bots}
    return wanted(stacks, *waves), {one.name: observed(one, quota=quota) for one in stacks}
