"""A model from another account: proven on the other side, in another region, subscription or tenant."""

from __future__ import annotations

import pytest

from infra.localazure import ids
from tests.localazure.cloud import (
    ABROAD,
    ABROAD_OWNER,
    OTHER_TENANT,
    OWNER,
    PRODUCTION,
    TENANT,
    TRAINING,
    TUNED,
    Cloud,
)


@pytest.fixture
def source(cloud: Cloud) -> str:
    """An account in another region and subscription, with a tuned model."""
    made = cloud.account("oai-train", TRAINING, "northcentralus")
    cloud.tune(made)
    return made


@pytest.fixture
def target(cloud: Cloud) -> str:
    """The account that is to serve it."""
    return cloud.account()


def test_a_model_of_another_region_and_subscription_is_deployed_and_answers(cloud, source, target):
    deployment = cloud.serve(target, source=source)
    assert cloud.chat(deployment).body["model"] == TUNED
    assert cloud.get(deployment).body["properties"]["model"]["source"] == source
    assert not cloud.get(f"{source}/deployments").body["value"], "nothing is deployed at the source"


def test_without_a_source_a_model_of_elsewhere_is_unknown(cloud, source, target):
    assert cloud.deploy(target).refusal == (400, "DeploymentModelNotSupported")


def test_the_model_must_be_at_the_source(cloud, source, target):
    other = TUNED[:-1] + "8"
    answer = cloud.deploy(target, "bot", other, source=source)
    assert answer.refusal == (400, "DeploymentModelNotSupported")
    wanted = f"Format: OpenAI, Name: {other}, Version: 1, Source: {source}"
    assert answer.error["message"] == f"The model '{wanted}' of account deployment is not supported."


def test_the_source_must_exist(cloud, source, target):
    nobody = ids.account_id(TRAINING, "rg", "nobody")
    assert cloud.deploy(target, source=nobody).refusal == (400, "DeploymentModelNotSupported")
    cloud.ask("DELETE", source)
    assert cloud.deploy(target, source=source).refusal == (400, "DeploymentModelNotSupported"), "a deleted one does not"


@pytest.mark.parametrize("role", ["Reader", "Cognitive Services OpenAI User", "Cognitive Services User", None])
def test_a_caller_who_may_not_use_the_source_is_told_of_the_linked_scope(cloud, source, target, role):
    who = cloud.grant("Cognitive Services OpenAI Contributor", target, client_id="an-app")
    if role:
        cloud.assign(who, role, source)
    answer = cloud.deploy(target, source=source, who=who)
    assert answer.refusal == (403, "LinkedAuthorizationFailed")
    assert f"'{source}'" in answer.error["message"]
    assert f"with object id '{who}'" in answer.error["message"]
    assert not cloud.world.deployments


def test_openai_contributor_on_both_sides_is_enough(cloud, source, target):
    who = cloud.grant("Cognitive Services OpenAI Contributor", target)
    cloud.assign(who, "Cognitive Services OpenAI Contributor", source)
    assert cloud.deploy(target, source=source, who=who).status == 201


def test_a_role_at_the_source_alone_does_not_open_the_target(cloud, source, target):
    who = cloud.grant("Cognitive Services OpenAI Contributor", source)
    assert cloud.deploy(target, source=source, who=who).refusal == (403, "AuthorizationFailed")


def test_an_unknown_subscription_of_the_source_is_refused_like_a_forbidden_one(cloud, target):
    nowhere = ids.account_id("99999999-9999-4999-8999-999999999999", "rg", "oai")
    assert cloud.deploy(target, source=nowhere).refusal == (403, "LinkedAuthorizationFailed")
    assert cloud.deploy(target, source="rubbish").refusal == (403, "LinkedAuthorizationFailed")


def test_a_base_model_has_no_source(cloud, source, target):
    answer = cloud.deploy(target, "base", "gpt-4o-mini", model_version="2024-07-18", source=source)
    assert answer.refusal == (400, "DeploymentModelNotSupported")


def test_the_source_is_compared_without_regard_to_case(cloud, source, target):
    cloud.serve(target, source=source)
    again = cloud.deploy(target, source=source.upper(), capacity=2)
    assert again.status == 200, "the same model: so capacity may change"


def test_the_target_must_offer_the_sku_not_the_source(cloud, source):
    west = cloud.account("oai-west", location="westeurope")
    assert cloud.deploy(west, source=source).refusal == (400, "InvalidResourceProperties")


# --- another tenant ------------------------------------------------------------------------------------------------


@pytest.fixture
def abroad(cloud: Cloud) -> str:
    """An account of another tenant, with a tuned model."""
    made = cloud.account("oai-abroad", ABROAD, "northcentralus", who=ABROAD_OWNER)
    cloud.tune(made)
    return made


def test_another_tenant_needs_an_auxiliary_token_of_its_own(cloud, abroad, target):
    answer = cloud.deploy(target, source_account=abroad)
    assert answer.refusal == (403, "LinkedAuthorizationFailed")
    assert (
        f"current tenant '{TENANT}' is not authorized to access linked subscription '{ABROAD}'"
        in answer.error["message"]
    )
    auxiliary = {"x-ms-authorization-auxiliary": f"Bearer {cloud.token(ABROAD_OWNER)}"}
    made = cloud.deploy(target, source_account=abroad, headers=auxiliary)
    assert made.status == 201
    assert made.body["properties"]["model"]["sourceAccount"] == abroad


def test_the_auxiliary_token_must_hold_its_role_too(cloud, abroad, target):
    stranger = cloud.grant("Reader", abroad, tenant=OTHER_TENANT)
    auxiliary = {"x-ms-authorization-auxiliary": f"Bearer {cloud.token(stranger)}"}
    assert cloud.deploy(target, source_account=abroad, headers=auxiliary).refusal == (403, "LinkedAuthorizationFailed")


def test_a_bad_auxiliary_token_is_refused_like_any_bad_token(cloud, target):
    for token in ("rubbish", cloud.token(OWNER)[:-4] + "AAAA"):
        answer = cloud.get(target, headers={"x-ms-authorization-auxiliary": f"Bearer {token}"})
        assert answer.refusal == (401, "InvalidAuthenticationToken")


def test_an_auxiliary_token_opens_nothing_else(cloud, abroad):
    auxiliary = {"x-ms-authorization-auxiliary": f"Bearer {cloud.token(ABROAD_OWNER)}"}
    assert cloud.get(abroad, headers=auxiliary).refusal == (401, "InvalidAuthenticationTokenTenant")
    assert cloud.get(ids.group_id(PRODUCTION, "rg"), headers=auxiliary).status in {200, 404}
