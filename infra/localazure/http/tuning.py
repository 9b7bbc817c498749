"""Fine-tuning jobs on the wire (azureopenai authoring 2024-10-21).

What the description lacks (pause, resume, method, trainingType) has the shape of the openai package's types.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from infra.localazure import errors, finetuning, learning
from infra.localazure.entities import Account, Checkpoint, Course, Json, Tuning, TuningEvent
from infra.localazure.finetuning import Order, Step
from infra.localazure.http import lists, versions
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.files import _place

SINCE = "2023-10-01-preview"
"""The first classic api-version with fine_tuning/jobs."""
METHOD_SINCE, TYPE_SINCE = "2024-12-01-preview", "2025-04-01-preview"
"""The first that know method (not confirmed) and trainingType."""
JOBS, EVENTS, CHECKPOINTS = 20, 20, 10
"""Items of a page where the caller does not say."""
_SUFFIX = re.compile(r"[a-zA-Z0-9_-]{1,40}")
_TYPES = {name.lower(): name for name in finetuning.TYPES} | {"1": finetuning.GLOBAL}
"""In any case; a client of others sends the number 1 for a global one (BerriAI/litellm#24687)."""
_COUNT, _SHARE = "count", "share"
_COMMON = {"n_epochs": _COUNT, "batch_size": _COUNT, "learning_rate_multiplier": _SHARE}
_OF_METHOD = {
    "supervised": _COMMON,
    "dpo": {**_COMMON, "beta": _SHARE},
    "reinforcement": {
        **_COMMON,
        "compute_multiplier": _SHARE,
        "eval_interval": _COUNT,
        "eval_samples": _COUNT,
        "reasoning_effort": "word",
    },
}
_GRADERS = ("string_check", "text_similarity", "python", "score_model", "multi", "endpoint")
_EFFORTS = ("default", "low", "medium", "high")
_MOST_EPOCHS, _MOST_BATCH = 50, 1024


class Create(msgspec.Struct):
    """POST fine_tuning/jobs; unknown fields are ignored."""

    model: Annotated[str, Meta(min_length=1)]
    training_file: Annotated[str, Meta(min_length=1)]
    validation_file: str | None = None
    hyperparameters: dict[str, Any] | None = None
    suffix: str | None = None
    seed: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    method: dict[str, Any] | UnsetType | None = UNSET
    training_type: str | int | UnsetType | None = msgspec.field(name="trainingType", default=UNSET)
    metadata: dict[str, str] | None = None


# --- handlers ------------------------------------------------------------------------------------------------------


def create_job(call: Call, account: Account) -> Answer:
    """A job, put into the queue."""
    _require_known(call)
    made = finetuning.create(call.world, account, _order(call, lists.read(call, Create)))
    return Answer(201, _job(call, made), {"location": _place(call, f"fine_tuning/jobs/{made.id}")})


def list_jobs(call: Call, account: Account) -> Answer:
    """The jobs of the account, newest first."""
    _require_known(call)
    return lists.page(call, finetuning.of(call.world, account), lambda job: _job(call, job), size=JOBS)


def get_job(call: Call, account: Account) -> Answer:
    """A job."""
    return Answer(body=_job(call, _named(call, account)))


def delete_job(call: Call, account: Account) -> Answer:
    """A job, forgotten."""
    finetuning.delete(call.world, _named(call, account))
    return Answer(204)


def cancel_job(call: Call, account: Account) -> Answer:
    """A job, ended."""
    return Answer(body=_job(call, finetuning.cancel(call.world, _named(call, account))))


def pause_job(call: Call, account: Account) -> Answer:
    """A job, to be paused."""
    return Answer(body=_job(call, finetuning.pause(call.world, _named(call, account))))


def resume_job(call: Call, account: Account) -> Answer:
    """A paused job, to go on."""
    return Answer(body=_job(call, finetuning.resume(call.world, _named(call, account))))


def list_events(call: Call, account: Account) -> Answer:
    """What has happened to a job, newest first as live answers have it (the description's example is the other way)."""
    job = _named(call, account)
    found = finetuning.events(job, call.now)[::-1]
    return lists.page(call, found, lambda event: _event(job, event), size=EVENTS)


def list_checkpoints(call: Call, account: Account) -> Answer:
    """The last states of a job's model, newest first (not confirmed of checkpoints)."""
    job = _named(call, account)
    return lists.page(call, job.checkpoints[::-1], lambda one: _checkpoint(job, one), size=CHECKPOINTS)


def post_events(call: Call, account: Account) -> Answer:
    """The same by POST, where a switch has it."""
    _require_posted(call)
    return list_events(call, account)


def post_checkpoints(call: Call, account: Account) -> Answer:
    """The same by POST, where a switch has it."""
    _require_posted(call)
    return list_checkpoints(call, account)


def _named(call: Call, account: Account) -> Tuning:
    _require_known(call)
    return finetuning.get(call.world, account, call.params["job"])


def _require_known(call: Call) -> None:
    if call.api_version != versions.V1 and call.api_version < SINCE:
        raise errors.NO_DATA_ROUTE()


def _require_posted(call: Call) -> None:
    if not call.world.switches.post_lists:
        raise errors.NO_DATA_ROUTE()


# --- what may be asked for -----------------------------------------------------------------------------------------


def _order(call: Call, body: Create) -> Order:
    """The job that a body asks for, as far as the call's api-version knows it."""
    method, hyper = "supervised", body.hyperparameters or {}
    shown: Json = {}
    if body.method and _knows(call, METHOD_SINCE):
        method, hyper = _method(body.method, hyper, body.validation_file)
        shown["method"] = body.method
    kind = finetuning.STANDARD
    if body.training_type not in (UNSET, None) and _knows(call, TYPE_SINCE):
        kind = _TYPES.get(str(body.training_type).lower(), "")
        if not kind:
            known = ", ".join(finetuning.TYPES)
            raise errors.BAD_PAYLOAD(fact=f"trainingType is one of {known}, not '{body.training_type}'.")
    if body.metadata:
        shown["metadata"] = body.metadata
    suffix = body.suffix or None
    if suffix is not None and not _SUFFIX.fullmatch(suffix):
        raise errors.BAD_PAYLOAD(fact="suffix has up to 40 characters, of a-z, A-Z, 0-9, - and _.")
    return Order(
        model=body.model,
        training_file=body.training_file,
        validation_file=body.validation_file or None,
        method=method,
        hyperparameters=_hyperparameters(hyper, _OF_METHOD[method]),
        training_type=kind,
        suffix=suffix,
        seed=body.seed,
        shown=shown,
    )


def _knows(call: Call, since: str) -> bool:
    return call.api_version == versions.V1 or call.api_version >= since


def _method(given: Json, above: Json, validation: str | None) -> tuple[str, Json]:
    """The name of a method and its hyperparameters, those above it included."""
    name = given.get("type")
    if name not in _OF_METHOD:
        raise errors.BAD_PAYLOAD(fact=f"method.type is one of {', '.join(_OF_METHOD)}, not '{name}'.")
    own = given.get(name) or {}
    hyper = own.get("hyperparameters") or {} if isinstance(own, dict) else None
    if not isinstance(hyper, dict):
        raise errors.BAD_PAYLOAD(fact=f"method.{name}.hyperparameters is an object.")
    if name == "reinforcement":
        grader = own.get("grader")
        if not isinstance(grader, dict) or grader.get("type") not in _GRADERS:
            raise errors.BAD_PAYLOAD(fact=f"method.reinforcement.grader has a type, one of {', '.join(_GRADERS)}.")
        if not validation:
            raise errors.BAD_PAYLOAD(fact="reinforcement needs a validation_file.")
    return name, {**above, **hyper}


def _hyperparameters(given: Json, known: dict[str, str]) -> dict[str, int | float | str]:
    """Those that were given; auto, -1 and null leave them to Azure."""
    found: dict[str, int | float | str] = {}
    for name, value in given.items():
        if name not in known:
            raise errors.BAD_PAYLOAD(fact=f"there is no hyperparameter '{name}' of this method.")
        if value is None or value in ("auto", -1):
            continue
        if not _is_sound(known[name], value):
            raise errors.BAD_PAYLOAD(fact=f"the hyperparameter '{name}' cannot be {value!r}.")
        found[name] = value
    for name, most in (("n_epochs", _MOST_EPOCHS), ("batch_size", _MOST_BATCH)):
        if float(found.get(name, 1)) > most:
            raise errors.BAD_PAYLOAD(fact=f"the hyperparameter '{name}' is at most {most}.")
    return found


def _is_sound(kind: str, value: Any) -> bool:
    if kind == "word":
        return value in _EFFORTS
    if isinstance(value, bool):
        return False
    return isinstance(value, int) and value >= 1 if kind == _COUNT else isinstance(value, int | float) and value > 0


# --- how it is shown -----------------------------------------------------------------------------------------------


def _job(call: Call, job: Tuning) -> Json:
    wire: Json = {
        "object": "fine_tuning.job",
        "id": job.id,
        "created_at": int(job.created.timestamp()),
        "model": job.model,
        "status": job.status,
        "training_file": job.training_file,
        "hyperparameters": _chosen(job),
        "seed": job.seed,
    }
    finish = finetuning.estimated_finish(call.world, job)
    optional = {
        "validation_file": job.validation_file,
        "suffix": job.suffix,
        "fine_tuned_model": job.tuned,
        "result_files": [job.results] if job.results else None,
        "trained_tokens": job.billed,
        "finished_at": int(job.finished.timestamp()) if job.finished else None,
        "estimated_finish": int(finish.timestamp()) if finish else None,
        "error": {"code": job.error_code, "message": job.error} if job.error else None,
    }
    wire |= {name: value for name, value in optional.items() if value is not None}
    if job.error_param is not None:
        wire["error"]["param"] = job.error_param
    if _knows(call, METHOD_SINCE):
        wire["method"] = _shown_method(job)
    if _knows(call, TYPE_SINCE):
        wire["trainingType"] = job.training_type
    return wire | (
        {"metadata": job.shown["metadata"]} if "metadata" in job.shown and _knows(call, METHOD_SINCE) else {}
    )


def _chosen(job: Tuning) -> Json:
    """The hyperparameters: -1 for what Azure has yet to choose."""
    course = job.course
    if course is None:
        return {name: job.wanted.get(name, -1) for name in ("batch_size", "learning_rate_multiplier", "n_epochs")}
    return {"batch_size": course.batch, "learning_rate_multiplier": course.rate, "n_epochs": course.epochs}


def _shown_method(job: Tuning) -> Json:
    given = job.shown.get("method") or {}
    own = given.get(job.method) or {}
    extra = {name: value for name, value in job.wanted.items() if name not in _COMMON}
    return {"type": job.method, job.method: {**own, "hyperparameters": {**_chosen(job), **extra}}}


def _event(job: Tuning, event: TuningEvent | Step) -> Json:
    wire: Json = {"object": "fine_tuning.job.event", "id": event.id, "created_at": int(event.at.timestamp())}
    if isinstance(event, TuningEvent):
        return {**wire, "level": event.level, "message": event.message, "type": "message"}
    figures = learning.point(_course(job), event.number)
    text = f"Step {event.number}: training loss={figures.loss}"
    return {**wire, "level": "info", "message": text, "type": "metrics", "data": _metrics(figures)}


def _checkpoint(job: Tuning, one: Checkpoint) -> Json:
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": one.id,
        "created_at": int(one.at.timestamp()),
        "fine_tuned_model_checkpoint": f"{job.base}.ft-{job.id.removeprefix('ftjob-')}:ckpt-step-{one.step}",
        "step_number": one.step,
        "fine_tuning_job_id": job.id,
        "metrics": _metrics(learning.whole(_course(job), one.step)),
    }


def _course(job: Tuning) -> Course:
    if job.course is None:
        raise AssertionError("a job without a course has neither steps nor checkpoints")
    return job.course


def _metrics(found: learning.Point) -> Json:
    wire = {
        "step": found.step,
        "train_loss": found.loss,
        "train_mean_token_accuracy": found.accuracy,
        "valid_loss": found.valid_loss,
        "valid_mean_token_accuracy": found.valid_accuracy,
        "full_valid_loss": found.full_valid_loss,
        "full_valid_mean_token_accuracy": found.full_valid_accuracy,
    }
    return {name: value for name, value in wire.items() if value is not None}
