"""Checks of the way to Azure: cloud, clock, login, subscriptions, registrations."""

from __future__ import annotations

from datetime import timedelta

from infra.doctor.examine import Found
from infra.doctor.findings import State
from infra.doctor.patient import Patient
from infra.errors import LoginFailed, NotFound, Refused, Unreachable
from infra.ports.management import SubscriptionView

NAMESPACES = ("Microsoft.CognitiveServices",)
"""Resource providers of what a stack declares that Azure does not register by itself."""
TOLERATED = timedelta(minutes=5)
"""How far clocks may be apart: the usual tolerance of whoever checks a token's times."""
_MOVES = {
    "AADSTS7000215": "The secret is wrong: set AZURE_CLIENT_SECRET (or ARM_…) to its value, not its id",
    "AADSTS7000222": "The secret has expired: make a new one (az ad app credential reset --id $AZURE_CLIENT_ID)",
    "AADSTS700016": "That tenant knows no such application: check AZURE_CLIENT_ID and AZURE_TENANT_ID",
    "AADSTS90002": "There is no such tenant: check AZURE_TENANT_ID, and that this is the right cloud",
    "AADSTS700082": "The login has expired: az login",
    "AADSTS70043": "The login has expired: az login",
    "AADSTS50173": "The login has expired: az login",
    "AADSTS50076": "A second factor is asked for: az login",
    "AADSTS700024": "The federated token has expired: let the job fetch a new one, right before it is used",
}


def cloud(patient: Patient) -> list[Found]:
    """Which cloud the environment names; that it answers, over a connection that is trusted."""
    endpoints = patient.cloud.endpoints
    named = patient.environment.get("ARM_METADATA_HOSTNAME")
    how = f"named by ARM_METADATA_HOSTNAME={named}" if named else "public Azure"
    try:
        patient.date()
    except Unreachable as error:
        move = "Check the network and HTTPS_PROXY, NO_PROXY; a certificate's authority belongs into REQUESTS_CA_BUNDLE"
        return [(State.FAILS, f"{endpoints.name} ({how}), {endpoints.resource_manager}: {error}", move)]
    return [(State.OK, f"{endpoints.name} at {endpoints.resource_manager} answers, and is trusted ({how})")]


def clock(patient: Patient) -> list[Found]:
    """How far the two clocks are apart. A cloud may keep a time of its own, as local Azure does."""
    apart = patient.date() - patient.now()
    if abs(apart) <= TOLERATED:
        return [(State.OK, "the cloud's clock and this machine's agree")]
    side = "ahead of" if apart > timedelta() else "behind"
    fact = f"the cloud's clock is {_rough(abs(apart))} {side} this machine's"
    return [(State.WARNING, fact, "On real Azure set this machine's clock: tokens are refused by theirs")]


def login(patient: Patient) -> list[Found]:
    """Who is logged in, and by which of azure-identity's credentials."""
    try:
        who = patient.login()
    except LoginFailed as error:
        move = next((move for code, move in _MOVES.items() if f"{code}:" in str(error)), "")
        fact, _, advice = (str(error), "", "") if move else str(error).partition(". ")
        return [(State.FAILS, fact, move or advice)]
    kind = who.principal_type or "principal"
    by = who.credential or "a login"
    return [(State.OK, f"{by}: {kind} {who.name} (object id {who.principal}) of tenant {who.tenant}")]


def subscription(patient: Patient, subscription_id: str) -> list[Found]:
    """That a subscription exists, is of the login's tenant, and is enabled."""
    tenant = patient.login().tenant
    try:
        found = patient.management.subscription(subscription_id)
    except NotFound:
        fact = f"it does not exist, or not for this login (tenant {tenant})"
        return [(State.FAILS, fact, "Correct the id, or log in to its tenant: az login --tenant TENANT")]
    except Refused as error:
        if "Tenant" in error.code:
            move = "Log in to its tenant: az login --tenant TENANT, or AZURE_TENANT_ID with an application of that one"
            return [(State.FAILS, f"it is of another tenant than the login ({tenant}): {error}", move)]
        return [(State.WARNING, f"it may not be read by this login, so its state is not known ({error.code})")]
    if found.tenant and found.tenant.lower() != tenant.lower():
        move = f"az login --tenant {found.tenant}"
        return [(State.FAILS, f"{found.name} is of tenant {found.tenant}, the login of {tenant}", move)]
    return [_enabled(found)]


def _enabled(found: SubscriptionView) -> Found:
    if found.state == "Enabled":
        return State.OK, f"{found.name} is enabled"
    if found.state in {"Warned", "PastDue"}:
        return State.WARNING, f"{found.name} is {found.state}", "See to its payment before Azure disables it"
    return State.FAILS, f"{found.name} is {found.state}", "Its owner or billing administrator can enable it again"


def registration(patient: Patient, subscription_id: str, namespace: str) -> list[Found]:
    """That a resource provider is registered: azure-mgmt-core does not see to it when a resource is created."""
    try:
        state = patient.management.registration(subscription_id, namespace)
    except Refused as error:
        return [(State.WARNING, f"whether {namespace} is registered may not be read by this login ({error.code})")]
    if state == "Registered":
        return [(State.OK, f"{namespace} is registered")]
    if state == "Registering":
        return [(State.WARNING, f"{namespace} is being registered", "Wait some minutes")]
    move = f"az provider register --namespace {namespace} --subscription {subscription_id}"
    return [(State.FAILS, f"{namespace} is {state}", move)]


def _rough(span: timedelta) -> str:
    """A length of time in its largest unit."""
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if span.total_seconds() >= seconds:
            return f"{span.total_seconds() / seconds:.0f} {unit}"
    return f"{span.total_seconds():.0f} s"
