"""`hearth rollout start --all`: after the waves, every stack that they have not put up, by a plain `pulumi up`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from infra.rollout.hands import EngineHands
    from infra.rollout.values import StepResult
    from infra.spec import Project


def put_up(root: Path, commit: str, *, dirty: bool, done: Collection[str]) -> list[str]:
    """Put up the stacks of a commit but those that are `done`; those that failed.

    Of rollout.yaml first, in its order and one after the other, for what changes there is their wish and not their
    model; the first failure ends it. Then the others, side by side. An `up` without a change writes nothing.
    Raises SpecError for files that are wrong, and what concerns all stacks: the login, the disk, no engine.
    """
    from infra.rollout import export
    from infra.rollout.hands import EngineHands
    from infra.spec import open_project
    from infra.spec.rollout import TimeLimits

    source = export.take(root, f"{datetime.now(UTC):%Y%m%d-%H%M%S}-all", commit=commit, dirty=dirty)
    project = open_project(source.folder)
    in_order, others = _stacks(project, done)
    hands = EngineHands(source.folder, project.name, TimeLimits(), say=typer.echo)
    failed = next(([name] for name in in_order if not _well(name, hands.put_up(name))), [])
    if not failed:
        failed = [name for name, result in _side_by_side(hands, others) if not _well(name, result)]
    if not failed:  # otherwise its logs are kept
        shutil.rmtree(source.folder.parent, ignore_errors=True)
    return failed


def _stacks(project: Project, done: Collection[str]) -> tuple[list[str], list[str]]:
    """Those of rollout.yaml in the order of their waves, and those of no wave."""
    from infra.ports import clock
    from infra.spec import check_project, load_rollout, names_in_rollout

    names = project.stack_names()
    in_order: list[str] = []
    if names_in_rollout(project):
        found, _ = check_project(project, names, today=clock.today())
        in_order = [name for wave in load_rollout(project, found).waves for name in wave.stacks]
    return [n for n in in_order if n not in done], [n for n in names if n not in in_order and n not in done]


def _side_by_side(hands: EngineHands, names: list[str]) -> Iterator[tuple[str, StepResult]]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            yield from zip(names, pool.map(hands.put_up, names), strict=True)
        except KeyboardInterrupt:
            hands.stop(hard=False)
            raise


def _well(name: str, result: StepResult) -> bool:
    changes = {op: n for op, n in sorted(result.changes.items()) if op != "same" and n}
    what = ", ".join(f"{n} {op}" for op, n in changes.items()) or "nothing changes"
    typer.echo(f"{name}: {what if result.outcome == 'done' else result.reason}")
    return result.outcome == "done"
