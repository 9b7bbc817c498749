"""A further region in one command: another stack's text with other values."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from infra.errors import SpecError
from infra.gitops import shape
from infra.spec import Project, load_stack, open_project

TODAY = date(2026, 11, 1)
SHAPE = """\
# who owns this: the support team
config:
  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222
  azure-native:location: swedencentral
  hearth:account: {name: contoso-swe, resourceGroup: rg-contoso-swe}   # one account a region
  hearth:deployments:
    bot:
      model: bot
      sku: {name: GlobalStandard, capacity: 10}  # as agreed
encryptionsalt: v1:abc=:v1:def:ghi==
"""
RECORD = """\
model: gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57
source: {subscription: 11111111-1111-4111-8111-111111111111, resourceGroup: rg, account: contoso-train}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "stacks" / "models").mkdir(parents=True)
    (tmp_path / "Pulumi.yaml").write_text("name: hearth\nstackConfigDir: stacks\n")
    (tmp_path / "stacks" / "Pulumi.swe.yaml").write_text(SHAPE)
    (tmp_path / "stacks" / "models" / "bot.yaml").write_text(RECORD)
    return open_project(tmp_path)


def add(project: Project, name: str = "weu", **values: str) -> str:
    shape.add(project, name, "swe", **{"location": "westeurope", "account": "contoso-weu", "today": TODAY, **values})  # type: ignore[arg-type]
    return project.stack_file(name).read_text()


def test_a_further_region_is_the_others_text_with_its_own_values(project: Project) -> None:
    text = add(project)
    there = SHAPE.splitlines()[:-1]
    assert [line for line in text.splitlines() if line not in there] == [
        "  azure-native:location: westeurope",
        "  hearth:account: {name: contoso-weu, resourceGroup: rg-contoso-weu}   # one account a region",
    ]
    stack = load_stack(open_project(project.root), "weu", open_project(project.root).config("weu"), today=TODAY)
    assert (stack.location, stack.account.name, stack.deployments[0].sku.capacity) == ("westeurope", "contoso-weu", 10)


def test_the_salt_of_the_others_secrets_stays_behind(project: Project) -> None:
    assert "encryptionsalt" not in add(project)


def test_what_the_project_gives_by_default_is_said_in_the_new_stack(project: Project) -> None:
    own = "33333333-3333-4333-8333-333333333333"
    text = SHAPE.replace("  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222\n", "")
    project.stack_file("swe").write_text(text)
    project.file.write_text(project.file.read_text() + f"config:\n  azure-native:subscriptionId: {own}\n")
    assert "azure-native:subscriptionId: 44444444-" in add(
        open_project(project.root), subscription="44444444-4444-4444-8444-444444444444"
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"location": "atlantis"}, "atlantis"),
        ({"account": "not a name!"}, "hearth:account/name"),
        ({"account": "contoso-swe"}, "contoso-swe"),
        ({"name": "a b"}, "takes up to 100 letters"),
        ({"name": "swe"}, "exists already"),
    ],
)
def test_what_the_checks_refuse_is_not_written(project: Project, values: dict[str, str], said: str) -> None:
    before = sorted(p.name for p in project.stacks.iterdir())
    with pytest.raises(SpecError, match=said):
        add(project, **values)
    assert sorted(p.name for p in project.stacks.iterdir()) == before


def test_a_shape_with_secrets_is_refused_for_they_open_to_one_stack_alone(project: Project) -> None:
    project.stack_file("swe").write_text(SHAPE.replace("bot\n", "bot\n      raiPolicy: {secure: v1:xyz}\n", 1))
    with pytest.raises(SpecError, match="has secrets"):
        add(project)


def test_a_group_that_does_not_follow_the_accounts_name_is_asked_for(project: Project) -> None:
    project.stack_file("swe").write_text(SHAPE.replace("rg-contoso-swe", "shared"))
    with pytest.raises(SpecError, match="--resource-group"):
        add(project)
    assert "resourceGroup: rg-other}" in add(project, resource_group="rg-other")
