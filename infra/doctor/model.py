"""Checks of what is served: the record, the source, the tuned model in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from infra.doctor import rights
from infra.doctor.examine import Found
from infra.doctor.findings import State
from infra.doctor.patient import Patient
from infra.errors import ProofFailed, Refused
from infra.proofs.source import SOURCE_ROLE
from infra.spec import DeploymentWish, Source, Stack

SOON = timedelta(days=90)
"""How long before the end of a base model a word is said: time to train on another one."""


def record(patient: Patient, stack: Stack, wish: DeploymentWish) -> list[Found]:
    """What the model record says, and how long Azure will serve its base model."""
    where = f"{stack.name}/{wish.name}: "
    remarks = [text.removeprefix(where) for text in stack.warnings if text.startswith(where)]
    found: list[Found] = [(State.WARNING, text) for text in remarks]
    base = patient.limits.models.get(wish.record.base or "")
    if base is None or base.is_retired(patient.today):
        return found  # the remarks tell
    if base.deployment_until is None:
        return [*found, (State.OK, f"{wish.record_name}: no end of {base.name} is known")]
    dates = (
        f"{wish.record_name}: {base.name} is trained until {base.training_until} and served, tuned, until "
        f"{base.deployment_until} (as of {patient.limits.models_as_of})"
    )
    if base.deployment_until - patient.today <= SOON:
        return [*found, (State.WARNING, dates, "Train again on a model that stays")]
    return [*found, (State.OK, dates)]


def source(patient: Patient, stack: Stack, wanted: Source, owners: Mapping[str, str]) -> list[Found]:
    """That a source account is there and can be deployed from. `owners`: account id → the stack that makes it."""
    if wanted.id.lower() == stack.account_id.lower():
        return [(State.OK, "the stack's own account")]
    if wanted.tenant is not None and wanted.tenant.lower() != patient.login().tenant.lower():
        fact = f"{wanted.account} is of tenant {wanted.tenant}; what this login may there was not looked at"
        return [(State.WARNING, fact, f"Both identities need {SOURCE_ROLE} at both accounts")]
    try:
        there = patient.account(wanted.id)
    except Refused as error:
        return rights.unreadable_source(patient, wanted, error)
    if there is not None:
        return rights.at_source(patient, wanted)
    owner = owners.get(wanted.id.lower())
    fact = f"the source account {wanted.account} does not exist"
    if owner is not None:
        return [(State.WARNING, f"{fact} yet; {owner} makes it", f"pulumi up --stack {owner}")]
    return [(State.FAILS, f"{fact} ({wanted.id})", "Correct source in the model record, or make it first")]


def model(patient: Patient, stack: Stack, wish: DeploymentWish) -> list[Found]:
    """That the source has the model, and that it can be deployed."""
    where, wanted = f"{stack.name}/{wish.name}: ", wish.record.source
    if wanted.tenant is not None and wanted.tenant.lower() != patient.login().tenant.lower():
        return [(State.NOT_CHECKED, f"because its source is of tenant {wanted.tenant}")]
    if patient.account(wanted.id) is None:
        return [(State.NOT_CHECKED, f"because {wanted.account} does not exist yet")]
    try:
        warnings = patient.proofs.source(stack, wish)
    except ProofFailed as error:
        return [(State.FAILS, error.fact.removeprefix(where).strip(), error.next_move)]
    if warnings:
        return [(State.WARNING, text.removeprefix(where)) for text in warnings]
    return [(State.OK, f"{wish.record.model} is in {wanted.account} and can be deployed")]
