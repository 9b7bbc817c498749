"""Stacks, what stands of them, and a rollout over them, as values: nothing is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from infra.rollout.plan import Observed, Wanted, make
from infra.rollout.values import Plan, Target
from infra.spec import Account, DeploymentWish, ModelRecord, Rollout, Sku, Source, Stack, limits
from infra.spec.model import ResourceGroup, StackKeepAlive
from infra.spec.rollout import Approval, Defaults, Gate, MetricsRule, RolloutFile, WantedWave, Wave

SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
TRAINING = Source(
    subscription="11111111-1111-4111-8111-111111111111",
    resource_group="rg-contoso-train",
    account="contoso-train-ncus",
)
OLD, NEW = (f"gpt-4.1-mini-2025-04-14.ft-{digit * 32}" for digit in "12")
GATES = {
    "smoke": Gate(prompts="smoke.jsonl"),
    "calm": Gate(metrics=MetricsRule(errors=0.01)),
    "someone": Gate(approval=Approval(by=["ann"])),
}
COMMIT = "c0ffee" * 6 + "beef"


def wish(name: str = "support-bot", model: str = NEW, **other: Any) -> DeploymentWish:
    """A deployment that the files want."""
    record = ModelRecord(model=model, source=other.pop("source", TRAINING))
    sku = Sku(name=other.pop("sku", "Standard"), capacity=other.pop("capacity", 50))
    given: dict[str, Any] = {
        "name": name, "record_name": name, "record": record, "sku": sku, "version_upgrade_option": None,
        "rai_policy": None, "tags": {}, "policy": "ping", "after": timedelta(days=10), "revive": True, "retire": None,
    }  # fmt: skip
    return DeploymentWish(**{**given, **other})


def stack(name: str = "prod-swe", *wishes: DeploymentWish, **other: Any) -> Stack:
    """A stack of the fleet; without a wish it wants the new model behind support-bot."""
    group = ResourceGroup(name=f"rg-{name}")
    given: dict[str, Any] = {
        "project": "hearth", "name": name, "subscription": SUBSCRIPTION, "location": "swedencentral",
        "production": True, "labels": {}, "account": Account(name=f"contoso-{name}", resource_group=group),
        "access": (), "deployments": wishes or (wish(),), "ready": "serving", "keep_alive": StackKeepAlive(),
        "warnings": (),
    }  # fmt: skip
    return Stack(**{**given, **other})


def facts(model: str = OLD, active: str = "support-bot", **other: Any) -> dict[str, Any]:
    """One deployment as a stack's outputs have it."""
    given = {
        "id": f"…/{active}", "active": active, "standby": None, "model": model, "version": "1", "source": TRAINING.id,
        "sku": {"name": "Standard", "capacity": 50}, "previous": None, "held": False, "rollout": None,
    }  # fmt: skip
    return {**given, **other}


def standing(model: str = NEW) -> dict[str, Any]:
    """A standby as outputs have it."""
    return {"name": "support-bot-b", "model": model, "version": "1", "source": TRAINING.id}


def observed(of: Stack, told: Mapping[str, Any] | None = None, **other: Any) -> Observed:
    """What stands at a stack; without anything told it serves the old model behind each of its names."""
    said = told if told is not None else {d.name: facts(active=d.name) for d in of.deployments}
    applied = {"applied": other.pop("applied")} if "applied" in other else {}
    return Observed(outputs={"account": {"id": of.account_id}, "deployments": said, **applied}, **other)


def wave(stacks: tuple[str, ...], name: str = "canary", **other: Any) -> WantedWave:
    """A wave of these stacks."""
    given: dict[str, Any] = {
        "strategy": "inPlace", "concurrency": 2, "tolerance": 0, "strict": False, "bake": timedelta(minutes=30),
        "gates": (), "approval": None, "on_failure": "rollbackWave",
    }  # fmt: skip
    return WantedWave(name=name, stacks=stacks, **{**given, **other})


def wanted(stacks: list[Stack], *waves: WantedWave, window: timedelta = timedelta(hours=24)) -> Wanted:
    """What the files say: these stacks, in these waves."""
    file = RolloutFile(
        waves=[Wave(name=w.name, targets=list(w.stacks)) for w in waves],
        defaults=Defaults(rollback_window=window),
        gates=GATES,
    )
    return Wanted(
        fleet="hearth",
        rollout=Rollout(file=file, waves=waves),
        stacks={one.name: one for one in stacks},
        limits=limits.load(),
    )


def plan(stacks: list[Stack], seen: Mapping[str, Observed], *waves: WantedWave, **other: Any) -> Plan:
    """The plan; without waves all stacks are in one, with these settings."""
    chosen = waves or (wave(tuple(one.name for one in stacks), **other),)
    return make(wanted(stacks, *chosen), seen, COMMIT)


def target(of: Stack, seen: Observed | None, **other: Any) -> Target:
    """The plan of one stack alone."""
    ((only,),) = [w.targets for w in plan([of], {of.name: seen} if seen else {}, **other).waves]
    return only


def changed(what: Any, **fields: Any) -> Any:
    """A copy with other fields."""
    return msgspec.structs.replace(what, **fields)
