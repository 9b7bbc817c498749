"""Checks of roles on both sides: what an `up` will write, and whether the login may."""

from __future__ import annotations

from dataclasses import dataclass

from infra.doctor.examine import Found
from infra.doctor.findings import State
from infra.doctor.patient import Patient, group_id
from infra.errors import Refused
from infra.ports.cloud import Login
from infra.ports.management import Permission
from infra.proofs.source import SOURCE_ROLE
from infra.spec import Source, Stack

CONTRIBUTOR = "Contributor"
ACCOUNTS = "Cognitive Services Contributor"
ASSIGNER = "Role Based Access Control Administrator"
USER = "Cognitive Services OpenAI User"
_COVERS = {CONTRIBUTOR: {ACCOUNTS, SOURCE_ROLE}, ACCOUNTS: {SOURCE_ROLE}}
"""What a role spares, at the target: there nothing of a role's data actions is asked for."""
_CS = "Microsoft.CognitiveServices/accounts"


@dataclass(frozen=True, slots=True)
class Need:
    """An action, and the role with the least rights that gives it."""

    action: str
    role: str
    data: bool = False

    def is_met(self, permissions: list[Permission]) -> bool:
        """Whether one of the permissions allows it."""
        return any(permission.allows(self.action, data=self.data) for permission in permissions)


AT_SOURCE = (
    Need(f"{_CS}/read", SOURCE_ROLE),
    Need(f"{_CS}/deployments/write", SOURCE_ROLE),
    Need(f"{_CS}/OpenAI/models/read", SOURCE_ROLE, data=True),
)
"""What deploying from a source takes there (Learn, deploy a fine-tuned model), and reading its models."""
_CALL = Need(f"{_CS}/OpenAI/deployments/chat/completions/action", USER, data=True)


def at_target(patient: Patient, stack: Stack) -> list[Found]:
    """That the login may write what the stack declares, where the stack puts it."""
    scope, group_is_made = _where(patient, stack)
    needs = _needs(stack, group_is_made=group_is_made)
    try:
        permissions = patient.permissions(scope)
    except Refused as error:
        commands = _commands(patient.login(), needs, scope)
        if _is_seen(patient, stack):
            return [(State.WARNING, f"what the login may do at {scope} cannot be read ({error.code})", commands)]
        return [(State.FAILS, f"the login may not even see its rights at {scope}: it holds no role there", commands)]
    missing = [need for need in needs if not need.is_met(permissions)]
    if missing:
        actions = ", ".join(need.action for need in missing)
        fact = f"the login may not {actions} at {scope}"
        return [(State.FAILS, fact, _commands(patient.login(), missing, scope)), *_call(patient, stack, permissions)]
    fact = f"the login may write what the stack declares ({scope.rsplit('/', 1)[-1]})"
    return [(State.OK, fact), *_call(patient, stack, permissions)]


def at_source(patient: Patient, source: Source) -> list[Found]:
    """That the login may read and deploy from a source account that is there."""
    commands = _commands(patient.login(), list(AT_SOURCE), source.id)
    try:
        permissions = patient.permissions(source.id)
    except Refused as error:
        return [(State.WARNING, f"what the login may do at {source.account} cannot be read ({error.code})", commands)]
    missing = [need.action for need in AT_SOURCE if not need.is_met(permissions)]
    if missing:
        return [(State.FAILS, f"the login may not {', '.join(missing)} at {source.account}", commands)]
    return [(State.OK, f"the login may deploy from {source.account}")]


def unreadable_source(patient: Patient, source: Source, error: Refused) -> list[Found]:
    """A source account that the login may not even read."""
    fact = f"the login may not read the source account {source.account} ({error.code})"
    return [(State.FAILS, fact, _commands(patient.login(), list(AT_SOURCE), source.id))]


def command(login: Login, role: str, scope: str) -> str:
    """The command that gives a login a role."""
    kind = f" --assignee-principal-type {login.principal_type}" if login.principal_type else ""
    who = f"--assignee-object-id {login.principal}{kind}"
    return f'az role assignment create {who} --role "{role}" --scope {scope}'


def _commands(login: Login, needs: list[Need], scope: str) -> str:
    roles = {need.role for need in needs}
    spared = {spared for role in roles for spared in _COVERS.get(role, ())}
    return "\n".join(command(login, role, scope) for role in sorted(roles - spared))


def _needs(stack: Stack, *, group_is_made: bool) -> list[Need]:
    needs: list[Need] = []
    if group_is_made:
        needs.append(Need("Microsoft.Resources/subscriptions/resourceGroups/write", CONTRIBUTOR))
    if stack.account.manage:
        needs.append(Need(f"{_CS}/write", ACCOUNTS))
    if stack.deployments:
        needs.append(Need(f"{_CS}/deployments/write", SOURCE_ROLE))
    if stack.access:
        needs.append(Need("Microsoft.Authorization/roleAssignments/write", ASSIGNER))
    return needs


def _where(patient: Patient, stack: Stack) -> tuple[str, bool]:
    """The nearest scope of the stack's account that is there, and whether the stack has to make the group."""
    try:
        if patient.account(stack.account_id) is not None:
            return stack.account_id, False
        if not patient.group_exists(group_id(stack)):
            return f"/subscriptions/{stack.subscription}", stack.account.resource_group.manage
    except Refused:
        pass
    return group_id(stack), False


def _is_seen(patient: Patient, stack: Stack) -> bool:
    try:
        patient.account(stack.account_id)
    except Refused:
        return False
    return True


def _call(patient: Patient, stack: Stack, permissions: list[Permission]) -> list[Found]:
    """A word where nobody gives the login the right to call a model: then an `up` cannot prove that one serves."""
    given = {item.principal.lower() for item in stack.access if item.role not in patient.limits.roles_without_calls}
    groups = any(item.principal_type == "Group" for item in stack.access)
    mine = patient.login().principal.lower() in given
    if stack.ready == "off" or not stack.deployments or mine or groups or _CALL.is_met(permissions):
        return []
    fact = f"the login may not call a model of {stack.account.name}, so an `up` cannot prove that one serves"
    return [(State.WARNING, fact, f"Give it the role {USER} under hearth:access, or set hearth:ready to off")]
