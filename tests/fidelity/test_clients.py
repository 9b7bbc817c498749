"""Azure's own clients, unpatched, on a local Azure or on real Azure."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import openai
import pytest
from azure.identity import get_bearer_token_provider
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.authorization.models import RoleAssignmentCreateParameters
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient, aio
from azure.mgmt.cognitiveservices import models as wire

from tests.fidelity.place import DATA_SCOPE, Place

MODEL, VERSION = "gpt-4.1-mini", "2025-04-14"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def wanted(place: Place) -> wire.Account:
    properties = wire.AccountProperties(custom_sub_domain_name=place.account)
    return wire.Account(kind="OpenAI", location=place.region, sku=wire.Sku(name="S0"), properties=properties)


@contextmanager
def client(place: Place) -> Iterator[CognitiveServicesManagementClient]:
    with CognitiveServicesManagementClient(
        place.credential(), place.subscription, polling_interval=place.polling, **place.arguments()
    ) as made:
        yield made


@pytest.fixture
def account(place: Place) -> Iterator[wire.Account]:
    """An account, deleted and purged in the end."""
    with client(place) as arm:
        try:
            yield arm.accounts.begin_create(place.group, place.account, wanted(place)).result()
        finally:
            arm.accounts.begin_delete(place.group, place.account).result()
            arm.deleted_accounts.begin_purge(place.region, place.group, place.account).result()


def test_what_a_region_offers_is_read(place: Place):
    with client(place) as arm:
        offered = {item.model.name for item in arm.models.list(place.region)}
        usages = {usage.name.value for usage in arm.usages.list(place.region)}
    assert MODEL in offered
    assert "OpenAI.FineTuned.Deployments" in usages


def test_an_accounts_life_by_the_asynchronous_client(place: Place):
    async def live() -> None:
        credential = place.async_credential()
        arm = aio.CognitiveServicesManagementClient(
            credential, place.subscription, polling_interval=place.polling, **place.arguments(), **place.trust
        )
        async with credential, arm:
            made = await (await arm.accounts.begin_create(place.group, place.account, wanted(place))).result()
            assert made.properties.provisioning_state == "Succeeded"
            listed = [a.name async for a in arm.accounts.list_by_resource_group(place.group)]
            assert place.account in listed
            assert (await arm.accounts.list_keys(place.group, place.account)).key1
            change = wire.Account(tags={"purpose": "fidelity"})
            changed = await (await arm.accounts.begin_update(place.group, place.account, change)).result()
            assert changed.tags == {"purpose": "fidelity"}
            assert [d async for d in arm.deployments.list(place.group, place.account)] == []
            await (await arm.accounts.begin_delete(place.group, place.account)).result()
            gone = await arm.deleted_accounts.get(place.region, place.group, place.account)
            assert gone.properties.scheduled_purge_date
            await (await arm.deleted_accounts.begin_purge(place.region, place.group, place.account)).result()

    asyncio.run(live())


def test_a_role_is_given_read_and_taken_away(place: Place, account: wire.Account):
    with AuthorizationManagementClient(place.credential(), place.subscription, **place.arguments()) as roles:
        (reader,) = roles.role_definitions.list(account.id, filter="roleName eq 'Reader'")
        assert reader.name == READER
        mine = next(iter(roles.role_assignments.list_for_scope(place.scope)))
        asked = RoleAssignmentCreateParameters(
            role_definition_id=reader.id, principal_id=mine.principal_id, principal_type=mine.principal_type
        )
        name = str(uuid.uuid4())
        given = roles.role_assignments.create(account.id, name, asked)
        assert (given.scope.lower(), given.name) == (account.id.lower(), name)
        assert name in [r.name for r in roles.role_assignments.list_for_scope(account.id, filter="atScope()")]
        roles.role_assignments.delete(account.id, name)
        assert name not in [r.name for r in roles.role_assignments.list_for_scope(account.id)]


@pytest.mark.costly
def test_a_deployment_answers_both_clients_by_key(place: Place, account: wire.Account):
    model = wire.DeploymentModel(format="OpenAI", name=MODEL, version=VERSION)
    body = wire.Deployment(
        sku=wire.Sku(name="GlobalStandard", capacity=10), properties=wire.DeploymentProperties(model=model)
    )
    with client(place) as arm:
        arm.deployments.begin_create_or_update(place.group, place.account, "bot", body).result()
        key = arm.accounts.list_keys(place.group, place.account).key1
    endpoint = account.properties.endpoint
    question = [{"role": "user", "content": "Say hello."}]
    classic = openai.AzureOpenAI(azure_endpoint=endpoint, api_key=key, api_version="2024-10-21", max_retries=10)
    with classic:
        said = classic.chat.completions.create(model="bot", messages=question, max_tokens=5)
    assert said.choices[0].message.content
    with openai.OpenAI(base_url=f"{endpoint}openai/v1/", api_key=key, max_retries=10) as new:
        assert new.chat.completions.create(model="bot", messages=question, max_tokens=5).choices[0].message.content
        assert new.models.list().data


def test_the_owner_of_an_account_may_not_call_its_models_because_that_is_a_data_action(
    place: Place, account: wire.Account
):
    provider = get_bearer_token_provider(place.credential(), DATA_SCOPE)
    classic = openai.AzureOpenAI(
        azure_endpoint=account.properties.endpoint, azure_ad_token_provider=provider, api_version="2024-10-21"
    )
    with classic, pytest.raises(openai.AuthenticationError) as refused:
        classic.chat.completions.create(model="bot", messages=[{"role": "user", "content": "hello"}])
    assert refused.value.code == "PermissionDenied"
