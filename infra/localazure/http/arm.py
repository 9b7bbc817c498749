"""The resource manager's route table."""

from __future__ import annotations

from infra.localazure import vaults
from infra.localazure.entities import Json
from infra.localazure.http import activity, monitor, paging
from infra.localazure.http import cognitive as cs
from infra.localazure.http import resources as rm
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router

_SUB = "/subscriptions/{subscription}"
_GROUP = _SUB + "/resourceGroups/{group}"
_CS = _SUB + "/providers/Microsoft.CognitiveServices"
_ACCOUNT = _GROUP + "/providers/Microsoft.CognitiveServices/accounts/{account}"
_DEPLOYMENT = _ACCOUNT + "/deployments/{deployment}"
_DELETED = _CS + "/locations/{location}/resourceGroups/{group}/deletedAccounts/{account}"
_AUTH = "{scope}/providers/Microsoft.Authorization"

_A = "Microsoft.CognitiveServices/accounts/"
_G = "Microsoft.Resources/subscriptions/resourceGroups/"
_S = "Microsoft.Resources/subscriptions/"
_JOB = _GROUP + "/providers/Microsoft.App/jobs/{job}"
_TAGS = "{scope}/providers/Microsoft.Resources/tags/default"
_C = "Microsoft.CognitiveServices/"
_SPEC = "cognitiveservices 2024-10-01"
_METRICS_SPEC = "monitor 2024-02-01"
_AUTH_SPEC = "authorization 2022-04-01"
_CLI = "azure-cli 2.91"
_PAGES = "ARM's documentation"
_PREVIEW = "azure-mgmt-cognitiveservices 15.0.0b6"
_JOBS = "documentation of Container Apps jobs, 2024-03-01"
_KV = _SUB + "/providers/Microsoft.KeyVault"
_GONE = _KV + "/locations/{location}/deletedVaults/{vault}"
_VAULTS = "documentation of Key Vault, 2024-11-01"
_POLLING = "azure-mgmt-cognitiveservices 14.1: its polling; headers of azure-cli's recording"


def list_operations(call: Call) -> Answer:
    """What can be done with the resources of Microsoft.CognitiveServices: the actions of this table."""
    namespace = "Microsoft.CognitiveServices/"
    actions = sorted({r.action for r in ROUTES if r.action is not None and r.action.startswith(namespace)})

    def write(action: str) -> Json:
        kind, _, verb = action.removesuffix("/action").removeprefix(namespace).rpartition("/")
        told = f"{verb} {kind}".strip()
        display = {
            "provider": "Microsoft Cognitive Services",
            "resource": kind or "subscription",
            "operation": told,
            "description": told,
        }
        return {"name": action, "display": display, "origin": "user,system"}

    return paging.page(call, actions, write, key=str, size=paging.CATALOGUE_PAGE)


ROUTES = [
    Route("GET", "/subscriptions", rm.list_subscriptions, checked_against=_CLI),
    Route("GET", "/tenants", rm.list_tenants, checked_against=_PAGES),
    Route("GET", _SUB, rm.get_subscription, _S + "read", _PAGES),
    Route("GET", _SUB + "/locations", rm.list_locations, _S + "read", _CLI),
    Route("GET", _SUB + "/providers", rm.list_providers, _S + "providers/read", _CLI),
    Route("GET", _SUB + "/providers/{namespace}", rm.get_provider, _S + "providers/read", _CLI),
    Route("POST", _SUB + "/providers/{namespace}/register", rm.register_provider, "{namespace}/register/action", _CLI),
    Route(
        "POST",
        _SUB + "/providers/{namespace}/unregister",
        rm.unregister_provider,
        "{namespace}/unregister/action",
        _CLI,
    ),
    Route("GET", _SUB + "/resourceGroups", rm.list_groups, _G + "read", _CLI),
    Route("PUT", _GROUP, rm.put_group, _G + "write", _CLI),
    Route("PATCH", _GROUP, rm.patch_group, _G + "write", _CLI),
    Route("GET", _GROUP, rm.get_group, _G + "read", _CLI),
    Route("HEAD", _GROUP, rm.head_group, _G + "read", _CLI),
    Route("DELETE", _GROUP, rm.delete_group, _G + "delete", _CLI),
    Route("GET", _GROUP + "/resources", rm.list_in_group, _G + "read", _PAGES),
    Route("GET", _SUB + "/resources", rm.list_in_subscription, _S + "read", _CLI),
    Route("GET", _SUB + "/operationresults/{operation}", rm.get_operation_result, checked_against=_PAGES),
    Route("GET", _TAGS, rm.get_tags, "Microsoft.Resources/tags/read", _PAGES),
    Route("PUT", _TAGS, rm.put_tags, "Microsoft.Resources/tags/write", _PAGES),
    Route("PATCH", _TAGS, rm.patch_tags, "Microsoft.Resources/tags/write", _PAGES),
    Route("DELETE", _TAGS, rm.delete_tags, "Microsoft.Resources/tags/delete", _PAGES),
    # The activity log
    Route(
        "GET",
        _SUB + "/providers/Microsoft.Insights/eventtypes/management/values",
        activity.list_events,
        "Microsoft.Insights/eventtypes/values/read",
        "monitor 2015-04-01",
    ),
    # Container Apps jobs, beyond what the generic store does
    Route("POST", _JOB + "/start", rm.start_job, "Microsoft.App/jobs/start/action", _JOBS),
    Route("POST", _JOB + "/listSecrets", rm.list_job_secrets, "Microsoft.App/jobs/listSecrets/action", _JOBS),
    Route("GET", _JOB + "/executions", rm.list_executions, "Microsoft.App/jobs/executions/read", _JOBS),
    Route("GET", _JOB + "/executions/{execution}", rm.get_execution, "Microsoft.App/jobs/executions/read", _JOBS),
    # Deleted key vaults, beyond what the generic store does
    Route("GET", _KV + "/deletedVaults", rm.list_deleted_vaults, "Microsoft.KeyVault/deletedVaults/read", _VAULTS),
    Route("GET", _GONE, rm.get_deleted_vault, "Microsoft.KeyVault/locations/deletedVaults/read", _VAULTS),
    Route("POST", _GONE + "/purge", rm.purge_vault, "Microsoft.KeyVault/locations/deletedVaults/purge/action", _VAULTS),
    # Accounts
    Route("PUT", _ACCOUNT, cs.put_account, _A + "write", _SPEC),
    Route("PATCH", _ACCOUNT, cs.patch_account, _A + "write", _SPEC),
    Route("GET", _ACCOUNT, cs.get_account, _A + "read", _SPEC),
    Route("DELETE", _ACCOUNT, cs.delete_account, _A + "delete", _SPEC),
    Route(
        "GET", _GROUP + "/providers/Microsoft.CognitiveServices/accounts", cs.list_accounts_in_group, _A + "read", _SPEC
    ),
    Route("GET", _CS + "/accounts", cs.list_accounts, _A + "read", _SPEC),
    Route("POST", _ACCOUNT + "/listKeys", cs.list_keys, _A + "listKeys/action", _SPEC),
    Route("POST", _ACCOUNT + "/regenerateKey", cs.regenerate_key, _A + "regenerateKey/action", _SPEC),
    Route("GET", _ACCOUNT + "/models", cs.list_account_models, _A + "models/read", _SPEC),
    Route("GET", _ACCOUNT + "/skus", cs.list_account_skus, _A + "skus/read", _SPEC),
    Route("GET", _ACCOUNT + "/usages", cs.list_account_usages, _A + "usages/read", _SPEC),
    Route(
        "POST",
        _CS + "/checkDomainAvailability",
        cs.check_domain,
        "Microsoft.CognitiveServices/checkDomainAvailability/action",
        _SPEC,
    ),
    Route("GET", _CS + "/skus", cs.list_skus, _C + "skus/read", _SPEC),
    Route(
        "POST",
        _CS + "/locations/{location}/checkSkuAvailability",
        cs.check_skus,
        _C + "locations/checkSkuAvailability/action",
        _SPEC,
    ),
    Route("GET", "/providers/Microsoft.CognitiveServices/operations", list_operations, None, _SPEC),
    Route("GET", _CS + "/deletedAccounts", cs.list_deleted, "Microsoft.CognitiveServices/deletedAccounts/read", _SPEC),
    Route(
        "GET",
        _DELETED,
        cs.get_deleted,
        "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts/read",
        _SPEC,
    ),
    Route(
        "DELETE",
        _DELETED,
        cs.purge,
        "Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts/delete",
        _SPEC,
    ),
    # Deployments
    Route("PUT", _DEPLOYMENT, cs.put_deployment, _A + "deployments/write", _SPEC),
    Route("PATCH", _DEPLOYMENT, cs.patch_deployment, _A + "deployments/write", _SPEC),
    Route("GET", _DEPLOYMENT, cs.get_deployment, _A + "deployments/read", _SPEC),
    Route("DELETE", _DEPLOYMENT, cs.delete_deployment, _A + "deployments/delete", _SPEC),
    Route("GET", _ACCOUNT + "/deployments", cs.list_deployments, _A + "deployments/read", _SPEC),
    Route("GET", _DEPLOYMENT + "/skus", cs.list_deployment_skus, _A + "deployments/skus/read", _SPEC),
    Route("POST", _DEPLOYMENT + "/pause", cs.pause_deployment, _A + "deployments/pause/action", _PREVIEW),
    Route("POST", _DEPLOYMENT + "/resume", cs.resume_deployment, _A + "deployments/resume/action", _PREVIEW),
    # Locations
    Route("GET", _CS + "/modelCapacities", cs.list_capacities, _C + "modelCapacities/read", _SPEC),
    Route(
        "GET",
        _CS + "/locations/{location}/modelCapacities",
        cs.list_location_capacities,
        _C + "locations/modelCapacities/read",
        _SPEC,
    ),
    Route("POST", _CS + "/calculateModelCapacity", cs.calculate_capacity, _C + "calculateModelCapacity/action", _SPEC),
    Route(
        "GET",
        _CS + "/locations/{location}/models",
        cs.list_location_models,
        "Microsoft.CognitiveServices/locations/models/read",
        _SPEC,
    ),
    Route(
        "GET",
        _CS + "/locations/{location}/usages",
        cs.list_location_usages,
        "Microsoft.CognitiveServices/locations/usages/read",
        _SPEC,
    ),
    Route(
        "GET",
        _CS + "/locations/{location}/operationResults/{operation}",
        cs.get_operation,  # whoever was given its address may follow it: a role at a group alone is enough
        checked_against=_POLLING,
    ),
    # Metrics
    Route("GET", "{scope}/providers/Microsoft.Insights/metrics", monitor.list_metrics, monitor.READ, _METRICS_SPEC),
    Route(
        "GET",
        "{scope}/providers/Microsoft.Insights/metricDefinitions",
        monitor.list_definitions,
        "Microsoft.Insights/metricDefinitions/read",
        _METRICS_SPEC,
    ),
    # Roles
    Route(
        "PUT",
        _AUTH + "/roleAssignments/{name}",
        rm.put_assignment,
        "Microsoft.Authorization/roleAssignments/write",
        _AUTH_SPEC,
    ),
    Route(
        "GET",
        _AUTH + "/roleAssignments/{name}",
        rm.get_assignment,
        "Microsoft.Authorization/roleAssignments/read",
        _AUTH_SPEC,
    ),
    Route(
        "DELETE",
        _AUTH + "/roleAssignments/{name}",
        rm.delete_assignment,
        "Microsoft.Authorization/roleAssignments/delete",
        _AUTH_SPEC,
    ),
    Route(
        "GET",
        _AUTH + "/roleAssignments",
        rm.list_assignments,
        "Microsoft.Authorization/roleAssignments/read",
        _AUTH_SPEC,
    ),
    Route(
        "GET",
        _AUTH + "/roleDefinitions/{role}",
        rm.get_role,
        "Microsoft.Authorization/roleDefinitions/read",
        _AUTH_SPEC,
    ),
    Route(
        "PUT",
        _AUTH + "/roleDefinitions/{role}",
        rm.put_role,
        "Microsoft.Authorization/roleDefinitions/write",
        _AUTH_SPEC,
    ),
    Route(
        "DELETE",
        _AUTH + "/roleDefinitions/{role}",
        rm.delete_role,
        "Microsoft.Authorization/roleDefinitions/delete",
        _AUTH_SPEC,
    ),
    Route("GET", _AUTH + "/roleDefinitions", rm.list_roles, "Microsoft.Authorization/roleDefinitions/read", _AUTH_SPEC),
    # Whether Azure asks for this action is not confirmed; without it local Azure would be the kinder of the two.
    Route(
        "GET",
        _AUTH + "/permissions",
        rm.list_permissions,
        "Microsoft.Authorization/permissions/read",
        f"{_AUTH_SPEC}, at groups and resources",
    ),
]
ROUTER = Router(ROUTES)

# What the router does not know is a resource without rules of its own, or nothing.
GENERIC = {
    "PUT": (rm.put_generic, "write"),
    "GET": (rm.get_generic, "read"),
    "PATCH": (rm.patch_generic, "write"),
    "DELETE": (rm.delete_generic, "delete"),
}

NOT_OFFERED = {vaults.KEYS: ("PATCH", "DELETE")}
"""What the resource manager does not do with a type: a key is changed and deleted at its vault's own address."""
