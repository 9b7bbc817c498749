"""What runs around a write: proofs before it (in preview already), order with other writers, one thing at a time.

Pulumi calls these hooks in the program's own process. They are shared by all deployments of a stack and told apart by
the name of the resource.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pulumi

from infra.errors import Busy, HearthError, NotFound, ProofFailed
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.proofs import Proofs
from infra.spec import DeploymentWish, Limits, Stack
from infra.spec.duration import show

CONFLICTS = ("RequestConflict", "AccountProvisioningStateInvalid")
"""What Azure answers while a sibling, or the account itself, is being written by somebody else."""
_LOST = "cannot create already existing resource"
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 30.0


class Hooks:
    """The hooks of one stack's program."""

    def __init__(
        self,
        stack: Stack,
        wishes: Mapping[str, DeploymentWish],
        proofs: Proofs,
        cloud: Cloud,
        arm: Arm,
        limits: Limits,
    ) -> None:
        """Register them with the engine. `wishes`: every deployment in Azure, with what it is to serve in this run."""
        self._stack, self._proofs, self._cloud, self._arm, self._limits = stack, proofs, cloud, arm, limits
        self._wishes = wishes
        self._patience = limits.sibling_wait.value
        self._waited: dict[str, timedelta] = {}
        self._made_roles: list[tuple[str, str]] = []
        in_preview = pulumi.ResourceHookOptions(on_dry_run=True)
        self._prove = pulumi.ResourceHook("hearth-prove", self._before_write, in_preview)
        self._purge = pulumi.ResourceHook("hearth-purge", self._before_account, in_preview)
        self._role_made = pulumi.ResourceHook("hearth-role-made", self._after_role)
        self._retry = pulumi.ErrorHook("hearth-busy-sibling", self._on_error)

    def of_deployment(self) -> pulumi.ResourceHookBinding:
        """For a deployment: proofs before a write, capacity before model, patience with other writers."""
        return pulumi.ResourceHookBinding(
            before_create=[self._prove], before_update=[self._prove], on_error=[self._retry]
        )

    def of_account(self) -> pulumi.ResourceHookBinding:
        """For the account: what the stack says about a soft-deleted one of its name."""
        return pulumi.ResourceHookBinding(before_create=[self._purge], on_error=[self._retry])

    def of_role(self) -> pulumi.ResourceHookBinding:
        """For a role assignment: remember that it is new."""
        return pulumi.ResourceHookBinding(after_create=[self._role_made], on_error=[self._retry])

    # --- before ----------------------------------------------------------------------------------------------------

    async def _before_write(self, args: pulumi.ResourceHookArgs) -> None:
        await _told(self._prove_write, self._wishes[args.name], args.old_inputs, args.new_inputs)

    def _prove_write(self, wish: DeploymentWish, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        before, after = _Written.of(old), _Written.of(new)
        if before is not None and before == after:
            return  # tags or a policy: nothing that a proof is about
        if before is None or after is None or before.model != after.model:
            self._require_not_served(wish)
        held = before.capacity if before and after and before.draws_on_quota_of(after) else 0
        for warning in self._proofs.prove(self._stack, wish, serving_now=held, role_is_new=self.role_is_new()):
            pulumi.log.warn(warning)
        if before is None or after is None or before.model == after.model:
            return
        pulumi.log.info(
            f"{self._stack.name}/{wish.name}: another model in the same place. Whether Azure serves the one before "
            "until the new one is ready is not known: callers may meet a gap"
        )
        if (before.sku, before.capacity) != (after.sku, after.capacity):
            self._capacity_first(wish, after)

    def _require_not_served(self, wish: DeploymentWish) -> None:
        """A second deployment of a model that the account serves already is refused by Azure.

        A rename, most likely; or a model is to stand beside itself.
        """
        where = f"{self._stack.name}/{wish.name}"
        try:
            others = self._arm.deployments(self._stack.account_id)
        except NotFound:
            return
        for other in others:
            its_source = (other.source or self._stack.account_id).lower()
            same_model = (other.model, its_source) == (wish.record.model, wish.record.source.id.lower())
            if same_model and other.name.lower() != wish.name.lower():
                fact = (
                    f"{where}: the account serves {other.model} already, as {other.name}, and Azure takes one "
                    "deployment of a tuned model per account."
                )
                if other.name in self._wishes:
                    raise ProofFailed(fact, "Take it out there first, with an `up` of its own")
                raise ProofFailed(
                    fact,
                    "To rename it, take the old name out and `pulumi up`, then put the new one in and `pulumi up` "
                    "again",
                )

    def _capacity_first(self, wish: DeploymentWish, after: _Written) -> None:
        """Azure refuses a new model and a new capacity in one write, and Pulumi makes one write of one change.

        So the capacity is changed here, and the engine's write changes the model. Killed in between, the next run finds
        the capacity as it should be and goes on. Source: Azure-Samples/azure-search-openai-demo#1154.
        """
        where = f"{self._stack.name}/{wish.name}"
        if pulumi.runtime.is_dry_run():
            pulumi.log.info(f"{where}: capacity and model change; the capacity goes first, in a write of its own")
            return
        try:
            now = self._arm.deployment(self._stack.account_id, wish.name)
        except NotFound:
            return  # gone from Azure while the state has it: the engine's write makes it anew, all at once
        if (now.sku.lower(), now.capacity) == (after.sku.lower(), after.capacity):
            return
        pulumi.log.info(f"{where}: capacity {now.capacity} → {after.capacity} first, then the model")
        self.past_siblings(
            wish.name, lambda: self._arm.set_capacity(self._stack.account_id, wish.name, after.sku, after.capacity)
        )

    def past_siblings(self, name: str, write: Callable[[], None]) -> None:
        """A write of our own, as patient with other writers as the engine's; raises Busy when patience ends."""
        for tried in itertools.count(1):
            try:
                write()
            except Busy as error:
                wait = self._next_wait(name, tried)
                if wait is None:
                    raise
                time.sleep(max(wait, error.retry_after))
            else:
                return

    async def _before_account(self, _args: pulumi.ResourceHookArgs) -> None:
        await _told(self._purge_first)

    def _purge_first(self) -> None:
        account = self._stack.account
        if account.soft_deleted == "restore" or not self._arm.is_soft_deleted(
            self._stack.account_id, self._stack.location
        ):
            return
        if account.soft_deleted == "refuse":
            raise ProofFailed(
                f"{self._stack.name}: the name {account.name} is held by a soft-deleted account. Say what becomes of "
                "it in hearth:account.softDeleted: restore brings it back with its models, purge destroys both"
            )
        if pulumi.runtime.is_dry_run():
            pulumi.log.warn(f"{account.name} is soft-deleted; it would be purged, with the tuned models it owns")
            return
        pulumi.log.warn(f"purging the soft-deleted {account.name}, with the tuned models it owns")
        self._arm.purge(self._stack.account_id, self._stack.location)

    # --- after -----------------------------------------------------------------------------------------------------

    def _after_role(self, args: pulumi.ResourceHookArgs) -> None:
        given = args.new_inputs or {}
        role = str(given.get("roleDefinitionId", "")).rsplit("/", 1)[-1].lower()
        self._made_roles.append((str(given.get("principalId", "")).lower(), role))

    def role_is_new(self) -> bool:
        """Whether this run gave the login in use a role to call models: it may take a while to work.

        Roles that are known to call no models do not count; a group's role may be ours.
        """
        groups = {item.principal for item in self._stack.access if item.principal_type == "Group"}
        mine = {self._cloud.principal(), *groups}
        return any(who in mine and role not in self._limits.roles_without_calls for who, role in self._made_roles)

    async def _on_error(self, args: pulumi.ErrorHookArgs) -> bool:
        """Wait for another writer of the account and try again; anything else is an error."""
        text = args.errors[0] if args.errors else ""
        if _LOST in text:
            pulumi.log.warn(
                f"{args.name} is in Azure and not in the state: the answer to its creation was lost, or somebody else "
                f"made it. hearth recover {self._stack.name}, then up again"
            )
        if not any(code in text for code in CONFLICTS):
            return False
        wait = self._next_wait(args.name, len(args.errors))
        if wait is None:
            return False
        await asyncio.sleep(wait)
        return True

    def _next_wait(self, name: str, tried: int) -> float | None:
        """Seconds until the next try of a write, said aloud; None when patience has ended."""
        waited = self._waited.get(name, timedelta())
        if waited >= self._patience:
            return None
        wait = min(_FIRST_WAIT * 1.5 ** (tried - 1), _LONGEST_WAIT)
        pulumi.log.info(
            f"{name}: somebody else is writing to the account; waited {show(waited)} of at most "
            f"{show(self._patience)}, trying again in {wait:.0f} s"
        )
        self._waited[name] = waited + timedelta(seconds=wait)
        return wait


class _Written:
    """What of a deployment's inputs a proof is about."""

    def __init__(self, model: Any, sku: str, capacity: int) -> None:
        self.model, self.sku, self.capacity = model, sku, capacity

    @classmethod
    def of(cls, inputs: Mapping[str, Any] | None) -> _Written | None:
        if not inputs:
            return None
        model = dict((inputs.get("properties") or {}).get("model") or {})
        sku = inputs.get("sku") or {}
        return cls(model, str(sku.get("name", "")), int(sku.get("capacity") or 0))

    def draws_on_quota_of(self, other: _Written) -> bool:
        """Whether a write that makes this one that one leaves the quota's name: the same SKU of the same base model.

        A checkpoint's name does not tell its base; it is taken to be the same, and Azure has the last word.
        """
        bases = {
            base for base, mark, _ in (str(w.model.get("name", "")).partition(".ft-") for w in (self, other)) if mark
        }
        return self.sku.lower() == other.sku.lower() and len(bases) <= 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


async def _told(work: Callable[..., None], *args: Any) -> None:
    """Do blocking work beside the engine's loop; our own errors reach the engine as their text alone."""
    try:
        await asyncio.to_thread(work, *args)
    except HearthError as error:
        raise RuntimeError(str(error)) from None
