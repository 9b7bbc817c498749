"""`hearth models evaluate`: how good a recorded model is by a file of prompts, kept in its record."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import place
from infra.errors import HearthError, LockHeld, Mistake, ProofFailed, SpecError

if TYPE_CHECKING:
    from datetime import datetime

    from infra.ports.cloud import Cloud
    from infra.proofs.evaluation import Evaluation
    from infra.proofs.prompts import Asker
    from infra.spec import ModelRecord, Project, Source
    from infra.training.evaluate import Stand, Subject

_BASE = "base"


def evaluate(
    name: Annotated[str, typer.Argument(metavar="RECORD", help="A model record, of stacks/models.")],
    *,
    prompts: Annotated[
        Path | None, typer.Option("--prompts", help="JSONL of prompts; default: that of the last evaluation.")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="base|RECORD", help="Ask this model the same, beside it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Make a deployment that is paid by the hour, unasked.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Ask a recorded model the prompts of a file, and keep the share of good answers in its record.

    A deployment that serves the model in its account already is used and left alone; else one is made for the time of
    it, and removed after. Exits 1 when prompts got no answer, or something was left behind.
    """
    from infra.proofs import promptfile
    from infra.training import evaluate as evaluation
    from infra.training import evaluated

    project = place.project()
    record = _record(project, name)
    other = _record(project, against) if against not in (None, _BASE) and against is not None else None
    if against == name:
        raise _mistake("--against", f"{name} cannot be held against itself; name another record, or base")
    file, shown = _file(project, record, prompts)
    promptfile.read(file, shown)

    work = _Work(project, as_json=as_json)
    stands, now = work.stands(name, record, against, other)
    for one in stands:
        work.say(one.told)
    making = [one for one in stands if one.body is not None]
    if any(one.costs for one in making) and not yes and not _agreed():
        raise HearthError("nothing was made, and nothing asked; --yes makes what is paid by the hour")
    work.require_quiet(making)
    found = evaluation.ask(stands, file, shown, work.tools, work.say)
    evaluation.require_answered(stands, found)
    kept = evaluated.of(found[0], now, shown, _against(against, stands, found))
    record_file = project.record_file(name)
    evaluated.put(record_file, project.shown(record_file), record.model, kept)
    if as_json:
        typer.echo(json.dumps({"record": name, "model": record.model, "evaluation": kept}, indent=2))
    else:
        for one, result in zip(stands, found, strict=True):
            p95 = evaluation.p95_text(result.p95) or "not known"
            typer.echo(f"{one.subject.title}: {result.results.summary}; 95 of 100 answers within {p95}")
        typer.echo(f"wrote {project.shown(record_file)}")
    raise typer.Exit(int(work.temporary.left_behind))


class _Work:
    """What one evaluation has at hand."""

    def __init__(self, project: Project, *, as_json: bool) -> None:
        from infra.ports.arm import Arm
        from infra.ports.cloud import Cloud
        from infra.ports.inference import Inference
        from infra.proofs.prompts import Asker
        from infra.spec import limits
        from infra.training import temporary
        from infra.training.evaluate import Tools

        self._project, self._as_json, self._limits = project, as_json, limits.load()
        self._cloud = Cloud()
        self._arm = Arm(self._cloud)
        inference = Inference(self._cloud, self._limits.inference_api_version.value)
        asker = Asker(inference)
        self.temporary = temporary.open_temporary(self._arm, place.hidden_folder(), self.say)
        self.tools = Tools(inference, asker, self.temporary, self._limits, lambda: _stopped_by_interrupt(asker))

    def say(self, text: str) -> None:
        """Tell a person how it goes; a program reads standard output."""
        typer.echo(text, err=self._as_json)

    def stands(
        self, name: str, record: ModelRecord, against: str | None, other: ModelRecord | None
    ) -> tuple[list[Stand], datetime]:
        """What serves the model, and what it is held against; and the moment, by Azure's clock."""
        from infra.training import evaluate as evaluation

        subject = self._subject(name, record)
        listing = self._arm.listing(subject.account.id)
        region = evaluation.region_of(self._arm, subject.account)
        found = [self._stand(subject, listing.deployments, region, listing.at)]
        if against == _BASE:
            base = evaluation.of_base(subject, region)
            found.append(self._stand(base, listing.deployments, region, listing.at))
        elif other is not None and against is not None:
            its = self._subject(against, other)
            there = self._arm.listing(its.account.id)
            found.append(self._stand(its, there.deployments, evaluation.region_of(self._arm, its.account), there.at))
        return found, listing.at

    def require_quiet(self, making: list[Stand]) -> None:
        """Raises LockHeld where somebody is changing a stack of the account in which something is to be made."""
        for account in {one.subject.account.id for one in making}:
            require_no_lock(self._project, account)

    def _subject(self, name: str, record: ModelRecord) -> Subject:
        from infra.training import evaluate as evaluation
        from infra.training import temporary

        _require_own_tenant(self._cloud, name, record.source)
        account = self._arm.account(record.source.id)
        temporary.tidy(self._arm, place.hidden_folder(), account.id, self.say)
        return evaluation.of_record(name, record, account)

    def _stand(self, subject: Subject, there: Any, region: Any, now: datetime) -> Stand:
        from infra.training import evaluate as evaluation

        return evaluation.stand(subject, there, region, self._limits, self._project.name, now)


def require_no_lock(project: Project, account_id: str) -> None:
    """Raises LockHeld where a run of Pulumi's is changing a stack of this account."""
    from infra.cli import trainers
    from infra.ports.stacks import Stacks

    for stack in project.stack_names():
        try:
            mine = trainers.of_stack(stack).id.lower() == account_id.lower()
        except SpecError:
            continue  # what it stands for cannot be read, so nothing is being put up from it
        held = [lock for lock in Stacks(project.root, project.name).locks(stack) if not lock.is_dead()] if mine else []
        if held:
            raise LockHeld(f"{stack} is being changed by {held[0].owner} since {held[0].since}; wait for it")


def _record(project: Project, name: str) -> ModelRecord:
    from infra.spec import load_record
    from infra.spec.limits import did_you_mean

    if name not in project.record_names():
        known = project.record_names()
        raise _mistake(name, f"there is no such record in stacks/models{did_you_mean(name, known)}")
    return load_record(project, name)


def _file(project: Project, record: ModelRecord, given: Path | None) -> tuple[Path, str]:
    """The file of prompts, and how a record names it: from the project's folder where it lies below that."""
    if given is not None:
        file = given.resolve()
        return file, project.shown(file)
    last = record.evaluation.get("prompts")
    name = last.get("file") if isinstance(last, dict) else None
    if not isinstance(name, str):
        raise _mistake("--prompts", "name a file of prompts: this record has none of an earlier evaluation")
    return project.root / name, name


def _against(
    against: str | None, stands: list[Stand], found: list[Evaluation]
) -> tuple[dict[str, str], Evaluation] | None:
    if against is None:
        return None
    subject = stands[1].subject
    which = {"base": subject.title} if against == _BASE else {"record": against, "model": subject.model}
    return which, found[1]


def _agreed() -> bool:
    return sys.stdin.isatty() and typer.confirm("Make it?")


def _mistake(path: str, text: str) -> SpecError:
    return SpecError([Mistake("hearth models evaluate", 0, path, text)])


def _require_own_tenant(cloud: Cloud, name: str, source: Source) -> None:
    if source.tenant is not None and source.tenant.lower() != cloud.login().tenant.lower():
        raise ProofFailed(
            f"{name}: its model is owned by {source.account} of tenant {source.tenant}, and the login is of another.",
            "Evaluate it with a login of that tenant",
        )


@contextmanager
def _stopped_by_interrupt(asker: Asker) -> Iterator[None]:
    """Ctrl-C ends the asking: no further call is begun, and those under way are let go on."""
    hit = False

    def stop(*_: object) -> None:
        nonlocal hit
        hit = True
        asker.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if hit:
        raise KeyboardInterrupt
