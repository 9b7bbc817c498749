"""The bodies of requests, typed: a wrong type is refused once, here, in Azure's words; what is not known is ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from infra.localazure import errors
from infra.localazure.entities import Json

T = TypeVar("T")


Tags = dict[str, str] | None
IdentityType = Literal[
    "None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "SystemAssigned,UserAssigned"
]
UpgradeOption = Literal["OnceNewDefaultVersionAvailable", "OnceCurrentVersionExpired", "NoAutoUpgrade"]
PrincipalType = Literal["User", "Group", "ServicePrincipal", "ForeignGroup", "Device"]


class Body(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A JSON object of a request."""


class Group(Body):
    """PUT of a resource group."""

    location: str | None = None
    tags: Tags = None
    managed_by: str | None = None


class Sku(Body):
    """A SKU of an account or a deployment."""

    name: str
    capacity: int | None = None
    tier: str | None = None
    family: str | None = None
    size: str | None = None


class Identity(Body):
    """A managed identity, as asked for."""

    type: IdentityType = "None"
    user_assigned_identities: dict[str, Any] | None = None


class IpRule(Body):
    """One address or CIDR range of a network rule set."""

    value: str


class VirtualNetworkRule(Body):
    """One subnet of a network rule set."""

    id: str
    state: str | None = None
    ignore_missing_vnet_service_endpoint: bool | None = None


class NetworkAcls(Body):
    """Network rules of an account."""

    default_action: Literal["Allow", "Deny"] = "Allow"
    bypass: Literal["None", "AzureServices"] | None = None
    ip_rules: list[IpRule] = []
    virtual_network_rules: list[VirtualNetworkRule] = []


class AccountProperties(Body):
    """Properties of an account that a caller may set and that local Azure acts on."""

    custom_sub_domain_name: str | None = None
    public_network_access: Literal["Enabled", "Disabled"] | None = None
    disable_local_auth: bool | None = None
    network_acls: NetworkAcls | None = None
    restore: bool | None = None
    dynamic_throttling_enabled: bool | None = None
    restrict_outbound_network_access: bool | None = None
    allowed_fqdn_list: list[str] | None = None
    allow_project_management: bool | None = None
    default_project: str | None = None
    associated_projects: list[str] | None = None
    stored_completions_disabled: bool | None = None
    api_properties: dict[str, Any] | None = None
    encryption: dict[str, Any] | None = None
    user_owned_storage: list[dict[str, Any]] | None = None
    rai_monitor_config: dict[str, Any] | None = None


class Account(Body):
    """PUT or PATCH of an account."""

    location: str | None = None
    kind: str | None = None
    sku: Sku | None = None
    identity: Identity | None = None
    tags: Tags = None
    properties: AccountProperties = msgspec.field(default_factory=AccountProperties)


class DeploymentModel(Body):
    """The model of a deployment."""

    name: str
    format: str = "OpenAI"
    version: str | None = None
    source: str | None = None
    source_account: str | None = None
    publisher: str | None = None


class DeploymentProperties(Body):
    """Properties of a deployment that a caller may set."""

    model: DeploymentModel | None = None
    rai_policy_name: str | None = None
    version_upgrade_option: UpgradeOption | None = None
    scale_settings: dict[str, Any] | None = None
    parent_deployment_name: str | None = None
    spillover_deployment_name: str | None = None
    service_tier: str | None = None


class Deployment(Body):
    """PUT of a deployment."""

    sku: Sku | None = None
    tags: Tags = None
    properties: DeploymentProperties = msgspec.field(default_factory=DeploymentProperties)


class DeploymentPatch(Body):
    """PATCH of a deployment: SKU and tags alone."""

    sku: Sku | None = None
    tags: Tags = None


class RegenerateKey(Body):
    """POST regenerateKey."""

    key_name: str


class DomainCheck(Body):
    """POST checkDomainAvailability."""

    subdomain_name: str
    type: str


class SkuCheck(Body):
    """POST checkSkuAvailability."""

    skus: list[str]
    kind: str
    type: str


class RequestParameters(Body):
    """How many tokens a request of a workload has on average."""

    avg_prompt_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0
    avg_generated_tokens: Annotated[int, msgspec.Meta(ge=0)] = 0


class Workload(Body):
    """Requests a minute of one kind."""

    request_per_minute: Annotated[int, msgspec.Meta(ge=0)] = 0
    request_parameters: RequestParameters = msgspec.field(default_factory=RequestParameters)


class CapacityQuestion(Body):
    """POST calculateModelCapacity."""

    model: DeploymentModel
    sku_name: str
    workloads: list[Workload] = []


class Permission(Body):
    """What a role allows."""

    actions: list[str] = []
    not_actions: list[str] = []
    data_actions: list[str] = []
    not_data_actions: list[str] = []


class RoleDefinitionProperties(Body):
    """A custom role."""

    role_name: str = ""
    description: str = ""
    assignable_scopes: list[str] = []
    permissions: list[Permission] = []


class RoleDefinition(Body):
    """PUT of a role definition."""

    properties: RoleDefinitionProperties


class TagsProperties(Body):
    """Tags alone."""

    tags: dict[str, str] = {}


class TagsBody(Body):
    """PUT of the tags of a scope."""

    properties: TagsProperties = msgspec.field(default_factory=TagsProperties)


class TagsPatch(Body):
    """PATCH of the tags of a scope."""

    operation: Literal["Merge", "Replace", "Delete"]
    properties: TagsProperties = msgspec.field(default_factory=TagsProperties)


class RoleAssignmentProperties(Body):
    """What is assigned to whom."""

    role_definition_id: str
    principal_id: str
    principal_type: PrincipalType | None = None
    description: str | None = None
    condition: str | None = None
    condition_version: str | None = None
    delegated_managed_identity_resource_id: str | None = None


class RoleAssignment(Body):
    """PUT of a role assignment."""

    properties: RoleAssignmentProperties


class Generic(Body):
    """The fields that every resource of Azure has; what else a type has is kept as it is given."""

    location: str | None = None
    tags: Tags = None
    properties: dict[str, Any] | None = None


def read(body: bytes, kind: type[T]) -> T:
    """The body as `kind`; raises the error of a body that is no JSON or has a wrong type."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.BAD_JSON(fact=str(error)) from error


def read_object(body: bytes) -> Json:
    """The body as any JSON object."""
    return read(body, Json)


def convert(body: Json, kind: type[T]) -> T:
    """A JSON object that was read before, as `kind`; a number in quotes is one (azure-cli 2.91 sends a capacity so)."""
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        raise errors.BAD_JSON(fact=str(error)) from error


def given(body: Body) -> Json:
    """The fields of a body that were given, under their wire names, nested ones too."""
    found: Json = msgspec.to_builtins(body)
    return found
