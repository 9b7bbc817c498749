"""Whether somebody else was at a stack since the plan saw it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra import serving
from infra.rollout.values import Move, Phase, Target
from infra.spec.promotion import Served


def changed_by_others(outputs: Mapping[str, Any] | None, rollout: str, target: Target, phase: Phase) -> str:
    """Who else has changed a stack since the plan saw it, in words; empty if nobody has.

    What a rollout may find: what the plan saw, as long as it has changed nothing itself, and what it has put there.
    """
    deployments: Mapping[str, Any] = (outputs or {}).get("deployments") or {}
    mine = {name for name, facts in deployments.items() if facts.get("rollout") == rollout}
    known = {*(target.rollout or "").split(","), rollout}
    for name, facts in deployments.items():
        if (other := facts.get("rollout")) and other not in known:
            return f"{name} was changed by rollout {other} since this one was planned; nothing was done"
    for move in () if target.plain else target.moves:  # a plain up leaves no mark of ours in the outputs
        if move.deployment in mine:
            continue
        if phase in {"switch", "retire"}:
            return f"{move.deployment} is no longer as this rollout left it; nothing was done"
        if told := _differs(deployments.get(move.deployment), move):
            return f"{move.deployment} {told} since this rollout was planned; nothing was done"
    return ""


def _differs(facts: Mapping[str, Any] | None, move: Move) -> str:
    """How a deployment differs from what the plan saw."""
    if facts is None or move.before is None:
        return {(True, False): "is gone", (False, True): "was put up"}.get((facts is None, move.before is None), "")
    try:
        active, standby = serving.of_outputs(facts)
    except (KeyError, TypeError, AttributeError):
        return "has got outputs that cannot be read"
    if active.name != move.active:
        return f"was switched to {active.name}"
    if not serving.same(active.served, move.before):
        return f"has got another model ({active.served.model})"
    if not _same(standby.served if standby else None, move.standby):
        return f"has got another standby ({standby.served.model if standby else 'none'})"
    return ""


def _same(one: Served | None, other: Served | None) -> bool:
    return one is other if one is None or other is None else serving.same(one, other)
