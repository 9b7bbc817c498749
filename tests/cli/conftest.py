"""A project without an engine: what a command does by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.localazure import process

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Shell:
    """A folder and a command line."""

    root: Path
    code: int = 0
    errors: str = ""

    def hearth(self, *arguments: str, code: int = 0, cwd: Path | None = None, **env: str) -> str:
        """Run hearth, demand its exit code, give its standard output; its standard error is kept."""
        command = [str(Path(sys.executable).parent / "hearth"), *arguments]
        whole = {k: v for k, v in os.environ.items() if not k.startswith(("ARM_", "AZURE_", "PULUMI_"))} | env
        done = subprocess.run(
            command, cwd=cwd or self.root, env=whole, capture_output=True, text=True, timeout=60, check=False
        )
        self.code, self.errors = done.returncode, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    shutil.copytree(REPOSITORY / "stacks", root / "stacks")
    yield Shell(root)
    process.stop(root / ".hearth" / "azure")
