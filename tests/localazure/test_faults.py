"""Faults: how Azure fails, on demand, and never by half."""

from __future__ import annotations

import time

import pytest
import requests

from infra.localazure import VirtualClock, faults
from infra.localazure.faults import KINDS, Target, Wish
from infra.localazure.world import World
from tests.localazure.cloud import OWNER, OWNER_APP, PRODUCTION, START, Cloud, account_body
from tests.localazure.test_control import control
from tests.localazure.test_tokens import login

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"


def fault(cloud: Cloud, name: str, **how: object) -> str:
    made = control(cloud, "POST", "faults", {"name": name, **how})
    assert made.status == 201, made.body
    return made.body["id"]


def standing(cloud: Cloud, fault_id: str = "f1") -> dict:
    return next(f for f in control(cloud, "GET", "faults").body["value"] if f["id"] == fault_id)


@pytest.fixture
def bot(cloud: Cloud) -> str:
    """A deployment that serves."""
    account = cloud.account()
    cloud.tune(account)
    return cloud.serve(account)


# --- each of them --------------------------------------------------------------------------------------------------


def test_a_sibling_is_busy_for_writes_of_deployments_alone(cloud, bot):
    account = bot.rpartition("/deployments/")[0]
    fault(cloud, "sibling-busy", count=2)
    assert cloud.get(bot).status == 200
    assert cloud.get(account).status == 200
    for refused in (cloud.ask("PATCH", bot, {"tags": {"a": "b"}}), cloud.ask("DELETE", bot)):
        assert refused.refusal == (409, "RequestConflict")
        assert f"parent resource '{account}'" in refused.error["message"]
    assert cloud.ask("PATCH", bot, {"tags": {"a": "b"}}).status in {200, 202}, "it was for two times"
    assert (standing(cloud)["hits"], standing(cloud)["count"]) == (2, 0), "spent, and still shown with what it did"


@pytest.mark.parametrize("seconds", [None, 7])
def test_throttling_says_how_long_to_wait_in_the_words_of_each_plane(cloud, bot, seconds):
    fault(cloud, "throttle", **({} if seconds is None else {"seconds": seconds}))
    waited = str(seconds or 1)
    arm, data, entra = cloud.get(bot), cloud.chat(bot), login(cloud)
    assert arm.refusal == (429, "SubscriptionRequestsThrottled")
    assert data.refusal == (429, "429")
    assert (entra.status, entra.body["error_codes"]) == (429, [90055])
    assert {r.headers["retry-after"] for r in (arm, data, entra)} == {waited}
    assert data.headers["retry-after-ms"] == f"{waited}000"
    assert f"retry after {waited} seconds" in data.error["message"]


def test_a_server_error_before_the_work_leaves_it_undone_and_one_after_it_done(cloud):
    path = f"{SUBSCRIPTION}/resourceGroups/lost"
    fault(cloud, "server-error", count=1)
    assert cloud.put(path, {"location": "swedencentral"}).refusal == (500, "InternalServerError")
    assert cloud.get(path).status == 404
    fault(cloud, "server-error", count=1, when="after")
    assert cloud.put(path, {"location": "swedencentral"}).refusal == (500, "InternalServerError")
    assert cloud.get(path).status == 200, "the lost answer: the write happened and the client did not hear of it"


def test_a_server_error_of_the_models_has_their_shape(cloud, bot):
    fault(cloud, "server-error")
    answer = cloud.chat(bot)
    assert (answer.status, answer.error["type"], answer.error["code"]) == (500, "server_error", None)
    assert answer.headers["x-ms-request-id"] in answer.error["message"]
    assert login(cloud).body["error_codes"] == [90033]


def test_a_slow_answer_comes_late_in_real_time_for_clients_give_up_by_their_own_clocks(cloud):
    fault(cloud, "slow", seconds=0.1, count=1)
    for least, most in ((0.1, 5.0), (0.0, 0.1)):
        started = time.perf_counter()
        assert cloud.get(SUBSCRIPTION).status == 200
        assert least <= time.perf_counter() - started < most
    assert cloud.world.now() == START, "the virtual clock is not touched"


def test_a_token_is_refused_or_expired_on_each_plane_and_at_the_login(cloud, bot):
    refused = fault(cloud, "token-refused")
    assert cloud.get(bot).refusal == (401, "InvalidAuthenticationToken")
    assert cloud.chat(bot, who=OWNER).refusal == (401, "401")
    assert cloud.chat(bot).status == 200, "a key is no token"
    assert login(cloud).body["error_codes"] == [7000222]
    assert OWNER_APP in login(cloud).body["error_description"]
    control(cloud, "DELETE", f"faults/{refused}")
    fault(cloud, "token-expired", count=1)
    assert cloud.get(bot).refusal == (401, "ExpiredAuthenticationToken")
    assert cloud.get(bot).status == 200, "the very same token, for it had not expired at all"
    assert login(cloud).status == 200


def test_a_bad_token_spends_no_fault(cloud):
    fault(cloud, "token-expired", count=1)
    bad = cloud.get(SUBSCRIPTION, who=None, headers={"authorization": "Bearer rubbish"})
    assert bad.refusal == (401, "InvalidAuthenticationToken")
    assert standing(cloud)["hits"] == 0


def test_a_create_is_stuck_and_goes_on_when_its_time_is_over(cloud):
    account = cloud.account()
    cloud.tune(account)
    fault(cloud, "stuck-creating", seconds=3600, count=1)
    cloud.deploy(account)
    cloud.advance(minutes=59)
    assert cloud.get(f"{account}/deployments/bot").body["properties"]["provisioningState"] == "Creating"
    assert cloud.deploy(account, "other").refusal == (409, "RequestConflict"), "a stuck one blocks its siblings"
    cloud.advance(minutes=2)
    assert cloud.get(f"{account}/deployments/bot").body["properties"]["provisioningState"] == "Succeeded"
    assert cloud.chat(f"{account}/deployments/bot").status == 200


def test_a_create_fails_and_the_next_one_mends_it(cloud):
    account = cloud.account()
    cloud.tune(account)
    fault(cloud, "create-fails", count=1)
    assert cloud.deploy(account).status == 201
    cloud.settle()
    bot = f"{account}/deployments/bot"
    assert cloud.get(bot).body["properties"]["provisioningState"] == "Failed"
    assert cloud.chat(bot).refusal == (404, "DeploymentNotFound")
    cloud.serve(account)
    assert cloud.get(bot).body["properties"]["provisioningState"] == "Succeeded"
    assert cloud.chat(bot).status == 200


def test_a_deployment_says_succeeded_and_does_not_serve_until_the_fault_is_cleared(cloud, bot):
    mine = fault(cloud, "succeeded-but-not-serving", scope=bot)
    assert cloud.get(bot).body["properties"]["provisioningState"] == "Succeeded"
    assert cloud.chat(bot).refusal == (404, "DeploymentNotFound")
    host = "/oai-prod.openai.azure.com/openai/v1/chat/completions"
    key = {"api-key": cloud.key(bot.rpartition("/deployments/")[0])}
    asked = {"model": "bot", "messages": [{"role": "user", "content": "hello"}]}
    assert cloud.ask("POST", host, asked, who=None, version=None, headers=key).refusal == (404, "DeploymentNotFound")
    control(cloud, "DELETE", f"faults/{mine}")
    assert cloud.chat(bot).status == 200


def test_a_purge_is_busy(cloud):
    account = cloud.account()
    cloud.ask("DELETE", account)
    where = (
        f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/swedencentral/resourceGroups/rg"
        "/deletedAccounts/oai-prod"
    )
    fault(cloud, "purge-busy", count=1)
    assert cloud.ask("DELETE", where).refusal == (409, "RequestConflict")
    assert cloud.get(where).status == 200
    assert cloud.ask("DELETE", where).status == 200


def test_a_deployment_vanishes_as_when_the_service_deletes_it(cloud, bot):
    fault(cloud, "vanish", scope=bot, after=1, count=1)
    assert cloud.chat(bot).status == 200, "the first call passes"
    assert cloud.chat(bot).refusal == (404, "DeploymentNotFound")
    assert cloud.get(bot).refusal == (404, "ResourceNotFound")
    last = list(cloud.world.activities)[-1]
    assert (last.operation, last.caller) == (f"{faults.ids.DEPLOYMENTS}/delete", "Microsoft.CognitiveServices")


def test_a_list_of_deployments_shows_that_one_vanished(cloud, bot):
    fault(cloud, "vanish", scope=bot)
    assert cloud.get(f"{bot.rpartition('/')[0]}").body["value"] == []


def test_a_region_is_down_and_the_others_are_not(cloud, bot):
    elsewhere = cloud.account("oai-east", location="eastus2")
    fault(cloud, "region-down", scope="Sweden Central")
    account = bot.rpartition("/deployments/")[0]
    for down in (cloud.get(account), cloud.get(bot), cloud.chat(bot), cloud.deploy(account, "more")):
        assert down.refusal == (503, "ServiceUnavailable")
        assert down.headers["retry-after"] == "30"
    new = f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai-new"
    assert cloud.put(new, account_body("swedencentral")).status == 503, "there is no new account either"
    usages = f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/swedencentral/usages"
    assert cloud.get(usages).status == 503
    assert cloud.get(elsewhere).status == 200
    assert cloud.get(SUBSCRIPTION).status == 200


@pytest.mark.parametrize(
    "path",
    [
        f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai-prod"
        "/providers/Microsoft.Insights/metrics",
        f"/swedencentral.metrics.monitor.azure.com/subscriptions/{PRODUCTION}/metrics:getBatch",
    ],
)
def test_metrics_are_down_in_both_of_the_ways_they_are_asked_for(cloud, path):
    fault(cloud, "metrics-down")
    assert cloud.get(path).refusal == (503, "ServiceUnavailable")
    assert cloud.get(SUBSCRIPTION).status == 200


def test_a_reset_connection_is_reset_for_a_real_client_and_the_write_may_have_happened(azure):
    session = requests.Session()
    token = azure.token(OWNER, "https://management.azure.com")
    session.headers["authorization"] = f"Bearer {token}"
    url = f"{azure.origin}{SUBSCRIPTION}/resourceGroups/%s?api-version=2025-06-01"
    body = {"location": "swedencentral"}
    assert session.put(url % "calm", json=body, timeout=5).status_code == 201
    for when, then in (("before", 404), ("after", 200)):
        mine = azure.fault("reset-connection", when=when, count=1)
        with pytest.raises(requests.ConnectionError) as cut:
            session.put(url % when, json=body, timeout=5)
        assert isinstance(cut.value.args[0].args[1], ConnectionResetError), "a true reset, not a polite end"
        assert session.get(url % when, timeout=5).status_code == then
        logged = next(entry for entry in azure.app.log if entry.path.endswith(when))
        assert (logged.status, logged.faults) == (0, (mine,))


# --- whom, how often, in which order -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "struck"),
    [
        ("", True),
        (SUBSCRIPTION, True),
        (SUBSCRIPTION.upper(), True),
        (f"{SUBSCRIPTION}/resourceGroups/r", False),
        (f"{SUBSCRIPTION}/resourceGroups/rg", True),
        (f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai-prod", True),
        ("swedencentral", True),
        ("Sweden Central", True),
        ("eastus2", False),
        ("Microsoft.CognitiveServices/accounts/deployments/read", True),
        ("microsoft.cognitiveservices/*/read", True),
        ("Microsoft.CognitiveServices/accounts/deployments/write", False),
        ("GET Microsoft.CognitiveServices/accounts/*", True),
        ("PUT Microsoft.CognitiveServices/accounts/*", False),
        ("/oai-prod.openai.azure.com", False),
    ],
)
def test_a_scope_is_a_resource_a_region_a_path_or_an_operation(cloud, bot, scope, struck):
    fault(cloud, "throttle", scope=scope)
    assert (cloud.get(bot).status == 429) is struck


@pytest.mark.parametrize(
    "scope",
    [
        "/oai-prod.openai.azure.com",
        "swedencentral",
        f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai-prod/deployments/bot",
        "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/*",
    ],
)
def test_the_data_plane_is_in_the_same_scopes(cloud, bot, scope):
    fault(cloud, "throttle", scope=scope, count=1)
    assert cloud.chat(bot).status == 429


def test_the_control_api_is_never_struck(cloud):
    for name in ("server-error", "throttle", "reset-connection"):
        fault(cloud, name)
    assert len(control(cloud, "DELETE", "faults").body["value"]) == 3
    assert control(cloud, "GET", "faults").body["value"] == []


def pattern(world: World, calls: int, **wish: object) -> list[bool]:
    faults.clear(world)
    faults.add(world, Wish(name="throttle", **wish))
    return [faults.struck(world, "throttle", Target("/x")) is not None for _ in range(calls)]


def test_the_same_seed_strikes_the_same_calls_and_the_rate_holds():
    world = World(clock=VirtualClock(START, 0))
    first = pattern(world, 400, rate=0.25, seed=7)
    assert first == pattern(world, 400, rate=0.25, seed=7)
    assert first != pattern(world, 400, rate=0.25, seed=8)
    assert 60 <= sum(first) <= 140
    assert not any(pattern(world, 50, rate=0.0))
    assert pattern(world, 6, after=2, count=3) == [False, False, True, True, True, False]


def test_a_fault_goes_on_where_it_stood_after_a_restart(tmp_path):
    whole = pattern(World(clock=VirtualClock(START, 0)), 40, rate=0.5, seed=3)
    world = World(tmp_path, VirtualClock(START, 0))
    half = pattern(world, 20, rate=0.5, seed=3)
    world.close()
    again = World(tmp_path, VirtualClock(START, 0))
    rest = [faults.struck(again, "throttle", Target("/x")) is not None for _ in range(20)]
    again.close()
    assert half + rest == whole


def test_ten_faults_are_met_in_the_order_they_were_made(tmp_path):
    world = World(tmp_path, VirtualClock(START, 0))
    for _ in range(11):
        faults.add(world, Wish(name="throttle"))
    world.close()
    again = World(tmp_path, VirtualClock(START, 0))
    assert [f.id for f in faults.standing(again)] == [f"f{n}" for n in range(1, 12)]
    again.close()


def test_every_reason_is_told_at_once_and_nothing_stands(cloud):
    wrong = {"name": "thrott", "rate": 2, "count": 0, "scope": "nowhere", "after": "x", "whom": 1}
    refused = control(cloud, "POST", "faults", wrong)
    assert refused.refusal == (400, "BadRequest")
    for reason in ("no fault 'thrott'", "rate: ", "count: ", "scope: 'nowhere'", "after: ", "no field 'whom'"):
        assert reason in refused.error["message"]
    assert control(cloud, "GET", "faults").body["value"] == []


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"name": "region-down"}, "needs the name of a region"),
        ({"name": "region-down", "scope": SUBSCRIPTION}, "needs the name of a region"),
        ({"name": "vanish", "when": "after"}, "strikes before the work only"),
        ({"name": "vanish", "seconds": 3}, "takes none"),
        ({"name": "slow", "seconds": -1}, "seconds: "),
        ({"name": "slow", "when": "later"}, "when: "),
        ({}, "there is no fault ''"),
        ([], ""),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(cloud, wish, reason):
    refused = control(cloud, "POST", "faults", wish)
    assert refused.status == 400
    assert reason in refused.error["message"]


def test_an_unknown_fault_cannot_be_cleared(cloud):
    assert control(cloud, "DELETE", "faults/f9").status == 400


def test_every_kind_is_listed_with_what_the_client_sees_and_its_source(cloud):
    rows = control(cloud, "GET", "faults/kinds").body["value"]
    assert [row["name"] for row in rows] == [kind.name for kind in KINDS]
    assert all(row["seen"] and row["source"] for row in rows)
    assert {row["name"] for row in rows if row["when"] == ["before", "after"]} == {"server-error", "reset-connection"}


def test_a_fault_costs_nothing_while_none_stands(cloud, monkeypatch):
    monkeypatch.setattr("infra.localazure.http.strikes.aim", lambda *_: pytest.fail("aimed without a fault"))
    assert cloud.get(SUBSCRIPTION).status == 200
