"""What stands in an account that trains, and who else serves its models. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from infra.errors import HearthError, LoginFailed
from infra.keepalive.idle import last_use
from infra.ports.arm import AccountView, Arm, DeploymentView
from infra.ports.finetuning import CheckpointView, JobView
from infra.ports.management import Management, SubscriptionView
from infra.ports.metrics import Metrics, Readings
from infra.spec import Limits
from infra.training.accounts import Trainer
from infra.training.cleanup.values import Found, Inventory
from infra.training.temporary import open_temporary

T = TypeVar("T")
_AT_ONCE = 8
_KEPT = {"succeeded", "cancelled", "pausing", "paused", "resuming"}
"""Statuses of jobs that may have checkpoints."""


@dataclass(frozen=True, slots=True)
class Served:
    """A deployment of a tuned model somewhere."""

    account: str
    """Id."""
    view: DeploymentView


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The deployments of tuned models that the login can see, and what it cannot."""

    deployments: tuple[Served, ...] = ()
    unread: tuple[str, ...] = field(default_factory=tuple)


def everywhere(management: Management, arm: Arm, also: Collection[str]) -> Everywhere:
    """Search every subscription that the login sees, and those that the project names. Raises LoginFailed."""
    unread: list[str] = []
    seen: list[SubscriptionView] = []
    try:
        seen = management.subscriptions()
    except LoginFailed:
        raise
    except HearthError as error:
        unread.append(f"the list of subscriptions: {error}")
    names = {one.lower(): "" for one in also} | {one.id.lower(): one.name for one in seen}

    def accounts(subscription: str) -> list[AccountView] | str:
        shown = f"{names[subscription]} ({subscription})" if names[subscription] else subscription
        return _read(lambda: arm.accounts(subscription), f"subscription {shown}")

    def deployments(account: AccountView) -> list[DeploymentView] | str:
        return _read(lambda: arm.deployments(account.id), f"account {account.id}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found: list[AccountView] = []
        for there in pool.map(accounts, sorted(names)):
            unread += [there] if isinstance(there, str) else []
            found += [] if isinstance(there, str) else there
        served: list[Served] = []
        for account, views in zip(found, pool.map(deployments, found), strict=True):
            unread += [views] if isinstance(views, str) else []
            served += [] if isinstance(views, str) else [Served(account.id, one) for one in views]
    return Everywhere(tuple(served), tuple(unread))


def inventory(
    trainer: Trainer, arm: Arm, metrics: Metrics, others: Everywhere, limits: Limits, hidden: Path
) -> Inventory:
    """What stands in one account. Raises what Azure refuses: of what is half seen nothing is planned."""
    account = trainer.view.id
    listing = arm.listing(account)
    jobs = list(trainer.jobs.jobs())
    return Inventory(
        account=trainer.source.account,
        id=account,
        now=listing.at,
        deployments=_deployments(account, listing.deployments, listing.at, arm, metrics, limits, hidden),
        models=[one for one in trainer.jobs.models() if ".ft-" in one.id],
        files=trainer.files.all(),
        jobs=jobs,
        checkpoints=_checkpoints(trainer, jobs),
        elsewhere=_elsewhere(account, others.deployments),
        unread=others.unread,
    )


def _deployments(
    account: str,
    views: Iterable[DeploymentView],
    now: datetime,
    arm: Arm,
    metrics: Metrics,
    limits: Limits,
    hidden: Path,
) -> list[Found]:
    try:
        readings: Readings | None = metrics.of_account(account, since=now - limits.metrics_kept.value, now=now)
    except LoginFailed:
        raise
    except HearthError:
        readings = None  # whether it is used is not known, so it stays
    temporary = open_temporary(arm, hidden, lambda _text: None)
    found = []
    for view in views:
        used = None
        if readings is not None and view.created is not None:
            traffic = readings.buckets.get(view.name.lower(), ())
            used = last_use(traffic, limits.ping_tokens.value, view.created, now)
        under_way = temporary.is_under_way(account, view.name)
        found.append(Found(view, used, readings is not None and view.created is not None, under_way))
    return found


def _checkpoints(trainer: Trainer, jobs: Iterable[JobView]) -> Mapping[str, list[CheckpointView]]:
    having = [job for job in jobs if job.status in _KEPT]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(
            zip((job.id for job in having), pool.map(lambda job: trainer.jobs.checkpoints(job.id), having), strict=True)
        )


def _elsewhere(account: str, served: Iterable[Served]) -> dict[str, str]:
    """Deployments in other accounts, by what they serve. A model of the same name stays, whoever owns theirs."""
    return {one.view.model.lower(): one.view.id for one in served if one.account.lower() != account.lower()}


def _read(ask: Callable[[], list[T]], what: str) -> list[T] | str:
    """The answer, or what was not read and why."""
    try:
        return ask()
    except LoginFailed:
        raise
    except HearthError as error:
        return f"{what}: {error}"
