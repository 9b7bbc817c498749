"""What stands behind each name of a stack: the record's model, or the one that a rollout put there. Pure.

A stack that is named in rollout.yaml goes on serving what its own last outputs name until a rollout passes another;
any other stack follows its model records. A name has two slots in Azure, `support-bot` and `support-bot-b`: callers
are led to the active one, and what a rollout replaced, or is about to put in its place, stands by in the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from infra.errors import HearthError, Mistake, SpecError
from infra.spec import DeploymentWish, ModelRecord, Source, Stack
from infra.spec.promotion import VARIABLE, Placed, Promotion, Served

Facts = Mapping[str, Any]
"""What the outputs say of one deployment; what is null there may be absent."""
TENANT = "sourceTenant"
"""Key of an output's `settings`: the tenant of the model's owner, which Azure does not tell."""
_ACCOUNT = re.compile(
    "/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft.CognitiveServices/accounts/([^/]+)",
    re.IGNORECASE,
)


class Slot(msgspec.Struct, frozen=True):
    """One Azure deployment behind a name."""

    name: str
    """In Azure."""
    served: Served


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one deployment of the stack's YAML is to stand after this run."""

    wish: DeploymentWish
    active: Slot
    standby: Slot | None = None
    held: bool = False
    """It serves another model than its record's."""
    rollout: str | None = None
    """Id of the rollout that put the active model there."""
    remark: str = ""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The active one, and the one beside it."""
        return (self.active,) if self.standby is None else (self.active, self.standby)


def decide(stack: Stack, last: Mapping[str, Facts], promotion: Promotion | None, *, named: bool) -> dict[str, Standing]:
    """Every deployment of the stack by its name, from `last`, what the outputs say of them.

    `named` tells whether rollout.yaml names the stack. A promotion moves exactly the deployments that it names, and
    the others stay as they are. Raises SpecError for a promotion that does not fit, HearthError for outputs that cannot
    be understood.
    """
    placed = promotion.deployments if promotion is not None else {}
    strangers = sorted(set(placed) - {wish.name for wish in stack.deployments})
    if strangers:
        raise _misfit(f"moves {', '.join(strangers)}, and {stack.name} has no such deployment")
    made = {}
    for wish in stack.deployments:
        before = _before(stack, wish, last.get(wish.name))
        if promotion is not None and wish.name in placed:
            made[wish.name] = _moved(stack, wish, before, placed[wish.name], promotion.rollout)
        elif before is not None and (named or promotion is not None):
            made[wish.name] = _stays(stack, wish, before)
        else:
            made[wish.name] = _follows(stack, wish, before)
    _require_names(stack, made)
    return made


def wish_of(standing: Standing, slot: Slot, account_id: str) -> DeploymentWish:
    """The wish of one slot: its Azure name, and as its record what it serves."""
    wish, served = standing.wish, slot.served
    if same(served, of_record(wish, account_id)):
        return msgspec.structs.replace(wish, name=slot.name)
    record = ModelRecord(model=served.model, version=served.version, source=_owner(served, account_id))
    return msgspec.structs.replace(wish, name=slot.name, record=record, record_name="")


def of_record(wish: DeploymentWish, account_id: str) -> Served:
    """What the record says."""
    source = wish.record.source
    own = source.id.lower() == account_id.lower()
    return Served(
        model=wish.record.model,
        version=wish.record.version,
        source=None if own else source.id,
        tenant=None if own else source.tenant,
    )


def of_outputs(facts: Facts) -> tuple[Slot, Slot | None]:
    """The active slot and the one beside it, as the outputs say; raises KeyError, TypeError, AttributeError."""
    standby = facts.get("standby")
    beside = Slot(str(standby["name"]), _served(standby)) if standby else None
    return Slot(str(facts["active"]), _served(facts)), beside


def same(one: Served, other: Served) -> bool:
    """Whether two are one model. The tenant follows from the source."""
    return _key(one) == _key(other)


# --- the three ways ------------------------------------------------------------------------------------------------


class _Before(msgspec.Struct, frozen=True):
    active: Slot
    standby: Slot | None
    rollout: str | None


def _before(stack: Stack, wish: DeploymentWish, facts: Facts | None) -> _Before | None:
    if not facts:
        return None
    try:
        return _Before(*of_outputs(facts), facts.get("rollout"))
    except (KeyError, TypeError, AttributeError) as error:
        raise HearthError(
            f"{stack.name}/{wish.name}: the stack's outputs do not tell which model it serves ({error!r}), so it "
            "cannot be kept; take the version of hearth that wrote them"
        ) from error


def _moved(stack: Stack, wish: DeploymentWish, before: _Before | None, placed: Placed, rollout: str) -> Standing:
    """As the rollout says."""
    active = Slot(placed.active, placed.slots[placed.active])
    others = [Slot(name, served) for name, served in placed.slots.items() if name != placed.active]
    wrong = sorted(set(placed.slots) - {wish.name, f"{wish.name}-b"})
    if wrong:
        raise _misfit(f"puts {wish.name} behind {', '.join(wrong)}; its slots are {wish.name} and {wish.name}-b")
    if before is not None and active.name != before.active.name and not _is(before.standby, active):
        raise _misfit(
            f"leads the callers of {wish.name} to {active.name}, which does not serve {active.served.model} yet"
        )
    return Standing(
        wish=wish,
        active=active,
        standby=others[0] if others else None,
        held=not same(active.served, of_record(wish, stack.account_id)),
        rollout=rollout,
    )


def _stays(stack: Stack, wish: DeploymentWish, before: _Before) -> Standing:
    """As the last outputs say, whatever the record says."""
    wanted, now = of_record(wish, stack.account_id), before.active.served
    held = not same(now, wanted)
    remark = (
        f"{stack.name}/{wish.name} stays at {_told(now, wanted)}, the record says {_told(wanted, now)}; promote with "
        "`hearth rollout start`"
    )
    return Standing(
        wish=wish,
        active=before.active,
        standby=before.standby,
        held=held,
        rollout=before.rollout,
        remark=remark if held else "",
    )


def _follows(stack: Stack, wish: DeploymentWish, before: _Before | None) -> Standing:
    """As the record says, behind the name that callers use already."""
    wanted = of_record(wish, stack.account_id)
    if before is None:
        return Standing(wish=wish, active=Slot(wish.name, wanted))
    active = before.active.name
    if before.standby is not None and same(before.standby.served, wanted):
        active = before.standby.name  # it serves that already, and Azure takes no second deployment of a model
    kept = same(before.active.served, wanted)
    return Standing(wish=wish, active=Slot(active, wanted), rollout=before.rollout if kept else None)


# --- details -------------------------------------------------------------------------------------------------------


def _require_names(stack: Stack, made: Mapping[str, Standing]) -> None:
    """Refuse two deployments behind one name of Azure's, which knows no case."""
    taken: dict[str, str] = {}
    for name, standing in made.items():
        for slot in standing.slots:
            other = taken.setdefault(slot.name.lower(), name)
            if other != name:
                raise SpecError(
                    [
                        Mistake(
                            f"stacks/Pulumi.{stack.name}.yaml", 0, f"hearth:deployments/{name}",
                            f"{slot.name} is a slot of {other} too; give one of them another name",
                        )
                    ]
                )  # fmt: skip


def _is(standing: Slot | None, wanted: Slot) -> bool:
    return standing is not None and standing.name == wanted.name and same(standing.served, wanted.served)


def _served(facts: Facts) -> Served:
    settings = facts.get("settings") or {}
    return Served(
        model=str(facts["model"]),
        version=str(facts["version"]),
        source=facts.get("source"),
        tenant=settings.get(TENANT),
    )


def _owner(served: Served, account_id: str) -> Source:
    """The account that owns a model, as a record has it."""
    found = _ACCOUNT.fullmatch(served.source or account_id)
    if found is None:
        raise _misfit(f"{served.source} is not the id of an Azure OpenAI account")
    subscription, group, account = found.groups()
    return Source(subscription=subscription, resource_group=group, account=account, tenant=served.tenant)


def _key(served: Served) -> tuple[str, str, str]:
    return served.model, served.version, (served.source or "").lower()


def _told(served: Served, beside: Served) -> str:
    """A model by its name, with what tells it apart from one of the same name."""
    if served.model != beside.model:
        return served.model
    return f"{served.model} version {served.version} of {(served.source or 'its own account').rsplit('/', 1)[-1]}"


def _misfit(text: str) -> SpecError:
    return SpecError([Mistake(VARIABLE, 0, "", text)])
