"""The job, asked for once: what looks like it is found again, and after an unclear answer looked for first."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from infra.errors import Busy, HearthError, Unreachable
from infra.ports import clock
from infra.ports.cloud import LONGEST_WAIT
from infra.ports.finetuning import JobView
from infra.spec.training import TrainingFile
from infra.training.accounts import Trainer
from infra.training.intent import Intent
from infra.training.upload import LOOKS, TRIES


def body(wish: TrainingFile, training: str, validation: str | None) -> dict[str, Any]:
    """What is asked of Azure. A seed is drawn where none is wished: it tells this job from others that look alike."""
    hyper = wish.hyperparameters.given()
    method: dict[str, Any] = {"hyperparameters": hyper} if hyper else {}
    if wish.grader is not None:
        method["grader"] = wish.grader
    made: dict[str, Any] = {
        "model": wish.model,
        "training_file": training,
        "seed": secrets.randbelow(2**31) if wish.seed is None else wish.seed,
        "method": {"type": wish.method, wish.method: method},
    }
    optional = {"validation_file": validation, "suffix": wish.suffix, "trainingType": wish.training_type}
    return made | {name: value for name, value in optional.items() if value is not None}


def alike(trainer: Trainer, wanted: dict[str, Any], *, any_seed: bool = False) -> list[JobView]:
    """The jobs of the account that were asked for in the same way, newest first."""
    return [job for job in trainer.jobs.jobs() if _is_alike(job, wanted, any_seed=any_seed)]


def found(trainer: Trainer, intent: Intent) -> JobView | None:
    """The job that an intent has asked for, if it is there."""
    if intent.body is None:
        return None
    return next((job for job in alike(trainer, intent.body) if job.id not in intent.before), None)


def place(trainer: Trainer, intent: Intent, save: Callable[[], None]) -> JobView:
    """The job of an intent whose body is set: found, or made. The intent is kept before each POST."""
    wanted = intent.body
    if wanted is None:
        raise AssertionError("the body is written first")
    last: HearthError | None = None
    for number in range(TRIES):
        for seconds in LOOKS if number else (0.0,):
            if seconds:
                clock.sleep(seconds)
            there = found(trainer, intent)
            if there is not None:
                return _kept(there, intent, save)
        try:
            return _kept(trainer.jobs.create(wanted), intent, save)
        except Unreachable as error:
            last = error
        except Busy as error:
            if error.retry_after > LONGEST_WAIT:
                raise
            last = error
            clock.sleep(error.retry_after)
    raise last or Unreachable(f"{trainer.source.account} takes no jobs")


def _kept(job: JobView, intent: Intent, save: Callable[[], None]) -> JobView:
    intent.job = job.id
    save()
    return job


def _is_alike(job: JobView, wanted: dict[str, Any], *, any_seed: bool) -> bool:
    same = (
        job.model == wanted["model"]
        and job.training_file == wanted["training_file"]
        and (job.validation_file or None) == wanted.get("validation_file")
        and (job.suffix or None) == wanted.get("suffix")
        and (any_seed or job.seed == wanted["seed"])
    )
    if not same:
        return False
    kind = wanted["method"]["type"]
    shown = job.method or {}
    if shown and shown.get("type") != kind:
        return False
    own = shown.get(kind) or {}
    has = {**job.hyperparameters, **(own.get("hyperparameters") or {})}
    given = wanted["method"][kind].get("hyperparameters", {})
    return all(_same(has[name], value) for name, value in given.items() if name in has)


def _same(shown: object, wanted: object) -> bool:
    numbers = isinstance(shown, int | float) and isinstance(wanted, int | float)
    return float(shown) == float(wanted) if numbers else shown == wanted  # type: ignore[arg-type]
