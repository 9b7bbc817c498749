"""The tables of local Azure's operations: each one says what it is checked against, and says the truth."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from infra.localazure.http.router import Route
from tests.fidelity import coverage, examples, measured, spec


@dataclass
class Asked:
    method: str
    path: str


ROUTES = [route for router in measured.ROUTERS for route in router.routes]


@pytest.mark.parametrize("route", ROUTES, ids=measured.name_of)
def test_every_operation_says_what_it_is_checked_against(route: Route):
    assert route.checked_against


@pytest.mark.parametrize("route", ROUTES, ids=measured.name_of)
def test_an_operation_is_checked_against_its_description_where_there_is_one(route: Route):
    spec.require()
    template = route.template.replace("{scope}", "/{scope}").replace("{subscription}", "{subscriptionId}")
    found = spec.find(route.method, examples.sample(template), "2024-10-21")
    families = {op.family for op in spec.operations()}
    if found is None or template.split("/")[1] == "{tenant}":
        assert route.checked_against not in families, "there is no description of it"
    else:
        assert route.checked_against == found[0].family


def test_a_call_that_no_table_knows_is_noticed():
    subscription = "/subscriptions/22222222-2222-4222-8222-222222222222"
    job = f"{subscription}/resourceGroups/rg/providers/Microsoft.App/jobs/tend"
    quota = f"{subscription}/providers/Microsoft.CognitiveServices/quotaTiers"
    log = [Asked("GET", subscription), Asked("PUT", job), Asked("GET", quota)]
    assert coverage.unlisted(log) == [f"GET {quota}"]


def test_a_route_that_no_test_calls_and_a_difference_that_nothing_needs_fail_a_whole_run():
    reached = coverage.Reached()
    everything = {"called": sorted(coverage.routes()), "needed": list(range(len(coverage.known.read().taken)))}
    reached.add(everything)
    assert reached.missing() == []
    reached.called.remove("GET /tenants")
    assert reached.missing() == ["no test calls GET /tenants"]
