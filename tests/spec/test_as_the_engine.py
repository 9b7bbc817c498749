"""What a person checks at a desk is what the engine hands to the program: the same files, read by both."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.spec.project import value_of
from infra.toolchain import home
from infra.toolchain.cli import find_or_build
from infra.toolchain.progress import silent
from tests.spec.desk import Desk

PLAIN = """\
config:
  azure-native:location: swedencentral
  hearth:off: off
  hearth:yes: yes
  hearth:true: True
  hearth:number: 5
  hearth:float: 5.0
  hearth:half: 0.5
  hearth:date: 2026-10-14
  hearth:json: '{"a": [1, 2]}'
  hearth:nearly: '[x'
  account: {name: without-a-namespace}
  hearth:words: {off: yes, no: on, y: n, t: TRUE, nothing: , tilde: ~, quoted: "5", base: 1:30, under: _1}
  hearth:numbers: {oct: 010, old: 0o17, nine: 09, hex: -0x1F, bin: 0b11, long: 1_000, exp: 1e3, dot: 5.}
  hearth:big: [12345678901, 123456789012345678901234567890]
  hearth:dates: [2026-10-14, 2026-1-2T3:4:5Z, 2026-01-02T03:04:05.60+02:00, 2026-01-02 03:04:05.5]
  hearth:no-dates: [2026-13-45, "2026-10-14", 2026-10, 26-10-14, 2026-10-14T10:00]
  hearth:keys: {1: a, true: b, 1.50: c, 010: d, on: e}
  hearth:tags: {text: !!str 5, float: !!float 3}
  hearth:shared: &shared {a: 1, b: 2}
  hearth:same: *shared
  hearth:merged: {b: 3, <<: *shared}
  hearth:both: {<<: [{a: 9}, *shared]}
  hearth:mine:
"""
PROJECT = """\
name: hearth
runtime: python
stackConfigDir: stacks
config:
  hearth:mine: theirs
  hearth:listed: [1, off]
  hearth:kept: {value: {a: on, b: 010}}
  plain: {type: string, default: x}
  nothing: {type: string}
  hearth:words: {value: {replaced: whole}}
"""

Pulumi = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def pulumi(tmp_path_factory: pytest.TempPathFactory) -> Pulumi:
    named = os.environ.get("HEARTH_PULUMI")
    executable = Path(named) if named else find_or_build(silent)
    folder = tmp_path_factory.mktemp("engine")
    (folder / "state").mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **home.environment(folder / "home", folder / "state")}

    def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [executable, *arguments, "--non-interactive", "--stack", "dev"]
        return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)

    assert run(Desk(folder / "first").root, "stack", "init").returncode == 0
    return run


@pytest.mark.xdist_group("engine")
def test_the_engine_hands_over_what_was_checked(desk: Desk, pulumi: Pulumi):
    desk.file("Pulumi.yaml", PROJECT)
    desk.file("stacks/Pulumi.dev.yaml", PLAIN)
    rows: dict[str, Any] = json.loads(pulumi(desk.root, "config", "--json").stdout)
    handed = {key: value_of(row["value"]) for key, row in rows.items()}
    assert desk.project.config("dev") == handed


@pytest.mark.xdist_group("engine")
@pytest.mark.parametrize(
    "text",
    [
        "config: {hearth:ready: off, hearth:ready: warn}",
        "config: [1]",
        "config: {hearth:ready: &a [*a]}",
        "config: {hearth:ready: {<<: 1}}",
    ],
)
def test_what_the_engine_refuses_is_refused_at_the_desk(desk: Desk, pulumi: Pulumi, text: str):
    desk.file("stacks/Pulumi.dev.yaml", text + "\n")
    refused = pulumi(desk.root, "config", "--json")
    assert refused.returncode != 0
    assert "no stack" not in refused.stderr
    assert not any(mistake.path.endswith("location") for mistake in desk.mistakes()), "it never came to reading keys"
    assert desk.mistakes()
