"""A target on a local Azure of its own, the old model serving and the new one beside it, and its gates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from infra.localazure import faults
from infra.localazure.traffic import Traffic
from infra.ports.arm import Arm
from infra.ports.inference import Inference
from infra.ports.metrics import Metrics
from infra.proofs.ready import ping
from infra.rollout.gates import Gates
from infra.rollout.kinds import Ports
from infra.rollout.values import GateResult, Move, Target
from infra.spec import limits
from infra.spec.project import Project
from infra.spec.promotion import Served
from infra.spec.rollout import Gate, TimeLimits
from tests.keepalive.inprocess import CloudInProcess
from tests.localazure.cloud import OWNER, Cloud

OLD, NEW = (f"gpt-4.1-mini-2025-04-14.ft-{digit * 32}" for digit in "12")
ACTIVE, BESIDE = "bot", "bot-b"
"""In local Azure an answer begins with the model's name: so a prompt tells the two apart."""
OF_OLD, OF_NEW = {"regex": f"^{OLD} here"}, {"regex": f"^{NEW} here"}
AHEAD = timedelta(days=400)
"""How far our clock is from Azure's: no gate may take one for the other."""


@dataclass
class Bench:
    """A target, its Azure, and what gates are asked about."""

    root: Path
    azure: Cloud = field(default_factory=Cloud)
    waited: float = 0.0

    def __post_init__(self) -> None:
        (self.root / "stacks").mkdir(parents=True, exist_ok=True)
        self.azure.switch(metrics_delay=0.0)
        self.account = self.azure.account()
        self.azure.assign(OWNER, "Cognitive Services OpenAI User", self.account)
        for name, model in ((ACTIVE, OLD), (BESIDE, NEW)):
            self.azure.tune(self.account, model)
            self.azure.serve(self.account, name, model, capacity=100)
        cloud = CloudInProcess(self.azure.app, OWNER)
        self.ports = Ports(Arm(cloud), Inference(cloud, "2024-10-21"), Metrics(cloud))
        self.endpoint = self.ports.arm.account(self.account).endpoint

    # --- time ------------------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self.azure.advance(seconds=seconds)

    def now(self) -> datetime:
        """By our clock."""
        return self.azure.world.now() + AHEAD

    # --- what is asked ---------------------------------------------------------------------------------------------

    def gates(self, of: Mapping[str, Gate] | None = None, **more: Any) -> Gates:
        usual = {"sleep": self.sleep, "elapsed": lambda: self.waited, "now": self.now}
        project, given = Project(self.root, "fleet", self.root / "stacks"), more.pop("limits", TimeLimits())
        return Gates(more.pop("ports", self.ports), project, of or {}, given, limits.load(), **{**usual, **more})

    def ask(self, rule: Gate, at: Target | None = None, *, since: datetime | None = None, **more: Any) -> GateResult:
        """What a gate finds."""
        return self.gates({"it": rule}, **more).gate("r-1", "canary", at or self.target(), "it", since=since)

    def target(self, *moves: Move) -> Target:
        return Target(
            stack="prod-swe", account=self.account, location="swedencentral", standing="move",
            moves=moves or (self.move(),),
        )  # fmt: skip

    @staticmethod
    def move(**other: Any) -> Move:
        """The new model beside the old one."""
        usual: dict[str, Any] = {
            "deployment": "bot", "record": "bot", "strategy": "beside", "active": ACTIVE, "candidate": BESIDE,
            "before": Served(model=OLD, version="1"), "after": Served(model=NEW, version="1"),
        }  # fmt: skip
        return Move(**{**usual, **other})

    def in_place(self, **other: Any) -> Move:
        """The new model in its only place."""
        return self.move(**{"strategy": "inPlace", "active": BESIDE, **other})

    # --- what is there ---------------------------------------------------------------------------------------------

    def prompts(self, *expected: Mapping[str, object], name: str = "smoke.jsonl") -> str:
        """A file of prompts, each of which must be answered so."""
        lines = [json.dumps({"prompt": f"question {n}", "expect": e}) for n, e in enumerate(expected, 1)]
        (self.root / "stacks" / name).write_text("\n".join(lines))
        return name

    def calls(self, number: int = 1, deployment: str = BESIDE, status: int = 200, **more: object) -> None:
        """Calls of somebody's that Azure saw, and a minute later."""
        for _ in range(number):
            usual = {
                "at": self.azure.world.now(), "account": self.account.lower(), "deployment": deployment, "model": "m",
                "model_version": "1", "api": "Azure OpenAI", "operation": "ChatCompletions_Create", "status": status,
                "stream": "Non-Streaming", "prompt_tokens": 99, "latency_ms": 500.0,
            }  # fmt: skip
            self.azure.app.monitor.note(Traffic(**{**usual, **more}))
        self.azure.advance(minutes=1)

    def ping(self, deployment: str) -> None:
        """A ping of ours, and a minute later."""
        ping(self.ports.inference, self.endpoint, deployment)
        self.azure.advance(minutes=1)

    def fault(self, name: str, **more: object) -> None:
        faults.add(self.azure.world, faults.Wish(name=name, **more))
