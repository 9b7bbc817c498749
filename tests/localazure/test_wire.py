"""Paths, versions, bodies: what is malformed is answered in Azure's envelope, and never with a 500."""

from __future__ import annotations

import logging

import pytest
import requests

from infra.localazure import ids
from infra.localazure.http import arm, control, data_plane, entra, resources
from infra.localazure.http.app import MOST_BYTES
from tests.localazure.cloud import ARM, OWNER, PRODUCTION, VERSION, account_body

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"
GROUP = ids.group_id(PRODUCTION, "rg")
ACCOUNT = ids.account_id(PRODUCTION, "rg", "oai-prod")


# --- paths ---------------------------------------------------------------------------------------------------------


def test_paths_compare_without_regard_to_case(cloud):
    cloud.account()
    mixed = ACCOUNT.replace("subscriptions", "SubScriptions").replace("resourceGroups", "RESOURCEGROUPS")
    mixed = mixed.replace("Microsoft.CognitiveServices", "microsoft.cognitiveservices").replace("oai-prod", "OAI-PROD")
    assert cloud.get(mixed).body["id"] == ACCOUNT


def test_a_trailing_slash_does_not_matter(cloud):
    cloud.account()
    assert cloud.get(f"{ACCOUNT}/").body["id"] == ACCOUNT


@pytest.mark.parametrize(
    "path",
    [
        f"{GROUP}/../rg",
        f"{GROUP}/./providers",
        f"{GROUP}/%2e%2e/rg",
        f"{SUBSCRIPTION}/resourceGroups/rg%2Fproviders",
        f"{SUBSCRIPTION}/resourceGroups/rg%5C..",
        f"{SUBSCRIPTION}/resourceGroups/rg%00",
        f"{SUBSCRIPTION}/resourceGroups/rg%0d%0aset-cookie:%20a",
        f"{SUBSCRIPTION}//resourceGroups/rg",
        "/subscriptions//resourceGroups/rg",
        f"/{SUBSCRIPTION}",
        f"{GROUP}//",
        "//",
    ],
)
def test_segments_that_climb_hide_a_slash_or_are_empty_lead_nowhere(cloud, path):
    cloud.group()
    for method in ("GET", "PUT", "DELETE"):
        answer = cloud.ask(method, path, {"location": "swedencentral"})
        assert answer.refusal == (404, "NotFound"), method
    assert len(cloud.world.groups) == 1


def test_what_is_not_there_is_not_found_in_an_envelope(cloud):
    for path in ("/", "/favicon.ico", "/subscriptions/a/b/c/d/e", f"{SUBSCRIPTION}/nothing", "/providers"):
        answer = cloud.get(path)
        assert answer.status in {400, 404}, path
        assert {"code", "message"} <= answer.error.keys()


def test_a_method_that_a_path_does_not_have_is_told_so(cloud):
    cloud.account()
    for method, path in (
        ("POST", ACCOUNT),
        ("PUT", f"{ACCOUNT}/models"),
        ("PATCH", f"{ACCOUNT}/listKeys"),
        ("GET", f"{ACCOUNT}/listKeys"),
    ):
        assert cloud.ask(method, path, {}).refusal == (405, "MethodNotAllowed"), f"{method} {path}"


def test_the_resource_manager_asks_who_is_there_before_it_says_what_is_not(cloud):
    assert cloud.get(f"{SUBSCRIPTION}/nothing", who=None).refusal == (401, "AuthenticationFailed")


def test_every_route_names_a_handler_once():
    routes = [*arm.ROUTES, *data_plane.ROUTES, *control.ROUTES, *entra.ROUTES]
    keys = [(r.method, r.template.lower()) for r in routes]
    assert len(keys) == len(set(keys))
    assert all(r.handler.__doc__ for r in routes)
    public = [r for r in arm.ROUTES if r.action is None]
    assert {r.handler for r in public} == {
        resources.list_subscriptions, resources.list_tenants, arm.cs.get_operation,
            resources.get_operation_result, arm.list_operations,
    }, "whatever else the resource manager does asks for a permission"  # fmt: skip
    assert all(r.action for r in data_plane.ROUTES)


# --- versions ------------------------------------------------------------------------------------------------------


def test_the_resource_manager_needs_a_version(cloud):
    for version in (None, ""):
        answer = cloud.get(SUBSCRIPTION, version=version)
        assert answer.refusal == (400, "MissingApiVersionParameter")


@pytest.mark.parametrize("version", ["latest", "2024-10", "2024-13-01", "2024-10-01-beta2", "2024-10-01 ", "v1"])
def test_what_is_no_version_is_refused(cloud, version):
    assert cloud.get(SUBSCRIPTION, version=version).refusal == (400, "InvalidApiVersionParameter")


@pytest.mark.parametrize("version", ["2023-05-01", "2024-10-21", "2026-09-15-preview"])
def test_any_date_is_a_version(cloud, version):
    assert cloud.get(SUBSCRIPTION, version=version).status == 200, "Microsoft's own samples mix them up"


def test_the_parameters_name_is_taken_in_any_case(cloud):
    assert cloud.get(f"{SUBSCRIPTION}?API-Version=2022-09-01", version=None).status == 200


# --- bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw", [b"{", b"nonsense", b"\xff\xfe{}", b"[" * 100_000, b'{"location": NaN}', b'"\\ud800"', b"null"]
)
def test_what_is_no_json_object_is_refused_wherever_it_is_sent(cloud, raw):
    account = cloud.account()
    for method, path in (
        ("PUT", GROUP),
        ("PUT", account),
        ("PATCH", account),
        ("PUT", f"{account}/deployments/bot"),
        ("POST", f"{account}/regenerateKey"),
        ("PUT", f"{account}/raiPolicies/strict"),
        ("PUT", f"{account}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"),
    ):
        answer = cloud.ask(method, path, raw=raw)
        assert answer.refusal == (400, "InvalidRequestContent"), f"{method} {path}"


def test_a_body_larger_than_azure_takes_is_refused(cloud):
    answer = cloud.ask("PUT", GROUP, raw=b"x" * (MOST_BYTES + 1))
    assert answer.refusal == (413, "RequestContentTooLarge")


def test_a_huge_body_is_refused_over_the_network_too(azure):
    headers = {"authorization": f"Bearer {azure.token(OWNER, ARM)}"}
    with requests.Session() as session:
        session.headers.update(headers)
        url = f"{azure.origin}{GROUP}?api-version={VERSION}"
        answer = session.put(url, data=b"x" * (MOST_BYTES + 1), timeout=10)
        assert answer.status_code == 413, "an answer, and not a connection that breaks"
        assert session.put(url, json={"location": "swedencentral"}, timeout=10).status_code == 201


def test_numbers_beyond_64_bits_are_kept_or_refused_but_no_mistake(cloud):
    cloud.group()
    raw = b'{"location": "swedencentral", "properties": {"number": 123456789012345678901234567890, "small": 1e-400}}'
    job = f"{GROUP}/providers/Microsoft.App/jobs/keep-alive"
    assert cloud.ask("PUT", job, raw=raw).status == 201
    assert cloud.get(job).body["properties"]["number"] == 123456789012345678901234567890


# --- mistakes of our own -------------------------------------------------------------------------------------------


def test_a_mistake_of_our_own_is_a_500_in_an_envelope_with_its_traceback_in_the_log(cloud, monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("infra.localazure.groups.subscription", broken)
    with caplog.at_level(logging.ERROR):
        answer = cloud.get(SUBSCRIPTION)
    assert answer.refusal == (500, "InternalServerError")
    assert "a mistake of ours" not in answer.error["message"]
    assert "a mistake of ours" in caplog.text, "tests and people find the traceback"
    assert "Traceback" in caplog.text
    assert cloud.app.log[-1].status == 500
    assert cloud.get("/tenants").status == 200, "and the next request is answered"


# --- the log -------------------------------------------------------------------------------------------------------


def test_the_request_log_tells_what_was_asked_and_no_secret(cloud):
    account = cloud.account()
    cloud.tune(account)
    deployment = cloud.serve(account)
    cloud.chat(deployment)
    key = cloud.ask("POST", f"{account}/listKeys").body["key1"]
    form = f"grant_type=client_credentials&client_id=x&client_secret=hush&scope={ARM}/.default".encode()
    cloud.ask("POST", "/contoso.onmicrosoft.com/oauth2/v2.0/token", raw=form, who=None, version=None)
    cloud.get("/oai-prod.openai.azure.com/openai/models", version="2024-10-21", sig=key, client_secret="hush")
    told = "\n".join(map(str, cloud.app.log))
    for secret in (key, "hush", "a-throwaway-of-the-tests", "Bearer", "eyJ", cloud.token(OWNER)):
        assert secret not in told, secret[:8]
    last = cloud.app.log[-1]
    assert (last.method, last.path, last.status) == ("GET", "/oai-prod.openai.azure.com/openai/models", 401)
    assert "sig=***" in last.query
    assert "api-version=2024-10-21" in last.query
    made = next(entry for entry in cloud.app.log if entry.path == account)
    assert made.caller, "who asked is told by name"


def test_the_log_names_the_code_of_a_refusal(cloud):
    cloud.get(GROUP)
    assert (cloud.app.log[-1].status, cloud.app.log[-1].code) == (404, "ResourceGroupNotFound")
    cloud.put(ACCOUNT, account_body())
    assert cloud.app.log[-1].code == "ResourceGroupNotFound"
