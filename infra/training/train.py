"""A training from its YAML to a job: each step looks first at what is there, so that one that was killed goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from infra.errors import NotFound, ProofFailed
from infra.ports.finetuning import JobView
from infra.spec.training import Training
from infra.training import order, upload
from infra.training.accounts import Trainer
from infra.training.data import Source
from infra.training.intent import Book, Intent
from infra.training.upload import Tell

Progress = Callable[[str, int, int], None]
"""Told the name of a file, the bytes that Azure has taken, and all of them."""
DIGITS = 12


@dataclass(frozen=True, slots=True)
class Begun:
    """A job that is there, and whether it was there before this command."""

    job: JobView
    intent: Intent
    is_old: bool


def book(folder: Path, trainer: Trainer, training: Training, sources: list[Source]) -> Book:
    """Where the intent of this very training is kept: another file for other data or other settings."""
    wish = msgspec.json.encode(msgspec.structs.replace(training.wish, record=None), order="sorted")
    names = [f"{source.role} {source.sent.name} {source.sent.bytes} {source.sent.id}" for source in sources]
    whole = "\n".join([trainer.source.id.lower(), wish.decode(), *names])
    digest = hashlib.sha256(whole.encode()).hexdigest()[:DIGITS]
    return Book(folder / f"{training.name}-{digest}.json")


def begin(
    trainer: Trainer,
    training: Training,
    sources: list[Source],
    kept: Book,
    *,
    again: bool,
    prove: Callable[[], None],
    tell: Tell,
    progress: Progress,
) -> Begun:
    """The job of a training: found, gone on with, or made. The book is held.

    `prove` is called before anything is uploaded. `again` makes another job where the last one is over and told.
    Raises ProofFailed, Refused, Busy, Unreachable, LoginFailed.
    """
    intent = kept.load()
    if intent is not None and intent.job and not (intent.told and again):
        return Begun(_there(trainer, intent), intent, is_old=True)
    if intent is None or intent.told:
        intent, adopted = _fresh(trainer, training, sources, again=again)
        kept.save(intent)
        if adopted is not None:
            return Begun(adopted, intent, is_old=True)
    if intent.body is not None and (made := order.found(trainer, intent)) is not None:
        intent.job = made.id  # asked for by a command that did not hear the answer
        kept.save(intent)
        return Begun(made, intent, is_old=True)
    prove()
    _bring_all(trainer, sources, intent, kept, tell, progress)
    if intent.body is None:
        ids = {role: sent.id for role, sent in intent.files.items()}
        intent.body = order.body(training.wish, ids["training"], ids.get("validation"))
        kept.save(intent)
    job = order.place(trainer, intent, lambda: kept.save(intent))
    return Begun(job, intent, is_old=False)


def _there(trainer: Trainer, intent: Intent) -> JobView:
    try:
        return trainer.jobs.job(intent.job)
    except NotFound as error:
        raise ProofFailed(
            f"{intent.job}, which trained this, is not in {trainer.source.account} any more.",
            "Its model, if it made one, is still there; to train anew: --again",
        ) from error


def _fresh(
    trainer: Trainer, training: Training, sources: list[Source], *, again: bool
) -> tuple[Intent, JobView | None]:
    """A new intent; with the job where another machine has asked for the very same before."""
    intent = Intent(training.name, trainer.source.id, {source.role: source.sent for source in sources})
    ids: dict[str, str] = {}
    for source in sources:
        found = source.sent.id or getattr(upload.find(trainer, source.sent), "id", "")
        if not found:
            return intent, None
        ids[source.role] = found
    wanted = order.body(training.wish, ids["training"], ids.get("validation"))
    before = order.alike(trainer, wanted, any_seed=training.wish.seed is None)
    if before and not again:
        for role, sent in intent.files.items():
            sent.id = ids[role]
        intent.body, intent.job = wanted, before[0].id
        return intent, before[0]
    intent.before = [job.id for job in before]
    return intent, None


def _bring_all(
    trainer: Trainer, sources: list[Source], intent: Intent, kept: Book, tell: Tell, progress: Progress
) -> None:
    """Every file in Azure, and processed there."""
    for source in sources:
        sent = intent.files[source.role]
        if sent.id and _is_there(trainer, sent.id):
            continue
        sent.id = _bring(trainer, source, intent, kept, tell, progress)
        kept.save(intent)
    for sent in intent.files.values():
        upload.wait(trainer, sent.id, tell)


def _bring(trainer: Trainer, source: Source, intent: Intent, kept: Book, tell: Tell, progress: Progress) -> str:
    sent = intent.files[source.role]
    blob, path = source.blob, source.path
    if blob is not None:
        return upload.once(trainer, sent, lambda: trainer.files.fetch(sent.name, blob.signed()), tell)[0].id
    if path is None:
        raise ProofFailed(f"The {source.role} file {sent.id or sent.name} is not in {trainer.source.account} any more.")
    return upload.bring(
        trainer,
        sent,
        path,
        lambda: kept.save(intent),
        tell,
        lambda done, all_of_it: progress(sent.name, done, all_of_it),
    ).id


def _is_there(trainer: Trainer, file: str) -> bool:
    try:
        trainer.files.get(file)
    except NotFound:
        return False
    return True
