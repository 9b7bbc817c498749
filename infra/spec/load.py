"""From what is written to the wish: read, look up, check, every complaint at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from infra.errors import Mistake, SpecError
from infra.spec import across, remarks, waves
from infra.spec import limits as dated
from infra.spec.documents import Path as At
from infra.spec.documents import show
from infra.spec.duration import show as show_duration
from infra.spec.limits import did_you_mean
from infra.spec.model import (
    Access,
    Account,
    Deployment,
    DeploymentWish,
    KeepAlive,
    ModelRecord,
    Network,
    Policy,
    Stack,
    StackFile,
    StackKeepAlive,
    StackSettings,
)
from infra.spec.project import Project
from infra.spec.reading import BAD, Reader, describe
from infra.spec.rules import is_record_name, is_stack_name, rules

NAMESPACE = "hearth:"
OF_PROVIDER = ("azure-native:subscriptionId", "azure-native:location")
DEFAULT_POLICY: Policy = "ping"
_UNMANAGED = {"name", "resourceGroup", "manage", "kind"}


def load_stack(project: Project, name: str, config: Mapping[str, Any], *, today: date) -> Stack:
    """The wish of one stack from its configuration (keys such as `hearth:account`, values plain).

    `today` dates the warnings about retired models. Raises SpecError with every mistake, each with its file and line
    where the project's files hold it. A value that is SECRET is a mistake here: what it says cannot be known.
    """
    loading = _Loading(project, name, config, today)
    stack = loading.stack()
    if stack is None:
        raise SpecError([*loading.mistakes, *loading.secrets()])
    return stack


def check_project(project: Project, names: list[str], *, today: date) -> tuple[list[Stack], list[Mistake]]:
    """Every named stack from its files alone, with the mistakes of all of them and of how they fit together.

    A stack with a secret is read as far as it can be; it is then not among the stacks, but its mistakes are told.
    stacks/rollout.yaml is looked at where all stacks are named: it takes all of them to say what it means.
    """
    stacks: list[Stack] = []
    mistakes: list[Mistake] = []
    for name in names:
        try:
            loading = _Loading(project, name, project.config(name), today)
        except SpecError as error:
            mistakes += error.mistakes
            continue
        stack = loading.stack()
        stacks += [stack] if stack else []
        mistakes += loading.mistakes
    mistakes += across.clashes(project, stacks)
    if not set(project.stack_names()) - set(names):
        mistakes += waves.check_rollout(project, stacks)
    return stacks, sorted(set(mistakes))


def load_record(project: Project, name: str) -> ModelRecord:
    """A model record; raises SpecError."""
    document = project.document(project.record_file(name))
    if document.mistakes:
        raise SpecError(document.mistakes)
    reader = Reader(rules())
    record = reader.read(document.value, ModelRecord, ())
    if reader.mistakes:
        raise SpecError([Mistake(document.file, document.line(at), show(at), text) for at, text in reader.mistakes])
    assert isinstance(record, ModelRecord)  # noqa: S101 - no mistake, so it was read
    return record


class _Loading:
    """One stack on its way from configuration to wish."""

    def __init__(self, project: Project, name: str, config: Mapping[str, Any], today: date) -> None:
        self.project, self.name, self.today = project, name, today
        self.limits = dated.load()
        # To the engine a key without a value is an empty text.
        self.config = {
            key: None if value == "" else value
            for key, value in config.items()
            if key.startswith(NAMESPACE) or key in OF_PROVIDER
        }
        self.reader = Reader(rules())
        self.mistakes: list[Mistake] = []

    def stack(self) -> Stack | None:
        """The wish; None where there are mistakes, or secrets that cannot be read."""
        # Every part is looked at even where another is wrong, so that one run tells everything.
        parts = self.reader.fields(self.config, StackFile, ())
        settings: StackSettings = StackSettings() if parts["stack"] is BAD else parts["stack"]
        keep_alive: StackKeepAlive = StackKeepAlive() if parts["keep_alive"] is BAD else parts["keep_alive"]
        self._check_name()
        self._check_account(parts["account"])
        self._check_access(parts["access"])
        idle = self._idle_deletion(keep_alive)
        self._check_keep_alive(keep_alive, idle, ("hearth:keepAlive",))
        found: dict[str, Deployment] = {} if parts["deployments"] is BAD else parts["deployments"]
        wishes = self._deployments(found, keep_alive, idle, production=settings.production)
        self._note(self.reader.mistakes)
        if self.mistakes or self.reader.secrets:
            return None
        stack = Stack(
            project=self.project.name,
            name=self.name,
            subscription=parts["subscription"],
            location=parts["location"],
            production=settings.production,
            gaps=settings.gaps,
            labels=settings.labels,
            account=parts["account"],
            access=tuple(parts["access"]),
            deployments=tuple(wishes),
            ready=parts["ready"],
            keep_alive=keep_alive,
            warnings=(),
        )
        return msgspec.structs.replace(stack, warnings=tuple(remarks.of(stack, self.limits, self.today)))

    def secrets(self) -> list[Mistake]:
        """What cannot be read outside a run of the engine."""
        text = "is a secret, which only a run of Pulumi can read"
        return [Mistake(*self._place(at), show(at), text) for at in self.reader.secrets]

    # --- deployments -----------------------------------------------------------------------------------------------

    def _deployments(
        self, found: dict[str, Deployment], stack_keep_alive: KeepAlive, idle: timedelta, *, production: bool
    ) -> list[DeploymentWish]:
        records = self._records()
        wishes: list[DeploymentWish] = []
        taken: dict[str, str] = {}
        for name in sorted(found):
            wanted, at = found[name], ("hearth:deployments", name)
            if name.lower() in taken:
                self._bad(at, f'differs from "{taken[name.lower()]}" only in case; to Azure that is one name')
            taken[name.lower()] = name
            if production:
                self._check_production(wanted, (*at, "sku", "name"))
            self._check_keep_alive(wanted.keep_alive, idle, (*at, "keepAlive"))
            if record := records.get(name):
                wishes.append(self._wish(name, wanted, record, stack_keep_alive, idle))
        self._check_one_per_model(wishes)
        return wishes

    def _wish(
        self, name: str, wanted: Deployment, record: ModelRecord, stack: KeepAlive, idle: timedelta
    ) -> DeploymentWish:
        own = wanted.keep_alive
        policy = own.policy or stack.policy or DEFAULT_POLICY
        revive = own.revive if own.revive is not None else stack.revive
        return DeploymentWish(
            name=name,
            record_name=wanted.model,
            record=record,
            sku=wanted.sku,
            version_upgrade_option=wanted.version_upgrade_option,
            rai_policy=wanted.rai_policy,
            tags=wanted.tags,
            policy=policy,
            after=own.after or stack.after or idle - 2 * self.limits.keep_alive_margin.value,
            revive=policy == "ping" if revive is None else revive,
            retire=own.retire or stack.retire,
        )

    def _records(self) -> dict[str, ModelRecord]:
        """The record of each deployment, looked up even where something else of the deployment is wrong."""
        given = self.config.get("hearth:deployments")
        found: dict[str, ModelRecord] = {}
        for name, item in given.items() if isinstance(given, dict) else ():
            wanted = item.get("model") if isinstance(item, dict) else None
            if isinstance(wanted, str) and is_record_name(wanted):
                record = self._record(wanted, ("hearth:deployments", name, "model"))
                found.update({name: record} if record else {})
        return found

    def _record(self, name: str, at: At) -> ModelRecord | None:
        known = self.project.record_names()
        if name not in known:
            file = self.project.shown(self.project.record_file(name))
            hint = did_you_mean(name, known)
            self._bad(at, f"there is no model record {file}; write it by hand (docs/stack.md){hint}")
            return None
        try:
            return load_record(self.project, name)
        except SpecError as error:
            self.mistakes += error.mistakes
            return None

    def _check_production(self, wanted: Deployment, at: At) -> None:
        if wanted.sku.name in self.limits.developer_skus:
            lifetime = show_duration(self.limits.developer_lifetime.value)
            self._bad(
                at,
                f"{wanted.sku.name} is not for production: Azure deletes such a deployment after {lifetime}; "
                "use Standard, or set production: false in hearth:stack",
            )

    def _check_one_per_model(self, wishes: list[DeploymentWish]) -> None:
        first: dict[tuple[str, str], str] = {}
        for wish in wishes:
            key = (wish.record.model, wish.record.source.id.lower())
            if key in first:
                text = f'is the model of "{first[key]}" too; Azure takes one deployment of a tuned model per account'
                self._bad(("hearth:deployments", wish.name, "model"), f"{text}; remove one")
            first.setdefault(key, wish.name)

    def _idle_deletion(self, keep_alive: StackKeepAlive) -> timedelta:
        """After how long Azure deletes an idle deployment: as dated, or as the stack says. One too short is told."""
        dated_one, margin = self.limits.idle_deletion.value, self.limits.keep_alive_margin.value
        said = keep_alive.limits
        at: At = ("hearth:keepAlive", "limits")
        if said.developer_lifetime is not None and said.developer_lifetime <= timedelta(0):
            self._bad((*at, "developerLifetime"), "must be longer than nothing, such as 24h")
        if said.idle_deletion is None:
            return dated_one
        if said.idle_deletion <= 2 * margin:
            self._bad(
                (*at, "idleDeletion"),
                f"must be more than {show_duration(2 * margin)}: nothing can be kept alive with less, for metrics are "
                "late and a run may be missed",
            )
            return dated_one
        return said.idle_deletion

    def _check_keep_alive(self, keep_alive: KeepAlive, idle: timedelta, at: At) -> None:
        self._check_after(keep_alive.after, idle, (*at, "after"))
        retire, kept = keep_alive.retire, self.limits.metrics_kept
        if retire is not None and not timedelta(hours=1) <= retire.after <= kept.value:
            self._bad(
                (*at, "retire", "after"),
                f"must be from 1h to {show_duration(kept.value)}, for which Azure Monitor keeps the metrics that tell "
                f"of use (as of {kept.as_of})",
            )

    def _check_after(self, after: timedelta | None, idle: timedelta, at: At) -> None:
        limit, margin = self.limits.idle_deletion, self.limits.keep_alive_margin.value
        if after is not None and after <= timedelta(0):
            self._bad(at, "must be longer than nothing: the idle time from which the policy acts, such as 10d")
        if after is not None and after > idle - margin:
            said = f"as of {limit.as_of}" if idle == limit.value else "as hearth:keepAlive.limits says"
            self._bad(
                at,
                f"{show_duration(after)} is too close to the {show_duration(idle)} after which Azure deletes an idle "
                f"deployment ({said}); at most {show_duration(idle - margin)}, for metrics are late and a run may be "
                "missed",
            )

    # --- account and access ----------------------------------------------------------------------------------------

    def _check_name(self) -> None:
        if not is_stack_name(self.name):
            file = self.project.shown(self.project.stack_file(self.name))
            text = (
                f"no stack can be called {describe(self.name)}: Pulumi takes up to 100 letters, digits, '-', '_', '.'"
            )
            self.mistakes.append(Mistake(file, 0, "", f"{text}; rename the file"))

    def _check_account(self, account: Account) -> None:
        if account is BAD:
            return
        if not account.manage:
            text = "says nothing where manage is false, for hearth only refers to that account; remove it"
            for key in (self.config["hearth:account"] or {}).keys() - _UNMANAGED:
                self._bad(("hearth:account", key), text)
            return
        rule = self.limits.names["subdomain"]
        if account.subdomain is None and not rule.holds(account.name.lower()):
            self._bad(
                ("hearth:account", "name"),
                f'"{account.name}" cannot be the subdomain, which must {rule.must}; name one with the key subdomain',
            )
        self._check_network(account.network)

    def _check_network(self, network: Network) -> None:
        at: At = ("hearth:account", "network")
        restricted = bool(network.allow or network.subnets)
        if restricted and not network.public_access:
            text = (
                "false leaves private endpoints alone: allow and subnets would let nobody in; remove one or the other"
            )
            self._bad((*at, "publicAccess"), text)
        if network.trusted_services and not restricted:
            text = "lets Azure's own services past allow and subnets, and there are none; remove it, or write those"
            self._bad((*at, "trustedServices"), text)

    def _check_access(self, access: list[Access]) -> None:
        first: dict[tuple[str, str], int] = {}
        for index, item in enumerate([] if access is BAD else access):
            if item is BAD:
                continue
            key = (item.principal, item.role)
            if key in first:
                text = f"gives the same role to the same principal as item {first[key]}; remove one"
                self._bad(("hearth:access", index), text)
            first.setdefault(key, index)

    # --- mistakes --------------------------------------------------------------------------------------------------

    def _bad(self, at: At, text: str) -> None:
        self._note([(at, text)])

    def _note(self, found: list[tuple[At, str]]) -> None:
        self.mistakes += [Mistake(*self._place(at), show(at), text) for at, text in found]

    def _place(self, at: At) -> tuple[str, int]:
        return self.project.place(self.name, at, self.config.get(str(at[0])))
