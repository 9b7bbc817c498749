"""The fine-tuning jobs of an account: made, looked at, followed, cancelled, paused."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import msgspec

from infra.ports.authoring import Authoring
from infra.ports.cloud import Cloud

OVER = frozenset({"succeeded", "failed", "cancelled"})
"""Statuses in which a job is over."""
_DELETE = "2024-10-21"
"""The classic api-version whose description has the deletion of a job; the openai package's v1 has none."""
_JOBS = "fine_tuning/jobs"


class Failure(msgspec.Struct, frozen=True):
    """Why a job failed, in Azure's words."""

    code: str | None = None
    message: str | None = None
    param: str | None = None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as Azure has it."""

    id: str
    status: str
    """pending, running, succeeded, failed, cancelled; also queued, validating_files, pausing, paused, resuming."""
    model: str = ""
    """What is tuned: a base model, or a tuned one."""
    created_at: int = 0
    finished_at: int | None = None
    estimated_finish: int | None = None
    """Unix seconds, all three."""
    training_file: str = ""
    validation_file: str | None = None
    hyperparameters: dict[str, Any] = {}
    """-1 or auto: Azure has yet to choose."""
    seed: int | None = None
    suffix: str | None = None
    fine_tuned_model: str | None = None
    result_files: list[str] | None = None
    trained_tokens: int | None = None
    """What is billed; known at the end."""
    error: Failure | None = None
    method: dict[str, Any] | None = None
    training_type: str | int | None = msgspec.field(name="trainingType", default=None)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in OVER


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a job."""

    id: str
    created_at: int = 0
    level: str = "info"
    message: str = ""
    type: str = "message"
    data: dict[str, Any] | None = None
    """The figures of a step, where type is metrics."""


class CheckpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A state of a job's model that Azure keeps."""

    id: str
    step_number: int
    created_at: int = 0
    fine_tuned_model_checkpoint: str = ""
    metrics: dict[str, float | None] = {}


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the data plane lists it."""

    id: str
    model: str | None = None
    """The base of a tuned one."""
    fine_tune: str | None = None
    """The job of a tuned one."""
    status: str = ""
    created_at: int = 0
    capabilities: dict[str, bool] = {}


class _Models(msgspec.Struct):
    data: list[ModelView]


class FineTuning:
    """Calls about the jobs of one account. They raise what `Authoring` raises."""

    def __init__(self, cloud: Cloud, endpoint: str, *, tenant: str | None = None) -> None:
        """`tenant` is the account's, where it is another one than the login's own."""
        self._calls = Authoring(cloud, endpoint, tenant=tenant)

    @property
    def now(self) -> datetime | None:
        """What time Azure said it was in its last answer; None before the first."""
        return self._calls.at

    def model(self, name: str) -> ModelView:
        """A model that the account can see, base or tuned, by its full name; raises NotFound."""
        return self._calls.get(f"models/{name}", ModelView)

    def models(self) -> list[ModelView]:
        """The models that the account can see."""
        return self._calls.get("models", _Models).data

    def create(self, body: dict[str, Any]) -> JobView:
        """A job, made; sent once: after Unreachable it may be there or not."""
        return self._calls.post(_JOBS, JobView, body)

    def jobs(self) -> Iterator[JobView]:
        """The jobs of the account, newest first; asked for as far as they are taken."""
        for page in self._calls.pages(_JOBS, JobView):
            yield from page

    def job(self, job: str) -> JobView:
        """A job."""
        return self._calls.get(f"{_JOBS}/{job}", JobView)

    def cancel(self, job: str) -> JobView:
        """A job, ended; what was trained is billed."""
        return self._calls.post(f"{_JOBS}/{job}/cancel", JobView)

    def pause(self, job: str) -> JobView:
        """A running job, to be paused: with a checkpoint that can be deployed."""
        return self._calls.post(f"{_JOBS}/{job}/pause", JobView)

    def resume(self, job: str) -> JobView:
        """A paused job, to go on."""
        return self._calls.post(f"{_JOBS}/{job}/resume", JobView)

    def delete(self, job: str) -> None:
        """Forget a job that is over; its model and files stay."""
        self._calls.delete(f"{_JOBS}/{job}", classic=_DELETE)

    def events(self, job: str, known: Collection[str] = ()) -> list[EventView]:
        """What has happened to a job and is not known yet (by id), in the order of time.

        Azure lists the newest first (live answers; the description's example is the other way round): as soon as
        something known comes, the rest is known too.
        """
        found: list[EventView] = []
        for page in self._calls.pages(f"{_JOBS}/{job}/events", EventView):
            found += page
            if any(event.id in known for event in page) and _newest_first(found):
                break
        ordered = found[::-1] if _newest_first(found) else found
        return [event for event in ordered if event.id not in known]

    def checkpoints(self, job: str) -> list[CheckpointView]:
        """The checkpoints that Azure keeps of a job, by step."""
        found = [one for page in self._calls.pages(f"{_JOBS}/{job}/checkpoints", CheckpointView) for one in page]
        return sorted(found, key=lambda one: one.step_number)


def _newest_first(events: list[EventView]) -> bool:
    return not events or events[0].created_at >= events[-1].created_at
