"""What may be deployed where: SKUs of a region, one deployment per custom model, limits and quota."""

from __future__ import annotations

from infra.localazure import errors, ids, quotas
from infra.localazure.catalogue import TUNED_DEPLOYMENTS, Model, Sku
from infra.localazure.entities import Account, Deployment
from infra.localazure.world import World

BUILT_IN_POLICIES = ("Microsoft.Default", "Microsoft.DefaultV2")


def require_possible(world: World, account: Account, base: Model, wanted: Deployment) -> None:
    """Refuse a deployment that cannot be; the one of its name that stands is what it would replace."""
    existing = world.deployments.get(ids.key(wanted.id))
    sku = _require_sku(world, account, base, wanted)
    _require_policy(world, account, wanted)
    if existing is None or (existing.model.name, existing.owner) != (wanted.model.name, wanted.owner):
        _require_one_per_model(world, account, wanted)
    if existing is None or (wanted.custom and not existing.custom):
        _require_room(world, account, wanted)
    _require_quota(world, account, sku, wanted, existing)


def model_of(world: World, deployment: Deployment) -> Model | None:
    """The catalogue's model a deployment runs on."""
    return world.catalogue.named(deployment.base)


def sku_of(world: World, account: Account, deployment: Deployment) -> Sku | None:
    """The SKU entry of a deployment."""
    model = model_of(world, deployment)
    if model is None:
        return None
    return _entry(world, account.location, model, deployment)


def usage(world: World, subscription: str, region: str) -> dict[str, int]:
    """What is in use per usage name, over the accounts of a subscription in a region.

    A soft-deleted account holds the quota of the deployments it had until it is purged.
    """
    return world.tally.at(f"{subscription.lower()}/{region}")


def _entry(world: World, region: str, model: Model, deployment: Deployment) -> Sku | None:
    """The entry of a deployment's SKU: tuned models have entries of their own, but for provisioned units."""
    for sku in world.catalogue.skus(model, region):
        shared = sku.name.endswith("ProvisionedManaged")
        if sku.name == deployment.sku_name and (shared or sku.tuned == deployment.custom):
            return sku
    return None


def _require_sku(world: World, account: Account, base: Model, wanted: Deployment) -> Sku:
    entry = _entry(world, account.location, base, wanted)
    if entry is None:
        if any(_entry(world, region, base, wanted) for region in world.catalogue.regions):
            raise errors.SKU_NOT_IN_REGION(
                sku=wanted.sku_name, model=base.name, version=base.version, region=account.location
            )
        raise errors.SKU_NOT_OF_MODEL(
            sku=wanted.sku_name, model=wanted.model.name, version=wanted.model.version or base.version
        )
    if not entry.minimum <= wanted.capacity <= entry.maximum or wanted.capacity % entry.step:
        raise errors.BAD_CAPACITY(
            capacity=wanted.capacity, sku=entry.name, least=entry.minimum, most=entry.maximum, step=entry.step
        )
    return entry


def _require_policy(world: World, account: Account, wanted: Deployment) -> None:
    policy = wanted.rai_policy or ""
    if policy.lower() in (p.lower() for p in BUILT_IN_POLICIES):
        return
    if world.generic.get(ids.key(f"{account.id}/raiPolicies/{policy}")) is None:
        raise errors.NO_RAI_POLICY(policy=policy)


def _others(world: World, account: Account, wanted: Deployment) -> list[Deployment]:
    return [d for d in world.deployments.of(ids.key(account.id)) if ids.key(d.id) != ids.key(wanted.id)]


def _require_one_per_model(world: World, account: Account, wanted: Deployment) -> None:
    """A custom model is deployed once in an account; checkpoints have names of their own and count apart."""
    if not wanted.custom:
        return
    for other in _others(world, account, wanted):
        if (other.model.name, other.owner) == (wanted.model.name, wanted.owner):
            raise errors.MODEL_DEPLOYED_TWICE(name=wanted.name, existing=other.name)


def _require_room(world: World, account: Account, wanted: Deployment) -> None:
    others = _others(world, account, wanted)
    tuned = quotas.limit(world, account.subscription, account.location, quotas.TUNED_PER_ACCOUNT)
    if wanted.custom and sum(d.custom for d in others) >= tuned:
        raise errors.DEPLOYMENT_LIMIT(account=account.name, limit=tuned, what="fine-tuned")
    most = quotas.limit(world, account.subscription, account.location, quotas.PER_ACCOUNT)
    if len(others) >= most:
        raise errors.DEPLOYMENT_LIMIT(account=account.name, limit=most, what="standard")


def _require_quota(world: World, account: Account, sku: Sku, wanted: Deployment, existing: Deployment | None) -> None:
    used = usage(world, account.subscription, account.location)
    if wanted.custom and not (existing is not None and existing.custom):
        _require_left(world, account, TUNED_DEPLOYMENTS, used, 1)
    held = sku_of(world, account, existing) if existing is not None else None
    before = existing.capacity if existing is not None and held is not None and held.usage == sku.usage else 0
    _require_left(world, account, sku.usage, used, wanted.capacity - before)


def _require_left(world: World, account: Account, quota: str, used: dict[str, int], asked: int) -> None:
    limit, now = quotas.limit(world, account.subscription, account.location, quota), used.get(quota, 0)
    if asked > 0 and now + asked > limit:
        raise errors.NO_QUOTA(asked=asked, quota=quota, left=max(limit - now, 0), used=now, limit=limit)
