"""How deployments stand: stack outputs beside what Azure lists."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from infra.errors import HearthError
from infra.ports.arm import Arm, DeploymentView
from infra.ports.cloud import Cloud
from infra.ports.stacks import Stacks
from infra.spec import Project


@dataclass(frozen=True, slots=True)
class Row:
    """One deployment, or a stack that has nothing to show."""

    stack: str
    deployment: str
    model: str
    source: str
    sku: str
    ready: bool
    why: str
    """Why it is not ready; empty if it is."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def look(project: Project, names: list[str]) -> list[Row]:
    """Every deployment of the named stacks, in order. Stacks are looked at side by side; no deployment is called."""
    stacks, arm = Stacks(project.root, project.name), Arm(Cloud())
    with ThreadPoolExecutor(max_workers=8) as pool:
        return [row for rows in pool.map(lambda name: _stack(stacks, arm, name), names) for row in rows]


def _stack(stacks: Stacks, arm: Arm, name: str) -> list[Row]:
    try:
        outputs = stacks.outputs(name)
        if not outputs or not outputs.get("deployments"):
            return [Row(name, "", "", "", "", ready=False, why="not up: pulumi up")]
        listed = {d.name: d for d in arm.deployments(outputs["account"]["id"])}
    except HearthError as error:
        return [Row(name, "", "", "", "", ready=False, why=str(error))]
    proven = outputs.get("ready") or {}
    return [_row(name, key, facts, listed, proven.get(key)) for key, facts in outputs["deployments"].items()]


def _row(stack: str, name: str, facts: dict[str, Any], listed: dict[str, DeploymentView], proven: object) -> Row:
    found = listed.get(facts["active"])
    why = _why(found, proven)
    return Row(
        stack=stack,
        deployment=name,
        model=found.model if found else facts["model"],
        source=(facts["source"] or "").rsplit("/", 1)[-1],
        sku=f"{found.sku} {found.capacity}" if found else "",
        ready=not why,
        why=why,
    )


def _why(found: DeploymentView | None, proven: object) -> str:
    if found is None:
        return "gone from Azure"
    if found.state != "Succeeded":
        return f"Azure says {found.state}"
    if proven is True:
        return ""
    return str(proven) if proven else "not proven by an up yet"


def render(rows: list[Row]) -> None:
    """A table for people."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("stack", "deployment", "model", "trained in", "SKU", "ready"):
        table.add_column(title, overflow="fold")
    for row in rows:
        state = "[green]yes[/]" if row.ready else f"[red]no[/]: {row.why}"
        table.add_row(row.stack, row.deployment, row.model, row.source or "here", row.sku, state)
    # A log has no width of its own; a table folded at 80 columns is no table.
    console = Console()
    console.print(table) if console.is_terminal else Console(width=180).print(table)
