"""The story of `make demo-life`, with real data that Azure has trained on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demos import life
from demos.stage import Stage, open_stage, start_azure

pytestmark = pytest.mark.proof

FOLDER = Path(__file__).parents[3] / "shared" / "data"
FIRST = 350
"""So many examples are trained on first; the others come later."""
ASKED = (3, 41, 77, 120, 160, 211, 250, 301, 340, 360, 400, 440)
"""Lines that are asked, of both trainings."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A clone with a local Azure; skipped where the data are absent, failed where nothing may be skipped."""
    if not FOLDER.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{FOLDER} is absent")
        pytest.skip("real training data (../shared/data) are not beside this checkout")
    with open_stage("gsm8k") as made:
        life.plant(made)
        start_azure(made)
        yield made


def test_the_life_of_a_model_that_is_taught_to_reckon(stage: Stage, capsys: pytest.CaptureFixture[str]):
    lines = (FOLDER / "gsm8k_train.jsonl").read_text("utf-8").splitlines(keepends=True)
    stage.write("data/first.jsonl", "".join(lines[:FIRST]))
    stage.write("data/more.jsonl", "".join(lines[FIRST:]))
    stage.write("data/validation.jsonl", (FOLDER / "gsm8k_validation.jsonl").read_text("utf-8"))
    pairs = [(messages[:-1], result(messages[-1]["content"])) for messages in (talk(lines[at]) for at in ASKED)]
    prompts = [{"messages": asked, "expect": {"contains": expected}} for asked, expected in pairs]
    stage.write("data/prompts.jsonl", "".join(json.dumps(one) + "\n" for one in prompts))

    life.tell(
        stage,
        life.Lessons(
            first="data/first.jsonl",
            more="data/more.jsonl",
            validation="data/validation.jsonl",
            prompts="data/prompts.jsonl",
            question=pairs[0][0][-1]["content"],
            new_question=pairs[-1][0][-1]["content"],
            epochs=7,
            rate=2000,
        ),
    )

    told = capsys.readouterr().out
    assert told.count(pairs[0][1]) >= len(life.REGIONS), "both regions answer as they were taught"
    assert told.count(pairs[-1][1]) >= len(life.REGIONS), "and, rolled out, as they were taught later"
    record = life.read(stage, "helpdesk")
    assert record["evaluation"]["passRate"] == 1.0
    assert record["evaluation"]["against"]["passRate"] == 0.0
    assert [parent["base"] for parent in record["trained"]["parents"]] == [life.BASE]
    left = json.loads(stage.hearth("jobs", "list", "--json", *life.HERE, shown=False))
    assert {job["id"] for job in left} == {record["trained"]["job"], record["trained"]["parents"][0]["job"]}
    drawn = {file.name for file in (stage.root / life.CHARTS).iterdir()}
    assert drawn == {
        "data.svg",
        *(f"{name}.{kind}" for name in ("first", "again", "trial") for kind in ("png", "html")),
    }


def talk(line: str) -> list[dict[str, str]]:
    """The messages of an example."""
    found: list[dict[str, str]] = json.loads(line)["messages"]
    return found


def result(answer: str) -> str:
    """The line of an answer that has its result."""
    return "####" + answer.rpartition("####")[2].strip("\n")
