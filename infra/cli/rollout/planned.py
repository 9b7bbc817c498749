"""A plan as people read it: table, tree, markdown. From the plan alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from infra.gitops.words import cell
from infra.rollout.values import Move, Plan, Standing, Target, Wave
from infra.spec.duration import show

TITLES = ("stack", "region", "deployment", "from", "to", "how", "gap", "writes", "cost an hour")
HOW = {"inPlace": "in place", "beside": "beside"}
ON_FAILURE = {"pause": "pause", "rollbackWave": "roll back the wave", "rollbackAll": "roll back everything"}
_STANDING: dict[Standing, str] = {
    "move": "", "update": "update", "first": "first", "upToDate": "up to date", "refused": "refused",
}  # fmt: skip
_COLOURS: dict[Standing, str] = {
    "move": "default", "update": "default", "first": "cyan", "upToDate": "bright_black", "refused": "red",
}  # fmt: skip
_SHORT = 20
_NAMED = 4
"""Stacks that a note names."""


def summary(plan: Plan, currency: str) -> str:
    """The plan in a line."""
    targets = [target for wave in plan.waves for target in wave.targets]
    besides = extra(targets)
    count = Counter(target.standing for target in targets)
    parts = [
        f"{many(count['move'] + count['first'], 'stack')} to change"
        + (f" ({count['first']} for the first time)" if count["first"] else ""),
        *([f"{count['update']} to update"] if count["update"] else []),
        f"{count['upToDate']} up to date",
        *([f"{count['refused']} refused"] if count["refused"] else []),
        many(sum(target.calls for target in targets), "write") + " to Azure",
        *([f"{cost(besides, currency)} an hour besides while two deployments stand"] if besides != 0 else []),
    ]
    return f"{plan.fleet} at {commit(plan)}, {many(len(plan.waves), 'wave')}: {'; '.join(parts)}"


def digest(plan: Plan) -> str:
    """What stands for the plan where one is approved and started later."""
    return f"plan digest {plan.digest}"


def heading(wave: Wave, number: int) -> str:
    """A wave's settings in a line."""
    settings = [
        f"{wave.concurrency} at once",
        f"{wave.tolerance or 'none'} may fail{' (strict)' if wave.strict else ''}",
        f"bakes {span(wave.bake)}",
        f"gates {', '.join(wave.gates)}" if wave.gates else "no gate but ready",
        f"else {ON_FAILURE[wave.on_failure]}",
    ]
    if wave.approval is not None:
        settings.insert(0, f"after a yes of {' or '.join(wave.approval) or 'anybody'}")
    return f"{number}. {wave.name}: {many(len(wave.targets), 'stack')}; {'; '.join(settings)}"


def table(wave: Wave, currency: str) -> Table:
    """A wave's targets, a row for each deployment that moves."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in TITLES:
        made.add_column(title, overflow="fold", justify="right" if title in {"writes", "cost an hour"} else "left")
    for target in wave.targets:
        for row in rows(target, currency):
            made.add_row(*row, style=_COLOURS[target.standing])
    return made


def notes(wave: Wave) -> list[str]:
    """What is to be known of a wave's targets: why they are refused first, and what holds of several told once."""
    whom: dict[str, list[str]] = {}
    for target in sorted(wave.targets, key=lambda one: one.standing != "refused"):
        for text in target.why:
            whom.setdefault(text, []).append(target.stack)
    return [f"{_list(stacks)}: {text}" for text, stacks in whom.items()]


def _list(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def rows(target: Target, currency: str) -> Iterator[tuple[str, ...]]:
    """The cells of a target's rows, after TITLES."""
    where = (target.stack, target.location)
    money = (str(target.calls or ""), cost(target.hosting_extra, currency) if target.hosting_extra != 0 else "")
    if not target.moves:
        yield (*where, "", "", "", in_short(target), "", *money)
    for number, move in enumerate(target.moves):
        how = ("plain up" if target.plain else "") or _STANDING[target.standing] or _how(move)
        cells = (move.deployment, _served(move), short(move.after.model), how, _gap(move))
        yield (*(where if not number else ("", "")), *cells, *(money if not number else ("", "")))


def tree(plan: Plan, currency: str) -> Tree:
    """The plan as a tree, with models in full."""
    made = Tree(escape(summary(plan, currency)))
    for number, wave in enumerate(plan.waves, 1):
        branch = made.add(escape(heading(wave, number)))
        for target in wave.targets:
            state = {"move": "changes", "update": "is put up anew"}.get(target.standing, _STANDING[target.standing])
            twig = branch.add(
                Text(f"{target.stack} ({target.location or 'unread'}): {state}", _COLOURS[target.standing])
            )
            for move in target.moves:
                before = move.before.model if move.before else "nothing"
                leaf = twig.add(Text(f"{move.deployment}, {_how(move)}{', by a plain up' if target.plain else ''}"))
                leaf.add(Text(f"from {before}"))
                leaf.add(Text(f"to   {move.after.model}, from the record {move.record}"))
                if move.strategy == "beside":
                    leaf.add(Text(f"callers go from {move.active} to {move.candidate}"))
            for text in target.why:
                twig.add(Text(text, "red" if target.standing == "refused" else "yellow"))
    made.add(digest(plan))
    return made


def markdown(plan: Plan, currency: str, *, whole: bool = True) -> str:
    """The plan for a pull request or a pipeline's summary; the digest is of a whole one alone."""
    lines = ["### Rollout", "", summary(plan, currency), ""]
    for number, wave in enumerate(plan.waves, 1):
        lines += [f"**{cell(heading(wave, number))}**", "", _row(TITLES), _row(["---"] * len(TITLES))]
        lines += [_row(row) for target in wave.targets for row in rows(target, currency)]
        lines += ["", *(f"- {cell(text)}" for text in notes(wave)), ""]
    return "\n".join([*lines, *([digest(plan)] if whole else []), ""])


def in_short(target: Target) -> str:
    """What becomes of a target as a whole; empty where its moves say it."""
    return _STANDING[target.standing]


# --- words ---------------------------------------------------------------------------------------------------------


def short(model: str) -> str:
    """A model's name as it fits into a table: what tells two tunings of one base apart."""
    name = model.partition(".ft-")[2] or model
    return name if len(name) <= _SHORT else f"{name[:8]}…{name[-(_SHORT - 9) :]}"


def commit(plan: Plan) -> str:
    """The commit as people quote it."""
    kind, dash, name = plan.commit.rpartition("-")
    name, _, more = name.partition(" ")
    return f"{kind}{dash}{name[:12]}{' ' if more else ''}{more}"


def span(seconds: float) -> str:
    """A span as it would be written."""
    return show(timedelta(seconds=seconds))


def many(count: int, thing: str) -> str:
    """3 stacks, 1 stack."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def extra(targets: list[Target]) -> float | None:
    """What all of them cost besides; None where one is not known."""
    known = [target.hosting_extra for target in targets]
    return None if None in known else sum(one or 0.0 for one in known)


def cost(amount: float | None, currency: str) -> str:
    """An amount of money."""
    return "not known" if amount is None else f"{amount:,.2f} {currency}"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(text if set(text) == {'-'} else cell(text) for text in cells)} |"


def _served(move: Move) -> str:
    return short(move.before.model) if move.before else ""


def _how(move: Move) -> str:
    return "first" if move.before is None else HOW[move.strategy]


def _gap(move: Move) -> str:
    return {True: "yes", False: "no", None: "Azure decides"}[move.gap] if move.before else ""
