from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components import OpenAIAccount, OpenAIAccountArgs
from tests.components.conftest import ACCOUNT, GROUP


def args(**more: Any) -> OpenAIAccountArgs:
    found: Any = {
        "subscription_id": "22222222-2222-4222-8222-222222222222",
        "resource_group_name": "rg",
        "account_name": "Contoso-FT",
        "location": "swedencentral",
        **more,
    }
    return found


def test_an_account_is_made_with_its_group_and_without_keys_unless_asked_for(engine):
    recorded = engine(lambda: {"id": OpenAIAccount("a", args()).account_id})
    account = recorded.only(ACCOUNT)
    assert recorded.only(GROUP)["resourceGroupName"] == "rg"
    assert account["kind"] == "OpenAI"
    assert account["sku"] == {"name": "S0"}
    assert account["properties"]["disableLocalAuth"] is True, "keys are off: Entra tokens are the safe default"
    assert account["properties"]["publicNetworkAccess"] == "Enabled"
    assert "networkAcls" not in account["properties"], "rules that let everybody in are no rules"


def test_the_subdomain_follows_the_name_in_lower_case_because_it_is_a_host_name(engine):
    recorded = engine(lambda: {"id": OpenAIAccount("a", args()).account_id})
    assert recorded.only(ACCOUNT)["properties"]["customSubDomainName"] == "contoso-ft"


def test_a_group_that_is_there_is_used_and_not_made(engine):
    recorded = engine(lambda: {"id": OpenAIAccount("a", args(make_resource_group=False)).account_id})
    assert GROUP not in recorded.kinds(), "to make it would be to own it, and to delete it one day"
    assert recorded.only(ACCOUNT)["resourceGroupName"] == "rg"


def test_tags_of_the_account_alone_are_not_the_groups(engine):
    wish = args(tags={"team": "ml"}, account_tags={"hearth-active-bot": "bot-b"})
    recorded = engine(lambda: {"id": OpenAIAccount("a", wish).account_id})
    assert recorded.only(GROUP)["tags"] == {"team": "ml"}
    assert recorded.only(ACCOUNT)["tags"] == {"team": "ml", "hearth-active-bot": "bot-b"}


def test_naming_somebody_in_the_network_rules_keeps_everybody_else_out(engine):
    wish = args(allowed_addresses=["203.0.113.0/24"], allowed_subnets=["/subscriptions/s/x"], trusted_services=True)
    recorded = engine(lambda: {"id": OpenAIAccount("a", wish).account_id})
    rules = recorded.only(ACCOUNT)["properties"]["networkAcls"]
    assert rules["defaultAction"] == "Deny"
    assert rules["ipRules"] == [{"value": "203.0.113.0/24"}]
    assert rules["virtualNetworkRules"] == [{"id": "/subscriptions/s/x"}]
    assert rules["bypass"] == "AzureServices"


@pytest.mark.parametrize(("identity", "declared"), [("None", None), ("SystemAssigned", {"type": "SystemAssigned"})])
def test_no_identity_is_left_out_because_to_azure_none_and_absent_are_one(engine, identity, declared):
    recorded = engine(lambda: {"id": OpenAIAccount("a", args(identity=identity)).account_id})
    assert recorded.only(ACCOUNT).get("identity") == declared


def test_an_account_of_somebody_else_is_read_and_nothing_of_it_is_declared(engine):
    def declare() -> dict[str, pulumi.Output[Any]]:
        made = OpenAIAccount("a", args(existing=True))
        return {"id": made.account_id, "endpoint": made.endpoint, "name": made.account_name}

    recorded = engine(declare)
    address = (
        "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg"
        "/providers/Microsoft.CognitiveServices/accounts/Contoso-FT"
    )
    assert recorded.outputs["id"] == address
    assert recorded.only(ACCOUNT) == {}, "a read has no inputs, so there is nothing to write"
    assert GROUP not in recorded.kinds()


def test_outputs_are_what_azure_answered(engine):
    def declare() -> dict[str, pulumi.Output[Any]]:
        made = OpenAIAccount("a", args(tags={"team": "support"}))
        return {"endpoint": made.endpoint, "location": made.location, "principal": made.principal_id}

    recorded = engine(declare)
    assert recorded.outputs == {
        "endpoint": "https://contoso.openai.azure.com/",
        "location": "swedencentral",
        "principal": None,
    }
    assert recorded.only(GROUP)["tags"] == recorded.only(ACCOUNT)["tags"] == {"team": "support"}


def test_the_type_token_is_fixed_because_state_is_kept_under_it(engine):
    recorded = engine(lambda: {"id": OpenAIAccount("a", args()).account_id})
    assert "hearth:index:OpenAIAccount" in recorded.kinds()
