"""Metrics: the calls that local Azure saw, as Azure Monitor tells of them."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.localazure import faults, ids, metricsquery
from infra.localazure.metrics import Monitor
from infra.localazure.traffic import Traffic
from infra.localazure.world import World
from tests.localazure.cloud import ABROAD, ABROAD_OWNER, PRODUCTION, START, TRAINING, TUNED, Cloud

SCOPE = "https://metrics.monitor.azure.com"
SPLIT, VERSIONS = "ModelDeploymentName eq '*'", "ApiName eq '*'"
REQUESTS, PROMPT = "AzureOpenAIRequests", "ProcessedPromptTokens"


@pytest.fixture
def account(cloud: Cloud) -> str:
    found = cloud.account()
    cloud.tune(found)
    cloud.serve(found, capacity=10)
    return found


def ask(cloud: Cloud, account: str, metric: str = REQUESTS, **more: Any) -> Any:
    """The answer for an account."""
    version = more.pop("version", "2024-02-01")
    path = f"{account}/providers/Microsoft.Insights/metrics"
    return cloud.get(path, version=version, metricnames=metric, **more)


def batch(cloud: Cloud, accounts: list[str], metric: str = REQUESTS, **more: Any) -> Any:
    """The answer for a batch."""
    usual = {"audience": SCOPE, "version": "2024-02-01", "metricnames": metric}
    usual["metricnamespace"] = "Microsoft.CognitiveServices/accounts"
    region, subscription = more.pop("region", "swedencentral"), more.pop("subscription", PRODUCTION)
    path = f"/{region}.metrics.monitor.azure.com/subscriptions/{subscription}/metrics:getBatch"
    return cloud.ask("POST", path, {"resourceids": accounts}, **{**usual, **more})


def totals(answer: Any, at: int = 0) -> dict[tuple[str, ...], float]:
    """What each series of a metric comes to, by its labels."""
    assert answer.status == 200, answer.body
    return {
        tuple(v["value"] for v in series["metadatavalues"]): sum(p.get("total", 0) for p in series["data"])
        for series in answer.body["value"][at]["timeseries"]
    }


def call(account: str, deployment: str = "bot", **more: Any) -> Traffic:
    """A call as it is noted."""
    usual = {
        "at": START, "account": ids.key(account), "model": "m", "model_version": "1", "api": "Azure OpenAI",
        "operation": "ChatCompletions_Create", "status": 200, "stream": "Non-Streaming", "prompt_tokens": 9,
    }  # fmt: skip
    return Traffic(deployment=deployment, **{**usual, **more})


# --- what is counted -----------------------------------------------------------------------------------------------


def test_calls_are_told_by_deployment_and_status(cloud, account):
    for _ in range(3):
        assert cloud.chat(f"{account}/deployments/BOT").status == 200
    cloud.chat(f"{account}/deployments/bot", temperature=9)
    cloud.chat(f"{account}/deployments/nobody")
    cloud.advance(minutes=10)
    answer = ask(cloud, account, _filter=f"{SPLIT} and StatusCode eq '*'")
    assert totals(answer) == {("bot", "200"): 3, ("bot", "400"): 1, ("", "404"): 1}
    (series, *_) = answer.body["value"][0]["timeseries"]
    names = [v["name"]["value"] for v in series["metadatavalues"]]
    assert names == ["modeldeploymentname", "statuscode"], "names come back in lower case, in the filter's order"
    assert totals(ask(cloud, account, _filter=f"{SPLIT} and statuscode eq '200'")) == {("bot", "200"): 3}


def test_tokens_are_those_of_the_calls(cloud, account):
    usage = cloud.chat(f"{account}/deployments/bot", "how are you").body["usage"]
    cloud.advance(minutes=10)
    names = f"{PROMPT},GeneratedTokens,TokenTransaction"
    answer = ask(cloud, account, names, _filter=SPLIT)
    assert [totals(answer, at) for at in range(3)] == [
        {("bot",): usage["prompt_tokens"]},
        {("bot",): usage["completion_tokens"]},
        {("bot",): usage["total_tokens"]},
    ]


def test_a_deployment_without_calls_has_no_series(cloud, account):
    cloud.serve(account, "quiet", cloud.tune(account, f"{TUNED[:-1]}8"))
    cloud.chat(f"{account}/deployments/bot")
    cloud.advance(minutes=10)
    assert totals(ask(cloud, account, _filter=SPLIT)) == {("bot",): 1}
    cloud.advance(hours=2)
    assert totals(ask(cloud, account, _filter=SPLIT)) == {}, "nor one without calls in the hour that is asked about"


def test_metrics_are_late_as_azures_are(cloud, account):
    cloud.chat(f"{account}/deployments/bot")
    cloud.advance(seconds=180)
    assert totals(ask(cloud, account, _filter=SPLIT)) == {}
    cloud.advance(seconds=60)
    assert totals(ask(cloud, account, _filter=SPLIT)) == {("bot",): 1}
    cloud.switch(metrics_delay=0)
    cloud.chat(f"{account}/deployments/bot")
    assert totals(ask(cloud, account, _filter=SPLIT)) == {("bot",): 2}


AVAILABLE, RESPONSE, LAST_BYTE = "AzureOpenAIAvailabilityRate", "AzureOpenAITimeToResponse", "AzureOpenAITTLTInMS"


def points(answer: Any, at: int = 0) -> dict[tuple[str, ...], list[dict[str, float]]]:
    """The points of a metric that have a value, by the labels of their series."""
    assert answer.status == 200, answer.body
    assert answer.body["value"][at]["errorCode"] == "Success", answer.body["value"][at]
    return {
        tuple(v["value"] for v in series["metadatavalues"]): [
            {k: v for k, v in p.items() if k != "timeStamp"} for p in series["data"] if len(p) > 1
        ]
        for series in answer.body["value"][at]["timeseries"]
    }


def test_times_are_told_as_means_and_bounds_of_each_minute(cloud, account):
    cloud.switch(metrics_response_time="all")
    for response, last in ((100, 300), (300, 500)):
        cloud.app.monitor.note(call(account, at=START, response_ms=response, latency_ms=last))
    cloud.app.monitor.note(call(account, at=START + timedelta(minutes=1), response_ms=900, latency_ms=900))
    cloud.advance(minutes=10)
    answer = ask(cloud, account, f"{RESPONSE},{LAST_BYTE}", _filter=SPLIT, aggregation="average,minimum,maximum")
    assert answer.body["value"][0]["unit"] == "MilliSeconds"
    assert points(answer)["bot",] == [
        {"average": 200.0, "minimum": 100.0, "maximum": 300.0},
        {"average": 900.0, "minimum": 900.0, "maximum": 900.0},
    ]
    assert [p["average"] for p in points(answer, 1)["bot",]] == [400.0, 900.0]
    whole = ask(cloud, account, RESPONSE, _filter=SPLIT, interval="FULL")
    assert points(whole)["bot",] == [{"average": pytest.approx(1300 / 3)}], "the mean is what is told unless asked"


def test_a_stream_responds_before_it_is_done(cloud, account):
    cloud.switch(metrics_response_time="all")
    cloud.chat(f"{account}/deployments/bot", "tell me a long story", stream=True)
    cloud.chat(f"{account}/deployments/bot", "tell me a long story")
    cloud.advance(minutes=10)
    told = points(ask(cloud, account, RESPONSE, _filter="StreamType eq '*'"))
    ((streamed,), (whole,)) = told["Streaming",], told["Non-Streaming",]
    assert streamed["average"] < whole["average"]
    ((last,),) = points(ask(cloud, account, LAST_BYTE, _filter=SPLIT)).values()
    assert last["average"] == whole["average"], "the last byte comes as late, streamed or not"


def test_the_time_to_the_response_is_known_of_provisioned_deployments_unless_a_switch_says_of_all(cloud, account):
    tuned = cloud.tune(account, f"{TUNED[:-1]}8")
    cloud.serve(account, "ours", tuned, sku="ProvisionedManaged", capacity=25)
    for name in ("bot", "ours"):
        assert cloud.chat(f"{account}/deployments/{name}").status == 200
    cloud.advance(minutes=10)
    assert set(points(ask(cloud, account, RESPONSE, _filter=SPLIT))) == {("ours",)}
    assert set(points(ask(cloud, account, LAST_BYTE, _filter=SPLIT))) == {("bot",), ("ours",)}


def test_errors_throttling_and_waits_of_faults_are_in_metrics_as_callers_met_them(cloud, account):
    bot = f"{account}/deployments/bot"
    for wish in (
        {"name": "throttle", "scope": bot, "count": 2},
        {"name": "server-error", "scope": bot, "count": 1},
        {"name": "slow", "scope": bot, "count": 1, "after": 4, "seconds": 0.01},  # the last
    ):
        faults.add(cloud.world, msgspec.convert(wish, faults.Wish))
    assert [cloud.chat(bot).status for _ in range(5)] == [429, 429, 500, 200, 200]
    cloud.advance(minutes=10)
    wanted = f"{SPLIT} and StatusCode eq '*'"
    assert totals(ask(cloud, account, _filter=wanted)) == {("bot", "200"): 2, ("bot", "429"): 2, ("bot", "500"): 1}
    ((available,),) = points(ask(cloud, account, AVAILABLE, _filter=SPLIT)).values()
    assert available == {"average": 80.0}
    ((last,),) = points(ask(cloud, account, LAST_BYTE, _filter=SPLIT, aggregation="minimum,maximum")).values()
    assert last["maximum"] == pytest.approx(last["minimum"] + 10, abs=0.01), "in ms"


def test_a_refusal_has_a_response_and_no_last_byte_of_an_answer(cloud, account):
    cloud.switch(metrics_response_time="all")
    cloud.chat(f"{account}/deployments/bot", temperature=9)
    cloud.advance(minutes=10)
    answer = ask(cloud, account, f"{RESPONSE},{LAST_BYTE}", _filter="StatusCode eq '*'", ValidateDimensions="false")
    assert set(points(answer)) == {("400",)}
    assert points(answer, 1) == {}


def test_metrics_go_after_93_days(cloud, account):
    monitor = cloud.app.monitor
    cloud.chat(f"{account}/deployments/bot")
    cloud.chat(f"{account}/deployments/bot", temperature=9)
    long = {"interval": "P1D", "timespan": "2026-10-31T00:00:00Z/2027-03-01T00:00:00Z", "_filter": SPLIT}
    cloud.advance(days=92, hours=23)
    assert totals(ask(cloud, account, **long)) == {("bot",): 2}, "of a deployment that is deleted since, too"
    cloud.advance(hours=2)
    assert totals(ask(cloud, account, **long)) == {}
    assert len(cloud.world.measured) == 2
    monitor.note(call(account, at=cloud.world.now()))
    assert len(cloud.world.measured) == 1, "what nobody can ask for any more is forgotten"


def test_what_was_counted_is_there_after_opening_the_folder_again(tmp_path):
    first = Cloud()
    first.world = World(tmp_path, first.world.clock)
    monitor = Monitor(first.world)
    for minute in range(200):
        monitor.note(call("/a", at=START + timedelta(minutes=minute)))
        monitor.note(call("/a", at=START + timedelta(minutes=minute)))
    held = {key: (series.rows, series.times) for key, series in first.world.measured._records.items()}
    assert len(held) == 4, "stretches of 64 minutes"
    first.world.close()
    again = World(tmp_path)
    assert {key: (series.rows, series.times) for key, series in again.measured._records.items()} == held
    assert sum(spread[0] for series in again.measured for _, spread in series.spreads("last byte")) == 400
    assert sum(row[1] for series in again.measured for row in series.minutes()) == 400
    again.close()


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from(["a", "b", "c"]), st.integers(1, 99)), max_size=200))
@settings(max_examples=25, deadline=None)
def test_no_call_is_lost_or_counted_twice_however_the_time_is_cut(calls):
    cloud = Cloud()
    account = ids.account_id(PRODUCTION, "rg", "x")
    expected: dict[str, int] = {}
    for minute, model, tokens in sorted(calls):
        cloud.app.monitor.note(call(account, at=START + timedelta(minutes=minute), api=model, prompt_tokens=tokens))
        expected[model] = expected.get(model, 0) + tokens
    cloud.advance(hours=12)
    for interval in ("PT1M", "PT15M", "PT6H", "FULL"):
        params = {"metricnames": PROMPT, "filter": "ApiName eq '*'", "interval": interval}
        query = metricsquery.read(params, START, cloud.world.now(), cloud.world)
        (metric,) = metricsquery.Reader(cloud.world, query).values(account, "swedencentral")
        found = {
            series["metadatavalues"][0]["value"]: sum(p.get("total", 0) for p in json.loads(bytes(series["data"])))
            for series in metric["timeseries"]
        }
        assert found == expected


# --- how it is asked and answered ----------------------------------------------------------------------------------


def test_time_is_cut_from_the_start_of_the_span_and_nothing_is_told_of_the_future(cloud, account):
    cloud.chat(f"{account}/deployments/bot")
    cloud.advance(minutes=90)
    answer = ask(
        cloud, account, _filter=SPLIT, interval="PT1H", aggregation="Total,count,Average",
        timespan="2026-11-01T10:21:30Z/2026-11-02T10:21:30Z",
    ).body  # fmt: skip
    assert answer["interval"] == "PT1H"
    assert answer["timespan"] == "2026-11-01T10:21:30Z/2026-11-02T10:21:30Z"
    assert answer["value"][0]["timeseries"][0]["data"] == [
        {"timeStamp": "2026-11-01T10:21:00Z", "total": 0.0, "count": 0.0},
        {"timeStamp": "2026-11-01T11:21:00Z", "total": 1.0, "count": 1.0, "average": 1.0},
        {"timeStamp": "2026-11-01T12:21:00Z", "total": 0.0, "count": 0.0},
        {"timeStamp": "2026-11-01T13:21:00Z", "total": 0.0, "count": 0.0},
    ]
    cloud.switch(metrics_gaps="absent")
    span = "2026-11-01T10:21:00Z/2026-11-01T13:21:00Z"
    (series,) = ask(cloud, account, _filter=SPLIT, interval="PT1H", timespan=span).body["value"][0]["timeseries"]
    assert [point.get("total") for point in series["data"]] == [None, 1.0, None]


def test_the_whole_span_is_one_point(cloud, account):
    cloud.chat(f"{account}/deployments/bot")
    cloud.advance(minutes=30)
    answer = ask(cloud, account, _filter=SPLIT, interval="FULL", timespan="2026-11-01T10:00:00Z/2026-11-01T14:00:00Z")
    assert answer.body["interval"] == "PT4H"
    assert answer.body["cost"] == 239, "as in the official example of four hours"
    (point,) = answer.body["value"][0]["timeseries"][0]["data"]
    assert point == {"timeStamp": "2026-11-01T10:00:00Z", "total": 1.0}


@pytest.fixture
def busy(cloud: Cloud, account: str) -> str:
    """An account whose versions v00 … v11 had 1 … 12 calls."""
    for n in range(12):
        for _ in range(n + 1):
            cloud.app.monitor.note(call(account, api=f"v{n:02}", at=cloud.world.now()))
    cloud.advance(minutes=10)
    return account


def test_ten_series_are_told_unless_more_are_asked_for(cloud, busy):
    assert len(totals(ask(cloud, busy, _filter=VERSIONS))) == 10
    assert len(totals(ask(cloud, busy, _filter=VERSIONS, top="100"))) == 12
    assert totals(ask(cloud, busy, _filter=VERSIONS, top="2", orderby="total desc")) == {("v11",): 12, ("v10",): 11}
    assert list(totals(ask(cloud, busy, _filter=VERSIONS, top="1", orderby="Count asc"))) == [("v00",)]


def test_a_filter_picks_values_and_a_roll_up_puts_them_together(cloud, busy):
    two = "ApiName eq 'v01' or apiname eq 'V02'"
    assert totals(ask(cloud, busy, _filter=two)) == {("v01",): 2, ("v02",): 3}
    assert totals(ask(cloud, busy, _filter=f"({two}) and StatusCode eq '200'")) == {
        ("v01", "200"): 2,
        ("v02", "200"): 3,
    }
    assert totals(ask(cloud, busy, _filter=two, rollupby="ApiName")) == {(): 5}
    assert totals(ask(cloud, busy)) == {(): sum(range(13))}, "without a filter one series has all"


def test_metadata_are_the_series_alone(cloud, busy):
    answer = ask(cloud, busy, _filter=VERSIONS, resultType="Metadata").body
    assert "interval" not in answer
    assert "data" not in answer["value"][0]["timeseries"][0]


def test_an_older_version_answers_too_and_definitions_say_what_there_is(cloud, account):
    assert ask(cloud, account, version="2018-01-01").status == 200
    answer = cloud.get(f"{account}/providers/Microsoft.Insights/metricDefinitions", version="2024-02-01")
    by_name = {m["name"]["value"]: m for m in answer.body["value"]}
    found, timed = by_name[REQUESTS], by_name[RESPONSE]
    assert (timed["unit"], timed["primaryAggregationType"]) == ("MilliSeconds", "Average")
    assert timed["supportedAggregationTypes"] == ["Average", "Minimum", "Maximum"]
    assert {"value": "StatusCode", "localizedValue": "StatusCode"} in found["dimensions"]
    assert {"timeGrain": "PT1H", "retention": "P93D"} in found["metricAvailabilities"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"metric": "SuccessfulCalls"}, "Failed to find metric configuration for provider"),
        ({"_filter": "Deployment eq '*'"}, "does not support requested dimension combination: deployment"),
        ({"metric": PROMPT, "_filter": "StatusCode eq '200'"}, f"Metric: {PROMPT} does not support"),
        ({"rollupby": "Deployment"}, "does not support requested dimension combination"),
        ({"interval": "PT3M"}, "Invalid time grain duration: PT3M, supported ones are: 00:01:00,00:05:00"),
        ({"interval": "an hour"}, "1.00:00:00"),
        ({"aggregation": "median"}, "median"),
        ({"top": "2147483648"}, "Detected invalid TopN value 2147483648"),
        ({"top": "0"}, "TopN"),
        ({"orderby": "total upwards"}, "total upwards"),
        ({"timespan": "2026-11-02/2026-11-01"}, "is not before its end"),
        ({"timespan": "yesterday"}, "yesterday"),
        ({"timespan": "2026-11-01T00:00:00Z/later"}, "later"),
        ({"timespan": "2020-01-01/2026-11-01"}, "44640 points"),
        ({"metricnamespace": "Microsoft.Storage/storageAccounts"}, "Failed to find metric configuration"),
        ({"_filter": "ModelDeploymentName ne 'x'"}, "cannot be read"),
        ({"_filter": f"{SPLIT} or StatusCode eq '200'"}, "cannot be read"),
        ({"_filter": "StatusCode eq 'a' and StatusCode eq 'b'"}, "cannot be read"),
        ({"_filter": "(ModelDeploymentName eq 'x'"}, "cannot be read"),
        ({"_filter": "ModelDeploymentName eq 'x' and"}, "cannot be read"),
    ],
)  # fmt: skip
def test_what_monitor_refuses_has_no_envelope(cloud, account, more, text):
    answer = ask(cloud, account, **more)
    assert (answer.status, answer.body["code"]) == (400, "BadRequest")
    assert text in answer.body["message"]


def test_dimensions_that_do_not_fit_are_ignored_when_that_is_asked_for(cloud, account):
    cloud.chat(f"{account}/deployments/bot")
    cloud.advance(minutes=10)
    wanted = f"{SPLIT} and StatusCode eq '200'"
    answer = ask(cloud, account, f"{REQUESTS},{PROMPT}", _filter=wanted, ValidateDimensions="false")
    assert list(totals(answer)) == [("bot", "200")]
    assert list(totals(answer, 1)) == [("bot",)]


def test_a_grain_that_does_not_exist_is_adjusted_when_that_is_asked_for(cloud, account):
    assert ask(cloud, account, interval="PT2H", AutoAdjustTimegrain="true").body["interval"] == "PT1H"


def test_an_aggregation_that_a_metric_lacks_is_told_in_its_place(cloud, account):
    for name, lacks in ((REQUESTS, "maximum"), (LAST_BYTE, "total")):
        (metric,) = ask(cloud, account, name, aggregation=lacks).body["value"]
        assert (metric["errorCode"], metric["timeseries"]) == ("InvalidSamplingType", [])


@given(
    text=st.text(max_size=40), name=st.sampled_from(["_filter", "timespan", "interval", "top", "orderby", "rollupby"])
)
@settings(max_examples=150, deadline=None)
def test_no_question_makes_it_stumble(text, name):
    cloud = FUZZED[0]
    answer = ask(cloud, FUZZED[1], **{name: text})
    assert answer.status in {200, 400}, answer.body


FUZZED: tuple[Cloud, str] = (made := Cloud(), made.account("fuzzed"))


# --- who may ask ---------------------------------------------------------------------------------------------------


def test_a_role_at_the_account_lets_one_read_it_and_no_batch(cloud, account):
    who = cloud.grant("Monitoring Reader", account)
    assert ask(cloud, account, who=who).status == 200
    refused = batch(cloud, [account], who=who)
    assert refused.refusal == (403, "AuthorizationFailed")
    assert "Microsoft.Insights/metrics/read" in refused.error["message"]
    cloud.assign(who, "Monitoring Reader", f"/subscriptions/{PRODUCTION}")
    assert batch(cloud, [account], who=who).status == 200
    user = cloud.grant("Cognitive Services OpenAI User", account)
    assert ask(cloud, account, who=user).refusal == (403, "AuthorizationFailed")


def test_a_batch_asks_for_a_token_of_its_own(cloud, account):
    wrong = batch(cloud, [account], audience="https://management.azure.com")
    assert wrong.refusal == (401, "InvalidAuthenticationTokenAudience")
    assert batch(cloud, [account], who=None).refusal == (401, "AuthenticationFailed")
    assert ask(cloud, account, audience=SCOPE).refusal == (401, "InvalidAuthenticationTokenAudience")
    assert batch(cloud, [account], who=ABROAD_OWNER).refusal == (401, "InvalidAuthenticationTokenTenant")
    assert batch(cloud, [account], subscription=ABROAD).refusal == (401, "InvalidAuthenticationTokenTenant")


def test_an_account_that_does_not_exist_is_not_found(cloud, account):
    assert ask(cloud, account + "x").refusal == (404, "ResourceNotFound")
    assert ask(cloud, f"/subscriptions/{PRODUCTION}").refusal == (404, "ResourceNotFound")


# --- batches -------------------------------------------------------------------------------------------------------


def test_a_batch_tells_of_each_account(cloud, account):
    other = cloud.account("oai-other")
    cloud.chat(f"{account}/deployments/bot")
    cloud.advance(minutes=10)
    answer = batch(cloud, [account, other], filter=f"{SPLIT} and StatusCode eq '200'", interval="FULL")
    assert answer.status == 200
    first, second = answer.body["values"]
    assert (first["resourceid"], first["resourceregion"], first["interval"]) == (account, "swedencentral", "PT1H")
    assert first["value"][0]["timeseries"][0]["data"][0]["total"] == 1
    assert second["value"][0]["timeseries"] == []


@pytest.mark.parametrize(
    ("more", "status", "text"),
    [
        ({"version": "2018-01-01"}, 400, "2023-10-01, 2024-02-01"),
        ({"metric": ""}, 400, "metricnames"),
        ({"metricnamespace": ""}, 400, "metricnamespace"),
        ({"endtime": "2026-11-01T12:00:00Z"}, 400, "starttime"),
        ({"starttime": "soon"}, 400, "soon"),
        ({"metric": PROMPT, "filter": "StatusCode eq '200'"}, 400, "does not support requested dimension"),
        ({"region": "nowhere"}, 404, "nowhere"),
        ({"region": "eastus2"}, 400, "is not in the region eastus2"),
    ],
)
def test_what_a_batch_refuses_has_an_envelope(cloud, account, more, status, text):
    answer = batch(cloud, [account], **more)
    assert answer.status == status
    assert text in answer.error["message"]


def test_a_batch_is_of_one_kind_and_place_and_of_fifty(cloud, account):
    for strange in (f"/subscriptions/{TRAINING}{account[len('/subscriptions/') + 36 :]}", f"{account}/deployments/bot"):
        assert batch(cloud, [account, strange]).refusal == (400, "BadRequest")
    assert batch(cloud, []).refusal == (400, "BadRequest")
    assert batch(cloud, [account] * 51).refusal == (400, "BadRequest")
    assert batch(cloud, [account] * 50).status == 200
    assert batch(cloud, [account, account + "x"]).status == 200
    cloud.switch(metrics_of_nothing="refuse")
    assert batch(cloud, [account, account + "x"]).status == 404


# --- limits, faults, pace ------------------------------------------------------------------------------------------


def test_who_asks_too_often_waits(cloud, account):
    cloud.switch(throttling="always", metrics_calls_per_hour=2, metrics_batch_calls_per_hour=1)
    assert [ask(cloud, account).status for _ in range(3)] == [200, 200, 429]
    assert ask(cloud, account).headers["retry-after"] == "1800"
    assert [batch(cloud, [account]).status for _ in range(2)] == [200, 429]
    cloud.advance(minutes=31)
    assert ask(cloud, account).status == 200


def test_metrics_are_down_by_either_way_while_all_else_works(cloud, account):
    made = cloud.ask(
        "POST", "/.local-azure/faults", {"name": "metrics-down", "scope": "swedencentral"},
        who=None, version=None, headers={"x-local-azure-key": "control"},
    )  # fmt: skip
    assert made.status < 300, made.body
    assert ask(cloud, account).status == 503
    assert batch(cloud, [account]).status == 503
    assert batch(cloud, [], region="eastus2").status == 400, "another region's"
    assert cloud.get(account).status == 200


def test_a_month_of_hours_for_fifty_accounts_of_ten_deployments_is_quick(cloud):
    accounts = [ids.account_id(PRODUCTION, "rg", f"a{n}") for n in range(50)]
    for day in range(30):
        for account in accounts:
            for n in range(10):
                at = START + timedelta(days=day)
                cloud.app.monitor.note(call(account, at=at, api=f"d{n}"))
    cloud.advance(days=30)
    params = {"metricnames": REQUESTS, "filter": "ApiName eq '*'", "interval": "PT1H", "top": "100"}
    query = metricsquery.read(params, START - timedelta(hours=1), cloud.world.now(), cloud.world)
    took = []
    for _ in range(3):
        begun = time.process_time()
        reader = metricsquery.Reader(cloud.world, query)
        series = [reader.values(account, "swedencentral")[0]["timeseries"] for account in accounts]
        took.append(time.process_time() - begun)
    assert sum(map(len, series)) == 500
    assert min(took) < 0.1
    assert sum(len(held.rows) for held in cloud.world.measured) == 24 * 15_000, "24 bytes a day and deployment"
