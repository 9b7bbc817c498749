"""What this repository refers to: records with their lineage, stacks, their outputs, trainings. Fails where it cannot
tell: what is not known to be free is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from infra.errors import HearthError, SpecError
from infra.ports.stacks import Stacks
from infra.spec import Project, load_record, load_stack
from infra.spec.training import load_training
from infra.training.cleanup.values import References, Unfinished

_NAMED = re.compile(
    r"(?:ftjob|file|ftchkpt)-[0-9A-Za-z]+|[0-9A-Za-z_.-]+\.ft-[0-9A-Za-z_-]+(?::ckpt-step-[0-9]+)?"
    r"|/subscriptions/[^\s\"']+/deployments/[0-9A-Za-z_.-]+"
)
"""Jobs, files, checkpoints, tuned models, deployments."""
_AT_ONCE = 8


def gather(
    project: Project, stacks: Stacks, hidden: Path, today: date, rollouts: Mapping[str, str] | None = None
) -> References:
    """What is referred to. `rollouts`: models of rollouts that are under way or can be rolled back, with which one.

    Raises SpecError for records and stacks that cannot be read, and what stops outputs from being read.
    """
    names: dict[str, str] = {name.lower(): by for name, by in (rollouts or {}).items()}
    mistakes: list[HearthError] = []

    def refer(by: str, *found: object) -> None:
        for text in _texts(found):
            for name in _NAMED.findall(text):
                names.setdefault(name.lower(), by)

    for name in project.record_names():
        try:
            record = load_record(project, name)
            refer(f"the record {name}", record.model, msgspec.to_builtins(record.trained))
        except SpecError as error:
            mistakes.append(error)
    known = project.stack_names()
    for name in known:
        try:
            stack = load_stack(project, name, project.config(name), today=today)
        except SpecError as error:
            mistakes.append(error)
            continue
        for wish in stack.deployments:
            at = f"{stack.account_id}/deployments/{wish.name}"
            refer(f"the stack {name}", wish.record.model, at, f"{at}-b")
    for name in project.training_names():
        try:
            refer(f"stacks/training/{name}.yaml", msgspec.to_builtins(load_training(project, name).wish))
        except SpecError as error:
            mistakes.append(error)
    if mistakes:
        raise SpecError([one for error in mistakes if isinstance(error, SpecError) for one in error.mistakes])
    for name, outputs in _outputs(stacks, known):
        refer(f"the stack {name}", (outputs or {}).get("deployments"))
    return References(names, *_intents(project, hidden / "training", refer))


def _outputs(stacks: Stacks, known: list[str]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The outputs of every stack that has a file here or a state."""
    every = sorted({*known, *stacks.names()})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from zip(every, pool.map(stacks.outputs, every), strict=True)


def _intents(project: Project, folder: Path, refer: Any) -> tuple[dict[str, str], list[Unfinished]]:
    """Trainings on their way: what they have is referred to, and the names of their files are kept from others."""
    names: dict[str, str] = {}
    unfinished: list[Unfinished] = []
    for file in sorted(folder.glob("*.json")):
        shown = project.shown(file)
        try:
            meant = json.loads(file.read_bytes())
            if meant.get("told"):
                continue
            name = str(meant.get("name", file.stem))
            by = f"the training {name} ({shown})"
            refer(by, meant)
            names |= {str(sent["name"]): by for sent in (meant.get("files") or {}).values()}
            account, job = (str(meant.get(key) or "") for key in ("account", "job"))
            unfinished.append(Unfinished(shown, name, account, job, name in project.training_names()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise HearthError(
                f"{shown} cannot be read ({error}), so which files a training is about to use is not known; look at "
                "it, or remove it"
            ) from error
    return names, unfinished


def _texts(value: object) -> Iterator[str]:
    """Every text in a value, whatever its shape."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
