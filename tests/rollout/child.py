"""Executes the rollouts of a folder with hands that pretend, to be killed: `python -m tests.rollout.child`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.cli.worker import serve
from infra.errors import HearthError
from infra.rollout.history import History
from tests.rollout.hands import Pretended
from tests.rollout.runs import ended, process, until


@contextmanager
def child(folder: Path, **given: object) -> Iterator[subprocess.Popen[str]]:
    """Such a process; killed at the end. `given`: database, name, at_once, seconds, …"""
    command = [sys.executable, "-m", "tests.rollout.child", str(folder), json.dumps(given)]
    running = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def kill(running: subprocess.Popen[str]) -> None:
    """kill -9."""
    running.send_signal(signal.SIGKILL)
    running.wait()


def main() -> int:
    """Execute until every rollout that is asked for has ended, or SIGTERM comes."""
    folder, given = Path(sys.argv[1]), json.loads(sys.argv[2])
    hands = Pretended(
        folder, seconds=given.get("seconds", 0.0), seed=given.get("seed"), fails=frozenset(given.get("fails", ())),
        unclear=frozenset(given.get("unclear", ())), late=frozenset(given.get("late", ())),
    )  # fmt: skip
    kept = History(given.get("database") or f"sqlite:///{folder / 'rollouts.db'}")
    if "database" in given:
        try:
            serve(kept, given["name"], given.get("take_over", []), lambda _: hands, at_once=given.get("at_once", 0))
        except HearthError as error:
            sys.stdout.write(f"{error}\n")
            return error.exit_code
        return 0
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    settings = {key: given[key] for key in ("name", "who") if key in given}
    with process(kept, hands, **settings) as made:
        sys.stdout.write("at work\n")
        sys.stdout.flush()
        over = ended(kept, given.get("rollout", "r1")) if not given.get("stay") else lambda: False
        until(lambda: told.is_set() or over() or made.failed, 600)
    return 0 if made.failed is None else made.failed.exit_code


if __name__ == "__main__":
    sys.exit(main())
