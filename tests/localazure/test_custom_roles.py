"""Roles that customers make: named once in a directory, kept while they are given, and worth what they say."""

from __future__ import annotations

from typing import Any

import pytest

from infra.localazure import ids
from tests.localazure.cloud import ABROAD, ABROAD_OWNER, OWNER, PRODUCTION, TRAINING, Cloud, assignment_body

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"
DEFINITIONS = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
ROLE, OTHER = "eeeeeeee-0000-4000-8000-000000000001", "eeeeeeee-0000-4000-8000-000000000002"


def body(name: str = "Deployer", actions: Any = ("Microsoft.CognitiveServices/accounts/deployments/*",), **more: Any):
    properties = {
        "roleName": name,
        "description": "Deploys",
        "type": "CustomRole",
        "permissions": [{"actions": list(actions), "notActions": []}],
        "assignableScopes": [SUBSCRIPTION],
        **more,
    }
    return {"properties": properties}


def make(cloud: Cloud, role: str = ROLE, given: Any = None, **more: Any):
    return cloud.put(f"{DEFINITIONS}/{role}", given or body(), version="2022-04-01", **more)


def test_a_custom_role_allows_what_it_names_and_no_more(cloud):
    made = make(cloud)
    assert made.status == 201
    properties = made.body["properties"]
    assert (made.body["name"], properties["roleName"], properties["type"]) == (ROLE, "Deployer", "CustomRole")
    assert properties["createdOn"]
    account = cloud.account()
    cloud.tune(account)
    who = cloud.grant("Deployer", SUBSCRIPTION)
    assert cloud.deploy(account, who=who).status == 201
    assert cloud.get(account, who=who).refusal == (403, "AuthorizationFailed")


def test_a_name_is_had_once_in_a_directory_and_a_role_can_be_renamed(cloud):
    make(cloud)
    assert make(cloud, OTHER).refusal == (409, "RoleDefinitionWithSameNameExists")
    assert make(cloud, OTHER, body("reader")).refusal == (409, "RoleDefinitionWithSameNameExists")
    abroad = f"/subscriptions/{ABROAD}"
    there = cloud.put(
        f"{abroad}/providers/Microsoft.Authorization/roleDefinitions/{OTHER}",
        body(assignableScopes=[abroad]), who=ABROAD_OWNER,
    )  # fmt: skip
    assert there.status == 201, "another directory has names of its own"
    assert make(cloud, given=body("Renamed")).body["properties"]["roleName"] == "Renamed"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (body(""), "InvalidRoleDefinitionName"),
        (body(actions=["deploy everything"]), "InvalidActionOrNotAction"),
        (body(assignableScopes=["/subscriptions/99999999-9999-4999-8999-999999999999"]), "InvalidAssignableScope"),
        (body(assignableScopes=[ids.group_id(PRODUCTION, "nobody")]), "InvalidAssignableScope"),
        (body(assignableScopes=["/"]), "InvalidAssignableScope"),
        (body(assignableScopes=[f"/subscriptions/{ABROAD}"]), "InvalidAssignableScope"),
        ({"properties": {"permissions": 7}}, "InvalidRequestContent"),
    ],
)
def test_what_azure_refuses_is_refused(cloud, given, code):
    assert make(cloud, given=given).refusal == (400, code)
    assert not len(cloud.world.role_definitions)


def test_who_makes_a_role_may_do_so_at_each_of_its_scopes(cloud):
    admin = cloud.grant("User Access Administrator", SUBSCRIPTION)
    both = body(assignableScopes=[SUBSCRIPTION, f"/subscriptions/{TRAINING}"])
    assert make(cloud, given=both, who=admin).refusal == (403, "AuthorizationFailed")
    assert make(cloud, who=cloud.grant("Contributor", SUBSCRIPTION)).refusal == (403, "AuthorizationFailed")
    assert make(cloud, who=admin).status == 201


def test_a_role_that_is_given_cannot_be_deleted(cloud):
    make(cloud)
    who = cloud.grant("Deployer", SUBSCRIPTION)
    path = f"{DEFINITIONS}/{ROLE}"
    assert cloud.ask("DELETE", path).refusal == (400, "RoleDefinitionHasAssignments")
    for assignment in cloud.world.role_assignments.of(who):
        cloud.world.role_assignments.drop(f"{ids.key(assignment.scope)}|{assignment.name}")
    assert cloud.ask("DELETE", path).status == 200
    assert cloud.ask("DELETE", path).status == 204
    assert cloud.get(path).status == 404


def test_built_in_roles_stay_as_they_are(cloud):
    reader = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    assert make(cloud, reader).refusal == (403, "RoleDefinitionBuiltIn")
    assert cloud.ask("DELETE", f"{DEFINITIONS}/{reader}").refusal == (403, "RoleDefinitionBuiltIn")


def test_roles_are_listed_by_name_type_and_place(cloud):
    group = cloud.group()
    make(cloud)
    make(cloud, OTHER, body("Below", assignableScopes=[group]))

    def names(wanted: str, path: str = DEFINITIONS) -> list[str]:
        return [r["properties"]["roleName"] for r in cloud.get(path, _filter=wanted).body["value"]]

    assert names("roleName eq 'deployer'") == ["Deployer"]
    assert names("type eq 'CustomRole'") == ["Deployer"]
    assert names("atScopeAndBelow() and type eq 'CustomRole'") == ["Deployer", "Below"]
    assert "Deployer" not in names("type eq 'BuiltInRole'")
    assert cloud.get(DEFINITIONS, _filter="roleName like 'D'").refusal == (400, "BadRequest")


def test_a_custom_role_is_given_only_where_it_may_be(cloud):
    group, other = cloud.group("rg-one"), cloud.group("rg-two")
    make(cloud, given=body(assignableScopes=[group]))
    wanted = assignment_body("Reader", OWNER)
    wanted["properties"]["roleDefinitionId"] = f"{DEFINITIONS}/{ROLE}"

    def give(scope: str):
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
        return cloud.put(path, wanted, version="2022-04-01")

    assert give(other).refusal == (400, "RoleDefinitionNotAssignable")
    assert give(group).status == 201


def test_the_name_of_an_assignment_is_had_once_so_that_a_constant_in_a_program_is_found_out(cloud):
    name, wanted = ids.new_guid(), assignment_body("Reader", OWNER)
    for scope, status in ((cloud.group("rg-one"), 201), (cloud.group("rg-two"), 400)):
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        assert cloud.put(path, wanted, version="2022-04-01").status == status


def test_an_identity_is_given_to_an_account_only_by_who_may_assign_it(cloud):
    account, group = cloud.account(), cloud.group("rg-identities")
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
    assert cloud.put(identity, {"location": "swedencentral"}, version="2023-01-31").status == 201
    who = cloud.grant("Cognitive Services Contributor", account)
    wanted = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}}
    refused = cloud.ask("PATCH", account, wanted, who=who)
    assert refused.refusal == (403, "LinkedAuthorizationFailed")
    cloud.assign(who, "Contributor", identity)
    assert cloud.ask("PATCH", account, wanted, who=who).status in {200, 202}
