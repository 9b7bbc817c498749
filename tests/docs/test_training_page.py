"""docs/training.md: its trainings and its record are ones, its keys are all there are, its rules those that hold."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from infra.spec import load_record, open_project
from infra.spec.project import Project
from infra.spec.training import Data, Hyperparameters, TrainingFile, load_training
from infra.training import outcome, verdict
from tests.docs.generate import DOCS

PAGE = (DOCS / "training.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^```yaml\n# (stacks/\S+\.yaml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
TRAININGS = [name for name in BLOCKS if name.startswith("stacks/training/")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with every file that the page draws, and the example's stacks."""
    shutil.copy(DOCS.parent / "Pulumi.yaml", tmp_path)
    shutil.copytree(DOCS.parent / "stacks", tmp_path / "stacks")
    for name, text in BLOCKS.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return open_project(tmp_path)


@pytest.mark.parametrize("name", TRAININGS)
def test_every_training_that_it_draws_is_one(project: Project, name: str):
    assert load_training(project, Path(name).stem).warnings == ()


def test_it_draws_every_method_and_every_key():
    drawn = [yaml.safe_load(BLOCKS[name]) for name in TRAININGS]
    assert {one["method"] for one in drawn} == {"supervised", "dpo", "reinforcement"}
    assert keys(drawn) == names(TrainingFile)
    assert keys(one["training"] for one in drawn if isinstance(one["training"], dict)) == names(Data)
    assert keys(one["hyperparameters"] for one in drawn) == names(Hyperparameters)


def test_the_record_that_it_draws_is_one_of_a_checkpoint(project: Project):
    record = load_record(project, "support-bot")
    assert record.trained.checkpoint is not None
    assert record.model == record.trained.checkpoint["id"]
    assert record.base == "gpt-4.1-mini-2025-04-14"


def test_every_verdict_is_told_with_the_figures_of_its_rule():
    rules = dict(re.findall(r"^\| ([a-z ]+) \| ([^|]+) \|", PAGE.partition("| Verdict")[2], re.MULTILINE))
    figures = {
        verdict.Kind.DIVERGED: [verdict.ASTRAY],
        verdict.Kind.NOTHING_LEARNED: [verdict.LEARNED, verdict.GAINED],
        verdict.Kind.OVERFITTING: [verdict.PARTED],
        verdict.Kind.TOO_LITTLE_DATA: [verdict.FEW_EXAMPLES, verdict.FEW_STEPS],
    }
    for kind in verdict.Kind:
        told = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", rules[kind.value])}
        assert told >= set(figures.get(kind, [])), kind
    assert (
        f"fewer than {'three' if verdict.EVALUATED == 3 else verdict.EVALUATED} evaluations" in rules["not validated"]
    )
    assert outcome.KEPT == 3, "the page says three"


def keys(rows: Any) -> set[str]:
    """All keys of these mappings."""
    return {key for row in rows for key in row}


def names(of: type[msgspec.Struct]) -> set[str]:
    """The keys of a part of the file, as they are written."""
    return {field.encode_name for field in msgspec.structs.fields(of)}
