"""`hearth train` killed (kill -9) after each of its requests in turn: one file, one job, one record in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.localazure.requestlog import Logged
from tests.training.studio import Studio, open_studio

pytestmark = pytest.mark.proof


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    yield from open_studio(tmp_path / "project", capsys, monkeypatch)


def start(studio: Studio) -> subprocess.Popen[bytes]:
    """The command in a process of its own, with parts small enough for several."""
    code = "from infra.training import upload; upload.PIECE = 2000; from infra import cli; cli.main()"
    command = [sys.executable, "-c", code, "train", "bot", "--every", "0.1", "--no-check"]
    return subprocess.Popen(command, cwd=studio.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed_at(studio: Studio, number: int) -> bool:
    """Run it, and kill it as soon as Azure has done its POST of that number; whether it came so far."""
    posts = 0
    running = start(studio)
    log = studio.azure.app.log
    add = log.add

    def add_and_kill(*args, **named) -> None:
        nonlocal posts
        add(*args, **named)
        entry: Logged = log[-1]
        if entry.method == "POST" and "/openai/" in entry.path:
            posts += 1
            if posts == number:
                os.kill(running.pid, signal.SIGKILL)

    log.add = add_and_kill  # type: ignore[method-assign]
    try:
        return running.wait(120) == -signal.SIGKILL
    finally:
        del log.add


def test_killed_after_each_post_in_turn_one_file_and_one_job_come_of_it(studio: Studio):
    studio.azure.world.clock.follow(20.0)
    for kind in range(1, 12):
        studio.data(f"train-{kind}.jsonl", 20, first=kind * 100)
        studio.wish(training=f"data/train-{kind}.jsonl")
        came = killed_at(studio, kind)
        assert start(studio).wait(120) == 0
        files = studio.trainer.files.all("fine-tune")
        jobs = list(studio.trainer.jobs.jobs())
        assert (len(files), len(jobs)) == (kind, kind), f"killed at POST {kind}"
        record = yaml.safe_load((studio.root / "stacks/models/bot.yaml").read_text())
        assert record["model"] == jobs[0].fine_tuned_model
        if not came:
            assert kind > 4, "it starts an upload, sends its parts, completes it and makes a job"
            return
    raise AssertionError("it never came to its end unharmed")
