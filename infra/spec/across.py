"""Rules across stacks: what two of them may not claim together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from infra.errors import Mistake
from infra.spec.documents import Path, show
from infra.spec.model import DeploymentWish, Stack
from infra.spec.project import Project


def clashes(project: Project, stacks: list[Stack]) -> list[Mistake]:
    """Everything that two stacks claim, told at each of them."""
    return [
        Mistake(*_place(project, stack, at), show(at), text)
        for stack, other in permutations(stacks, 2)
        for at, text in _clashes(stack, other)
    ]


def _clashes(stack: Stack, other: Stack) -> Iterator[tuple[Path, str]]:
    account, top = stack.account, "hearth:account"
    same_account = stack.account_id.lower() == other.account_id.lower()
    if account.manage and other.account.manage:
        if same_account:
            text = f"the account {account.name} is claimed by {other.name} too"
            yield (top, "name"), f"{text}; set manage: false in one of them, or take another name"
        elif _subdomain(stack) == _subdomain(other):
            text = f"the subdomain {_subdomain(stack)} is claimed by {other.name} too"
            key = "name" if account.subdomain is None else "subdomain"
            yield (top, key), f"{text}; it must be the only one in the world: name another with the key subdomain"
    if same_account:
        for wish in stack.deployments:
            for theirs in other.deployments:
                yield from _deployed_twice(wish, theirs, other)


def _deployed_twice(wish: DeploymentWish, theirs: DeploymentWish, other: Stack) -> Iterator[tuple[Path, str]]:
    at: Path = ("hearth:deployments", wish.name)
    mine, yours = wish.record, theirs.record
    if wish.name.lower() == theirs.name.lower():
        yield at, f"{other.name} declares this deployment of the account too; keep it in one of them"
    elif (mine.model, mine.source.id.lower()) == (yours.model, yours.source.id.lower()):
        text = f'is the model of "{theirs.name}" in {other.name} too; Azure takes one deployment of a tuned model'
        yield (*at, "model"), f"{text} per account; remove one"


def _subdomain(stack: Stack) -> str:
    return stack.account.subdomain or stack.account.name.lower()


def _place(project: Project, stack: Stack, at: Path) -> tuple[str, int]:
    """Where the stack's files say it: they were what the stack was read from."""
    return project.place(stack.name, at, project.config(stack.name)[str(at[0])])
