"""The account, its place and who may use it."""

from __future__ import annotations

import pytest

from tests.spec.desk import GONE, SOMEBODY, Desk

GUID = "must be an id such as 9f1c0a52-1111-4222-8333-444455556666"
ACCOUNT = "must have 2 to 64 letters, digits, '.', '_' or '-', and start with a letter or digit"
GROUP = "must have 1 to 90 letters, digits, '.', '_', '-' or parentheses, and not end with '.'"
SUBDOMAIN = "must have 2 to 64 lower-case letters, digits or '-', and neither start nor end with '-'"


# --- place ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["Sweden Central", "SwedenCentral", "sweden central"])
def test_a_region_is_written_by_its_name(desk: Desk, written: str):
    assert desk.told({"azure-native:location": written}) == [
        f'azure-native:location: must be the name of the region, "swedencentral", not "{written}"'
    ]


def test_a_misspelt_region_is_told_with_the_one_that_was_meant(desk: Desk):
    (told,) = desk.told({"azure-native:location": "swedencentrall"})
    assert told == (
        'azure-native:location: "swedencentrall" is no region with Azure OpenAI (as of 2026-10-31; a newer one is '
        'added in infra/spec/limits.yaml); did you mean "swedencentral"?'
    )


def test_an_unknown_region_is_told_with_the_day_of_the_list(desk: Desk):
    (told,) = desk.told({"azure-native:location": "atlantis"})
    assert told == (
        'azure-native:location: "atlantis" is no region with Azure OpenAI (as of 2026-10-31; a newer one is added in '
        "infra/spec/limits.yaml)"
    )


@pytest.mark.parametrize("written", ["my-subscription", "2222", "{22222222-2222-4222-8222-222222222222}", ""])
def test_a_subscription_is_an_id(desk: Desk, written: str):
    (told,) = desk.told({"azure-native:subscriptionId": written})
    wanted = f'{GUID}, not "{written}"' if written else "has no value; write one"
    assert told == f"azure-native:subscriptionId: {wanted}"


def test_ids_are_kept_in_lower_case_so_that_they_compare(desk: Desk):
    stack = desk.load({"azure-native:subscriptionId": "ABCDEFAB-0000-4000-8000-000000000001"})
    assert stack.subscription == "abcdefab-0000-4000-8000-000000000001"


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x", "-contoso", "contoso ft", "a" * 65, "contoso/ft"])
def test_an_account_name_that_azure_refuses_is_told(desk: Desk, name: str):
    (told,) = desk.told({"hearth:account/name": name})
    assert told.startswith(f"hearth:account/name: {ACCOUNT}, not ")


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Contoso-FT-1"])
def test_an_account_name_that_azure_takes_passes(desk: Desk, name: str):
    assert desk.told({"hearth:account/name": name}) == []


@pytest.mark.parametrize("name", ["rg.", "", "r" * 91, "rg/x", "rg x"])
def test_a_resource_group_that_azure_refuses_is_told(desk: Desk, name: str):
    assert desk.told({"hearth:account/resourceGroup": name}) == [
        f'hearth:account/resourceGroup/name: {GROUP}, not "{name[:60]}{"…" * (len(name) > 60)}"'
    ]


@pytest.mark.parametrize("name", ["r", "rg.x", "(rg)", "gruppe-münchen", "r" * 90])
def test_a_resource_group_that_azure_takes_passes(desk: Desk, name: str):
    assert desk.told({"hearth:account/resourceGroup": name}) == []


@pytest.mark.parametrize("name", ["-a", "a-", "Contoso", "a.b", "a_b", "a"])
def test_a_subdomain_that_azure_refuses_is_told(desk: Desk, name: str):
    assert desk.told({"hearth:account/subdomain": name}) == [f'hearth:account/subdomain: {SUBDOMAIN}, not "{name}"']


def test_a_name_that_cannot_be_the_subdomain_needs_one_of_its_own(desk: Desk):
    (told,) = desk.told({"hearth:account/name": "contoso_ft"})
    assert told == (
        f'hearth:account/name: "contoso_ft" cannot be the subdomain, which {SUBDOMAIN}; name one with the key subdomain'
    )
    assert desk.told({"hearth:account/name": "contoso_ft", "hearth:account/subdomain": "contoso-ft"}) == []


# --- somebody else's account ---------------------------------------------------------------------------------------


def test_keys_that_say_nothing_of_somebody_elses_account_are_told(desk: Desk):
    told = desk.told(
        {
            "hearth:account/manage": False,
            "hearth:account/kind": "AIServices",
            "hearth:account/subdomain": "contoso",
            "hearth:account/tags": {"a": "b"},
            "hearth:account/protect": True,
        }
    )
    text = "says nothing where manage is false, for hearth only refers to that account; remove it"
    assert told == [f"hearth:account/{key}: {text}" for key in ("subdomain", "tags", "protect")]


def test_somebody_elses_account_may_have_a_name_that_is_no_subdomain(desk: Desk):
    assert desk.told({"hearth:account/manage": False, "hearth:account/name": "contoso_ft"}) == []


# --- network -------------------------------------------------------------------------------------------------------

SUBNET = "/subscriptions/x/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s"


@pytest.mark.parametrize("key", ["allow", "subnets"])
def test_letting_somebody_in_without_public_access_contradicts_itself(desk: Desk, key: str):
    value = ["203.0.113.0/24"] if key == "allow" else [SUBNET]
    (told,) = desk.told({"hearth:account/network": {"publicAccess": False, key: value}})
    assert told == (
        "hearth:account/network/publicAccess: false leaves private endpoints alone: allow and subnets would let nobody "
        "in; remove one or the other"
    )


def test_trusted_services_need_somebody_to_be_kept_out(desk: Desk):
    (told,) = desk.told({"hearth:account/network": {"trustedServices": True}})
    assert told.startswith("hearth:account/network/trustedServices: lets Azure's own services past allow and subnets")
    assert desk.told({"hearth:account/network": {"trustedServices": True, "allow": ["203.0.113.7"]}}) == []


@pytest.mark.parametrize("address", ["10.0.0.256", "::1", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "office", "10.1"])
def test_an_address_that_is_not_ipv4_is_told(desk: Desk, address: str):
    assert desk.told({"hearth:account/network": {"allow": ["203.0.113.1", address]}}) == [
        f'hearth:account/network/allow/1: must be an IPv4 address or range such as "203.0.113.0/24", not "{address}"'
    ]


def test_a_subnet_is_named_by_its_id(desk: Desk):
    assert desk.told({"hearth:account/network": {"subnets": ["apps"]}}) == [
        'hearth:account/network/subnets/0: must be a resource id that starts with /subscriptions/, not "apps"'
    ]


# --- access --------------------------------------------------------------------------------------------------------


def test_a_principal_is_an_object_id(desk: Desk):
    assert desk.told({"hearth:access/0/principal": "alice@contoso.com"}) == [
        f'hearth:access/0/principal: {GUID}, not "alice@contoso.com"'
    ]


def test_an_unknown_role_is_told_with_the_one_that_was_meant(desk: Desk):
    assert desk.told({"hearth:access/0/role": "Cognitive Service OpenAI User"}) == [
        'hearth:access/0/role: "Cognitive Service OpenAI User" is no role that is known by name; any role can be '
        'given by its id; did you mean "Cognitive Services OpenAI User"?'
    ]


@pytest.mark.parametrize(
    "written",
    ["Cognitive Services OpenAI User", "cognitive services openai user", "5E0BD9BD-7B93-4F28-AF87-19FC36AD61BD"],
)
def test_a_role_is_given_by_name_in_any_case_or_by_id(desk: Desk, written: str):
    (item,) = desk.load({"hearth:access/0/role": written}).access
    assert item.role == "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"


def test_the_same_role_twice_is_told_however_it_is_written(desk: Desk):
    role = {"principal": SOMEBODY.upper(), "role": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd", "principalType": "Group"}
    assert desk.told({"hearth:access": [{"principal": SOMEBODY, "role": "Cognitive Services OpenAI User"}, role]}) == [
        "hearth:access/1: gives the same role to the same principal as item 0; remove one"
    ]


def test_items_keep_their_numbers_behind_one_that_cannot_be_read(desk: Desk):
    good = {"principal": SOMEBODY, "role": "Reader"}
    told = desk.told({"hearth:access": [{"principal": "me", "role": "Reader"}, "x", good, good]})
    assert told[-1] == "hearth:access/3: gives the same role to the same principal as item 2; remove one"


def test_nobody_need_be_given_access(desk: Desk):
    assert desk.load({"hearth:access": GONE}).access == ()
