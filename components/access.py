"""Who may call an account's models."""

# No `from __future__ import annotations` here: Pulumi infers the package's schema from the real annotations.

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import authorization

from components import naming

TYPE = "hearth:index:ModelAccess"


class GrantArgs(TypedDict):
    """A role for somebody."""

    principal_id: pulumi.Input[str]
    """Object id of a user, group, service principal or managed identity."""
    role_id: pulumi.Input[str]
    """Id (a GUID) of the role definition."""
    principal_type: NotRequired[pulumi.Input[str]]
    """User, Group or ServicePrincipal (default; managed identities too). Given, so that ARM asks no directory."""


class ModelAccessArgs(TypedDict):
    """Roles at an account."""

    account_id: pulumi.Input[str]
    """The account's id in Azure: the scope of every grant."""
    grants: dict[str, GrantArgs]
    """Grants by a name of yours, which names the resource in Pulumi."""


class ModelAccess(pulumi.ComponentResource):
    """Role assignments at an account, under names that follow from scope, role and principal.

    It deliberately does not manage roles at other scopes (a role at a model's source belongs to the source's own
    stack), role definitions, or principals; and it takes no role away that it did not give.
    """

    assignment_ids: pulumi.Output[dict[str, str]]
    """Ids of the assignments, by the names of the grants."""

    def __init__(
        self,
        name: str,
        args: ModelAccessArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        grant_options: Mapping[str, pulumi.ResourceOptions] | None = None,
    ) -> None:
        """Declare the grants; `grant_options` are merged into those of the assignment of that name."""
        super().__init__(TYPE, name, None, opts)
        extra = grant_options or {}
        self.resources = {
            key: self._assign(f"{name}-{key}", args["account_id"], grant, extra.get(key))
            for key, grant in sorted(args["grants"].items())
        }
        self.assignment_ids = pulumi.Output.all(**{key: made.id for key, made in self.resources.items()})
        self.register_outputs({"assignmentIds": self.assignment_ids})

    def _assign(
        self,
        name: str,
        account_id: pulumi.Input[str],
        grant: GrantArgs,
        extra: pulumi.ResourceOptions | None,
    ) -> authorization.RoleAssignment:
        # An imported assignment's scope may lack its first slash (pulumi-azure-native#4818), and a difference in scope
        # means a replacement. The scope cannot change unseen: the name follows from it, and a name does replace.
        own = pulumi.ResourceOptions(parent=self, ignore_changes=["scope"])
        parts = pulumi.Output.all(account_id, grant["role_id"], grant["principal_id"])
        return authorization.RoleAssignment(
            name,
            scope=account_id,
            role_assignment_name=parts.apply(lambda p: naming.role_assignment_name(*p)),
            role_definition_id=parts.apply(lambda p: naming.role_definition_id(naming.subscription_of(p[0]), p[1])),
            principal_id=grant["principal_id"],
            principal_type=grant.get("principal_type", "ServicePrincipal"),
            opts=pulumi.ResourceOptions.merge(own, extra),
        )
