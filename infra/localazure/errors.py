"""Azure's refusals, in one table: status, code, text, where the text was seen.

The rules raise a row of this table (`raise SIBLING_BUSY(account=…)`); one function of the HTTP side makes it an
answer in Azure's envelope. Texts are quoted because programs match on them. A row whose `seen` is None has a text of
ours: no page or traffic that shows Azure's own was found, and the generated documentation lists it so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Shape = Literal["azure", "openai", "entra", "identity", "storage"]
"""The envelope a refusal travels in: the resource manager's and the gateway's, the models' own, the login's, that of
the identity endpoint of App Service and Container Apps, or that of blobs."""


class AzureError(Exception):
    """One refusal: HTTP status, code and text, as Azure words it."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        headers: dict[str, str] | None,
        param: str | None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        """Keep the row of the table with the finished text."""
        super().__init__(message)
        self.kind = kind
        self.status = kind.status
        self.code = kind.code
        self.message = message
        self.headers = headers or {}
        self.param = param
        self.more = more or {}
        """Further fields of the envelope, such as the verdict of the content filter."""


_TABLE: list[ErrorKind] = []


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A row of the table; calling it with the names in its text makes the error to raise."""

    status: int
    code: str
    text: str
    seen: str | None = field(default=None, kw_only=True)
    """Where the text was seen (page, issue, recorded traffic); None where it is ours."""
    shape: Shape = field(default="azure", kw_only=True)
    number: int = field(default=0, kw_only=True)
    """The AADSTS number of a login's refusal; it stands before the text too."""

    def __post_init__(self) -> None:
        _TABLE.append(self)

    def __call__(
        self,
        headers: dict[str, str] | None = None,
        more: Mapping[str, object] | None = None,
        /,
        *,
        param: str | None = None,
        **names: object,
    ) -> AzureError:
        """The error, its text filled with `names`, with further response headers and fields of the envelope.

        `param` is the field that a refusal of the models' own is about.
        """
        return AzureError(self, self.text.format(**names), headers, param, more)


def table() -> tuple[ErrorKind, ...]:
    """Every refusal local Azure knows, in the order of this file."""
    return tuple(_TABLE)


# --- who is asking -------------------------------------------------------------------------------------------------

NO_TOKEN = ErrorKind(
    401,
    "AuthenticationFailed",
    "Authentication failed. The 'Authorization' header is missing.",
    seen="ARM, public logs",
)
BAD_TOKEN = ErrorKind(401, "InvalidAuthenticationToken", "The access token is invalid.", seen="ARM, public logs")
EXPIRED_TOKEN = ErrorKind(
    401,
    "ExpiredAuthenticationToken",
    "The access token expiry UTC time '{expiry}' is earlier than current UTC time '{now}'.",
    seen="ARM, public logs",
)
WRONG_AUDIENCE = ErrorKind(
    401,
    "InvalidAuthenticationTokenAudience",
    "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly match with "
    "one of the allowed audiences '{allowed}'.",
    seen="ARM, public logs",
)
WRONG_TENANT = ErrorKind(
    401,
    "InvalidAuthenticationTokenTenant",
    "The access token is from the wrong issuer '{issuer}'. It must match the tenant '{expected}' associated with "
    "this subscription. Please use the authority (URL) '{authority}' to get the token. Note, if the subscription is "
    "transferred to another tenant there is no impact to the services, but information about new tenant could take "
    "time to propagate (up to an hour). If you just transferred your subscription and see this error message, please "
    "try back later.",
    seen="Azure/azure-mcp#717",
)
NOT_ALLOWED = ErrorKind(
    403,
    "AuthorizationFailed",
    "The client '{client}' with object id '{oid}' does not have authorization to perform action '{action}' over "
    "scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
    seen="ARM, public logs",
)
NOT_ALLOWED_AT_SOURCE = ErrorKind(
    403,
    "LinkedAuthorizationFailed",
    "The client '{client}' with object id '{oid}' has permission to perform action '{action}' on scope '{scope}'; "
    "however, it does not have permission to perform action(s) '{linked_action}' on the linked scope(s) '{linked}' "
    "(respectively) or the linked scope(s) are invalid.",
)
TENANT_NOT_LINKED = ErrorKind(
    403,
    "LinkedAuthorizationFailed",
    "The client has permission to perform action '{action}' on scope '{scope}', however the current tenant "
    "'{tenant}' is not authorized to access linked subscription '{subscription}'.",
    seen="Azure/bicep#17206, for an image gallery",
)

# --- how it is asked -----------------------------------------------------------------------------------------------

NO_API_VERSION = ErrorKind(
    400,
    "MissingApiVersionParameter",
    "The api-version query parameter (?api-version=) is required for all requests.",
    seen="ARM, public logs",
)
BAD_API_VERSION = ErrorKind(
    400,
    "InvalidApiVersionParameter",
    "The api-version '{version}' is invalid. The supported versions are dates, YYYY-MM-DD, with or without '-preview'.",
)
UNKNOWN_API_VERSION = ErrorKind(
    400,
    "NoRegisteredProviderFound",
    "No registered resource provider found for location '{location}' and API version '{version}' for type '{type}'. "
    "The supported api-versions are '{versions}'. The supported locations are '{locations}'.",
    seen="ARM, public logs; not for this provider",
)
THROTTLED = ErrorKind(
    429,
    "SubscriptionRequestsThrottled",
    "Number of '{kind}' requests for subscription '{subscription}' actor '{actor}' exceeded. Please try again after "
    "'{seconds}' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for additional "
    "information.",
    seen="ARM, public logs; the code in MicrosoftDocs/azure-docs#105248",
)
PRECONDITION_FAILED = ErrorKind(
    412,
    "PreconditionFailed",
    "The condition '{condition}' of the header '{header}' does not hold: the etag of the resource is '{current}'.",
)
BAD_SKIP_TOKEN = ErrorKind(400, "InvalidSkipToken", "The $skipToken is not one of this list.")
BAD_TOP = ErrorKind(400, "InvalidTop", "The $top '{value}' is not a number from 1 to {most}.")
BAD_FILTER = ErrorKind(400, "BadRequest", "The $filter '{filter}' is not supported.")
NO_PARAMETER_OF_QUERY = ErrorKind(400, "BadRequest", "The query parameter '{name}' is required.")
BAD_LOG_FILTER = ErrorKind(
    400,
    "BadRequest",
    "The $filter '{filter}' is not supported: it needs eventTimestamp ge '…' and takes eventTimestamp le, "
    "resourceGroupName eq, resourceUri eq, resourceProvider eq, correlationId eq and a few more, joined by 'and'.",
)
LOG_TOO_OLD = ErrorKind(
    400,
    "BadRequest",
    "The start time cannot be more than 90 days in the past.",
    seen="public az logs",
)
TOO_MANY_TAGS = ErrorKind(400, "TooManyTags", "A resource can have {most} tags at most; the request has {count}.")
BAD_TAG_NAME = ErrorKind(
    400, "InvalidTagName", "The tag name '{name}' is invalid: it has 1 to {most} characters and none of '{bad}'."
)
BAD_TAG_VALUE = ErrorKind(400, "InvalidTagValue", "The value of the tag '{name}' is longer than {most} characters.")
BAD_JSON = ErrorKind(
    400,
    "InvalidRequestContent",
    "The request content was invalid and could not be deserialized: '{fact}'.",
    seen="ARM, public logs",
)
TOO_LARGE = ErrorKind(413, "RequestContentTooLarge", "The request content size exceeds the limit of {limit} bytes.")
NO_SUCH_ROUTE = ErrorKind(404, "NotFound", "No HTTP resource was found that matches the request '{path}'.")
WRONG_METHOD = ErrorKind(
    405, "MethodNotAllowed", "The requested resource does not support http method '{method}'.", seen="ARM, public logs"
)
NO_SUCH_NAMESPACE = ErrorKind(
    404, "InvalidResourceNamespace", "The resource namespace '{namespace}' is invalid.", seen="ARM, public logs"
)
NO_SUCH_TYPE = ErrorKind(
    404,
    "InvalidResourceType",
    "The resource type '{type}' could not be found in the namespace '{namespace}' for api version '{version}'.",
    seen="ARM, public logs; there with a list of versions at the end",
)
INTERNAL = ErrorKind(
    500,
    "InternalServerError",
    "Encountered internal server error. Diagnostic information: timestamp '{at}', request id '{request}'.",
    seen="ARM, public logs; here a mistake of local Azure's own",
)
BAD_NAME = ErrorKind(
    400,
    "InvalidResourceName",
    "Resource name {name} is invalid. The name must match the pattern '{pattern}' and have {least} to {most} "
    "characters.",
)
BAD_PROPERTY = ErrorKind(400, "InvalidResourceProperties", "{fact}")
BAD_REQUEST = ErrorKind(400, "BadRequest", "{fact}")

# --- subscriptions and groups --------------------------------------------------------------------------------------

NO_SUBSCRIPTION = ErrorKind(
    404, "SubscriptionNotFound", "The subscription '{subscription}' could not be found.", seen="ARM, public logs"
)
BAD_SUBSCRIPTION = ErrorKind(
    400,
    "InvalidSubscriptionId",
    "The provided subscription identifier '{subscription}' is malformed or invalid.",
    seen="ARM, public logs",
)
BAD_GROUP_NAME = ErrorKind(
    400,
    "InvalidResourceGroup",
    "The provided resource group name '{name}' has these invalid characters: '{bad}'. The name can only be a letter, "
    "digit, '-', '.', '(', ')' or '_'.",
    seen="ARM, public logs",
)
NO_GROUP = ErrorKind(
    404, "ResourceGroupNotFound", "Resource group '{group}' could not be found.", seen="ARM, public logs"
)
GROUP_BEING_DELETED = ErrorKind(
    409,
    "ResourceGroupBeingDeleted",
    "The resource group '{group}' is in deprovisioning state and cannot perform this operation.",
    seen="ARM, public logs",
)
GROUP_ELSEWHERE = ErrorKind(
    409,
    "InvalidResourceGroupLocation",
    "Invalid resource group location '{location}'. The Resource group already exists in location '{existing}'.",
    seen="ARM, public logs",
)
BAD_LOCATION = ErrorKind(
    400,
    "LocationNotAvailableForResourceType",
    "The provided location '{location}' is not available for resource type '{type}'. List of available regions for "
    "the resource type is '{regions}'.",
    seen="ARM, public logs",
)
NO_LOCATION = ErrorKind(
    400,
    "LocationRequired",
    "The location property is required for this definition.",
    seen="ARM, public logs",
)
NOT_REGISTERED = ErrorKind(
    409,
    "MissingSubscriptionRegistration",
    "The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how to "
    "register subscriptions.",
    seen="ARM, public logs",
)
NO_RESOURCE = ErrorKind(
    404,
    "ResourceNotFound",
    "The Resource '{type}/{name}' under resource group '{group}' was not found. For more details please go to "
    "https://aka.ms/ARMResourceNotFoundFix",
    seen="ARM, public logs",
)
NO_PARENT = ErrorKind(
    404,
    "ParentResourceNotFound",
    "Failed to perform '{verb}' on resource(s) of type '{type}', because the parent resource '{parent}' could not be "
    "found.",
    seen="ARM, public logs",
)

FEDERATED_TWICE = ErrorKind(
    409,
    "Conflict",
    "Issuer and subject combination already exists for this Managed Identity.",
    seen="Managed identity, public logs",
)

# --- storage accounts and key vaults -------------------------------------------------------------------------------

BAD_STORAGE_NAME = ErrorKind(
    400,
    "AccountNameInvalid",
    "{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length "
    "and use numbers and lower-case letters only.",
    seen="Storage, public logs",
)
STORAGE_TAKEN = ErrorKind(
    409, "StorageAccountAlreadyTaken", "The storage account named {name} is already taken.", seen="Storage, public logs"
)
BAD_VAULT_NAME = ErrorKind(
    400,
    "VaultNameNotValid",
    "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must "
    "begin with a letter, end with a letter or digit, and not contain consecutive hyphens.",
    seen="Key Vault, public logs",
)
VAULT_TAKEN = ErrorKind(
    409,
    "VaultAlreadyExists",
    "The vault name '{name}' is already in use. Vault names are globaly unique so it is possible that the name is "
    "already taken.",
    seen="Key Vault, public logs",
)
VAULT_DELETED = ErrorKind(
    409,
    "ConflictError",
    "A vault with the same name already exists in deleted state. You need to either recover or purge existing key "
    "vault.",
    seen="Key Vault, public logs",
)
NO_VAULT_TO_RECOVER = ErrorKind(
    400, "SoftDeletedVaultDoesNotExist", "A soft deleted vault with the name '{name}' does not exist."
)
NO_DELETED_VAULT = ErrorKind(404, "DeletedVaultNotFound", "The specified deleted vault '{name}' does not exist.")
PURGE_PROTECTED = ErrorKind(
    400, "DeletedVaultPurge", "The vault '{name}' has purge protection enabled and cannot be purged."
)

# --- accounts ------------------------------------------------------------------------------------------------------

SOFT_DELETED = ErrorKind(
    409,
    "FlagMustBeSetForRestore",
    "An existing resource with ID '{id}' has been soft-deleted. To restore the resource, you must specify 'restore' "
    "to be 'true' in the property. If you don't want to restore existing resource, please purge it first.",
    seen="Azure/azure-cli#18146",
)
NOTHING_TO_RESTORE = ErrorKind(
    409,
    "CanNotRestoreANonExistingResource",
    "The resource with ID '{id}' cannot be restored, because no soft-deleted resource of that name exists.",
)
BAD_KIND = ErrorKind(
    400,
    "InvalidApiSetId",
    "The account type '{kind}' is either invalid or unavailable in given region.",
    seen="Azure/azure-cli#6190, microsoft/microsoft-foundry-for-vscode#165",
)
KIND_FIXED = ErrorKind(
    400, "UpdateKindNotAllowed", "It's not allowed to update kind of API account.", seen="Azure/bicep#15446"
)
BAD_ACCOUNT_SKU = ErrorKind(400, "InvalidSkuId", "The SKU '{sku}' is not available for accounts of kind '{kind}'.")
SUBDOMAIN_INVALID = ErrorKind(
    400,
    "CustomDomainInvalid",
    "Sub domain name '{subdomain}' is not valid.",
    seen="microsoft/microsoft-foundry-for-vscode#121",
)
RULES_WITHOUT_SUBDOMAIN = ErrorKind(400, "BadRequest", "Network rules need a custom subdomain name on the account.")
SUBDOMAIN_TAKEN = ErrorKind(
    409,
    "CustomDomainInUse",
    "Please pick a different name. The subdomain name '{subdomain}' is not available as it's already used by a "
    "resource. If the resource using the name was deleted in the last 48 hours, you may need to purge the deleted "
    'resource. Learn more at "https://go.microsoft.com/fwlink/?linkid=2215493"',
    seen="Azure-Samples/azuresandbox#164",
)
SUBDOMAIN_FIXED = ErrorKind(
    400, "BadRequest", "The custom subdomain name '{subdomain}' of an account cannot be changed once it is set."
)
ACCOUNT_NOT_SETTLED = ErrorKind(
    409,
    "RequestConflict",
    "Cannot modify resource with id '{account}' because the resource entity provisioning state is not terminal. "
    "Please wait for the provisioning state to become terminal and then retry the request.",
    seen="Azure/bicep-types-az#2419; the same text for other services in hashicorp/go-azure-sdk#889",
)
PARENT_NOT_SETTLED = ErrorKind(
    409,
    "AccountProvisioningStateInvalid",
    "Account {account} in state {state}",
    seen="hashicorp/terraform-provider-azurerm#31712, as 400, for a private endpoint of the account",
)
ACCOUNT_ELSEWHERE = ErrorKind(
    409,
    "InvalidResourceLocation",
    "The resource '{name}' already exists in location '{existing}' in resource group '{group}'. A resource with the "
    "same name cannot be created in location '{location}'. Please select a new resource name.",
    seen="ARM, public logs",
)
KEYS_OFF = ErrorKind(
    400, "BadRequest", "Failed to list key. disableLocalAuth is set to be true.", seen="public az logs"
)
ACCOUNT_LIMIT = ErrorKind(
    400,
    "QuotaExceeded",
    "The number of accounts of kind '{kind}' in region '{region}' has reached the limit of {limit} of this "
    "subscription.",
)
NO_DELETED_ACCOUNT = ErrorKind(
    404, "ResourceNotFound", "The deleted account '{name}' in location '{location}' was not found."
)

# --- deployments ---------------------------------------------------------------------------------------------------

SIBLING_BUSY = ErrorKind(
    409,
    "RequestConflict",
    "Another operation is being performed on the parent resource '{account}'. Please try again later.",
    seen="hashicorp/terraform-provider-azurerm#22607, Azure/azure-dev#9398",
)
NO_QUOTA = ErrorKind(
    400,
    "InsufficientQuota",
    "This operation require {asked} new capacity in quota {quota}, which is bigger than the current available "
    "capacity {left}. The current quota usage is {used} and the quota limit is {limit} for quota {quota}.",
    seen="Azure-Samples/azure-search-openai-demo#2091",
)
SKU_NOT_OF_MODEL = ErrorKind(
    400,
    "InvalidResourceProperties",
    "The specified SKU '{sku}' of account deployment is not supported by the model '{model}' version: '{version}'.",
    seen="Azure/bicep#16642",
)
SKU_NOT_IN_REGION = ErrorKind(
    400,
    "InvalidResourceProperties",
    "The specified SKU '{sku}' for model '{model} {version}' is not supported in this region '{region}'.",
    seen="Azure-Samples/contoso-creative-writer#10",
)
NO_SKU = ErrorKind(
    400,
    "InvalidResourceProperties",
    "The sku of model deployment is not provided.",
    seen="Azure/bicep-registry-modules#423",
)
BAD_SKU = ErrorKind(
    400,
    "InvalidResourceProperties",
    "The deployment sku name '{sku}' is invalid.",
    seen="Azure/bicep-registry-modules#7055",
)
SCALE_SETTINGS = ErrorKind(
    400,
    "InvalidResourceProperties",
    "The scale settings of account deployment is deprecated since API version '2023-05-01', please use 'sku' instead.",
    seen="Azure/bicep-types-az#2142",
)
BAD_CAPACITY = ErrorKind(
    400,
    "InvalidResourceProperties",
    "The capacity {capacity} of SKU '{sku}' is out of range: from {least} to {most} in steps of {step}.",
)
NO_SUCH_MODEL = ErrorKind(
    400,
    "DeploymentModelNotSupported",
    "The model 'Format:{format},Name:{name},Version:{version}' of account deployment is not supported.",
    seen="foundry-for-vscode#497, for a base model",
)
NO_SUCH_MODEL_AT_SOURCE = ErrorKind(
    400,
    "DeploymentModelNotSupported",
    "The model 'Format: {format}, Name: {name}, Version: {version}, Source: {source}' of account deployment is not "
    "supported.",
    seen="microsoft/azurechat#447, for a base model",
)
MODEL_DEPLOYED_TWICE = ErrorKind(
    409,
    "DuplicatedDeploymentForSameModel",
    "The deployment '{name}' has the same model with an existing deployment '{existing}'. Only 1 deployment is "
    "allowed for the same model.",
    seen="Azure-Samples/azure-search-openai-demo#82, for base models in 2023",
)
CAPACITY_AND_MODEL = ErrorKind(
    400,
    "InvalidResourceProperties",
    "Cannot change capacity and model at the same time.",
    seen="Azure-Samples/azure-search-openai-demo#1154",
)
DEPLOYMENT_LIMIT = ErrorKind(
    400,
    "DeploymentLimitReached",
    "The account '{account}' has reached the limit of {limit} {what} deployments.",
)
NO_RAI_POLICY = ErrorKind(400, "InvalidResourceProperties", "The RAI policy '{policy}' was not found in the account.")
MODEL_NOT_DEPLOYABLE = ErrorKind(
    400, "InvalidResourceProperties", "The model '{name}' cannot be deployed: its status is '{status}'."
)
CREATE_FAILED = ErrorKind(
    409,
    "DeploymentFailed",
    "The deployment '{name}' could not be created.",
)
PAUSE_NOT_SUPPORTED = ErrorKind(400, "InvalidResourceProperties", "A deployment of SKU '{sku}' cannot be paused.")

# --- roles ---------------------------------------------------------------------------------------------------------

ROLE_EXISTS = ErrorKind(
    409, "RoleAssignmentExists", "The role assignment already exists.", seen="azure-docs, role-based-access-control"
)
ROLE_FIXED = ErrorKind(
    400,
    "RoleAssignmentUpdateNotPermitted",
    "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
    seen="azure-docs, role-based-access-control",
)
ROLE_NOT_ASSIGNABLE = ErrorKind(
    400,
    "RoleDefinitionNotAssignable",
    "The role definition '{role}' cannot be assigned at the scope '{scope}': it is none of its assignable scopes.",
)
NO_PRINCIPAL = ErrorKind(
    400,
    "PrincipalNotFound",
    "Principal {principal} does not exist in the directory {tenant}. Check that you have the correct principal ID. "
    "If you are creating this principal and then immediately assigning a role, this error might be related to a "
    "replication delay. In this case, set the role assignment principalType property to a value, such as "
    "ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
    seen="azure-docs, role-based-access-control",
)
WRONG_PRINCIPAL_TYPE = ErrorKind(
    400,
    "UnmatchedPrincipalType",
    "The PrincipalId '{principal}' has type '{type}' , which is different from specified PrinciaplType '{given}'.",
    seen="Azure/modern-web-app-pattern-dotnet#129",
)
BAD_PRINCIPAL = ErrorKind(
    400,
    "InvalidPrincipalId",
    "The Principal ID '{principal}' is not valid. Principal ID must be a GUID.",
    seen="Azure/azure-powershell#16627",
)
BAD_ROLE_ID = ErrorKind(
    400,
    "InvalidRoleDefinitionId",
    "The role definition ID '{role}' is not valid. The role definition ID must be a GUID.",
    seen="public az logs",
)
NO_ROLE = ErrorKind(
    404,
    "RoleDefinitionDoesNotExist",
    "The specified role definition with ID '{role}' does not exist.",
    seen="public az logs",
)
NO_ASSIGNMENT = ErrorKind(
    404, "RoleAssignmentNotFound", "The role assignment '{name}' is not found.", seen="public az logs"
)
BAD_ASSIGNMENT_NAME = ErrorKind(
    400,
    "InvalidRoleAssignmentId",
    "The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
    seen="public az logs",
)

NO_ROLE_NAME = ErrorKind(400, "InvalidRoleDefinitionName", "The role definition needs a name.")
ROLE_NAME_TAKEN = ErrorKind(
    409,
    "RoleDefinitionWithSameNameExists",
    "A custom role with the same name already exists in this directory. Use a different name.",
    seen="azure-docs, role-based-access-control",
)
ROLE_IN_USE = ErrorKind(
    400,
    "RoleDefinitionHasAssignments",
    "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).",
    seen="azure-docs, role-based-access-control; its status is not told there",
)
BAD_ACTION = ErrorKind(
    400,
    "InvalidActionOrNotAction",
    "'{action}' does not match any of the actions supported by the providers.",
    seen="public az logs",
)
BUILT_IN_ROLE = ErrorKind(403, "RoleDefinitionBuiltIn", "The built-in role '{role}' cannot be changed or deleted.")
BAD_ASSIGNABLE_SCOPE = ErrorKind(
    400,
    "InvalidAssignableScope",
    "The assignable scopes of role '{role}' must be subscriptions, or resource groups of them, that exist in the "
    "directory: '{scope}' is none.",
)
OTHER_ROLE_ID = ErrorKind(400, "InvalidRoleDefinitionId", "The role definition ID '{role}' is that of another role.")

# --- metrics -------------------------------------------------------------------------------------------------------

NO_METRIC = ErrorKind(
    400,
    "BadRequest",
    "Failed to find metric configuration for provider: Microsoft.CognitiveServices, resource Type: accounts, metric: "
    "{names}, Valid metrics: {valid}",
    seen="Azure/azure-sdk-for-net#29584",
)
NO_DIMENSION = ErrorKind(
    400,
    "BadRequest",
    "Metric: {metric} does not support requested dimension combination: {names}, supported ones are: {known}, TraceId: "
    "{{{trace}}}",
    seen="tomkerkhove/promitor#2084",
)
BAD_GRAIN = ErrorKind(
    400,
    "BadRequest",
    "Invalid time grain duration: {interval}, supported ones are: {known}",
    seen="Azure/azure-libraries-for-net#495",
)
BAD_SERIES_TOP = ErrorKind(
    400, "BadRequest", "Detected invalid TopN value {value}, it should be Int value", seen="Learn, Q&A 6005145, in part"
)
BAD_TIME_SPAN = ErrorKind(400, "BadRequest", "The start of the time span, {start}, is not before its end, {end}.")
BAD_MOMENT = ErrorKind(400, "BadRequest", "'{given}' is no time span of two moments, start/end, as ISO 8601 has them.")
BAD_METRICS_FILTER = ErrorKind(
    400, "BadRequest", "The filter '{filter}' cannot be read: values are joined by 'or', dimensions by 'and'."
)
BAD_AGGREGATION = ErrorKind(400, "BadRequest", "There is no aggregation {names}, supported ones are: {known}")
BAD_ORDER = ErrorKind(400, "BadRequest", "'{order}' is no aggregation with asc or desc to sort by.")
TOO_MANY_POINTS = ErrorKind(400, "BadRequest", "At most {most} points of {interval} are answered.")
METRICS_THROTTLED = ErrorKind(
    429, "TooManyRequests", "Too many questions about metrics of '{subscription}'. Try again after {seconds} seconds."
)
NO_METRICS_PARAMETER = ErrorKind(400, "BadRequest", "The parameter '{name}' is missing.")
BAD_BATCH_VERSION = ErrorKind(400, "UnsupportedApiVersion", "There is no api-version '{version}', only {known}.")
BATCH_SIZE = ErrorKind(400, "BadRequest", "A batch has 1 to {most} resource ids, not {number}.")
NOT_IN_BATCH = ErrorKind(400, "BadRequest", "The resource '{resource}' {fact}, as all of a batch must be.")

# --- data plane ----------------------------------------------------------------------------------------------------

NO_DEPLOYMENT = ErrorKind(
    404,
    "DeploymentNotFound",
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again.",
    seen="public logs",
)
NO_DATA_ACTION = ErrorKind(
    401,
    "PermissionDenied",
    "The principal `{oid}` lacks the required data action `{action}` to perform `{method} {path}` operation.",
    seen="public logs",
)
BAD_KEY = ErrorKind(
    401,
    "401",
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource.",
    seen="public logs",
)
BAD_DATA_TOKEN = ErrorKind(
    401,
    "401",
    "Unauthorized. Access token is missing, invalid, audience is incorrect "
    "(https://cognitiveservices.azure.com), or have expired.",
    seen="public logs",
)
TOKEN_OF_OTHER_TENANT = ErrorKind(
    400,
    "Tenant provided in token does not match resource token",
    "Token tenant {tenant} does not match resource tenant.",
    seen="Azure-Samples/ai-rag-chat-evaluator#94",
)
KEYS_DISABLED = ErrorKind(
    403,
    "AuthenticationTypeDisabled",
    "Key based authentication is disabled for this resource.",
    seen="public logs",
)
NETWORK_DENIED = ErrorKind(
    403, "AccessDenied", "Access denied due to Virtual Network/Firewall rules.", seen="public logs"
)
PUBLIC_ACCESS_OFF = ErrorKind(
    403,
    "AccessDenied",
    "Public access is disabled. Please configure private endpoint.",
    seen="public logs",
)
RATE_LIMITED = ErrorKind(
    429,
    "429",
    "Requests to the {operation} Operation under Azure OpenAI API version {version} have exceeded {what} rate limit "
    "of your current OpenAI S0 pricing tier. Please retry after {seconds} seconds. Please go here: "
    "https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit.",
    seen="public logs",
)
PAUSED = ErrorKind(423, "Locked", "The deployment '{name}' is paused. Resume it before calling it.")
NO_DATA_ROUTE = ErrorKind(404, "404", "Resource not found", seen="public logs")
NO_MODEL = ErrorKind(404, "notFound", "The model '{model}' was not found.")
OPERATION_NOT_OF_MODEL = ErrorKind(
    400,
    "OperationNotSupported",
    "The {operation} operation does not work with the specified model, {model}. Please choose different model and "
    "try again. You can learn more about which models can be used with each operation here: "
    "https://go.microsoft.com/fwlink/?linkid=2197993.",
    seen="public logs",
)
RESPONSES_TOO_EARLY = ErrorKind(
    400,
    "BadRequest",
    "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later",
    seen="public logs",
)
BAD_V1_VERSION = ErrorKind(400, "BadRequest", "API version not supported", seen="public logs")

# The models' own refusals, in their own envelope.

BAD_PROMPT = ErrorKind(
    400,
    "",
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
    seen="public logs",
    shape="openai",
)
BAD_CONTENT_TYPE = ErrorKind(
    400,
    "",
    "Invalid Content-Type header ({given}), expected application/json. (HINT: If you're using curl, you can pass -H "
    "'Content-Type: application/json')",
    seen="public logs of OpenAI's own service; the status is not confirmed",
    shape="openai",
)
BAD_TYPE = ErrorKind(
    400,
    "invalid_type",
    "Invalid type for '{name}': expected {wanted}, but got {given} instead.",
    seen="public logs",
    shape="openai",
)
BAD_FIELD = ErrorKind(400, "invalid_value", "Invalid '{name}': {fact}.", shape="openai")
NO_PARAMETER = ErrorKind(
    400, "missing_required_parameter", "Missing required parameter: '{name}'.", seen="public logs", shape="openai"
)
EMPTY_ARRAY = ErrorKind(
    400,
    "empty_array",
    "Invalid '{name}': empty array. Expected an array with minimum length {least}, but got an empty array instead.",
    seen="public logs",
    shape="openai",
)
LONG_ARRAY = ErrorKind(
    400,
    "array_above_max_length",
    "Invalid '{name}': array too long. Expected an array with maximum length {most}, but got an array with length "
    "{value} instead.",
    seen="public logs",
    shape="openai",
)
BAD_VALUE = ErrorKind(
    400,
    "invalid_value",
    "Invalid value: '{value}'. Supported values are: {known}.",
    seen="public logs",
    shape="openai",
)
TOO_SMALL = ErrorKind(
    400,
    "integer_below_min_value",
    "Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead.",
    seen="public logs",
    shape="openai",
)
TOO_GREAT = ErrorKind(
    400,
    "integer_above_max_value",
    "Invalid '{name}': integer above maximum value. Expected a value <= {most}, but got {value} instead.",
    seen="public logs",
    shape="openai",
)
DECIMAL_TOO_SMALL = ErrorKind(
    400,
    "decimal_below_min_value",
    "Invalid '{name}': decimal below minimum value. Expected a value >= {least}, but got {value} instead.",
    seen="public logs",
    shape="openai",
)
DECIMAL_TOO_GREAT = ErrorKind(
    400,
    "decimal_above_max_value",
    "Invalid '{name}': decimal above maximum value. Expected a value <= {most}, but got {value} instead.",
    seen="public logs",
    shape="openai",
)
BAD_TOOL_NAME = ErrorKind(
    400,
    "invalid_value",
    "Invalid '{name}': string does not match pattern. Expected a string that matches the pattern '{pattern}'.",
    seen="public logs",
    shape="openai",
)
NULL_CONTENT = ErrorKind(
    400, "", "Invalid value for 'content': expected a string, got null.", seen="public logs", shape="openai"
)
TOOL_ANSWERS_NOTHING = ErrorKind(
    400,
    "",
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    seen="public logs",
    shape="openai",
)
TOOL_CALLS_UNANSWERED = ErrorKind(
    400,
    "",
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The "
    "following tool_call_ids did not have response messages: {ids}",
    seen="public logs",
    shape="openai",
)
CHOICE_WITHOUT_TOOLS = ErrorKind(
    400,
    "",
    "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
    seen="public logs",
    shape="openai",
)
NO_SUCH_TOOL = ErrorKind(400, "invalid_value", "Tool choice '{name}' not found in 'tools' parameter.", shape="openai")
NO_WORD_JSON = ErrorKind(
    400,
    "",
    "'{what}' must contain the word 'json' in some form, to use '{format}' of type 'json_object'.",
    seen="public logs",
    shape="openai",
)
SCHEMA_NOT_MADE = ErrorKind(
    400,
    "invalid_json_schema",
    "Local Azure cannot make a value of the schema '{name}': {fact}. Azure may well take it.",
    shape="openai",
)
NOT_SIMULATED = ErrorKind(
    400, "unsupported_value", "Local Azure does not simulate {what}. Azure may well take it.", shape="openai"
)
UNSUPPORTED_PARAMETER = ErrorKind(
    400,
    "unsupported_parameter",
    "Unsupported parameter: '{name}' is not supported with this model.",
    seen="HKUDS/LightRAG#1536, of o3-mini on Azure",
    shape="openai",
)
MAX_TOKENS_UNSUPPORTED = ErrorKind(
    400,
    "unsupported_parameter",
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    seen="jekalmin/extended_openai_conversation#298, of o1 on Azure",
    shape="openai",
)
UNSUPPORTED_VALUE = ErrorKind(
    400,
    "unsupported_value",
    "Unsupported value: '{name}' does not support {value} with this model. Only the default ({usual}) value is "
    "supported.",
    seen="public logs",
    shape="openai",
)
UNRECOGNIZED_ARGUMENT = ErrorKind(
    400, "", "Unrecognized request argument supplied: {name}", seen="public logs", shape="openai"
)
BOTH_LIMITS = ErrorKind(
    400,
    "invalid_parameter_combination",
    "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
    seen="public logs",
    shape="openai",
)
CONTEXT_EXCEEDED = ErrorKind(
    400,
    "context_length_exceeded",
    "This model's maximum context length is {most} tokens. However, your messages resulted in {asked} tokens. Please "
    "reduce the length of the messages.",
    seen="public logs",
    shape="openai",
)
CONTEXT_EXCEEDED_WITH_ANSWER = ErrorKind(
    400,
    "context_length_exceeded",
    "This model's maximum context length is {most} tokens. However, you requested {wanted} tokens ({asked} in the "
    "messages, {answer} in the completion). Please reduce the length of the messages or completion.",
    seen="public logs",
    shape="openai",
)
CONTEXT_EXCEEDED_IN_RESPONSE = ErrorKind(
    400,
    "context_length_exceeded",
    "Your input exceeds the context window of this model. Please adjust your input and try again.",
    seen="public logs",
    shape="openai",
)
ANSWER_TOO_LONG = ErrorKind(
    400,
    "invalid_value",
    "{name} is too large: {value}. This model supports at most {most} completion tokens, whereas you provided {value}.",
    seen="public logs",
    shape="openai",
)
FILTERED = ErrorKind(
    400,
    "content_filter",
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify "
    "your prompt and retry. To learn more about our content filtering policies please read our documentation: "
    "https://go.microsoft.com/fwlink/?linkid=2198766",
    seen="microsoft/TinyTroupe#85, of gpt-4o-mini with 2024-10-21",
    shape="openai",
)
NO_PREVIOUS_RESPONSE = ErrorKind(
    400,
    "previous_response_not_found",
    "Previous response with id '{id}' not found.",
    seen="microsoft/agent-framework#6419",
    shape="openai",
)
NO_RESPONSE = ErrorKind(404, "", "Response with id '{id}' not found.", seen="public logs", shape="openai")

# --- training ------------------------------------------------------------------------------------------------------

BAD_PAYLOAD = ErrorKind(400, "invalidPayload", "The request is invalid: {fact}")
NO_FILE = ErrorKind(404, "notFound", "The file '{file}' was not found.")
NO_UPLOAD = ErrorKind(404, "notFound", "The upload '{upload}' was not found.")
NO_JOB = ErrorKind(404, "notFound", "The fine-tuning job '{job}' was not found.")
FILE_QUOTA = ErrorKind(
    400,
    "quotaExceeded",
    "The quota for files without expiry is reached. The maximum is {limit}.",
    seen="Azure/azure-sdk-for-java#47401",
)
FILES_TOO_LARGE = ErrorKind(
    400, "quotaExceeded", "The quota for the size of all files is reached. The maximum is {limit} bytes."
)
FILE_TOO_LARGE = ErrorKind(400, "invalidPayload", "The file is larger than the maximum of {limit} bytes.")
FILE_IN_USE = ErrorKind(409, "conflict", "The file '{file}' is used by {what} and cannot be deleted.")
JOB_IN_USE = ErrorKind(409, "conflict", "The fine-tuning job '{job}' made {what} and cannot be deleted.")
UPLOAD_OVER = ErrorKind(
    400, "unexpectedEntityState", "The upload '{upload}' is {status}: nothing can be done with it any more."
)
UPLOAD_WRONG = ErrorKind(400, "invalidPayload", "The upload '{upload}' cannot be completed: {fact}")
NOT_TUNABLE = ErrorKind(
    400,
    "invalidPayload",
    "The specified base model does not support fine-tuning.",
    seen="MicrosoftDocs/azure-docs#116776; without a trainingType BerriAI/litellm#24687",
)
NO_SUCH_METHOD = ErrorKind(
    400, "invalidPayload", "The base model '{model}' does not support fine-tuning with the method '{method}'."
)
FILE_NOT_USABLE = ErrorKind(400, "invalidPayload", "The {which} '{file}' cannot be used: {fact}")
JOB_QUOTA = ErrorKind(400, "quotaExceeded", "The quota for {what} is reached. The maximum is {limit}.")
JOB_STATE = ErrorKind(400, "unexpectedEntityState", "The fine-tuning job '{job}' is {status} and cannot be {wanted}.")
MODEL_DEPLOYED = ErrorKind(409, "conflict", "The model '{model}' is deployed as '{deployment}' and cannot be deleted.")

# --- blobs ---------------------------------------------------------------------------------------------------------

NO_STORAGE = ErrorKind(
    404, "ResourceNotFound", "The specified resource does not exist.", seen="Storage's REST reference", shape="storage"
)
NO_CONTAINER = ErrorKind(
    404,
    "ContainerNotFound",
    "The specified container does not exist.",
    seen="Storage's REST reference",
    shape="storage",
)
NO_BLOB = ErrorKind(
    404, "BlobNotFound", "The specified blob does not exist.", seen="Storage's REST reference", shape="storage"
)
CONTAINER_EXISTS = ErrorKind(
    409,
    "ContainerAlreadyExists",
    "The specified container already exists.",
    seen="Storage's REST reference",
    shape="storage",
)
BLOB_FORBIDDEN = ErrorKind(
    403,
    "AuthenticationFailed",
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature.",
    seen="Storage's REST reference",
    shape="storage",
)
BLOB_NOT_ALLOWED = ErrorKind(
    403,
    "AuthorizationPermissionMismatch",
    "This request is not authorized to perform this operation using this permission.",
    seen="Storage's REST reference",
    shape="storage",
)
NO_BLOB_LOGIN = ErrorKind(
    401,
    "NoAuthenticationInformation",
    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
    seen="Storage's REST reference",
    shape="storage",
)
BAD_BLOB_REQUEST = ErrorKind(400, "InvalidInput", "{fact}", shape="storage")

# --- the login -----------------------------------------------------------------------------------------------------

NO_TENANT = ErrorKind(
    400,
    "invalid_request",
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct "
    "cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the "
    "tenant.",
    seen="public logs",
    shape="entra",
    number=90002,
)
NO_APPLICATION = ErrorKind(
    400,
    "unauthorized_client",
    "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
    "application has not been installed by the administrator of the tenant or consented to by any user in the tenant. "
    "You may have sent your authentication request to the wrong tenant.",
    seen="public logs",
    shape="entra",
    number=700016,
)
BAD_SECRET = ErrorKind(
    401,
    "invalid_client",
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the "
    "client secret ID, for a secret added to app '{client}'.",
    seen="public logs",
    shape="entra",
    number=7000215,
)
NO_SECRET = ErrorKind(
    401,
    "invalid_client",
    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    seen="public logs",
    shape="entra",
    number=7000216,
)
BAD_ASSERTION = ErrorKind(
    400,
    "invalid_request",
    "JWT token is invalid or malformed.",
    seen="Entra's list of error codes",
    shape="entra",
    number=50027,
)
NO_FEDERATED_ISSUER = ErrorKind(
    401,
    "invalid_client",
    "No matching federated identity record found for presented assertion issuer '{value}'. Check your federated "
    "identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
    seen="public logs",
    shape="entra",
    number=700211,
)
NO_FEDERATED_SUBJECT = ErrorKind(
    401,
    "invalid_client",
    "No matching federated identity record found for presented assertion subject '{value}'. Check your federated "
    "identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
    seen="Azure/azure-workload-identity#1200",
    shape="entra",
    number=700213,
)
NO_FEDERATED_AUDIENCE = ErrorKind(
    401,
    "invalid_client",
    "No matching federated identity record found for presented assertion audience '{value}'. Check your federated "
    "identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation",
    seen="public logs",
    shape="entra",
    number=700212,
)
ASSERTION_EXPIRED = ErrorKind(
    401,
    "invalid_client",
    "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {begins}, expiry "
    "time of assertion {ends}.",
    seen="public logs",
    shape="entra",
    number=700024,
)
ASSERTION_UNSIGNED = ErrorKind(
    401,
    "invalid_client",
    "Assertion failed signature validation.",
    seen="Entra's list of error codes",
    shape="entra",
    number=50013,
)
NO_LOGIN_FIELD = ErrorKind(
    400,
    "invalid_request",
    "The request body must contain the following parameter: '{name}'.",
    seen="public logs",
    shape="entra",
    number=900144,
)
BAD_GRANT = ErrorKind(
    400,
    "unsupported_grant_type",
    "The app requested an unsupported grant type '{grant}'.",
    seen="public logs",
    shape="entra",
    number=70003,
)
BAD_SCOPE = ErrorKind(
    400,
    "invalid_scope",
    "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default "
    "suffixed to the resource identifier (application ID URI).",
    seen="public logs",
    shape="entra",
    number=1002012,
)
NO_AUDIENCE = ErrorKind(
    400,
    "invalid_resource",
    "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the "
    "application has not been installed by the administrator of the tenant or consented to by any user in the tenant. "
    "You might have sent your authentication request to the wrong tenant.",
    seen="Azure/azure-cli#14948",
    shape="entra",
    number=500011,
)

# --- faults: what Azure says when it fails by itself ---------------------------------------------------------------

FAULT_500 = ErrorKind(
    500,
    "InternalServerError",
    "Encountered internal server error. Diagnostic information: timestamp '{at}', request id '{request}'.",
    seen="ARM, public logs",
)
FAULT_500_DATA = ErrorKind(
    500,
    "",
    "The server had an error while processing your request. Sorry about that! You can retry your request, or contact "
    "us through an Azure support request at: https://go.microsoft.com/fwlink/?linkid=2213926 if the error persists. "
    "(Please include the request ID {request} in your message.)",
    seen="Azure-Samples/azure-search-openai-demo#1390",
    shape="openai",
)
FAULT_500_LOGIN = ErrorKind(
    500,
    "server_error",
    "A transient error has occurred. Please try again.",
    seen="Entra's list of error codes",
    shape="entra",
    number=90033,
)
FAULT_429 = ErrorKind(
    429,
    "SubscriptionRequestsThrottled",
    "Number of requests for subscription '{subscription}' and operation '{operation}' exceeded the backend storage "
    "limit. Please try again after '{seconds}' seconds.",
    seen="MicrosoftDocs/azure-docs#105248",
)
FAULT_429_LOGIN = ErrorKind(
    429,
    "temporarily_unavailable",
    "There are too many incoming requests.",
    seen="Entra's list of error codes",
    shape="entra",
    number=90055,
)
FAULT_503 = ErrorKind(503, "ServiceUnavailable", "The service is temporarily unavailable. Please try again later.")
FAULT_SECRET = ErrorKind(
    401,
    "invalid_client",
    "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys for "
    "your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
    "https://aka.ms/certCreds.",
    seen="public logs",
    shape="entra",
    number=7000222,
)
STILL_HAS_DEPLOYMENTS = ErrorKind(
    409,
    "CannotDeleteResource",
    "Cannot delete resource while nested resources exist. Please delete the deployments of '{account}' first.",
)
PURGE_BUSY = ErrorKind(
    409,
    "RequestConflict",
    "Another operation is being performed on the resource '{account}'. Please try again later.",
)
FAULT_CREATE = ErrorKind(409, "DeploymentFailed", "The deployment '{name}' could not be created.")

# --- managed identities --------------------------------------------------------------------------------------------

BAD_IDENTITY_HEADER = ErrorKind(
    401,
    "Unauthorized",
    "The header X-IDENTITY-HEADER is missing or is not that of this identity endpoint.",
    shape="identity",
)
NO_IDENTITY = ErrorKind(
    400,
    "BadRequest",
    "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
    seen="public logs",
    shape="identity",
)
