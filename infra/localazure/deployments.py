"""Deployments: one write at a time per account, when they serve, and how they end by themselves."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec

from infra.localazure import accounts, bodies, errors, faults, groups, ids, models, placement, roles, tags
from infra.localazure.entities import Account, Deployment, DeploymentModel, Json
from infra.localazure.world import Caller, World

END, GONE = "deployment ends", "deployment gone"
WRITE, DELETE = f"{ids.DEPLOYMENTS}/write", f"{ids.DEPLOYMENTS}/delete"
PAUSABLE = ("Standard", "GlobalStandard", "DataZoneStandard")
_DELETING = "Deleting"
_CONFLICT = 409
"""The HTTP status that the activity log shows for a write which ended in Failed."""
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?")
_LEAST, _MOST = 1, 64


def wire_up(world: World) -> None:
    """Schedule the ends that deployments of a state that was read have coming, or by switches that were changed."""
    world.on_due(END, _end_if_due, _ends_at)
    world.on_due(GONE, _remove_if_due)
    for deployment in world.deployments:
        _schedule_end(world, deployment)
        if deployment.writing == _DELETING and deployment.settled_at is not None:
            world.schedule(deployment.settled_at, GONE, ids.key(deployment.id))


def find(world: World, account: Account, name: str) -> Deployment | None:
    """The deployment of that name, or None."""
    return world.deployments.get(ids.key(f"{account.id}/deployments/{name}"))


def get(world: World, account: Account, name: str) -> Deployment:
    """The deployment, or ResourceNotFound."""
    found = find(world, account, name)
    if found is None:
        raise errors.NO_RESOURCE(type=ids.DEPLOYMENTS, name=f"{account.name}/{name}", group=account.group)
    return found


def state(deployment: Deployment, now: datetime) -> str:
    """The provisioningState of a deployment at a moment."""
    if deployment.settled_at is not None and now < deployment.settled_at:
        return deployment.writing
    return "Failed" if deployment.failed else "Succeeded"


def seconds_left(deployment: Deployment, now: datetime) -> float:
    """How long the last write to a deployment still takes."""
    return max((deployment.settled_at - now).total_seconds(), 0.0) if deployment.settled_at is not None else 0.0


def put(world: World, caller: Caller, account: Account, name: str, body: bodies.Deployment) -> tuple[Deployment, bool]:
    """Create a deployment or change it; tells whether it is new. Nothing is changed when it is refused."""
    if not _NAME.fullmatch(name) or not _LEAST <= len(name) <= _MOST:
        raise errors.BAD_NAME(name=name, pattern=_NAME.pattern, least=_LEAST, most=_MOST)
    groups.open_group(world, account.subscription, account.group)
    require_quiet(world, account)
    wanted = _wanted(world, caller, account, name, body)
    existing = find(world, account, name)
    if existing is None:
        return _create(world, caller, wanted), True
    return _change(world, caller, existing, wanted), False


def patch(
    world: World, caller: Caller, account: Account, deployment: Deployment, body: bodies.DeploymentPatch
) -> Deployment:
    """Change SKU or tags and leave the model."""
    require_quiet(world, account)
    wanted = msgspec.structs.replace(deployment, tags=deployment.tags if body.tags is None else tags.require(body.tags))
    if body.sku is not None:
        wanted.sku_name = _sku_name(world, body.sku)
        wanted.capacity = deployment.capacity if body.sku.capacity is None else body.sku.capacity
    base = placement.model_of(world, deployment)
    if base is not None:
        placement.require_possible(world, account, base, wanted)
    return _change(world, caller, deployment, wanted)


def delete(world: World, caller: Caller, account: Account, deployment: Deployment) -> float:
    """Delete a deployment and tell how many seconds it takes; the tuned model stays."""
    require_quiet(world, account)
    seconds = world.switches.deployment_delete
    world.record(DELETE, deployment.id, caller, world.now() + timedelta(seconds=seconds))
    if seconds == 0:
        _remove(world, deployment)
        return 0
    deployment.writing, deployment.settled_at = _DELETING, world.now() + timedelta(seconds=seconds)
    deployment.serving_at = deployment.served_before = None
    world.deployments.put(ids.key(deployment.id), deployment)
    world.schedule(deployment.settled_at, GONE, ids.key(deployment.id))
    return seconds


def set_paused(world: World, caller: Caller, deployment: Deployment, *, paused: bool) -> Deployment:
    """Pause or resume; doing it twice is fine and changes nothing."""
    if deployment.sku_name not in PAUSABLE:
        raise errors.PAUSE_NOT_SUPPORTED(sku=deployment.sku_name)
    if deployment.paused == paused:
        return deployment
    deployment.paused = paused
    deployment.modified = caller.stamp(world.now())
    deployment.etag += 1
    world.deployments.put(ids.key(deployment.id), deployment)
    world.record(f"{ids.DEPLOYMENTS}/{'pause' if paused else 'resume'}/action", deployment.id, caller)
    return deployment


def fail(world: World, deployment: Deployment, code: str, message: str) -> None:
    """Let the write of a deployment that goes on, or was done just now, end in Failed: it never serves."""
    deployment.failed, deployment.failed_code = message, code
    deployment.serving_at = deployment.served_before = None
    world.deployments.put(ids.key(deployment.id), deployment)
    for operation in world.operations:
        if operation.resource == deployment.id and operation.done_at > world.now():
            operation.failed_code, operation.failed_message = code, message
            world.operations.put(operation.id, operation)


def ends_at(world: World, deployment: Deployment) -> datetime | None:
    """When the service deletes a deployment by itself, as things stand; None for a base model's."""
    if deployment.sku_name == "DeveloperTier":
        return deployment.created.at + timedelta(hours=world.switches.developer_hours)
    if not deployment.custom:
        return None
    return (deployment.last_call or deployment.created.at) + timedelta(days=world.switches.idle_days)


def serves(deployment: Deployment, now: datetime) -> bool:
    """Whether the data plane knows the deployment with its present model."""
    return deployment.serving_at is not None and now >= deployment.serving_at and not deployment.failed


def called(world: World, deployment: Deployment, *, successful: bool) -> None:
    """Take note of a call that counts against idleness."""
    if successful or world.switches.failed_calls_count:
        deployment.last_call = world.now()
        world.deployments.put(ids.key(deployment.id), deployment)


def require_quiet(world: World, account: Account) -> None:
    """One write to an account and what is in it at a time: refuse while the last one is not done."""
    now = world.now()
    current = accounts.state(account, now)
    if current != "Succeeded":
        raise errors.PARENT_NOT_SETTLED(account=account.id, state=current)
    accounts.require_no_sibling(world, account)


# --- what a write comes to -----------------------------------------------------------------------------------------


def _wanted(world: World, caller: Caller, account: Account, name: str, body: bodies.Deployment) -> Deployment:
    """The deployment that the body asks for, or the first reason why it cannot be."""
    asked = body.properties
    if asked.scale_settings is not None:
        raise errors.SCALE_SETTINGS()
    if asked.model is None:
        raise errors.BAD_JSON(fact="Required property 'model' not found in JSON")
    if body.sku is None:
        raise errors.NO_SKU()
    sku_name = _sku_name(world, body.sku)
    model = DeploymentModel(**msgspec.structs.asdict(asked.model))
    found = models.resolve(world, caller, account, model)
    stamp = caller.stamp(world.now())
    wanted = Deployment(
        id=f"{account.id}/deployments/{name}",
        name=name,
        account=ids.key(account.id),
        model=msgspec.structs.replace(model, version=found.version),
        base=found.base.full_name,
        custom=found.owner is not None,
        owner=found.owner,
        sku_name=sku_name,
        capacity=1 if body.sku.capacity is None else body.sku.capacity,
        rai_policy=asked.rai_policy_name or placement.BUILT_IN_POLICIES[-1],
        upgrade_option=asked.version_upgrade_option or "OnceNewDefaultVersionAvailable",
        tags=tags.require(body.tags),
        extra=_extra(asked),
        created=stamp,
        modified=stamp,
    )
    placement.require_possible(world, account, found.base, wanted)
    return wanted


def _sku_name(world: World, sku: bodies.Sku) -> str:
    name = world.catalogue.sku_name(sku.name)
    if name is None:
        raise errors.BAD_SKU(sku=sku.name)
    return name


def _extra(asked: bodies.DeploymentProperties) -> Json:
    """Properties that are kept and shown and mean nothing here."""
    names = {"parentDeploymentName", "spilloverDeploymentName", "serviceTier"}
    return {name: value for name, value in bodies.given(asked).items() if name in names}


# --- how it changes ------------------------------------------------------------------------------------------------


def _create(world: World, caller: Caller, wanted: Deployment) -> Deployment:
    seconds, wanted.failed = faults.at_create(world, wanted)
    usual = world.switches.deployment_create if wanted.custom else 0.0
    _settle_later(world, wanted, "Creating", usual if seconds is None else seconds)
    wanted.serving_at = _ready_at(world, wanted)
    _keep(world, caller, wanted)
    return wanted


def _change(world: World, caller: Caller, existing: Deployment, wanted: Deployment) -> Deployment:
    other_model = (existing.model.name, existing.model.version, existing.owner) != (
        wanted.model.name,
        wanted.model.version,
        wanted.owner,
    )
    if other_model and existing.capacity != wanted.capacity:
        raise errors.CAPACITY_AND_MODEL()
    if other_model and existing.custom and world.switches.model_change == "refuse":
        raise errors.BAD_PROPERTY(fact="The model of an existing deployment of a custom model cannot be changed.")
    before = existing.model.name if serves(existing, world.now()) else existing.served_before
    for field in ("model", "base", "custom", "owner", "sku_name", "capacity", "rai_policy", "upgrade_option", "tags"):
        setattr(existing, field, getattr(wanted, field))
    existing.extra = wanted.extra
    existing.modified = caller.stamp(world.now())
    existing.etag += 1
    _settle_later(world, existing, "Accepted", world.switches.deployment_update)
    if other_model or existing.failed:
        existing.served_before = None if world.switches.model_change == "gap" else before
        existing.serving_at = _ready_at(world, existing)
    existing.failed = existing.failed_code = None
    _keep(world, caller, existing)
    return existing


def _settle_later(world: World, deployment: Deployment, writing: str, seconds: float) -> None:
    deployment.writing = writing
    deployment.settled_at = world.now() + timedelta(seconds=seconds)


def _ready_at(world: World, deployment: Deployment) -> datetime:
    return (deployment.settled_at or world.now()) + timedelta(seconds=world.switches.readiness)


def _keep(world: World, caller: Caller, deployment: Deployment) -> None:
    world.deployments.put(ids.key(deployment.id), deployment)
    _schedule_end(world, deployment)
    refusal = (_CONFLICT, deployment.failed_code or "", deployment.failed) if deployment.failed else None
    world.record(WRITE, deployment.id, caller, deployment.settled_at, refusal)


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
    at = ends_at(world, deployment) if deployment is not None else None
    if deployment is None or at is None:
        return
    if at > world.now():
        world.schedule(at, END, key)
        return
    vanish(world, deployment)


def vanish(world: World, deployment: Deployment) -> None:
    """Delete a deployment as the service itself does."""
    _remove(world, deployment)
    if world.switches.idle_deletion_logged == "service":
        world.record(DELETE, deployment.id, None)


def _ends_at(world: World, key: str) -> datetime | None:
    deployment = world.deployments.get(key)
    return ends_at(world, deployment) if deployment is not None else None


def _remove_if_due(world: World, key: str) -> None:
    deployment = world.deployments.get(key)
    if deployment is not None and deployment.writing == _DELETING and not seconds_left(deployment, world.now()):
        _remove(world, deployment)
