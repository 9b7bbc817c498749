"""The Azure CLI in an environment of its own: installed once from its lock file, outside the checkout."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("azure-cli.lock")


def find_or_install() -> Path:
    """The Python of that environment; installs it on the first call on this machine."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    place = root / "hearth" / "azure-cli" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    python = place / "bin" / "python"
    if (place / "whole").exists():
        return python
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", LOCK], check=True, timeout=1200
    )
    (place / "whole").touch()
    return python


@dataclass(frozen=True)
class Cli:
    """`az` with a configuration of its own."""

    python: Path
    env: dict[str, str]

    def run(self, *arguments: str, ok: bool = True) -> str:
        """Run `az` and give what it said."""
        done = subprocess.run(
            [self.python, "-m", "azure.cli", *arguments],
            env=self.env, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) is ok, f"az {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout if ok else done.stderr

    def json(self, *arguments: str) -> Any:
        """Run `az` and read what it printed; None where it printed nothing."""
        said = self.run(*arguments, "--output", "json", "--only-show-errors")
        return json.loads(said) if said.strip() else None

    def script(self, text: str) -> Any:
        """Run a command as documentation writes it: `az …` over several lines."""
        import shlex

        words = shlex.split(text.replace("\\\n", " "))
        assert words[0] == "az"
        return self.json(*words[1:])
