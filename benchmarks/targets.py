"""Twenty real targets: a whole rollout beside the same runs of `pulumi up` through the bare Automation API."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation

from benchmarks.report import Row
from infra.rollout.values import promotion
from infra.spec.promotion import VARIABLE, encode
from infra.toolchain import cli, progress
from tests.desk import open_desk
from tests.rollout.fleet import FIRST, Fleet, without_job

TARGETS, AT_ONCE, ROUNDS = 20, 4, 2
ROLLOUT = "bench"
WAVES = 'waves: [{{name: all, targets: "local-target-*", concurrency: {at_once}, bake: 0s}}]\n'
_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way of doing it took, in seconds."""

    wall: float
    cpu: float
    """Of this process and all below it."""


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    if _PRCTL is not None:
        _PRCTL(_CHILD_SUBREAPER, 1, 0, 0, 0)  # else what an ended engine leaves running is counted nowhere
    with _fleet() as (fleet, names):
        better = fleet.desk.tune("b")
        turns = _turns(fleet, names, better)
        found: dict[str, list[Cost]] = {name: [] for name in turns}
        for _ in range(ROUNDS):  # the first `up` of every stack has warmed all up
            for name, turn in turns.items():
                found[name].append(_timed(turn))
        ours, bare = (min(found[name], key=lambda cost: cost.wall) for name in ("hearth", "bare"))
    yield Row(f"{TARGETS} targets, {AT_ONCE} at once, beside the same `pulumi up` by the bare Automation API",
              ours.wall / bare.wall, 1.15, f"{ours.wall:.1f} s against {bare.wall:.1f} s")  # fmt: skip
    yield Row("CPU time of a target beside that of a bare `pulumi up`", ours.cpu / bare.cpu, None,
              f"{ours.cpu / TARGETS:.2f} s against {bare.cpu / TARGETS:.2f} s")  # fmt: skip


@contextmanager
def _fleet() -> Iterator[tuple[Fleet, list[str]]]:
    """Stacks that are up, all serving the first model."""
    folder = Path(tempfile.mkdtemp(prefix="hearth-bench-"))
    try:
        with open_desk(folder / "desk", cli.find_or_build(progress.shown_on()).parent) as desk:
            os.environ["PATH"] = desk.env["PATH"]  # where the Automation API looks for the engine
            without_job(desk)
            desk.up("local-source")
            fleet = Fleet(desk)
            names = [fleet.add(f"local-target-{number:02}") for number in range(TARGETS)]
            for name in names[::2]:  # a region takes ten deployments of tuned models
                desk.change(name, "swedencentral", "northcentralus")
            for name in names:
                desk.pulumi("stack", "init", name)
            fleet.repository.write("stacks/rollout.yaml", WAVES.format(at_once=AT_ONCE))
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(desk.up, names))
            yield fleet, names
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _turns(fleet: Fleet, names: list[str], better: str) -> dict[str, Callable[[], None]]:
    """A rollout moves every target to the better model, bare runs move them back: the same change, in place."""
    command = automation.PulumiCommand()
    record = fleet.desk.record_file("support-bot")
    record.write_text(record.read_text().replace(FIRST, better))
    fleet.repository.commit()

    def hearth() -> None:
        running = fleet.desk.start("hearth", "rollout", "start", "--yes")
        running.wait(1800)
        if any(model != better for name in names for model in _serves(fleet, name)):
            raise RuntimeError(f"not every target was moved: {running.said()}")

    def bare(name: str) -> None:
        told = promotion(ROLLOUT, fleet.target(name, better, beside=False), "undo")
        env = {**fleet.desk.env, VARIABLE: encode(told)}
        options = automation.LocalWorkspaceOptions(env_vars=env, pulumi_command=command)
        stack = automation.select_stack(name, work_dir=str(fleet.desk.root), opts=options)
        done = stack.up()
        if "update" not in (done.summary.resource_changes or {}):
            raise RuntimeError(f"{name} was not changed: {done.stdout}")

    def all_bare() -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(bare, names))

    return {"hearth": hearth, "bare": all_bare}


def _serves(fleet: Fleet, name: str) -> list[str]:
    return list(fleet.in_azure(f"contoso-{name}").values())


def _timed(turn: Callable[[], None]) -> Cost:
    began, before = time.perf_counter(), _cpu()
    turn()
    return Cost(time.perf_counter() - began, _cpu() - before)


def _cpu() -> float:
    """Seconds of CPU of this process and of all that have ended below it. Asked while no child is waited for."""
    while _PRCTL is not None:  # what our children left behind has come to us
        with suppress(ChildProcessError):
            if os.waitpid(-1, 0):
                continue
        break
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _prctl() -> Any:
    """Linux's call, if there is one."""
    with suppress(AttributeError, OSError):
        return ctypes.CDLL(None).prctl
    return None


_PRCTL = _prctl()
