"""Doing what a plan says: one thing after the other, each looked at once more, so many a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from infra.errors import HearthError, LoginFailed, NotFound
from infra.keepalive.patience import Patience
from infra.ports.arm import Arm
from infra.training.accounts import Trainer
from infra.training.cleanup.values import Inventory, Item, Plan


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an item."""

    item: Item
    error: str = ""
    """Why it stayed; empty where it is gone."""


def after(plan: Plan, done: Iterable[Done]) -> Plan:
    """What a plan comes to once this was done: what is gone is not in it, what was refused says why."""
    outcomes = {id(one.item): one.error for one in done}
    gone = {item.id for item in plan.items if outcomes.get(id(item)) == ""}
    left = []
    for item in plan.items:
        error = outcomes.get(id(item))
        if error:
            left.append(replace(item, why=f"not deleted: {error}"))
        elif error is None and item.do == "wait" and item.behind in gone:
            left.append(replace(item, why=f"{item.behind} is gone now; the next run looks at it"))
        elif error is None:
            left.append(item)
    return replace(plan, items=left)


class Sweeper:
    """Deletes in one account. What is gone already is done; what is refused does not stop the rest."""

    def __init__(self, trainer: Trainer, arm: Arm, found: Inventory, patience: Patience, longest: float) -> None:
        """`longest`: seconds to go on while another writer holds the account."""
        self._trainer, self._arm, self._found = trainer, arm, found
        self._patience, self._longest = patience, longest
        self._used: frozenset[str] | None = None

    def sweep(self, items: Sequence[Item]) -> Iterator[Done]:
        """Delete these, in their order. Raises LoginFailed."""
        for item in items:
            try:
                yield Done(item, self._delete(item))
            except NotFound:
                yield Done(item)
            except LoginFailed:
                raise
            except HearthError as error:
                yield Done(item, str(error))

    def _delete(self, item: Item) -> str:
        """Why it was left alone; empty where it was deleted."""
        if item.kind == "deployment":
            return self._deployment(item)
        if self._used is None:
            jobs = list(self._trainer.jobs.jobs())
            known = {job.id for job in self._found.jobs if job.is_over}
            self._used = frozenset(
                name
                for job in jobs
                if job.id not in known
                for name in (job.id, job.training_file, job.validation_file, *(job.result_files or ()))
                if name
            )
        if item.id in self._used:
            return "a job uses it by now"
        delete = self._trainer.files.delete if item.kind == "file" else self._trainer.jobs.delete
        self._patience.had(lambda: delete(item.id), item.id)
        return ""

    def _deployment(self, item: Item) -> str:
        before = next(one.view for one in self._found.deployments if one.view.name == item.id)
        there = self._arm.deployment(self._found.id, item.id)
        same = there.model == before.model and there.tags == before.tags
        if not same or there.created is None or before.created is None:
            return "what stands there is not what was looked at"
        if abs(there.created - before.created) >= timedelta(seconds=1):
            return "it was made anew since it was looked at"
        self._patience.written(lambda: self._arm.delete_deployment(self._found.id, item.id), self._longest)
        return ""
