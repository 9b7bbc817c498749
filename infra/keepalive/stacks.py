"""A stack's watch list: policies from its file, what stands there from its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec

from infra.errors import HearthError, NotFound, SpecError
from infra.keepalive import watchlist
from infra.ports.stacks import Stacks
from infra.spec import DeploymentWish, Project, Retire, Stack, load_stack
from infra.spec.duration import show
from infra.spec.load import DEFAULT_POLICY
from infra.spec.model import StackKeepAlive

UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What outputs of another version come to."""


class NotUp(NotFound):
    """The stack has nothing to watch."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Remark:
    """What is not as it should be in a stack, and does not stop the rest of it from being tended."""

    deployment: str
    """Empty where it is about the stack."""
    text: str
    code: int
    """What it adds to the exit code."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What there is to watch of a stack."""

    list: watchlist.WatchList
    outputs: dict[str, Any]
    remarks: tuple[Remark, ...]


def watch_list(project: Project, stacks: Stacks, name: str, *, today: date) -> Watched:
    """The watch list of a stack, and its outputs; what its file says wrong is a remark, for what stands needs no file.

    Raises NotUp, Refused, Unreachable, HearthError for outputs that name no account.
    """
    outputs = stacks.outputs(name)
    if not outputs or not outputs.get("deployments"):
        raise NotUp(f"{name}: not up: pulumi up --stack {name}")
    stack, remarks = None, []
    try:
        stack = load_stack(project, name, project.config(name), today=today)
    except SpecError as error:
        remarks.append(Remark("", f"{error}; until then what stands is pinged, and nothing else", error.exit_code))
    try:
        found, more = of(name, stack, outputs)
    except UNREADABLE as error:
        raise HearthError(f"{name}: its outputs are unreadable ({error!r}); run `pulumi up` once more") from error
    return Watched(found, outputs, (*remarks, *more))


def of(name: str, stack: Stack | None, outputs: Mapping[str, Any]) -> tuple[watchlist.WatchList, tuple[Remark, ...]]:
    """The watch list from the wish (None: not readable) and the outputs of one stack, and what is to be said of it."""
    wishes = {wish.name: wish for wish in stack.deployments} if stack else {}
    rules = stack.keep_alive if stack else StackKeepAlive()
    deployments, remarks = [], []
    for one, facts in outputs["deployments"].items():
        try:
            deployments += _deployments(one, facts, wishes.get(one), rules)
        except HearthError as error:
            remarks.append(Remark(one, str(error), error.exit_code))
        except UNREADABLE as error:
            remarks.append(Remark(one, f"its outputs are unreadable ({error!r}); run `pulumi up` once more", 1))
    absent = sorted(set(wishes) - set(outputs["deployments"]))
    remarks += [Remark(one, f"wished for, and not up: pulumi up --stack {name}", 1) for one in absent]
    account = outputs["account"]
    listed = watchlist.Account(
        id=watchlist.account_id(account["id"]),
        location=account["location"],
        endpoint=account["endpoint"],
        stack=name,
        deployments=deployments,
    )
    said = rules.limits
    own = watchlist.Overrides(
        idle_deletion=_span(said.idle_deletion),
        developer_lifetime=_span(said.developer_lifetime),
        hosting=dict(said.hosting),
    )
    told = rules.notify
    notify = watchlist.Notify(webhook=told.webhook, shape=told.shape) if told and told.webhook else None
    return watchlist.WatchList(version=1, accounts=[listed], limits=own, notify=notify), tuple(remarks)


def _deployments(
    name: str, facts: Mapping[str, Any], wish: DeploymentWish | None, stack: StackKeepAlive
) -> list[watchlist.Deployment]:
    """A deployment as its outputs say, and the one that stands by: to roll back to it, it has to be alive."""
    active, standby = _deployment(name, facts, wish, stack), facts.get("standby")
    if not standby:
        return [active]
    beside = _deployment(name, {**standby, "active": standby["name"]}, wish, stack)
    # When it is no longer wanted, the rollout retires it; that nobody calls it is as it should be.
    keep = msgspec.structs.replace(beside.keep_alive, retire=None)
    return [active, msgspec.structs.replace(beside, standby=True, keep_alive=keep)]


def _deployment(
    name: str, facts: Mapping[str, Any], wish: DeploymentWish | None, stack: StackKeepAlive
) -> watchlist.Deployment:
    """One Azure deployment as its outputs say, with the policy of its wish."""
    same = wish is not None and wish.record.model == facts["model"]
    settings = facts.get("settings") or {}
    sku = facts.get("sku")
    if not sku:
        raise HearthError(f"the outputs tell no SKU of {name}; run `pulumi up` once more")
    return watchlist.Deployment(
        name=name,
        active=facts["active"],
        model=facts["model"],
        version=facts["version"],
        source=facts["source"],
        source_tenant=settings.get("sourceTenant") if facts["source"] else None,
        sku=watchlist.Sku(name=sku["name"], capacity=int(sku["capacity"])),
        rai_policy=settings.get("raiPolicy"),
        version_upgrade_option=settings.get("versionUpgradeOption"),
        tags=settings.get("tags") or {},
        base=wish.record.base if wish and same else _base(facts["model"]),
        keep_alive=_keep_alive(wish, stack),
    )


def _keep_alive(wish: DeploymentWish | None, stack: StackKeepAlive) -> watchlist.KeepAlive:
    """The policy; of what is up and no longer wished for, only that it is not lost before the next `up`."""
    if wish is None:
        return watchlist.KeepAlive(
            policy=stack.policy or DEFAULT_POLICY, after=show(stack.after or _LEFT), revive=False
        )
    return watchlist.KeepAlive(
        policy=wish.policy, after=show(wish.after), revive=wish.revive, retire=_retire(wish.retire)
    )  # fmt: skip


_LEFT = timedelta(days=10)


def _retire(rule: Retire | None) -> watchlist.Retire | None:
    return watchlist.Retire(after=show(rule.after), limit=rule.limit) if rule else None


def _span(own: timedelta | None) -> str | None:
    return show(own) if own else None


def _base(model: str) -> str | None:
    base, mark, _ = model.partition(".ft-")
    return base if mark else None
