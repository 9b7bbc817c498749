"""docs/rollout.md: its example is a rollout, and what it says of keys and defaults is what is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.spec import Rollout, check_project, load_rollout, open_project
from infra.spec.duration import show
from infra.spec.rollout import Defaults, TimeLimits
from tests.docs.generate import DOCS
from tests.spec.desk import TODAY

PAGE = (DOCS / "rollout.md").read_text("utf-8")
STACK = """\
config:
  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222
  azure-native:location: {location}
  hearth:account: {{name: contoso-{location}, resourceGroup: rg-{location}}}
  hearth:stack: {{labels: {{continent: {continent}}}}}
  hearth:deployments: {{}}
"""
REGIONS = {"swedencentral": "europe", "westeurope": "europe", "uksouth": "europe", "eastus2": "america"}


@pytest.fixture
def rollout(tmp_path: Path) -> Rollout:
    """The page's example, over four regions."""
    (tmp_path / "Pulumi.yaml").write_text("name: hearth\nstackConfigDir: stacks\n")
    (tmp_path / "stacks" / "prompts").mkdir(parents=True)
    (tmp_path / "stacks" / "prompts" / "smoke.jsonl").write_text('{"prompt": "hi", "expect": {"contains": "h"}}\n')
    for location, continent in REGIONS.items():
        file = tmp_path / "stacks" / f"Pulumi.prod-{location}.yaml"
        file.write_text(STACK.format(location=location, continent=continent))
    (example,) = re.findall(r"^```yaml\n(# stacks/rollout.yaml\n.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "stacks" / "rollout.yaml").write_text(example)
    project = open_project(tmp_path)
    stacks, mistakes = check_project(project, project.stack_names(), today=TODAY)
    assert mistakes == []
    return load_rollout(project, stacks)


def test_the_example_comes_out_as_the_page_says(rollout: Rollout):
    assert [(wave.name, wave.stacks) for wave in rollout.waves] == [
        ("canary", ("prod-swedencentral",)),
        ("europe", ("prod-uksouth", "prod-westeurope")),
        ("world", ("prod-eastus2",)),
    ]


def test_the_page_names_every_key_of_a_wave_with_the_default_that_holds(rollout: Rollout):
    known = set(Defaults.__struct_fields__) - {"strategy"}
    written = {
        re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key) for key in re.findall(r"^\| `(\w+)", PAGE, re.M)
    }
    assert known - {"rollback_window"} <= written
    assert f"`defaults.rollbackWindow`, {show(Defaults().rollback_window)}" in PAGE.replace("24 h", "1d")
    assert f"`limits.approval` ({TimeLimits().approval.days} days)" in PAGE
