"""A project in a folder of the test's own, with one good stack and one good record to be spoilt."""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

from infra.errors import Mistake
from infra.spec import Project, Stack, check_project, load_stack, open_project
from infra.spec.documents import write

TODAY = date(2026, 11, 2)
GONE = object()
"""In changes: the key is not there at all."""

SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
SOMEBODY = "9f1c0a52-1111-4222-8333-444455556666"
MODEL = "gpt-4.1-mini-2025-04-14.ft-b044a9d3cf9c4228b5d393567f693b83"
TRAINED_AT = {
    "subscription": "11111111-1111-4111-8111-111111111111",
    "resourceGroup": "rg-contoso-train",
    "account": "contoso-train-ncus",
}
_CONFIG = {
    "azure-native:subscriptionId": SUBSCRIPTION,
    "azure-native:location": "swedencentral",
    "hearth:account": {"name": "contoso-ft-swe", "resourceGroup": "rg-contoso-ft-swe"},
    "hearth:access": [{"principal": SOMEBODY, "role": "Cognitive Services OpenAI User"}],
    "hearth:deployments": {"support-bot": {"model": "support-bot", "sku": {"name": "Standard", "capacity": 50}}},
}
_ROLLOUT = {"waves": [{"name": "canary", "targets": "dev"}]}
_RECORD = {"model": MODEL, "version": "1", "source": TRAINED_AT}

Changes = dict[str, Any]
"""Path of keys, joined by '/' → what stands there instead."""


class Desk:
    """Writes files as a person does, and asks hearth what it thinks of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file("Pulumi.yaml", "name: hearth\nruntime: python\nstackConfigDir: stacks\n")
        self.record()

    def file(self, path: str, text: str | bytes) -> None:
        """Write a file of the project."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())

    def record(self, name: str = "support-bot", changes: Changes | None = None) -> None:
        """Write a model record: a good one, but for the changes."""
        self.file(f"stacks/models/{name}.yaml", write(_changed(_RECORD, changes or {})))

    def stack(self, changes: Changes | None = None, name: str = "dev") -> None:
        """Write a stack file: a good one, but for the changes."""
        self.file(f"stacks/Pulumi.{name}.yaml", write({"config": config(changes)}))

    def rollout(self, changes: Changes | None = None) -> None:
        """Write stacks/rollout.yaml: a good one of the stack dev, but for the changes."""
        self.file("stacks/rollout.yaml", write(_changed(_ROLLOUT, changes or {})))

    @property
    def project(self) -> Project:
        """The project, read anew."""
        return open_project(self.root)

    def mistakes(self) -> list[Mistake]:
        """What `hearth check` finds in all stacks."""
        project = self.project
        return check_project(project, project.stack_names(), today=TODAY)[1]

    def told(self, changes: Changes | None = None) -> list[str]:
        """Write a stack with these changes; its mistakes, each as path and text."""
        self.stack(changes)
        return [f"{mistake.path}: {mistake.text}" for mistake in self.mistakes()]

    def load(self, changes: Changes | None = None, *, today: date = TODAY) -> Stack:
        """Write a stack with these changes and load it."""
        self.stack(changes)
        project = self.project
        return load_stack(project, "dev", project.config("dev"), today=today)


def config(changes: Changes | None = None) -> dict[str, Any]:
    """The configuration of a good stack, but for the changes."""
    return _changed(_CONFIG, changes or {})


def _changed(good: dict[str, Any], changes: Changes) -> dict[str, Any]:
    made: Any = copy.deepcopy(good)
    for path, value in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        around = made
        for step in way:
            around = around[step] if isinstance(around, list) else around.setdefault(step, {})
        if value is GONE:
            del around[last]
        else:
            around[last] = value
    return dict(made)
