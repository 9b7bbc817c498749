"""A stack's outputs, the contract with every other command: what Azure answered, and what stood there before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import pulumi
from pulumi.output import Unknown

from components import FineTunedDeployment
from infra import serving
from infra.errors import Refused
from infra.serving import Slot, Standing

T = TypeVar("T")
Outputs = dict[str, Any]
_READ_AGAIN = 5
"""Times that a state which is being written is read again."""
_UNSAID: Outputs = {"standby": None, "source": None, "previous": None, "held": False, "rollout": None}


def last() -> Outputs:
    """The stack's outputs as its last run left them; what was null is absent. Raises Refused.

    Asked of the engine at once, not as a StackReference: which deployments to declare depends on it. The engine answers
    in preview, up, refresh and destroy, with nothing before the first up (pulumi 3.259, resource/deploy/builtins.go).
    """
    me = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    for tried in range(_READ_AGAIN + 1):
        try:
            found = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": me}).value
            return found.get("outputs") or {}
        except Exception as error:
            # A file backend writes some files in place, and the engine saves while we read.
            if "failed to load checkpoint" not in str(error) or tried == _READ_AGAIN:
                raise Refused(f"the engine does not tell what {me} served last: {error}") from None
            time.sleep(0.1)
    raise AssertionError  # the last turn returns or raises


def facts(standing: Standing, made: Mapping[str, FineTunedDeployment], before: Outputs) -> pulumi.Output[Outputs]:
    """What callers and later runs are told of one deployment of the wish; `before`: the stack's last outputs."""
    told = _told(before, standing.wish.name) or {}

    def whole(slots: list[Outputs | None]) -> Outputs:
        now, beside = slots
        assert now is not None  # noqa: S101 - it is the active one
        active = {**now, "active": now["name"], "standby": beside}
        del active["name"]
        return {**active, "previous": _previous(now, told), "held": standing.held, "rollout": standing.rollout}

    beside = _slot(standing.standby, made, told) if standing.standby is not None else None
    return pulumi.Output.all(_slot(standing.active, made, told), beside).apply(whole)


def or_last(made: FineTunedDeployment, fresh: pulumi.Output[T], said: T | None) -> pulumi.Output[T]:
    """The output, or what the stack last said where a refresh has found the deployment gone.

    A refresh runs the program, and what is not known in it would be written over the outputs: which model stood
    there, under which settings, is what `hearth tend` needs to put it back.
    """

    def choose(known: object) -> pulumi.Output[T]:
        if isinstance(known, Unknown) and said is not None:
            return pulumi.Output.from_input(said)
        return fresh

    return made.deployment_id.apply(choose, run_with_unknowns=True)


def _slot(slot: Slot, made: Mapping[str, FineTunedDeployment], told: Outputs) -> pulumi.Output[Outputs]:
    """One deployment as Azure answered."""
    before = _told_slot(told, slot.name)

    def known_by_azure(known: dict[str, Any]) -> Outputs:
        sku = known["sku"]
        return {
            **known,
            "sku": {"name": sku["name"], "capacity": int(sku["capacity"])} if sku else None,
            "settings": {**known["settings"], serving.TENANT: _tenant(known, slot, before)},
        }

    one = made[slot.name]
    fresh = pulumi.Output.all(
        id=one.deployment_id,
        name=one.deployment_name,
        model=one.model,
        version=one.version,
        source=one.source,
        sku=one.sku,
        settings=one.settings,
    ).apply(known_by_azure)
    return or_last(one, fresh, before)


def _told(before: Outputs, name: str) -> Outputs | None:
    """What the last run said of a deployment, with what the engine left out because it was null."""
    found = (before.get("deployments") or {}).get(name)
    return {**_UNSAID, **found} if isinstance(found, dict) else None


def _told_slot(told: Outputs, name: str) -> Outputs | None:
    """What the last run said of one slot, in the words of an output's standby."""
    standby = told.get("standby") or {}
    if standby.get("name") == name:
        return {"source": None, **standby}
    if told.get("active") != name:
        return None
    return {"name": name, **{key: told.get(key) for key in ("id", "model", "version", "source", "sku", "settings")}}


def _tenant(known: Outputs, slot: Slot, before: Outputs | None) -> str | None:
    """Tenant of the account that owns the model that stands there, where it is another one.

    Azure does not tell it. A refresh finds what the last run put there, of which a changed record says nothing.
    """
    if known["source"] is None:
        return None
    if known["model"] == slot.served.model:
        return slot.served.tenant
    tenant: str | None = ((before or {}).get("settings") or {}).get(serving.TENANT)
    return tenant


def _previous(now: Outputs, told: Outputs) -> Outputs | None:
    """The model served before the one served now."""
    if not told:
        return None
    fields = ("model", "version", "source")
    before: Outputs | None = {field: told.get(field) for field in fields}
    if before == {field: now[field] for field in fields}:
        before = told.get("previous")
    return before
