"""What can go of an account, and what must stay: nothing that anybody refers to, and nothing out of order. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from infra.ports.files import FileView
from infra.ports.finetuning import JobView, ModelView
from infra.recover import STACK_TAG
from infra.spec import Limits
from infra.spec.duration import show
from infra.training.cleanup.pending import pending
from infra.training.cleanup.values import ORDER, Do, Found, Inventory, Item, Kind, Plan, References
from infra.training.temporary import LONGEST, TAG

ORPHANED = timedelta(hours=6)
"""How long a Developer deployment without a stack must have been unused: a quarter of its life. Ours."""
_HOURS_A_MONTH = 730
_STEM = re.compile(r".+\.ft-[0-9a-f]{32}")
_OURS = {"fine-tune", "fine-tune-results"}
"""Purposes of files that training makes; others are somebody else's trade."""
_AT_WORK = {"uploaded", "pending", "running", "deleting", "deleted"}


def make(found: Inventory, references: References, limits: Limits, unused: timedelta) -> Plan:
    """The plan. `unused`: how long a thing must have been without use."""
    planner = _Planner(found, references, limits, unused)
    items = [*planner.deployments(), *planner.models(), *planner.files(), *planner.jobs()]
    ordered = sorted(items, key=lambda item: (ORDER.index(item.kind), item.since or found.now, item.title))
    return Plan(found.account, found.now, ordered, found.unread, pending(found, references))


class _Planner:
    def __init__(self, found: Inventory, references: References, limits: Limits, unused: timedelta) -> None:
        self._found, self._limits, self._unused = found, limits, unused
        self._references = references
        self._made = {job.id: _made(found, job) for job in found.jobs}
        self._existing = {model.id.lower() for model in found.models}
        self._decided: dict[str, Item] = {}
        """What was said of a deployment or model, by its name in lower case."""
        self._kept = dict(references.names)

    # --- deployments -------------------------------------------------------------------------------------------------

    def deployments(self) -> Iterable[Item]:
        """Those of tuned models, and those that an evaluation left."""
        for one in self._found.deployments:
            if TAG in one.view.tags or _is_tuned(one.view.model):
                item = self._deployment(one)
                self._decided[item.id.lower()] = item
                yield item

    def _deployment(self, one: Found) -> Item:
        view = one.view
        since = max(filter(None, (one.last_use, view.created)), default=None)
        why = self._stays(one, since)
        do: Do = "keep" if why else "delete"
        if not why and TAG in view.tags:
            why = f"left behind by an evaluation of {view.tags[TAG]}"
        elif not why and since is not None:
            kind = "of the Developer tier and " if view.sku in self._limits.developer_skus else ""
            used = "not used" if one.last_use else "never used"
            why = f"{kind}of no stack, {used} for {show(self._found.now - since)}"
        saves = self._saved(view.sku, view.capacity) if do == "delete" else ""
        return self._item("deployment", view.name, f"{view.name} ({view.model})", do, why, since, saves)

    def _stays(self, one: Found, since: datetime | None) -> str:
        """Why a deployment stays; empty where it can go."""
        view, now = one.view, self._found.now
        if by := self._references.to(view.id):
            return f"it is of {by}"
        if STACK_TAG in view.tags:
            return f"its tag says that it is of the stack {view.tags[STACK_TAG]}"
        if TAG in view.tags:
            lately = view.created is not None and now - view.created < LONGEST
            return f"{view.tags[TAG]} is being evaluated by it, or was until shortly" * (one.under_way or lately)
        if not one.use_known or since is None:
            return "whether it is used is not known"
        return self._stays_unused(one, now - since)

    def _stays_unused(self, one: Found, idle: timedelta) -> str:
        view, developer = one.view, one.view.sku in self._limits.developer_skus
        if not developer and (by := self._references.to(view.model)):
            return f"of no stack, and serves the model of {by}; delete it by hand if nobody needs it"
        if idle < (min(self._unused, ORPHANED) if developer else self._unused):
            return f"it was used {show(idle)} ago" if one.last_use else f"it was made {show(idle)} ago"
        return ""

    def _saved(self, sku: str, capacity: int) -> str:
        price, hosting = self._limits.hosting.per_hour.get(sku), self._limits.hosting
        if price is None:
            return f"{sku} {capacity}, price unknown"
        if not price:
            return f"{capacity} of the quota of {sku}"
        return f"about {price * _HOURS_A_MONTH:,.0f} {hosting.currency} a month"

    # --- models ------------------------------------------------------------------------------------------------------

    def models(self) -> Iterable[Item]:
        """Tuned models; what is referred to takes its job, its files and the models that it comes from with it."""
        self._spread()
        for model in self._found.models:
            item = self._model(model)
            self._decided[model.id.lower()] = item
            yield item

    def _spread(self) -> None:
        """Follow what must stay to what that stands on."""
        deployed = {**self._found.elsewhere, **self._standing()}
        self._kept = {name: f"deployed as {where}" for name, where in deployed.items()} | self._kept
        for job in self._found.jobs:
            if not job.is_over:
                for name in _uses(job):
                    self._kept.setdefault(name.lower(), f"{job.id}, which is {job.status}")
        grew = True
        while grew:
            before = len(self._kept)
            for job in self._found.jobs:
                by = next((self._kept[name] for name in self._made[job.id] if name in self._kept), "")
                for name in (*self._made[job.id], *_uses(job)) if by else ():
                    self._kept.setdefault(name.lower(), by)
            grew = len(self._kept) > before

    def _standing(self) -> dict[str, str]:
        """Models that deployments of this account hold which stay."""
        found = {}
        for one in self._found.deployments:
            item = self._decided.get(one.view.name.lower())
            if item is not None and item.do == "keep":
                found[one.view.model.lower()] = one.view.name
        return found

    def _model(self, model: ModelView) -> Item:
        name = model.id.lower()
        job = next((job for job in self._found.jobs if name in self._made[job.id]), None)
        since = _moment(max(model.created_at, (job.finished_at or 0) if job else 0))

        def said(do: Do, why: str) -> Item:
            return self._item("model", model.id, model.id, do, why, since)

        if by := next((self._kept[form] for form in _forms(name) if form in self._kept), ""):
            return said("keep", by)
        if since is None or (age := self._found.now - since) < self._unused:
            return said("keep", f"made {show(self._found.now - since)} ago" if since else "its age is not known")
        names = {name, *(self._made[job.id] if job else ())}
        for one in self._found.deployments:
            if one.view.model.lower() in names:
                why = f"its deployment {one.view.name} goes first"
                return replace(said("wait", why), behind=one.view.name)
        unread = f", as far as could be read ({len(self._found.unread)} not)" if self._found.unread else ""
        return said("click", f"{show(age)} old; no record, stack, job or deployment refers to it{unread}")

    # --- files and jobs ----------------------------------------------------------------------------------------------

    def files(self) -> Iterable[Item]:
        """Files of training and of its results."""
        for file in self._found.files:
            if file.purpose in _OURS and file.status not in {"deleting", "deleted"}:
                yield self._file(file)

    def _file(self, file: FileView) -> Item:
        users = [job for job in self._found.jobs if file.id.lower() in {name.lower() for name in _uses(job)}]
        since = _moment(max([file.created_at, *(job.finished_at or job.created_at for job in users)]))

        def said(do: Do, why: str) -> Item:
            saves = f"{file.bytes or 0:,} bytes, 1 file" if do != "keep" else ""
            return self._item("file", file.id, f"{file.filename} ({file.id})", do, why, since, saves)

        if by := self._kept.get(file.id.lower()):
            return said("keep", by)
        if training := self._references.file_names.get(file.filename):
            return said("keep", f"{training} is about to use it")
        if file.status in _AT_WORK:
            return said("keep", f"Azure is at work on it ({file.status})")
        if blocking := self._blocking(users):
            return _after(said, blocking)
        if since is None or (age := self._found.now - since) < self._unused:
            return said("keep", "used lately" if users else "sent lately")
        of = f"of {', '.join(job.id for job in users)}, whose model is gone" if users else "no job used it"
        return said("delete", f"{of}; {show(age)} old")

    def jobs(self) -> Iterable[Item]:
        """Jobs that are over."""
        for job in self._found.jobs:
            if job.is_over:
                yield self._job(job)

    def _job(self, job: JobView) -> Item:
        since = _moment(job.finished_at or job.created_at)

        def said(do: Do, why: str) -> Item:
            saves = "1 job" if do != "keep" else ""
            return self._item("job", job.id, f"{job.id} ({job.model})", do, why, since, saves)

        if by := self._kept.get(job.id.lower()):
            return said("keep", by)
        if blocking := self._blocking([job]):
            return _after(said, blocking)
        if since is None or (age := self._found.now - since) < self._unused:
            return said("keep", "over lately")
        gone = "its model is gone" if job.fine_tuned_model else f"it {_ended(job)}"
        return said("delete", f"{gone}; over for {show(age)}")

    def _blocking(self, jobs: Sequence[JobView]) -> Item | None:
        """What must go before what these jobs used: a model of theirs that is there, or a deployment of it."""
        for job in jobs:
            for name in self._made[job.id] & self._existing:
                return self._decided[name]
            for one in self._found.deployments:
                if one.view.model.lower() in self._made[job.id]:
                    return self._decided.get(one.view.name.lower())
        return None

    def _item(
        self, kind: Kind, identity: str, title: str, do: Do, why: str, since: datetime | None, saves: str = ""
    ) -> Item:
        return Item(kind, self._found.account, identity, title, do, why, since, saves)


def _after(said: Callable[[Do, str], Item], blocking: Item) -> Item:
    """An item that stays with what it belongs to, or waits until that has gone."""
    if blocking.do == "keep":
        return said("keep", f"of {blocking.id}, which stays: {blocking.why}")
    return replace(said("wait", f"the {blocking.kind} {blocking.id} goes first"), behind=blocking.id)


def _made(found: Inventory, job: JobView) -> frozenset[str]:
    """The names of what a job made, and its own, in lower case."""
    kept = found.checkpoints.get(job.id, ())
    names = [job.id, job.fine_tuned_model, *(one.id for one in kept), *(c.fine_tuned_model_checkpoint for c in kept)]
    return frozenset(form for name in names if name for form in _forms(name))


def _forms(name: str) -> set[str]:
    """A name in lower case, and a tuned model's without its suffix: so a job that goes on from it names it."""
    lower = name.lower()
    stem = _STEM.match(lower)
    return {lower, stem.group()} if stem else {lower}


def _uses(job: JobView) -> list[str]:
    """What a job was made of, and wrote."""
    parent = [job.model] if _is_tuned(job.model) else []
    return [name for name in (*parent, job.training_file, job.validation_file, *(job.result_files or ())) if name]


def _ended(job: JobView) -> str:
    return {"failed": "failed", "cancelled": "was cancelled"}.get(job.status, f"is {job.status}")


def _is_tuned(model: str) -> bool:
    return ".ft-" in model or model.lower().startswith("ftchkpt-")


def _moment(seconds: int) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
