"""The accounts that train: which one is meant, what Azure lets it do, its files and jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from infra.errors import HearthError, Mistake, NotFound, SpecError
from infra.ports.arm import AccountView, Arm
from infra.ports.cloud import Cloud
from infra.ports.files import Files
from infra.ports.finetuning import FineTuning
from infra.spec import Project, Source, load_record
from infra.spec.documents import show
from infra.spec.reading import Reader
from infra.spec.rules import rules
from infra.spec.training import load_training

T = TypeVar("T")
_PROVIDER = "providers/Microsoft.CognitiveServices"


@dataclass(frozen=True)
class Trainer:
    """An account that trains."""

    source: Source
    view: AccountView
    files: Files
    jobs: FineTuning

    def limit(self, capability: str, otherwise: int) -> int:
        """What Azure lets it have, such as MaxUserFileCount; `otherwise` where it does not say."""
        told = self.view.capabilities.get(capability, "")
        return int(told) if told.isdecimal() else otherwise


def open_trainer(cloud: Cloud, arm: Arm, source: Source) -> Trainer:
    """The account, looked up; raises NotFound, Refused, Unreachable, LoginFailed."""
    view = arm.account(source.id, tenant=source.tenant)
    files = Files(cloud, view.endpoint, tenant=source.tenant)
    return Trainer(source, view, files, FineTuning(cloud, view.endpoint, tenant=source.tenant))


def parse(text: str) -> Source:
    """The account of SUBSCRIPTION/GROUP/NAME or of an ARM id; raises SpecError."""
    parts = [part for part in text.split("/") if part]
    if len(parts) == 8 and parts[0].lower() == "subscriptions" and parts[6].lower() == "accounts":
        parts = [parts[1], parts[3], parts[7]]
    if len(parts) != 3:
        said = f'"{text[:80]}"' if text.strip() else "is empty, which"
        says = f"{said} is neither SUBSCRIPTION/GROUP/NAME nor the ARM id of an account"
        raise SpecError([Mistake("command line", 0, "--account", says)])
    reader = Reader(rules())
    found = reader.read(dict(zip(("subscription", "resourceGroup", "account"), parts, strict=True)), Source, ())
    if reader.mistakes:
        raise SpecError([Mistake("command line", 0, f"--account/{show(at)}", says) for at, says in reader.mistakes])
    assert isinstance(found, Source)  # noqa: S101 - no mistake, so it was read
    return found


def known(project: Project, of_stack: Callable[[str], Source]) -> list[Source]:
    """The accounts that stacks/training and the model records name, each once. Files with mistakes name none."""
    found: dict[str, Source] = {}
    for name in project.training_names():
        try:
            wish = load_training(project, name).wish
            source = wish.account or of_stack(wish.stack or "")
        except SpecError:
            continue
        found.setdefault(source.id.lower(), source)
    for name in project.record_names():
        try:
            source = load_record(project, name).source
        except SpecError:
            continue
        found.setdefault(source.id.lower(), source)
    return list(found.values())


def search(trainers: Iterable[Callable[[], Trainer]], ask: Callable[[Trainer], T], what: str) -> tuple[Trainer, T]:
    """The account that knows something, and what it says of it.

    Raises NotFound where none knows it or is there at all, and the last refusal where one could not be asked.
    """
    asked: list[str] = []
    absent: list[str] = []
    refused: HearthError | None = None
    for opened in trainers:
        try:
            trainer = opened()
        except NotFound as error:
            absent.append(str(error))
            continue
        except HearthError as error:
            refused = error
            continue
        try:
            return trainer, ask(trainer)
        except NotFound:
            asked.append(trainer.source.account)
        except HearthError as error:
            refused = error
    if refused is not None:
        raise refused
    if not asked:
        raise NotFound("; ".join(absent))
    also = f", and {len(absent)} more that the project names {'does' if len(absent) == 1 else 'do'} not exist"
    raise NotFound(
        f"{what} was not found in {' and '.join(asked)}{also if absent else ''}; name another account by --account"
    )
