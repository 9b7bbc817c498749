"""`hearth preview`: what a change would do to every stack it touches, in one summary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place

if TYPE_CHECKING:
    from infra.gitops.foretold import Question, Row
    from infra.rollout.values import Plan
    from infra.spec import Project, Stack


def preview(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks; all of them when none is named.")] = None,
    *,
    changed_since: Annotated[
        str | None, typer.Option("--changed-since", help="Only those that differ from where HEAD left this commit.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON a stack.")] = False,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write the summary to this file too.")] = None,
    at_once: Annotated[
        int | None, typer.Option("--at-once", min=1, help="Previews side by side; one a core by default.")
    ] = None,
) -> None:
    """Preview every stack that a change touches, side by side: its own file, a record it uses, the program.

    A stack of stacks/rollout.yaml is previewed as its rollout would put it up, any other as `pulumi up` would. Changes
    nothing. Exits 1 for what is forbidden: an account deleted, a protected resource, a gap that the stack does not
    allow, a target that the rollout refuses; 2 for what is written wrong, 3 where Azure or the backend do not answer.
    """
    from infra.gitops import foretold, summary
    from infra.ports.foresee import Engine
    from infra.spec import limits

    project = place.project()
    if markdown is not None:
        place.require_writable(markdown, "--markdown")
    touched, gone = _touched(project, stacks or [], changed_since)
    dated = limits.load()
    plan, questions = _questions(project, touched)
    rows = foretold.Previewer(Engine(project.root), dated, at_once or os.cpu_count() or 1).all(questions)
    if markdown is not None:
        place.write(markdown, _page(rows, plan, gone, dated.hosting.currency), "--markdown")
    if as_json:
        for row in rows:
            typer.echo(_json(row))
    else:
        typer.echo("\n".join(summary.lines(rows, plan, gone, dated.hosting.currency)))
    raise typer.Exit(foretold.exit_code(rows))


def _page(rows: list[Row], plan: Plan | None, gone: list[str], currency: str) -> str:
    """The summary, and where a rollout would do something, what it plans for these stacks."""
    from infra.cli.rollout import planned
    from infra.gitops import summary

    text = summary.markdown(rows, plan, gone, currency)
    return text if plan is None else f"{text}\n{planned.markdown(plan, currency, whole=False)}"


def _touched(project: Project, named: list[str], since: str | None) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The stacks to preview, each with the files that touch it; and those whose files the change took away."""
    from infra.gitops import touched

    names = place.require_stacks(named)
    if since is None:
        return dict.fromkeys(names, ()), []
    files = touched.changed_files(project.root, since)
    found = touched.stacks(project, files)
    return {name: found[name] for name in names if name in found}, touched.removed(project, files)


def _questions(project: Project, touched: dict[str, tuple[str, ...]]) -> tuple[Plan | None, list[Question]]:
    from infra.cli.rollout import plan as planning
    from infra.gitops.foretold import Question, planned
    from infra.spec import names_in_rollout

    stacks, wrong = _wishes(project)
    plan = None
    if touched and names_in_rollout(project):
        plan = planning.make(project, only=touched.keys())
    targets = planned(plan)
    return plan, [
        Question(name, files, stacks.get(name), "; ".join(wrong.get(name, ())), targets.get(name))
        for name, files in touched.items()
    ]


def _wishes(project: Project) -> tuple[dict[str, Stack], dict[str, list[str]]]:
    """Every stack that can be read, and of the others what is written wrong."""
    from infra.ports import clock
    from infra.spec import check_project

    names = project.stack_names()
    stacks, mistakes = check_project(project, names, today=clock.today())
    files = {project.shown(project.stack_file(name)): name for name in names}
    wrong: dict[str, list[str]] = {}
    for mistake in mistakes:
        if mistake.file in files:
            wrong.setdefault(files[mistake.file], []).append(f"{mistake.file}, {mistake}")
    return {stack.name: stack for stack in stacks if stack.name not in wrong}, wrong


def _json(row: Row) -> str:
    import msgspec

    return msgspec.json.encode(row).decode()
