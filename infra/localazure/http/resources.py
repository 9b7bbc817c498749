"""Handlers of the resource manager's own operations: subscriptions, providers, resource groups, any other resource."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from infra.localazure import accounts, bodies, errors, generic, groups, ids, jobs, roles, softdelete, tags, vaults
from infra.localazure.entities import Account, GenericResource, Json, ResourceGroup, RoleAssignment, RoleDefinition
from infra.localazure.http import etags, paging, wire
from infra.localazure.http.call import Answer, Call


def list_subscriptions(call: Call) -> Answer:
    """The subscriptions in which the caller holds a role."""
    held = [ids.key(a.scope) for a in roles.held(call.world, call.caller.principal, call.now)]
    reached = {ids.subscription_of(scope) for scope in held}
    everywhere = "/" in held
    mine = [s for s in call.world.subscriptions if s.tenant == call.caller.tenant and (everywhere or s.id in reached)]
    return Answer(body={"value": [wire.subscription(s) for s in mine], "count": {"type": "Total", "value": len(mine)}})


def list_tenants(call: Call) -> Answer:
    """The tenants the caller is known in."""
    found = call.world.tenants.get(call.caller.tenant)
    if found is None:
        return Answer(body={"value": []})
    item = {
        "id": f"/tenants/{found.id}",
        "tenantId": found.id,
        "displayName": found.name or found.id,
        "tenantCategory": "Home",
    }
    return Answer(body={"value": [item]})


def get_subscription(call: Call) -> Answer:
    """One subscription."""
    return Answer(body=wire.subscription(groups.subscription(call.world, call.params["subscription"])))


def list_locations(call: Call) -> Answer:
    """The regions."""
    base = f"/subscriptions/{call.params['subscription']}/locations"
    items = [
        {
            "id": f"{base}/{name}",
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": display,
            "metadata": {"regionType": "Physical"},
        }
        for name, (display, _) in call.world.catalogue.regions.items()
    ]
    return Answer(body={"value": items})


def list_providers(call: Call) -> Answer:
    """The resource providers with their registration."""
    found = groups.subscription(call.world, call.params["subscription"])
    return paging.page(
        call,
        list(groups.PROVIDERS),
        lambda name: wire.provider(call.world, found, name),
        key=str,
        size=paging.top(call),
    )


def get_provider(call: Call) -> Answer:
    """One resource provider."""
    found = groups.subscription(call.world, call.params["subscription"])
    return Answer(body=wire.provider(call.world, found, groups.require_provider(call.params["namespace"])))


def register_provider(call: Call) -> Answer:
    """Register a resource provider in a subscription, which takes its time."""
    return _register(call, on=True)


def unregister_provider(call: Call) -> Answer:
    """Take the registration away."""
    return _register(call, on=False)


def _register(call: Call, *, on: bool) -> Answer:
    found = groups.register(call.world, call.params["subscription"], call.params["namespace"], on=on)
    namespace = call.params["namespace"].lower()
    action = f"{groups.PROVIDERS[namespace]}/{'register' if on else 'unregister'}/action"
    call.world.record(action, f"/subscriptions/{found.id}", call.caller)
    return Answer(body=wire.provider(call.world, found, namespace))


def list_groups(call: Call) -> Answer:
    """The resource groups of a subscription."""
    found = groups.subscription(call.world, call.params["subscription"])
    return paging.page(call, _tagged(call, call.world.groups.of(found.id)), wire.group, size=paging.top(call))


def put_group(call: Call) -> Answer:
    """Make or change a resource group."""
    body = call.read(bodies.Group)
    made, new = groups.put_group(call.world, call.caller, call.params["subscription"], call.params["group"], body)
    return Answer(201 if new else 200, wire.group(made))


def patch_group(call: Call) -> Answer:
    """Change the tags of a resource group."""
    found = groups.group(call.world, call.params["subscription"], call.params["group"])
    return Answer(body=wire.group(groups.patch_group(call.world, call.caller, found, call.read(bodies.Group))))


def get_group(call: Call) -> Answer:
    """One resource group."""
    return Answer(body=wire.group(groups.group(call.world, call.params["subscription"], call.params["group"])))


def head_group(call: Call) -> Answer:
    """Whether a resource group exists."""
    key = ids.key(ids.group_id(call.params["subscription"], call.params["group"]))
    return Answer(204 if call.world.groups.get(key) else 404)


def delete_group(call: Call) -> Answer:
    """Delete a resource group and what is in it; accounts in it are soft-deleted. To follow at its Location."""
    found = groups.group(call.world, call.params["subscription"], call.params["group"])
    groups.open_group(call.world, found.subscription, found.name)
    for account in accounts.in_subscription(call.world, found.subscription, found.name):
        softdelete.delete_now(call.world, call.caller, account)
    seconds = groups.delete_group(call.world, call.caller, found)
    if not seconds:
        return Answer(200)
    operation = call.world.start_operation(found.id, found.location, seconds, deletes=True)
    path = f"/subscriptions/{found.subscription}/operationresults/{operation.id}?api-version={call.api_version}"
    return Answer(202, headers={"location": call.url(path), "retry-after": _RETRY_AFTER})


def get_operation_result(call: Call) -> Answer:
    """202 while a resource group is being deleted, and an empty 200 when it is gone."""
    found = call.world.operations.get(call.params["operation"])
    if found is None or found.subscription != call.params["subscription"].lower():
        raise errors.NO_SUCH_ROUTE(path=call.path)
    if call.now < found.done_at:
        return Answer(
            202,
            headers={"location": call.url(f"{call.path}?api-version={call.api_version}"), "retry-after": _RETRY_AFTER},
        )
    return Answer(200)


def list_in_group(call: Call) -> Answer:
    """Every resource of a group."""
    found = groups.group(call.world, call.params["subscription"], call.params["group"])
    return _resources(call, accounts.in_subscription(call.world, found.subscription, found.name), found.id)


def list_in_subscription(call: Call) -> Answer:
    """Every resource of a subscription; `$filter` takes resourceGroup eq '…', as azure-cli asks for a group's."""
    found = groups.subscription(call.world, call.params["subscription"])
    wanted = call.argument("$filter")
    match = re.fullmatch(r"\s*resourceGroup eq '([^']+)'\s*", wanted)
    if wanted and match is None:
        raise errors.BAD_FILTER(filter=wanted)
    group = match[1] if match else None
    scope = f"/subscriptions/{found.id}" + (f"/resourceGroups/{group}" if group else "")
    return _resources(call, accounts.in_subscription(call.world, found.id, group), scope)


def _resources(call: Call, inside: list[Account], scope: str) -> Answer:
    """Accounts and other tracked resources, without their properties, as ARM's own lists show them."""
    found: list[Account | GenericResource] = [*inside]
    found += [r for r in generic.below(call.world, scope) if generic.TYPES.get(r.type)]

    def write(item: Account | GenericResource) -> Json:
        told = wire.account(call.world, item, "") if isinstance(item, Account) else wire.generic(item)
        return {k: v for k, v in told.items() if k in _OF_A_RESOURCE}

    return paging.page(call, found, write, size=paging.top(call))


def _tagged(call: Call, found: list[ResourceGroup]) -> list[ResourceGroup]:
    """The groups that a $filter on a tag leaves; ARM takes no other."""
    wanted = call.argument("$filter")
    if not wanted:
        return found
    match = _TAG_FILTER.fullmatch(wanted.strip())
    if match is None:
        raise errors.BAD_FILTER(filter=wanted)
    name, value = match["name"].lower(), match["value"]

    def has(tags_of: dict[str, str] | None) -> bool:
        return any(k.lower() == name and value in {None, v} for k, v in (tags_of or {}).items())

    return [g for g in found if has(g.tags)]


def put_generic(call: Call) -> Answer:
    """Keep a resource of a type without rules of its own."""
    body = bodies.read_object(call.body)
    _require_condition(call)
    made, new = generic.put(call.world, call.caller, call.path, bodies.convert(body, bodies.Generic), body)
    return Answer(201 if new and made.type != vaults.KEYS else 200, wire.generic(made))


def list_deleted_vaults(call: Call) -> Answer:
    """The vaults of a subscription that were deleted and can be brought back."""
    groups.subscription(call.world, call.params["subscription"])
    found = vaults.deleted_vaults(call.world, call.params["subscription"])
    return paging.page(call, found, vaults.shown)


def get_deleted_vault(call: Call) -> Answer:
    """A vault that was deleted and can be brought back."""
    return Answer(body=vaults.shown(_deleted_vault(call)))


def purge_vault(call: Call) -> Answer:
    """Forget a deleted vault for good; done at once, where Azure answers 202."""
    vaults.purge(call.world, call.caller, _deleted_vault(call))
    return Answer(200)


def _deleted_vault(call: Call) -> GenericResource:
    groups.subscription(call.world, call.params["subscription"])
    return vaults.deleted_vault(call.world, *(call.params[name] for name in ("subscription", "location", "vault")))


def get_generic(call: Call) -> Answer:
    """One such resource, or the list of a type."""
    if generic.is_collection(call.path):
        return paging.page(call, generic.collection(call.world, call.path), wire.generic)
    return Answer(body=wire.generic(generic.get(call.world, call.path)))


def patch_generic(call: Call) -> Answer:
    """Change tags and properties of such a resource."""
    _require_condition(call)
    return Answer(body=wire.generic(generic.patch(call.world, call.caller, call.path, call.read(bodies.Generic))))


def delete_generic(call: Call) -> Answer:
    """Forget such a resource; 204 where there was none."""
    if call.world.generic.get(ids.key(call.path)) is not None:
        _require_condition(call)
    return Answer(200 if generic.delete(call.world, call.caller, call.path) else 204)


def _require_condition(call: Call) -> None:
    found = call.world.generic.get(ids.key(call.path))
    etags.require(call, wire.generic_etag(found) if found is not None else None)


# --- tags ----------------------------------------------------------------------------------------------------------


def get_tags(call: Call) -> Answer:
    """The tags of a scope."""
    return _tags_answer(call, _tags_of(call)[0])


def put_tags(call: Call) -> Answer:
    """Give a scope these tags and no others."""
    return _retag(call, call.read(bodies.TagsBody).properties.tags)


def patch_tags(call: Call) -> Answer:
    """Merge tags with those of a scope, replace them, or take some away."""
    body = call.read(bodies.TagsPatch)
    return _retag(call, tags.changed(_tags_of(call)[0], body.operation, body.properties.tags))


def delete_tags(call: Call) -> Answer:
    """Take every tag of a scope away."""
    _retag(call, {})
    return Answer(200)


def _retag(call: Call, wanted: dict[str, str]) -> Answer:
    _, change = _tags_of(call)
    change(wanted)
    return _tags_answer(call, wanted)


def _tags_of(call: Call) -> tuple[dict[str, str] | None, Callable[[dict[str, str]], object]]:
    """The tags of a scope that has some, and how they are changed."""
    scope = call.params["scope"]
    generic.require_exists(call.world, scope)
    key = ids.key(scope)
    account, group, other = call.world.account(key), call.world.groups.get(key), call.world.generic.get(key)
    if account is not None:
        found = account
        return found.tags, lambda t: accounts.patch(call.world, call.caller, found, bodies.Account(tags=t))
    if group is not None:
        here = group
        return here.tags, lambda t: groups.patch_group(call.world, call.caller, here, bodies.Group(tags=t))
    if other is not None:
        one = other
        return one.body.get("tags"), lambda t: generic.retag(call.world, call.caller, one, t)
    raise errors.BAD_REQUEST(fact=f"Local Azure keeps no tags of '{scope}'.")


def _tags_answer(call: Call, found: dict[str, str] | None) -> Answer:
    scope = call.params["scope"]
    body = {
        "id": f"{scope}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": found or {}},
    }
    return Answer(body=body)


# --- jobs ----------------------------------------------------------------------------------------------------------


def start_job(call: Call) -> Answer:
    """Begin an execution of a Container Apps job."""
    job = generic.get(call.world, call.path.rsplit("/", 1)[0])
    template, runs = bodies.read_object(call.body) or None, call.app.platform.runner is not None
    made = jobs.start(call.world, call.caller, job.id, template, runs=runs)
    call.app.platform.begin(made, job)
    return Answer(200, {"id": made.id, "name": made.name})


def list_job_secrets(call: Call) -> Answer:
    """The secrets of a job with their values."""
    held = jobs.secrets_of(generic.get(call.world, call.path.rsplit("/", 1)[0]))
    return Answer(body={"value": [{"name": name, "value": value} for name, value in held.items()]})


def list_executions(call: Call) -> Answer:
    """The executions of a job, the newest first."""
    found = jobs.executions(call.world, call.path.rsplit("/", 1)[0])
    return paging.page(call, found, lambda e: _execution(call, e))


def get_execution(call: Call) -> Answer:
    """One execution of a job."""
    found = call.world.generic.get(ids.key(call.path))
    if found is None:
        name = f"{call.params['job']}/{call.params['execution']}"
        raise errors.NO_RESOURCE(type=jobs.EXECUTIONS, name=name, group=call.params["group"])
    return Answer(body=_execution(call, found))


def _execution(call: Call, found: GenericResource) -> Json:
    return {"id": found.id, "name": found.name, "type": found.type, "properties": jobs.properties(found, call.now)}


# --- roles ---------------------------------------------------------------------------------------------------------


def put_assignment(call: Call) -> Answer:
    """Assign a role at a scope."""
    body = call.read(bodies.RoleAssignment)
    generic.require_exists(call.world, call.params["scope"])
    made, new = roles.assign(call.world, call.caller, call.params["scope"], call.params["name"], body.properties)
    return Answer(201 if new else 200, wire.role_assignment(made))


def get_assignment(call: Call) -> Answer:
    """One role assignment."""
    found = roles.find_assignment(call.world, call.params["scope"], call.params["name"])
    if found is None:
        raise errors.NO_ASSIGNMENT(name=call.params["name"])
    return Answer(body=wire.role_assignment(found))


def delete_assignment(call: Call) -> Answer:
    """Take a role away; 204 where it was not given."""
    gone = roles.unassign(call.world, call.caller, call.params["scope"], call.params["name"])
    return Answer(200, wire.role_assignment(gone)) if gone else Answer(204)


def list_assignments(call: Call) -> Answer:
    """The assignments at a scope; `$filter` takes atScope(), principalId eq '…' and assignedTo('…')."""
    wanted = _role_filter(call, {"principalId"})
    of = {wanted.equal["principalid"].lower()} if "principalid" in wanted.equal else None
    if wanted.assigned_to:
        of = roles.holders(call.world, wanted.assigned_to.lower())
    scope = call.params["scope"]
    generic.require_exists(call.world, scope)
    found = roles.assignments_at(call.world, scope, only_here=wanted.at_scope, of=of)

    def key(item: RoleAssignment) -> str:
        return item.id

    return paging.page(call, found, wire.role_assignment, key=key)


def list_permissions(call: Call) -> Answer:
    """What the caller may do at a group or a resource, role by role; the specification has no more scopes."""
    scope = call.params["scope"]
    if "/resourcegroups/" not in scope.lower():
        raise errors.NO_SUCH_ROUTE(path=call.path)
    generic.require_exists(call.world, scope)
    found = roles.effective(call.world, call.caller.principal, scope, call.now)
    return Answer(body={"value": [wire.permission(role) for role in found]})


def get_role(call: Call) -> Answer:
    """One role definition."""
    found = roles.definition(call.world, call.params["role"])
    if found is None:
        raise errors.NO_ROLE(role=call.params["role"])
    return Answer(body=wire.role_definition(found, call.params.get("scope", "/")))


def put_role(call: Call) -> Answer:
    """Make or change a custom role."""
    body = call.read(bodies.RoleDefinition)
    made = roles.put_definition(call.world, call.caller, call.params["scope"], call.params["role"], body)
    return Answer(201, wire.role_definition(made, call.params["scope"]))


def delete_role(call: Call) -> Answer:
    """Take a custom role away; 204 where there was none."""
    gone = roles.drop_definition(call.world, call.caller, call.params["scope"], call.params["role"])
    return Answer(200, wire.role_definition(gone, call.params["scope"])) if gone else Answer(204)


def list_roles(call: Call) -> Answer:
    """The role definitions that can be assigned at a scope.

    `$filter` takes roleName eq '…', type eq 'BuiltInRole' or 'CustomRole', atScope() and atScopeAndBelow().
    """
    scope = call.params.get("scope", "/")
    wanted = _role_filter(call, {"roleName", "type"})
    found = roles.definitions_at(call.world, scope, below=wanted.below)
    name, kind = wanted.equal.get("rolename"), wanted.equal.get("type")
    if name is not None:
        found = [r for r in found if r.name.lower() == name.lower()]
    if kind is not None:
        found = [r for r in found if wire.role_type(r).lower() == kind.lower()]

    def key(item: RoleDefinition) -> str:
        return item.id

    def write(item: RoleDefinition) -> Json:
        return wire.role_definition(item, scope)

    return paging.page(call, found, write, key=key, size=paging.CATALOGUE_PAGE)


@dataclass(frozen=True, slots=True)
class _RoleFilter:
    """What a $filter on roles asks for; the names of fields in lower case."""

    equal: dict[str, str]
    assigned_to: str = ""
    at_scope: bool = False
    below: bool = False


_EQUAL = re.compile(r"(?P<name>\w+)\s+eq\s+'(?P<value>[^']*)'", re.IGNORECASE)
_ASSIGNED = re.compile(r"assignedTo\('(?P<who>[^']*)'\)", re.IGNORECASE)
_TAG_FILTER = re.compile(
    r"tagName\s+eq\s+'(?P<name>[^']*)'(\s+and\s+tagValue\s+eq\s+'(?P<value>[^']*)')?", re.IGNORECASE
)
_OF_A_RESOURCE = {"id", "name", "type", "location", "tags", "kind", "sku", "identity", "managedBy"}
_RETRY_AFTER = "1"
"""Seconds until the end of a deletion is asked for again. Azure: 15."""


def _role_filter(call: Call, fields: set[str]) -> _RoleFilter:
    """The $filter of a list of roles: terms joined by `and`; refuses what such a list does not take."""
    found = _RoleFilter({})
    given = call.argument("$filter").strip()
    for term in re.split(r"\s+and\s+", given, flags=re.IGNORECASE) if given else ():
        equal, assigned = _EQUAL.fullmatch(term), _ASSIGNED.fullmatch(term)
        if equal is not None and equal["name"].lower() in {field.lower() for field in fields}:
            found.equal[equal["name"].lower()] = equal["value"]
        elif assigned is not None and "principalId" in fields:
            found = replace(found, assigned_to=assigned["who"])
        elif term.lower() == "atscope()":
            found = replace(found, at_scope=True)
        elif term.lower() == "atscopeandbelow()":
            found = replace(found, below=True)
        else:
            raise errors.BAD_FILTER(filter=given)
    return found
