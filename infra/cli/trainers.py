"""Which account a command of training is about: --account, --stack, or those that the project names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from infra.cli import place
from infra.errors import Mistake, SpecError

if TYPE_CHECKING:
    from infra.spec import Source
    from infra.training.accounts import Trainer

T = TypeVar("T")
AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account",
        help="SUBSCRIPTION/GROUP/NAME or ARM id of the account; default: those of stacks/training and the records.",
    ),
]
StackOption = Annotated[str | None, typer.Option("--stack", help="The account of this stack.")]


def sources(account: str | None, stack: str | None) -> list[Source]:
    """The accounts that are meant; raises SpecError where there are none."""
    from infra.training import accounts

    if account is not None and stack is not None:
        raise SpecError([Mistake("command line", 0, "--account", "one of --account and --stack is enough")])
    if account is not None:
        return [accounts.parse(account)]
    if stack is not None:
        (name,) = place.require_stacks([stack])
        return [of_stack(name)]
    found = accounts.known(place.project(), of_stack)
    if not found:
        text = "neither stacks/training nor the model records name an account; name one by --account or --stack"
        raise SpecError([Mistake("command line", 0, "", text)])
    return found


def of_stack(stack: str) -> Source:
    """The account of a stack, by its file."""
    from infra.ports import clock
    from infra.spec import Source, load_stack

    project = place.project()
    wish = load_stack(project, stack, project.config(stack), today=clock.today())
    group = wish.account.resource_group.name
    return Source(subscription=wish.subscription, resource_group=group, account=wish.account.name)


def opened(found: list[Source]) -> list[Callable[[], Trainer]]:
    """The accounts, each to be looked up when it is its turn, and rid of what a killed evaluation left there."""
    from infra.ports.arm import Arm
    from infra.ports.cloud import Cloud
    from infra.training import accounts, temporary

    cloud = Cloud()
    arm = Arm(cloud)

    def one(source: Source) -> Trainer:
        trainer = accounts.open_trainer(cloud, arm, source)
        temporary.tidy(arm, place.hidden_folder(), trainer.view.id, lambda text: typer.echo(text, err=True))
        return trainer

    return [partial(one, source) for source in found]


def search(account: str | None, stack: str | None, ask: Callable[[Trainer], T], what: str) -> tuple[Trainer, T]:
    """The account that knows something, and what it says of it. Raises NotFound, SpecError and what Azure refuses."""
    from infra.training import accounts

    return accounts.search(opened(sources(account, stack)), ask, what)
