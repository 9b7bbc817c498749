"""What came of a job, put together: its figures, what they mean, its checkpoints, and why it failed if it did."""

from __future__ import annotations

import msgspec

from infra.errors import NotFound, NotReady
from infra.ports.finetuning import CheckpointView, JobView
from infra.training import results, safety, verdict
from infra.training.accounts import Trainer
from infra.training.results import Results
from infra.training.verdict import Choice, Finding

KEPT = 3
"""Checkpoints that can be deployed: the last one and two before it (Learn, as of October 2026)."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is told of a job, or of a results file alone."""

    title: str
    results: Results
    findings: list[Finding]
    choice: Choice
    job: JobView | None = None
    checkpoints: list[CheckpointView] = []


def of_file(content: bytes, name: str) -> Outcome:
    """Of a results file by itself; raises SpecError."""
    found = results.read(content, name)
    return Outcome(title=name, results=found, findings=verdict.judge(found), choice=verdict.choose(found))


def of_job(trainer: Trainer, job: JobView) -> Outcome:
    """Of a job, while it runs or after; raises NotReady where there is nothing to read, and what Azure refuses."""
    if not job.result_files:
        raise NotReady(f"{job.id} has no results: {why_none(job)}")
    found = results.read(trainer.files.read(job.result_files[0]), f"results of {job.id}")
    checkpoints = trainer.jobs.checkpoints(job.id)
    there = [one for one in checkpoints if not why_not(job, one, checkpoints)]
    return Outcome(
        title=job.fine_tuned_model or job.id,
        results=found,
        findings=verdict.judge(found, examples(job, found)),
        choice=verdict.choose(found, msgspec.to_builtins(there) if there else None),
        job=job,
        checkpoints=checkpoints,
    )


def find_job(trainer: Trainer, job: str) -> JobView:
    """A job by its id, or by the tuned model that it made; raises NotFound."""
    if job.startswith("ftjob-"):
        return trainer.jobs.job(job)
    found = next((one for one in trainer.jobs.jobs() if one.fine_tuned_model == job), None)
    if found is None:
        raise NotFound(f"{trainer.source.account}: no job of {job}")
    return found


def why_none(job: JobView) -> str:
    """Why a job has no results."""
    if job.status == "failed":
        return failure(job)
    return f"it is {job.status}" + ("" if job.is_over else "; Azure makes the file when training starts")


def failure(job: JobView) -> str:
    """Why a job failed: Azure's words, and what to do where it is known."""
    told = job.error.message if job.error is not None and job.error.message else "Azure names no reason"
    code = f" ({job.error.code})" if job.error is not None and job.error.code else ""
    harm = safety.read(told)
    return f"{told}{code}\n{harm.advice}" if harm is not None else f"{told}{code}"


def why_not(job: JobView, checkpoint: CheckpointView, all_of_them: list[CheckpointView]) -> str:
    """Why a checkpoint cannot be deployed; empty where it can."""
    newer = sum(other.step_number > checkpoint.step_number for other in all_of_them)
    if newer >= KEPT:
        return f"{newer} newer ones: Azure keeps {KEPT}"
    if job.status in {"succeeded", "paused"}:
        return ""
    if job.status == "failed":
        harm = safety.read(job.error.message if job.error is not None else None)
        return "the model did not pass the safety evaluation" if harm is not None else "the job failed"
    return f"the job is {job.status}: its safety evaluation comes at the end, or when it is paused"


def examples(job: JobView, found: Results) -> int | None:
    """At most so many examples were trained on, as steps, batch size and epochs tell; None where they do not."""
    epochs, batch = (job.hyperparameters.get(name) for name in ("n_epochs", "batch_size"))
    if job.status != "succeeded" or not isinstance(epochs, int) or not isinstance(batch, int) or epochs < 1:
        return None
    return int(found.steps[-1]) * max(batch, 1) // epochs
