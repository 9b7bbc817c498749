"""Prompts asked of a deployment on local Azure, on a clock that waiting moves."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from infra.errors import LoginFailed
from infra.localazure import faults
from infra.ports.inference import Inference, Outcome, Reply
from infra.proofs.expectations import Expect
from infra.proofs.promptfile import Prompt
from infra.proofs.prompts import Asker, Bounds, Results, Verdict
from tests.proofs.conftest import TUNED, Bench

LIMIT = timedelta(minutes=15)


def prompt(line: int, text: str = "hello", **expect: object) -> Prompt:
    return Prompt(line, "", ({"role": "user", "content": text},), Expect(**(expect or {"contains": ("here",)})))


def asker(bench: Bench, calls: Inference | None = None, **more: object) -> Asker:
    return Asker(calls or bench.inference, **{"sleep": bench.sleep, "elapsed": lambda: bench.waited, **more})


def ask(bench: Bench, *prompts: Prompt, limit: timedelta = LIMIT, **more: object) -> Results:
    return asker(bench, **more).ask(bench.endpoint, "bot", prompts, limit=limit)


def fault(bench: Bench, name: str, **more: object) -> None:
    with bench.azure.world.lock:
        faults.add(bench.azure.world, faults.Wish(name=name, **more))


def test_answers_are_judged_and_come_in_the_order_of_the_file(bench):
    bench.give_role()
    prompts = [prompt(n, f"question {n}", regex=f"question {n if n % 4 else 'x'}$") for n in range(1, 13)]
    found = ask(bench, *prompts)
    assert [a.prompt.line for a in found.answers] == list(range(1, 13))
    assert [a.prompt.line for a in found.answers if a.verdict is Verdict.FAILED] == [4, 8, 12]
    assert found.pass_rate == Bounds(0.75, 0.75)
    assert found.figures["passRate"] == 0.75
    assert found.figures["p95"] is not None
    assert found.summary.startswith("9 of 12 prompts passed: line 4: the answer does not match /question x$/: ")
    assert TUNED in found.summary, "what it said instead, cut"


def test_a_throttled_call_is_waited_out_as_azure_asks(bench):
    bench.give_role()
    bench.azure.world.advance(timedelta(minutes=5))
    fault(bench, "throttle", scope="/contoso-train-ncus.openai.azure.com", count=3, seconds=7)
    found = ask(bench, prompt(1), prompt(2), concurrency=1)
    assert found.passed == 2
    assert bench.waited == 21
    assert (found.figures["throttled"], found.answers[0].throttled) == (3, 3)


def test_a_wait_that_does_not_fit_in_the_time_leaves_the_prompt_without_an_answer(bench):
    bench.give_role()
    fault(bench, "throttle", scope="/contoso-train-ncus.openai.azure.com", seconds=3600)
    found = ask(bench, prompt(1), limit=timedelta(minutes=1))
    assert found.answers[0].verdict is Verdict.NO_ANSWER
    assert "longer than the 1m there are" in found.summary
    assert bench.waited == 0
    assert found.pass_rate == Bounds(0, 1), "it may have been good or bad"


def test_a_server_error_is_tried_again_and_a_broken_connection_too(bench):
    bench.give_role()
    fault(bench, "server-error", scope="/contoso-train-ncus.openai.azure.com", count=1)
    fault(bench, "reset-connection", scope="/contoso-train-ncus.openai.azure.com", count=1)
    assert ask(bench, prompt(1)).passed == 1
    fault(bench, "server-error", scope="/contoso-train-ncus.openai.azure.com", count=3)
    found = ask(bench, prompt(1))
    assert (found.answers[0].verdict, found.answers[0].seconds) == (Verdict.NO_ANSWER, None)


def test_a_filtered_prompt_and_one_cut_short_fail_for_what_they_are(bench):
    bench.give_role()
    outcomes = [Outcome.FILTERED, Outcome.CUT_SHORT, Outcome.REFUSED, Outcome.LOCKED]
    found = asker(bench, _Says(*(Reply(one, text="because", seconds=1) for one in outcomes)), concurrency=1)
    answers = found.ask("https://e", "bot", [prompt(n) for n in range(1, 5)], limit=LIMIT).answers
    assert {a.verdict for a in answers} == {Verdict.FAILED}
    assert "give it more maxTokens" in str(answers[1])


def test_who_is_not_let_in_asks_once_and_not_a_thousand_times(bench):
    calls = _Says(*[Reply(Outcome.DENIED, text="no role", code="PermissionDenied")] * 9)
    answers = asker(bench, calls, concurrency=1).ask("https://e", "bot", [prompt(n) for n in range(9)], limit=LIMIT)
    assert calls.asked == 1
    assert answers.unanswered == 9
    assert "no role (PermissionDenied)" in answers.summary
    calls = _Says(LoginFailed("expired"))
    assert (
        asker(bench, calls, concurrency=1).ask("https://e", "bot", [prompt(1), prompt(2)], limit=LIMIT).unanswered == 2
    )
    assert calls.asked == 1


def test_a_deployment_that_is_not_there_fails(bench):
    bench.give_role()
    found = asker(bench).ask(bench.endpoint, "nobody", [prompt(1)], limit=LIMIT)
    assert found.answers[0].verdict is Verdict.FAILED
    assert "not there" in found.summary


def test_no_more_are_asked_at_once_than_is_told(bench):
    calls = _Counts()
    asker(bench, calls, concurrency=3).ask("https://e", "bot", [prompt(n) for n in range(20)], limit=LIMIT)
    assert calls.most == 3


def test_stopping_begins_no_further_call(bench):
    calls = _Says(Reply(Outcome.THROTTLED, retry_after=9))
    one = Asker(calls, concurrency=1)
    calls.then = one.stop
    found = one.ask("https://e", "bot", [prompt(1), prompt(2)], limit=LIMIT)
    assert (calls.asked, found.unanswered) == (1, 2)


@pytest.mark.parametrize(
    ("seconds", "p95"), [([1.0], 1.0), ([float(n) for n in range(1, 21)], 19.0), ([2.0] * 19 + [9], 2)]
)
def test_the_quantile_is_an_answer_that_was_measured(bench, seconds, p95):
    calls = _Says(*(Reply(Outcome.ANSWERED, text="here", seconds=s) for s in seconds))
    prompts = [prompt(n) for n in range(len(seconds))]
    found = asker(bench, calls, concurrency=1).ask("https://e", "bot", prompts, limit=LIMIT)
    assert found.quantile(0.95) == Bounds(p95, p95)


class _Says:
    """Calls that are answered as told, one after the other."""

    def __init__(self, *replies: Reply | Exception) -> None:
        self.replies, self.asked, self.then = iter(replies), 0, lambda: None

    def chat(self, *_: object, **__: object) -> Reply:
        self.asked += 1
        self.then()
        reply = next(self.replies)
        if isinstance(reply, Exception):
            raise reply
        return reply

    complete = chat


class _Counts:
    """Calls that tell how many were made side by side."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock, self.three = threading.Lock(), threading.Event()

    def chat(self, *_: object, **__: object) -> Reply:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == 3:
                self.three.set()
        assert self.three.wait(5)
        with self.lock:
            self.now -= 1
        return Reply(Outcome.ANSWERED, text="here")

    complete = chat
