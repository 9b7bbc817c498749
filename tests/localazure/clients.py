"""OpenAI's own clients on a local Azure with a port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import openai
import requests

from infra.localazure import LocalAzure, ids, roles
from infra.localazure.entities import CustomModel
from tests.localazure.cloud import (
    ARM,
    DATA_VERSION,
    OWNER,
    PRODUCTION,
    START,
    TUNED,
    VERSION,
    account_body,
    deployment_body,
)


@dataclass(frozen=True)
class Served:
    """An account that serves: its id, its endpoint and a key of it."""

    azure: LocalAzure
    account: str
    endpoint: str
    key: str

    def classic(self, version: str = DATA_VERSION, **more: Any) -> openai.AzureOpenAI:
        """The client of classic paths, by key unless it is given a token provider."""
        if "azure_ad_token_provider" not in more:
            more["api_key"] = self.key
        return openai.AzureOpenAI(azure_endpoint=self.endpoint, api_version=version, max_retries=0, **more)

    def v1(self, **more: Any) -> openai.OpenAI:
        """The client of v1, by key unless it is given something else."""
        return openai.OpenAI(base_url=f"{self.endpoint}openai/v1/", max_retries=0, **{"api_key": self.key, **more})

    def put(self, path: str, body: object) -> Any:
        """Create something as the owner."""
        return _put(self.azure, path, body)

    def deploy(self, name: str, model: str, model_version: str, **more: Any) -> None:
        """A further deployment."""
        self.put(f"{self.account}/deployments/{name}", deployment_body(model, model_version=model_version, **more))

    def let_in(self, who: str = OWNER) -> None:
        """Give somebody the right to call the models."""
        role = next(r for r in roles.built_in().values() if r.name == "Cognitive Services OpenAI User")
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role.id}"
        path = f"{self.account}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
        self.put(path, {"properties": {"roleDefinitionId": definition, "principalId": who}})


def serve(azure: LocalAzure) -> Served:
    """An account with a tuned deployment `bot` of capacity 5."""
    account = ids.account_id(PRODUCTION, "rg", "oai-prod")
    _put(azure, ids.group_id(PRODUCTION, "rg"), {"location": "swedencentral"})
    made = _put(azure, account, account_body(customSubDomainName="oai-prod"))
    model = CustomModel(id=TUNED, account=ids.key(account), base="gpt-4.1-mini-2025-04-14", created=START)
    azure.world.models.put(f"{model.account}|{model.id}", model)
    _put(azure, f"{account}/deployments/bot", deployment_body(TUNED, capacity=5))
    kept = azure.world.account(ids.key(account))
    assert kept is not None
    return Served(azure, account, made["properties"]["endpoint"], kept.keys[0])


def _put(azure: LocalAzure, path: str, body: object) -> Any:
    headers = {"authorization": f"Bearer {azure.token(OWNER, ARM)}"}
    version = "2022-04-01" if "roleAssignments" in path else VERSION
    answer = requests.put(f"{azure.origin}{path}?api-version={version}", json=body, headers=headers, timeout=5)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()
