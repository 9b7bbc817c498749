"""Engines that run: found again, waited for, stopped. A process that sleeps stands for the engine."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.rollout.running import Files, Process, Stop, attend


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def test_one_that_ends_by_itself_is_not_touched():
    with subprocess.Popen(["true"]) as child:
        assert attend(Process.of(child.pid), time.time() + 60, Stop()) == "by itself"


def test_one_that_had_ended_before_it_was_looked_at_is_not_waited_for():
    """An engine may end at once; until we have waited for it, its number is still there."""
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        process = Process.of(child.pid)
        assert not process.lives()
        assert attend(process, time.time() + 60, Stop()) == "by itself"


def test_one_whose_time_is_over_is_asked_to_stop(sleeping: subprocess.Popen[bytes]):
    assert attend(Process.of(sleeping.pid), time.time() - 1, Stop()) == "limit"


def test_one_that_a_person_wants_stopped_is_asked_to_whatever_its_time(sleeping: subprocess.Popen[bytes]):
    stop = Stop()
    stop.ask(hard=False)
    assert attend(Process.of(sleeping.pid), time.time() + 60, stop) == "stopped"


def test_a_number_that_is_used_again_is_another_process():
    assert Process.of(os.getpid()).lives()
    assert not Process(os.getpid(), "long ago").lives()


def test_who_comes_next_finds_the_engine_while_it_lives(tmp_path: Path, sleeping: subprocess.Popen[bytes]):
    files, process = Files.of(tmp_path, "prod-swe", "place"), Process.of(sleeping.pid)
    files.remember(process, 1234.5)
    assert Files.of(tmp_path, "prod-swe", "undo").remembered() == (process, 1234.5)
    sleeping.kill()
    sleeping.wait()
    assert files.remembered() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}'])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str):
    files = Files.of(tmp_path, "prod-swe", "place")
    files.process.write_text(text)
    assert files.remembered() is None
