"""CognitiveServices accounts: how they are made, what they keep, what they refuse."""

from __future__ import annotations

import pytest

from infra.localazure import ids
from tests.localazure.cloud import ABROAD_OWNER, DATA, PRODUCTION, TENANT, TRAINING, Cloud, account_body

ACCOUNT = ids.account_id(PRODUCTION, "rg", "oai-prod")


def put(cloud: Cloud, path: str = ACCOUNT, location: str = "swedencentral", kind: str = "OpenAI", **properties):
    return cloud.put(path, account_body(location, kind, **properties))


def state(cloud: Cloud, path: str = ACCOUNT) -> str:
    return cloud.get(path).body["properties"]["provisioningState"]


# --- create --------------------------------------------------------------------------------------------------------


def test_a_create_is_a_long_running_operation(cloud):
    cloud.group()
    made = put(cloud, customSubDomainName="oai-prod")
    assert made.status == 201
    assert made.body["properties"]["provisioningState"] == "Creating"
    assert "retry-after" not in made.headers, "recorded traffic has none"
    followed = made.headers["azure-asyncoperation"]
    assert followed.startswith(
        f"{cloud.world.origin}/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices/locations/"
        "swedencentral/operationResults/"
    )
    path, _, query = followed.removeprefix(cloud.world.origin).partition("?")
    assert query.startswith("api-version=")
    going = cloud.get(path)
    assert (going.status, going.body["status"]) == (200, "InProgress")
    assert "endTime" not in going.body
    assert state(cloud) == "Creating"
    cloud.settle()
    done = cloud.get(path).body
    assert done["status"] == "Succeeded"
    assert done["startTime"] < done["endTime"]
    assert state(cloud) == "Succeeded"


def test_an_account_is_answered_as_azure_does(cloud):
    body = cloud.get(cloud.account()).body
    assert body["id"] == ACCOUNT
    assert (body["type"], body["kind"], body["sku"]) == (
        "Microsoft.CognitiveServices/accounts",
        "OpenAI",
        {"name": "S0"},
    )
    assert body["etag"].startswith('"')
    assert body["etag"].endswith('"'), "the value carries its own quotes"
    assert body["systemData"]["createdByType"] == "Application"
    properties = body["properties"]
    assert properties["endpoint"] == f"{cloud.world.origin}/oai-prod.openai.azure.com/"
    assert properties["networkAcls"] == {"defaultAction": "Allow", "virtualNetworkRules": [], "ipRules": []}
    assert {"name": "MaxFineTuneCount", "value": "500"} in properties["capabilities"]
    assert (properties["publicNetworkAccess"], properties["disableLocalAuth"]) == ("Enabled", False)
    assert "tags" not in body, "what was not given is not there"


def test_the_header_repeats_the_etag_which_changes_with_every_write(cloud):
    path = cloud.account()
    before = cloud.get(path)
    assert before.headers["etag"] == before.body["etag"]
    assert cloud.ask("PATCH", path, {"tags": {"a": "b"}}).body["etag"] != before.body["etag"]


@pytest.mark.parametrize(
    ("kind", "host"),
    [("OpenAI", "oai-prod.openai.azure.com"), ("AIServices", "oai-prod.cognitiveservices.azure.com")],
)
def test_the_endpoint_follows_from_kind_and_subdomain(cloud, kind, host):
    cloud.group()
    made = put(cloud, kind=kind, customSubDomainName="oai-prod").body
    assert made["properties"]["endpoint"] == f"{cloud.world.origin}/{host}/"
    assert f"{cloud.world.origin}/oai-prod.openai.azure.com/" in made["properties"]["endpoints"].values()


def test_without_a_subdomain_the_endpoint_is_the_regions_and_takes_keys_alone(cloud):
    cloud.group()
    made = put(cloud).body
    cloud.settle()
    assert made["properties"]["endpoint"] == f"{cloud.world.origin}/swedencentral.api.cognitive.microsoft.com/"
    assert "networkAcls" not in made["properties"]
    path = "/swedencentral.api.cognitive.microsoft.com/openai/models"
    with_key = cloud.get(path, who=None, headers={"api-key": cloud.key(ACCOUNT)}, version="2024-10-21")
    assert with_key.status == 200
    user = cloud.grant("Cognitive Services OpenAI User", ACCOUNT)
    assert cloud.get(path, who=user, audience=DATA, version="2024-10-21").refusal == (401, "401")


def test_nothing_answers_before_the_account_is_made(cloud):
    cloud.group()
    put(cloud, customSubDomainName="oai-prod")
    path = "/oai-prod.openai.azure.com/openai/models"
    ask = {"who": None, "headers": {"api-key": cloud.key(ACCOUNT)}, "version": "2024-10-21"}
    assert cloud.get(path, **ask).refusal == (404, "404")
    cloud.settle()
    assert cloud.get(path, **ask).status == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"location": None}, 400, "LocationRequired"),
        ({"location": "atlantis"}, 400, "LocationNotAvailableForResourceType"),
        ({"kind": None}, 400, "InvalidRequestContent"),
        ({"kind": "Oracle"}, 400, "InvalidApiSetId"),
        ({"sku": None}, 400, "InvalidRequestContent"),
        ({"sku": {"name": "S7"}}, 400, "InvalidSkuId"),
        ({"sku": "S0"}, 400, "InvalidRequestContent"),
        ({"tags": {"a": ["b"]}}, 400, "InvalidRequestContent"),
        ({"properties": {"restore": True}}, 409, "CanNotRestoreANonExistingResource"),
        ({"properties": {"customSubDomainName": "with_underscore"}}, 400, "CustomDomainInvalid"),
        ({"properties": {"publicNetworkAccess": "Sometimes"}}, 400, "InvalidRequestContent"),
        ({"properties": {"disableLocalAuth": "yes"}}, 400, "InvalidRequestContent"),
        ({"properties": {"networkAcls": {"defaultAction": "Deny"}}}, 400, "BadRequest"),
        ({"identity": {"type": "Secret"}}, 400, "InvalidRequestContent"),
        (
            {"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/nobody": {}}}},
            403,
            "LinkedAuthorizationFailed",
        ),
    ],
)
def test_a_create_that_azure_refuses_is_refused_and_leaves_nothing(cloud, change, status, code):
    cloud.group()
    body = {k: v for k, v in {**account_body(customSubDomainName="oai-prod"), **change}.items() if v is not None}
    assert cloud.put(ACCOUNT, body).refusal == (status, code)
    assert cloud.get(ACCOUNT).status == 404
    assert not cloud.world.subdomains, "a refused write changes nothing"
    assert len(cloud.world.principals) == 2


@pytest.mark.parametrize("name", ["a", "-starts-with-a-hyphen", "x" * 65, "spaces%20inside"])
def test_names_that_azure_refuses_are_refused(cloud, name):
    cloud.group()
    assert put(cloud, ids.account_id(PRODUCTION, "rg", name)).refusal == (400, "InvalidResourceName")


def test_the_group_must_be_there_first(cloud):
    assert put(cloud).refusal == (404, "ResourceGroupNotFound")


def test_a_region_takes_thirty_openai_accounts(cloud):
    cloud.group()
    for number in range(30):
        assert put(cloud, ids.account_id(PRODUCTION, "rg", f"oai-{number}")).status == 201
    assert put(cloud).refusal == (400, "QuotaExceeded")
    assert put(cloud, location="eastus2").status == 201, "the limit is the region's"
    assert put(cloud, ids.account_id(PRODUCTION, "rg", "ais"), kind="AIServices").status == 201, "and the kind's"


# --- change --------------------------------------------------------------------------------------------------------


def test_a_second_put_is_an_update_that_replaces(cloud):
    path = cloud.account(disableLocalAuth=True)
    cloud.ask("PATCH", path, {"tags": {"a": "b"}})
    again = put(cloud, path)
    assert again.status == 200
    assert again.body["properties"]["disableLocalAuth"] is False
    assert "tags" not in again.body
    assert again.body["properties"]["customSubDomainName"] == "oai-prod", "a subdomain once taken stays"


def test_a_patch_changes_what_it_names(cloud):
    path = cloud.account(disableLocalAuth=True)
    patched = cloud.ask("PATCH", path, {"tags": {"a": "b"}, "properties": {"publicNetworkAccess": "Disabled"}})
    assert patched.status == 200
    properties = patched.body["properties"]
    assert (properties["disableLocalAuth"], properties["publicNetworkAccess"]) == (True, "Disabled")
    assert patched.body["tags"] == {"a": "b"}
    assert cloud.ask("PATCH", ids.account_id(PRODUCTION, "rg", "nobody"), {}).refusal == (404, "ResourceNotFound")


def test_an_account_that_is_still_being_made_takes_no_write(cloud):
    cloud.group()
    put(cloud)
    for method, path, body in (
        ("PUT", ACCOUNT, account_body()),
        ("PATCH", ACCOUNT, {"tags": {}}),
        ("DELETE", ACCOUNT, None),
        ("POST", f"{ACCOUNT}/regenerateKey", {"keyName": "Key1"}),
    ):
        assert cloud.ask(method, path, body).refusal == (409, "RequestConflict"), method
    assert cloud.deploy(ACCOUNT).refusal == (409, "AccountProvisioningStateInvalid")


def test_an_account_stays_in_its_region(cloud):
    path = cloud.account()
    answer = put(cloud, path, location="eastus2", disableLocalAuth=True)
    assert answer.refusal == (409, "InvalidResourceLocation")
    assert cloud.ask("PATCH", path, {"location": "eastus2"}).refusal == (409, "InvalidResourceLocation")
    assert cloud.get(path).body["properties"]["disableLocalAuth"] is False


def test_a_kind_changes_only_from_openai_to_aiservices(cloud):
    path = cloud.account()
    assert put(cloud, path, kind="AIServices").body["kind"] == "AIServices"
    assert put(cloud, path, kind="OpenAI").refusal == (400, "UpdateKindNotAllowed")


def test_a_taken_subdomain_is_taken_in_the_whole_world(cloud):
    cloud.account()
    cloud.group("rg", TRAINING)
    abroad = ids.account_id(TRAINING, "rg", "another")
    answer = put(cloud, abroad, customSubDomainName="OAI-Prod")
    assert answer.refusal == (409, "CustomDomainInUse")
    assert answer.error["message"].startswith(
        "Please pick a different name. The subdomain name 'OAI-Prod' is not available as it's already used by a "
        "resource."
    )
    assert cloud.get(abroad).status == 404
    check = f"/subscriptions/{TRAINING}/providers/Microsoft.CognitiveServices/checkDomainAvailability"
    body = {"type": "Microsoft.CognitiveServices/accounts", "subdomainName": "oai-prod"}
    assert cloud.ask("POST", check, body).body["isSubdomainAvailable"] is False
    assert cloud.ask("POST", check, {**body, "subdomainName": "free"}).body["isSubdomainAvailable"] is True


def test_a_subdomain_can_be_added_once_and_then_not_changed(cloud):
    cloud.group()
    put(cloud)
    cloud.settle()
    assert put(cloud, customSubDomainName="first").status == 200
    refused = cloud.put(
        ACCOUNT, {**account_body(customSubDomainName="second", disableLocalAuth=True), "tags": {"a": "b"}}
    )
    assert refused.refusal == (400, "BadRequest")
    found = cloud.get(ACCOUNT).body
    assert (found["properties"]["customSubDomainName"], found["properties"]["disableLocalAuth"]) == ("first", False)
    assert "tags" not in found, "a refused write changes nothing"
    assert "second" not in cloud.world.subdomains


def test_names_compare_without_regard_to_case(cloud):
    cloud.account()
    upper = ACCOUNT.upper().replace(
        "/PROVIDERS/MICROSOFT.COGNITIVESERVICES/ACCOUNTS", "/providers/microsoft.cognitiveservices/Accounts"
    )
    assert cloud.get(upper).body["id"] == ACCOUNT, "and are answered in the case they were made with"
    assert put(cloud, upper).status == 200
    assert (
        len(cloud.get(f"/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices/accounts").body["value"]) == 1
    )


def test_accounts_are_listed_by_group_and_by_subscription(cloud):
    cloud.account()
    cloud.account("oai-two", group="rg-two")

    def names(path: str) -> list[str]:
        return [a["name"] for a in cloud.get(f"{path}/providers/Microsoft.CognitiveServices/accounts").body["value"]]

    assert names(f"/subscriptions/{PRODUCTION}") == ["oai-prod", "oai-two"]
    assert names(ids.group_id(PRODUCTION, "rg-two")) == ["oai-two"]
    assert cloud.get(
        f"{ids.group_id(PRODUCTION, 'nobody')}/providers/Microsoft.CognitiveServices/accounts"
    ).refusal == (404, "ResourceGroupNotFound")


# --- identity ------------------------------------------------------------------------------------------------------


def test_a_system_assigned_identity_is_a_principal_that_roles_can_be_given_to(cloud):
    path = cloud.account()
    body = account_body(customSubDomainName="oai-prod") | {"identity": {"type": "SystemAssigned"}}
    identity = cloud.put(path, body).body["identity"]
    assert (identity["type"], identity["tenantId"]) == ("SystemAssigned", TENANT)
    assert cloud.world.principals.get(identity["principalId"]) is not None
    assert cloud.put(path, body).body["identity"] == identity, "an update keeps it"
    off = cloud.ask("PATCH", path, {"identity": {"type": "None"}})
    assert off.body["identity"] == {"type": "None"}
    assert cloud.world.principals.get(identity["principalId"]) is None, "it leaves the directory with the identity"


def test_a_user_assigned_identity_is_answered_with_its_ids(cloud):
    cloud.group()
    identity = f"{ids.group_id(PRODUCTION, 'rg')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who"
    made = cloud.put(identity, {"location": "swedencentral"}).body["properties"]
    body = account_body() | {"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}}
    found = cloud.put(ACCOUNT, body).body["identity"]["userAssignedIdentities"][identity]
    assert found == {"principalId": made["principalId"], "clientId": made["clientId"]}


# --- keys and network ----------------------------------------------------------------------------------------------


def test_keys_are_listed_and_regenerated_one_at_a_time(cloud):
    path = cloud.account()
    before = cloud.ask("POST", f"{path}/listKeys").body
    after = cloud.ask("POST", f"{path}/regenerateKey", {"keyName": "Key2"}).body
    assert after["key1"] == before["key1"]
    assert after["key2"] != before["key2"]
    assert cloud.ask("POST", f"{path}/listKeys").body == after
    assert cloud.ask("POST", f"{path}/regenerateKey", {"keyName": "Key3"}).refusal == (400, "BadRequest")
    assert cloud.ask("POST", f"{path}/regenerateKey", {}).refusal == (400, "InvalidRequestContent")


def test_with_local_auth_off_keys_are_neither_listed_nor_taken(cloud):
    path = cloud.account(disableLocalAuth=True)
    answer = cloud.ask("POST", f"{path}/listKeys")
    assert answer.refusal == (400, "BadRequest")
    assert answer.error["message"] == "Failed to list key. disableLocalAuth is set to be true."
    models = "/oai-prod.openai.azure.com/openai/models"
    by_key = cloud.get(models, who=None, headers={"api-key": cloud.key(path)}, version="2024-10-21")
    assert by_key.refusal == (403, "AuthenticationTypeDisabled")
    user = cloud.grant("Cognitive Services OpenAI User", path)
    assert cloud.get(models, who=user, audience=DATA, version="2024-10-21").status == 200


@pytest.mark.parametrize(
    ("properties", "status"),
    [
        ({"publicNetworkAccess": "Disabled"}, 403),
        ({"networkAcls": {"defaultAction": "Deny"}}, 403),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.7"}]}}, 403),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "127.0.0.0/8"}]}}, 200),
        ({"networkAcls": {"defaultAction": "Allow"}}, 200),
    ],
)
def test_network_rules_hold_on_the_data_plane_and_not_on_the_resource_manager(cloud, properties, status):
    path = cloud.account(**properties)
    answer = cloud.get(
        "/oai-prod.openai.azure.com/openai/models", who=None, headers={"api-key": cloud.key(path)}, version="2024-10-21"
    )
    assert answer.status == status
    if status == 403:
        assert answer.code == "AccessDenied"
    assert cloud.get(path).status == 200


def test_an_address_that_is_none_is_refused_in_a_network_rule(cloud):
    cloud.group()
    rules = {"defaultAction": "Deny", "ipRules": [{"value": "everywhere"}]}
    assert put(cloud, customSubDomainName="oai-prod", networkAcls=rules).refusal == (400, "BadRequest")
    assert not cloud.world.subdomains


def test_a_subnet_that_is_none_is_refused_in_a_network_rule(cloud):
    cloud.group()
    network = f"{ids.group_id(PRODUCTION, 'rg')}/providers/Microsoft.Network/virtualNetworks/net"
    for subnet, status in (("somewhere", 400), (network, 400), (f"{network}/subnets/inner", 201)):
        rules = {"defaultAction": "Deny", "virtualNetworkRules": [{"id": subnet}]}
        assert put(cloud, customSubDomainName="oai-prod", networkAcls=rules).status == status, subnet


def test_a_kind_has_its_own_endpoints_and_capabilities(cloud):
    cloud.group()
    put(cloud, customSubDomainName="oai-prod")
    other = ids.account_id(PRODUCTION, "rg", "ai-prod")
    cloud.put(other, account_body(kind="AIServices", customSubDomainName="ai-prod"))
    openai, services = (cloud.get(path).body["properties"] for path in (ACCOUNT, other))
    assert {e.rsplit("/", 2)[1] for e in openai["endpoints"].values()} == {"oai-prod.openai.azure.com"}
    assert {e.rsplit("/", 2)[1] for e in services["endpoints"].values()} == {
        f"ai-prod.{host}" for host in ("openai.azure.com", "services.ai.azure.com", "cognitiveservices.azure.com")
    }
    for found in (openai, services):
        named = {c["name"]: c.get("value") for c in found["capabilities"]}
        assert named["MaxFineTuneCount"] == "500"
        assert named["MaxRunningGlobalStandardFineTuneCount"] == "3"
    assert {c["name"] for c in services["capabilities"]} > {c["name"] for c in openai["capabilities"]}


def test_a_token_of_another_tenant_is_refused_on_the_data_plane(cloud):
    cloud.account()
    answer = cloud.get(
        "/oai-prod.openai.azure.com/openai/models", who=ABROAD_OWNER, audience=DATA, version="2024-10-21"
    )
    assert answer.refusal == (400, "Tenant provided in token does not match resource token")


# --- what an account offers ----------------------------------------------------------------------------------------


def test_an_account_lists_its_models_skus_and_usages(cloud):
    path = cloud.account()
    models = {m["name"] for m in cloud.get(f"{path}/models").body["value"]}
    assert {"gpt-4.1-mini", "gpt-4o"} <= models
    assert cloud.get(f"{path}/skus").body["value"][0]["sku"] == {"name": "S0", "tier": "Standard"}
    usage = cloud.get(f"{path}/usages").body["value"][0]
    assert (usage["name"]["value"], usage["currentValue"], usage["limit"]) == ("OpenAI.FineTuned.Deployments", 0, 10)
