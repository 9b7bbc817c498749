"""What stands at a stack, as a target that a gate can be asked about without a rollout. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.errors import Mistake, SpecError
from infra.rollout.values import Move, Target, other_slot
from infra.spec.promotion import Served


def target(stack: str, outputs: Mapping[str, Any] | None, *, deployment: str = "", standby: bool = False) -> Target:
    """The deployments of a stack, or one of them, as candidates; in the other slot stands what they would replace.

    The candidate is what callers use, or with `standby` what stands beside it. Raises SpecError where nothing does.
    """
    found = (outputs or {}).get("deployments") or {}
    if not outputs or not found:
        raise SpecError([Mistake(stack, 0, "", "has nothing that is up; pulumi up first")])
    if deployment and deployment not in found:
        raise SpecError([Mistake(stack, 0, deployment, f"is no deployment of this stack: it has {', '.join(found)}")])
    wanted = {name: facts for name, facts in found.items() if deployment in ("", name)}
    moves = [_move(name, facts, standby=standby) for name, facts in wanted.items()]
    asked = tuple(move for move in moves if move is not None)
    if not asked:
        raise SpecError([Mistake(stack, 0, "--standby", f"nothing stands beside {', '.join(wanted)}")])
    account = outputs["account"]
    location = str(account.get("location", ""))
    return Target(stack=stack, account=str(account["id"]), location=location, standing="move", moves=asked)


def _move(name: str, facts: Mapping[str, Any], *, standby: bool) -> Move | None:
    active, other = str(facts["active"]), facts.get("standby")
    if other is None:
        if standby:
            return None
        served = _served(facts)
        return Move(
            deployment=name, record="", strategy="inPlace", before=served, after=served, active=active, candidate=active
        )
    beside = str(other.get("name") or other_slot(name, active))
    pair = (beside, other, active, facts) if standby else (active, facts, beside, other)
    return Move(
        deployment=name, record="", strategy="beside", candidate=pair[0], after=_served(pair[1]),
        active=pair[2], before=_served(pair[3]),
    )  # fmt: skip


def _served(facts: Mapping[str, Any]) -> Served:
    return Served(model=str(facts["model"]), version=str(facts["version"]), source=facts.get("source"))
