"""Trainings that nobody has followed to their end: what they wait for, by what the service says of their jobs. Pure."""

from __future__ import annotations

from infra.ports.finetuning import JobView
from infra.training.cleanup.values import Inventory, Pending, References, Unfinished

_FOLLOWING = {"succeeded": "writes its record", "failed": "tells why", "cancelled": "tells why"}
"""What `hearth train` does with a job that has ended like this."""


def pending(found: Inventory, references: References) -> list[Pending]:
    """Those of the account, each with how its job stands and the next move."""
    jobs = {job.id: job for job in found.jobs}
    return [
        _pending(one, jobs.get(one.job))
        for one in references.unfinished
        if not one.account or one.account.lower() == found.id.lower()
    ]


def _pending(one: Unfinished, job: JobView | None) -> Pending:
    status = job.status if job is not None else ""
    return Pending(one.file, one.training, one.job, status, _says(one, job), _do(one, job))


def _says(one: Unfinished, job: JobView | None) -> str:
    if not one.job:
        return "it has asked for no job yet, or has heard of none"
    if job is None:
        return f"its job {one.job} is not in the account any more"
    if job.is_over:
        ended = "was cancelled" if job.status == "cancelled" else job.status
        return f"its job {one.job} {ended}, and nobody has followed it to its end"
    return f"its job {one.job} is {job.status}"


def _do(one: Unfinished, job: JobView | None) -> str:
    give_up = f"to give it up, remove {one.file}"
    if job is not None and not job.is_over:
        give_up = f"to give it up, hearth jobs cancel {one.job} and remove {one.file}"
    if one.job and job is None:
        return give_up
    if one.has_yaml:
        does = _FOLLOWING.get(job.status if job is not None else "", "goes on with it")
        return f"hearth train {one.training} {does}, if its YAML and data are as they were; {give_up}"
    if job is None:
        return give_up
    shows = f"models record {one.job} --name {one.training}" if job.status == "succeeded" else f"jobs show {one.job}"
    return f"stacks/training has no {one.training}.yaml any more: hearth {shows}; {give_up}"
