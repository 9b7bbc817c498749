"""The Pulumi CLI for the Automation API, as a rollout needs it: it can be stopped, and it outlives us.

The engine runs in a session of its own and writes its words and events to files, so it comes to a good end also when
the process that wanted it is killed. Who comes next finds it by its lock, and attends to it as if it were its own.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pulumi.automation import CommandResult, LocalWorkspace, OutputMap, PulumiCommand, Stack, UpdateSummary
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import create_command_error

from infra.rollout import diagnosis
from infra.rollout.running import End, Files, Process, Stop, attend, wait


class Engine(PulumiCommand):
    """One run of the CLI for one stack."""

    def __init__(self, command: str, env: Mapping[str, str], files: Files, limit: float, stop: Stop) -> None:
        """`env` is the whole environment; `limit` in seconds. The version is not asked for: that is a run by itself."""
        self.command, self.version = command, None
        self.end: End = "by itself"
        self.told = diagnosis.Run()
        self.said = ""
        self._env, self._files, self._limit, self._stop = env, files, limit, stop

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Any = None,
        on_error: Any = None,
    ) -> CommandResult:
        """Run a command to its end; what it said stands in `said`, what it told in `told`.

        Raises CommandError, and what that has below it.
        """
        files = self._files
        files.events.unlink(missing_ok=True)
        command = [self.command, "--non-interactive", *args, "--event-log", str(files.events)]
        # The flag is there for the Automation API alone, which says so in these two.
        env = {**self._env, **additional_env, "PULUMI_AUTOMATION_API": "true", "PULUMI_DEBUG_COMMANDS": "true"}
        with files.log.open("ab") as log:
            at = log.tell()
            child = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.time() + self._limit
        process = Process.of(child.pid)
        files.remember(process, until)
        self.end = attend(process, until, self._stop, lambda seconds: _has_ended(child, seconds))
        files.forget()
        self.said = _read(files.log, at)
        self.told = diagnosis.read(_read(files.events))
        files.events.unlink(missing_ok=True)
        result = CommandResult(stdout=self.said, stderr=self.said, code=child.returncode)
        if child.returncode:
            raise create_command_error(result)
        return result


class OneUp(Stack):
    """A stack that is known to be there; `up` asks the CLI nothing that a rollout does not need."""

    def __init__(self, name: str, workspace: LocalWorkspace) -> None:
        """Select nothing: every command names the stack."""
        self.name, self.workspace, self._mode = name, workspace, StackInitMode.SELECT

    def outputs(self) -> OutputMap:
        """None: reading them takes two more runs of the CLI."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        """Nothing but that it ended well: the rest is in the events, and would take one more run."""
        return UpdateSummary("update", datetime.now(), "", {}, {}, "succeeded")  # noqa: DTZ005 - as the SDK has it


def up(engine: Engine, stack: str, folder: Path, message: str) -> None:
    """`pulumi up` without a preview of its own. Raises CommandError, and what that has below it."""
    workspace = LocalWorkspace(work_dir=str(folder), pulumi_command=engine)
    OneUp(stack, workspace).up(message=message, color="never", suppress_outputs=True, suppress_progress=True)


def _has_ended(child: subprocess.Popen[bytes], seconds: float) -> bool:
    wait(child.pid, seconds)
    return child.poll() is not None


def _read(file: Path, at: int = 0) -> str:
    try:
        return file.read_bytes()[at:].decode(errors="replace")
    except FileNotFoundError:
        return ""
