from __future__ import annotations

import uuid

import pulumi

from components import ModelAccess, naming
from tests.components.conftest import ASSIGNMENT

ACCOUNT_ID = naming.account_id("22222222-2222-4222-8222-222222222222", "rg", "contoso")
USER_ROLE = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
SOMEBODY = "9f1c0a52-1111-4222-8333-444455556666"


def test_a_grant_names_its_principal_type_so_that_arm_asks_no_directory(engine):
    grants = {"bot": {"principal_id": SOMEBODY, "role_id": USER_ROLE}}
    recorded = engine(lambda: {"ids": ModelAccess("a", {"account_id": ACCOUNT_ID, "grants": grants}).assignment_ids})
    assignment = recorded.only(ASSIGNMENT)
    assert assignment["principalType"] == "ServicePrincipal", "Pulumi's own default is User, and fails for the others"
    assert assignment["scope"] == ACCOUNT_ID
    assert assignment["roleDefinitionId"] == naming.role_definition_id(
        "22222222-2222-4222-8222-222222222222", USER_ROLE
    )
    assert recorded.outputs["ids"] == {"bot": f"/id-of/{assignment['roleAssignmentName']}"}


def test_the_name_of_an_assignment_follows_from_scope_role_and_principal_so_that_it_can_be_found_again():
    name = naming.role_assignment_name(ACCOUNT_ID, USER_ROLE, SOMEBODY)
    assert str(uuid.UUID(name)) == name
    assert name == naming.role_assignment_name(ACCOUNT_ID.upper(), USER_ROLE.upper(), SOMEBODY.upper())
    others = {
        naming.role_assignment_name(ACCOUNT_ID + "2", USER_ROLE, SOMEBODY),
        naming.role_assignment_name(ACCOUNT_ID, SOMEBODY, SOMEBODY),
        naming.role_assignment_name(ACCOUNT_ID, USER_ROLE, USER_ROLE),
    }
    assert name not in others
    assert len(others) == 3


def test_the_name_of_an_assignment_never_changes_because_azure_would_then_see_two():
    assert naming.role_assignment_name("/subscriptions/s", "r", "p") == "3fda2785-281c-5ed2-bb3f-cd148bfd0218"


def test_a_grant_to_an_identity_that_does_not_exist_yet_waits_for_it(engine):
    identity = pulumi.Output.from_input(SOMEBODY)
    grants = {"job": {"principal_id": identity, "role_id": USER_ROLE}}
    recorded = engine(lambda: {"ids": ModelAccess("a", {"account_id": ACCOUNT_ID, "grants": grants}).assignment_ids})
    assert recorded.only(ASSIGNMENT)["principalId"] == SOMEBODY
