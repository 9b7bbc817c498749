"""Names and ids that are derived, so that a thing made once is found again: by a later run, or after a kill. Pure."""

import re
import uuid

# Changing it changes the name of every role assignment ever made: never.
_NAMESPACE = uuid.UUID("6c1f7f0a-6e0e-5a3e-9d7e-1f0a5f2c9b11")


def resource_group_id(subscription: str, group: str) -> str:
    """The id of a resource group in Azure."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def account_id(subscription: str, group: str, account: str) -> str:
    """The id of a CognitiveServices account in Azure."""
    return f"{resource_group_id(subscription, group)}/providers/Microsoft.CognitiveServices/accounts/{account}"


def deployment_id(account: str, deployment: str) -> str:
    """The id of a deployment in Azure, below its account's id."""
    return f"{account}/deployments/{deployment}"


def role_definition_id(subscription: str, role: str) -> str:
    """The id of a role definition, from the role's GUID."""
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def role_assignment_name(scope: str, role: str, principal: str) -> str:
    """The GUID that names a role assignment: the same for the same scope, role and principal.

    Azure holds that triple unique whatever the name (RoleAssignmentExists; Learn, troubleshoot Azure RBAC, as of
    October 2026), so a name that follows from it can be adopted and never clashes with itself.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{scope}|{role}|{principal}".lower()))


def role_assignment_id(scope: str, name: str) -> str:
    """The id of a role assignment in Azure."""
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


def same_resource(one: str, other: str) -> bool:
    """Whether two ids name one resource: Azure compares ids without regard to case."""
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def subscription_of(resource_id: str) -> str:
    """The subscription in a resource's id; raises ValueError for an id outside of one."""
    parts = resource_id.strip("/").split("/")
    if len(parts) < 2 or parts[0].lower() != "subscriptions":
        raise ValueError(f"{resource_id} lies in no subscription")
    return parts[1]


def job_name(account: str) -> str:
    """The name of the job that tends an account: as Container Apps takes one (below 32 characters), always the same.

    Two accounts whose names differ in what Container Apps does not take get different names.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", account.lower()).strip("-")
    if plain == account.lower() and len(plain) <= 26 and plain[:1].isalpha():
        return f"{plain}-tend"
    return f"h-{plain[:15].rstrip('-')}-{uuid.uuid5(_NAMESPACE, account.lower()).hex[:6]}-tend"
