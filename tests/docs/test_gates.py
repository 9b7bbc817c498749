"""docs/gates.md says what the gates are, and its examples are ones."""

from __future__ import annotations

import re

from infra.proofs import promptfile
from infra.rollout.kinds import KINDS, Candidate
from infra.rollout.values import Target
from tests.docs.generate import DOCS
from tests.rollout.bench import Bench

PAGE = (DOCS / "gates.md").read_text("utf-8")


def test_the_table_is_that_of_the_kinds_themselves():
    rows = [f"| `{k.key}` | {k.looks} | {k.passes} | {k.inconclusive} |" for k in KINDS.values()]
    found = [line for line in PAGE.splitlines() if re.match(r"\| `[a-z]+` \|", line)]
    assert found == rows


def test_every_variable_of_a_command_is_named():
    target = Target(stack="s", account="a", location="l", standing="move")
    told = Candidate("r", "w", "g", target, Bench.move(), "e").environment
    assert re.findall(r"^\| `(HEARTH_\w+)` \|", PAGE, re.MULTILINE) == list(told)


def test_the_prompts_it_shows_are_prompts(tmp_path):
    (block,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "prompts.jsonl"
    file.write_text(block)
    assert len(promptfile.read(file).prompts) == 5
