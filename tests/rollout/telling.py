"""Rollouts that went one way or another, as plans and events: what the views are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from infra.rollout.plan import Quota
from infra.rollout.values import Event, Phase, Plan
from tests.rollout.planning import NEW, facts, observed, plan, stack, wave, wish

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
NASTY = '<script>alert("x")</script> | & \x1b[31m'
"""What a model's answer may bring into a text."""


class Tape:
    """Writes events, one after the other, with the time passing in between."""

    def __init__(self, rollout: str = "2026-11-23-a") -> None:
        self.rollout, self.now, self.events = rollout, START, list[Event]()

    def __call__(self, kind: Any, *place: str, after: float = 0, **fields: Any) -> None:
        """One event at a wave, or a wave and a stack, some seconds after the one before."""
        self.now += timedelta(seconds=after)
        where = dict(zip(("wave", "target"), place, strict=False))
        event = Event(rollout=self.rollout, number=len(self.events) + 1, at=self.now.isoformat(), kind=kind, **where,
                      **{"who": "worker-1@host", **fields})  # fmt: skip
        self.events.append(event)

    def step(self, wave: str, target: str, phase: Phase, seconds: float, fails: str = "", **data: Any) -> None:
        """A step from start to end."""
        self("stepStarted", wave, target, phase=phase)
        data = {"outcome": "failed" if fails else "done", "reason": fails, "seconds": seconds, **data}
        kind = "stepFailed" if fails else "stepDone"
        self(kind, wave, target, after=seconds, phase=phase, text=fails, data=data)

    def gate(self, wave: str, target: str, gate: str, seconds: float, kind: str = "gatePassed", text: str = "") -> None:
        """A gate from start to answer."""
        self("gateStarted", wave, target, gate=gate)
        figures = {"passRate": 1.0 if kind == "gatePassed" else 0.55, "p95": 0.8}
        self(kind, wave, target, after=seconds, gate=gate, text=text, data={"reason": text, "figures": figures})


def fleet() -> Plan:
    """Six stacks in three waves, all beside, and one that is up to date."""
    places = {"swe": "swedencentral", "weu": "westeurope", "uks": "uksouth", "eus": "eastus2", "wus": "westus3",
              "jpe": "japaneast", "ncu": "northcentralus"}  # fmt: skip
    stacks = [stack(f"prod-{name}", wish(), location=region) for name, region in places.items()]
    quota = {"support-bot": Quota(name="q", left=1000)}
    seen = {one.name: observed(one, quota=quota) for one in stacks[:-1]}
    seen["prod-ncu"] = observed(stacks[-1], {"support-bot": facts(NEW)})
    settings: dict[str, Any] = {"strategy": "beside", "gates": ("smoke", "calm")}
    return plan(
        stacks, seen,
        wave(("prod-swe",), "canary", bake=timedelta(hours=2), **settings),
        wave(("prod-uks", "prod-weu"), "europe", **settings),
        wave(("prod-eus", "prod-jpe", "prod-ncu", "prod-wus"), "world", approval=("ann", "bob"), **settings),
    )  # fmt: skip


def changes(tape: Tape, wave: str, *stacks: str, seconds: float = 41) -> None:
    """Targets placed, gated and switched, two of them at once."""
    for stack_name in stacks:
        tape("stepStarted", wave, stack_name, phase="place")
    for number, stack_name in enumerate(stacks):
        data = {"outcome": "done", "seconds": seconds + 3 * number, "changes": {"create": 1, "update": 1, "same": 4}}
        tape("stepDone", wave, stack_name, phase="place", after=seconds if not number else 3, data=data)
        tape.gate(wave, stack_name, "smoke", 9, text="20 of 20 prompts hold, p95 0.8s")
        tape.step(wave, stack_name, "switch", 6, changes={"update": 1, "same": 5})


def bakes(tape: Tape, wave: str, seconds: float, *stacks: str) -> None:
    """A bake to its end, with a look at the metrics."""
    tape("bakeStarted", wave, after=1)
    baked(tape, wave, seconds, *stacks)


def baked(tape: Tape, wave: str, seconds: float, *stacks: str) -> None:
    """The rest of a bake."""
    tape.now += timedelta(seconds=seconds)
    for stack_name in stacks:
        tape.gate(wave, stack_name, "calm", 1, text="0.1% of 1,204 calls failed")
    tape("bakeDone", wave)
    tape("waveDone", wave)


def good() -> tuple[Plan, list[Event]]:
    """To the end, with a yes that was waited for, and the old models gone after the window."""
    made, tape = fleet(), Tape()
    tape("started", who="ann", data={"commit": made.commit, "digest": made.digest})
    tape("waveStarted", "canary", after=1)
    changes(tape, "canary", "prod-swe")
    bakes(tape, "canary", 7200, "prod-swe")
    tape("waveStarted", "europe")
    changes(tape, "europe", "prod-uks", "prod-weu")
    bakes(tape, "europe", 1800, "prod-uks", "prod-weu")
    tape("approvalAsked", "world", data={"by": ["ann", "bob"]})
    tape("approved", "world", after=5400, who="bob", text="support has seen it")
    tape("waveStarted", "world")
    changes(tape, "world", "prod-eus", "prod-jpe")
    changes(tape, "world", "prod-wus")
    bakes(tape, "world", 1800, "prod-eus", "prod-jpe", "prod-wus")
    tape("ended", text="every wave is done", data={"outcome": "succeeded"})
    tape("windowOpened", text="until 2026-11-24")
    tape.step("canary", "prod-swe", "retire", 12)
    return made, tape.events


def bad() -> tuple[Plan, list[Event]]:
    """A gate that cannot tell, a pause, a gate that fails, and a rollback of the wave; the third wave is untouched."""
    made, tape = fleet(), Tape("2026-11-23-b")
    tape("started", who="ann", data={"commit": made.commit, "digest": made.digest})
    tape("waveStarted", "canary", after=1)
    changes(tape, "canary", "prod-swe")
    tape("bakeStarted", "canary", after=1)
    tape.gate("canary", "prod-swe", "calm", 1, "gateInconclusive", "3 calls are too few to tell")
    tape("paused", text="prod-swe: gate calm: 3 calls are too few to tell")
    tape("resumed", after=3600, who="ann", text="traffic is back")
    baked(tape, "canary", 3600, "prod-swe")
    tape("waveStarted", "europe")
    tape("stepStarted", "europe", "prod-uks", phase="place")
    tape("stepStarted", "europe", "prod-weu", phase="place")
    tape("stepDone", "europe", "prod-uks", phase="place", after=44, data={"outcome": "done", "seconds": 44})
    tape.gate("europe", "prod-uks", "smoke", 11, "gateFailed", f"9 of 20 prompts fail, such as: {NASTY}")
    tape("stepFailed", "europe", "prod-weu", phase="place", after=30, text="quota of westeurope is used up")
    tape("waveFailed", "europe", text="prod-uks, prod-weu failed: quota of westeurope is used up")
    tape("rollbackStarted", text="prod-uks, prod-weu failed", data={"waves": ["europe"]})
    tape.step("europe", "prod-uks", "undo", 21, changes={"delete": 1})
    tape.step("europe", "prod-weu", "undo", 8)
    for name in ("eus", "jpe", "wus"):
        tape("notTried", "world", f"prod-{name}", text="not tried because the rollout ended: europe failed")
    tape("rollbackDone")
    tape("ended", text="prod-uks, prod-weu failed", data={"outcome": "rolledBack"})
    return made, tape.events


def wide() -> tuple[Plan, list[Event]]:
    """Under way, with long names: more stacks than there is room for."""
    made, tape = fleet(), Tape("2026-11-23-c")
    canary, world = made.waves[0], made.waves[2]
    targets = tuple(
        msgspec.structs.replace(
            world.targets[0], stack=f"production-of-support-with-words-{number:02}", location=region
        )
        for number, region in enumerate(["westeurope", "switzerlandnorth"] * 10)
    )
    tape("started", who="ann")
    tape("waveStarted", "canary")
    changes(tape, "canary", "prod-swe")
    bakes(tape, "canary", 100_000, "prod-swe")
    tape("waveStarted", "world")
    for target in targets[:10]:
        changes(tape, "world", target.stack)
    tape("stepStarted", "world", targets[10].stack, phase="place")
    tape("note", text="still at it", after=20)
    return msgspec.structs.replace(made, waves=(canary, msgspec.structs.replace(world, targets=targets))), tape.events
