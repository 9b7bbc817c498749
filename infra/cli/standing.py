"""How deployments stand: what Azure lists, their idle clocks, and what the last `up` proved. Calls no deployment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from infra.errors import HearthError
from infra.keepalive import report, stacks
from infra.keepalive.plan import Act, Step
from infra.keepalive.tend import Tender
from infra.ports.stacks import Stacks
from infra.spec import Project


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One deployment, or a stack that has nothing to show. Spans are in seconds."""

    stack: str
    deployment: str = ""
    active: str = ""
    """Its name in Azure."""
    standby: bool = False
    """It stands beside the one that callers use."""
    held: bool = False
    """It serves another model than its record's: a rollout moves it."""
    model: str = ""
    source: str = ""
    sku: str = ""
    ready: bool = False
    why: str = ""
    """Why it is not ready; empty if it is."""
    last_call: datetime | None = None
    idle_seconds: int | None = None
    certainty: str | None = None
    deadline: datetime | None = None
    seconds_left: int | None = None
    policy: str = ""
    next: str = ""
    """What `hearth tend` does next, and when."""
    retires: str | None = None
    hosting_month: float | None = None
    """None: not known."""
    currency: str = "USD"
    code: int = 0


def look(project: Project, names: list[str], tender: Tender, *, today: date, currency: str) -> list[Row]:
    """Every deployment of the named stacks, the nearest deadline first. Stacks are looked at side by side."""
    backend = Stacks(project.root, project.name)

    def one(name: str) -> stacks.Watched | Row:
        try:
            return stacks.watch_list(project, backend, name, today=today)
        except HearthError as error:
            return Row(stack=name, why=str(error).removeprefix(f"{name}: "), code=error.exit_code)

    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(one, names))
    rows = [one for one in found if isinstance(one, Row)]
    read = [one for one in found if not isinstance(one, Row)]
    rows += [
        Row(stack=one.list.accounts[0].stack, deployment=said.deployment, why=said.text, code=said.code)
        for one in read
        for said in one.remarks
    ]
    outputs = {one.list.accounts[0].stack: one.outputs for one in read}
    rows += [_row(step, outputs[step.seen.account.stack], currency) for step in tender.look([o.list for o in read])]
    return sorted(rows, key=lambda r: (r.seconds_left is None, r.seconds_left or 0, r.stack, r.deployment))


def _row(step: Step, outputs: Mapping[str, Any], currency: str) -> Row:
    seen, clock = step.seen, step.clock
    unseen = seen.now is None and not seen.account_gone
    why = _why(step, (outputs.get("ready") or {}).get(seen.wish.active))
    facts = outputs["deployments"].get(seen.wish.name) or {}
    month = seen.hosting_month
    return Row(
        stack=seen.account.stack,
        deployment=seen.wish.name,
        active=seen.wish.active,
        standby=seen.wish.standby,
        held=bool(facts.get("held")) and not seen.wish.standby,
        model=seen.wish.model,
        source=(seen.wish.source or "").rsplit("/", 1)[-1],
        sku=f"{seen.sku} {seen.wish.sku.capacity}",
        ready=not why,
        why=why,
        last_call=clock.last_call if clock else None,
        idle_seconds=int(clock.age.total_seconds()) if clock else None,
        certainty=clock.certainty.value if clock else None,
        deadline=clock.deadline if clock else None,
        seconds_left=int(clock.left.total_seconds()) if clock else None,
        policy=seen.wish.keep_alive.policy,
        next=_next(step),
        retires=seen.ends.retires.isoformat() if seen.ends.retires else None,
        hosting_month=None if month is None else round(month, 2),
        currency=currency,
        code=3 if unseen else int(bool(why)),
    )


def _why(step: Step, proven: object) -> str:
    seen = step.seen
    if seen.account_gone or (seen.now is not None and seen.there is None):
        return f"gone from Azure; {step.reason}"
    if seen.there is None:
        return step.reason
    if seen.there.state != "Succeeded":
        return f"Azure says {seen.there.state}"
    # A call that succeeded says more than a proof that was never made; one that failed is told until the next `up`.
    if proven is True or (not proven and step.clock is not None and step.clock.last_call is not None):
        return ""
    return str(proven) if proven else "not proven by an up yet, and never called"


def _next(step: Step) -> str:
    words = {
        Act.PING: "ping now",
        Act.REVIVE: "revive now",
        Act.RETIRE: "recommend to retire now",
        Act.WARN: "warn now",
    }
    if step.act in words:
        return words[step.act]
    keep = step.seen.wish.keep_alive
    if step.due is None:
        return "nothing"
    return f"{'ping' if keep.policy == 'ping' else 'warn'} from {report.moment(step.due)}"


# --- for people ----------------------------------------------------------------------------------------------------


def render(rows: list[Row]) -> Table:
    """A table for people."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    titles = ("stack", "deployment", "model", "trained in", "SKU", "ready", "last call", "idle", "deadline", "policy")
    for title in (*titles, "next", "cost a month"):
        table.add_column(title, overflow="fold")
    for row in rows:
        state = Text("yes", "green") if row.ready else Text.assemble(("no", "red"), f": {row.why}")
        source = row.source or ("here" if row.deployment else "")
        called = report.moment(row.last_call) or (row.certainty or "")
        model = f"{row.model} (held)" if row.held else row.model
        table.add_row(
            row.stack, _name(row), model, source, row.sku, state, called, report.show_seconds(row.idle_seconds),
            report.deadline(row), row.policy, row.next, _cost(row),
        )  # fmt: skip
    return table


def _name(row: Row) -> str:
    """The name in YAML, with that in Azure where it is another one."""
    name = row.deployment if row.active in {"", row.deployment} else f"{row.deployment} as {row.active}"
    return f"{name}, standby" if row.standby else name


def _cost(row: Row) -> str:
    if not row.deployment:
        return ""
    return "not known" if row.hosting_month is None else f"{row.hosting_month:,.0f} {row.currency}"


def show(rows: list[Row]) -> None:
    """Print the table. A log has no width of its own; a table folded at 80 columns is no table."""
    console = Console()
    console.print(render(rows)) if console.is_terminal else Console(width=240).print(render(rows))


def watch(rows: Callable[[], list[Row]], seconds: float) -> None:
    """Show the table anew every so often, until interrupted."""
    console = Console()
    with Live(render(rows()), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(seconds)
            live.update(render(rows()), refresh=True)
