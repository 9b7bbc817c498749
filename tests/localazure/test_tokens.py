"""The login and its tokens: Entra's refusals, and what the resource manager says of a token that is none."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from urllib.parse import urlencode

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential

from infra.localazure import LocalAzure, VirtualClock
from tests.localazure.cloud import (
    ABROAD,
    ABROAD_OWNER,
    ARM,
    DATA,
    OTHER_TENANT,
    OWNER,
    OWNER_APP,
    PRODUCTION,
    SECRET,
    START,
    TENANT,
    Cloud,
    Reply,
)

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"


def credential(azure: LocalAzure, secret: str = SECRET, tenant: str = TENANT) -> ClientSecretCredential:
    return ClientSecretCredential(
        tenant, OWNER_APP, secret, authority=azure.origin, disable_instance_discovery=True, retry_total=0
    )


def login(cloud: Cloud, tenant: str = TENANT, **change: str | None) -> Reply:
    form = {
        "grant_type": "client_credentials",
        "client_id": OWNER_APP,
        "client_secret": SECRET,
        "scope": f"{ARM}/.default",
    }
    sent = {k: v for k, v in {**form, **change}.items() if v is not None}
    return cloud.ask("POST", f"/{tenant}/oauth2/v2.0/token", who=None, version=None, raw=urlencode(sent).encode())


def test_azure_identity_logs_in_and_the_token_opens_the_resource_manager(azure):
    with credential(azure) as login:
        token = login.get_token(f"{ARM}/.default")
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert (claims["oid"], claims["tid"], claims["appid"], claims["aud"]) == (OWNER, TENANT, OWNER_APP, ARM)
    assert token.expires_on > time.time(), "tokens expire by real time, whatever the virtual clock says"


def test_the_signature_of_a_token_can_be_checked_with_the_published_keys(azure):
    with credential(azure) as login:
        token = login.get_token(f"{ARM}/.default").token
    import requests

    document = requests.get(f"{azure.origin}/{TENANT}/v2.0/.well-known/openid-configuration", timeout=5).json()
    keys = requests.get(document["jwks_uri"], timeout=5).json()
    assert jwt.decode(token, jwt.PyJWK(keys["keys"][0]), audience=ARM, algorithms=["RS256"])["oid"] == OWNER


def test_azure_identity_shows_the_code_of_a_wrong_secret(azure):
    with credential(azure, "wrong") as login, pytest.raises(ClientAuthenticationError, match="AADSTS7000215: Invalid"):
        login.get_token(f"{ARM}/.default")


def test_azure_identity_finds_no_authority_for_an_unknown_tenant(azure):
    nobody = "aaaaaaaa-0000-4000-8000-00000000dead"
    with credential(azure, tenant=nobody) as login, pytest.raises((ClientAuthenticationError, ValueError)):
        login.get_token(f"{ARM}/.default")


@pytest.mark.parametrize(
    ("change", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"client_id": "cccccccc-0000-4000-8000-00000000dead"}, 400, "unauthorized_client", 700016),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"scope": ARM}, 400, "invalid_scope", 1002012),
        ({"scope": "https://nobody.example/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_each_bad_login_has_entras_code(cloud, change, status, error, number):
    answer = login(cloud, **change)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.body["error_codes"] == [number]
    assert answer.body["error_description"].startswith(f"AADSTS{number}: "), "clients and people look for this number"
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= answer.body.keys()


def test_an_unknown_tenant_is_refused_at_the_login_and_at_its_configuration(cloud):
    nobody = "aaaaaaaa-0000-4000-8000-00000000dead"
    assert login(cloud, nobody).body["error_codes"] == [90002]
    answer = cloud.get(f"/{nobody}/v2.0/.well-known/openid-configuration", who=None, version=None)
    assert (answer.status, answer.body["error_codes"]) == (400, [90002])


def test_a_tenant_may_be_named_by_its_domain(cloud):
    assert login(cloud, "Contoso.onmicrosoft.com").status == 200
    document = cloud.get("/contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration", who=None, version=None)
    assert TENANT in document.body["issuer"], "Entra answers with the id"


def test_no_token_is_told_where_to_get_one(cloud):
    answer = cloud.get(SUBSCRIPTION, who=None)
    assert answer.refusal == (401, "AuthenticationFailed")
    assert answer.headers["www-authenticate"].startswith("Bearer authorization_uri=")


def test_a_token_expires_by_real_time_and_not_by_the_virtual_clock():
    real = [START.timestamp()]
    cloud = Cloud(VirtualClock(START, 0, real_time=lambda: real[0]))
    token = cloud.token(OWNER)
    cloud.advance(days=30)
    assert cloud.get(SUBSCRIPTION).status == 200, (
        "clients cache tokens by their own clocks; a moved clock must not bite"
    )
    real[0] += timedelta(minutes=64).total_seconds()
    assert cloud.get(SUBSCRIPTION).status == 200, "five minutes of skew are allowed"
    real[0] += timedelta(minutes=2).total_seconds()
    answer = cloud.get(SUBSCRIPTION)
    assert answer.refusal == (401, "ExpiredAuthenticationToken")
    assert token == cloud.token(OWNER)


def test_a_token_for_the_data_plane_does_not_open_the_resource_manager(cloud):
    answer = cloud.get(SUBSCRIPTION, audience=DATA)
    assert answer.refusal == (401, "InvalidAuthenticationTokenAudience")
    assert DATA in answer.error["message"]


def test_a_token_of_another_tenant_does_not_open_a_subscription(cloud):
    answer = cloud.get(SUBSCRIPTION, who=ABROAD_OWNER)
    assert answer.refusal == (401, "InvalidAuthenticationTokenTenant")
    assert OTHER_TENANT in answer.error["message"]
    assert cloud.get(f"/subscriptions/{ABROAD}", who=ABROAD_OWNER).status == 200


def test_a_tampered_token_is_no_token(cloud):
    head, claims, signature = cloud.token(OWNER).split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**told, "oid": ABROAD_OWNER}).encode()).decode().rstrip("=")
    unsigned = jwt.encode(told, "", algorithm="none")
    for token in (f"{head}.{forged}.{signature}", unsigned, f"{head}.{claims}.", "rubbish", "a.b.c"):
        answer = cloud.get(SUBSCRIPTION, who=None, headers={"authorization": f"Bearer {token}"})
        assert answer.refusal == (401, "InvalidAuthenticationToken"), token[:20]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz"])
def test_an_authorization_header_without_a_bearer_token_counts_as_none(cloud, header):
    answer = cloud.get(SUBSCRIPTION, who=None, headers={"authorization": header})
    assert answer.refusal == (401, "AuthenticationFailed")


def test_the_metadata_leads_both_kinds_of_tools_here(cloud):
    newer = cloud.get("/metadata/endpoints", who=None, version="2022-09-01").body
    older = cloud.get("/metadata/endpoints", who=None, version="2019-05-01").body
    assert isinstance(newer, dict), "azure-native and Terraform read one object"
    assert isinstance(older, list), "the Azure CLI reads a list"
    assert older[0] == newer == cloud.get("/metadata/clouds", who=None, version="2022-09-01").body[0]
    assert newer["resourceManager"] == newer["authentication"]["loginEndpoint"] == cloud.world.origin
    assert newer["authentication"]["audiences"][0].startswith("https://management.")
    assert newer["name"] != "AzureCloud", "the CLI would send the login of a cloud of that name to Microsoft"
