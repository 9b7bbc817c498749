"""`pulumi`, run on this terminal."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path


def run(arguments: list[str], folder: Path, **environment: str) -> int:
    """Run a `pulumi` command and return its exit code.

    Ctrl-C reaches it too: it is given the time to end well, and a second one ends it at once; then KeyboardInterrupt.
    """
    child = subprocess.Popen(["pulumi", *arguments], cwd=folder, env={**os.environ, **environment})
    interrupted = False
    while True:
        try:
            code = child.wait()
            break
        except KeyboardInterrupt:
            if interrupted:
                child.send_signal(signal.SIGTERM)
            interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    return code
