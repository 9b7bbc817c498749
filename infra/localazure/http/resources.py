"""Handlers of the resource manager's own operations: subscriptions, providers, resource groups, any other resource."""

from __future__ import annotations

from typing import Any

from infra.localazure import accounts, bodies, errors, generic, groups, ids, roles, softdelete
from infra.localazure.http import wire
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
    return Answer(body={"value": [wire.provider(call.world, found, name) for name in groups.PROVIDERS]})


def get_provider(call: Call) -> Answer:
    """One resource provider."""
    found = groups.subscription(call.world, call.params["subscription"])
    return Answer(body=wire.provider(call.world, found, groups.require_provider(call.params["namespace"])))


def register_provider(call: Call) -> Answer:
    """Register a resource provider in a subscription."""
    found = groups.register(call.world, call.params["subscription"], call.params["namespace"])
    return Answer(body=wire.provider(call.world, found, call.params["namespace"].lower()))


def unregister_provider(call: Call) -> Answer:
    """Take the registration away."""
    found = groups.register(call.world, call.params["subscription"], call.params["namespace"], on=False)
    return Answer(body=wire.provider(call.world, found, call.params["namespace"].lower()))


def list_groups(call: Call) -> Answer:
    """The resource groups of a subscription."""
    found = groups.subscription(call.world, call.params["subscription"])
    return Answer(body=wire.page([wire.group(g) for g in call.world.groups.of(found.id)]))


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
    """Delete a resource group and what is in it; accounts in it are soft-deleted."""
    found = groups.group(call.world, call.params["subscription"], call.params["group"])
    for account in accounts.in_subscription(call.world, found.subscription, found.name):
        softdelete.delete_now(call.world, call.caller, account)
    groups.delete_group(call.world, call.caller, found)
    return Answer(200)


def list_in_group(call: Call) -> Answer:
    """Every resource of a group."""
    found = groups.group(call.world, call.params["subscription"], call.params["group"])
    items: list[Any] = [
        wire.account(call.world, a) for a in accounts.in_subscription(call.world, found.subscription, found.name)
    ]
    items += [wire.generic(r) for r in generic.below(call.world, found.id)]
    return Answer(body=wire.page(items))


def put_generic(call: Call) -> Answer:
    """Keep a resource of a type without rules of its own."""
    body = bodies.read_object(call.body)
    made, new = generic.put(call.world, call.caller, call.path, bodies.convert(body, bodies.Generic), body)
    return Answer(201 if new else 200, wire.generic(made))


def get_generic(call: Call) -> Answer:
    """One such resource, or the list of a type."""
    if generic.is_collection(call.path):
        return Answer(body=wire.page([wire.generic(r) for r in generic.collection(call.world, call.path)]))
    return Answer(body=wire.generic(generic.get(call.world, call.path)))


def patch_generic(call: Call) -> Answer:
    """Change tags and properties of such a resource."""
    return Answer(body=wire.generic(generic.patch(call.world, call.caller, call.path, call.read(bodies.Generic))))


def delete_generic(call: Call) -> Answer:
    """Forget such a resource; 204 where there was none."""
    return Answer(200 if generic.delete(call.world, call.caller, call.path) else 204)


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
    wanted = call.query.get("$filter", "")
    of = {wanted.split("'")[1].lower()} if "'" in wanted else None
    if of and "assignedTo" in wanted:
        of = roles.holders(call.world, next(iter(of)))
    found = roles.assignments_at(call.world, call.params["scope"], only_here="atScope()" in wanted, of=of)
    return Answer(body=wire.page([wire.role_assignment(a) for a in found]))


def get_role(call: Call) -> Answer:
    """One role definition."""
    found = roles.definition(call.world, call.params["role"])
    if found is None:
        raise errors.NO_ROLE(role=call.params["role"])
    return Answer(body=wire.role_definition(found, call.params.get("scope", "/")))


def list_roles(call: Call) -> Answer:
    """The role definitions that can be assigned at a scope; `$filter` takes roleName eq '…'."""
    scope = call.params.get("scope", "/")
    wanted = call.query.get("$filter", "")
    name = wanted.split("'")[1].lower() if "roleName" in wanted and "'" in wanted else None
    found = [r for r in roles.definitions_at(call.world, scope) if name is None or r.name.lower() == name]
    return Answer(body=wire.page([wire.role_definition(r, scope) for r in found]))
