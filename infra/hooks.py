"""What runs around a write: proofs before it (in preview already), order with other writers, one thing at a time.

Pulumi calls these hooks in the program's own process. They are shared by all deployments of a stack and told apart by
the name of the resource.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pulumi

from infra.errors import HearthError
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.proofs import Proofs
from infra.spec import DeploymentWish, Limits, Stack
from infra.spec.duration import show

CONFLICT = "RequestConflict"
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 30.0


class Hooks:
    """The hooks of one stack's program."""

    def __init__(self, stack: Stack, proofs: Proofs, cloud: Cloud, arm: Arm, limits: Limits) -> None:
        """Register them with the engine."""
        self._stack, self._proofs, self._cloud, self._arm, self._limits = stack, proofs, cloud, arm, limits
        self._wishes = {wish.name: wish for wish in stack.deployments}
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
        """For the account: purge a soft-deleted one where the stack says so."""
        return pulumi.ResourceHookBinding(before_create=[self._purge], on_error=[self._retry])

    def of_role(self) -> pulumi.ResourceHookBinding:
        """For a role assignment: remember that it is new."""
        return pulumi.ResourceHookBinding(after_create=[self._role_made])

    # --- before ----------------------------------------------------------------------------------------------------

    async def _before_write(self, args: pulumi.ResourceHookArgs) -> None:
        await _told(self._prove_write, self._wishes[args.name], args.old_inputs, args.new_inputs)

    def _prove_write(self, wish: DeploymentWish, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        before, after = _Written.of(old), _Written.of(new)
        if before is not None and before == after:
            return  # tags or a policy: nothing that a proof is about
        held = before.capacity if before and after and before.sku == after.sku and before.model == after.model else 0
        for warning in self._proofs.prove(self._stack, wish, serving_now=held, role_is_new=self.role_is_new()):
            pulumi.log.warn(warning)
        if (
            before
            and after
            and before.model != after.model
            and (before.sku, before.capacity) != (after.sku, after.capacity)
        ):
            self._capacity_first(wish, after)

    def _capacity_first(self, wish: DeploymentWish, after: _Written) -> None:
        """Azure refuses a new model and a new capacity in one write, and Pulumi makes one write of one change.

        So the capacity is changed here, and the engine's write changes the model. Killed in between, the next run finds
        the capacity as it should be and goes on. Source: Azure-Samples/azure-search-openai-demo#1154.
        """
        where = f"{self._stack.name}/{wish.name}"
        if pulumi.runtime.is_dry_run():
            pulumi.log.info(f"{where}: capacity and model change; the capacity goes first, in a write of its own")
            return
        now = self._arm.deployment(self._stack.account_id, wish.name)
        if (now.sku.lower(), now.capacity) == (after.sku.lower(), after.capacity):
            return
        pulumi.log.info(f"{where}: capacity {now.capacity} → {after.capacity} first, then the model")
        self._arm.set_capacity(self._stack.account_id, wish.name, after.sku, after.capacity)

    async def _before_account(self, _args: pulumi.ResourceHookArgs) -> None:
        await _told(self._purge_first)

    def _purge_first(self) -> None:
        account = self._stack.account
        if account.soft_deleted != "purge" or not self._arm.is_soft_deleted(
            self._stack.account_id, self._stack.location
        ):
            return
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
        if not args.errors or CONFLICT not in args.errors[0]:
            return False
        waited = self._waited.get(args.name, timedelta())
        if waited >= self._patience:
            return False
        wait = min(_FIRST_WAIT * 1.5 ** (len(args.errors) - 1), _LONGEST_WAIT)
        pulumi.log.info(
            f"{args.name}: somebody else is writing to the account; waited {show(waited)} of at most "
            f"{show(self._patience)}, trying again in {wait:.0f} s"
        )
        await asyncio.sleep(wait)
        self._waited[args.name] = waited + timedelta(seconds=wait)
        return True


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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


async def _told(work: Callable[..., None], *args: Any) -> None:
    """Do blocking work beside the engine's loop; our own errors reach the engine as their text alone."""
    try:
        await asyncio.to_thread(work, *args)
    except HearthError as error:
        raise RuntimeError(str(error)) from None
