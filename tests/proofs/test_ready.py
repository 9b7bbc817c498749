from __future__ import annotations

from datetime import timedelta

import pytest

from infra.proofs import PING, Verdict
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
