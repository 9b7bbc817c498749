"""Writes on a condition: an etag that no longer stands stops them."""

from __future__ import annotations

import pytest

from tests.localazure.cloud import account_body, deployment_body


@pytest.fixture(params=["account", "deployment", "policy"])
def thing(request, cloud):
    """A resource with an etag: its path and the body that writes it."""
    account = cloud.account()
    if request.param == "account":
        return account, account_body(customSubDomainName="oai-prod")
    if request.param == "deployment":
        return cloud.serve(account, model=cloud.tune(account)), deployment_body(cloud.tune(account))
    path, body = f"{account}/raiPolicies/strict", {"properties": {"basePolicyName": "Microsoft.Default"}}
    assert cloud.put(path, body).status == 201
    return path, body


def test_a_write_with_the_etag_that_stands_passes_and_makes_a_new_one(cloud, thing):
    path, body = thing
    before = cloud.get(path)
    assert before.headers["etag"] == before.body["etag"], "the header says what the body says, quotes and all"
    cloud.advance(seconds=1)
    assert cloud.put(path, body, headers={"if-match": before.body["etag"]}).status == 200
    cloud.settle()
    assert cloud.get(path).body["etag"] != before.body["etag"]


def test_a_write_with_an_etag_of_before_is_refused_and_changes_nothing(cloud, thing):
    path, body = thing
    old = cloud.get(path).body["etag"]
    cloud.advance(seconds=1)
    cloud.put(path, body)
    cloud.settle()
    stands = cloud.get(path).body
    for method in ("PUT", "DELETE"):
        answer = cloud.ask(method, path, body, headers={"if-match": old})
        assert answer.refusal == (412, "PreconditionFailed"), method
    assert cloud.get(path).body == stands


def test_if_none_match_of_anything_is_a_create_and_nothing_else(cloud, thing):
    path, body = thing
    assert cloud.put(path, body, headers={"if-none-match": "*"}).refusal == (412, "PreconditionFailed")
    assert cloud.put(path, body, headers={"if-none-match": '"another"'}).status == 200
    cloud.settle()
    fresh = path.rsplit("/", 1)[0] + "/another"
    if "deployments" in path:
        body = deployment_body("gpt-4o", model_version="2024-08-06")
    body = {**body, "properties": {k: v for k, v in body["properties"].items() if k != "customSubDomainName"}}
    assert cloud.put(fresh, body, headers={"if-match": "*"}).refusal == (412, "PreconditionFailed")
    assert cloud.put(fresh, body, headers={"if-none-match": "*"}).status == 201


def test_a_patch_holds_to_its_condition_too(cloud):
    account = cloud.account()
    assert cloud.ask("PATCH", account, {"tags": {"a": "b"}}, headers={"if-match": '"old"'}).status == 412
    assert cloud.ask("PATCH", account, {"tags": {"a": "b"}}, headers={"if-match": "*"}).status == 200
