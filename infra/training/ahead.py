"""What would stop a training, found before anything is uploaded: the model, the region, the room in the account."""

from __future__ import annotations

from datetime import date

from infra.errors import NotFound, ProofFailed
from infra.spec import Limits, tuning
from infra.spec.training import TrainingFile
from infra.training import upload
from infra.training.accounts import Trainer
from infra.training.data import Source

_LISTED = 3
"""Files that are named as ones to clear."""


def prove(trainer: Trainer, wish: TrainingFile, sources: list[Source], limits: Limits, today: date) -> None:
    """Raises ProofFailed, with what to do, for what Azure would refuse later."""
    _model(trainer, wish, limits, today)
    _room(trainer, sources)


def jobs(trainer: Trainer) -> None:
    """Room for one job more. Raises ProofFailed."""
    found = list(trainer.jobs.jobs())
    known = tuning.load()
    most = trainer.limit("MaxFineTuneCount", known.jobs.value)
    if len(found) >= most:
        over = sum(job.is_over for job in found)
        raise ProofFailed(
            f"{trainer.source.account} has {len(found)} jobs, and may have {most}.",
            f"{over} of them are over and can go: hearth clean",
        )
    waiting = sum(job.status in {"pending", "queued"} for job in found)
    if waiting >= known.queued_jobs.value:
        raise ProofFailed(
            f"{trainer.source.account} has {waiting} jobs in its queue, and may have {known.queued_jobs.value}.",
            "Wait until one starts (hearth jobs list), or cancel one (hearth jobs cancel)",
        )


def _model(trainer: Trainer, wish: TrainingFile, limits: Limits, today: date) -> None:
    account = trainer.source.account
    tuned = ".ft-" in wish.model
    if tuned:
        _require_own(trainer, wish.model)
    base = wish.model.partition(".ft-")[0]
    row = limits.models.get(base)
    if row is not None and (row.retired or (row.training_until is not None and row.training_until <= today)):
        when = f" since {row.training_until}" if row.training_until else ""
        raise ProofFailed(
            f"{base} can no longer be tuned{when} (as of {limits.models_as_of}, the retirement schedule).",
            f"Models that can: {', '.join(_tunable(limits, today))}",
        )
    if not tuned:
        _require_tunable(trainer, base, limits, today)
    kind, region = wish.training_type or "Standard", trainer.view.location.replace(" ", "").lower()
    if row is not None and kind == "Standard" and row.standard and region not in row.standard:
        raise ProofFailed(
            f"{account} is in {region}, where {base} has no training of type Standard; it has in "
            f"{' and '.join(row.standard)} (as of {limits.models_as_of}; a newer region is added in "
            "infra/spec/limits.yaml).",
            "Train in an account there, or with trainingType: GlobalStandard",
        )
    if row is not None and kind == "DeveloperTier" and not row.developer:
        raise ProofFailed(f"{base} has no training of type DeveloperTier.", "Write trainingType: GlobalStandard")


def _require_own(trainer: Trainer, model: str) -> None:
    """A tuned model is tuned on in the account that owns it, and there alone."""
    own = [m.id for m in trainer.jobs.models() if ".ft-" in m.id]
    if not any(name == model or name.startswith(f"{model}-") for name in own):
        raise ProofFailed(
            f"{trainer.source.account} owns no model {model}; a tuned model can be tuned on in its own account only. "
            f"It owns {', '.join(own) or 'none'}.",
            "Name its account (source, in its record), or a model of this one",
        )


def _require_tunable(trainer: Trainer, base: str, limits: Limits, today: date) -> None:
    try:
        found = trainer.jobs.model(base)
    except NotFound as error:
        raise ProofFailed(
            f"{trainer.source.account} ({trainer.view.location}) knows no model {base}.{_where(limits, base)}",
            f"Models that can be tuned: {', '.join(_tunable(limits, today))}",
        ) from error
    if not found.capabilities.get("fine_tune", False):
        raise ProofFailed(
            f"{base} cannot be tuned in {trainer.source.account} ({trainer.view.location}).{_where(limits, base)}",
            f"Models that can be tuned: {', '.join(_tunable(limits, today))}",
        )


def _room(trainer: Trainer, sources: list[Source]) -> None:
    known = tuning.load()
    new = [source for source in sources if not source.sent.id and upload.find(trainer, source.sent) is None]
    if not new:
        return
    one = trainer.limit("MaxTrainingFileSize", known.file_bytes.value)
    for source in new:
        if (source.sent.bytes or 0) >= one:
            raise ProofFailed(
                f"The {source.role} file has {source.sent.bytes:,} bytes; the account takes fewer than {one:,}.",
                "Train on fewer examples",
            )
    held = trainer.files.all()
    most, together = trainer.limit("MaxUserFileCount", known.files.value), known.files_bytes.value
    size = sum(file.bytes or 0 for file in held)
    more = sum(source.sent.bytes or 0 for source in new)
    if len(held) + len(new) <= most and size + more <= together:
        return
    used = {file for job in trainer.jobs.jobs() if not job.is_over for file in (job.training_file, job.validation_file)}
    free = sorted((file for file in held if file.id not in used), key=lambda file: file.created_at)
    named = ", ".join(f"{file.filename} ({file.id}, {file.bytes or 0:,} bytes)" for file in free[:_LISTED])
    raise ProofFailed(
        f"{trainer.source.account} holds {len(held)} files of {size:,} bytes, and may hold {most} of {together:,} "
        f"together: there is no room for {len(new)} more of {more:,} bytes.",
        f"No job that runs needs, oldest first: {named or 'none'}. Clear with `hearth clean`",
    )


def _tunable(limits: Limits, today: date) -> list[str]:
    return [name for name, row in limits.models.items()
            if not row.retired and (row.training_until is None or row.training_until > today)]  # fmt: skip


def _where(limits: Limits, base: str) -> str:
    row = limits.models.get(base)
    return f" It can be tuned in {' and '.join(row.standard)}." if row is not None and row.standard else ""
