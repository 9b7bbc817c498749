"""Random requests: an answer in an envelope, never a 500, and a refused write changes nothing."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.localazure import ids
from tests.localazure.cloud import (
    DATA_VERSION,
    OWNER,
    PRODUCTION,
    Cloud,
    account_body,
    assignment_body,
    deployment_body,
)

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"
ACCOUNT = ids.account_id(PRODUCTION, "rg", "oai-prod")
CHAT = "/oai-prod.openai.azure.com/openai/deployments/bot/chat/completions"
OFTEN = settings(
    max_examples=250, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
BODIES: dict[str, Any] = {
    ACCOUNT: account_body(customSubDomainName="oai-prod", networkAcls={"ipRules": [{"value": "10.0.0.1"}]})
    | {"identity": {"type": "SystemAssigned"}, "tags": {"a": "b"}},
    f"{ACCOUNT}/deployments/bot": deployment_body("gpt-4o-mini", model_version="2024-07-18", tags={"a": "b"}),
    f"{SUBSCRIPTION}/resourceGroups/rg": {"location": "swedencentral", "tags": {"a": "b"}},
    f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.App/jobs/job": {
        "location": "eastus2",
        "properties": {"a": 1},
    },
    f"{ACCOUNT}/raiPolicies/strict": {"properties": {"basePolicyName": "Microsoft.Default"}},
    f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{ids.derived_guid('x')}": assignment_body(
        "Reader", OWNER
    ),
}
odd_segments = st.one_of(
    st.sampled_from(
        ["..", ".", "", "%2f", "%2e%2e", "%00", "a%5cb", "providers", "subscriptions", "{scope}", "~", "%"]
    ),
    st.text(min_size=1, max_size=12).map(lambda s: quote(s, safe="")),
    st.sampled_from(
        [*SUBSCRIPTION.split("/"), *ACCOUNT.split("/"), "deployments", "oai-prod.openai.azure.com", "openai"]
    ),
)


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    """One application for all examples: what one leaves behind is the next one's state."""
    made = Cloud()
    made.account()
    return made


def require_sound(answer: Any) -> None:
    assert answer.status != 500, "a mistake of our own"
    assert 200 <= answer.status < 500
    assert "date" in answer.headers
    if answer.status >= 400:
        assert {"code", "message"} <= answer.error.keys()


@st.composite
def mutated(draw: st.DrawFn, body: Any) -> Any:
    """A sound body with one or two of its parts replaced, dropped or added."""
    found = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 2))):
        at = found
        while isinstance(at, dict) and at:
            name = draw(st.sampled_from(sorted(at)))
            if isinstance(at[name], dict) and at[name] and draw(st.booleans()):
                at = at[name]
                continue
            match draw(st.sampled_from(["replace", "drop", "add"])):
                case "replace":
                    at[name] = draw(json_values)
                case "drop":
                    del at[name]
                case "add":
                    at[draw(st.text(max_size=12))] = draw(json_values)
            break
    return found


@given(st.data())
@OFTEN
def test_odd_bodies_of_writes_never_break_it_and_a_refused_one_changes_nothing(cloud, data):
    path = data.draw(st.sampled_from(sorted(BODIES)))
    body = data.draw(mutated(BODIES[path]) | json_values)
    method = data.draw(st.sampled_from(["PUT", "PATCH"]))
    before = cloud.get(path)
    answer = cloud.ask(method, path, body)
    require_sound(answer)
    if answer.status >= 400:
        after = cloud.get(path)
        assert (after.status, after.content) == (before.status, before.content)
        assert set(cloud.world.subdomains.values()) <= {ids.key(a.id) for a in cloud.world.accounts}
    cloud.settle()


@given(st.binary(max_size=200), st.sampled_from([*sorted(BODIES), CHAT]), st.sampled_from(["PUT", "POST", "PATCH"]))
@OFTEN
def test_odd_bytes_never_break_it(cloud, raw, path, method):
    require_sound(cloud.ask(method, path, raw=raw))


@given(
    json_values | mutated({"messages": [{"role": "user", "content": "hi"}], "n": 1, "max_tokens": 5, "stream": False})
)
@OFTEN
def test_odd_questions_never_break_it(cloud, body):
    if "bot" not in {d.name for d in cloud.world.deployments}:
        cloud.deploy(ACCOUNT, "bot", "gpt-4o-mini", model_version="2024-07-18")
    cloud.advance(minutes=1)
    answer = cloud.ask("POST", CHAT, body, who=None, version=DATA_VERSION, headers={"api-key": cloud.key(ACCOUNT)})
    require_sound(answer)


@given(
    st.lists(odd_segments, max_size=14).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"]),
    st.booleans(),
)
@OFTEN
def test_odd_paths_never_break_it(cloud, path, method, known):
    answer = cloud.ask(method, path, {"location": "swedencentral"}, who=OWNER if known else None)
    require_sound(answer)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "authorization",
                "api-key",
                "x-ms-authorization-auxiliary",
                "content-type",
                "x-ms-correlation-request-id",
                "host",
            ]
        ),
        st.text(st.characters(codec="latin-1"), max_size=30),
    )
)
@OFTEN
def test_odd_headers_never_break_it(cloud, headers):
    for path in (SUBSCRIPTION, CHAT):
        require_sound(cloud.ask("GET", path, who=None, headers=headers))


@given(st.text(max_size=40).map(lambda s: quote(s, safe="=&$")))
@OFTEN
def test_odd_queries_never_break_it(cloud, query):
    path = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments?{query}"
    require_sound(cloud.get(path, version=None))
    require_sound(cloud.get(f"{path}&api-version=2022-04-01&$filter={query}", version=None))
