"""Deployments: what may be deployed where, one write at a time per account, and how they end by themselves."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec

from infra.localazure import accounts, bodies, errors, ids, models, roles
from infra.localazure.catalogue import Model, Sku
from infra.localazure.entities import Account, Deployment, DeploymentModel
from infra.localazure.world import Caller, World

END = "end"
WRITE = f"{ids.DEPLOYMENTS}/write"
BUILT_IN_POLICIES = ("Microsoft.Default", "Microsoft.DefaultV2")
PAUSABLE = ("Standard", "GlobalStandard", "DataZoneStandard")
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?")
_LEAST, _MOST = 1, 64


def wire_up(world: World) -> None:
    """Schedule the ends that deployments of a state that was read have coming."""
    world.on_due(END, _end_if_due)
    for deployment in world.deployments:
        _schedule_end(world, deployment)


def get(world: World, account: Account, name: str) -> Deployment:
    """The deployment, or ResourceNotFound."""
    found = world.deployments.get(ids.key(f"{account.id}/deployments/{name}"))
    if found is None:
        raise errors.NO_RESOURCE(type=ids.DEPLOYMENTS, name=f"{account.name}/{name}", group=account.group)
    return found


def state(deployment: Deployment, now: datetime) -> str:
    """The provisioningState of a deployment at a moment."""
    if deployment.settled_at is not None and now < deployment.settled_at:
        return deployment.writing
    return "Failed" if deployment.failed else "Succeeded"


def put(world: World, caller: Caller, account: Account, name: str, body: bodies.Deployment) -> tuple[Deployment, bool]:
    """Create a deployment or change it; tells whether it is new. Nothing is changed when it is refused."""
    if not _NAME.fullmatch(name) or not _LEAST <= len(name) <= _MOST:
        raise errors.BAD_NAME(name=name, pattern=_NAME.pattern, least=_LEAST, most=_MOST)
    accounts.require_settled(world, account)
    _require_quiet_siblings(world, account, name)
    wanted = _check(world, caller, account, name, body)
    existing = world.deployments.get(ids.key(wanted.id))
    if existing is None:
        return _create(world, caller, wanted), True
    return _change(world, caller, existing, wanted), False


def patch(
    world: World, caller: Caller, account: Account, deployment: Deployment, body: bodies.DeploymentPatch
) -> Deployment:
    """Change SKU or tags and leave the model."""
    _require_quiet_siblings(world, account, deployment.name)
    sku = body.sku or bodies.Sku(name=deployment.sku_name, capacity=deployment.capacity)
    full = bodies.Deployment(
        sku=bodies.Sku(name=sku.name, capacity=sku.capacity or deployment.capacity),
        tags=deployment.tags if body.tags is None else body.tags,
        properties=bodies.DeploymentProperties(
            model=bodies.DeploymentModel(**msgspec.structs.asdict(deployment.model)),
            rai_policy_name=deployment.rai_policy,
            version_upgrade_option=deployment.upgrade_option,
            **{_snake(key): value for key, value in deployment.extra.items()},
        ),
    )
    wanted = _check(world, caller, account, deployment.name, full)
    return _change(world, caller, deployment, wanted)


def delete(world: World, caller: Caller, account: Account, deployment: Deployment) -> None:
    """Delete a deployment; the tuned model stays."""
    _require_quiet_siblings(world, account, deployment.name)
    _remove(world, deployment)
    world.record(f"{ids.DEPLOYMENTS}/delete", deployment.id, caller)


def set_paused(world: World, caller: Caller, deployment: Deployment, *, paused: bool) -> Deployment:
    """Pause or resume; doing it twice is fine."""
    if deployment.sku_name not in PAUSABLE:
        raise errors.PAUSE_NOT_SUPPORTED(sku=deployment.sku_name)
    deployment.paused = paused
    _touch(world, caller, deployment)
    return deployment


def model_of(world: World, deployment: Deployment) -> Model | None:
    """The catalogue's model a deployment runs on."""
    return world.catalogue.named(deployment.base)


def sku_of(world: World, account: Account, deployment: Deployment) -> Sku | None:
    """The SKU entry of a deployment."""
    model = model_of(world, deployment)
    if model is None:
        return None
    return next(
        (
            s
            for s in world.catalogue.skus(model, account.location)
            if s.name == deployment.sku_name and s.tuned == deployment.custom
        ),
        None,
    )


def ends_at(world: World, deployment: Deployment) -> datetime | None:
    """When the service deletes a deployment by itself, as things stand; None for a base model's."""
    if deployment.sku_name == "DeveloperTier":
        return deployment.created.at + timedelta(hours=world.switches.developer_hours)
    if not deployment.custom:
        return None
    return (deployment.last_call or deployment.created.at) + timedelta(days=world.switches.idle_days)


def called(world: World, deployment: Deployment, *, successful: bool) -> None:
    """Take note of a call that counts against idleness."""
    if successful or world.switches.failed_calls_count:
        deployment.last_call = world.now()
        world.deployments.put(ids.key(deployment.id), deployment)


# --- may it be? ----------------------------------------------------------------------------------------------------


def _require_quiet_siblings(world: World, account: Account, name: str) -> None:
    """One write to an account's deployments at a time, the deployment's own last one included."""
    now = world.now()
    for sibling in world.deployments.of(ids.key(account.id)):
        if sibling.settled_at is not None and now < sibling.settled_at:
            raise errors.SIBLING_BUSY(account=account.id)


def _check(world: World, caller: Caller, account: Account, name: str, body: bodies.Deployment) -> Deployment:
    """The deployment that the body asks for, or the first reason why it cannot be."""
    asked = body.properties
    if asked.scale_settings is not None:
        raise errors.SCALE_SETTINGS()
    if asked.model is None:
        raise errors.BAD_JSON(fact="Required property 'model' not found in JSON")
    if body.sku is None:
        raise errors.NO_SKU()
    sku_name = world.catalogue.sku_name(body.sku.name)
    if sku_name is None:
        raise errors.BAD_SKU(sku=body.sku.name)
    model = DeploymentModel(**msgspec.structs.asdict(asked.model))
    found = models.resolve(world, caller, account, model)
    wanted = Deployment(
        id=f"{account.id}/deployments/{name}",
        name=name,
        account=ids.key(account.id),
        model=model,
        base=found.base.full_name,
        custom=found.owner is not None,
        owner=found.owner,
        sku_name=sku_name,
        capacity=1 if body.sku.capacity is None else body.sku.capacity,
        rai_policy=asked.rai_policy_name or BUILT_IN_POLICIES[-1],
        upgrade_option=asked.version_upgrade_option or "OnceNewDefaultVersionAvailable",
        tags=body.tags,
        extra={
            key: value
            for key, value in {
                "parentDeploymentName": asked.parent_deployment_name,
                "spilloverDeploymentName": asked.spillover_deployment_name,
                "serviceTier": asked.service_tier,
            }.items()
            if value is not None
        },
        created=caller.stamp(world.now()),
        modified=caller.stamp(world.now()),
    )
    sku = _require_sku(world, account, found.base, wanted)
    _require_policy(world, account, wanted)
    _require_one_per_model(world, account, wanted)
    _require_room(world, account, wanted)
    _require_quota(world, account, sku, wanted)
    return wanted


def _require_sku(world: World, account: Account, base: Model, wanted: Deployment) -> Sku:
    entries = [s for s in world.catalogue.skus(base, account.location) if s.tuned == wanted.custom]
    entry = next((s for s in entries if s.name == wanted.sku_name), None)
    if entry is None:
        elsewhere = any(
            s.name == wanted.sku_name and s.tuned == wanted.custom
            for region in world.catalogue.regions
            for s in world.catalogue.skus(base, region)
        )
        if elsewhere:
            raise errors.SKU_NOT_IN_REGION(
                sku=wanted.sku_name, model=base.name, version=base.version, region=account.location
            )
        raise errors.SKU_NOT_OF_MODEL(
            sku=wanted.sku_name, model=wanted.model.name, version=wanted.model.version or base.version
        )
    if not 1 <= wanted.capacity <= entry.maximum:
        raise errors.BAD_CAPACITY(capacity=wanted.capacity, sku=entry.name, least=1, most=entry.maximum)
    return entry


def _require_policy(world: World, account: Account, wanted: Deployment) -> None:
    policy = wanted.rai_policy or ""
    if policy.lower() in (p.lower() for p in BUILT_IN_POLICIES):
        return
    if world.generic.get(ids.key(f"{account.id}/raiPolicies/{policy}")) is None:
        raise errors.NO_RAI_POLICY(policy=policy)


def _require_one_per_model(world: World, account: Account, wanted: Deployment) -> None:
    if not wanted.custom:
        return
    for other in world.deployments.of(ids.key(account.id)):
        same = other.model.name == wanted.model.name and other.owner == wanted.owner
        if same and ids.key(other.id) != ids.key(wanted.id):
            raise errors.MODEL_DEPLOYED_TWICE(name=wanted.name, existing=other.name)


def _require_room(world: World, account: Account, wanted: Deployment) -> None:
    others = [d for d in world.deployments.of(ids.key(account.id)) if ids.key(d.id) != ids.key(wanted.id)]
    limits = world.catalogue.account_limits
    if wanted.custom and sum(d.custom for d in others) >= limits["fineTunedDeployments"]:
        raise errors.DEPLOYMENT_LIMIT(account=account.name, limit=limits["fineTunedDeployments"], what="fine-tuned")
    if len(others) >= limits["standardDeployments"]:
        raise errors.DEPLOYMENT_LIMIT(account=account.name, limit=limits["standardDeployments"], what="standard")


def _require_quota(world: World, account: Account, sku: Sku, wanted: Deployment) -> None:
    limit = world.catalogue.limit(sku.usage)
    existing = world.deployments.get(ids.key(wanted.id))
    before = 0
    if existing is not None and existing.sku_name == wanted.sku_name and existing.base == wanted.base:
        before = existing.capacity
    used = usage(world, account.subscription, account.location).get(sku.usage, 0)
    asked = wanted.capacity - before
    if asked > 0 and used + asked > limit:
        raise errors.NO_QUOTA(asked=asked, quota=sku.usage, left=max(limit - used, 0), used=used, limit=limit)


def usage(world: World, subscription: str, region: str) -> dict[str, int]:
    """Capacity in use per usage name, over the accounts of a subscription in a region."""
    used: dict[str, int] = {}
    for account in world.accounts.of(f"{subscription.lower()}/{region}"):
        if account.deleted_at is not None:
            continue
        for deployment in world.deployments.of(ids.key(account.id)):
            sku = sku_of(world, account, deployment)
            if sku is not None:
                used[sku.usage] = used.get(sku.usage, 0) + deployment.capacity
    return used


# --- how it changes ------------------------------------------------------------------------------------------------


def _create(world: World, caller: Caller, wanted: Deployment) -> Deployment:
    delay = world.switches.deployment_create if wanted.custom else 0.0
    _settle_later(world, wanted, "Creating", delay)
    _schedule_end(world, wanted)
    world.record(WRITE, wanted.id, caller)
    return wanted


def _change(world: World, caller: Caller, existing: Deployment, wanted: Deployment) -> Deployment:
    other_model = existing.model != wanted.model
    if other_model and existing.capacity != wanted.capacity:
        raise errors.CAPACITY_AND_MODEL()
    if other_model and existing.custom and world.switches.model_change == "refuse":
        raise errors.BAD_PROPERTY(fact="The model of an existing deployment of a custom model cannot be changed.")
    gap = other_model and world.switches.model_change == "gap"
    if other_model:
        existing.served_before = None if gap else existing.model.name
    for field in (
        "model",
        "base",
        "custom",
        "owner",
        "sku_name",
        "capacity",
        "rai_policy",
        "upgrade_option",
        "tags",
        "extra",
    ):
        setattr(existing, field, getattr(wanted, field))
    existing.failed = None
    existing.modified = caller.stamp(world.now())
    existing.etag += 1
    serving = None if other_model else existing.serving_at
    _settle_later(world, existing, "Accepted", world.switches.deployment_update)
    if serving is not None:
        existing.serving_at = serving
        world.deployments.put(ids.key(existing.id), existing)
    _schedule_end(world, existing)
    world.record(WRITE, existing.id, caller)
    return existing


def _settle_later(world: World, deployment: Deployment, writing: str, seconds: float) -> None:
    deployment.writing = writing
    deployment.settled_at = world.now() + timedelta(seconds=seconds)
    deployment.serving_at = deployment.settled_at + timedelta(seconds=world.switches.readiness)
    world.deployments.put(ids.key(deployment.id), deployment)


def _touch(world: World, caller: Caller, deployment: Deployment) -> None:
    deployment.modified = caller.stamp(world.now())
    deployment.etag += 1
    world.deployments.put(ids.key(deployment.id), deployment)
    world.record(WRITE, deployment.id, caller)


def _remove(world: World, deployment: Deployment) -> None:
    world.deployments.drop(ids.key(deployment.id))
    roles.forget_below(world, deployment.id)


def _schedule_end(world: World, deployment: Deployment) -> None:
    at = ends_at(world, deployment)
    if at is not None:
        world.schedule(at, END, ids.key(deployment.id))


def _end_if_due(world: World, key: str) -> None:
    """Delete what nobody called for too long; what was called meanwhile is looked at again at its new deadline."""
    deployment = world.deployments.get(key)
    if deployment is None:
        return
    at = ends_at(world, deployment)
    if at is None:
        return
    if at > world.now():
        world.schedule(at, END, key)
        return
    _remove(world, deployment)
    world.record(f"{ids.DEPLOYMENTS}/delete", deployment.id, None, by="Microsoft.CognitiveServices")


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), name)
