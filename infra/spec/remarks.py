"""What is allowed and worth a word: the warnings of one stack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from infra.spec.limits import Limits
from infra.spec.model import DeploymentWish, Stack


def of(stack: Stack, limits: Limits, today: date) -> Iterator[str]:
    """The warnings of a stack, as of `today`."""
    for wish in stack.deployments:
        yield from _of_model(stack, wish, limits, today)
    most = limits.fine_tuned_deployments
    if len(stack.deployments) > most.value:
        yield (
            f"{stack.name}: {len(stack.deployments)} deployments in one account; Azure's usual limit is {most.value} "
            f"(as of {most.as_of})"
        )
    owned = [w.record_name for w in stack.deployments if w.record.source.id.lower() == stack.account_id.lower()]
    if stack.account.soft_deleted == "purge" and owned:
        yield (
            f"{stack.name}: softDeleted: purge would destroy for good the tuned models that this account owns "
            f"({', '.join(owned)})"
        )


def _of_model(stack: Stack, wish: DeploymentWish, limits: Limits, today: date) -> Iterator[str]:
    where, known = f"{stack.name}/{wish.name}", f"as of {limits.models_as_of}"
    if wish.record.base is None:
        yield f"{where}: its base model is not known, so it was not checked; write trained.base into the record"
        return
    base = limits.models.get(wish.record.base)
    if base is None:
        yield f"{where}: nothing is known of the base model {wish.record.base} ({known}), so it was not checked"
        return
    if base.is_retired(today):
        yield f"{where}: the base model {base.name} is retired ({known}); Azure may refuse it"
    if wish.sku.name == "Standard" and stack.location not in base.standard:
        regions = ", ".join(base.standard)
        yield (
            f"{where}: a Standard deployment of a tuned {base.name} is known in {regions} ({known}), "
            f"not in {stack.location}"
        )
    if wish.sku.name in limits.developer_skus and not base.developer:
        yield f"{where}: a tuned {base.name} is not known to take {wish.sku.name} ({known})"
