"""A fresh clone with empty caches of ours: the README's command, twice, interrupted, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import REPOSITORY, processes_in

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("fresh") / "hearth"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)
    yield folder
    make(folder, "clean")


def make(folder: Path, target: str) -> str:
    done = subprocess.run(
        ["make", target], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def environment(folder: Path) -> dict[str, str]:
    """No virtual environment, no built CLI, no Pulumi on PATH: only what the machine ships."""
    path = [p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "pulumi").exists() and ".venv" not in p]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "AZURE_", "ARM_", "VIRTUAL_ENV"))}
    return {**kept, "PATH": os.pathsep.join(path), "XDG_CACHE_HOME": str(folder.parent / "cache")}


def test_make_up_sets_up_all_it_needs_and_every_model_answers(clone: Path):
    said = make(clone, "up")
    assert "local-source/legacy-bot: gpt-35-turbo-0613.ft-" in said
    assert "local-target/support-bot: gpt-4.1-mini-2025-04-14.ft-" in said
    assert ("+ 9 created" in said, "+ 19 created" in said) == (True, True)
    assert "local-azure-throwaway" not in said


def test_a_second_make_up_changes_nothing_and_git_sees_nothing(clone: Path):
    said = make(clone, "up")
    assert ("    9 unchanged" in said, "    19 unchanged" in said) == (True, True)
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert changed.stdout == ""


def test_ctrl_c_leaves_nothing_running_that_it_started_and_the_next_run_goes_on(clone: Path):
    make(clone, "clean")
    running = subprocess.Popen(
        ["make", "up"], cwd=clone, env=environment(clone), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    for line in running.stdout:
        if "Account contoso-train-ncus creating" in line:
            break
    os.killpg(running.pid, signal.SIGINT)
    running.stdout.read()
    running.stdout.close()
    assert running.wait() != 0
    deadline = time.monotonic() + 10
    while processes_in(clone) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_in(clone) == []
    assert "support-bot" in make(clone, "up")


def test_make_down_stops_local_azure_and_keeps_the_state(clone: Path):
    make(clone, "down")
    assert processes_in(clone) == []
    assert (clone / ".hearth" / "azure" / "state.db").exists()
    assert "    19 unchanged" in make(clone, "up")


def test_without_go_and_without_pulumi_both_ways_out_are_named(clone: Path, tmp_path: Path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "make", "python3", "git", "ps", "env"):
        (tools / name).symlink_to(shutil.which(name))
    env = {**environment(clone), "PATH": str(tools), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [str(clone / ".venv/bin/hearth"), "local", "env"]
    done = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 3
    assert "Put the Pulumi CLI on PATH, or Go 1.21 or newer" in done.stderr
