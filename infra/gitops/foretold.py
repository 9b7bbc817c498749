"""What a change would do to each stack it touches: what is made, changed, replaced, deleted, from which model to which.

The engine previews each stack, one of rollout.yaml as its rollout would put it up. Reads alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from infra.errors import HearthError
from infra.gitops.words import ACCOUNT, DEPLOYMENT, kind_of, move
from infra.keepalive.plan import HOURS_A_MONTH
from infra.ports.foresee import Engine, Foreseen, Op, Step
from infra.rollout.values import Move, Plan, Target, promotion
from infra.spec import Limits, Stack
from infra.spec.promotion import VARIABLE, encode

ROLLOUT = "preview"
"""The rollout that a previewed promotion is said to be of; nothing is ever put up under it."""


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What becomes of one resource."""

    op: Op
    kind: str
    resource: str
    fields: tuple[str, ...] = ()
    """What differs, in words."""


class Moved(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A deployment that gets another model."""

    deployment: str
    record: str
    before: str | None
    """None: nothing stands there yet."""
    after: str
    how: Literal["up", "inPlace", "beside"]
    """up: a stack in no rollout, whose model is changed by a plain `pulumi up`."""
    wave: str | None = None
    gap: bool | None = False
    """Whether callers may meet a gap; None: Azure decides."""
    lineage: tuple[str, ...] = ()
    """What the model was trained from, oldest first, as its record tells."""
    evaluation: dict[str, Any] = {}


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One stack."""

    stack: str
    touched_by: tuple[str, ...] = ()
    """Changed files that touch it."""
    counts: dict[str, int] = {}
    """By what becomes of them, the number of resources."""
    changes: tuple[Change, ...] = ()
    models: tuple[Moved, ...] = ()
    month_before: float | None = 0.0
    """Hosting a month; None: not known."""
    month_after: float | None = 0.0
    forbidden: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    """Why it could not be previewed."""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """One stack that is to be previewed."""

    name: str
    touched_by: tuple[str, ...]
    stack: Stack | None
    """The wish; None where its file cannot be read."""
    unread: str = ""
    """Why not."""
    planned: tuple[str, Target] | None = None
    """Its wave and what the rollout would do with it, where one names it."""


@dataclass(frozen=True, slots=True)
class Previewer:
    """Previews stacks side by side."""

    engine: Engine
    limits: Limits
    at_once: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)

    def all(self, questions: Sequence[Question]) -> list[Row]:
        """A row for each stack, what is forbidden or failed first."""
        with ThreadPoolExecutor(max_workers=self.at_once) as pool:
            rows = list(pool.map(self.one, questions))
        return sorted(rows, key=lambda row: (-bool(row.forbidden or row.error), -len(row.warnings), row.stack))

    def one(self, question: Question) -> Row:
        """One stack; what goes wrong is in its row."""
        if question.stack is None:
            return _failed(question, question.unread, 2)
        target = question.planned[1] if question.planned else None
        told = {}
        if target is not None and target.undoable and target.standing != "refused":
            told = {VARIABLE: encode(promotion(ROLLOUT, target, "place"))}
        try:
            found = self.engine.up(question.name, environment={**self.environment, **told})
        except HearthError as error:
            text = " ".join(str(error).split()).removeprefix(f"{question.name}: ")
            return _failed(question, text, error.exit_code)
        return self._row(question, question.stack, found)

    def _row(self, question: Question, stack: Stack, found: Foreseen) -> Row:
        wave, target = question.planned or (None, None)
        models = _by_rollout(wave, target, stack) if target and not target.plain else _by_up(found, stack)
        steps = [step for step in found.steps if step.type.startswith("azure-native:")]
        forbidden = (*_forbidden(steps, stack), *(_refused(target) if target else ()))
        return Row(
            stack=question.name,
            touched_by=question.touched_by,
            counts=dict(Counter(step.op for step in steps)),
            changes=tuple(_change(step) for step in steps),
            models=models,
            month_before=self._month(_outputs_skus(found.before), stack),
            month_after=self._month(_wished_skus(stack, found.before, target), stack),
            forbidden=forbidden,
            warnings=(*_warnings(models), *(target.why if target and target.standing != "refused" else ())),
            code=1 if forbidden else 0,
        )

    def _month(self, skus: Sequence[tuple[str, int]], stack: Stack) -> float | None:
        """What hosting costs a month, by the dated prices and the stack's own; None where one is not known."""
        known = {name.lower(): price for name, price in self.limits.hosting.per_hour.items()}
        known |= {name.lower(): price for name, price in stack.keep_alive.limits.hosting.items()}
        hours = [known.get(name.lower()) for name, _ in skus]
        return None if None in hours else round(sum(h for h in hours if h is not None) * HOURS_A_MONTH, 2)


# --- models --------------------------------------------------------------------------------------------------------


def _by_rollout(wave: str | None, target: Target, stack: Stack) -> tuple[Moved, ...]:
    return tuple(_moved(m.deployment, m.before.model if m.before else None, m.after.model, stack, wave, m)
                 for m in target.moves)  # fmt: skip


def _by_up(found: Foreseen, stack: Stack) -> tuple[Moved, ...]:
    """A stack in no rollout: deployments whose model the previewed `up` itself changes."""
    moved = []
    for step in found.steps:
        if step.type != DEPLOYMENT or step.op == "delete":
            continue
        before, after = (_model(inputs) for inputs in (step.before, step.after))
        if after and before != after:
            moved.append(_moved(step.name, before or None, after, stack, None, None))
    return tuple(moved)


def _model(inputs: Mapping[str, Any]) -> str:
    return str(((inputs.get("properties") or {}).get("model") or {}).get("name") or "")


def _moved(name: str, before: str | None, after: str, stack: Stack, wave: str | None, planned: Move | None) -> Moved:
    wish = next((w for w in stack.deployments if w.name == name), None)
    record = wish.record if wish else None
    parents = tuple(map(_parent, record.trained.parents)) if record else ()
    base = (record.base,) if record and record.base else ()
    return Moved(
        deployment=name,
        record=wish.record_name if wish else "",
        before=before,
        after=after,
        how=planned.strategy if planned else "up",
        wave=wave,
        gap=planned.gap if planned else (False if before is None else None),
        lineage=tuple(dict.fromkeys((*base, *parents))),
        evaluation=dict(record.evaluation) if record else {},
    )


def _parent(one: Any) -> str:
    return str(one.get("model") or one.get("job") or one) if isinstance(one, Mapping) else str(one)


def _outputs_skus(outputs: Mapping[str, Any]) -> list[tuple[str, int]]:
    """SKU and capacity of what stood there after the last `up`, a standby too."""
    found = []
    for facts in (outputs.get("deployments") or {}).values():
        if not isinstance(facts, Mapping):
            continue
        sku = facts.get("sku") or {}
        one = (str(sku.get("name", "")), int(sku.get("capacity") or 0))
        found += [one] * (2 if facts.get("standby") else 1)
    return found


def _wished_skus(stack: Stack, outputs: Mapping[str, Any], target: Target | None) -> list[tuple[str, int]]:
    """The same after this change: twice where a standby is kept, or is made beside the one that serves."""
    before = outputs.get("deployments") or {}
    kept = {name for name, facts in before.items() if isinstance(facts, Mapping) and facts.get("standby")}
    if target is None or target.plain:
        kept = set()  # a stack in no rollout keeps none
    made = {m.deployment for m in target.moves if m.strategy == "beside" and m.before} if target else set()
    skus = {wish.name: (wish.sku.name, wish.sku.capacity) for wish in stack.deployments}
    return [sku for name, sku in skus.items() for _ in range(2 if name in kept | made else 1)]


# --- what is forbidden, what is worth a word -----------------------------------------------------------------------


def _forbidden(steps: Sequence[Step], stack: Stack) -> list[str]:
    found = []
    for step in steps:
        what = f"the {kind_of(step.type)} {step.name}"
        gone = step.op in {"delete", "replace"}
        if step.type == ACCOUNT and gone:
            found.append(f"{what} would be {step.op}d, and with it every deployment and tuned model that it owns")
        elif step.protected and gone:
            found.append(f"{what} is protected, and would be {step.op}d")
        elif step.type == DEPLOYMENT and step.op == "replace" and not stack.gaps:
            because = ", ".join(f.path for f in step.fields if f.replaces) or "what Azure cannot change"
            found.append(
                f"{what} would be replaced ({because}), and its callers get no answer meanwhile; give the new one "
                "another name, or allow it: hearth:stack: {gaps: true}"
            )
    return found


def _refused(target: Target) -> tuple[str, ...]:
    return tuple(f"the rollout refuses it: {why}" for why in target.why) if target.standing == "refused" else ()


def _warnings(models: Sequence[Moved]) -> list[str]:
    return [
        f"{m.deployment}: its model is changed under its callers, who may meet a gap"
        for m in models
        if m.how == "up" and m.gap is None
    ]


def _change(step: Step) -> Change:
    wished = [f for f in step.fields if f.wished or f.replaces]
    fields = tuple(f"{f.path} {move(f.before, f.after)}" for f in wished) if step.op in {"update", "replace"} else ()
    return Change(op=step.op, kind=kind_of(step.type), resource=step.name, fields=fields)


def _failed(question: Question, text: str, code: int) -> Row:
    return Row(
        stack=question.name, touched_by=question.touched_by, error=text, code=code, month_before=None, month_after=None
    )


def planned(plan: Plan | None) -> dict[str, tuple[str, Target]]:
    """By stack, its wave's name and what the plan does with it."""
    waves = plan.waves if plan else ()
    return {target.stack: (wave.name, target) for wave in waves for target in wave.targets}


def exit_code(rows: Sequence[Row]) -> int:
    """0; 1 where something is forbidden; what a stack that could not be previewed says."""
    return max((row.code for row in rows), default=0)
