"""Microsoft's page on deploying a fine-tuned model, its CLI and REST flows run as they are written: only hosts and ids
are replaced."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.localazure import LocalAzure, ids, models, tls
from infra.localazure.entities import CustomModel
from tests.fidelity import coverage, measured
from tests.localazure.cloud import OWNER_APP, PRODUCTION, SECRET, SEED, START, TENANT, TRAINING, TUNED
from tests.proof.azure_cli import Cli, find_or_install

pytestmark = pytest.mark.proof
GROUP, ACCOUNT, DEPLOYMENT = "rg", "oai-prod", "gpt-4.1-mini-ft"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalAzure]:
    """A local Azure that does at once what it is asked for."""
    with LocalAzure() as started:
        started.plant(SEED)
        started.switch(account_create=0.0, deployment_create=0.0, readiness=0.0, role_propagation=0.0)
        yield started


@pytest.fixture(scope="module")
def environment(azure: LocalAzure, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a shell needs to reach this cloud: one certificate more than the system has."""
    bundle = tmp_path_factory.mktemp("trust") / "bundle.pem"
    bundle.write_bytes(tls.bundle(azure.authority))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AZURE_", "ARM_"))}
    return {**kept, "REQUESTS_CA_BUNDLE": str(bundle), "CURL_CA_BUNDLE": str(bundle), "NO_PROXY": "localhost"}


@pytest.fixture(scope="module")
def az(azure: LocalAzure, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The Azure CLI, this cloud registered with it and a service principal logged in."""
    env = {**environment, "AZURE_CONFIG_DIR": str(tmp_path_factory.mktemp("az")), "AZURE_CORE_COLLECT_TELEMETRY": "no"}
    cli = Cli(find_or_install(), env)
    endpoints = {
        "activeDirectory": azure.origin,
        "activeDirectoryResourceId": "https://management.core.windows.net/",
        "resourceManager": azure.origin,
        "management": azure.origin,
        "microsoftGraphResourceId": f"{azure.origin}/graph/",
    }
    cli.run("cloud", "register", "--name", "Here", "--cloud-config", json.dumps({"endpoints": endpoints}))
    cli.run("cloud", "set", "--name", "Here")
    cli.run("config", "set", "core.instance_discovery=false")
    cli.run("login", "--service-principal", "--username", OWNER_APP, "--password", SECRET, "--tenant", TENANT)
    cli.run("account", "set", "--subscription", PRODUCTION)
    return cli


def tune(azure: LocalAzure, subscription: str, account: str, model: str = TUNED) -> str:
    """A tuned model in an account; gives the account's id."""
    owner = ids.account_id(subscription, GROUP, account)
    models.put(
        azure.world, CustomModel(id=model, account=ids.key(owner), base="gpt-4.1-mini-2025-04-14", created=START)
    )
    return owner


def curl(env: dict[str, str], *arguments: str) -> tuple[int, Any]:
    """Run curl; gives status and body."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}", *arguments],
        env=env, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else None


def test_a_fine_tuned_model_is_deployed_by_azure_cli_as_the_page_writes_it(azure: LocalAzure, az: Cli):
    assert {s["id"] for s in az.json("account", "list")} >= {PRODUCTION, TRAINING}
    az.script(f"az group create --name {GROUP} --location swedencentral")
    made = az.script(f"""az cognitiveservices account create \\
        --name {ACCOUNT} --resource-group {GROUP} --location swedencentral \\
        --kind OpenAI --sku s0 --custom-domain {ACCOUNT} --subscription {PRODUCTION} --yes""")
    assert made["properties"]["provisioningState"] == "Succeeded"
    tune(azure, PRODUCTION, ACCOUNT)
    deployed = az.script(f"""az cognitiveservices account deployment create \\
        --resource-group {GROUP} \\
        --name {ACCOUNT} \\
        --deployment-name {DEPLOYMENT} \\
        --model-name {TUNED} \\
        --model-version "1" \\
        --model-format "OpenAI" \\
        --sku-capacity "1" \\
        --sku-name "Standard" """)
    assert (deployed["properties"]["model"]["name"], deployed["sku"]["capacity"]) == (TUNED, 1)
    of = ("--resource-group", GROUP, "--name", ACCOUNT)
    assert [d["name"] for d in az.json("cognitiveservices", "account", "deployment", "list", *of)] == [DEPLOYMENT]
    keys = az.json("cognitiveservices", "account", "keys", "list", *of)
    assert set(keys) == {"key1", "key2"}
    again = az.json("cognitiveservices", "account", "keys", "regenerate", *of, "--key-name", "key2")
    assert (again["key1"] == keys["key1"], again["key2"] == keys["key2"]) == (True, False)
    assert az.json("cognitiveservices", "account", "show", *of)["kind"] == "OpenAI"
    assert az.json("cognitiveservices", "account", "list-models", *of)
    assert az.json("cognitiveservices", "account", "list-usage", *of)
    assert az.json("cognitiveservices", "usage", "list", "--location", "swedencentral")
    assert az.json("cognitiveservices", "model", "list", "--location", "swedencentral")


def test_the_resource_managers_own_operations_are_what_azure_cli_takes_them_for(az: Cli):
    group = "rg-of-az"
    assert az.run("group", "exists", "--name", group, "--output", "tsv").strip() == "false"
    assert az.json("group", "create", "--name", group, "--location", "eastus2")["location"] == "eastus2"
    assert az.run("group", "exists", "--name", group, "--output", "tsv").strip() == "true"
    assert az.json("group", "update", "--name", group, "--tags", "a=b")["tags"] == {"a": "b"}
    assert az.json("group", "show", "--name", group)["name"] == group
    assert group in [g["name"] for g in az.json("group", "list")]
    assert az.json("resource", "list", "--resource-group", group) == []
    az.run("group", "delete", "--name", group, "--yes")
    assert "swedencentral" in [place["name"] for place in az.json("account", "list-locations")]
    provider = ("--namespace", "Microsoft.CognitiveServices")
    assert az.json("provider", "show", *provider)["registrationState"] == "Registered"
    app = ("--namespace", "Microsoft.App")
    az.run("provider", "unregister", *app)
    assert az.json("provider", "show", *app)["registrationState"] in ("Unregistering", "NotRegistered", "Unregistered")
    az.run("provider", "register", *app)
    assert az.json("provider", "show", *app)["registrationState"] in ("Registering", "Registered")
    assert "Microsoft.CognitiveServices" in [p["namespace"] for p in az.json("provider", "list")]


def test_a_refusal_is_told_by_azure_cli_in_azures_own_words(az: Cli):
    said = az.run("cognitiveservices", "account", "show", "--resource-group", GROUP, "--name", "nobody", ok=False)
    assert "(ResourceNotFound) The Resource 'Microsoft.CognitiveServices/accounts/nobody' under resource group" in said


def test_a_model_of_another_subscription_is_deployed_and_called_by_curl_as_the_page_writes_it(
    azure: LocalAzure, environment: dict[str, str], az: Cli
):
    token = az.run("account", "get-access-token", "--query", "accessToken", "--output", "tsv").strip()
    headers = ("--header", f"Authorization: Bearer {token}", "--header", "Content-Type: application/json")
    model = TUNED[:-1] + "8"
    for subscription, name, region in (
        (TRAINING, "oai-train", "northcentralus"),
        (PRODUCTION, "oai-rest", "swedencentral"),
    ):
        group = f"{azure.origin}/subscriptions/{subscription}/resourceGroups/{GROUP}"
        status, _ = curl(environment, "-X", "PUT", f"{group}?api-version=2024-11-01", *headers,
                         "-d", json.dumps({"location": region}))  # fmt: skip
        assert status in (200, 201)
        body = {
            "kind": "OpenAI",
            "sku": {"name": "S0"},
            "location": region,
            "properties": {"customSubDomainName": name},
        }
        account = f"{group}/providers/Microsoft.CognitiveServices/accounts/{name}"
        assert (
            curl(environment, "-X", "PUT", f"{account}?api-version=2024-10-01", *headers, "-d", json.dumps(body))[0]
            == 201
        )
    source = tune(azure, TRAINING, "oai-train", model)

    status, deployed = curl(
        environment, "-X", "PUT",
        f"{azure.origin}/subscriptions/{PRODUCTION}/resourceGroups/{GROUP}/providers/Microsoft.CognitiveServices/accounts/"
        f"oai-rest/deployments/{DEPLOYMENT}?api-version=2024-10-21",
        *headers,
        "-d", json.dumps({
            "sku": {"name": "standard", "capacity": 1},
            "properties": {"model": {"format": "OpenAI", "name": model, "version": "1", "source": source}},
        }),
    )  # fmt: skip
    assert (status, deployed["properties"]["model"]["source"]) == (201, source)

    account = ids.account_id(PRODUCTION, GROUP, "oai-rest")
    found = azure.world.account(ids.key(account))
    assert found is not None
    endpoint, key = f"{azure.origin}/oai-rest.openai.azure.com", found.keys[0]
    status, said = curl(
        environment, f"{endpoint}/openai/deployments/{DEPLOYMENT}/chat/completions?api-version=2024-10-21",
        "-H", "Content-Type: application/json", "-H", f"api-key: {key}",
        "-d", json.dumps({"messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Does Azure OpenAI support customer managed keys?"},
        ]}),
    )  # fmt: skip
    assert (status, said["model"]) == (200, model)


def test_all_that_these_clients_asked_for_is_in_the_tables(azure: LocalAzure):
    assert coverage.unlisted(azure.app.log) == []
    assert sorted({str(finding) for finding in measured.REQUESTS}) == []


def test_the_list_of_clouds_is_read_by_azure_cli(azure: LocalAzure, environment: dict[str, str], tmp_path: Path):
    bundle = environment["REQUESTS_CA_BUNDLE"]  # this one request goes by urllib, which asks another variable
    where = {"ARM_CLOUD_METADATA_URL": f"{azure.origin}/metadata/clouds", "SSL_CERT_FILE": bundle}
    clouds = Cli(find_or_install(), {**environment, **where, "AZURE_CONFIG_DIR": str(tmp_path)}).json("cloud", "list")
    here = next(cloud for cloud in clouds if cloud["name"] == "LocalAzure")
    assert here["endpoints"]["resourceManager"] == azure.origin
    assert here["endpoints"]["activeDirectory"] == azure.origin
