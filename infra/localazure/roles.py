"""Role definitions and assignments: who may do what where, on the resource manager and on the data plane."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec

from infra.localazure import bodies, errors, ids
from infra.localazure.entities import RoleAssignment, RoleDefinition, Stamp
from infra.localazure.world import Caller, World

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_ACTION = re.compile(r"\*(/[\w*]+)*|Microsoft\.[A-Za-z]+(/[\w*.-]+)+", re.IGNORECASE)
"""`*`, or a namespace of Microsoft's with types and a verb; only Azure knows every action there is."""
_ROLE_ID = re.compile(rf"(/subscriptions/[^/]+)?/providers/{DEFINITIONS}/(?P<role>{ids.GUID.pattern})", re.IGNORECASE)


class _Row(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    description: str
    actions: list[str] = []
    not_actions: list[str] = []
    data_actions: list[str] = []
    not_data_actions: list[str] = []


@cache
def built_in() -> dict[str, RoleDefinition]:
    """The built-in roles of `data/roles.yaml`, by id."""
    text = (Path(__file__).parent / "data" / "roles.yaml").read_bytes()
    rows = msgspec.yaml.decode(text, type=list[_Row])
    return {row.id: RoleDefinition(**msgspec.structs.asdict(row)) for row in rows}


def definition(world: World, role: str) -> RoleDefinition | None:
    """The role of that id (a GUID), built-in or custom."""
    return built_in().get(role.lower()) or world.role_definitions.get(role.lower())


def full_id(scope: str, role: str) -> str:
    """Azure answers with the role's id below the subscription, however the request named it."""
    subscription = ids.subscription_of(scope)
    prefix = f"/subscriptions/{subscription}" if subscription else ""
    return f"{prefix}/providers/{DEFINITIONS}/{role}"


def definitions_at(world: World, scope: str, *, below: bool = False) -> list[RoleDefinition]:
    """Every role that can be assigned at a scope, or with `below` in something beneath it."""
    above, inside = set(ids.scopes_above(scope)), ids.key(scope).rstrip("/") + "/"

    def here(at: str) -> bool:
        return ids.key(at) in above or (below and ids.key(at).startswith(inside))

    custom = [r for r in world.role_definitions if any(here(at) for at in r.assignable_scopes)]
    return [*built_in().values(), *custom]


@cache
def _pattern(action: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in action.split("*")), re.IGNORECASE)


def _grants(allowed: list[str], denied: list[str], action: str) -> bool:
    return any(_pattern(a).fullmatch(action) for a in allowed) and not any(
        _pattern(d).fullmatch(action) for d in denied
    )


def holders(world: World, principal: str) -> set[str]:
    """The principal and every group it is in, groups of groups included."""
    found: set[str] = set()
    waiting = [principal]
    while waiting:
        who = waiting.pop()
        if who in found:
            continue
        found.add(who)
        known = world.principals.get(who)
        waiting += known.member_of if known is not None else []
    return found


def held(world: World, principal: str, now: datetime) -> list[RoleAssignment]:
    """The assignments that work for a principal now, its groups' among them."""
    return [a for who in holders(world, principal) for a in world.role_assignments.of(who) if a.effective_at <= now]


def effective(world: World, principal: str, scope: str, now: datetime) -> list[RoleDefinition]:
    """The roles a principal holds at a scope now: there and above."""
    above = set(ids.scopes_above(scope))
    found = [definition(world, a.role) for a in held(world, principal, now) if ids.key(a.scope) in above]
    return [role for role in found if role is not None]


def allowed(world: World, principal: str, action: str, scope: str, now: datetime, *, data: bool = False) -> bool:
    """Whether a principal may do an action at a scope; `data` asks for a data action."""
    for role in effective(world, principal, scope, now):
        pair = (role.data_actions, role.not_data_actions) if data else (role.actions, role.not_actions)
        if _grants(*pair, action):
            return True
    return False


def require(world: World, caller: Caller, action: str, scope: str) -> None:
    """Refuse with AuthorizationFailed unless the caller may do the action at the scope."""
    if not allowed(world, caller.principal, action, scope, world.now()):
        raise errors.NOT_ALLOWED(
            client=caller.client or caller.principal, oid=caller.principal, action=action, scope=scope
        )


# --- definitions ---------------------------------------------------------------------------------------------------


def put_definition(world: World, caller: Caller, scope: str, role: str, body: bodies.RoleDefinition) -> RoleDefinition:
    """Make or change a custom role; its name is unique in the directory."""
    given = body.properties
    if not ids.GUID.fullmatch(role):
        raise errors.BAD_ROLE_ID(role=role)
    if role.lower() in built_in():
        raise errors.BUILT_IN_ROLE(role=role)
    if not given.role_name:
        raise errors.NO_ROLE_NAME()
    scopes = given.assignable_scopes or [scope]
    _require_scopes(world, caller, given.role_name, scopes)
    _require_actions(given.permissions)
    _require_free_name(world, caller.tenant, role.lower(), given.role_name)
    existing = world.role_definitions.get(role.lower())
    now = _by_object_id(caller, world.now())
    made = RoleDefinition(
        id=role.lower(),
        name=given.role_name,
        description=given.description,
        actions=[a for p in given.permissions for a in p.actions],
        not_actions=[a for p in given.permissions for a in p.not_actions],
        data_actions=[a for p in given.permissions for a in p.data_actions],
        not_data_actions=[a for p in given.permissions for a in p.not_data_actions],
        assignable_scopes=scopes,
        scope=scope,
        created=existing.created if existing is not None else now,
        modified=now,
        tenant=caller.tenant,
    )
    world.role_definitions.put(made.id, made)
    world.record(f"{DEFINITIONS}/write", f"{'' if scope == '/' else scope}/providers/{DEFINITIONS}/{role}", caller)
    return made


def drop_definition(world: World, caller: Caller, scope: str, role: str) -> RoleDefinition | None:
    """Take a custom role away; None if there was none. One that is assigned stays."""
    if role.lower() in built_in():
        raise errors.BUILT_IN_ROLE(role=role)
    found = world.role_definitions.get(role.lower())
    if found is None or found.tenant != caller.tenant:
        return None
    for at in found.assignable_scopes:
        require(world, caller, f"{DEFINITIONS}/delete", at)
    if any(a.role == found.id for a in world.role_assignments):
        raise errors.ROLE_IN_USE()
    world.role_definitions.drop(found.id)
    world.record(f"{DEFINITIONS}/delete", f"{'' if scope == '/' else scope}/providers/{DEFINITIONS}/{role}", caller)
    return found


def _require_scopes(world: World, caller: Caller, role: str, scopes: list[str]) -> None:
    """A custom role is for subscriptions and groups that exist, and who makes it may do so in all of them."""
    for scope in scopes:
        subscription = world.subscriptions.get(ids.subscription_of(scope) or "")
        group = "/resourcegroups/" in ids.key(scope)
        there = subscription is not None and subscription.tenant == caller.tenant
        if not there or (group and world.groups.get(ids.key(scope)) is None):
            raise errors.BAD_ASSIGNABLE_SCOPE(role=role, scope=scope)
        require(world, caller, f"{DEFINITIONS}/write", scope)


def _require_actions(permissions: list[bodies.Permission]) -> None:
    for given in permissions:
        for action in (*given.actions, *given.not_actions, *given.data_actions, *given.not_data_actions):
            if not _ACTION.fullmatch(action):
                raise errors.BAD_ACTION(action=action)


def _require_free_name(world: World, tenant: str, role: str, name: str) -> None:
    others = (r for r in world.role_definitions if r.tenant == tenant and r.id != role)
    if any(r.name.lower() == name.lower() for r in (*built_in().values(), *others)):
        raise errors.ROLE_NAME_TAKEN()


# --- assignments ---------------------------------------------------------------------------------------------------


def assign(
    world: World, caller: Caller, scope: str, name: str, given: bodies.RoleAssignmentProperties
) -> tuple[RoleAssignment, bool]:
    """Make or update an assignment; tells whether it is new."""
    role, principal = _require_sound(world, name, given)
    existing = world.role_assignments.get(assignment_key(scope, name))
    if existing is not None:
        kind = given.principal_type or existing.principal_type
        if (existing.principal, existing.role, existing.principal_type) != (principal, role, kind):
            raise errors.ROLE_FIXED()
        return _keep(world, caller, existing, given), False
    if any(a.name.lower() == name.lower() for a in world.role_assignments):
        raise errors.ROLE_FIXED()  # a name is had once; to Azure the same one elsewhere is a change of its scope
    if role not in {r.id for r in definitions_at(world, scope)}:
        raise errors.ROLE_NOT_ASSIGNABLE(role=role, scope=scope)
    if any(a.role == role and ids.key(a.scope) == ids.key(scope) for a in world.role_assignments.of(principal)):
        raise errors.ROLE_EXISTS()
    now = world.now()
    assignment = RoleAssignment(
        id=f"{'' if scope == '/' else scope}/providers/{ASSIGNMENTS}/{name}",
        name=name,
        scope=scope,
        role=role,
        role_definition_id=full_id(scope, role),
        principal=principal,
        principal_type=_principal_type(world, caller, principal, given.principal_type),
        created=_by_object_id(caller, now),
        modified=_by_object_id(caller, now),
        effective_at=now + timedelta(seconds=world.switches.role_propagation),
    )
    return _keep(world, caller, assignment, given), True


def _require_sound(world: World, name: str, given: bodies.RoleAssignmentProperties) -> tuple[str, str]:
    """The role's and the principal's ids, if all that is named has the right form and the role exists."""
    if not ids.GUID.fullmatch(name):
        raise errors.BAD_ASSIGNMENT_NAME(name=name)
    match = _ROLE_ID.fullmatch(given.role_definition_id)
    if match is None:
        raise errors.BAD_ROLE_ID(role=given.role_definition_id)
    if not ids.GUID.fullmatch(given.principal_id):
        raise errors.BAD_PRINCIPAL(principal=given.principal_id)
    role = match["role"].lower()
    if definition(world, role) is None:
        raise errors.NO_ROLE(role=role)
    return role, given.principal_id.lower()


def _keep(
    world: World, caller: Caller, assignment: RoleAssignment, given: bodies.RoleAssignmentProperties
) -> RoleAssignment:
    assignment.description = given.description
    assignment.condition = given.condition
    assignment.condition_version = given.condition_version
    assignment.delegated = given.delegated_managed_identity_resource_id
    assignment.modified = _by_object_id(caller, world.now())
    world.role_assignments.put(assignment_key(assignment.scope, assignment.name), assignment)
    world.record(f"{ASSIGNMENTS}/write", assignment.id, caller)
    return assignment


def _by_object_id(caller: Caller, now: datetime) -> Stamp:
    """createdBy of an assignment is an object id, not a name as elsewhere."""
    return Stamp(by=caller.principal, by_type="Application", at=now)


def _principal_type(world: World, caller: Caller, principal: str, given: str | None) -> str:
    """What the principal is. One that the directory does not know passes only if the request says what it is."""
    known = world.principals.get(principal)
    if known is None or caller.tenant not in {known.tenant, *known.guest_of}:
        if given is None:
            raise errors.NO_PRINCIPAL(principal=principal, tenant=caller.tenant)
        return given
    if given not in {None, known.type}:
        raise errors.WRONG_PRINCIPAL_TYPE(principal=principal, type=known.type, given=given)
    return known.type


def assignment_key(scope: str, name: str) -> str:
    """The key under which an assignment is kept."""
    return f"{ids.key(scope)}|{name.lower()}"


def find_assignment(world: World, scope: str, name: str) -> RoleAssignment | None:
    """The assignment of that name at that very scope."""
    return world.role_assignments.get(assignment_key(scope, name))


def unassign(world: World, caller: Caller, scope: str, name: str) -> RoleAssignment | None:
    """Take an assignment away; None if there was none."""
    found = find_assignment(world, scope, name)
    if found is not None:
        world.role_assignments.drop(assignment_key(scope, name))
        world.record(f"{ASSIGNMENTS}/delete", found.id, caller)
    return found


def assignments_at(
    world: World, scope: str, *, only_here: bool = False, of: set[str] | None = None
) -> list[RoleAssignment]:
    """The assignments that a list at a scope shows: there, above and (unless `only_here`) below; of some principals."""
    here, above = ids.key(scope), set(ids.scopes_above(scope))
    found = []
    for assignment in world.role_assignments:
        at = ids.key(assignment.scope)
        seen = at in above or (not only_here and at.startswith(here.rstrip("/") + "/"))
        if seen and (of is None or assignment.principal in of):
            found.append(assignment)
    return found


def forget_below(world: World, resource_id: str) -> None:
    """Drop the assignments at a resource that is gone and at what was nested in it."""
    gone = ids.key(resource_id)
    for assignment in world.role_assignments:
        at = ids.key(assignment.scope)
        if at == gone or at.startswith(gone + "/"):
            world.role_assignments.drop(assignment_key(assignment.scope, assignment.name))
