"""`hearth clean`: what of an account that trains nobody needs any more, and its end in the order Azure asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import place
from infra.cli.trainers import AccountOption, StackOption
from infra.errors import Mistake, NotFound, SpecError

if TYPE_CHECKING:
    from datetime import timedelta

    from infra.ports.arm import Arm
    from infra.spec import Project, Source
    from infra.training.accounts import Trainer
    from infra.training.cleanup.act import Done
    from infra.training.cleanup.values import Inventory, Item, Plan

_WORDS = {"delete": "can go", "click": "by hand", "wait": "later", "keep": "stays"}
_BY_HAND = """\
Azure has no call that deletes a tuned model: in the Foundry portal (ai.azure.com) open the resource, Fine-tuning, the
model, Delete; in local Azure: hearth local delete-model MODEL. Then hearth clean goes on to its files and its job."""


def clean(
    *,
    account: AccountOption = None,
    stack: StackOption = None,
    unused: Annotated[str, typer.Option("--unused", help="How long a thing must have been without use.")] = "30d",
    yes: Annotated[bool, typer.Option("--yes", help="Delete what can go.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Delete at most so many things a run.")] = 10,
    kept: Annotated[bool, typer.Option("--kept", help="List what stays too, and why.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Plan what deployments, tuned models, files and jobs nobody needs any more; with --yes delete what can go.

    Nothing goes that a record or its lineage, a stack, its outputs, a rollout or a running job refers to, and nothing
    out of order: deployment, model, files and job. Without --yes nothing is changed. Exits 1 when something could not
    be deleted, 3 when Azure could not be reached or refused.
    """
    from infra.spec import duration
    from infra.training.cleanup.act import after

    try:
        span = duration.parse(unused)
    except ValueError as error:
        raise SpecError([Mistake("hearth clean", 0, "--unused", str(error))]) from error
    work = _Work(span)
    seen = work.look(account, stack)
    done = work.delete(seen, limit) if yes else []
    plans = [after(plan, done) for _, _, plan in seen]
    if as_json:
        typer.echo(json.dumps(_for_programs(plans, done), indent=2))
    else:
        _tell(plans, done, kept=kept, yes=yes, limit=limit)
    raise typer.Exit(int(any(one.error for one in done)))


class _Work:
    """One clean-up."""

    def __init__(self, unused: timedelta) -> None:
        from infra.ports.arm import Arm
        from infra.ports.cloud import Cloud
        from infra.spec import limits

        self._unused, self._limits = unused, limits.load()
        self._project: Project = place.project()
        self._cloud = Cloud()
        self._arm: Arm = Arm(self._cloud)

    def look(self, account: str | None, stack: str | None) -> list[tuple[Trainer, Inventory, Plan]]:
        """The plan of each account. Raises what stops one from being looked at: a plan is whole or none."""
        from infra.cli import trainers
        from infra.ports import clock
        from infra.ports.management import Management
        from infra.ports.metrics import Metrics
        from infra.ports.stacks import Stacks
        from infra.training.cleanup import look, plan, references

        sources = trainers.sources(account, stack)
        project, hidden = self._project, place.hidden_folder()
        backend = Stacks(project.root, project.name)
        refers = references.gather(project, backend, hidden, clock.today(), _of_rollouts(project))
        also = {one.subscription for one in [*sources, *self._named()]}
        others = look.everywhere(Management(self._cloud), self._arm, also)
        metrics, found = Metrics(self._cloud), []
        for source, opened in zip(sources, trainers.opened(sources), strict=True):
            try:
                trainer = opened()
            except NotFound as error:
                if account is not None or stack is not None:
                    raise
                typer.echo(f"{source.account}: {error}", err=True)  # a record may outlive its account
                continue
            there = look.inventory(trainer, self._arm, metrics, others, self._limits, hidden)
            found.append((trainer, there, plan.make(there, refers, self._limits, self._unused)))
        return found

    def delete(self, seen: list[tuple[Trainer, Inventory, Plan]], limit: int) -> list[Done]:
        """Delete what can go, so much of it."""
        from infra.cli.evaluate import require_no_lock
        from infra.keepalive.patience import Patience
        from infra.ports import clock
        from infra.training.cleanup.act import Sweeper

        done: list[Done] = []
        longest = self._limits.sibling_wait.value.total_seconds()
        for trainer, there, plan in seen:
            items = plan.that("delete")[: limit - len(done)]
            if any(item.kind == "deployment" for item in items):
                require_no_lock(self._project, there.id)
            sweeper = Sweeper(trainer, self._arm, there, Patience(sleep=clock.sleep), longest)
            for one in sweeper.sweep(items):
                typer.echo(f"{one.item.kind} {one.item.id}: {one.error or 'deleted'}", err=True)
                done.append(one)
        return done

    def _named(self) -> list[Source]:
        """The accounts that stacks and records name."""
        from infra.cli import trainers
        from infra.training import accounts

        return [*accounts.known(self._project, trainers.of_stack), *map(trainers.of_stack, self._project.stack_names())]


def _of_rollouts(project: Project) -> dict[str, str]:
    """The models of rollouts that are under way or may still be rolled back, each with which one."""
    from datetime import datetime, timedelta

    from infra.cli.rollout import executing
    from infra.ports import clock

    history, found = executing.history(project.root), dict[str, str]()
    try:
        for one in history.rollouts():
            plan, moments = history.plan(one.id), [one.at, *(event.at for event in history.events(one.id))]
            ends = datetime.fromisoformat(max(moments)) + timedelta(seconds=plan.rollback_window)
            over = one.outcome not in {"running", "paused"} and history.open_window(one.id) is None
            if over and ends < clock.now():
                continue
            moves = [move for wave in plan.waves for target in wave.targets for move in target.moves]
            served = [s.model for move in moves for s in (move.before, move.after, move.standby) if s is not None]
            found |= dict.fromkeys(served, f"the rollout {one.id}")
    finally:
        history.close()
    return found


# --- what is told --------------------------------------------------------------------------------------------------


def _tell(plans: list[Plan], done: list[Done], *, kept: bool, yes: bool, limit: int) -> None:
    for plan in plans:
        shown = plan.that("delete", "click", "wait", *(("keep",) if kept else ()))
        stay = len(plan.that("keep"))
        gone = [one.item for one in done if one.item.account == plan.account and not one.error]
        typer.echo(f"{plan.account}: {_count(plan, len(gone))}{f', {stay} stay' if stay else ''}")
        if shown or gone:
            _table(plan, shown, gone)
        for one in plan.pending:
            typer.echo(f"{one.file} keeps what the training {one.training} is of: {one.says}; {one.do}")
        for text in plan.unread:
            typer.echo(f"not searched for deployments of its models: {text}")
    if any(plan.that("click") for plan in plans):
        typer.echo(_BY_HAND)
    left = sum(len(plan.that("delete")) for plan in plans)
    if yes:
        deleted = sum(not one.error for one in done)
        typer.echo(
            f"{deleted} deleted, {left} left" + (f" ({limit} a run: --limit)" if left and deleted == limit else "")
        )
    elif left:
        typer.echo(f"nothing was changed; hearth clean --yes deletes {min(left, limit)} of the {left} that can go")


def _count(plan: Plan, gone: int) -> str:
    words = [f"{gone} deleted"] if gone else []
    words += [f"{len(plan.that(do))} {_WORDS[do]}" for do in ("delete", "click", "wait") if plan.that(do)]
    return ", ".join(words) or "nothing to clean"


def _table(plan: Plan, items: list[Item], gone: list[Item]) -> None:
    """What was deleted, and what is left."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from infra.spec.duration import show

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("", "what", "unused for", "saves", "why"):
        table.add_column(title, overflow="fold")
    words = [*((item, "deleted") for item in gone), *((item, _WORDS[item.do]) for item in items)]
    for item, word in words:
        age = show(plan.now - item.since) if item.since else ""
        do = Text(word, {"delete": "green", "click": "yellow"}.get(item.do, ""))
        table.add_row(do, Text(f"{item.kind} {item.title}"), age, item.saves, Text(item.why))
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


def _for_programs(plans: list[Plan], done: list[Done]) -> dict[str, Any]:
    import msgspec

    return {
        "accounts": [
            {
                "account": plan.account,
                "now": f"{plan.now:%Y-%m-%dT%H:%M:%SZ}",
                "items": [
                    msgspec.to_builtins(item) | {"since": f"{item.since:%Y-%m-%dT%H:%M:%SZ}" if item.since else None}
                    for item in plan.items
                ],
                "unread": list(plan.unread),
                "unfinished": [msgspec.to_builtins(one) for one in plan.pending],
            }
            for plan in plans
        ],
        "done": [{"kind": one.item.kind, "id": one.item.id, "error": one.error or None} for one in done],
    }
