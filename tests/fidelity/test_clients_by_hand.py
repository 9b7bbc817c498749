"""Small things that real clients send or read and no description tells."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.localazure.cloud import ARM, OWNER_APP, PRODUCTION, SECRET, TENANT, Cloud, deployment_body


def test_a_capacity_in_quotes_is_a_number_because_azure_cli_sends_it_so(cloud: Cloud):
    account = cloud.account()
    body = deployment_body("gpt-4o-mini", model_version="2024-07-18")
    body["sku"]["capacity"] = "3"
    made = cloud.put(f"{account}/deployments/bot", body)
    assert (made.status, made.body["sku"]["capacity"]) == (201, 3)


def test_the_location_of_a_change_that_takes_time_leads_to_the_deployment(cloud: Cloud):
    account = cloud.account()
    cloud.tune(account)
    deployment = cloud.serve(account)
    cloud.switch(deployment_update=60.0)
    accepted = cloud.ask("PATCH", deployment, {"tags": {"a": "b"}})
    assert (accepted.status, accepted.content) == (202, b"")
    path, _, query = accepted.headers["location"].removeprefix(cloud.world.origin).partition("?")
    assert cloud.get(f"{path}?{query}", version=None).status == 202, "still under way"
    cloud.advance(minutes=1)
    done = cloud.get(f"{path}?{query}", version=None)
    assert (done.status, done.body["name"], done.body["tags"]) == (200, "bot", {"a": "b"})


def test_a_token_of_the_first_version_is_one_that_the_resource_manager_takes(cloud: Cloud):
    said = cloud.ask("GET", f"/{TENANT}/.well-known/openid-configuration", who=None, version=None)
    assert said.body["token_endpoint"].endswith(f"/{TENANT}/oauth2/v2.0/token")
    form = {"grant_type": "client_credentials", "client_id": OWNER_APP, "client_secret": SECRET, "resource": ARM}
    given = cloud.ask("POST", f"/{TENANT}/oauth2/token", who=None, version=None, raw=urlencode(form).encode())
    bearer = {"authorization": f"Bearer {given.body['access_token']}"}
    assert cloud.get("/subscriptions", who=None, headers=bearer, version="2022-12-01").status == 200


def test_the_clock_is_told(cloud: Cloud):
    told = cloud.get("/.local-azure/clock", who=None, version=None, headers={"x-local-azure-key": "control"})
    assert told.body == {"now": "2026-11-01T12:00:00.0000000Z", "factor": 0, "next": []}


def test_a_groups_resources_are_listed_as_azure_cli_asks_for_them_without_their_properties(cloud: Cloud):
    cloud.account("one", group="rg-one")
    cloud.account("two", group="rg-two")
    every = f"/subscriptions/{PRODUCTION}/resources"
    (found,) = cloud.get(every, _filter="resourceGroup eq 'rg-two'").body["value"]
    assert (found["name"], "properties" in found) == ("two", False)
    assert {r["name"] for r in cloud.get(every).body["value"]} == {"one", "two"}
    assert cloud.get(every, _filter="nonsense").status == 400
