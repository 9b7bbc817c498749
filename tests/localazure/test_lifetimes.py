"""How deployments end by themselves: 15 days without a call, 24 hours of Developer tier."""

from __future__ import annotations

import pytest

from infra.localazure.http.app import App
from infra.localazure.world import World
from tests.localazure.cloud import SEED, TUNED, Cloud


@pytest.fixture
def account(cloud: Cloud) -> str:
    """An account with one tuned model."""
    made = cloud.account()
    cloud.tune(made)
    return made


def stands(cloud: Cloud, deployment: str) -> bool:
    return cloud.get(deployment).status == 200


def test_a_deployment_nobody_calls_is_gone_after_the_idle_limit(cloud, account):
    deployment = cloud.serve(account)
    cloud.advance(days=14, hours=23)
    assert stands(cloud, deployment)
    cloud.advance(hours=2)
    assert not stands(cloud, deployment), "Azure removes idle fine-tuned deployments"
    assert cloud.deploy(account).status == 201, "and keeps the model"


def test_a_successful_call_starts_the_fifteen_days_anew(cloud, account):
    deployment = cloud.serve(account)
    for _ in range(4):
        cloud.advance(days=14)
        assert cloud.chat(deployment).status == 200
    cloud.advance(days=14)
    assert stands(cloud, deployment)
    cloud.advance(days=1)
    assert not stands(cloud, deployment)


def test_reading_and_listing_are_no_calls(cloud, account):
    deployment = cloud.serve(account)
    cloud.advance(days=14)
    cloud.get(deployment)
    cloud.get("/oai-prod.openai.azure.com/openai/models", who=None, headers={"api-key": cloud.key(account)})
    cloud.ask("PATCH", deployment, {"tags": {"touched": "yes"}})
    cloud.advance(days=1, hours=1)
    assert not stands(cloud, deployment)


@pytest.mark.parametrize("count", [False, True])
def test_failed_calls_count_only_if_the_switch_says_so(cloud, account, count):
    cloud.switch(failed_calls_count=count)
    deployment = cloud.serve(account)
    cloud.advance(days=14)
    assert cloud.chat(deployment, n=0).status == 400
    cloud.advance(days=14)
    assert stands(cloud, deployment) is count, "it is not documented: ping with a call that succeeds"


def test_refused_logins_never_count(cloud, account):
    cloud.switch(failed_calls_count=True)
    deployment = cloud.serve(account)
    cloud.advance(days=14)
    assert cloud.chat(deployment, who=cloud.grant("Reader", account)).status == 401
    cloud.advance(days=2)
    assert not stands(cloud, deployment), "they never reached the deployment"


def test_a_throttled_call_does_not_count(cloud, account):
    deployment = cloud.serve(account)
    assert cloud.chat(deployment).status == 200
    assert cloud.chat(deployment).status == 429
    called = next(iter(cloud.world.deployments)).last_call
    cloud.advance(seconds=5)
    assert cloud.chat(deployment).status == 429
    assert next(iter(cloud.world.deployments)).last_call == called


def test_a_base_models_deployment_lives_on(cloud, account):
    deployment = cloud.serve(account, "base", "gpt-4o-mini", model_version="2024-07-18")
    cloud.advance(days=400)
    assert stands(cloud, deployment)


def test_developer_tier_ends_24_hours_after_its_creation_used_or_not(cloud, account):
    deployment = cloud.serve(account, sku="DeveloperTier", capacity=50)
    cloud.advance(hours=23)
    assert cloud.chat(deployment).status == 200
    cloud.advance(hours=1)
    assert not stands(cloud, deployment), "a call does not prolong it"


def test_the_end_is_in_the_activity_log_under_the_services_name(cloud, account):
    deployment = cloud.serve(account)
    cloud.advance(days=16)
    last = list(cloud.world.activities)[-1]
    assert (last.operation, last.resource, last.caller) == (
        "Microsoft.CognitiveServices/accounts/deployments/delete",
        deployment,
        "Microsoft.CognitiveServices",
    )
    assert (last.at - next(iter(cloud.world.accounts)).created.at).days == 15, "at its own moment, not at the clock's"


def test_a_shorter_limit_takes_hold_of_what_stands(cloud, account):
    deployment = cloud.serve(account)
    answer = cloud.ask(
        "PUT", "/.local-azure/switches", {"idle_days": 1.0}, who=None, version=None,
        headers={"x-local-azure-key": "control"},
    )  # fmt: skip
    assert answer.status == 200
    cloud.advance(days=1, seconds=1)
    assert not stands(cloud, deployment)


def test_the_days_go_on_after_a_stop_and_a_start(tmp_path):
    from infra.localazure import seed

    cloud = Cloud()
    cloud.world = World(tmp_path, cloud.world.clock)
    seed.plant(cloud.world, SEED)
    cloud.app = App(cloud.world)
    account = cloud.account()
    cloud.tune(account)
    deployment = cloud.serve(account)
    cloud.advance(days=10)
    cloud.world.close()
    cloud.world = World(tmp_path, cloud.world.clock)
    cloud.app = App(cloud.world)
    assert cloud.chat(deployment).body["model"] == TUNED, "a stop changes nothing"
    cloud.advance(days=14)
    assert stands(cloud, deployment)
    cloud.advance(days=2)
    assert not stands(cloud, deployment)
    cloud.world.close()
