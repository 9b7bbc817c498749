"""Data that Azure has accepted breaks no rule: a check that refuses it would be wrong."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from infra.training import dataset, scan, tokens
from infra.training.dataset import Asked

FOLDER = Path(__file__).parents[3] / "shared" / "data"
TRAINING, VALIDATION = FOLDER / "gsm8k_train.jsonl", FOLDER / "gsm8k_validation.jsonl"


@pytest.fixture(autouse=True)
def data() -> None:
    """Skip where the data are absent; fail where nothing may be skipped."""
    if FOLDER.is_dir():
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{FOLDER} is absent")
    pytest.skip("real training data (../shared/data) are not beside this checkout")


def test_data_that_azure_took_break_no_rule():
    report = dataset.check(Asked([TRAINING], [VALIDATION], model="gpt-4o-mini"))
    assert [file.broken for file in report.files] == [{}, {}]
    assert [(file.examples, file.bom, file.shape) for file in report.files] == [
        (449, False, "chat"),
        (50, False, "chat"),
    ]


def test_tokens_are_those_of_every_text_and_what_stands_around_it():
    report = dataset.check(Asked([TRAINING]))
    count = tokens.counter("o200k_base")
    assert count
    wanted = 0
    for line in TRAINING.read_bytes().splitlines():
        messages = msgspec.json.decode(line)["messages"]
        wanted += sum(count(message["content"]) + 4 for message in messages) + 3
    assert report.bill
    assert report.bill.tokens == wanted
    assert report.counted == "exact"


def test_an_estimate_is_near_the_count_and_said_to_be_one():
    exact, estimate = (dataset.check(Asked([TRAINING], counting=how)) for how in ("exact", "estimate"))  # type: ignore[arg-type]
    assert exact.bill
    assert estimate.bill
    assert estimate.counted == "estimate"
    assert 0.6 < estimate.bill.tokens / exact.bill.tokens < 1.4


def test_every_line_of_it_goes_the_quick_way(monkeypatch: pytest.MonkeyPatch):
    def slow(*_: object, **__: object) -> None:
        raise AssertionError("the quick look should have let it through")

    monkeypatch.setattr(scan.Scanner, "_thorough", slow)
    assert dataset.check(Asked([TRAINING], processes=1)).files[0].examples == 449


def test_real_data_given_as_validation_too_overlap_wholly():
    found = dataset.check(Asked([TRAINING], [TRAINING])).files[1]
    assert found.broken == {"overlap": 449}


def test_with_a_line_cut_off_the_line_is_named(tmp_path: Path):
    (tmp_path / "cut.jsonl").write_bytes(TRAINING.read_bytes()[:-100])
    (found,) = dataset.check(Asked([tmp_path / "cut.jsonl"])).files
    assert [(f.rule, f.line) for f in found.findings] == [("truncated", 449)]
    assert found.examples == 448
