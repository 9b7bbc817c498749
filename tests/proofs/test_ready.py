from __future__ import annotations

from datetime import timedelta

import pytest

from infra.ports.inference import Inference, Outcome, Reply
from infra.proofs import PING, Readiness, Verdict
from infra.spec import limits
from tests.proofs.conftest import Bench


def test_an_answer_is_ready(bench: Bench):
    bench.give_role()
    assert bench.readiness().prove(bench.endpoint, "bot").verdict is Verdict.READY
    assert bench.waited == 0


def test_a_deployment_too_busy_to_answer_is_there_and_so_ready(bench: Bench):
    bench.give_role()
    deployment = bench.deployment()
    deployment.capacity = 1
    readiness = bench.readiness()
    assert [readiness.prove(bench.endpoint, "bot").verdict for _ in range(3)] == [Verdict.READY] * 3
    assert bench.waited == 0, "a 429 is proof enough; to wait it out would cost minutes at capacity 1"


def test_succeeded_is_not_enough_the_data_plane_is_waited_for(bench: Bench):
    bench.give_role()
    bench.deployment().serving_at = bench.azure.world.now() + timedelta(minutes=2)
    said: list[str] = []
    proof = bench.readiness().prove(bench.endpoint, "bot", say=said.append)
    assert proof.verdict is Verdict.READY
    assert 120 <= bench.waited < 150
    assert said == ["bot: waiting until it answers, up to 5m (DeploymentNotFound)"], "said once, not at every try"


def test_a_deployment_that_never_serves_fails_at_the_dated_limit(bench: Bench):
    bench.give_role()
    bench.deployment().serving_at = bench.azure.world.now() + timedelta(hours=1)
    proof = bench.readiness().prove(bench.endpoint, "bot")
    assert proof.verdict is Verdict.NOT_SERVING
    assert "after 5m" in proof.reason
    assert bench.waited < limits.load().readiness.value.total_seconds() + 20


def test_waiting_is_over_when_it_is_over_by_azures_clock_which_a_double_may_be_made_to_run(bench: Bench):
    bench.give_role()
    bench.deployment().serving_at = bench.azure.world.now() + timedelta(hours=1)
    ours = Readiness(
        bench.inference,
        limits.load(),
        sleep=lambda _seconds: bench.azure.advance(minutes=5),
        elapsed=lambda: 0.0,
    )
    proof = ours.prove(bench.endpoint, "bot")
    assert (proof.verdict, "after 5m" in proof.reason) == (Verdict.NOT_SERVING, True)


def test_a_paused_deployment_does_not_serve_and_waiting_would_not_help(bench: Bench):
    bench.give_role()
    bench.deployment().paused = True
    proof = bench.readiness().prove(bench.endpoint, "bot")
    assert (proof.verdict, bench.waited) == (Verdict.NOT_SERVING, 0)
    assert "paused" in proof.reason


def test_without_a_role_it_is_not_proven_and_the_role_is_named(bench: Bench):
    proof = bench.readiness().prove(bench.endpoint, "bot")
    assert (proof.verdict, bench.waited) == (Verdict.NOT_PROVEN, 0)
    assert "Cognitive Services OpenAI User" in proof.reason


def test_a_role_that_this_run_gave_is_waited_for_because_azure_takes_minutes(bench: Bench):
    bench.give_role(after=90)
    proof = bench.readiness().prove(bench.endpoint, "bot", role_is_new=lambda: True)
    assert proof.verdict is Verdict.READY
    assert 90 <= bench.waited < 110


def test_network_rules_that_keep_us_out_are_named(bench: Bench):
    bench.give_role()
    account = next(iter(bench.azure.world.accounts))
    account.properties["networkAcls"] = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.7"}]}
    proof = bench.readiness().prove(bench.endpoint, "bot")
    assert proof.verdict is Verdict.NOT_PROVEN
    assert "network rules" in proof.reason


def test_no_answer_at_all_is_tried_for_ten_seconds_and_then_not_proven(bench: Bench):
    proof = bench.readiness().prove("https://localhost:1/nowhere.openai.azure.com/", "bot")
    assert proof.verdict is Verdict.NOT_PROVEN
    assert "connection refused" in proof.reason
    assert 10 <= bench.waited < 25


@pytest.mark.parametrize("word", ["secret", "key"])
def test_the_ping_says_nothing_of_us(word: str):
    assert word not in PING[0]["content"]


class Scripted(Inference):
    """A data plane that answers by a script, one answer a call; the last one for ever."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes, self.asked = list(outcomes), []

    def chat(self, endpoint: str, deployment: str, messages, *, most_tokens: int) -> Reply:
        self.asked.append(most_tokens)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        return Reply(outcome, code="PermissionDenied" if outcome is Outcome.DENIED else "")


class Waiting:
    """A clock that goes by sleeping."""

    def __init__(self) -> None:
        self.gone = 0.0

    def prove(self, inference: Inference, **options):
        def sleep(seconds: float) -> None:
            self.gone += seconds

        return Readiness(inference, limits.load(), sleep=sleep, elapsed=lambda: self.gone).prove("", "bot", **options)


def test_one_hiccup_late_in_the_waiting_does_not_end_it():
    script = [*[Outcome.NOT_THERE] * 12, Outcome.BROKEN, Outcome.NOT_THERE, Outcome.UNREACHABLE, Outcome.ANSWERED]
    assert Waiting().prove(Scripted(*script)).verdict is Verdict.READY


def test_a_role_that_took_long_leaves_the_deployment_its_own_time():
    script = [*[Outcome.DENIED] * 30, *[Outcome.NOT_THERE] * 5, Outcome.ANSWERED]
    assert Waiting().prove(Scripted(*script), role_is_new=lambda: True).verdict is Verdict.READY


def test_hiccups_without_end_end_as_not_proven():
    waiting = Waiting()
    proof = waiting.prove(Scripted(*[Outcome.BROKEN, Outcome.UNREACHABLE] * 20, Outcome.BROKEN))
    assert proof.verdict is Verdict.NOT_PROVEN
    assert waiting.gone < 30


def test_a_model_that_reasons_is_asked_again_with_room_to_think():
    inference = Scripted(Outcome.CUT_SHORT, Outcome.ANSWERED)
    assert Waiting().prove(inference).verdict is Verdict.READY
    assert inference.asked == [16, 512]
