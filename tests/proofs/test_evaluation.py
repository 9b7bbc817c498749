"""A deployment held against a file of prompts."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from infra.errors import SpecError
from infra.localazure import faults
from infra.proofs.evaluation import Evaluation, evaluate
from infra.proofs.prompts import Asker, Verdict


def test_a_file_of_prompts_gives_the_figures_of_a_record_and_what_each_prompt_came_to(bench, tmp_path):
    bench.give_role()
    file = tmp_path / "smoke.jsonl"
    wanted = ["You asked: one", "You asked: none", "here"]
    lines = [
        json.dumps({"prompt": p, "expect": {"contains": w}}) for p, w in zip(("one", "two", "x"), wanted, strict=True)
    ]
    file.write_bytes("\r\n".join(lines).encode())
    found = ask(bench, file)
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert [a.verdict for a in found.answers] == [Verdict.PASSED, Verdict.FAILED, Verdict.PASSED]
    assert found.pass_rate == pytest.approx(2 / 3)
    assert found.complete
    assert found.p95 is not None
    assert timedelta() < found.p95 < timedelta(minutes=1)


def test_a_file_with_prompts_that_got_no_answer_is_no_whole_evaluation(bench, tmp_path):
    file = tmp_path / "smoke.jsonl"
    file.write_text('{"prompt": "one", "expect": {"contains": "here"}}')
    with bench.azure.world.lock:
        faults.add(bench.azure.world, faults.Wish(name="server-error", scope="/contoso-train-ncus.openai.azure.com"))
    found = ask(bench, file)
    assert (found.complete, found.pass_rate, found.p95) == (False, 0.0, None)


def test_mistakes_in_the_file_are_told_before_anything_is_asked(bench, tmp_path):
    before = len(bench.azure.app.log)
    with pytest.raises(SpecError, match="does not exist"):
        ask(bench, tmp_path / "absent.jsonl")
    assert len(bench.azure.app.log) == before


def ask(bench, file) -> Evaluation:
    asker = Asker(bench.inference, sleep=bench.sleep, elapsed=lambda: bench.waited)
    return evaluate(asker, bench.endpoint, "bot", file)
