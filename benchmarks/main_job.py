"""The main job: what hearth costs beside the same things done bare."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import Row
from benchmarks.timing import side_by_side
from infra.localazure import LocalAzure, models, process
from infra.localazure.entities import CustomModel
from infra.toolchain import cli, progress
from tests.desk import REPOSITORY, Desk, open_desk

HERE = Path(__file__).parent
JOB = """\
  hearth:keepAlive:
    job: {image: "contoso.azurecr.io/hearth:0.1.0"}
"""
"""What the example's stack has beyond an account, its roles and its deployment."""


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    engine = cli.find_or_build(progress.shown_on()).parent
    with _folder() as folder, open_desk(folder / "desk", engine) as desk:
        file = desk.stack_file("local-target")
        file.write_text(file.read_text().replace(JOB, ""))  # the bare program declares an account and its deployment
        desk.up("local-source")
        desk.up("local-target")
        yield from _no_op(desk)
        yield from _ten_deployments(desk)
    yield _help()
    yield _first_request()
    yield _in_process()
    yield from _make_up()
    yield _further_region()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hearth-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _no_op(desk: Desk) -> Iterator[Row]:
    """A second `up`, which changes nothing."""
    bare = desk.root.parent / "bare"
    bare.mkdir()
    (bare / "program").symlink_to(HERE / "bare")
    (bare / ".venv").symlink_to(REPOSITORY / ".venv")
    project = (REPOSITORY / "Pulumi.yaml").read_text()
    project = project.replace("name: hearth\n", "name: bare\n").replace("infra/", "program/")
    (bare / "Pulumi.yaml").write_text(project.replace("stackConfigDir: stacks\n", ""))
    (bare / "Pulumi.bare.yaml").write_text(
        "config:\n  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222\n"
        "  azure-native:location: swedencentral\n"
    )

    def bare_up(calls: str) -> None:
        command = ["pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--stack", "bare"]
        subprocess.run(command, cwd=bare, env={**desk.env, "BARE_CALLS": calls}, check=True, capture_output=True)

    subprocess.run(["pulumi", "stack", "init", "bare"], cwd=bare, env=desk.env, check=True, capture_output=True)
    # One deployment of a custom model per account: the bare account is another one, so both can stand.
    bare_up("0")
    times = side_by_side(
        {
            "hearth": lambda: desk.up("local-target"),
            "bare, same calls": lambda: bare_up("1"),
            "bare, no calls": lambda: bare_up("0"),
        },
        rounds=9,
    )
    hearth = times["hearth"].middle
    with_calls, without = times["bare, same calls"].middle, times["bare, no calls"].middle
    yield Row("no-op `pulumi up` beside a bare program with the same calls", hearth / with_calls, 1.15,
              f"{hearth:.2f} s against {with_calls:.2f} s")  # fmt: skip
    yield Row("the same beside a bare program without calls", hearth / without, None, f"against {without:.2f} s")


def _ten_deployments(desk: Desk) -> Iterator[Row]:
    """Ten deployments in one account at a second each."""
    azure = desk.azure.world
    source = next(a for a in azure.accounts if a.name == "contoso-train-ncus")
    text = desk.stack_file("local-target").read_text()
    head = (
        text[: text.index("  hearth:deployments:")]
        .replace("contoso-ft-swe", "contoso-ten")
        .replace("swedencentral", "northcentralus")
    )
    wishes = "".join(f"    bot-{n}: {{model: bot-{n}, sku: {{name: Standard, capacity: 10}}}}\n" for n in range(10))
    desk.stack_file("local-ten").write_text(f"{head}  hearth:deployments:\n{wishes}")
    for n in range(10):
        name = f"gpt-4.1-mini-2025-04-14.ft-{n:032x}"
        account = source.id.lower()
        models.put(azure, CustomModel(id=name, account=account, base="gpt-4.1-mini-2025-04-14", created=azure.now()))
        record = (desk.root / "stacks/models/support-bot.yaml").read_text().splitlines()
        record[1] = f"model: {name}"
        (desk.root / f"stacks/models/bot-{n}.yaml").write_text("\n".join(record))
    desk.pulumi("stack", "init", "local-ten")
    desk.switch(deployment_create=1.0, readiness=0.0)
    started = time.perf_counter()
    desk.up("local-ten")
    took = time.perf_counter() - started
    desk.up("local-ten")
    started = time.perf_counter()
    desk.up("local-ten")
    no_op = time.perf_counter() - started
    yield Row("ten deployments of one account at 1 s each, beside those seconds and a no-op", took / (10 + no_op), 1.10,
              f"{took:.2f} s against 10 s + {no_op:.2f} s")  # fmt: skip


def _help() -> Row:
    """`hearth --help` beside the help of an empty Typer app."""
    bare = "import typer; app = typer.Typer(add_completion=False)\napp.command()(lambda: None); app(['--help'])"
    times = side_by_side(
        {
            "hearth": lambda: subprocess.run(
                [REPOSITORY / ".venv/bin/hearth", "--help"], capture_output=True, check=True
            ),
            "bare": lambda: subprocess.run([sys.executable, "-c", bare], capture_output=True, check=True),
        },
        rounds=15,
    )
    hearth, typer = times["hearth"].middle, times["bare"].middle
    return Row("`hearth --help` beside a bare Typer app", hearth / typer, 1.3, f"{hearth:.3f} s against {typer:.3f} s")


def _first_request() -> Row:
    """From the command to the first answer of a fresh local Azure."""
    with _folder() as folder:
        context = ssl.create_default_context()
        (folder / "Pulumi.yaml").write_text((REPOSITORY / "Pulumi.yaml").read_text())
        (folder / "stacks").symlink_to(REPOSITORY / "stacks")
        started = time.perf_counter()
        subprocess.run([REPOSITORY / ".venv/bin/hearth", "local", "start"], cwd=folder, check=True, capture_output=True)
        running = process.find(folder / ".hearth" / "azure")
        assert running is not None  # noqa: S101 - it has just been started
        context.load_verify_locations(running.authority)
        urllib.request.urlopen(f"{running.origin}/.local-azure/health", context=context).read()  # noqa: S310
        took = time.perf_counter() - started
        process.stop(running.folder)
    return Row(
        "local Azure's first answer after `hearth local start`, in seconds", took, 1.0, "fresh state, new certificates"
    )


def _in_process() -> Row:
    """The same inside a process that has imported it."""
    LocalAzure().start().stop()
    started = time.perf_counter()
    azure = LocalAzure().start()
    with socket.create_connection(("127.0.0.1", azure.port)):
        took = time.perf_counter() - started
    azure.stop()
    return Row("the same in-process, in seconds", took, 0.2, "import not counted")


def _make_up() -> Iterator[Row]:
    """`make up` in a clone whose virtual environment and CLI are there."""
    with _folder() as folder:
        clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
        (clone / ".venv").symlink_to(REPOSITORY / ".venv")
        for stamp in (".runtime",):
            (clone / ".venv" / stamp).touch()
        started = time.perf_counter()
        subprocess.run(["make", "up"], cwd=clone, check=True, capture_output=True)
        first = time.perf_counter() - started
        started = time.perf_counter()
        subprocess.run(["make", "up"], cwd=clone, check=True, capture_output=True)
        second = time.perf_counter() - started
        subprocess.run(["make", "down"], cwd=clone, check=True, capture_output=True)
    yield Row("`make up` with environment and CLI built, in seconds", first, 25.0, "a 429 of capacity 1 waited out")
    yield Row("`make up` again, in seconds", second, None, "changes nothing")


def _further_region() -> Row:
    """What one more region costs a person."""
    lines = (REPOSITORY / "stacks" / "Pulumi.local-target.yaml").read_text().splitlines()
    counted = [line for line in lines if not line.startswith(("#", "encryptionsalt"))]
    counted = counted[: -len(JOB.splitlines())]
    note = "beside schema line and salt, and the job that the example declares"
    return Row("lines of YAML for one further region (and none of Python)", len(counted), 12, note)
