"""What is wanted beside what stands, as waves of steps. Pure: everything that was looked at is an argument."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import msgspec

from infra.rollout.values import Move, Plan, Standing, Target, Wave, other_slot
from infra.spec import DeploymentWish, Limits, Rollout, Stack
from infra.spec.duration import show
from infra.spec.promotion import Served
from infra.spec.rollout import Commands, Gate, WantedWave
from infra.spec.waves import DECIDED, OTHERS


class Quota(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A quota of a region, and what is left of it."""

    name: str
    """Azure's usage name."""
    left: int


class Observed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What stands at one stack. What was not looked at is None or not there: the plan says so where it matters."""

    outputs: Mapping[str, Any] | None = None
    """The stack's last outputs; None: it was never up."""
    unread: str = ""
    """Why they could not be read; empty if they were."""
    deployments: Mapping[str, Served] | None = None
    """Every deployment of the account in Azure, by its name there."""
    quota: Mapping[str, Quota] = {}
    """By deployment, as its YAML calls it: the quota that a second one of it would draw on."""
    standby_calls: Mapping[str, int] = {}
    """By deployment, as its YAML calls it: calls to its standby in the last quarter of an hour that were not ours."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of the commit say."""

    fleet: str
    """The project."""
    rollout: Rollout
    stacks: Mapping[str, Stack]
    unread: Mapping[str, str] = {}
    """Stacks whose files cannot be read → why, in a line."""
    others: tuple[str, ...] = ()
    """Stacks that rollout.yaml does not name, in order of name."""
    digests: Mapping[str, str] = {}
    """Stack → what its `up` would put up (infra.spec.applied); without it the models alone are compared."""
    limits: Limits

    @property
    def names(self) -> list[str]:
        """Every stack that is planned."""
        return [*(name for wave in self.rollout.waves for name in wave.stacks), *self.others]


def of_these(wanted: Wanted, names: Collection[str]) -> Wanted:
    """The same wish for some stacks alone; a wave that is left without one is left out."""
    waves = tuple(
        msgspec.structs.replace(wave, stacks=tuple(name for name in wave.stacks if name in names))
        for wave in wanted.rollout.waves
    )
    rollout = msgspec.structs.replace(wanted.rollout, waves=tuple(wave for wave in waves if wave.stacks))
    return msgspec.structs.replace(
        wanted, rollout=rollout, others=tuple(name for name in wanted.others if name in names)
    )


def make(wanted: Wanted, observed: Mapping[str, Observed], commit: str) -> Plan:
    """The plan. A stack that is not among `observed` was never up."""
    planner = _Planner(wanted, observed)
    waves = (*(planner.wave(wave) for wave in wanted.rollout.waves), *planner.others())
    file = wanted.rollout.file
    used = {name: file.gates[name] for wave in waves for name in wave.gates}
    asked = {name: gate.approval for name, gate in used.items() if gate.approval is not None}
    return Plan(
        fleet=wanted.fleet,
        commit=commit,
        waves=waves,
        rollback_window=file.defaults.rollback_window.total_seconds(),
        gates={name: gate.kind for name, gate in used.items()},
        rules={name: _written(gate) for name, gate in used.items()},
        approvers={name: tuple(approval.by) for name, approval in asked.items()},
        hooks=_hooks(file.hooks),
        approval_limit=file.limits.approval.total_seconds(),
    )


def _written(gate: Gate) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(gate)
    return {name: value for name, value in fields.items() if value is not None}


def _hooks(commands: Commands) -> tuple[Literal["before", "after"], ...]:
    before: tuple[Literal["before", "after"], ...] = ("before",) if commands.before_wave else ()
    return (*before, "after") if commands.after_wave else before


def rollout_of(outputs: Mapping[str, Any] | None) -> str | None:
    """The rollouts that put there what a stack serves, as one text: another text means that another was at work."""
    told = ((outputs or {}).get("deployments") or {}).values()
    named = sorted({str(one["rollout"]) for one in told if isinstance(one, Mapping) and one.get("rollout")})
    return ",".join(named) or None


@dataclass(slots=True)
class _Slots:
    """One deployment as the stack's outputs have it."""

    active: str
    before: Served
    standby: Served | None
    held: bool
    rollout: str | None
    sku: tuple[str, int]


@dataclass(slots=True)
class _Draft:
    """A target in the making."""

    moves: list[Move] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    calls: int = 0
    extra: float | None = 0.0
    first: bool = False
    """Something is deployed that was not there before."""


class _Planner:
    """Plans target after target; what one takes of a quota is not there for the next."""

    def __init__(self, wanted: Wanted, observed: Mapping[str, Observed]) -> None:
        self.wanted, self.observed, self.limits = wanted, observed, wanted.limits
        self.window = wanted.rollout.file.defaults.rollback_window
        self.taken: dict[tuple[str, str, str], int] = {}
        """What this plan takes of each quota: subscription, region, usage name."""
        sources = [wish.record.source for stack in wanted.stacks.values() for wish in stack.deployments]
        self.tenants = {source.id.lower(): source.tenant for source in sources if source.tenant}

    def wave(self, wave: WantedWave, *, plain: bool = False) -> Wave:
        """One wave; `plain`: of stacks that follow their records."""
        return Wave(
            name=wave.name,
            targets=tuple(self._target(name, wave, plain=plain) for name in wave.stacks),
            concurrency=wave.concurrency,
            tolerance=wave.tolerance,
            strict=wave.strict,
            bake=wave.bake.total_seconds(),
            gates=wave.gates,
            approval=wave.approval,
            on_failure=wave.on_failure,
        )

    def others(self) -> Iterator[Wave]:
        """A last wave of the stacks that rollout.yaml does not name and that have something to put up, if there are."""
        defaults = self.wanted.rollout.file.defaults
        wanted = WantedWave(
            name=OTHERS, stacks=self.wanted.others, strategy="inPlace",
            concurrency=defaults.concurrency or DECIDED["concurrency"], tolerance=0, strict=False, bake=timedelta(),
            gates=(), approval=None, on_failure="rollbackWave",
        )  # fmt: skip
        wave = self.wave(wanted, plain=True)
        changed = tuple(target for target in wave.targets if target.standing != "upToDate")
        if changed:
            yield msgspec.structs.replace(wave, targets=changed)

    def _target(self, name: str, wave: WantedWave, *, plain: bool) -> Target:
        seen = self.observed.get(name) or Observed()
        stack, draft = self.wanted.stacks.get(name), _Draft()
        if stack is None:
            draft.refusals.append(self.wanted.unread.get(name) or "its file could not be read; hearth check tells why")
            return Target(
                stack=name, account="", location="", standing="refused", why=tuple(draft.refusals), plain=plain
            )
        wish = self._changed_wish(name, seen)
        if seen.unread:
            draft.refusals.append(f"its outputs could not be read: {seen.unread}")
        else:
            self._look(draft, stack, seen, wave, plain=plain)
            if wish and seen.outputs:
                draft.remarks.append(_why_changed(seen.outputs))
        return Target(
            stack=name,
            account=stack.account_id,
            location=stack.location,
            standing=_standing(draft, seen, wish, plain=plain),
            moves=tuple(draft.moves),
            why=(*draft.refusals, *draft.remarks),
            calls=0 if draft.refusals else draft.calls,
            hosting_extra=0.0 if draft.refusals else draft.extra,
            rollout=rollout_of(seen.outputs),
            wish=wish,
            plain=plain,
        )

    def _changed_wish(self, name: str, seen: Observed) -> str:
        """The digest of what is to be put up, where the last `up` put up another, or did not say which."""
        wanted = self.wanted.digests.get(name, "")
        return "" if (seen.outputs or {}).get("applied") == wanted else wanted

    def _look(self, draft: _Draft, stack: Stack, seen: Observed, wave: WantedWave, *, plain: bool) -> None:
        """Decide about every deployment of a stack."""
        outputs = seen.outputs or {}
        at = (outputs.get("account") or {}).get("id")
        if at is not None and str(at).lower() != stack.account_id.lower():
            draft.refusals.append(f"it stands in the account {at}, and its file says {stack.account_id}")
            return
        try:
            stands = {name: self._slots(name, facts) for name, facts in (outputs.get("deployments") or {}).items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            draft.refusals.append(f"its outputs are unreadable ({error!r}); run pulumi up once more")
            return
        if not outputs:
            draft.calls += _first_calls(stack)
        gone = sorted(stands.keys() - {wish.name for wish in stack.deployments})
        draft.remarks += [f"{name} is no longer in its file: this up deletes it" for name in gone]
        for wish in stack.deployments:
            move = self._move(stack, wish, stands.get(wish.name), wave, seen)
            if move is None:
                continue
            draft.moves.append(move)
            draft.calls += _calls(stack, move)
            draft.first |= move.before is None
            if plain:  # what cannot be, its `up` tells: it has other ways than a rollout
                draft.remarks += [f"{wish.name}: its callers may meet a gap"] if move.before else []
                continue
            draft.refusals += self._refusals(stack, wish, move, stands, seen, wave)
            draft.remarks += self._remarks(wish, move, stands, seen)
            self._add_cost(draft, stack, wish, move)
        self._require_room(draft, stack, stands)

    def _slots(self, name: str, facts: Mapping[str, Any]) -> _Slots:
        standby, sku = facts.get("standby"), facts.get("sku") or {}
        return _Slots(
            active=str(facts["active"]),
            before=self._served(facts),
            standby=self._served(standby) if standby else None,
            held=bool(facts.get("held")),
            rollout=facts.get("rollout"),
            sku=(str(sku.get("name", "")), int(sku.get("capacity") or 0)),
        )

    def _served(self, facts: Mapping[str, Any]) -> Served:
        """A model as outputs tell it; what they do not tell of the tenant of its source, the records may."""
        source = facts.get("source")
        tenant = (facts.get("settings") or {}).get("sourceTenant") or self.tenants.get(str(source).lower())
        return Served(model=str(facts["model"]), version=str(facts["version"]), source=source, tenant=tenant)

    def _move(
        self, stack: Stack, wish: DeploymentWish, now: _Slots | None, wave: WantedWave, seen: Observed
    ) -> Move | None:
        """What becomes of a deployment; None where it serves what its record says."""
        after = wanted_of(stack, wish)
        if now is None:
            return Move(
                deployment=wish.name, record=wish.record_name, strategy="inPlace", before=None, after=after,
                active=wish.name, candidate=wish.name,
            )  # fmt: skip
        if same(now.before, after):
            return None
        beside = wave.strategy == "beside"
        gone = seen.deployments is not None and now.active not in seen.deployments
        return Move(
            deployment=wish.name,
            record=wish.record_name,
            strategy=wave.strategy,
            before=now.before,
            after=after,
            active=now.active,
            candidate=other_slot(wish.name, now.active) if beside else now.active,
            standby=now.standby,
            gap=True if gone else False if beside else None,
        )

    # --- what cannot be --------------------------------------------------------------------------------------------

    def _refusals(
        self, stack: Stack, wish: DeploymentWish, move: Move, stands: Mapping[str, _Slots], seen: Observed,
        wave: WantedWave,
    ) -> Iterator[str]:  # fmt: skip
        where = f"{wish.name}: "
        if twice := self._served_twice(move, stands, seen):
            yield f"{where}{twice}"
        if move.before is not None and move.strategy == "inPlace":
            has, wants = stands[wish.name].sku, (wish.sku.name, wish.sku.capacity)
            if has[0] and (has[0].lower(), has[1]) != (wants[0].lower(), wants[1]):
                changed = f"from {has[0]} {has[1]} to {wants[0]} {wants[1]}"
                yield f"{where}its SKU changes too ({changed}), and Azure takes no change of both; pulumi up first"
        if move.before is not None and move.strategy == "beside":
            yield from (f"{where}{text}" for text in self._refusals_beside(stack, wish, move, seen))
        lifetime = stack.keep_alive.limits.developer_lifetime or self.limits.developer_lifetime.value
        if wish.sku.name in self.limits.developer_skus and wave.bake >= lifetime:
            ends = f"Azure deletes a deployment of {wish.sku.name} after {show(lifetime)}"
            yield f"{where}{ends}, within the bake of {show(wave.bake)}; bake shorter, or take another SKU"

    def _served_twice(self, move: Move, stands: Mapping[str, _Slots], seen: Observed) -> str:
        """Who serves the model in this account already, in words; empty if nobody does."""
        others = dict(seen.deployments or {})
        for name, slots in ((name, slots) for name, slots in stands.items() if name != move.deployment):
            others[slots.active] = slots.before
            others |= {other_slot(name, slots.active): slots.standby} if slots.standby else {}
        for name, served in others.items():
            mine = name in {move.active, move.candidate} or (move.standby and name == self._standby(move))
            if not mine and _same_model(served, move.after):
                return f"{name} serves {move.after.model} in this account already; Azure takes one deployment of it"
        if move.strategy == "inPlace" and move.standby is not None and _same_model(move.standby, move.after):
            return (
                f"{self._standby(move)}, its standby, holds {move.after.model} already, and Azure takes one deployment "
                "of it per account; take strategy: beside, which switches to it"
            )
        if move.strategy == "beside" and move.before is not None and _same_model(move.before, move.after):
            return (
                f"{move.active} serves {move.after.model}, and Azure takes one deployment of it; take strategy: inPlace"
            )
        return ""

    @staticmethod
    def _standby(move: Move) -> str:
        return other_slot(move.deployment, move.active)

    def _refusals_beside(self, stack: Stack, wish: DeploymentWish, move: Move, seen: Observed) -> Iterator[str]:
        there = (seen.deployments or {}).get(move.candidate)
        if move.standby is None and there is not None and not same(there, move.after):
            yield (
                f"the account has a deployment {move.candidate} that is not this stack's ({there.model}); delete it, "
                "or take strategy: inPlace"
            )
        if calls := seen.standby_calls.get(wish.name, 0):
            yield (
                f"its standby {move.candidate} still gets calls ({calls} in the last 15m), and would be overwritten; "
                "lead its callers to the active name (docs/rollout.md)"
            )
        quota = seen.quota.get(wish.name)
        if quota is None or move.standby is not None:
            return
        key = (stack.subscription.lower(), stack.location, quota.name)
        left = quota.left - self.taken.get(key, 0)
        if wish.sku.capacity > left:
            others = " once the targets before it have theirs" if self.taken.get(key) else ""
            yield (
                f"a second deployment needs {wish.sku.capacity} of {quota.name} in {stack.location}, which has {left} "
                f"left{others}; ask Azure for more, or take strategy: inPlace"
            )
            return
        self.taken[key] = self.taken.get(key, 0) + wish.sku.capacity

    # --- what is to be known ---------------------------------------------------------------------------------------

    def _remarks(self, wish: DeploymentWish, move: Move, stands: Mapping[str, _Slots], seen: Observed) -> Iterator[str]:
        where, slots = f"{wish.name}: ", stands.get(wish.name)
        if move.before is None or slots is None:
            return
        if slots.held:
            by = f" by rollout {slots.rollout}" if slots.rollout else ""
            yield f"{where}is held at {move.before.model}{by}; this rollout moves it on"
        if move.gap:
            yield f"{where}{move.active} is gone from Azure, so its callers get no answer now"
        if move.strategy == "inPlace":
            yield f"{where}its callers may meet a gap: Azure does not say how it replaces the model of a deployment"
            if move.standby is not None:
                yield f"{where}its standby {self._standby(move)} ({move.standby.model}) stays as it is"
            return
        if move.standby is not None:
            yield f"{where}its standby {move.candidate} ({move.standby.model}) is overwritten"
        elif wish.name not in seen.quota:
            yield f"{where}whether the quota allows a second deployment is not known"
        if wish.sku.name in self.limits.developer_skus:
            yield f"{where}of {wish.sku.name}, so Azure may delete the standby before the rollback window ends"

    def _add_cost(self, draft: _Draft, stack: Stack, wish: DeploymentWish, move: Move) -> None:
        """What a second deployment costs while both stand."""
        if move.strategy != "beside" or move.before is None or move.standby is not None:
            return
        own = stack.keep_alive.limits.hosting
        price = own.get(wish.sku.name, self.limits.hosting.per_hour.get(wish.sku.name))
        draft.extra = None if price is None or draft.extra is None else draft.extra + price

    def _require_room(self, draft: _Draft, stack: Stack, stands: Mapping[str, _Slots]) -> None:
        second = [m for m in draft.moves if m.strategy == "beside" and m.before is not None and m.standby is None]
        standing = len({*stands, *(wish.name for wish in stack.deployments)})
        standbys = sum(slots.standby is not None for slots in stands.values())
        most = self.limits.fine_tuned_deployments
        if second and (many := standing + standbys + len(second)) > most.value:
            usual = f"Azure's usual limit is {most.value} (as of {most.as_of})"
            draft.remarks.append(f"{many} deployments will stand in the account; {usual}")


def _standing(draft: _Draft, seen: Observed, wish: str, *, plain: bool) -> Standing:
    if draft.refusals:
        return "refused"
    if not draft.moves and not wish:
        return "upToDate"
    if not seen.outputs or (draft.moves and all(move.before is None for move in draft.moves)):
        return "first"
    return "move" if draft.moves and not plain else "update"


def _why_changed(outputs: Mapping[str, Any]) -> str:
    if "applied" not in outputs:
        return "its last up, of an older version of hearth, did not say what it put up: it is put up once more"
    return "its file or the program has changed since its last up"


def wanted_of(stack: Stack, wish: DeploymentWish) -> Served:
    """What the record says, as Azure is to be told."""
    record = wish.record
    elsewhere = record.source.id.lower() != stack.account_id.lower()
    source, tenant = (record.source.id, record.source.tenant) if elsewhere else (None, None)
    return Served(model=record.model, version=record.version, source=source, tenant=tenant)


def same(one: Served, other: Served) -> bool:
    """Whether two are the same model for callers."""
    return one.version == other.version and _same_model(one, other)


def _same_model(one: Served, other: Served) -> bool:
    return (one.model, (one.source or "").lower()) == (other.model, (other.source or "").lower())


def _first_calls(stack: Stack) -> int:
    """Writes that put up a stack without its deployments."""
    account = stack.account
    return account.manage + (account.manage and account.resource_group.manage) + len(stack.access)


def _calls(stack: Stack, move: Move) -> int:
    """In place one write; beside one of the candidate, one of the account's tag, one that deletes the old one."""
    if move.strategy == "inPlace" or move.before is None:
        return 1
    return 2 + stack.account.manage
