"""Gates asked about a target on local Azure, in which nothing waits but the clock."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from infra.errors import LoginFailed, SpecError
from infra.rollout import gates
from infra.rollout.kinds import KINDS, Ports
from infra.rollout.values import GateResult
from infra.spec.project import Project
from infra.spec.rollout import Approval, Gate, MetricsRule, TimeLimits
from tests.rollout.bench import ACTIVE, BESIDE, NEW, OF_NEW, OF_OLD, Bench

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("infra.ports.metrics.WAITS", (0.0, 0.0))
    return Bench(tmp_path)


def test_every_kind_that_can_be_written_can_be_asked():
    from infra.spec.rollout import KINDS as WRITTEN

    assert set(KINDS) == set(WRITTEN)


# --- ready ---------------------------------------------------------------------------------------------------------


def test_ready_asks_the_candidate_and_waits_for_it_as_long_as_azure_may_take(bench):
    assert bench.ask(Gate(ready=True)) == GateResult(outcome="pass", reason="it answers")
    lost = bench.target(bench.move(candidate="nobody"))
    found = bench.ask(Gate(ready=True), lost)
    assert (found.outcome, bench.waited > 60) == ("fail", True)
    assert "still answers DeploymentNotFound" in found.reason


def test_ready_cannot_tell_where_its_own_time_is_over_sooner(bench):
    found = bench.ask(Gate(ready=True, timeout=timedelta(seconds=20)), bench.target(bench.move(candidate="nobody")))
    assert found == GateResult(
        outcome="inconclusive", reason="it does not answer yet, and the 20s of the gate are over"
    )
    assert bench.waited <= 20


def test_ready_needs_no_item_of_the_file_and_nothing_else_does_without(bench):
    assert bench.gates().gate("r", "w", bench.target(), "ready", since=None).outcome == "pass"
    found = bench.gates({"smoke": Gate(ready=True)}).gate("r", "w", bench.target(), "smok", since=None)
    assert found.outcome == "inconclusive"
    assert 'there is no gate of this name; did you mean "smoke"?' in found.reason


# --- prompts -------------------------------------------------------------------------------------------------------


def test_prompts_ask_the_candidate_and_not_the_one_that_serves(bench):
    found = bench.ask(Gate(prompts=bench.prompts(OF_NEW, OF_NEW)))
    assert (found.outcome, found.reason) == ("pass", "2 of 2 prompts passed")
    assert (found.figures["passRate"], found.figures["unanswered"]) == (1.0, 0)
    found = bench.ask(Gate(prompts=bench.prompts(OF_NEW, OF_OLD)))
    assert found.outcome == "fail"
    assert found.reason.startswith("100% must pass: 1 of 2 prompts passed: line 2: the answer does not match")


@pytest.mark.parametrize(("least", "outcome"), [(0.75, "pass"), (0.76, "fail")])
def test_a_pass_rate_that_is_exactly_met_is_met(bench, least, outcome):
    name = bench.prompts(OF_NEW, OF_NEW, OF_NEW, OF_OLD)
    assert bench.ask(Gate(prompts=name, pass_rate=least)).outcome == outcome


def test_prompts_without_an_answer_decide_nothing_that_hangs_on_them(bench):
    name = bench.prompts(OF_NEW, OF_NEW)
    bench.fault("throttle", scope="/oai-prod.openai.azure.com", seconds=3600)
    found = bench.ask(Gate(prompts=name))
    assert found.outcome == "inconclusive"
    assert "throttled, and asked to wait 3600 s longer than the 15m there are" in found.reason
    assert bench.ask(Gate(prompts=name, pass_rate=0.0)).outcome == "pass", "whatever they would have answered"


def test_answers_that_come_too_late_fail_however_good_they_are(bench):
    name = bench.prompts(OF_NEW)
    assert bench.ask(Gate(prompts=name, p95=HOUR)).reason.startswith("1 of 1 prompts passed, p95 0.")
    found = bench.ask(Gate(prompts=name, p95=timedelta(microseconds=1)))
    assert found.outcome == "fail"
    assert found.reason.endswith("s, not within 0.00 s")


def test_a_file_of_prompts_with_mistakes_says_where_and_blames_no_model(bench):
    (bench.root / "stacks" / "smoke.jsonl").write_text('{"prompt": "a"}\nnothing')
    found = bench.ask(Gate(prompts="smoke.jsonl"))
    assert found.outcome == "inconclusive"
    assert "stacks/smoke.jsonl has 2 mistakes line 1, expect: " in found.reason


# --- compare -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "worse_by", "outcome"),
    [
        ([OF_OLD, OF_NEW], None, "pass"),
        ([OF_NEW, OF_NEW], None, "pass"),
        ([OF_OLD, OF_OLD, OF_NEW], None, "fail"),
        ([OF_OLD, OF_OLD, OF_NEW], 1 / 3, "pass"),
        ([OF_OLD, OF_OLD, OF_NEW], 0.33, "fail"),
    ],
)
def test_compare_holds_the_candidate_against_the_one_that_serves(bench, expected, worse_by, outcome):
    found = bench.ask(Gate(compare=bench.prompts(*expected), worse_by=worse_by))
    assert found.outcome == outcome
    assert found.figures["passed"] + found.figures["before.passed"] == len(expected)


def test_compare_says_what_the_candidate_answered_worse(bench):
    found = bench.ask(Gate(compare=bench.prompts(OF_OLD), worse_by=0.02))
    assert found.reason.startswith(
        "0 of 1 prompts passed, and 1 of the model that serves; at most 2% worse may it be: 0 of 1 prompts passed: "
        "line 1: the answer does not match"
    )


def test_compare_passes_where_nothing_served_before_and_cannot_tell_where_it_is_gone(bench):
    name = bench.prompts(OF_NEW)
    assert bench.ask(Gate(compare=name), bench.target(bench.in_place(before=None))).outcome == "pass"
    found = bench.ask(Gate(compare=name), bench.target(bench.in_place()))
    assert (found.outcome, "take strategy: beside" in found.reason) == ("inconclusive", True)


def test_compare_decides_as_soon_as_what_was_not_answered_cannot_matter(bench):
    name = bench.prompts(OF_OLD, OF_OLD)
    bench.fault("server-error", scope="/oai-prod.openai.azure.com")
    assert bench.ask(Gate(compare=name)).outcome == "inconclusive"
    assert bench.ask(Gate(compare=name, worse_by=1.0)).outcome == "pass"


# --- metrics -------------------------------------------------------------------------------------------------------


def metrics(bench: Bench, *, back: timedelta = HOUR, **rule: object) -> GateResult:
    return bench.ask(Gate(metrics=MetricsRule(**rule)), since=bench.now() - back)


def test_metrics_hold_the_shares_of_failed_and_throttled_calls_against_the_most(bench):
    bench.calls(96)
    bench.calls(3, status=500)
    bench.calls(1, status=429)
    found = metrics(bench, errors=0.03, throttled=0.01)
    assert (found.outcome, found.reason) == ("pass", "100 calls in 1h, 3% failed, 1% throttled")
    assert (found.figures["calls"], found.figures["failed"], found.figures["throttled"]) == (100, 3, 1)
    found = metrics(bench, errors=0.02, throttled=0.0)
    assert found.outcome == "fail"
    assert found.reason == "100 calls in 1h, 3% failed, and 2% may, 1% throttled, and 0% may"


def test_metrics_are_those_of_the_candidate_since_the_bake_began(bench):
    bench.calls(5, status=500)
    bench.azure.advance(minutes=3)
    since = bench.now()
    bench.calls(7, ACTIVE, status=500)
    bench.calls(2)
    found = bench.ask(Gate(metrics=MetricsRule(errors=0.0)), since=since)
    assert (found.outcome, found.figures["calls"], found.figures["failed"]) == ("pass", 2, 0)


def test_the_bake_lasts_as_long_as_azures_clock_says_where_that_is_moved(bench):
    since, ours = bench.now(), bench.now()
    asked = bench.gates({"it": Gate(metrics=MetricsRule(errors=0.0))}, now=lambda: ours)
    asked.gate("r", "w", bench.target(), "it", since=since)
    bench.calls()
    bench.azure.advance(hours=3)
    bench.calls(5)
    found = asked.gate("r", "w", bench.target(), "it", since=since)
    assert "in 3h" in found.reason
    assert found.figures["calls"] == 6


def test_too_few_calls_decide_nothing(bench):
    bench.calls(9)
    found = metrics(bench, errors=0.0, least_calls=10)
    assert (found.outcome, found.reason.startswith("9 calls in 1h are fewer than 10")) == ("inconclusive", True)
    assert metrics(bench, errors=0.0, least_calls=9).outcome == "pass"


def test_the_greatest_mean_of_a_minute_is_held_against_the_longest_time(bench):
    bench.calls(9, latency_ms=400)
    bench.calls(1, latency_ms=1600)
    found = metrics(bench, p95=timedelta(seconds=1.6))
    assert found.reason == "10 calls in 1h, greatest mean 1.60 s (AzureOpenAITTLTInMS)"
    assert found.outcome == "pass"
    assert metrics(bench, p95=timedelta(seconds=1.5)).outcome == "fail"


def test_a_failure_is_one_whatever_azure_does_not_tell(bench):
    bench.calls(3, status=500)
    found = metrics(bench, p95=timedelta(seconds=1))
    assert (found.outcome, "Azure tells no latency of them" in found.reason) == ("inconclusive", True)
    assert metrics(bench, p95=timedelta(seconds=1), errors=0.5).outcome == "fail"


def test_a_busy_monitor_is_waited_for_within_the_time_of_the_gate(bench):
    bench.calls(3)
    bench.fault("throttle", scope=f"{bench.account}/providers/Microsoft.Insights", count=2, seconds=40)
    assert metrics(bench, errors=0.0).outcome == "pass"
    assert bench.waited >= 40
    bench.fault("throttle", scope=f"{bench.account}/providers/Microsoft.Insights", seconds=1200)
    found = metrics(bench, errors=0.0)
    assert found.outcome == "inconclusive"


def test_no_metrics_are_no_good_sign(bench):
    bench.calls(3)
    bench.fault("metrics-down")
    assert metrics(bench, errors=0.5).outcome == "inconclusive"


# --- command, approval ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "outcome"), [(0, "pass"), (1, "fail"), (125, "fail"), (127, "inconclusive")])
def test_the_exit_code_of_a_command_decides(bench, code, outcome):
    found = bench.ask(Gate(command=["sh", "-c", f"echo looked; exit {code}"]))
    assert (found.outcome, found.figures["exitCode"]) == (outcome, None if outcome == "inconclusive" else code)
    assert "looked" in found.reason


def test_a_command_is_told_what_it_is_to_look_at(bench):
    told = "$HEARTH_TARGET $HEARTH_DEPLOYMENT $HEARTH_MODEL $HEARTH_WAVE $HEARTH_ROLLOUT_ID"
    script = f'echo "{told}"; test -n "$HEARTH_ENDPOINT" && pwd'
    found = bench.ask(Gate(command=["sh", "-c", script]))
    assert found.outcome == "pass"
    assert found.reason == f"sh: prod-swe {BESIDE} {NEW} canary r-1 | {bench.root}"


def test_approval_is_for_people_to_say(bench):
    assert bench.ask(Gate(approval=Approval(by=["ann"]))).outcome == "inconclusive"


# --- all of them ---------------------------------------------------------------------------------------------------


def test_a_target_is_as_bad_as_the_worst_of_its_deployments_which_is_told_first(bench):
    good, lost = bench.move(), bench.move(deployment="other", candidate="nobody")
    found = bench.ask(Gate(prompts=bench.prompts(OF_NEW)), bench.target(good, lost))
    assert found.outcome == "fail"
    assert found.reason.startswith("other: 100% must pass: 0 of 1")
    assert found.reason.endswith("; bot: 1 of 1 prompts passed")
    assert (found.figures["bot.passed"], found.figures["other.passed"]) == (1, 0)


def test_where_nothing_moves_there_is_nothing_to_refuse(bench):
    still = bench.target().__class__(stack="s", account=bench.account, location="l", standing="upToDate")
    assert bench.ask(Gate(prompts="absent.jsonl"), still).outcome == "pass"


class _Stumbles:
    """Ports of which every call goes wrong in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, _: str) -> object:
        raise self.error


@pytest.mark.parametrize("error", [LoginFailed("the login has expired"), ZeroDivisionError("nobody thought of it")])
def test_whoever_could_not_look_has_found_nothing(bench, error):
    blind = Ports(_Stumbles(error), _Stumbles(error), _Stumbles(error))
    for rule in (Gate(ready=True), Gate(prompts=bench.prompts(OF_NEW)), Gate(metrics=MetricsRule(errors=0.1))):
        found = bench.ask(rule, ports=blind)
        assert (found.outcome, str(error) in found.reason) == ("inconclusive", True)
    assert bench.gates(ports=blind).quiet("r", bench.target(), since=None).outcome == "inconclusive"


@pytest.mark.parametrize("rule", [Gate(ready=True), Gate(prompts="smoke.jsonl"), Gate(command=["sleep", "60"])])
def test_stopping_ends_a_gate_that_waits_and_decides_nothing(bench, rule):
    bench.prompts(OF_NEW)
    bench.fault("server-error", scope="/oai-prod.openai.azure.com")
    asked, found = bench.gates({"it": rule}, sleep=None, elapsed=lambda: 0.0), list[GateResult]()
    thread = threading.Thread(target=lambda: found.append(asked.gate("r", "w", bench.target(), "it", since=None)))
    thread.start()
    asked.stop()
    thread.join(20)
    assert [one.outcome for one in found] == ["inconclusive"]


def test_what_a_gate_would_do_is_told_without_doing_it(bench):
    name = bench.prompts(OF_NEW, OF_OLD)
    rules = {
        "ready": Gate(ready=True), "prompts": Gate(prompts=name), "compare": Gate(compare=name),
        "metrics": Gate(metrics=MetricsRule(errors=0.1)), "command": Gate(command=["touch", "done"]),
        "approval": Gate(approval=Approval(by=["ann", "bob"])),
    }  # fmt: skip
    before = len(bench.azure.app.log)
    told = {name: bench.gates(rules).foretell(bench.target(), name) for name in rules}
    assert told == {
        "ready": "would call bot-b until it answers, up to 15m",
        "prompts": "would ask bot-b 2 prompts of smoke.jsonl",
        "compare": "would ask bot-b and bot 2 prompts of smoke.jsonl",
        "metrics": "would read the metrics of bot-b since the bake began",
        "command": "would run `touch done` with HEARTH_DEPLOYMENT=bot-b, up to 15m",
        "approval": "would ask ann or bob for a yes",
    }
    assert len(bench.azure.app.log) == before
    assert not (bench.root / "done").exists()
    with pytest.raises(SpecError, match="no gate of this name"):
        bench.gates(rules).foretell(bench.target(), "nothing")


def test_the_files_that_gates_name_are_checked_once_and_all_at_once(bench):
    project = Project(bench.root, "fleet", bench.root / "stacks")
    (bench.root / "stacks" / "bad.jsonl").write_text("nothing\n{}")
    rules = {"a": Gate(prompts="bad.jsonl"), "b": Gate(compare="bad.jsonl"), "c": Gate(prompts=bench.prompts(OF_NEW))}
    found = gates.check(project, {**rules, "d": Gate(prompts="absent.jsonl"), "e": Gate(ready=True)})
    assert {m.file for m in found} == {"stacks/bad.jsonl"}, "that one is not there is told with the gate"
    assert {m.line for m in found} == {1, 2}


def test_a_gate_has_the_time_of_the_file_unless_it_has_its_own(bench):
    told = bench.gates(
        {"a": Gate(ready=True), "b": Gate(ready=True, timeout=MINUTE)}, limits=TimeLimits(gate=2 * MINUTE)
    )
    assert told.foretell(bench.target(), "a").endswith("up to 2m")
    assert told.foretell(bench.target(), "b").endswith("up to 1m")


# --- the look before the old model goes ----------------------------------------------------------------------------


def quiet(bench: Bench, *, back: timedelta = HOUR, **more: object) -> GateResult:
    """Whether the old model is called by nobody, once the new one is active."""
    return bench.gates(**more).quiet("r-1", bench.target(), since=bench.now() - back)


def test_an_old_model_that_only_we_call_may_go(bench):
    bench.azure.advance(minutes=70)
    assert quiet(bench).outcome == "pass"
    bench.ping(ACTIVE)
    bench.ping(ACTIVE)
    found = quiet(bench)
    assert (found.outcome, found.reason) == ("pass", "bot: no call but ours in 55m")


@pytest.mark.parametrize(("proofs", "outcome"), [(6, "pass"), (20, "fail")])
def test_the_proofs_of_several_runs_within_an_hour_are_ours_and_what_calls_all_the_time_is_not(bench, proofs, outcome):
    bench.azure.advance(minutes=70)
    for _ in range(proofs):
        bench.ping(ACTIVE)
        bench.azure.advance(minutes=2)
    assert quiet(bench, back=70 * MINUTE).outcome == outcome


def test_an_old_model_that_somebody_calls_stays(bench):
    bench.azure.advance(minutes=70)
    bench.ping(ACTIVE)
    bench.calls(1, ACTIVE)
    found = quiet(bench)
    assert found.outcome == "fail"
    assert found.reason.startswith("bot is still called: 1 call in 55m not by us, the last one after 2026-11-01")


def test_calls_to_the_new_model_and_failed_ones_keep_nothing(bench):
    bench.azure.advance(minutes=70)
    bench.calls(9, BESIDE)
    bench.calls(9, ACTIVE, status=401)
    assert quiet(bench).outcome == "pass"


def test_calls_before_the_window_and_in_its_first_minutes_are_those_of_clients_that_did_not_know_yet(bench):
    bench.azure.advance(minutes=70)
    bench.calls(9, ACTIVE)
    opened = bench.now()
    bench.calls(2, ACTIVE)
    bench.azure.advance(minutes=20)
    assert bench.gates().quiet("r", bench.target(), since=opened).outcome == "pass"
    bench.calls(1, ACTIVE)
    assert bench.gates().quiet("r", bench.target(), since=opened).outcome == "fail"


def test_a_caller_who_has_left_keeps_the_old_model_for_another_window_and_no_longer(bench):
    bench.azure.advance(hours=3)
    bench.calls(1, ACTIVE)
    opened = bench.now() - HOUR
    assert bench.gates(window=HOUR).quiet("r", bench.target(), since=opened).outcome == "fail"
    bench.azure.advance(minutes=90)
    assert bench.gates(window=HOUR).quiet("r", bench.target(), since=opened).outcome == "pass"


def test_nothing_is_asked_of_metrics_where_nothing_stands_by(bench):
    blind = replace(bench.ports, metrics=_Stumbles(AssertionError("asked")))
    assert bench.gates(ports=blind).quiet("r", bench.target(bench.in_place()), since=None).outcome == "pass"
    gone = bench.target(bench.move(active="nobody"))
    assert bench.gates(ports=blind).quiet("r", gone, since=None).reason == "nobody is gone already"
