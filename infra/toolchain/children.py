"""What one language host has running: programs, and plugins written in Python. Nothing outlives it."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.toolchain.programs import Program

_RUN_PLUGIN = Path(__file__).with_name("run_plugin.py")
_TIME_TO_END = 1.0  # seconds between asking a plugin to end and killing it

Plugin = subprocess.Popen[bytes]


class Children:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._running: set[Program | Plugin] = set()

    def run_program(self, program: Program, order: Mapping[str, Any]) -> int | None:
        """Run a program to its end; its exit code, or None when it was killed."""
        self._keep(program)
        try:
            return program.run(order)
        finally:
            self._forget(program)

    def start_plugin(
        self, python: Path, directory: str, args: Sequence[str], *, cwd: str, env: Mapping[str, str]
    ) -> Plugin:
        """Start the plugin in `directory`. Its stdout and stderr are pipes."""
        plugin = subprocess.Popen(
            [str(python), "-P", str(_RUN_PLUGIN), str(os.getpid()), directory, *args],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._keep(plugin)
        return plugin

    def end_plugin(self, plugin: Plugin) -> None:
        """End a plugin, if it has not ended yet."""
        plugin.send_signal(signal.SIGTERM)
        try:
            plugin.wait(_TIME_TO_END)
        except subprocess.TimeoutExpired:
            plugin.kill()
            plugin.wait()
        self._forget(plugin)

    def end_all(self) -> None:
        """End everything that still runs. A watchdog may call it, whatever else is going on."""
        with self._lock:
            running = list(self._running)
        for child in running:
            if isinstance(child, Program):
                child.end()
            else:
                self.end_plugin(child)

    def _keep(self, child: Program | Plugin) -> None:
        with self._lock:
            self._running.add(child)

    def _forget(self, child: Program | Plugin) -> None:
        with self._lock:
            self._running.discard(child)
