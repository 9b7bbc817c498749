"""The user's own executables: real processes, ended in time."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from infra.rollout import commands
from infra.rollout.commands import Commands, Ended

LIMIT = timedelta(seconds=30)
USUAL = {"PATH": os.environ["PATH"]}


def run(folder: Path, script: str, limit: timedelta = LIMIT, **environment: str) -> Ended:
    return Commands(folder, {**USUAL, **environment}).run(["sh", "-c", script], {"MORE": "told"}, limit)


def test_a_command_is_run_in_its_folder_with_what_it_is_told_and_without_the_stacks_own_orders(tmp_path):
    found = run(tmp_path, 'pwd; echo "$MORE ${HEARTH_ROLLOUT-none}"; read -r _ || echo no input', HEARTH_ROLLOUT="{}")
    assert found == Ended(0, f"sh: {tmp_path} | told none | no input")


def test_its_last_lines_are_kept_both_of_what_it_says_and_of_its_errors(tmp_path):
    found = run(tmp_path, "seq 99999; echo because >&2; exit 3")
    assert found == Ended(3, "sh ended with exit code 3: 99998 | 99999 | because")


def test_what_a_terminal_would_take_for_orders_and_endless_lines_are_not_repeated(tmp_path):
    found = run(tmp_path, "printf 'a\\033[31mb\\n'; head -c 9999 /dev/zero | tr '\\0' x; printf '\\377'")
    assert found.why.startswith("sh: a [31mb | xxx")
    assert len(found.why) < 300


def test_secrets_of_the_environment_are_not_repeated(tmp_path):
    found = run(
        tmp_path, "echo $AZURE_CLIENT_SECRET $API_KEY $HOME", AZURE_CLIENT_SECRET="s3cret-long",
        API_KEY="s3cret", HOME="/home/me",
    )  # fmt: skip
    assert found.why == "sh: *** *** /home/me"


@pytest.mark.parametrize("command", [["./absent"], [""], ["sh\0"]])
def test_what_cannot_be_started_has_no_exit_code_and_a_reason(tmp_path, command):
    found = Commands(tmp_path, USUAL).run(command, {}, LIMIT)
    assert found.code is None
    assert "cannot be started" in found.why


def test_a_relative_command_is_one_of_its_folder(tmp_path):
    file = tmp_path / "check.sh"
    file.write_text("#!/bin/sh\nexit 7\n")
    file.chmod(0o755)
    assert Commands(tmp_path, USUAL).run(["./check.sh"], {}, LIMIT).code == 7


def test_a_signal_is_no_verdict(tmp_path):
    assert run(tmp_path, "kill -TERM $$") == Ended(None, "sh was ended by SIGTERM")
    assert run(tmp_path, "sh -c 'kill -KILL $$'; exit $?").code is None


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_began(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "GRACE", 0.2)
    began = time.monotonic()
    found = run(tmp_path, "trap '' TERM; sleep 61 & echo $! > child; echo started; wait; wait", timedelta(seconds=0.4))
    assert found == Ended(None, "sh has not ended within 0s: started")
    assert time.monotonic() - began < 20
    assert gone(int((tmp_path / "child").read_text()))


def test_what_a_command_leaves_behind_is_not_waited_for(tmp_path):
    began = time.monotonic()
    assert run(tmp_path, "sleep 61 & echo $! > child; exit 0").code == 0
    assert time.monotonic() - began < 20
    assert gone(int((tmp_path / "child").read_text()))


def test_stopping_ends_what_runs_and_starts_nothing_more(tmp_path):
    asked, found = Commands(tmp_path, USUAL), list[Ended]()
    thread = threading.Thread(
        target=lambda: found.append(asked.run(["sh", "-c", "echo > started; sleep 61"], {}, LIMIT))
    )
    thread.start()
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    asked.stop()
    thread.join(20)
    assert found == [Ended(None, "sh was ended, for the rollout stops")]
    assert asked.run(["true"], {}, LIMIT) == Ended(None, "not started, for the rollout stops")


def gone(pid: int) -> bool:
    """Whether a process has ended, which a killed one does in a moment."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
