"""What may stand in stacks/training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.errors import SpecError
from infra.spec import open_project
from infra.spec.training import Training, load_training

ACCOUNT = {
    "subscription": "11111111-1111-4111-8111-111111111111",
    "resourceGroup": "rg-train",
    "account": "contoso-train",
}
SOUND = {"account": ACCOUNT, "model": "gpt-4.1-mini-2025-04-14", "training": "data/train.jsonl"}
BLOB = "https://contosodata.blob.core.windows.net/support/train.jsonl"


def load(folder: Path, name: str = "bot", **changes: Any) -> Training:
    (folder / "stacks/training").mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: hearth\nstackConfigDir: stacks\n")
    (folder / "stacks/Pulumi.source.yaml").write_text("config: {}\n")
    wish = {key: value for key, value in {**SOUND, **changes}.items() if value is not None}
    (folder / "stacks/training/bot.yaml").write_text(yaml.safe_dump(wish, sort_keys=False))
    return load_training(open_project(folder), name)


def complaints(folder: Path, **changes: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(folder, **changes)
    return [str(mistake).partition(", ")[2] for mistake in caught.value.mistakes]


def test_the_shortest_file_leaves_everything_else_to_azure(tmp_path):
    found = load(tmp_path)
    assert (found.record, found.wish.method, found.wish.seed, found.wish.hyperparameters.given()) == (
        "bot", "supervised", None, {},
    )  # fmt: skip
    assert found.wish.account is not None
    assert found.wish.account.id.endswith("/rg-train/providers/Microsoft.CognitiveServices/accounts/contoso-train")


@pytest.mark.parametrize(
    ("file", "blob", "uploaded"),
    [("data/train.jsonl", False, False), (BLOB, True, False), ("file-0a1b2c", False, True)],
)
def test_data_are_on_the_disk_in_a_blob_or_in_azure_already(tmp_path, file, blob, uploaded):
    data = load(tmp_path, training=file).wish.training
    assert (data.is_blob, data.is_uploaded) == (blob, uploaded)


def test_every_mistake_is_told_at_once_with_its_line(tmp_path):
    with pytest.raises(SpecError) as caught:
        load(tmp_path, account=None, model="", suffix="a.b", seed=-1, hyperparameters={"n_epochs": 0, "epochs": 2})
    assert [(m.line > 0, m.path) for m in caught.value.mistakes] == [
        (True, "account"),
        (True, "model"),
        (True, "suffix"),
        (True, "seed"),
        (True, "hyperparameters/n_epochs"),
        (True, "hyperparameters/epochs"),
    ]


def test_a_mistake_in_one_key_hides_none_between_others(tmp_path):
    told = complaints(
        tmp_path,
        model=7,
        method="reinforcement",
        hyperparameters={"beta": "much"},
        training={"file": "a", "signature": "S"},
    )
    expected = (
        "must be a text", "must be a number", "Blob's address", "no hyperparameter of reinforcement",
        "tells good answers", "validation file",
    )  # fmt: skip
    assert len(told) == len(expected)
    assert all(any(text in one for one in told) for text in expected), told
    assert complaints(tmp_path, method="rlhf", grader={}) == [
        'method: must be supervised, dpo or reinforcement, not "rlhf"'
    ], "nothing is said of what belongs to a method while it is not known"


def test_a_signature_is_refused_and_not_repeated(tmp_path):
    (told,) = complaints(tmp_path, training=f"{BLOB}?sv=2024&sig=s3cr3t")
    assert "write the address alone" in told
    assert "s3cr3t" not in told


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"account": None}, "one of account and stack"),
        ({"stack": "source"}, "one of account and stack"),
        ({"account": None, "stack": "sorce"}, 'did you mean "source"'),
        ({"hyperparameters": {"beta": 0.1}}, "is no hyperparameter of supervised, but of dpo"),
        ({"method": "reinforcement"}, "needs a validation file"),
        ({"method": "reinforcement", "validation": "v.jsonl"}, "needs one: what tells good answers from bad"),
        ({"grader": {"type": "python"}}, "reinforcement alone has one"),
        ({"method": "dpo", "model": "gpt-4o-mini-2024-07-18"}, "is tuned by supervised alone"),
        ({"training": {"file": "a.jsonl", "signature": "SAS"}}, "only a Blob's address has a signature"),
        ({"training": "http://contoso.example/a.jsonl"}, "starts with https://"),
        ({"suffix": "x" * 41}, "1 to 40"),
    ],
)
def test_what_cannot_work_is_said_before_azure_is_asked(tmp_path, changes, text):
    assert any(text.lower() in told.lower() for told in complaints(tmp_path, **changes)), complaints(
        tmp_path, **changes
    )


def test_a_suffix_that_the_portal_would_not_take_is_a_warning(tmp_path):
    assert not load(tmp_path, suffix="x" * 18).warnings
    assert len(load(tmp_path, suffix="x" * 19).warnings) == 1


def test_a_name_that_has_no_file_is_told_with_the_one_that_was_meant(tmp_path):
    load(tmp_path)
    with pytest.raises(SpecError, match='does not exist; did you mean "bot"'):
        load(tmp_path, "bott")
    with pytest.raises(SpecError, match="is no name of a file"):
        load(tmp_path, "../models/bot")
