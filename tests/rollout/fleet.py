"""A desk whose project is a git repository of its own, with code that may differ from that which is being tested."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from infra.rollout import export
from infra.rollout.hands import EngineHands
from infra.rollout.values import Move, Target
from infra.spec.promotion import Served
from infra.spec.rollout import TimeLimits
from tests.desk import PRODUCTION, REPOSITORY, TRAIN_ACCOUNT, Desk, open_desk
from tests.rollout.repository import Repository

FIRST = "gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-support"
"""What the example's target serves."""
JOB = """\
  hearth:keepAlive:
    job: {image: "contoso.azurecr.io/hearth:0.1.0"}
"""
MARK = '\n\npulumi.export("told_by", "the commit")\n'


class Fleet:
    """The example's two stacks, the second of which is moved by rollouts, and further ones like it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.repository = Repository(desk.root)
        for name in ("infra", "components"):
            (desk.root / name).unlink()
            shutil.copytree(REPOSITORY / name, desk.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        (desk.root / "requirements.lock").unlink()
        shutil.copy(REPOSITORY / "requirements.lock", desk.root)
        self.repository.write(".gitignore", ".hearth/\n.venv\n__pycache__/\n")
        self.repository.write("stacks/rollout.yaml", 'waves: [{name: all, targets: ["local-target*"]}]\n')

    def add(self, name: str) -> str:
        """A further stack like the example's target; it is not up."""
        text = self.desk.stack_file("local-target").read_text()
        text = "".join(line for line in text.splitlines(keepends=True) if "encryptionsalt" not in line)
        self.desk.stack_file(name).write_text(text.replace("contoso-ft-swe", f"contoso-{name}"))
        return name

    def taken(self, rollout: str) -> Path:
        """The export of what is committed, after committing all that is there."""
        if self.repository.git("status", "--porcelain"):
            self.repository.commit()
        return export.take(self.desk.root, rollout).folder

    def hands(self, rollout: str, *, step: float = 120, **more: Any) -> EngineHands:
        """Hands for a rollout, which is exported where it is not yet."""
        source = export.folder(self.desk.root, rollout) / "source"
        limits = TimeLimits(step=timedelta(seconds=step))
        env = {**self.desk.env, **more.pop("env", {})}
        return EngineHands(source if source.exists() else self.taken(rollout), "hearth", limits, env=env, **more)

    def outputs(self, stack: str) -> dict[str, Any]:
        """What the state holds as the stack's outputs."""
        rows = self.desk.state(stack)["resources"]
        return next(r["outputs"] for r in rows if r["type"] == "pulumi:pulumi:Stack")

    def target(self, stack: str, after: str, before: str | None = FIRST, *, beside: bool = True, **more: Any) -> Target:
        """A target that gets another model behind support-bot."""
        move = Move(
            deployment="support-bot", record="support-bot", strategy="beside" if beside else "inPlace",
            before=None if before is None else served(before), after=served(after), active="support-bot",
            candidate="support-bot-b" if beside and before is not None else "support-bot",
        )  # fmt: skip
        account = "contoso-ft-swe" if stack == "local-target" else f"contoso-{stack}"
        group = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-{account}"
        return Target(
            stack=stack, account=f"{group}/providers/Microsoft.CognitiveServices/accounts/{account}",
            location="swedencentral", standing="move", moves=(move,), **more,
        )  # fmt: skip

    def in_azure(self, account: str = "contoso-ft-swe") -> dict[str, str]:
        """Every deployment of an account, and its model."""
        deployments = self.desk.azure.world.deployments
        return {d.name: d.model.name for d in deployments if f"/accounts/{account}/" in d.id}

    def require_sound(self, stack: str) -> None:
        """Nothing is left for a person: no lock, nothing pending, nothing that a preview would change."""
        assert not list((self.desk.root / ".hearth" / "pulumi").rglob("locks/**/*.json"))
        assert not self.desk.state(stack).get("pending_operations")
        assert self.desk.processes() == []
        self.desk.pulumi("preview", "--expect-no-changes", "--stack", stack)


def served(model: str) -> Served:
    """A model of the training account."""
    return Served(model=model, source=TRAIN_ACCOUNT)


def without_job(desk: Desk) -> None:
    """Take the example's job out of its target: rollouts are not about it."""
    file = desk.stack_file("local-target")
    file.write_text(file.read_text().replace(JOB, ""))


@contextmanager
def open_fleet(root: Path, engine: Path, like: Path) -> Iterator[Fleet]:
    """A fleet that goes on from another desk."""
    with open_desk(root, engine, like) as desk:
        yield Fleet(desk)


def start_step(fleet: Fleet, target: Target, rollout: str = "r1", phase: str = "place") -> subprocess.Popen[bytes]:
    """A step in a process of its own, to be killed."""
    order = {"source": str(fleet.taken(rollout)), "rollout": rollout, "phase": phase, "target": target}
    script = (
        "import sys, msgspec; from datetime import timedelta; from pathlib import Path\n"
        "from infra.rollout.hands import EngineHands; from infra.rollout.values import Target\n"
        "from infra.spec.rollout import TimeLimits\n"
        "order = msgspec.json.decode(sys.argv[1])\n"
        "hands = EngineHands(Path(order['source']), 'hearth', TimeLimits(step=timedelta(minutes=2)))\n"
        "hands.step(order['rollout'], msgspec.convert(order['target'], Target), order['phase'])\n"
    )
    command = [sys.executable, "-c", script, msgspec.json.encode(order).decode()]
    return subprocess.Popen(command, cwd=REPOSITORY, env=fleet.desk.env)
