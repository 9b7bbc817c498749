"""What a change would do, for people: lines for a terminal, markdown for a pull request, with every value harmless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra.gitops.foretold import Change, Moved, Row
from infra.gitops.words import cell, table
from infra.rollout.values import Plan

_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
_DONE = {"create": "created", "update": "changed", "replace": "replaced", "delete": "deleted"}


def lines(rows: Sequence[Row], plan: Plan | None, gone: Sequence[str], currency: str) -> list[str]:
    """The summary for a terminal, what is forbidden first."""
    found = [f"forbidden  {row.stack}: {text}" for row in rows for text in row.forbidden]
    found += [f"failed     {row.stack}: {row.error}" for row in rows if row.error]
    found += [f"warning    {row.stack}: {text}" for row in rows for text in row.warnings]
    found += [f"warning    {text}" for text in _left(gone)]
    for row in rows:
        if row.error:
            continue
        found += ["", f"{row.stack}  {_counts(row)}; hosting {_cost(row, currency)}"]
        found += [f"  {_SIGNS[c.op]} {c.kind} {c.resource}{_fields(c)}" for c in row.changes]
        found += [f"  {m.deployment}: {_from_to(m)}, {_how(m)}{_story(m)}" for m in row.models]
    return [*found, "", *_end(rows, plan)]


def markdown(rows: Sequence[Row], plan: Plan | None, gone: Sequence[str], currency: str) -> str:
    """The summary for a pull request, what is forbidden first."""
    text = ["### hearth preview", "", *(cell(line) for line in _end(rows, plan))]
    said = [f"- :no_entry: **{cell(row.stack)}**: {cell(told)}" for row in rows for told in row.forbidden]
    said += [f"- :x: **{cell(row.stack)}** could not be previewed: {cell(row.error)}" for row in rows if row.error]
    said += [f"- :warning: **{cell(row.stack)}**: {cell(told)}" for row in rows for told in row.warnings]
    said += [f"- :warning: {cell(told)}" for told in _left(gone)]
    text += ["", *said] if said else []
    shown = [row for row in rows if not row.error]
    if shown:
        titles = ("stack", "what becomes of it", "models", f"hosting a month ({currency})", "touched by")
        text += ["", *table(titles, [_cells(row, currency) for row in shown])]
    details = [f"- **{cell(row.stack)}** {_SIGNS[c.op]} {cell(c.kind)} {cell(c.resource)}{cell(_fields(c))}"
               for row in shown for c in row.changes]  # fmt: skip
    if details:
        text += ["", f"<details><summary>{len(details)} resources</summary>", "", *details, "", "</details>"]
    return "\n".join(text) + "\n"


def _cells(row: Row, currency: str) -> tuple[str, ...]:
    models = "<br>".join(cell(f"{m.deployment}: {_from_to(m)}, {_how(m)}{_story(m)}") for m in row.models)
    files = "<br>".join(cell(file) for file in row.touched_by[:5])
    more = f"<br>and {len(row.touched_by) - 5} more" if len(row.touched_by) > 5 else ""
    return (cell(row.stack), cell(_counts(row)), models, cell(_cost(row, currency)), f"{files}{more}")


def _counts(row: Row) -> str:
    return ", ".join(f"{n} {_DONE[op]}" for op, n in sorted(row.counts.items())) or "nothing changes"


def _cost(row: Row, currency: str) -> str:
    before, after = (f"{m:,.0f}" if m is not None else "not known" for m in (row.month_before, row.month_after))
    return f"{before} {currency}" if before == after else f"{before} → {after} {currency}"


def _fields(change: Change) -> str:
    return f": {'; '.join(change.fields)}" if change.fields else ""


def _from_to(moved: Moved) -> str:
    return f"{moved.before or 'nothing'} → {moved.after}"


def _how(moved: Moved) -> str:
    where = {"up": "by a plain up", "inPlace": f"in place, wave {moved.wave}", "beside": f"beside, wave {moved.wave}"}
    gap = {True: "callers have no answer now", False: "no gap for callers", None: "callers may meet a gap"}[moved.gap]
    return f"{where[moved.how]}, {gap}"


def _story(moved: Moved) -> str:
    lineage = f"; trained from {' → '.join(moved.lineage)}" if moved.lineage else ""
    return f"{lineage}{_evaluation(moved.evaluation)}"


def _evaluation(found: dict[str, Any]) -> str:
    if not found:
        return "; no evaluation"
    rate, p95, against = found.get("passRate"), found.get("p95"), found.get("against")
    told = [f"{rate:.0%} of prompts passed" if isinstance(rate, int | float) else "", f"p95 {p95}" if p95 else ""]
    told.append(f"against {against}" if against else "")
    return f"; evaluated {found.get('at', '')}: {', '.join(filter(None, told))}"


def _left(gone: Sequence[str]) -> list[str]:
    return [
        f"{name}: its file goes, and what it put up stays and costs; pulumi destroy --stack {name} before that"
        for name in gone
    ]


def _end(rows: Sequence[Row], plan: Plan | None) -> list[str]:
    """The whole in a line or two."""
    bad = sum(bool(row.forbidden) for row in rows)
    failed = sum(bool(row.error) for row in rows)
    told = [f"{len(rows)} stack{'s' if len(rows) != 1 else ''} touched" if rows else "no stack is touched"]
    told += [f"{bad} with something forbidden"] if bad else []
    told += [f"{failed} could not be previewed"] if failed else []
    waves = [f"{wave.name} ({len(wave.targets)})" for wave in plan.waves] if plan else []
    return [f"{'; '.join(told)}.", *([f"Rollout: waves {' → '.join(waves)}."] if waves else [])]
