"""GitOps: what a preview of many stacks costs beside the engine's own, and finding the stacks that a change touches."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.report import Row
from benchmarks.timing import side_by_side
from infra.gitops import touched
from infra.spec import open_project
from infra.toolchain import cli, progress
from tests.desk import PRODUCTION, REPOSITORY, Desk, open_desk
from tests.rollout.fleet import without_job

STACK = """\
config:
  azure-native:subscriptionId: {subscription}
  azure-native:location: swedencentral
  hearth:account: {{name: contoso-{name}, resourceGroup: rg-contoso-{name}}}
  hearth:deployments:
    bot: {{model: {record}, sku: {{name: GlobalStandard, capacity: 1}}}}
"""
ROUNDS, MANY, LOOKS = 3, 10, 9


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    folder = Path(tempfile.mkdtemp(prefix="hearth-bench-"))
    try:
        yield from _previews(folder)
        yield _finding(folder / "many")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _previews(folder: Path) -> Iterator[Row]:
    """Ten stacks that are not up yet, a core each at a time."""
    engine = cli.find_or_build(progress.shown_on()).parent
    with open_desk(folder / "desk", engine) as desk:
        without_job(desk)
        desk.up("local-source")
        names = [f"ten-{n}" for n in range(MANY)]
        for name in names:
            text = STACK.format(subscription=PRODUCTION, name=name, record="support-bot")
            desk.stack_file(name).write_text(text)
            desk.pulumi("stack", "init", name)
        at_once = os.cpu_count() or 1
        times = side_by_side(
            {
                "hearth": lambda: desk.hearth("preview", *names),
                "bare": lambda: _bare(desk, names, at_once),
            },
            ROUNDS,
        )
        hearth, bare = times["hearth"].middle, times["bare"].middle
        note = f"{hearth:.1f} s against {bare:.1f} s, {at_once} at once"
        yield Row(f"`hearth preview` of {MANY} stacks beside the same `pulumi preview` bare", hearth / bare, 1.15, note)
        started = time.perf_counter()
        _bare(desk, names, 1)
        alone = time.perf_counter() - started
        yield Row("the same beside one bare preview after the other", hearth / alone, None, f"against {alone:.1f} s")


def _bare(desk: Desk, names: list[str], at_once: int) -> None:
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        list(pool.map(lambda name: desk.pulumi("preview", "--json", "--stack", name), names))


def _finding(root: Path) -> Row:
    """The stacks that ten changed records touch, among 500 stacks that use 50 records; git's own time is not in it."""
    (root / "stacks" / "models").mkdir(parents=True)
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    for n in range(50):
        (root / "stacks" / "models" / f"record-{n}.yaml").write_text("model: x\n")
    for n in range(500):
        text = STACK.format(subscription=PRODUCTION, name=f"a-{n}", record=f"record-{n % 50}")
        (root / "stacks" / f"Pulumi.prod-{n:03}.yaml").write_text(text)
    for command in (["init", "-qb", "main"], ["add", "-A"], ["commit", "-qm", "all"]):
        who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"]
        subprocess.run(["git", *who, *command], cwd=root, check=True)
    for n in range(10):
        (root / "stacks" / "models" / f"record-{n}.yaml").write_text("model: y\n")
    files = touched.changed_files(root, "main")
    times = []
    for _ in range(LOOKS):
        started = time.perf_counter()
        found = touched.stacks(open_project(root), files)
        times.append(time.perf_counter() - started)
    middle = statistics.median(times)
    what = "finding the touched stacks among 500 with 50 records, in seconds beyond git and the start of the process"
    return Row(what, middle, 0.3, f"10 records changed, {len(found)} stacks touched")
