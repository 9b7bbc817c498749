"""Configure, and the way to a token: who acts, in which cloud, and what is said when that does not work."""

import socket
from pathlib import Path

import grpc
import pytest

from infra.toolchain.azure_native import transport
from infra.toolchain.azure_native.cloud import CONSENT, CONSENT_VALUE, find_cloud, is_loopback
from infra.toolchain.azure_native.login import Tokens, login_for
from infra.toolchain.azure_native.settings import read_settings
from tests.toolchain.arm import CLIENT, GROUP, SECRET, TENANT, Answer, Arm, error
from tests.toolchain.plugin import GROUP as GROUP_TYPE
from tests.toolchain.plugin import Plugin, login_of, running, text_of


def test_one_login_serves_many_requests(plugin: Plugin, arm: Arm) -> None:
    plugin.read(GROUP_TYPE, GROUP)
    plugin.read(GROUP_TYPE, GROUP)

    (login,) = arm.logins
    assert login["tenant"] == TENANT
    assert login["client_id"] == CLIENT
    assert login["scope"] == f"{arm.address}/.default"
    assert [asked.headers["authorization"] for asked in arm.asked] == ["Bearer token-1"] * 2


def test_nobody_logs_in_before_there_is_something_to_ask(plugin: Plugin, arm: Arm) -> None:
    assert arm.logins == [], "a preview without changes needs no token"


def test_a_token_that_is_refused_is_fetched_anew_once(plugin: Plugin, arm: Arm) -> None:
    arm.resources[GROUP.lower()] = {"id": GROUP}
    arm.answer("GET", GROUP, error(401, "ExpiredAuthenticationToken", "expired"))

    id_, _, _ = plugin.read(GROUP_TYPE, GROUP)

    assert id_ == GROUP
    assert [asked.headers["authorization"] for asked in arm.asked] == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_is_refused_twice_is_an_error(plugin: Plugin, arm: Arm) -> None:
    arm.answer("GET", GROUP, *[error(401, "InvalidAuthenticationToken", "no")] * 2)

    with pytest.raises(grpc.RpcError) as failed:
        plugin.read(GROUP_TYPE, GROUP)

    assert 'Code="InvalidAuthenticationToken"' in text_of(failed.value)


def test_configuration_comes_before_environment(arm: Arm) -> None:
    with running({**login_of(arm), "ARM_CLIENT_ID": "somebody-else"}) as plugin:
        plugin.configure({"clientId": CLIENT})
        plugin.read(GROUP_TYPE, GROUP)

    assert arm.logins[0]["client_id"] == CLIENT


def test_tokens_of_other_tenants_travel_in_a_header_of_their_own(arm: Arm) -> None:
    with running({**login_of(arm), "ARM_AUXILIARY_TENANT_IDS": '["t-2", "t-3"]'}) as plugin:
        plugin.configure()
        plugin.read(GROUP_TYPE, GROUP)

    assert [login["tenant"] for login in arm.logins] == [TENANT, "t-2", "t-3"]
    assert arm.asked[0].headers["x-ms-authorization-auxiliary"] == "Bearer token-2, Bearer token-3"


def test_a_list_of_tenants_that_is_none_is_said(arm: Arm) -> None:
    with (
        running({**login_of(arm), "ARM_AUXILIARY_TENANT_IDS": "t-2"}) as plugin,
        pytest.raises(grpc.RpcError) as failed,
    ):
        plugin.configure()

    assert "should be a JSON list of tenant ids" in text_of(failed.value)


def test_a_wrong_secret_is_said_in_one_line_without_it(arm: Arm) -> None:
    with running({**login_of(arm), "ARM_CLIENT_SECRET": "wrong-secret"}) as plugin:
        plugin.configure()
        with pytest.raises(grpc.RpcError) as failed:
            plugin.read(GROUP_TYPE, GROUP)

    text = text_of(failed.value)
    assert failed.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert text.startswith(f"{arm.address}: login as client {CLIENT} in tenant {TENANT} failed. AADSTS7000215: ")
    assert text.endswith("Invalid client secret provided."), "the lines that follow are for Microsoft's own logs"
    assert "wrong-secret" not in text


@pytest.mark.parametrize("missing", ["ARM_SUBSCRIPTION_ID", "ARM_TENANT_ID", "ARM_CLIENT_ID"])
def test_an_incomplete_login_is_said_when_the_provider_starts(arm: Arm, missing: str) -> None:
    env = {key: value for key, value in login_of(arm).items() if key != missing}
    with running(env) as plugin, pytest.raises(grpc.RpcError) as failed:
        plugin.configure()

    assert text_of(failed.value).endswith(
        "must be configured when authenticating as a Service Principal using a Client Secret."
    )


def test_a_federated_token_is_exchanged(arm: Arm, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("from-a-file\n")
    env = {**login_of(arm), "ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN_FILE_PATH": str(token)}
    del env["ARM_CLIENT_SECRET"]
    with running(env) as plugin:
        plugin.configure()
        plugin.read(GROUP_TYPE, GROUP)

    assert arm.logins[0]["client_assertion"] == "from-a-file"
    assert arm.logins[0]["client_assertion_type"].endswith("jwt-bearer")


def test_a_federated_token_may_have_to_be_asked_for(arm: Arm) -> None:
    arm.answer("GET", "/oidc", Answer(200, {"value": "from-the-issuer"}))
    env = {
        **login_of(arm),
        "ARM_USE_OIDC": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{arm.address}/oidc?v=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner",
    }
    del env["ARM_CLIENT_SECRET"]
    with running(env) as plugin:
        plugin.configure()
        plugin.read(GROUP_TYPE, GROUP)

    assert arm.asked[0].query == {"v": ["1"], "audience": ["api://AzureADTokenExchange"]}
    assert arm.asked[0].headers["authorization"] == "Bearer runner"
    assert arm.logins[0]["client_assertion"] == "from-the-issuer"


def test_the_issuer_is_asked_anew_when_azures_token_is_over(arm: Arm) -> None:
    arm.answer("GET", "/oidc", Answer(200, {"value": "first"}), Answer(200, {"value": "second"}))
    env = {key: value for key, value in login_of(arm).items() if key != "ARM_CLIENT_SECRET"}
    env |= {
        "ARM_USE_OIDC": "true",
        "ARM_OIDC_REQUEST_URL": f"{arm.address}/oidc",
        "ARM_OIDC_REQUEST_TOKEN": "runner",
    }
    settings, clock, transport_ = read_settings({}, env), [0.0], transport.Transport()
    login = login_for(settings, find_cloud(settings, transport_, env), transport_)
    tokens = Tokens(login, settings.tenant, (), now=lambda: clock[0])

    assert tokens.headers() == tokens.headers()
    clock[0] = 3600.0
    tokens.headers()
    transport_.close()

    assert [asked["client_assertion"] for asked in arm.logins] == ["first", "second"]


def test_without_any_login_one_line_says_so(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no az, no azd, no pwsh
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")  # and no managed identity to wait for
    env = {"ARM_METADATA_HOSTNAME": arm.address, "ARM_SUBSCRIPTION_ID": "s"}
    with running(env) as plugin:
        plugin.configure()
        with pytest.raises(grpc.RpcError) as failed:
            plugin.read(GROUP_TYPE, GROUP)

    assert text_of(failed.value).startswith("No login found: set ARM_CLIENT_ID, ARM_CLIENT_SECRET and ARM_TENANT_ID")
    assert "\n" not in text_of(failed.value)


def test_public_azure_is_refused(arm: Arm) -> None:
    env = {key: value for key, value in login_of(arm).items() if key != "ARM_METADATA_HOSTNAME"}
    with running(env) as plugin, pytest.raises(grpc.RpcError) as failed:
        plugin.configure()

    text = text_of(failed.value)
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "no metadata host is configured, so public Azure is meant" in text
    assert "pulumi plugin install resource azure-native 3.29.0" in text


def test_a_resource_manager_elsewhere_is_refused_before_anybody_logs_in(arm: Arm) -> None:
    arm.metadata_manager = "https://management.example.test"
    with running(login_of(arm)) as plugin, pytest.raises(grpc.RpcError) as failed:
        plugin.configure()

    assert "management.example.test is not this machine" in text_of(failed.value)
    assert arm.logins == []


def test_it_goes_elsewhere_only_when_told_in_so_many_words(arm: Arm) -> None:
    arm.metadata_manager = "https://management.example.test"
    with running({**login_of(arm), CONSENT: "yes"}) as plugin, pytest.raises(grpc.RpcError):
        plugin.configure()
    with running({**login_of(arm), CONSENT: CONSENT_VALUE}) as plugin:
        plugin.configure()


def test_an_answer_cannot_lead_it_elsewhere(plugin: Plugin, arm: Arm) -> None:
    arm.answer("DELETE", GROUP, Answer(202, None, {"Location": "https://elsewhere.example.test/operation"}))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.delete(GROUP_TYPE, GROUP)

    assert "elsewhere.example.test is not this machine" in text_of(failed.value), "our token must not go there"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "azure.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "10.0.0.1", "localhost.example.test", "management.example.test", "::"])
def test_another_machine_is_not(host: str) -> None:
    assert not is_loopback(host)


def test_a_cloud_that_is_not_running_is_said(arm: Arm) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"localhost:{free.getsockname()[1]}"
    with running({**login_of(arm), "ARM_METADATA_HOSTNAME": nobody}) as plugin, pytest.raises(grpc.RpcError) as failed:
        plugin.configure()

    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
    assert text_of(failed.value) == f"{nobody}: nothing answers there (connection refused). Is this cloud running?"


def test_a_ca_that_is_not_trusted_is_said_with_the_file_that_was_looked_at(
    arm: Arm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing.pem"))
    transport._tls.cache_clear()
    with running(login_of(arm)) as plugin, pytest.raises(grpc.RpcError) as failed:
        plugin.configure()

    assert "its certificate is not trusted here" in text_of(failed.value)
    assert f"SSL_CERT_FILE names {tmp_path}/nothing.pem, which does not exist." in text_of(failed.value)


def test_a_folder_of_certificates_is_read_as_go_reads_it(
    arm: Arm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    (tmp_path / "ca.pem").rename(folder / "whatever-name.crt")
    (folder / "README").write_text("not a certificate")
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    transport._tls.cache_clear()

    with running(login_of(arm)) as plugin:
        plugin.configure()


def test_a_host_that_does_not_describe_a_cloud_is_said(arm: Arm) -> None:
    with (
        running({**login_of(arm), "ARM_METADATA_HOSTNAME": f"{arm.address}/nowhere"}) as plugin,
        pytest.raises(grpc.RpcError) as failed,
    ):
        plugin.configure()

    assert "does not describe a cloud" in text_of(failed.value)


def test_a_proxy_is_used_but_never_for_this_machine(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with running(login_of(arm)) as plugin:
        plugin.configure()

    with pytest.raises(transport.Unreachable, match=r"example\.test"):
        transport.Transport().send("GET", "https://example.test/", {})


def test_no_token_goes_over_plain_http(plugin: Plugin, arm: Arm) -> None:
    arm.answer("DELETE", GROUP, Answer(202, None, {"Location": f"{arm.address}/operation".replace("https", "http")}))

    with pytest.raises(grpc.RpcError) as failed:
        plugin.delete(GROUP_TYPE, GROUP)

    assert "Tokens are sent over https only" in text_of(failed.value)


def test_a_secret_does_not_show_itself(plugin: Plugin) -> None:
    assert SECRET not in repr(plugin.service._session().settings)
