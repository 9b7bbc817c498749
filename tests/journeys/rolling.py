"""A fleet whose models are moved by `hearth rollout`, as a person would, and from two terminals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from infra.rollout.history import History
from tests.desk import PRODUCTION, TRAIN_ACCOUNT, Desk, Running, wait_for
from tests.rollout.fleet import FIRST, Fleet
from tests.rollout.runs import history

T = TypeVar("T")

STACK = """\
config:
  azure-native:subscriptionId: {subscription}
  azure-native:location: {location}
  hearth:account: {{name: contoso-{name}, resourceGroup: rg-contoso-{name}}}
  hearth:access:
    - {{principal: dddddddd-0000-4000-8000-000000000001, role: Cognitive Services OpenAI User}}
  hearth:deployments:
    bot: {{model: bot, sku: {{name: GlobalStandard, capacity: 1}}}}
"""
LOCATIONS = ("swedencentral", "eastus2", "westeurope")


class Rolling:
    """Stacks of one deployment each, by the model record `bot`."""

    def __init__(self, desk: Desk, waves: str, stacks: list[str]) -> None:
        """`waves` is stacks/rollout.yaml. Nothing is up yet."""
        self.desk, self.stacks = desk, stacks
        desk.stack_file("local-target").unlink()
        self.fleet = Fleet(desk)
        for number, name in enumerate(stacks):
            location = LOCATIONS[number % len(LOCATIONS)]
            desk.stack_file(name).write_text(STACK.format(subscription=PRODUCTION, location=location, name=name))
        self.write(waves)
        self.merge(FIRST)

    def write(self, waves: str) -> None:
        """Write stacks/rollout.yaml."""
        self.fleet.repository.write("stacks/rollout.yaml", waves)

    def merge(self, model: str) -> str:
        """Commit a record that names another model; the commit."""
        source = TRAIN_ACCOUNT.split("/")
        where = f"{{subscription: {source[2]}, resourceGroup: {source[4]}, account: {source[8]}}}"
        self.desk.record_file("bot").write_text(f'model: {model}\nversion: "1"\nsource: {where}\n')
        return self.fleet.repository.commit()

    # --- commands ----------------------------------------------------------------------------------------------------

    def rollout(self, *arguments: str, code: int = 0) -> str:
        """Run `hearth rollout …` to its end; what it said."""
        said = self.desk.hearth("rollout", *arguments, ok=code == 0)
        assert self.desk.code == code, said
        return said

    def begin(self, *arguments: str) -> Running:
        """`hearth rollout …` in the background."""
        return self.desk.start("hearth", "rollout", *arguments)

    def events(self, rollout: str = "") -> list[dict[str, Any]]:
        """The record of a rollout: of the last one, if none is named."""
        return self._read(lambda kept: msgspec.to_builtins(kept.events(rollout or kept.rollouts()[0].id)))

    def status_of_last(self) -> str:
        """How the last rollout stands."""
        return self._read(lambda kept: kept.rollouts()[0].outcome)

    def _read(self, read: Callable[[History], T]) -> T:
        """Read the database itself: a command of its own for each look takes its time."""
        kept = history(self.desk.root / ".hearth")
        try:
            return read(kept)
        finally:
            kept.close()

    def kinds(self) -> list[str]:
        """What happened, in order."""
        return [event["kind"] for event in self.events()]

    def waits_until(self, kind: str, running: Running) -> None:
        """Wait until something stands in the record that a process in the background keeps."""
        wait_for(lambda: f" {kind}" in running.said() or running.process.poll() is not None, f"no {kind}", 120)

    # --- what is so --------------------------------------------------------------------------------------------------

    def serves(self, stack: str) -> str | None:
        """The model behind the active name of a stack's `bot`, as Azure has it; None where nothing stands."""
        facts = (self.fleet.outputs(stack).get("deployments") or {}).get("bot")
        return None if facts is None else self.fleet.in_azure(f"contoso-{stack}")[facts["active"]]

    def all_serve(self) -> dict[str, str | None]:
        """Of every stack."""
        return {stack: self.serves(stack) for stack in self.stacks}
