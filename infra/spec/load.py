"""From what is written to the wish: read, look up, check, every complaint at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from infra.errors import Mistake, SpecError
from infra.spec import limits as dated
from infra.spec.documents import Path as At
from infra.spec.documents import show
from infra.spec.duration import show as show_duration
from infra.spec.limits import Limits, did_you_mean
from infra.spec.model import (
    Account,
    Deployment,
    DeploymentWish,
    KeepAlive,
    ModelRecord,
    Policy,
    Stack,
    StackFile,
    StackSettings,
)
from infra.spec.project import Project
from infra.spec.reading import BAD, Reader
from infra.spec.rules import rules

NAMESPACE = "hearth:"
OF_PROVIDER = ("azure-native:subscriptionId", "azure-native:location")
DEFAULT_POLICY: Policy = "ping"
_UNMANAGED = {"name", "resource_group", "manage", "kind"}


def load_stack(project: Project, name: str, config: Mapping[str, Any], *, today: date) -> Stack:
    """The wish of one stack from its configuration (keys such as `hearth:account`, values plain).

    `today` dates the warnings about retired models. Raises SpecError with every mistake, each with its file and line
    where the project's files hold it.
    """
    return _Loading(project, name, config, today).stack()


def check_project(project: Project, names: list[str], *, today: date) -> tuple[list[Stack], list[Mistake]]:
    """Every named stack from its files alone, with the mistakes of all of them and of how they fit together."""
    stacks, mistakes = [], []
    for name in names:
        try:
            stacks.append(load_stack(project, name, project.config(name), today=today))
        except SpecError as error:
            mistakes += error.mistakes
    mistakes += _clashes(project, stacks)
    return stacks, sorted(set(mistakes))


def load_record(project: Project, name: str) -> ModelRecord:
    """A model record; raises SpecError."""
    document = project.document(project.record_file(name))
    reader = Reader(rules(dated.load()))
    if document.mistakes:
        raise SpecError(document.mistakes)
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
        self.config = {k: v for k, v in config.items() if k.startswith(NAMESPACE) or k in OF_PROVIDER}
        self.reader = Reader(rules(self.limits))
        self.mistakes: list[Mistake] = []

    def stack(self) -> Stack:
        """The wish, or SpecError."""
        # Every part is looked at even where another is wrong, so that one run tells everything.
        parts = self.reader.fields(self.config, StackFile, ())
        settings = StackSettings() if parts["stack"] is BAD else parts["stack"]
        keep_alive = KeepAlive() if parts["keep_alive"] is BAD else parts["keep_alive"]
        wishes = self._deployments(parts["deployments"], keep_alive, production=settings.production)
        self._check_account(parts["account"])
        self._check_access(parts["access"])
        self._note(self.reader.mistakes)
        if self.mistakes:
            raise SpecError(self.mistakes)
        stack = Stack(
            project=self.project.name,
            name=self.name,
            subscription=parts["subscription"],
            location=parts["location"],
            production=settings.production,
            labels=settings.labels,
            account=parts["account"],
            access=tuple(parts["access"]),
            deployments=tuple(wishes),
            ready=parts["ready"],
            warnings=(),
        )
        return msgspec.structs.replace(stack, warnings=tuple(_warnings(stack, self.limits, self.today)))

    # --- deployments -----------------------------------------------------------------------------------------------

    def _deployments(
        self, found: dict[str, Deployment], stack_keep_alive: KeepAlive, *, production: bool
    ) -> list[DeploymentWish]:
        top = "hearth:deployments"
        if found is BAD:
            return []
        self._check_after(stack_keep_alive, ("hearth:keepAlive", "after"))
        wishes: list[DeploymentWish] = []
        taken: dict[str, str] = {}
        for name in sorted(found):
            wanted = found[name]
            at: At = (top, name)
            if name.lower() in taken:
                self._bad(at, f'differs from "{taken[name.lower()]}" only in case; to Azure that is one name')
            taken[name.lower()] = name
            if production and wanted.sku.name in self.limits.developer_skus:
                lifetime = show_duration(self.limits.developer_lifetime.value)
                self._bad(
                    (*at, "sku", "name"),
                    f"{wanted.sku.name} is not for production: Azure deletes such a deployment after {lifetime}; "
                    "use Standard, or set hearth:stack production: false",
                )
            self._check_after(wanted.keep_alive, (*at, "keepAlive", "after"))
            record = self._record(wanted.model, (*at, "model"))
            if record is not None:
                wishes.append(self._wish(name, wanted, record, stack_keep_alive))
        self._check_one_per_model(wishes, top)
        return wishes

    def _wish(self, name: str, wanted: Deployment, record: ModelRecord, stack: KeepAlive) -> DeploymentWish:
        usual = self.limits.idle_deletion.value - 2 * self.limits.keep_alive_margin.value
        return DeploymentWish(
            name=name,
            record_name=wanted.model,
            record=record,
            sku=wanted.sku,
            version_upgrade_option=wanted.version_upgrade_option,
            rai_policy=wanted.rai_policy,
            tags=wanted.tags,
            policy=wanted.keep_alive.policy or stack.policy or DEFAULT_POLICY,
            after=wanted.keep_alive.after or stack.after or usual,
        )

    def _record(self, name: str, at: At) -> ModelRecord | None:
        known = self.project.record_names()
        if name not in known:
            self._bad(
                at,
                f"there is no model record {self.project.shown(self.project.record_file(name))}"
                f"{did_you_mean(name, known)}; hearth train writes one, or write it by hand",
            )
            return None
        try:
            return load_record(self.project, name)
        except SpecError as error:
            self.mistakes += error.mistakes
            return None

    def _check_one_per_model(self, wishes: list[DeploymentWish], top: str) -> None:
        first: dict[tuple[str, str], str] = {}
        for wish in wishes:
            key = (wish.record.model, wish.record.source.id.lower())
            if key in first:
                self._bad(
                    (top, wish.name, "model"),
                    f'is the model of "{first[key]}" too; Azure takes one deployment of a custom model per account',
                )
            first.setdefault(key, wish.name)

    def _check_after(self, keep_alive: KeepAlive, at: At) -> None:
        limit, margin = self.limits.idle_deletion, self.limits.keep_alive_margin.value
        if keep_alive.after is not None and keep_alive.after > limit.value - margin:
            self._bad(
                at,
                f"{show_duration(keep_alive.after)} is too close to the {show_duration(limit.value)} after which Azure "
                f"deletes an idle deployment (as of {limit.as_of}); at most {show_duration(limit.value - margin)}, for "
                "metrics are late and a run may be missed",
            )

    # --- account and access ----------------------------------------------------------------------------------------

    def _check_account(self, account: Account) -> None:
        top = "hearth:account"
        if account is BAD:
            return
        rule = self.limits.names["subdomain"]
        if account.manage and account.subdomain is None and not rule.holds(account.name.lower()):
            self._bad(
                (top, "name"),
                f'"{account.name}" cannot be the subdomain, which must {rule.must}; name one with the key subdomain',
            )
        if account.manage and (account.network.allow or account.network.subnets) and not account.network.public_access:
            self._bad(
                (top, "network", "publicAccess"),
                "false leaves private endpoints alone: allow and subnets would let nobody in; remove one or the other",
            )
        if not account.manage:
            given = self.config.get(top)
            known = {f.encode_name for f in msgspec.structs.fields(Account) if f.name in _UNMANAGED}
            for key in [k for k in given if k not in known] if isinstance(given, dict) else []:
                self._bad((top, key), "says nothing where manage is false: hearth only refers to that account")

    def _check_access(self, access: Any) -> None:
        seen: dict[tuple[str, str], int] = {}
        for index, item in enumerate([] if access is BAD else access):
            key = (item.principal, self.limits.roles.get(item.role.lower(), item.role))
            if key in seen:
                self._bad(("hearth:access", index), f"gives the same role to the same principal as item {seen[key]}")
            seen.setdefault(key, index)

    # --- mistakes --------------------------------------------------------------------------------------------------

    def _bad(self, at: At, text: str) -> None:
        self._note([(at, text)])

    def _note(self, found: list[tuple[At, str]]) -> None:
        for at, text in found:
            top = self.config.get(str(at[0])) if at else None
            file, line = self.project.place(self.name, at, top) if at else (self._file(), 0)
            self.mistakes.append(Mistake(file, line, show(at), text))

    def _file(self) -> str:
        return self.project.shown(self.project.stack_file(self.name))


def _warnings(stack: Stack, limits: Limits, today: date) -> list[str]:
    """What is allowed and worth a word."""
    found = []
    for wish in stack.deployments:
        where = f"{stack.name}/{wish.name}"
        base = limits.models.get(wish.record.base or "")
        if base is None:
            named = wish.record.base or "unknown (write trained.base into the record)"
            found.append(f"{where}: the base model {named} is not in the list of {limits.models_as_of}; not checked")
            continue
        if base.is_retired(today):
            found.append(
                f"{where}: the base model {base.name} is retired as of {limits.models_as_of}; Azure may refuse it"
            )
        if wish.sku.name == "Standard" and stack.location not in base.standard:
            known = ", ".join(base.standard)
            found.append(
                f"{where}: a Standard deployment of a tuned {base.name} is known in {known} (as of "
                f"{limits.models_as_of}), not in {stack.location}"
            )
        if wish.sku.name in limits.developer_skus and not base.developer:
            found.append(f"{where}: {base.name} is not known to take {wish.sku.name} (as of {limits.models_as_of})")
    most = limits.fine_tuned_deployments
    if len(stack.deployments) > most.value:
        found.append(
            f"{stack.name}: {len(stack.deployments)} deployments in one account; the usual limit is {most.value} "
            f"(as of {most.as_of})"
        )
    owned = [w.record_name for w in stack.deployments if w.record.source.id.lower() == stack.account_id.lower()]
    if stack.account.soft_deleted == "purge" and owned:
        found.append(
            f"{stack.name}: softDeleted: purge would destroy for good the tuned models that this account owns "
            f"({', '.join(owned)})"
        )
    return found


def _clashes(project: Project, stacks: list[Stack]) -> list[Mistake]:
    """Two stacks that claim one account or one subdomain."""
    found = []
    claims: dict[str, str] = {}
    for stack in stacks:
        if not stack.account.manage:
            continue
        subdomain = (stack.account.subdomain or stack.account.name).lower()
        for claim, what in ((stack.account_id.lower(), "account"), (f"subdomain {subdomain}", "subdomain")):
            if claim in claims:
                file, line = project.place(stack.name, ("hearth:account", "name"), None)
                own = project.document(project.stack_file(stack.name))
                line = line or own.line(("config", "hearth:account", "name"))
                other = project.shown(project.stack_file(claims[claim]))
                found.append(
                    Mistake(file, line, "hearth:account/name", f"the {what} is claimed by {other} too; one must let go")
                )
                break
            claims[claim] = stack.name
    return found
