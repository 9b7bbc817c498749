"""Azure's own management client against a port, unpatched: its models, its polling, its errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ClientSecretCredential
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient
from azure.mgmt.cognitiveservices import models as wire

from infra.localazure import LocalAzure, ids, models
from infra.localazure.entities import CustomModel
from tests.localazure.cloud import BARE, OWNER_APP, PRODUCTION, SECRET, START, TENANT, TRAINING, TUNED

GROUP = "rg"


def client(
    azure: LocalAzure, subscription: str = PRODUCTION, secret: str = SECRET
) -> CognitiveServicesManagementClient:
    credential = ClientSecretCredential(
        TENANT, OWNER_APP, secret, authority=azure.origin, disable_instance_discovery=True, retry_total=0
    )
    return CognitiveServicesManagementClient(
        credential, subscription, base_url=azure.origin, credential_scopes=["https://management.azure.com/.default"],
        polling_interval=0, retry_total=0,
    )  # fmt: skip


@pytest.fixture
def azure(azure: LocalAzure) -> LocalAzure:
    """With a resource group in every subscription."""
    from infra.localazure import bodies, groups
    from infra.localazure.world import Caller

    for subscription in (PRODUCTION, TRAINING, BARE):
        groups.put_group(azure.world, Caller("", TENANT), subscription, GROUP, bodies.Group(location="swedencentral"))
    return azure


@pytest.fixture
def arm(azure: LocalAzure) -> Iterator[CognitiveServicesManagementClient]:
    """The client of the production subscription."""
    with client(azure) as made:
        yield made


def account(name: str = "oai-prod", location: str = "swedencentral", **properties: object) -> wire.Account:
    return wire.Account(
        kind="OpenAI", location=location, sku=wire.Sku(name="S0"),
        properties=wire.AccountProperties(custom_sub_domain_name=name, **properties),
    )  # fmt: skip


def deployment(model: str = TUNED, capacity: int = 1, **more: str) -> wire.Deployment:
    return wire.Deployment(
        sku=wire.Sku(name="standard", capacity=capacity),
        properties=wire.DeploymentProperties(
            model=wire.DeploymentModel(format="OpenAI", name=model, version="1", **more)
        ),
    )


def tune(azure: LocalAzure, account_id: str, model: str = TUNED) -> None:
    made = CustomModel(id=model, account=ids.key(account_id), base="gpt-4.1-mini-2025-04-14", created=START)
    models.put(azure.world, made)


def test_an_accounts_life(azure, arm):
    made = arm.accounts.begin_create(GROUP, "oai-prod", account()).result()
    assert made.properties.provisioning_state == "Succeeded"
    assert made.properties.endpoint == f"{azure.origin}/oai-prod.openai.azure.com/"
    assert made.system_data.created_at == START, "on the virtual clock"
    assert [a.name for a in arm.accounts.list()] == ["oai-prod"]
    assert [a.name for a in arm.accounts.list_by_resource_group(GROUP)] == ["oai-prod"]
    changed = arm.accounts.begin_update(GROUP, "oai-prod", wire.Account(tags={"a": "b"})).result()
    assert changed.tags == {"a": "b"}
    keys = arm.accounts.list_keys(GROUP, "oai-prod")
    assert arm.accounts.regenerate_key(GROUP, "oai-prod", "Key1").key2 == keys.key2
    arm.accounts.begin_delete(GROUP, "oai-prod").result()
    with pytest.raises(ResourceNotFoundError):
        arm.accounts.get(GROUP, "oai-prod")
    gone = arm.deleted_accounts.get("swedencentral", GROUP, "oai-prod")
    assert gone.properties.deletion_date
    assert [a.name for a in arm.deleted_accounts.list()] == ["oai-prod"]
    arm.deleted_accounts.begin_purge("swedencentral", GROUP, "oai-prod").result()
    assert not list(arm.deleted_accounts.list())


def test_the_client_waits_while_an_account_is_creating(azure, arm):
    azure.switch(account_create=60.0)
    azure.world.clock.follow(2000)
    poller = arm.accounts.begin_create(GROUP, "oai-prod", account())
    made = poller.result()
    assert made.properties.provisioning_state == "Succeeded"
    assert (azure.world.now() - START).total_seconds() >= 60
    polls = [entry for entry in azure.app.log if "/operationResults/" in entry.path]
    assert polls, "it followed azure-asyncoperation"


def test_a_soft_deleted_name_is_a_conflict_and_a_restore_brings_it_back(azure, arm):
    made = arm.accounts.begin_create(GROUP, "oai-prod", account()).result()
    arm.accounts.begin_delete(GROUP, "oai-prod").result()
    with pytest.raises(ResourceExistsError) as refused:
        arm.accounts.begin_create(GROUP, "oai-prod", account())
    assert refused.value.error.code == "FlagMustBeSetForRestore"
    body = wire.Account(location="swedencentral", properties=wire.AccountProperties(restore=True))
    assert arm.accounts.begin_create(GROUP, "oai-prod", body).result().id == made.id


def test_a_deployments_life(azure, arm):
    owner = arm.accounts.begin_create(GROUP, "oai-prod", account()).result()
    tune(azure, owner.id)
    azure.switch(deployment_create=60.0, deployment_update=30.0, deployment_delete=20.0)
    azure.world.clock.follow(1000)
    made = arm.deployments.begin_create_or_update(GROUP, "oai-prod", "bot", deployment()).result()
    assert (made.properties.provisioning_state, made.sku.name) == ("Succeeded", "Standard")
    assert made.properties.model.name == TUNED
    assert made.properties.rai_policy_name == "Microsoft.DefaultV2"
    patch = wire.PatchResourceTagsAndSku(sku=wire.Sku(name="Standard", capacity=4), tags={"a": "b"})
    changed = arm.deployments.begin_update(GROUP, "oai-prod", "bot", patch).result()
    assert (changed.sku.capacity, changed.tags, changed.properties.provisioning_state) == (4, {"a": "b"}, "Succeeded")
    assert [d.name for d in arm.deployments.list(GROUP, "oai-prod")] == ["bot"]
    arm.deployments.begin_delete(GROUP, "oai-prod", "bot").result()
    assert not list(arm.deployments.list(GROUP, "oai-prod"))


def test_a_model_of_another_subscription_is_deployed_by_its_source(azure, arm):
    with client(azure, TRAINING) as training:
        source = training.accounts.begin_create(GROUP, "oai-train", account("oai-train", "northcentralus")).result()
    tune(azure, source.id)
    arm.accounts.begin_create(GROUP, "oai-prod", account()).result()
    made = arm.deployments.begin_create_or_update(GROUP, "oai-prod", "bot", deployment(source=source.id)).result()
    assert made.properties.model.source == source.id
    with pytest.raises(HttpResponseError) as refused:
        arm.deployments.begin_create_or_update(GROUP, "oai-prod", "other", deployment(TUNED[:-1] + "0"))
    assert refused.value.error.code == "DeploymentModelNotSupported"


def test_a_busy_sibling_arrives_as_exists_so_its_code_must_be_read(azure, arm):
    owner = arm.accounts.begin_create(GROUP, "oai-prod", account()).result()
    azure.switch(deployment_create=60.0)
    for number in (1, 2):
        tune(azure, owner.id, f"{TUNED[:-1]}{number}")
    arm.deployments.begin_create_or_update(GROUP, "oai-prod", "first", deployment(f"{TUNED[:-1]}1"), polling=False)
    with pytest.raises(ResourceExistsError) as refused:
        arm.deployments.begin_create_or_update(GROUP, "oai-prod", "second", deployment(f"{TUNED[:-1]}2"))
    assert refused.value.error.code == "RequestConflict"


def test_what_a_region_offers_and_uses_is_read(azure, arm):
    skus = {(item.model.name, sku.usage_name) for item in arm.models.list("swedencentral") for sku in item.model.skus}
    assert ("gpt-4.1-mini", "OpenAI.Standard.gpt4.1-mini-finetune") in skus
    usages = {u.name.value: u for u in arm.usages.list("swedencentral")}
    assert usages["OpenAI.FineTuned.Deployments"].limit == 10
    date = next(i.model.deprecation.inference for i in arm.models.list("swedencentral") if i.model.name == "gpt-4o")
    assert datetime.fromisoformat(str(date)).astimezone(UTC).year == 2026


def test_errors_arrive_as_the_clients_own(azure, arm):
    with client(azure, secret="wrong") as stranger, pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        stranger.accounts.get(GROUP, "oai-prod")
    with pytest.raises(ResourceNotFoundError) as missing:
        arm.accounts.get(GROUP, "nobody")
    assert missing.value.error.code == "ResourceNotFound"
    assert missing.value.error.message.startswith(
        "The Resource 'Microsoft.CognitiveServices/accounts/nobody' under resource group 'rg' was not found."
    )
    with pytest.raises(HttpResponseError) as refused:
        arm.accounts.begin_create(GROUP, "oai-prod", account(location="atlantis"))
    assert (refused.value.status_code, refused.value.error.code) == (400, "LocationNotAvailableForResourceType")


def test_a_provider_that_is_not_registered_stops_a_create(azure):
    with client(azure, BARE) as bare, pytest.raises(ResourceExistsError) as refused:
        bare.accounts.begin_create(GROUP, "oai-bare", account("oai-bare"))
    assert refused.value.error.code == "MissingSubscriptionRegistration", (
        "azure-mgmt-core registers by itself, but cannot read the answer to a long-running call (1.6.0)"
    )
