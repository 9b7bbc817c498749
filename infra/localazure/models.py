"""Models as an account sees them: the base models of its region and the tuned ones it owns."""

from __future__ import annotations

from dataclasses import dataclass

from infra.localazure import catalogue, errors, ids, roles
from infra.localazure.catalogue import Model
from infra.localazure.entities import Account, CustomModel, DeploymentModel
from infra.localazure.world import Caller, World

SOURCE_ACTION = "Microsoft.CognitiveServices/accounts/deployments/write"
"""What the caller must be allowed at the source. The pages ask for OpenAI Contributor there; of its actions none but
this one and its delete are more than a Reader has, so this is the one taken. Not confirmed by traffic."""
TUNED_VERSION = "1"
"""The version of every tuned model."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a deployment's model name stands for."""

    base: Model
    version: str
    owner: str | None = None
    """Key of the account that owns a tuned model; None for a base model."""


def put(world: World, model: CustomModel) -> None:
    """Let an account (which need not exist yet) own a tuned model."""
    world.models.put(f"{model.account}|{model.id}", model)


def owned(world: World, account_key: str, model: str) -> CustomModel | None:
    """The tuned model or checkpoint of that name which the account owns."""
    return world.models.get(f"{account_key}|{model}")


def delete(world: World, model: CustomModel) -> None:
    """Forget a tuned model, as the portal does; refused while any account has it deployed."""
    deployed = next((d for d in world.deployments if (d.owner, d.model.name) == (model.account, model.id)), None)
    if deployed is not None:
        raise errors.MODEL_DEPLOYED(model=model.id, deployment=deployed.id)
    drop(world, model)


def drop(world: World, model: CustomModel) -> None:
    """Forget a tuned model and what it learned."""
    world.models.drop(f"{model.account}|{model.id}")
    if model.lessons is not None:
        world.contents.drop([model.lessons])


def resolve(world: World, caller: Caller, account: Account, model: DeploymentModel) -> Resolved:
    """Find the model of a deployment: in the region's catalogue, in the account, or at its source.

    Raises AzureError where it does not exist, or where the caller may not use the source.
    """
    if model.format.lower() != "openai":
        raise _unknown(model)
    if catalogue.is_custom(model.name):
        return _tuned(world, caller, account, model)
    base = world.catalogue.model(model.name, model.version)
    if base is None or model.source_account or model.source:
        raise _unknown(model)
    _require_not_retired(world, base.full_name, base, tuned=False)
    return Resolved(base, base.version)


def _tuned(world: World, caller: Caller, account: Account, model: DeploymentModel) -> Resolved:
    source = model.source_account or model.source
    owner = ids.key(source) if source else ids.key(account.id)
    if source is not None and owner != ids.key(account.id):
        _require_source(world, caller, account, source)
    found = owned(world, owner, model.name) if world.account(owner) else None
    base = world.catalogue.named(found.base) if found else None
    if found is None or base is None or model.version not in {None, TUNED_VERSION}:
        raise _unknown(model)
    if found.status != "succeeded":
        raise errors.MODEL_NOT_DEPLOYABLE(name=model.name, status=found.status)
    _require_not_retired(world, model.name, base, tuned=True)
    return Resolved(base, TUNED_VERSION, owner)


def _unknown(model: DeploymentModel) -> errors.AzureError:
    names = {"format": model.format, "name": model.name, "version": model.version or ""}
    source = model.source_account or model.source
    return errors.NO_SUCH_MODEL_AT_SOURCE(**names, source=source) if source else errors.NO_SUCH_MODEL(**names)


def _require_source(world: World, caller: Caller, account: Account, source: str) -> None:
    """The caller's token, or an auxiliary one for another tenant, must hold its role at the source too."""
    scope = f"{account.id}/deployments"
    subscription = world.subscriptions.get(ids.subscription_of(source) or "")
    there = [c for c in (caller, *caller.auxiliary) if subscription is not None and c.tenant == subscription.tenant]
    if subscription is not None and not there:
        raise errors.TENANT_NOT_LINKED(
            action=SOURCE_ACTION, scope=scope, tenant=caller.tenant, subscription=subscription.id
        )
    if not any(roles.allowed(world, c.principal, SOURCE_ACTION, source, world.now()) for c in there):
        raise errors.NOT_ALLOWED_AT_SOURCE(
            client=caller.client or caller.principal,
            oid=caller.principal,
            action=SOURCE_ACTION,
            scope=scope,
            linked_action=SOURCE_ACTION,
            linked=source,
        )


def _require_not_retired(world: World, name: str, base: Model, *, tuned: bool) -> None:
    if not world.switches.retirement or base.retires is None:
        return
    last = base.retires.deployment if tuned else base.retires.base
    if world.now() >= catalogue.midnight(last):
        raise errors.MODEL_NOT_DEPLOYABLE(name=name, status="retired")


def visible(world: World, account: Account) -> tuple[list[Model], list[CustomModel]]:
    """What GET /models of an account lists: base models and its own tuned ones. Checkpoints are listed by their job."""
    own = [model for model in world.models.of(ids.key(account.id)) if not model.id.startswith("ftchkpt-")]
    return world.catalogue.models, own
