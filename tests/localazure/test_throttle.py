"""Who asks too often waits: one bucket per subscription, caller and kind of request, on the virtual clock."""

from __future__ import annotations

import pytest

from infra.localazure.http.throttle import limits
from tests.localazure.cloud import OWNER, PRODUCTION, TRAINING, Cloud

PATH = f"/subscriptions/{PRODUCTION}/resourceGroups"


def drain(cloud: Cloud, method: str = "GET", path: str = PATH, most: int = 300) -> tuple[int, object]:
    """Ask until refused; how often it went well, and the refusal."""
    for number in range(most):
        answer = cloud.ask(method, path)
        if answer.status == 429:
            return number, answer
    raise AssertionError("never refused")


def test_the_headers_tell_what_is_left(cloud):
    first, second = cloud.get(PATH), cloud.get(PATH)
    own, whole = "x-ms-ratelimit-remaining-subscription-reads", "x-ms-ratelimit-remaining-subscription-global-reads"
    assert int(first.headers[own]) == limits().reads.bucket - 1
    assert int(second.headers[own]) == limits().reads.bucket - 2
    assert int(second.headers[whole]) == limits().reads.bucket * limits().subscription_times - 2
    made = cloud.put(f"{PATH}/rg", {"location": "swedencentral"})
    assert int(made.headers["x-ms-ratelimit-remaining-subscription-writes"]) == limits().writes.bucket - 1
    gone = cloud.ask("DELETE", f"{PATH}/rg")
    assert int(gone.headers["x-ms-ratelimit-remaining-subscription-deletes"]) == limits().deletes.bucket - 1
    assert "x-ms-ratelimit-remaining-tenant-reads" in cloud.get("/subscriptions").headers


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_empty_bucket_refuses_and_fills_with_time(cloud, method):
    cloud.switch(throttling="always")
    rule = limits().reads if method == "GET" else limits().deletes
    path = PATH if method == "GET" else f"{PATH}/nobody"
    count, answer = drain(cloud, method, path)
    assert count == rule.bucket
    assert answer.refusal == (429, "SubscriptionRequestsThrottled")
    assert answer.headers["retry-after"] == "1"
    assert OWNER in answer.error["message"]
    cloud.advance(seconds=1)
    count, _ = drain(cloud, method, path)
    assert count == rule.per_second


def test_another_subscription_caller_or_kind_of_request_has_its_own(cloud):
    cloud.switch(throttling="always")
    other = cloud.grant("Reader", f"/subscriptions/{PRODUCTION}")
    drain(cloud)
    assert cloud.get(f"/subscriptions/{TRAINING}/resourceGroups").status == 200
    assert cloud.get(PATH, who=other).status == 200
    assert cloud.put(f"{PATH}/rg", {"location": "swedencentral"}).status == 201


def test_a_frozen_clock_lets_everybody_in_as_does_the_switch(cloud):
    for _ in range(limits().writes.bucket + 5):
        assert cloud.ask("POST", f"/subscriptions/{PRODUCTION}/providers/Microsoft.App/register").status == 200
    cloud.world.clock.follow(1e-9)
    assert cloud.ask("POST", f"/subscriptions/{PRODUCTION}/providers/Microsoft.App/register").status == 429
    cloud.switch(throttling="off")
    assert cloud.ask("POST", f"/subscriptions/{PRODUCTION}/providers/Microsoft.App/register").status == 200
