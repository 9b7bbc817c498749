"""Who may do what where: roles on both planes, and how they are given."""

from __future__ import annotations

import pytest

from infra.localazure import ids
from infra.localazure.entities import Principal, RoleDefinition
from tests.localazure.cloud import (
    ABROAD_OWNER,
    OTHER_TENANT,
    OWNER,
    PRODUCTION,
    TENANT,
    TRAINING,
    Cloud,
    assignment_body,
)

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"


def assign(cloud: Cloud, scope: str, body: dict, *, name: str = "", who: str = OWNER):
    name = name or ids.new_guid()
    return cloud.put(
        f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}", body, who=who, version="2022-04-01"
    )


# --- on the resource manager ---------------------------------------------------------------------------------------


def test_a_role_holds_at_its_scope_and_below_and_nowhere_else(cloud):
    account = cloud.account()
    other = cloud.account("oai-other", group="rg-other")
    group = account.split("/providers/")[0]
    at_account = cloud.grant("Reader", account)
    at_group = cloud.grant("Reader", group)
    at_subscription = cloud.grant("Reader", SUBSCRIPTION)
    at_root = cloud.grant("Reader", "/")
    allowed = {
        at_account: [(account, 200), (group, 403), (other, 403)],
        at_group: [(account, 200), (group, 200), (other, 403), (SUBSCRIPTION, 403)],
        at_subscription: [(account, 200), (other, 200), (SUBSCRIPTION, 200), (f"/subscriptions/{TRAINING}", 403)],
        at_root: [(account, 200), (f"/subscriptions/{TRAINING}", 200)],
    }
    for who, asked in allowed.items():
        for path, status in asked:
            assert cloud.get(path, who=who).status == status, path


def test_a_refusal_names_client_action_and_scope_as_azure_does(cloud):
    account = cloud.account()
    who = cloud.grant("Reader", account, client_id="an-app")
    answer = cloud.deploy(account, "bot", who=who)
    assert answer.refusal == (403, "AuthorizationFailed")
    assert answer.error["message"] == (
        f"The client 'an-app' with object id '{who}' does not have authorization to perform action "
        f"'Microsoft.CognitiveServices/accounts/deployments/write' over scope '{account}/deployments/bot' or the scope "
        "is invalid. If access was recently granted, please refresh your credentials."
    )


def test_what_does_not_exist_is_refused_like_what_may_not_be_seen(cloud):
    cloud.group()
    stranger = cloud.grant("Reader", f"/subscriptions/{TRAINING}")
    missing = ids.account_id(PRODUCTION, "rg", "nobody")
    assert cloud.get(missing, who=stranger).refusal == (403, "AuthorizationFailed")
    assert cloud.get(missing).refusal == (404, "ResourceNotFound")


def test_roles_of_groups_and_of_groups_of_groups_count(cloud):
    account = cloud.account()
    outer = cloud.grant("Reader", account, type="Group")
    inner = ids.new_guid()
    cloud.world.principals.put(inner, Principal(id=inner, tenant=TENANT, type="Group", member_of=[outer]))
    member = ids.new_guid()
    cloud.world.principals.put(member, Principal(id=member, tenant=TENANT, type="User", name="a", member_of=[inner]))
    assert cloud.get(account, who=member).status == 200, "membership is transitive in Azure"
    loner = ids.new_guid()
    cloud.world.principals.put(loner, Principal(id=loner, tenant=TENANT, type="User", name="b"))
    assert cloud.get(account, who=loner).status == 403


def test_not_actions_take_away_from_their_own_role_alone(cloud):
    account = cloud.account()
    contributor = cloud.grant("Contributor", SUBSCRIPTION)
    body = assignment_body("Reader", contributor, "ServicePrincipal")
    assert assign(cloud, account, body, who=contributor).refusal == (403, "AuthorizationFailed"), (
        "Contributor cannot give roles"
    )
    cloud.assign(contributor, "User Access Administrator", account)
    assert assign(cloud, account, body, who=contributor).status == 201, "another role may grant what one holds back"


@pytest.mark.parametrize(
    ("role", "keys", "deploy", "make"),
    [
        ("Reader", 403, 403, 403),
        ("Cognitive Services OpenAI User", 403, 403, 403),
        ("Cognitive Services OpenAI Contributor", 403, 201, 403),
        ("Cognitive Services User", 200, 403, 403),
        ("Cognitive Services Contributor", 200, 201, 201),
        ("Contributor", 200, 201, 201),
        ("Owner", 200, 201, 201),
    ],
)
def test_built_in_roles_allow_what_their_page_says(cloud, role, keys, deploy, make):
    account = cloud.account()
    cloud.tune(account)
    who = cloud.grant(role, account.split("/providers/")[0])
    assert cloud.get(account, who=who).status == 200
    assert cloud.ask("POST", f"{account}/listKeys", who=who).status == keys
    assert cloud.deploy(account, who=who).status == deploy
    body = {"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"}}
    assert cloud.put(ids.account_id(PRODUCTION, "rg", "another"), body, who=who).status == make


def test_usages_reader_sees_quota_and_nothing_else(cloud):
    account = cloud.account()
    who = cloud.grant("Cognitive Services Usages Reader", SUBSCRIPTION)
    where = f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/swedencentral"
    assert cloud.get(f"{where}/usages", who=who).status == 200
    assert cloud.get(f"{where}/models", who=who).status == 403
    assert cloud.get(account, who=who).status == 403


def test_a_role_at_the_group_is_enough_to_follow_an_operation(cloud):
    cloud.group()
    who = cloud.grant("Contributor", ids.group_id(PRODUCTION, "rg"))
    body = {"location": "swedencentral", "kind": "OpenAI", "sku": {"name": "S0"}}
    made = cloud.put(ids.account_id(PRODUCTION, "rg", "mine"), body, who=who)
    followed = made.headers["azure-asyncoperation"].removeprefix(cloud.world.origin)
    assert cloud.get(followed.split("?")[0], who=who).status == 200, "its address lies outside the group"


def test_purging_needs_a_role_at_the_subscription(cloud):
    account = cloud.account()
    assert cloud.ask("DELETE", account).status == 200
    gone = (
        f"{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/swedencentral/resourceGroups/rg"
        "/deletedAccounts/oai-prod"
    )
    who = cloud.grant("Owner", ids.group_id(PRODUCTION, "rg"))
    assert cloud.ask("DELETE", gone, who=who).refusal == (403, "AuthorizationFailed")
    who = cloud.grant("Cognitive Services Contributor", SUBSCRIPTION)
    assert cloud.ask("DELETE", gone, who=who).status == 200


def test_a_custom_role_counts_like_a_built_in_one(cloud):
    account = cloud.account()
    role = RoleDefinition(
        id=ids.new_guid(), name="Key holder", scope=PRODUCTION, assignable_scopes=[SUBSCRIPTION],
        actions=["Microsoft.CognitiveServices/accounts/*"], not_actions=["Microsoft.CognitiveServices/accounts/write"],
    )  # fmt: skip
    cloud.world.role_definitions.put(role.id, role)
    who = cloud.grant("Key holder", SUBSCRIPTION)
    assert cloud.ask("POST", f"{account}/listKeys", who=who).status == 200
    assert cloud.ask("PATCH", account, {"tags": {}}, who=who).status == 403


# --- on the data plane ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "chat", "models"),
    [
        ("Owner", 401, 401),
        ("Contributor", 401, 401),
        ("Reader", 401, 401),
        ("Cognitive Services Contributor", 401, 401),
        ("Cognitive Services OpenAI User", 200, 200),
        ("Cognitive Services OpenAI Contributor", 200, 200),
        ("Cognitive Services User", 200, 200),
        ("Azure AI User", 200, 200),
    ],
)
def test_the_data_plane_asks_for_data_actions_which_owner_has_none_of(cloud, role, chat, models):
    account = cloud.account()
    cloud.tune(account)
    deployment = cloud.serve(account)
    who = cloud.grant(role, account)
    answer = cloud.chat(deployment, who=who)
    assert answer.status == chat
    if chat != 200:
        assert answer.error == {
            "code": "PermissionDenied",
            "message": f"The principal `{who}` lacks the required data action "
            "`Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action` to perform "
            "`POST /openai/deployments/{deployment-id}/chat/completions` operation.",
        }
    listed = cloud.get(
        "/oai-prod.openai.azure.com/openai/models", who=who, audience="https://cognitiveservices.azure.com",
        version="2024-10-21",
    )  # fmt: skip
    assert listed.status == models


def test_a_data_role_at_another_account_opens_nothing_here(cloud):
    account = cloud.account()
    other = cloud.account("oai-other")
    cloud.tune(account)
    deployment = cloud.serve(account)
    assert cloud.chat(deployment, who=cloud.grant("Cognitive Services OpenAI User", other)).code == "PermissionDenied"


# --- how they are given --------------------------------------------------------------------------------------------


def test_a_new_assignment_works_only_after_its_propagation(cloud):
    cloud.switch(role_propagation=600.0)
    account = cloud.account()
    cloud.tune(account)
    deployment = cloud.serve(account)
    who = cloud.grant("Reader", account)
    made = assign(cloud, account, assignment_body("Cognitive Services OpenAI User", who))
    assert made.status == 201
    assert cloud.chat(deployment, who=who).code == "PermissionDenied", "Azure takes up to ten minutes"
    cloud.advance(seconds=601)
    assert cloud.chat(deployment, who=who).status == 200


def test_an_assignment_is_answered_in_full(cloud):
    account = cloud.account()
    who = cloud.grant("Reader", account)
    name = ids.new_guid()
    made = assign(cloud, account, assignment_body("Cognitive Services OpenAI User", who), name=name)
    assert made.body["id"] == f"{account}/providers/Microsoft.Authorization/roleAssignments/{name}"
    properties = made.body["properties"]
    assert properties["scope"] == account
    assert properties["principalId"] == who
    assert properties["principalType"] == "ServicePrincipal", "looked up, as the request did not say"
    assert properties["createdBy"] == OWNER
    assert properties["createdOn"] == properties["updatedOn"]
    assert cloud.get(made.body["id"], version="2022-04-01").body == made.body


def test_a_role_named_without_its_subscription_is_answered_with_it(cloud):
    account = cloud.account()
    body = assignment_body("Reader", cloud.grant("Reader", SUBSCRIPTION))
    full = body["properties"]["roleDefinitionId"]
    body["properties"]["roleDefinitionId"] = full.removeprefix(f"/subscriptions/{PRODUCTION}")
    assert assign(cloud, account, body).body["properties"]["roleDefinitionId"] == full


def test_the_same_role_for_the_same_principal_at_the_same_scope_exists_already_whatever_its_name(cloud):
    account = cloud.account()
    body = assignment_body("Cognitive Services User", cloud.grant("Reader", account))
    assert assign(cloud, account, body).status == 201
    answer = assign(cloud, account, body)
    assert answer.refusal == (409, "RoleAssignmentExists")
    assert answer.error["message"] == "The role assignment already exists."
    assert assign(cloud, account.split("/providers/")[0], body).status == 201, "another scope is another assignment"


def test_an_assignment_can_be_put_again_but_not_changed_in_what_it_is(cloud):
    account = cloud.account()
    name, who = ids.new_guid(), cloud.grant("Reader", account)
    assert assign(cloud, account, assignment_body("Cognitive Services User", who), name=name).status == 201
    again = assign(cloud, account, assignment_body("Cognitive Services User", who, description="why"), name=name)
    assert (again.status, again.body["properties"]["description"]) == (200, "why")
    for changed in (
        assignment_body("Reader", who),
        assignment_body("Cognitive Services User", OWNER),
        assignment_body("Cognitive Services User", who, "Group"),
    ):
        answer = assign(cloud, account, changed, name=name)
        assert answer.refusal == (400, "RoleAssignmentUpdateNotPermitted")


def test_an_unknown_principal_needs_its_type_said(cloud):
    account = cloud.account()
    nobody = ids.new_guid()
    answer = assign(cloud, account, assignment_body("Reader", nobody))
    assert answer.refusal == (400, "PrincipalNotFound")
    assert answer.error["message"].startswith(f"Principal {nobody} does not exist in the directory {TENANT}. Check")
    assert assign(cloud, account, assignment_body("Reader", nobody, "ServicePrincipal")).status == 201, (
        "with a type ARM does not look it up: the way out for an identity that was made a second ago"
    )


def test_a_principal_of_another_directory_is_unknown_here(cloud):
    account = cloud.account()
    assert assign(cloud, account, assignment_body("Reader", ABROAD_OWNER)).code == "PrincipalNotFound"
    guest = cloud.grant("Reader", "/", tenant=OTHER_TENANT, guest_of=[TENANT])
    assert assign(cloud, account, assignment_body("Reader", guest)).status == 201


def test_a_wrong_type_of_a_known_principal_is_refused(cloud):
    account = cloud.account()
    answer = assign(cloud, account, assignment_body("Reader", OWNER, "User"))
    assert answer.refusal == (400, "UnmatchedPrincipalType"), "Pulumi's default type is User: the classic mistake"


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("not-a-guid", {}, "InvalidRoleAssignmentId"),
        ("", {"principalId": "somebody"}, "InvalidPrincipalId"),
        ("", {"roleDefinitionId": "Owner"}, "InvalidRoleDefinitionId"),
        ("", {"principalType": "Robot"}, "InvalidRequestContent"),
        ("", {"principalId": 5}, "InvalidRequestContent"),
    ],
)
def test_a_malformed_assignment_is_refused(cloud, name, change, code):
    body = assignment_body("Reader", OWNER)
    body["properties"] |= change
    assert assign(cloud, cloud.account(), body, name=name).refusal == (400, code)


def test_a_role_that_does_not_exist_cannot_be_given(cloud):
    body = assignment_body("Reader", OWNER)
    role = ids.new_guid()
    body["properties"]["roleDefinitionId"] = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
    assert assign(cloud, SUBSCRIPTION, body).refusal == (404, "RoleDefinitionDoesNotExist")


def test_a_role_can_be_given_only_at_what_exists(cloud):
    body = assignment_body("Reader", OWNER)
    group = cloud.group()
    assert assign(cloud, ids.group_id(PRODUCTION, "nobody"), body).refusal == (404, "ResourceGroupNotFound")
    assert assign(cloud, ids.account_id(PRODUCTION, "rg", "nobody"), body).refusal == (404, "ResourceNotFound")
    assert assign(cloud, group, body).status == 201


def test_an_assignment_taken_away_is_gone_and_gone_again_is_fine(cloud):
    account = cloud.account()
    who = cloud.grant("Reader", SUBSCRIPTION)
    made = assign(cloud, account, assignment_body("Cognitive Services User", who))
    cloud.settle()
    assert cloud.ask("POST", f"{account}/listKeys", who=who).status == 200
    assert cloud.ask("DELETE", made.body["id"], version="2022-04-01").status == 200
    assert cloud.ask("POST", f"{account}/listKeys", who=who).status == 403
    assert cloud.ask("DELETE", made.body["id"], version="2022-04-01").status == 204
    assert cloud.get(made.body["id"], version="2022-04-01").refusal == (404, "RoleAssignmentNotFound")


def test_a_resource_takes_its_assignments_with_it(cloud):
    account = cloud.account()
    who = cloud.grant("Reader", account)
    assert cloud.ask("DELETE", account).status == 200
    assert not [a for a in cloud.world.role_assignments if a.principal == who]


def test_lists_are_filtered_as_clients_ask(cloud):
    account = cloud.account()
    group = account.split("/providers/")[0]
    team = cloud.grant("Reader", SUBSCRIPTION, type="Group")
    who = cloud.grant("Cognitive Services User", account, member_of=[team])

    def holders(scope: str, **query: str) -> set[str]:
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
        return {a["properties"]["principalId"] for a in cloud.get(path, version="2022-04-01", **query).body["value"]}

    assert holders(account) == {OWNER, team, who}
    assert holders(group) == {OWNER, team, who}, "without a filter what lies below is listed too"
    assert holders(group, _filter="atScope()") == {OWNER, team}
    assert holders(account, _filter=f"principalId eq '{who}'") == {who}
    assert holders(account, _filter=f"assignedTo('{who}')") == {who, team}, "that one follows groups"


def test_roles_can_be_found_by_name(cloud):
    path = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    found = cloud.get(path, version="2022-04-01", _filter="roleName eq 'Cognitive Services OpenAI User'").body["value"]
    assert [r["name"] for r in found] == ["5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"]
    assert found[0]["id"].startswith(f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/")
    assert cloud.get(found[0]["id"], version="2022-04-01").body == found[0]
    assert len(cloud.get(path, version="2022-04-01").body["value"]) > 10


# --- permissions ---------------------------------------------------------------------------------------------------


def permissions(cloud: Cloud, scope: str, who: str):
    return cloud.get(f"{scope}/providers/Microsoft.Authorization/permissions", who=who, version="2022-04-01")


def test_the_caller_is_told_what_it_may_do_here_role_by_role(cloud):
    account = cloud.account()
    who = cloud.grant("Reader", SUBSCRIPTION)
    cloud.assign(who, "Cognitive Services OpenAI User", account)
    cloud.assign(who, "Owner", f"/subscriptions/{TRAINING}")
    found = permissions(cloud, account, who).body["value"]
    assert sorted(len(one["actions"]) for one in found) == [1, 3], "Reader from above and the role here, not the other"
    assert set(found[0]) == {"actions", "notActions", "dataActions", "notDataActions"}
    assert [one["actions"] for one in permissions(cloud, account.split("/providers/")[0], who).body["value"]] == [
        ["*/read"]
    ]


def test_permissions_are_told_of_groups_and_resources_that_exist_and_to_who_may_read_them(cloud):
    account = cloud.account()
    assert permissions(cloud, SUBSCRIPTION, OWNER).status == 404
    assert permissions(cloud, f"{account}-not", OWNER).refusal == (404, "ResourceNotFound")
    who = cloud.grant("Cognitive Services OpenAI Contributor", account)
    assert permissions(cloud, account, who).refusal == (403, "AuthorizationFailed")
