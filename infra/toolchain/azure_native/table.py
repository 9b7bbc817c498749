"""The resource types of the stand-in, one row each.

What follows from the path is not written down: its parameters force replacement, the last one is named
automatically when the program does not name it. What the properties look like is in `shapes`.

Sources: the default API version is the one that the SDK's docstrings name (a test compares); paths,
long-running operations, `x-ms-mutability` and name rules are those of Azure's own API specifications of
that version; the rest are the official plugin's own additions (its `forceNewMap`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
_ACCOUNT = f"{_GROUP}/providers/Microsoft.CognitiveServices/accounts/{{accountName}}"
_STORAGE = f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/{{accountName}}"
_VAULT = f"{_GROUP}/providers/Microsoft.KeyVault/vaults/{{vaultName}}"
_TRACKED = ("location", "tags")


@dataclass(frozen=True, slots=True)
class NameRule:
    """What Azure accepts as a path parameter: its length, and a pattern it must match from the start."""

    shortest: int = 0
    longest: int = 1000
    pattern: str = ""


_WORD = NameRule(pattern=r"^[-\w\._\(\)]+$")
_STORAGE_NAME = NameRule(3, 24)
_VAULT_NAME = NameRule(pattern=r"^[a-zA-Z0-9-]{3,24}$")
_ACCOUNT_NAME = NameRule(2, 64, r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")


@dataclass(frozen=True)
class Row:
    """One resource type.

    `top_level` is None for a type whose body is the same in a program and on the wire. Otherwise the SDK
    has flattened it: all properties but these lie below `properties` on the wire.
    """

    token: str
    api_version: str
    path: str
    top_level: tuple[str, ...] | None = None
    replaced_by: tuple[str, ...] = ()
    """Properties of the body that cannot be changed: another value makes another resource."""
    long_put: bool = False
    kept_by_azure: bool = False
    """Azure's resource manager has no way to delete it."""
    long_delete: bool = False
    needs_location: bool = False
    names: Mapping[str, NameRule] = field(default_factory=dict)

    @cached_property
    def path_parameters(self) -> tuple[str, ...]:
        """The inputs that the path is made of. The subscription comes from the provider's configuration."""
        return tuple(name for name in re.findall(r"{(\w+)}", self.path) if name != "subscriptionId")

    @property
    def name_input(self) -> str:
        """The input that names the resource."""
        return self.path_parameters[-1]

    @property
    def resource_type(self) -> str:
        """As Azure writes it, such as Microsoft.CognitiveServices/accounts/deployments."""
        _, _, provider = self.path.rpartition("/providers/")
        return re.sub(r"/{\w+}", "", provider) if provider != self.path else "Microsoft.Resources/resourceGroups"


ROWS = (
    Row(
        "azure-native:resources:ResourceGroup",
        api_version="2024-03-01",
        path=_GROUP,
        replaced_by=("location",),
        long_delete=True,
        needs_location=True,
        names={"resourceGroupName": NameRule(1, 90, r"^[-\w\._\(\)]+$")},
    ),
    Row(
        "azure-native:cognitiveservices:Account",
        api_version="2025-06-01",
        path=_ACCOUNT,
        replaced_by=("location",),
        long_put=True,
        long_delete=True,
        names={"accountName": _ACCOUNT_NAME},
    ),
    Row(
        "azure-native:cognitiveservices:Deployment",
        api_version="2025-06-01",
        path=f"{_ACCOUNT}/deployments/{{deploymentName}}",
        long_put=True,
        long_delete=True,
        names={"accountName": _ACCOUNT_NAME},
    ),
    Row(
        "azure-native:cognitiveservices:RaiPolicy",
        api_version="2025-06-01",
        path=f"{_ACCOUNT}/raiPolicies/{{raiPolicyName}}",
        long_delete=True,
        names={"accountName": _ACCOUNT_NAME, "raiPolicyName": NameRule(pattern=_ACCOUNT_NAME.pattern)},
    ),
    Row(
        "azure-native:authorization:RoleAssignment",
        api_version="2022-04-01",
        path="/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        top_level=(),
        replaced_by=("principalId",),
    ),
    Row(
        "azure-native:authorization:RoleDefinition",
        api_version="2022-05-01-preview",
        path="/{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
        top_level=(),
    ),
    Row(
        "azure-native:managedidentity:UserAssignedIdentity",
        api_version="2023-01-31",
        path=f"{_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}",
        top_level=_TRACKED,
        replaced_by=("location",),
        needs_location=True,
    ),
    Row(
        "azure-native:managedidentity:FederatedIdentityCredential",
        api_version="2023-01-31",
        path=(
            f"{_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}"
            "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}"
        ),
        top_level=(),
        names={"federatedIdentityCredentialResourceName": NameRule(pattern=r"^[a-zA-Z0-9]{1}[a-zA-Z0-9-_]{2,119}$")},
    ),
    Row(
        "azure-native:storage:StorageAccount",
        api_version="2024-01-01",
        path=_STORAGE,
        top_level=(*_TRACKED, "kind", "sku", "identity", "extendedLocation"),
        replaced_by=("location",),
        long_put=True,
        needs_location=True,
        names={"accountName": _STORAGE_NAME},
    ),
    Row(
        "azure-native:storage:BlobContainer",
        api_version="2024-01-01",
        path=f"{_STORAGE}/blobServices/default/containers/{{containerName}}",
        top_level=("etag",),
        names={"accountName": _STORAGE_NAME, "containerName": NameRule(3, 63)},
    ),
    Row(
        "azure-native:keyvault:Vault",
        api_version="2024-11-01",
        path=_VAULT,
        replaced_by=("location",),
        long_put=True,
        needs_location=True,
        names={"vaultName": _VAULT_NAME},
    ),
    Row(
        "azure-native:keyvault:Key",
        api_version="2024-11-01",
        path=f"{_VAULT}/keys/{{keyName}}",
        top_level=("tags", "location", "properties"),  # its inputs are not flattened, its outputs are
        kept_by_azure=True,
        names={"vaultName": _VAULT_NAME, "keyName": NameRule(1, 127, r"^[a-zA-Z0-9-]{1,127}$")},
    ),
    Row(
        "azure-native:app:ManagedEnvironment",
        api_version="2025-02-02-preview",
        path=f"{_GROUP}/providers/Microsoft.App/managedEnvironments/{{environmentName}}",
        top_level=(*_TRACKED, "kind", "identity"),
        replaced_by=("location", "infrastructureResourceGroup"),
        long_put=True,
        long_delete=True,
        needs_location=True,
        names={"environmentName": _WORD},
    ),
    Row(
        "azure-native:app:Job",
        api_version="2025-02-02-preview",
        path=f"{_GROUP}/providers/Microsoft.App/jobs/{{jobName}}",
        top_level=(*_TRACKED, "identity", "extendedLocation"),
        replaced_by=("location", "environmentId"),
        long_put=True,
        long_delete=True,
        needs_location=True,
        names={"jobName": _WORD},
    ),
    Row(
        "azure-native:operationalinsights:Workspace",
        api_version="2023-09-01",
        path=f"{_GROUP}/providers/Microsoft.OperationalInsights/workspaces/{{workspaceName}}",
        top_level=(*_TRACKED, "identity", "etag"),
        replaced_by=("location",),
        long_put=True,
        long_delete=True,
        needs_location=True,
        names={"workspaceName": NameRule(4, 63, r"^[A-Za-z0-9][A-Za-z0-9-]+[A-Za-z0-9]$")},
    ),
    Row(
        "azure-native:monitor:DiagnosticSetting",
        api_version="2021-05-01-preview",
        path="/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
        top_level=(),
    ),
    Row(
        "azure-native:monitor:MetricAlert",
        api_version="2018-03-01",
        path=f"{_GROUP}/providers/Microsoft.Insights/metricAlerts/{{ruleName}}",
        top_level=_TRACKED,
        replaced_by=("location",),
        needs_location=True,
    ),
    Row(
        "azure-native:monitor:ScheduledQueryRule",
        api_version="2025-01-01-preview",
        path=f"{_GROUP}/providers/Microsoft.Insights/scheduledQueryRules/{{ruleName}}",
        top_level=(*_TRACKED, "kind", "identity", "etag"),
        replaced_by=("location",),
        needs_location=True,
    ),
    Row(
        "azure-native:monitor:ActionGroup",
        api_version="2024-10-01-preview",
        path=f"{_GROUP}/providers/Microsoft.Insights/actionGroups/{{actionGroupName}}",
        top_level=(*_TRACKED, "identity"),
        replaced_by=("location",),
        needs_location=True,
    ),
)

_BY_TOKEN = {row.token: row for row in ROWS}
_EXPLICIT_VERSION = re.compile(r"^(azure-native:\w+)/v(\d{4})(\d{2})(\d{2})(preview)?:(\w+)$")


class UnknownType(Exception):
    """The stand-in does not know a resource type. One line."""


def row_of(token: str) -> tuple[Row, str]:
    """The row of a type and the API version to use for it.

    A token with a version in its module, such as azure-native:cognitiveservices/v20241001:Account, is the
    same type with that API version.
    """
    explicit = _EXPLICIT_VERSION.match(token)
    version = ""
    if explicit:
        module, year, month, day, preview, name = explicit.groups()
        token = f"{module}:{name}"
        version = f"{year}-{month}-{day}" + ("-preview" if preview else "")
    row = _BY_TOKEN.get(token)
    if row is None:
        known = ", ".join(row.token.removeprefix("azure-native:") for row in ROWS)
        raise UnknownType(
            f"{token}: the stand-in azure-native plugin does not know this type (it knows {known}). "
            f"Install the official plugin for it."
        )
    return row, version or row.api_version
