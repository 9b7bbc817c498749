"""Calls are sent lean, and say the same as requests would; certificates are checked all the same."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import requests
from certifi import where

from infra.localazure import LocalAzure
from infra.ports.wire import Connections, Wire

LOGIN = {"Authorization": "Bearer x"}
PLACE = "https://management.azure.com/subscriptions/s/deployments?api-version=2025-06-01&$filter=a%20eq%20'b'"


@pytest.mark.parametrize(
    "how",
    [
        {"method": "GET", "headers": LOGIN},
        {
            "method": "POST",
            "headers": {**LOGIN, "Content-Length": "2", "Content-Type": "application/json"},
            "data": "{}",
        },
        {"method": "POST", "headers": LOGIN, "json": {"a": 1}},
        {"method": "POST", "headers": LOGIN},
        {"method": "GET", "headers": LOGIN, "params": {"a": "b c"}},
        {"method": "GET", "headers": {}, "auth": ("a", "b")},
        {"method": "GET", "headers": LOGIN, "url": "https://management.azure.com/a b?c={d}"},
    ],
)
def test_what_is_sent_is_what_requests_would_send(how: dict[str, object]):
    plain, ours = requests.Session(), Connections(1)
    asked = requests.Request(**{"url": PLACE, **how})  # type: ignore[arg-type]
    wanted, made = plain.prepare_request(asked), ours.prepare_request(asked)
    assert (made.method, made.url, made.headers, made.body or b"") == (
        wanted.method, wanted.url, wanted.headers, wanted.body or b"",
    )  # fmt: skip


def test_a_certificate_of_an_authority_that_is_not_in_the_bundle_is_not_trusted(azure: LocalAzure):
    place, session = f"{azure.origin}/metadata/endpoints?api-version=2022-09-01", Connections(1)
    assert session.get(place, verify=str(azure.authority)).ok
    with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
        session.get(place, verify=where())
    trust = Wire()._context(where())
    assert (trust.check_hostname, trust.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_bundle_that_cannot_be_read_is_an_error_of_the_connection(tmp_path: Path, text: str | None):
    bundle = tmp_path / "bundle.pem"
    if text is not None:
        bundle.write_text(text)
    with pytest.raises(requests.exceptions.SSLError, match="holds no certificates of authorities"):
        Connections(1).get("https://localhost:1/", verify=str(bundle))
