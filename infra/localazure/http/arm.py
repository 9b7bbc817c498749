"""The resource manager's route table."""

from __future__ import annotations

from infra.localazure.http import cognitive as cs
from infra.localazure.http import resources as rm
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
_SPEC = "cognitiveservices 2024-10-01"
_AUTH_SPEC = "authorization 2022-04-01"

ROUTES = [
    Route("GET", "/subscriptions", rm.list_subscriptions),
    Route("GET", "/tenants", rm.list_tenants),
    Route("GET", _SUB, rm.get_subscription, _S + "read"),
    Route("GET", _SUB + "/locations", rm.list_locations, _S + "read"),
    Route("GET", _SUB + "/providers", rm.list_providers, _S + "providers/read"),
    Route("GET", _SUB + "/providers/{namespace}", rm.get_provider, _S + "providers/read"),
    Route("POST", _SUB + "/providers/{namespace}/register", rm.register_provider, "{namespace}/register/action"),
    Route("POST", _SUB + "/providers/{namespace}/unregister", rm.unregister_provider, "{namespace}/unregister/action"),
    Route("GET", _SUB + "/resourceGroups", rm.list_groups, _G + "read"),
    Route("PUT", _GROUP, rm.put_group, _G + "write"),
    Route("PATCH", _GROUP, rm.patch_group, _G + "write"),
    Route("GET", _GROUP, rm.get_group, _G + "read"),
    Route("HEAD", _GROUP, rm.head_group, _G + "read"),
    Route("DELETE", _GROUP, rm.delete_group, _G + "delete"),
    Route("GET", _GROUP + "/resources", rm.list_in_group, _G + "read"),
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
    # Locations
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
    Route("GET", _AUTH + "/roleDefinitions", rm.list_roles, "Microsoft.Authorization/roleDefinitions/read", _AUTH_SPEC),
]
ROUTER = Router(ROUTES)

# What the router does not know is a resource without rules of its own, or nothing.
GENERIC = {
    "PUT": (rm.put_generic, "write"),
    "GET": (rm.get_generic, "read"),
    "PATCH": (rm.patch_generic, "write"),
    "DELETE": (rm.delete_generic, "delete"),
}
