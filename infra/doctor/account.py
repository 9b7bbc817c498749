"""Checks of the place: the account, names that somebody else holds, the region and its quota."""

from __future__ import annotations

from collections import Counter

from infra.doctor import rights
from infra.doctor.examine import Found
from infra.doctor.findings import State
from infra.doctor.patient import Patient, group_id
from infra.errors import ProofFailed, Refused
from infra.ports.arm import DeploymentView, TunedSku
from infra.recover import STACK_TAG
from infra.spec import DeploymentWish, Stack

TUNED_DEPLOYMENTS = "OpenAI.FineTuned.Deployments"
"""Usage name under which a region counts deployments of tuned models (live usages, June 2026)."""


def account(patient: Patient, stack: Stack) -> list[Found]:
    """That the account stands as the stack says, or can be made."""
    wish = stack.account
    try:
        found = patient.account(stack.account_id)
        if found is None:
            return _absent(patient, stack)
    except Refused as error:
        return [(State.FAILS, f"the login may not look for {wish.name} ({error.code})", "See the line on roles")]
    if found.location.replace(" ", "").lower() != stack.location:
        fact = f"{wish.name} stands in {found.location}, and the stack says {stack.location}"
        return [(State.FAILS, fact, "Correct azure-native:location, or choose another name")]
    if found.state != "Succeeded":
        state = State.FAILS if found.state in {"Failed", "Canceled"} else State.WARNING
        return [(state, f"{wish.name} is {found.state}", "Look at it in the portal, or wait until Azure is done")]
    return [(State.OK, f"{wish.name} stands in {stack.location}")]


def soft_deleted(patient: Patient, stack: Stack) -> list[Found]:
    """That no soft-deleted account holds the name, or that the stack says what to do about it."""
    wish = stack.account
    if patient.account(stack.account_id) is not None:
        return [(State.OK, "nothing is in the way")]
    try:
        is_held = patient.is_soft_deleted(stack)
    except Refused as error:
        return [(State.WARNING, f"whether the name is held by a soft-deleted account may not be read ({error.code})")]
    if not is_held:
        return [(State.OK, "nothing is in the way")]
    fact = f"a soft-deleted account holds the name {wish.name}"
    if wish.soft_deleted == "restore":
        return [(State.OK, f"{fact}; `up` restores it")]
    if wish.soft_deleted == "purge":
        return [(State.WARNING, f"{fact}; `up` purges it, with the tuned models it owns")]
    purge = (
        f"az cognitiveservices account purge --name {wish.name} --resource-group {wish.resource_group.name} "
        f"--location {stack.location} --subscription {stack.subscription}"
    )
    return [(State.FAILS, fact, f"Set softDeleted: restore under hearth:account, or lose what it owned:\n{purge}")]


def subdomain(patient: Patient, stack: Stack) -> list[Found]:
    """That the subdomain is free in all the world, where the account is still to be made."""
    wanted = stack.account.subdomain or stack.account.name.lower()
    if not stack.account.manage or patient.account(stack.account_id) is not None:
        return [(State.OK, "the account has its own")]
    try:
        if patient.is_soft_deleted(stack):
            return [(State.OK, f"{wanted} is kept for the soft-deleted account")]
        free = patient.arm.subdomain_is_free(stack.subscription, wanted, stack.account.kind)
    except Refused as error:
        return [(State.WARNING, f"whether {wanted} is free may not be asked by this login ({error.code})")]
    if free:
        return [(State.OK, f"{wanted} is free")]
    move = "Name another with the key subdomain under hearth:account; a soft-deleted account keeps its own for 48 h"
    return [(State.FAILS, f"the subdomain {wanted} is taken by somebody else in the world", move)]


def region(patient: Patient, stack: Stack, wish: DeploymentWish) -> list[Found]:
    """That the region takes the tuned model under the SKU."""
    where = f"{stack.name}/{wish.name}: "
    try:
        sku, warnings = patient.proofs.sku(stack, wish)
    except ProofFailed as error:
        return [(State.FAILS, error.fact.removeprefix(where), error.next_move)]
    if sku is None:
        return [(State.WARNING, text.removeprefix(where)) for text in warnings]
    return [(State.OK, f"{stack.location} takes a tuned {wish.record.base} as {sku.name}")]


def quota(patient: Patient, stack: Stack) -> list[Found]:
    """That what the stack asks for on top of what it has is left in its subscription and region."""
    try:
        left, standing = patient.quotas(stack), patient.deployments(stack)
    except Refused as error:
        give = rights.command(
            patient.login(), "Cognitive Services Usages Reader", f"/subscriptions/{stack.subscription}"
        )
        return [(State.WARNING, f"the quota of {stack.location} may not be read ({error.code})", give)]
    asked = _asked(patient, stack, standing)
    return [_judged(usage, more, left.get(usage), stack.location) for usage, more in asked.items()]


def _absent(patient: Patient, stack: Stack) -> list[Found]:
    wish = stack.account
    if not wish.manage:
        move = "Correct its name and resourceGroup, or let the stack make it: manage: true under hearth:account"
        return [
            (State.FAILS, f"{wish.name} does not exist, and the stack only refers to it ({stack.account_id})", move)
        ]
    if not wish.resource_group.manage and not patient.group_exists(group_id(stack)):
        fact = f"the resource group {wish.resource_group.name} does not exist, and the stack only refers to it"
        make = f"az group create --name {wish.resource_group.name} --location {stack.location}"
        return [(State.FAILS, fact, f"{make} --subscription {stack.subscription}")]
    return [(State.OK, f"{wish.name} does not exist yet; `up` makes it")]


def _asked(patient: Patient, stack: Stack, standing: dict[str, DeploymentView]) -> dict[str, int]:
    """How much more of each quota the stack asks for, by usage name."""
    asked = Counter({TUNED_DEPLOYMENTS: 0})
    for wish in stack.deployments:
        there: list[DeploymentView | None] = [*_slots(stack, wish, standing)] or [None]
        asked[TUNED_DEPLOYMENTS] += there == [None]
        sku = _sku(patient, stack, wish)
        if sku is not None:
            asked[sku.usage] += sum(wish.sku.capacity - _held(wish, one) for one in there)
    return dict(asked)


def _slots(stack: Stack, wish: DeploymentWish, standing: dict[str, DeploymentView]) -> list[DeploymentView]:
    """What stands behind a name: one that a rollout has moved may have left its own name, or have two."""
    own, beside = standing.get(wish.name.lower()), standing.get(f"{wish.name}-b".lower())
    ours = beside is not None and beside.tags.get(STACK_TAG) == stack.tag
    return [one for one in (own, beside if ours else None) if one is not None]


def _sku(patient: Patient, stack: Stack, wish: DeploymentWish) -> TunedSku | None:
    try:
        return patient.proofs.sku(stack, wish)[0]
    except ProofFailed:
        return None  # the region's own check tells


def _held(wish: DeploymentWish, there: DeploymentView | None) -> int:
    """What of its quota the deployment holds already."""
    if there is None or there.sku.lower() != wish.sku.name.lower():
        return 0
    same = there.model == wish.record.model or there.model.partition(".ft-")[0] == wish.record.base
    return there.capacity if same else 0


def _judged(usage: str, more: int, left: int | None, location: str) -> Found:
    if left is None:
        return State.WARNING, f"{location} tells no quota {usage}, so it is not proven"
    if more > max(left, 0):
        move = "Lower sku.capacity or remove deployments, or ask Azure for more quota"
        return State.FAILS, f"{usage} in {location}: {more} more asked for, {left} left", move
    return State.OK, f"{usage} in {location}: {max(more, 0)} more asked for, {left} left"
