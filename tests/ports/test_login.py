"""A login that outlives a pipeline's token: asked for anew each time, on both services; a file for who reads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from infra.errors import LoginFailed, Unreachable
from infra.localazure import LocalAzure, VirtualClock, ids
from infra.ports import login, tokenfile
from infra.ports.cloud import Cloud
from tests.desk import wait_for
from tests.localazure.cloud import ARM, OWNER, PRODUCTION, SEED, START, TENANT
from tests.localazure.issuer import AUDIENCE, BEARER, GITHUB, Issuer, serving

DEVOPS = f"https://login.microsoftonline.com/{TENANT}/v2.0"
CONNECTION = "5e1f0000-0000-4000-8000-000000000001"
IDENTITY = f"{ids.group_id(PRODUCTION, 'rg')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/rollout"


class Machine:
    """The machine's clock as all sides see it, and an identity that trusts both services."""

    def __init__(self, azure: LocalAzure, moved: list[float]) -> None:
        self.azure, self._moved = azure, moved
        self.issuer = Issuer(subject="repo:contoso/models:environment:production")
        self.client = self._identity()

    def later(self, **by: float) -> None:
        """Time passes: on this machine, in Entra, at the pipeline."""
        self._moved[0] += timedelta(**by).total_seconds()
        self.issuer.moved = timedelta(seconds=self._moved[0])

    def environment(self, **more: str) -> dict[str, str]:
        origin = self.azure.origin
        return {
            "ARM_METADATA_HOSTNAME": origin.removeprefix("https://"), "AZURE_AUTHORITY_HOST": origin,
            "ARM_TENANT_ID": TENANT, "ARM_CLIENT_ID": self.client, "ARM_USE_OIDC": "true", **more,
        }  # fmt: skip

    def on_github(self) -> dict[str, str]:
        return self.environment(ACTIONS_ID_TOKEN_REQUEST_URL=self.issuer.address, ACTIONS_ID_TOKEN_REQUEST_TOKEN=BEARER)

    def on_pipelines(self) -> dict[str, str]:
        self.issuer.name, self.issuer.subject = DEVOPS, "sc://contoso/models/rollout"
        return self.environment(
            SYSTEM_OIDCREQUESTURI=self.issuer.address.partition("?")[0],
            SYSTEM_ACCESSTOKEN=BEARER,
            AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=CONNECTION,
        )

    def _identity(self) -> str:
        import requests

        headers = {"authorization": f"Bearer {self.azure.token(OWNER, ARM)}"}

        def put(path: str, body: dict[str, object], version: str = "2023-01-31") -> dict[str, str]:
            answer = requests.put(
                f"{self.azure.origin}{path}?api-version={version}", json=body, headers=headers, timeout=10
            )
            assert answer.ok, answer.text
            return dict(answer.json().get("properties") or {})

        put(ids.group_id(PRODUCTION, "rg"), {"location": "swedencentral"}, "2024-03-01")
        made = put(IDENTITY, {"location": "swedencentral"})
        for name, issuer, subject in (
            ("github", GITHUB, "repo:contoso/models:environment:production"),
            ("azure-pipelines", DEVOPS, "sc://contoso/models/rollout"),
        ):
            trusted = {"issuer": issuer, "subject": subject, "audiences": [AUDIENCE]}
            put(f"{IDENTITY}/federatedIdentityCredentials/{name}", {"properties": trusted})
            self.azure.trust(issuer, self.issuer.keys)
        return made["clientId"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    moved, real = [0.0], time.time
    with LocalAzure(clock=VirtualClock(START, 0, real_time=lambda: real() + moved[0])) as azure:
        azure.plant(SEED)
        azure.switch(role_propagation=0.0)
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, str(azure.authority))
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", azure.origin)
        made = Machine(azure, moved)
        with serving(made.issuer):
            monkeypatch.setattr(time, "time", lambda: real() + moved[0])
            yield made


def _outlives(machine: Machine, cloud: Cloud) -> None:
    """A token now, the same one while it lasts, and when it is over a new one by a new assertion."""
    first = cloud.token(f"{ARM}/.default")
    assert len(machine.issuer.given) == 1
    machine.later(minutes=30)
    assert cloud.token(f"{ARM}/.default") == first
    assert len(machine.issuer.given) == 1, "as long as Azure's token lasts nobody is asked"
    machine.later(minutes=31)
    second = cloud.token(f"{ARM}/.default")
    assert second != first
    assert len(machine.issuer.given) == 2
    assert machine.azure.app.directory.caller(second, (ARM,)).client == machine.client


def test_on_github_the_runner_is_asked_anew_when_azures_token_is_over(machine: Machine):
    _outlives(machine, Cloud(machine.on_github()))
    assert {method for method, _ in machine.issuer.asked} == {"GET"}
    assert all(target.endswith("run=7&audience=api%3A%2F%2FAzureADTokenExchange") for _, target in machine.issuer.asked)


def test_on_azure_pipelines_the_service_connection_is_asked_anew(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    environment = machine.on_pipelines()
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", environment["SYSTEM_OIDCREQUESTURI"])
    cloud = Cloud(environment)
    _outlives(machine, cloud)
    assert {method for method, _ in machine.issuer.asked} == {"POST"}
    assert all(f"serviceConnectionId={CONNECTION}" in target for _, target in machine.issuer.asked)
    assert cloud.login().credential == "AzurePipelinesCredential"


def test_a_token_that_was_given_once_does_not_outlive_its_five_minutes(machine: Machine):
    cloud = Cloud(machine.environment(ARM_OIDC_TOKEN=machine.issuer.token()))
    cloud.token(f"{ARM}/.default")
    machine.later(minutes=61)
    with pytest.raises(LoginFailed, match="AADSTS700024"):
        cloud.token(f"{ARM}/.default")


def test_a_subject_that_is_not_trusted_is_named(machine: Machine):
    environment = machine.on_github()
    machine.issuer.subject = "repo:contoso/models:pull_request"
    with pytest.raises(LoginFailed, match=r"AADSTS700213.*'repo:contoso/models:pull_request'"):
        Cloud(environment).token(f"{ARM}/.default")


def test_what_a_pipeline_lacks_is_said_without_its_secret(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(LoginFailed, match="id-token: write"):
        Cloud(machine.environment()).token(f"{ARM}/.default")
    with pytest.raises(LoginFailed, match="status 401") as refused:
        Cloud({**machine.on_github(), "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong"}).token(f"{ARM}/.default")
    assert "wrong" not in str(refused.value)
    nowhere = Cloud({**machine.on_github(), "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/oidc"})
    with pytest.raises(Unreachable, match="token service does not answer"):
        nowhere.token(f"{ARM}/.default")
    pipelines = machine.on_pipelines()
    with pytest.raises(LoginFailed, match="AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"):
        Cloud({**pipelines, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": ""}).token(f"{ARM}/.default")
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", pipelines["SYSTEM_OIDCREQUESTURI"])
    with pytest.raises(LoginFailed, match="Azure Pipelines gave no token"):
        Cloud({**pipelines, "SYSTEM_ACCESSTOKEN": "wrong"}).token(f"{ARM}/.default")


def test_a_file_is_kept_fresh_for_pulumi_while_a_command_runs_and_gone_after_it(machine: Machine):
    environment = machine.on_github()
    with tokenfile.kept(environment, print, every=0.01) as added:
        file = Path(added["AZURE_FEDERATED_TOKEN_FILE"])
        assert environment["AZURE_CLIENT_ID"] == machine.client
        assert file.stat().st_mode & 0o077 == 0, "of this user alone"
        assert file.parent.stat().st_mode & 0o077 == 0
        assert "ARM_OIDC_TOKEN_FILE_PATH" not in added, "on GitHub the provider asks for itself"
        first = file.read_text()
        wait_for(lambda: file.read_text() != first, "it was never written anew")
        assert login.assertion({"ARM_OIDC_TOKEN_FILE_PATH": str(file)}) in machine.issuer.given
    assert not file.parent.exists()
    assert "AZURE_FEDERATED_TOKEN_FILE" not in environment


def test_on_azure_pipelines_the_provider_is_given_the_file_too(machine: Machine):
    environment = machine.on_pipelines()
    with tokenfile.kept(environment, print) as added:
        assert added["ARM_OIDC_TOKEN_FILE_PATH"] == added["AZURE_FEDERATED_TOKEN_FILE"]
        credential = Cloud(environment).credential
        assert type(credential).__name__ == "AzurePipelinesCredential", "hearth itself goes on asking"


def test_without_a_pipeline_or_with_a_token_named_nothing_is_written(machine: Machine):
    for environment in (dict(os.environ), machine.environment(), {**machine.on_github(), "ARM_OIDC_TOKEN": "given"}):
        with tokenfile.kept(environment, print) as added:
            assert added == {}
    assert machine.issuer.asked == []


def test_a_pipeline_that_falls_silent_is_told_once_and_the_last_token_stays(tmp_path: Path):
    answers, said = iter(["first"]), []

    def ask() -> str:
        for answer in answers:
            return answer
        raise LoginFailed("no more")

    file = tokenfile.TokenFile(ask, tmp_path, said.append, every=0.001)
    file.start()
    wait_for(lambda: bool(said), "nobody was told")
    assert file.path.read_text() == "first"
    file.stop()
    assert said == ["the pipeline's token could not be renewed: no more"]
