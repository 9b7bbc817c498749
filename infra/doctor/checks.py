"""All checks of a patient, in the order in which they are told, and what each hangs on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from infra.doctor import account, model, reach, rights, tools, wish
from infra.doctor.examine import Check
from infra.doctor.findings import WISH, State
from infra.doctor.patient import Patient
from infra.doctor.wish import SECRETS, Wish
from infra.spec import Source, Stack

__all__ = ["Patient", "checks"]


def checks(patient: Patient) -> list[Check]:
    """Every check: the machine and the way to Azure, the subscriptions, then stack by stack."""
    wishes, owners = wish.read(patient.project, patient.names, patient.today)
    shared, login = _shared(patient)
    sound = [w.stack for w in wishes if w.stack is not None and not w.mistakes]
    subscriptions = _Subscriptions(patient, login, sound)
    found = [*shared, *subscriptions.checks]
    for each in wishes:
        found += _of_stack(patient, each, subscriptions, owners)
    return found


def _shared(patient: Patient) -> tuple[list[Check], Check]:
    """What all stacks share, and the login among it."""
    environment, installed = patient.environment, patient.installed
    cloud = Check("cloud", "", partial(reach.cloud, patient))
    login = Check("login", "", partial(reach.login, patient), (cloud,))
    found = [
        Check("pulumi", "", lambda: tools.engine(installed().engine)),
        Check("azure-native plugin", "", lambda: tools.provider(installed().provider, environment)),
        Check("python language host", "", lambda: tools.host(installed().host)),
        Check("certificates", "", lambda: tools.certificates(environment, patient.project.shown)),
        cloud,
        Check("clock", "", partial(reach.clock, patient), (cloud,)),
        login,
        Check("login of the plugin", "", lambda: tools.plugin_login(environment)),
    ]
    return found, login


class _Subscriptions:
    """The checks of every subscription that a sound stack names, as target or as source."""

    def __init__(self, patient: Patient, login: Check, stacks: list[Stack]) -> None:
        targets = {stack.subscription for stack in stacks}
        sources = {w.record.source for stack in stacks for w in stack.deployments}
        abroad = {s.subscription for s in sources if s.tenant is not None}
        self.login = login
        self.exists: dict[str, Check] = {}
        self.registered: dict[str, tuple[Check, ...]] = {}
        for name in sorted(targets | ({s.subscription for s in sources} - abroad)):
            about = f"subscription {name}"
            exists = Check("subscription", about, partial(reach.subscription, patient, name), (login,))
            self.exists[name] = exists
            if name in targets:
                self.registered[name] = tuple(
                    Check("registration", about, partial(reach.registration, patient, name, namespace), (exists,))
                    for namespace in reach.NAMESPACES
                )

    @property
    def checks(self) -> list[Check]:
        """All of them, subscription by subscription."""
        return [check for name, exists in self.exists.items() for check in (exists, *self.registered.get(name, ()))]


def _of_stack(patient: Patient, each: Wish, subscriptions: _Subscriptions, owners: Mapping[str, str]) -> list[Check]:
    written = Check(WISH, each.name, each.findings)
    stack = each.stack
    if stack is None or each.mistakes:
        # What it would have needed is not known; one line says that it was not looked at.
        return [written, Check("all else", each.name, lambda: [(State.NOT_CHECKED, f"because {SECRETS}")], (written,))]
    exists = subscriptions.exists[stack.subscription]
    registered = subscriptions.registered[stack.subscription]
    place = Check("account", stack.name, partial(account.account, patient, stack), registered)
    deleted = Check("soft-deleted", stack.name, partial(account.soft_deleted, patient, stack), (place,))
    found = [
        written,
        place,
        deleted,
        Check("subdomain", stack.name, partial(account.subdomain, patient, stack), (deleted,)),
        Check("roles at target", stack.name, partial(rights.at_target, patient, stack), (exists,)),
    ]
    at_sources: dict[str, Check] = {}
    for source in _sources(stack):
        look = partial(model.source, patient, stack, source, owners)
        needs = subscriptions.exists.get(source.subscription, subscriptions.login)
        at_sources[source.id.lower()] = Check(f"source {source.account}", stack.name, look, (needs,))
    found += at_sources.values()
    for w in stack.deployments:
        about, its_source = f"{stack.name}/{w.name}", at_sources[w.record.source.id.lower()]
        found += [
            Check("record", about, partial(model.record, patient, stack, w)),
            Check("model", about, partial(model.model, patient, stack, w), (its_source,)),
            Check("region", about, partial(account.region, patient, stack, w), registered),
        ]
    if stack.deployments:
        found.append(Check("quota", stack.name, partial(account.quota, patient, stack), registered))
    return found


def _sources(stack: Stack) -> list[Source]:
    """The accounts that own the stack's models, each once."""
    found = {w.record.source.id.lower(): w.record.source for w in stack.deployments}
    return list(found.values())
