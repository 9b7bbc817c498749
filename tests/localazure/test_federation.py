"""Logins with another issuer's token: who an identity trusts, letter for letter, and what Entra says of the others."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from infra.localazure import federation, ids
from tests.localazure.cloud import ARM, PRODUCTION, TENANT, Cloud, Reply
from tests.localazure.issuer import AUDIENCE, GITHUB, Issuer

IDENTITY = f"{ids.group_id(PRODUCTION, 'rg')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/preview"
CREDENTIAL = f"{IDENTITY}/federatedIdentityCredentials/github"
TRUSTED = {"issuer": GITHUB, "subject": "repo:contoso/models:pull_request", "audiences": [AUDIENCE]}


@pytest.fixture
def issuer(cloud: Cloud) -> Issuer:
    """An issuer that local Azure has the keys of, and whose pull requests an identity trusts."""
    cloud.group()
    cloud.put(IDENTITY, {"location": "swedencentral"})
    assert cloud.put(CREDENTIAL, {"properties": TRUSTED}).status == 201
    made = Issuer()
    federation.trust(cloud.world, made.name, made.keys)
    return made


def login(cloud: Cloud, assertion: str, **change: str) -> Reply:
    form = {
        "grant_type": "client_credentials",
        "client_id": cloud.get(IDENTITY).body["properties"]["clientId"],
        "client_assertion_type": federation.ASSERTION_TYPE,
        "client_assertion": assertion,
        "scope": f"{ARM}/.default",
        **change,
    }
    return cloud.ask("POST", f"/{TENANT}/oauth2/v2.0/token", who=None, version=None, raw=urlencode(form).encode())


def test_a_trusted_token_is_exchanged_for_one_of_the_identity(cloud: Cloud, issuer: Issuer):
    answer = login(cloud, issuer.token())
    assert answer.status == 200
    caller = cloud.app.directory.caller(answer.body["access_token"], (ARM,))
    assert caller.principal == cloud.get(IDENTITY).body["properties"]["principalId"]


@pytest.mark.parametrize(
    ("claims", "number"),
    [
        ({"sub": "repo:Contoso/models:pull_request"}, 700213),
        ({"sub": "repo:contoso/models:ref:refs/heads/main"}, 700213),
        ({"iss": f"{GITHUB}/"}, 700211),
        ({"aud": "https://github.com/contoso"}, 700212),
        ({"exp": 1}, 700024),
        ({"iat": "yesterday"}, 50027),
    ],
)
def test_what_differs_in_one_letter_is_refused_with_entras_number(cloud, issuer, claims, number):
    assert login(cloud, issuer.token(**claims)).body["error_codes"] == [number]


def test_a_token_is_over_after_its_five_minutes(cloud: Cloud, issuer: Issuer):
    issuer.moved = timedelta(minutes=-6)
    refused = login(cloud, issuer.token())
    assert (refused.status, refused.body["error_codes"]) == (401, [700024])


def test_a_signature_that_is_not_the_issuers_is_refused(cloud: Cloud, issuer: Issuer):
    head, payload, signature = issuer.token().split(".")
    forged = signature[:-6] + ("AAAAAA" if not signature.endswith("AAAAAA") else "BBBBBB")
    assert login(cloud, f"{head}.{payload}.{forged}").body["error_codes"] == [50013]
    federation.trust(cloud.world, issuer.name, [])
    assert login(cloud, issuer.token()).body["error_codes"] == [50013], "an issuer whose keys nobody knows"


def test_what_is_no_token_and_a_type_that_is_none_are_refused(cloud: Cloud, issuer: Issuer):
    assert login(cloud, "nonsense").body["error_codes"] == [50027]
    assert login(cloud, issuer.token(), client_assertion_type="jwt").body["error_codes"] == [900144]
    assert login(cloud, issuer.token(), scope=ARM).body["error_codes"] == [1002012]


def test_an_identity_that_trusts_nobody_any_more_is_closed(cloud: Cloud, issuer: Issuer):
    assert cloud.ask("DELETE", CREDENTIAL).status == 200
    assert login(cloud, issuer.token()).body["error_codes"] == [700211]


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://token.example"},
        {"subject": ""},
        {"audiences": []},
        {"audiences": [AUDIENCE, "another"]},
    ],
)
def test_a_credential_that_is_none_is_refused(cloud, issuer, wrong):
    other = CREDENTIAL.replace("/github", "/other")
    assert cloud.put(other, {"properties": {**TRUSTED, "subject": "else", **wrong}}).status == 400


def test_a_pair_is_had_once_and_there_are_twenty_at_most(cloud: Cloud, issuer: Issuer):
    def put(number: int) -> Reply:
        return cloud.put(f"{CREDENTIAL}-{number}", {"properties": {**TRUSTED, "subject": f"s{number}"}})

    assert cloud.put(f"{CREDENTIAL}-2", {"properties": TRUSTED}).refusal == (409, "Conflict")
    assert cloud.put(CREDENTIAL, {"properties": TRUSTED}).status == 200, "again is no second one"
    assert {put(number).status for number in range(federation.MOST - 1)} == {201}
    assert put(99).status == 400
    listed = cloud.get(f"{IDENTITY}/federatedIdentityCredentials").body["value"]
    assert len(listed) == federation.MOST
    assert cloud.ask("DELETE", IDENTITY).status == 200
    assert cloud.get(CREDENTIAL).status == 404
