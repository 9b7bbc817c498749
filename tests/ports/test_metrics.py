"""The port of metrics on a local Azure with a port of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from infra.errors import Busy, HearthError, LoginFailed, NotFound, Refused, Unreachable
from infra.localazure import faults, ids
from infra.localazure.traffic import Traffic
from infra.ports import metrics
from infra.ports.cloud import Cloud
from infra.ports.metrics import Bucket, Metrics, Readings, Window
from tests.fidelity import measured
from tests.localazure.clients import Served
from tests.localazure.cloud import OWNER_APP, PRODUCTION, SECRET, START, TENANT

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(metrics, "WAITS", (0.0, 0.0))


@pytest.fixture
def port(served: Served, monkeypatch: pytest.MonkeyPatch) -> Metrics:
    served.azure.switch(metrics_delay=0.0)
    origin = served.azure.origin
    environment = {
        "ARM_METADATA_HOSTNAME": origin.removeprefix("https://"),
        "AZURE_AUTHORITY_HOST": origin,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": OWNER_APP,
        "AZURE_CLIENT_SECRET": SECRET,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Metrics(Cloud())


def note(served: Served, account: str = "", deployment: str = "bot", **more: object) -> None:
    """A call that local Azure saw a minute ago."""
    usual = {
        "at": served.azure.world.now(), "account": ids.key(account or served.account), "deployment": deployment,
        "model": "m", "model_version": "1", "api": "Azure OpenAI", "operation": "ChatCompletions_Create",
        "status": 200, "stream": "Non-Streaming", "prompt_tokens": 9,
    }  # fmt: skip
    with served.azure.world.lock:
        served.azure.app.monitor.note(Traffic(**{**usual, **more}))
    served.azure.advance(minutes=1)


def of_account(port: Metrics, served: Served, days: float = 5) -> Readings:
    now = served.azure.world.now()
    return port.of_account(served.account, since=now - timedelta(days=days), now=now)


def of_region(port: Metrics, served: Served, accounts: Sequence[str] = (), days: float = 5, **more: bool):
    now = served.azure.world.now()
    return port.of_region(
        PRODUCTION, "Sweden Central", accounts or [served.account], since=now - timedelta(days=days), now=now, **more
    )


def log(served: Served) -> list[str]:
    return [e.path for e in served.azure.app.log if "metrics" in e.path]


def fault(served: Served, name: str, **more: object) -> None:
    with served.azure.world.lock:
        faults.add(served.azure.world, faults.Wish(name=name, **more))


def test_both_ways_tell_the_same_of_what_the_models_were_asked(served, port):
    for _ in range(2):
        served.v1().chat.completions.create(model="bot", messages=[{"role": "user", "content": "hello"}])
    with pytest.raises(Exception, match="temperature"):
        served.v1().chat.completions.create(model="bot", messages=[{"role": "user", "content": "x"}], temperature=9)
    served.azure.advance(hours=30)
    served.v1().chat.completions.create(model="bot", messages=[{"role": "user", "content": "hello"}])
    served.azure.advance(minutes=1)
    tokens = sum(row[2] for s in served.azure.world.measured if s.status == 200 for row in s.minutes())
    found = of_account(port, served)
    first, second = found.buckets["bot"]
    assert first == Bucket(START, HOUR, 2, 2 * second.prompt_tokens)
    assert second == Bucket(START + timedelta(hours=30), HOUR, 1, tokens // 3)
    assert found.account == served.account.lower()
    assert of_region(port, served) == {served.account: found}
    assert not measured.REQUESTS, "what is asked is as the descriptions have it"


def test_a_batch_without_tokens_is_one_question(served, port):
    note(served)
    assert of_region(port, served, tokens=False)[served.account].buckets == {"bot": (Bucket(START, HOUR, 1, 0),)}
    assert len(log(served)) == 1


def test_a_deployment_that_only_fails_or_was_never_called_is_absent(served, port):
    note(served, status=400)
    note(served, deployment="nobody", status=404)
    assert of_account(port, served).buckets == {}
    assert of_region(port, served)[served.account].buckets == {}


def test_what_is_written_in_capitals_is_found_in_small_letters(served, port):
    served.deploy("Second", "gpt-4o-mini", "2024-07-18", sku="GlobalStandard")
    note(served, deployment="SECOND")
    assert list(of_account(port, served).buckets) == ["second"]
    (told,) = of_region(port, served, [served.account.upper().replace("/SUBSCRIPTIONS", "/subscriptions")]).values()
    assert list(told.buckets) == ["second"]


def test_longer_spans_are_told_by_longer_stretches(served, port):
    note(served)
    assert {d: of_account(port, served, d).buckets["bot"][0].length for d in (1, 8, 16, 30, 93, 300)} == {
        1: HOUR, 8: HOUR, 16: 6 * HOUR, 30: 6 * HOUR, 93: 12 * HOUR, 300: 12 * HOUR,
    }  # fmt: skip


def test_more_than_ten_deployments_and_more_than_fifty_accounts_are_all_told(served, port):
    accounts = [ids.account_id(PRODUCTION, "rg", f"a{n:03}") for n in range(120)]
    for n in range(20):
        note(served, accounts[77], "", api=f"v{n}")
    found = of_region(port, served, [*accounts, served.account], tokens=False)
    assert list(found) == [*accounts, served.account]
    assert all(isinstance(told, Readings) for told in found.values())
    assert found[accounts[77]].buckets == {}, "calls to no deployment keep none alive"
    assert len(log(served)) == 3


def test_one_account_that_a_batch_is_refused_for_stands_alone(served, port):
    served.azure.switch(metrics_of_nothing="refuse")
    note(served)
    gone = [f"{served.account}-{n}" for n in range(3)]
    found = of_region(port, served, [*gone, served.account])
    assert isinstance(found[served.account], Readings)
    assert all(isinstance(found[account], NotFound) for account in gone)


def test_no_account_and_no_role_are_told_apart(served, port):
    with pytest.raises(NotFound):
        port.of_account(served.account + "x", since=START - HOUR, now=START)
    for assignment in served.azure.world.role_assignments:
        served.azure.world.role_assignments.drop(f"{ids.key(assignment.scope)}|{assignment.name.lower()}")
    with pytest.raises(Refused, match="AuthorizationFailed") as refused:
        of_account(port, served)
    assert refused.value.status == 403
    (told,) = of_region(port, served).values()
    assert isinstance(told, Refused)
    assert told.status == 403
    assert len(log(served)) == 3, "which is not a question of which account"


def test_a_throttled_question_says_how_long_to_wait_and_is_not_asked_again(served, port):
    fault(served, "throttle", scope="Microsoft.Insights/metrics/read", seconds=17)
    with pytest.raises(Busy) as busy:
        of_account(port, served)
    assert busy.value.retry_after == 17
    (told,) = of_region(port, served).values()
    assert isinstance(told, Busy)
    assert told.retry_after == 17
    assert len(log(served)) == 2


def test_an_outage_of_metrics_is_told_of_each_account(served, port):
    fault(served, "metrics-down", seconds=30)
    with pytest.raises(Busy):
        of_account(port, served)
    assert all(isinstance(told, Busy) for told in of_region(port, served, [served.account, "/x"]).values())


@pytest.mark.parametrize("name", ["server-error", "reset-connection"])
def test_a_broken_answer_is_asked_for_again_twice(served, port, name):
    note(served)
    fault(served, name, scope="Microsoft.Insights/metrics/read", count=2)
    assert "bot" in of_account(port, served).buckets
    fault(served, name, scope="Microsoft.Insights/metrics/read", count=3)
    with pytest.raises(Unreachable):
        of_account(port, served)
    fault(served, name, scope="Microsoft.Insights/metrics/read", count=3)
    assert isinstance(of_region(port, served)[served.account], Unreachable)


def test_a_login_that_is_refused_is_nothing_that_an_account_can_be_blamed_for(served, port):
    fault(served, "token-refused")
    for ask in (of_account, of_region):
        with pytest.raises(LoginFailed):
            ask(port, served)


def test_a_cloud_that_names_no_endpoint_is_read_account_by_account(served, port, monkeypatch):
    from dataclasses import replace

    cloud = port._cloud
    cloud.__dict__["endpoints"] = replace(cloud.endpoints, metrics="")
    with pytest.raises(HearthError, match="metricsEndpoint"):
        of_region(port, served)
    assert of_account(port, served).buckets == {}


def test_public_azure_is_asked_on_its_regions_hosts():
    endpoints = Cloud({}).endpoints
    assert endpoints.metrics.replace("{region}", "swedencentral") == "https://swedencentral.metrics.monitor.azure.com"


# --- one deployment ------------------------------------------------------------------------------------------------


def of_deployment(port: Metrics, served: Served, since: timedelta = HOUR, name: str = "bot") -> Window:
    now = served.azure.world.now()
    return port.of_deployment(served.account, name, since=now - since, now=now)


def test_how_the_calls_to_one_deployment_went(served, port):
    for status in (200, 200, 200, 429, 404, 500):
        note(served, status=status, latency_ms=200.0)
    note(served, latency_ms=900.0)
    note(served, deployment="Other", status=500)
    found = of_deployment(port, served)
    assert (found.calls, found.failed, found.throttled) == (7, 2, 1)
    assert (found.latency, found.measure) == (timedelta(seconds=0.9), metrics.LAST_BYTE)
    assert len(found.latencies) == 4, "the mean of each minute that had answers"
    assert found.grain == timedelta(minutes=1)
    assert not measured.REQUESTS, "what is asked is as the descriptions have it"


@pytest.mark.parametrize("gaps", ["zero", "absent"])
def test_the_time_to_the_response_is_taken_where_azure_tells_it(served, port, gaps):
    served.azure.switch(metrics_response_time="all", metrics_gaps=gaps)
    note(served, response_ms=100.0, latency_ms=900.0)
    found = of_deployment(port, served)
    assert (found.latencies, found.measure) == ((timedelta(milliseconds=100),), metrics.RESPONSE)


def test_a_deployment_nobody_called_has_no_latency_rather_than_none_at_all(served, port):
    found = of_deployment(port, served)
    assert (found.calls, found.failed, found.throttled, found.latency, found.measure) == (0, 0, 0, None, "")


def test_what_was_before_the_window_is_not_in_it_and_metrics_are_late(served, port):
    note(served, status=500)
    served.azure.advance(minutes=2)
    note(served)
    assert of_deployment(port, served, timedelta(minutes=2)).failed == 0
    served.azure.switch(metrics_delay=180.0)
    assert of_deployment(port, served, timedelta(minutes=2)).calls == 0, "not told yet"
    served.azure.advance(minutes=4)
    assert of_deployment(port, served, timedelta(minutes=6)).calls == 1


def test_a_long_window_is_told_in_longer_means(served, port):
    for days, grain in ((1, 1), (5, 5), (15, 15), (30, 30), (60, 60)):
        assert of_deployment(port, served, timedelta(days=days)).grain == timedelta(minutes=grain)
