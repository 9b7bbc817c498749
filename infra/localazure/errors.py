"""Azure's refusals, in one table: status, code, text, where the text was seen.

The rules raise a row of this table (`raise SIBLING_BUSY(account=…)`); one function of the HTTP side makes it an
answer in Azure's envelope. Texts are quoted because programs match on them. A row whose `seen` is None has a text of
ours: no page or traffic that shows Azure's own was found, and the generated documentation lists it so.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class AzureError(Exception):
    """One refusal: HTTP status, code and text, as Azure words it."""

    def __init__(self, kind: ErrorKind, message: str, headers: dict[str, str] | None = None) -> None:
        """Keep the row of the table with the finished text."""
        super().__init__(message)
        self.kind = kind
        self.status = kind.status
        self.code = kind.code
        self.message = message
        self.headers = headers or {}


_TABLE: list[ErrorKind] = []


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """A row of the table; calling it with the names in its text makes the error to raise."""

    status: int
    code: str
    text: str
    seen: str | None = field(default=None, kw_only=True)
    """Where the text was seen (page, issue, recorded traffic); None where it is ours."""

    def __post_init__(self) -> None:
        _TABLE.append(self)

    def __call__(self, headers: dict[str, str] | None = None, /, **names: object) -> AzureError:
        """The error, its text filled with `names`, with further response headers."""
        return AzureError(self, self.text.format(**names), headers)


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
    "this subscription. Please use the authority (URL) '{authority}' to get the token.",
    seen="ARM, public logs",
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
BAD_NAME = ErrorKind(
    400,
    "InvalidResourceName",
    "Resource name {name} is invalid. The name must match the pattern '{pattern}' and have {least} to {most} "
    "characters.",
)
BAD_PROPERTY = ErrorKind(400, "InvalidResourceProperties", "{fact}")
BAD_REQUEST = ErrorKind(400, "BadRequest", "{fact}")
THROTTLED = ErrorKind(
    429,
    "TooManyRequests",
    "The request is being throttled as the limit has been reached for operation type - {kind}. For more information, "
    "see - https://aka.ms/srpthrottlinglimits",
)

# --- subscriptions and groups --------------------------------------------------------------------------------------

NO_SUBSCRIPTION = ErrorKind(
    404, "SubscriptionNotFound", "The subscription '{subscription}' could not be found.", seen="ARM, public logs"
)
NO_GROUP = ErrorKind(
    404, "ResourceGroupNotFound", "Resource group '{group}' could not be found.", seen="ARM, public logs"
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
SUBDOMAIN_TAKEN = ErrorKind(
    409,
    "CustomDomainInUse",
    "Please pick a different name. The subdomain name '{subdomain}' is not available as it's already used by a "
    "resource.",
    seen="public azd logs",
)
SUBDOMAIN_FIXED = ErrorKind(
    400, "BadRequest", "The custom subdomain name '{subdomain}' of an account cannot be changed once it is set."
)
ACCOUNT_NOT_SETTLED = ErrorKind(
    409,
    "AccountProvisioningStateInvalid",
    "Call to Microsoft.CognitiveServices/accounts failed. Error message: Account {account} in state {state}",
    seen="public Terraform logs",
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
    "The capacity {capacity} of SKU '{sku}' is out of range: from {least} to {most}.",
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
PAUSE_NOT_SUPPORTED = ErrorKind(400, "InvalidResourceProperties", "A deployment of SKU '{sku}' cannot be paused.")
CREATE_FAILED = ErrorKind(
    409, "DeploymentCreationFailed", "The deployment '{name}' could not be created. Please try again."
)

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
NO_PRINCIPAL = ErrorKind(
    400,
    "PrincipalNotFound",
    "Principal {principal} does not exist in the directory {tenant}. Check that you have the correct principal ID. "
    "If you are creating this principal and then immediately assigning a role, this error might be related to a "
    "replication delay. In this case, set the role assignment principalType property to a value, such as "
    "ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
    seen="azure-docs, role-based-access-control",
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
NO_DATA_HOST = ErrorKind(404, "404", "Resource not found", seen="public logs")
NO_MODEL = ErrorKind(404, "notFound", "The model '{model}' was not found.")
OPERATION_NOT_OF_MODEL = ErrorKind(
    400,
    "OperationNotSupported",
    "The {operation} operation does not work with the specified model, {model}. Please choose different model and "
    "try again. You can learn more about which models can be used with each operation here: "
    "https://go.microsoft.com/fwlink/?linkid=2197993.",
    seen="public logs",
)
BAD_DATA_API_VERSION = ErrorKind(404, "404", "Resource not found", seen="public logs")
BAD_CHAT = ErrorKind(400, "BadRequest", "{fact}")
