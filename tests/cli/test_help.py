"""Help is quick: a group is not imported before one of its commands is wanted."""

from __future__ import annotations

import subprocess
import sys

GROUPS = "[m for m in sys.modules if m in ('infra.cli.local', 'infra.cli.rollout.app', 'infra.cli.jobs')]"


def test_help_names_every_group_and_imports_none():
    asked = f"import sys; from infra.cli.app import app; app(['--help'], standalone_mode=False); print({GROUPS})"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    for name in ("data", "jobs", "models", "stack", "rollout", "local"):
        assert f" {name} " in done.stdout


def test_a_group_that_is_asked_for_has_its_commands():
    asked = "from infra.cli.app import app; app(['local', 'clock', '--help'], standalone_mode=False)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert "freeze" in done.stdout
