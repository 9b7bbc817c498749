"""The control API: clock, switches, log, seed. Nothing of it exists in Azure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.localazure.http import control as control_api
from tests.localazure.cloud import START, Cloud

KEY = {"x-local-azure-key": "control"}


def control(cloud: Cloud, method: str, path: str, body: object = None, *, key: dict[str, str] = KEY):
    return cloud.ask(method, f"/.local-azure/{path}", body, who=None, version=None, headers=key)


def test_health_is_for_everybody_and_the_rest_takes_the_key(cloud):
    assert control(cloud, "GET", "health", key={}).body["status"] == "ok"
    for method, path in (
        ("GET", "clock"),
        ("POST", "clock/advance"),
        ("GET", "log"),
        ("PUT", "switches"),
        ("POST", "seed"),
    ):
        assert control(cloud, method, path, {}, key={}).status == 401
        assert control(cloud, method, path, {}, key={"x-local-azure-key": "wrong"}).status == 401
        assert control(cloud, method, path, {}, key={"x-local-azure-key": "\xfc"}).status == 401


def test_the_clock_is_read_moved_and_set_to_a_factor(cloud):
    assert control(cloud, "POST", "clock/advance", {"seconds": 86400}).body["now"].startswith("2026-11-02T12:00:00")
    assert control(cloud, "PUT", "clock", {"factor": 60}).body["factor"] == 60
    assert control(cloud, "PUT", "clock", {"factor": 0}).body["factor"] == 0
    assert cloud.world.now() - START >= timedelta(days=1)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clock/advance", {"seconds": -1}),
        ("POST", "clock/advance", {"seconds": 1e18}),
        ("POST", "clock/advance", {"seconds": "long"}),
        ("POST", "clock/advance", {}),
        ("PUT", "clock", {"factor": -1}),
        ("PUT", "clock", {"factor": 1e300}),
        ("PUT", "clock", {}),
        ("PUT", "clock", {"now": "2026-10-31T00:00:00Z"}),
        ("PUT", "clock", {"now": "yesterday"}),
        ("PUT", "clock", {"factor": 2, "hour": 1}),
        ("PUT", "switches", {"readines": 1}),
        ("PUT", "switches", {"readiness": -1}),
        ("PUT", "switches", {"readiness": 1e300}),
        ("PUT", "switches", {"model_change": "sometimes"}),
        ("PUT", "switches", []),
        ("POST", "seed", {"roles": [{"principal": "nobody", "role": "Owner", "scope": "/"}]}),
        ("POST", "seed", {"tenant": []}),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(cloud, method, path, body):
    before = cloud.world.now(), control(cloud, "GET", "switches").body
    assert control(cloud, method, path, body).status == 400
    assert (cloud.world.now(), control(cloud, "GET", "switches").body) == before


def test_the_clock_goes_to_a_moment_and_only_ahead(cloud):
    assert control(cloud, "PUT", "clock", {"now": "2027-01-01T00:00:00Z"}).body["now"].startswith("2027-01-01T00:00:00")
    assert control(cloud, "PUT", "clock", {"now": "2027-01-02T00:00:00"}).body["now"].startswith("2027-01-02T00:00:00")
    assert control(cloud, "PUT", "clock", {"now": "2027-01-01T00:00:00Z"}).status == 400


def test_the_clock_tells_what_is_due_next(cloud):
    account = cloud.account()
    cloud.tune(account)
    bot = cloud.serve(account)
    (coming,) = control(cloud, "GET", "clock").body["next"]
    assert (coming["what"], coming["key"]) == ("deployment ends", bot.lower())


def test_every_switch_is_described(cloud):
    rows = control(cloud, "GET", "switches/described").body["value"]
    assert {row["name"] for row in rows} == set(control(cloud, "GET", "switches").body)
    assert all(len(row["about"]) > 10 for row in rows)
    control(cloud, "PUT", "switches", {"readiness": 9})
    changed = [r for r in control(cloud, "GET", "switches/described").body["value"] if r["value"] != r["usual"]]
    assert [(r["name"], r["value"], r["usual"]) for r in changed] == [("readiness", 9.0, 0.5)]


def test_every_route_but_health_takes_the_key(cloud):
    for route in control_api.ROUTES:
        path = route.template.removeprefix("/.local-azure/").replace("{name}", "x").replace("{fault}", "f1")
        status = control(cloud, route.method, path, {}, key={}).status
        assert status == (200 if path == "health" else 401), route.template


def test_switches_are_set_one_by_one(cloud):
    answer = control(cloud, "PUT", "switches", {"readiness": 9})
    assert (answer.body["readiness"], answer.body["idle_days"]) == (9, 15)
    assert cloud.world.switches.readiness == 9


def test_the_log_can_be_read(cloud):
    cloud.get("/subscriptions")
    assert control(cloud, "GET", "log").body[-1]["path"] == "/subscriptions"


def test_a_seed_can_be_planted_while_it_runs(cloud):
    tenant = "aaaaaaaa-0000-4000-8000-00000000000a"
    assert control(cloud, "POST", "seed", {"tenants": [{"id": tenant}]}).status == 204
    assert cloud.world.tenants.get(tenant) is not None
