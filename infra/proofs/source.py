"""The source proof: before anything is written, that the model exists, that we can read it, that the region takes it.

Everything here reads. A proof that fails raises ProofFailed with the place, the fact and the next move; what could not
be looked at for a reason that need not stop a deployment comes back as a warning.
"""

from __future__ import annotations

import difflib
import threading

from infra.errors import Busy, NotFound, ProofFailed, Refused, Unreachable
from infra.ports.arm import AccountView, Arm, TunedSku
from infra.ports.cloud import Cloud
from infra.ports.finetuning import FineTuning
from infra.ports.inference import Inference
from infra.spec.limits import Limits
from infra.spec.model import DeploymentWish, Source, Stack

SOURCE_ROLE = "Cognitive Services OpenAI Contributor"
"""The role that Azure asks for at both accounts (Learn, deploy a fine-tuned model, as of October 2026)."""


class Proofs:
    """Proofs about one stack's deployments, with what they share looked up once."""

    def __init__(self, cloud: Cloud, arm: Arm, inference: Inference, limits: Limits) -> None:
        """Nothing is asked before the first proof."""
        self._cloud, self._arm, self._inference, self._limits = cloud, arm, inference, limits
        self._lock = threading.Lock()  # proofs run side by side, and what they share is asked for once
        self._accounts: dict[str, AccountView] = {}
        self._skus: dict[tuple[str, str], dict[str, list[TunedSku]]] = {}
        self._quota_left: dict[tuple[str, str], dict[str, int]] = {}

    def prove(
        self, stack: Stack, wish: DeploymentWish, *, serving_now: int = 0, role_is_new: bool = False
    ) -> list[str]:
        """Prove a deployment; `serving_now` is the capacity that it holds already under the same SKU and model.

        `role_is_new` says that this run gave out roles at the account, which may not work yet. Returns warnings;
        raises ProofFailed, Unreachable, LoginFailed.
        """
        return [*self.source(stack, wish, role_is_new=role_is_new), *self._region(stack, wish, serving_now)]

    # --- the source ------------------------------------------------------------------------------------------------

    def source(self, stack: Stack, wish: DeploymentWish, *, role_is_new: bool = False) -> list[str]:
        """Prove that the model is at its source and that we can read it; as `prove`."""
        source = wish.record.source
        own = source.id.lower() == stack.account_id.lower()
        where = f"{stack.name}/{wish.name}"
        try:
            account = self._account(source)
        except NotFound as error:
            if own and stack.account.manage:
                return [f"{where}: the account does not exist yet, so its model {wish.record.model} is not proven"]
            raise ProofFailed(
                f"{where}: the source account {source.account} does not exist ({source.id}).",
                f"Put its stack up first{_or_correct('source', wish)}",
            ) from error
        except Refused as error:
            raise self._role_is_missing(where, "read the source account", source.id, error) from error
        return self._model(where, wish, account.endpoint, role_is_new=own and role_is_new)

    def _model(self, where: str, wish: DeploymentWish, endpoint: str, *, role_is_new: bool) -> list[str]:
        """That the model is one of the source's. A checkpoint that is not listed may still exist: a warning."""
        model, source = wish.record.model, wish.record.source
        try:
            found = self._inference.model(endpoint, model, tenant=source.tenant)
        except NotFound as error:
            if model.startswith("ftchkpt-"):
                return self._checkpoint(where, wish, endpoint)
            raise self._no_such_model(where, wish, endpoint) from error
        except Refused as error:
            if error.status == 401 and role_is_new:
                return []  # our role there does not work yet; Azure itself looks for the model when it is deployed
            if error.status == 401:
                raise self._role_is_missing(where, f"read the model {model}", source.id, error) from error
            return [f"{where}: {source.account} does not show its models from here: {error}"]
        except Unreachable as error:
            return [f"{where}: the source's models could not be looked at: {error}"]
        status = str(found.get("status", "succeeded"))
        if status not in {"succeeded", ""}:
            raise ProofFailed(
                f"{where}: the model {model} in {source.account} cannot be deployed: its status is {status}"
            )
        return []

    def _checkpoint(self, where: str, wish: DeploymentWish, endpoint: str) -> list[str]:
        """That a checkpoint which no list of models has is one of its job's; a warning where that cannot be told."""
        model, source, job = wish.record.model, wish.record.source, wish.record.trained.job
        if job is None:
            return [f"{where}: {source.account} does not list the checkpoint {model}; not proven"]
        try:
            kept = FineTuning(self._cloud, endpoint, tenant=source.tenant).checkpoints(job)
        except (Refused, Busy, Unreachable) as error:
            return [
                f"{where}: {source.account} does not show the checkpoints of {job}, so {model} is not proven: {error}"
            ]
        if any(one.id == model for one in kept):
            return []
        return [f"{where}: {model} is none of the checkpoints that {source.account} keeps of {job}; not proven"]

    def _no_such_model(self, where: str, wish: DeploymentWish, endpoint: str) -> ProofFailed:
        model, account = wish.record.model, wish.record.source.account
        try:
            seen = self._inference.models(endpoint, tenant=wish.record.source.tenant)
            known = [m for m in seen if ".ft-" in m or m.startswith("ftchkpt-")]
        except (Refused, Unreachable):
            known = []
        near = difflib.get_close_matches(model, known, n=1, cutoff=0.6)
        hint = f" Did you mean {near[0]}?" if near else f" It has: {', '.join(known) or 'no tuned models'}."
        return ProofFailed(
            f"{where}: the account {account} has no model {model}.{hint}",
            _correct("model", wish),
        )

    def _role_is_missing(self, where: str, what: str, scope: str, error: Refused) -> ProofFailed:
        principal = self._cloud.principal()
        return ProofFailed(
            f"{where}: the login in use may not {what}: {error}\n ",
            f"Give it the role there (best in the source's own stack, under hearth:access), or run:\n"
            f'  az role assignment create --assignee-object-id {principal} --role "{SOURCE_ROLE}" --scope {scope}',
        )

    # --- the region ------------------------------------------------------------------------------------------------

    def _region(self, stack: Stack, wish: DeploymentWish, serving_now: int) -> list[str]:
        sku, warnings = self.sku(stack, wish)
        return warnings if sku is None else self._quota(f"{stack.name}/{wish.name}", stack, wish, sku, serving_now)

    def sku(self, stack: Stack, wish: DeploymentWish) -> tuple[TunedSku | None, list[str]]:
        """The SKU under which the region takes the model; None, with warnings, where that cannot be told.

        Raises ProofFailed where the region does not take it, Unreachable, LoginFailed.
        """
        where = f"{stack.name}/{wish.name}"
        base = wish.record.base
        try:
            offered = self._offered(stack.subscription, stack.location)
        except Refused as error:
            return None, [f"{where}: what {stack.location} offers could not be read ({error}); not proven"]
        if base is None or base not in offered:
            text = f"{where}: {stack.location} lists no base model {base}; whether it takes the model is not proven"
            return None, [text]
        sku = next((s for s in offered[base] if s.name.lower() == wish.sku.name.lower()), None)
        if sku is None:
            names = ", ".join(sorted({s.name for s in offered[base]})) or "nothing"
            raise ProofFailed(
                f"{where}: {stack.location} does not take a tuned {base} as {wish.sku.name}; it takes: {names}.",
                "Change sku.name, or put the deployment into a region that does",
            )
        return sku, []

    def _quota(self, where: str, stack: Stack, wish: DeploymentWish, sku: TunedSku, serving_now: int) -> list[str]:
        try:
            left = self._left(stack.subscription, stack.location)
        except Refused as error:
            return [f"{where}: the quota of {stack.location} could not be read ({error.code}); not proven"]
        asked = wish.sku.capacity - serving_now
        if sku.usage in left and asked > left[sku.usage]:
            raise ProofFailed(
                f"{where}: asks for {asked} more capacity of {sku.usage} in {stack.location}, which has "
                f"{left[sku.usage]} left.",
                "Lower sku.capacity, or ask Azure for more quota",
            )
        if sku.usage in left:
            left[sku.usage] -= asked  # what this deployment takes is not there for the next one of this run
        return []

    # --- looked up once --------------------------------------------------------------------------------------------

    def _account(self, source: Source) -> AccountView:
        with self._lock:
            if source.id not in self._accounts:
                self._accounts[source.id] = self._arm.account(source.id, tenant=source.tenant)
            return self._accounts[source.id]

    def _left(self, subscription: str, location: str) -> dict[str, int]:
        key = (subscription, location)
        with self._lock:
            if key not in self._quota_left:
                self._quota_left[key] = self._arm.quotas_left(subscription, location)
            return self._quota_left[key]

    def _offered(self, subscription: str, location: str) -> dict[str, list[TunedSku]]:
        key = (subscription, location)
        with self._lock:
            if key not in self._skus:
                self._skus[key] = self._arm.tuned_skus(subscription, location)
            return self._skus[key]


def _correct(key: str, wish: DeploymentWish) -> str:
    """Where the model is written, as the next move."""
    if wish.record_name:
        return f"Correct {key} in stacks/models/{wish.record_name}.yaml"
    return "No record says so: it is what a rollout brings, or what the stack serves since an earlier one"


def _or_correct(key: str, wish: DeploymentWish) -> str:
    return f", or c{_correct(key, wish)[1:]}" if wish.record_name else ""
