"""The measure itself: what is held against Azure's descriptions fails where it should."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fidelity import examples, measured, spec
from tests.localazure.cloud import DATA_VERSION, PRODUCTION, VERSION, Cloud, deployment_body

DEPLOYMENT = (
    f"/subscriptions/{PRODUCTION}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai/deployments/bot"
)


@pytest.fixture(autouse=True)
def _described() -> None:
    spec.require()


def operation(method: str, path: str = DEPLOYMENT, version: str = VERSION) -> spec.Operation:
    found = spec.find(method, path, version)
    assert found is not None
    return found[0]


def wrong_with(op: spec.Operation, status: int, body: Any, **headers: str) -> list[str]:
    content = b"" if body is None else json.dumps(body).encode()
    return sorted(f"{f.kind} {f.where}: {f.what}" for f in spec.answer(op, status, headers, content))


@pytest.mark.parametrize(
    ("method", "path", "version", "name", "family"),
    [
        ("PUT", DEPLOYMENT, "2023-05-01", "Deployments_CreateOrUpdate", "cognitiveservices 2023-05-01"),
        ("PUT", DEPLOYMENT.upper(), "2026-07-01", "Deployments_CreateOrUpdate", "cognitiveservices 2024-10-01"),
        ("GET", f"/subscriptions/{PRODUCTION}/providers/Microsoft.Authorization/roleAssignments", "2022-04-01",
         "RoleAssignments_ListForSubscription", "authorization 2022-04-01"),
        ("DELETE", f"{DEPLOYMENT}/providers/Microsoft.Authorization/roleAssignments/x", "2022-04-01",
         "RoleAssignments_Delete", "authorization 2022-04-01"),
        ("POST", "/oai.openai.azure.com/openai/deployments/bot/chat/completions", DATA_VERSION,
         "ChatCompletions_Create", "azureopenai inference 2024-10-21"),
    ],
)  # fmt: skip
def test_an_operation_is_found_by_path_and_version(method: str, path: str, version: str, name: str, family: str):
    op = operation(method, path, version)
    assert (op.name, op.family) == (name, family)


def test_what_no_description_tells_of_is_not_found():
    assert spec.find("PATCH", DEPLOYMENT + "/nothing", VERSION) is None
    assert spec.find("GET", "/oai.openai.azure.com/openai/v1/models", "") is None


def test_a_wrong_type_a_bad_date_and_an_unknown_property_are_found_wherever_they_are():
    body = {
        "sku": {"name": "Standard", "capacity": "1"},
        "properties": {"model": {"format": "OpenAI", "colour": "red"}, "rateLimits": [{"count": 1, "odd": 2}]},
        "systemData": {"createdAt": "yesterday"},
    }
    assert wrong_with(operation("GET"), 200, body) == [
        "extra properties.model.colour: DeploymentModel.colour",
        "extra properties.rateLimits[].odd: ThrottlingRule.odd",
        "wrong sku.capacity: '1' is not of type 'integer'",
        "wrong systemData.createdAt: 'yesterday' is not a 'date-time'",
    ]


def test_a_status_a_header_or_a_body_that_is_none_of_the_descriptions_is_found():
    assert wrong_with(operation("PUT"), 202, {}) == ["wrong : status 202 is none of 200, 201, default"]
    assert wrong_with(operation("PATCH"), 202, None) == ["wrong header location: is absent"]
    assert wrong_with(operation("DELETE"), 200, {}) == ["wrong body: a 200 has none"]
    assert wrong_with(operation("GET"), 200, None) == ["wrong body: a 200 has one"]
    assert wrong_with(operation("GET"), 404, {"error": {"code": 404}}) == [
        "wrong error.code: 404 is not of type 'string'"
    ]


def test_a_request_that_sends_what_is_read_only_or_unknown_or_leaves_out_what_is_needed_is_found():
    op, values = spec.find("PUT", DEPLOYMENT.replace("oai", "-oai"), VERSION) or pytest.fail("not found")
    body = {**deployment_body("m"), "etag": "x", "colour": "red"}
    found = sorted(
        f"{f.kind} {f.where}: {f.what}" for f in spec.request(op, values, {"x": "1"}, json.dumps(body).encode())
    )
    assert found == [
        "extra colour: Deployment.colour",
        "extra query: query.x",
        "wrong etag: 'x' should not be valid under {}",
        "wrong path accountName: '-oai' does not match '^[a-zA-Z0-9][a-zA-Z0-9_.-]*$'",
        "wrong query api-version: is required",
    ]


def test_a_test_fails_on_what_local_azure_answers_otherwise(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    from infra.localazure.http import wire

    account = cloud.account()
    monkeypatch.setattr(wire, "etag", lambda number, seed: number)
    cloud.get(account)
    found = {str(finding) for finding in measured.FINDINGS}
    measured.FINDINGS.clear()
    assert found == {"Accounts_Get answer: etag: 1 is not of type 'string'"}


def test_shapes_are_compared_with_all_items_of_a_list_as_one():
    theirs = {"value": [{"a": 1, "b": {"c": 1}}, {"d": "x"}]}
    assert examples.lacking(theirs, {"value": [{"a": 2.0, "d": 1}]}) == [
        "value[].b",
        "value[].d: number instead of string",
    ]
