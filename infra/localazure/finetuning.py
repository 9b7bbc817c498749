"""Fine-tuning jobs: what may be asked for, how a job goes from its queue to a model, and how it ends.

A job goes through phases on the virtual clock (`Tuning.phase`), each with the moment at which it is over. Steps are not
kept one by one: they follow from when a stretch of them began and how long a step takes.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.localazure import catalogue, dataset, errors, faults, files, ids, learning, models, recall
from infra.localazure.catalogue import Model
from infra.localazure.entities import Account, Checkpoint, Course, CustomModel, File, Json, Stretch, Tuning, TuningEvent
from infra.localazure.world import World

STEP = "training goes on"
STANDARD, GLOBAL, DEVELOPER = "Standard", "GlobalStandard", "DeveloperTier"
TYPES = (STANDARD, GLOBAL, DEVELOPER)
KEPT = 3
"""Checkpoints that are kept: the last one and two before it."""
_WAITING = ("queued", "returning")
_AT_WORK = ("checking", "importing", "training", "pausing", "evaluating")
"""Phases in which a job takes one of its account's places."""
_FORMS = {"supervised": dataset.CHAT, "dpo": dataset.PREFERENCE, "reinforcement": dataset.REINFORCEMENT}
_LARGEST_SEED = 2**31 - 1
UNSAFE_DATA = (
    "The provided training data failed RAI checks for harm types: [hate_fairness, self_harm, violence]. Please fix the "
    "data and try again."
)
UNSAFE_MODEL = (
    "This model is unable to be deployed. Model evaluation identified that this fine tuned model scores above "
    "acceptable thresholds for [Violence, Self Harm]. Please review your training data set and resubmit the job."
)


@dataclass(frozen=True, slots=True)
class Order:
    """A job as it is asked for, its fields of the right form."""

    model: str
    training_file: str
    validation_file: str | None
    method: str
    hyperparameters: dict[str, int | float | str]
    training_type: str
    suffix: str | None
    seed: int | None
    shown: Json


@dataclass(frozen=True, slots=True)
class Step:
    """A step that events tell of; its figures are worked out when somebody looks."""

    id: str
    at: datetime
    number: int


def wire_up(world: World) -> None:
    """Schedule what jobs of a state that was read have coming."""
    world.on_due(STEP, _go_on_if_due, _due)
    for tuning in world.tunings:
        if tuning.next_at is not None:
            world.schedule(tuning.next_at, STEP, _key(tuning))


def of(world: World, account: Account) -> list[Tuning]:
    """The jobs of an account, newest first."""
    return _in_order(world, ids.key(account.id))[::-1]


def get(world: World, account: Account, job: str) -> Tuning:
    """The job of that id, or its 404."""
    found = world.tunings.get(f"{ids.key(account.id)}|{job}")
    if found is None:
        raise errors.NO_JOB(job=job)
    return found


# --- what people do with a job -------------------------------------------------------------------------------------


def create(world: World, account: Account, order: Order) -> Tuning:
    """Put a job into the account's queue; refused where it could never run."""
    base, parent = _base(world, account, order)
    _require_tunable(world, account, base, order)
    _require_files(world, account, order)
    _require_places(world, account)
    stuck, doom = faults.at_training(world, account.id, account.location)
    now = world.now()
    tuning = Tuning(
        id=f"ftjob-{secrets.token_hex(16)}",
        account=ids.key(account.id),
        created=now,
        model=order.model,
        base=base.full_name,
        parent=parent,
        training_file=order.training_file,
        validation_file=order.validation_file,
        method=order.method,
        wanted=dict(order.hyperparameters),
        training_type=order.training_type,
        seed=secrets.randbelow(_LARGEST_SEED) if order.seed is None else order.seed,
        suffix=order.suffix,
        shown=order.shown,
        doom=doom,
    )
    _tell(world, tuning, "Job enqueued. Waiting for jobs ahead to complete.", late=False)
    _next(world, tuning, "queued", world.switches.training_queue if stuck is None else stuck)
    return tuning


def cancel(world: World, tuning: Tuning) -> Tuning:
    """End a job that is not over; what was trained is billed."""
    if tuning.status in files.OVER:
        raise errors.JOB_STATE(job=tuning.id, status=tuning.status, wanted="cancelled")
    tuning.billed = _tokens_done(world, tuning) or None
    _tell(world, tuning, "Job cancelled.")
    _end(world, tuning, "cancelled")
    return tuning


def pause(world: World, tuning: Tuning) -> Tuning:
    """Have a job that trains, and has done a step, stop where it is, with a checkpoint that can be deployed."""
    if tuning.phase != "training" or not steps_done(tuning, world.now()):
        raise errors.JOB_STATE(job=tuning.id, status=tuning.status, wanted="paused before a step of it is done")
    _stop_stepping(tuning, steps_done(tuning, world.now()))
    tuning.status = "pausing"
    _tell(world, tuning, "Job is being paused.")
    _next(world, tuning, "pausing", world.switches.training_evaluation)
    return tuning


def resume(world: World, tuning: Tuning) -> Tuning:
    """Have a paused job go on as soon as there is a place."""
    if tuning.phase != "paused":
        raise errors.JOB_STATE(job=tuning.id, status=tuning.status, wanted="resumed")
    tuning.status = "resuming"
    _tell(world, tuning, "Job is being resumed.")
    _next(world, tuning, "returning", world.switches.training_queue)
    return tuning


def delete(world: World, tuning: Tuning) -> None:
    """Forget a job that is over; its model and files stay."""
    if tuning.status not in files.OVER:
        raise errors.JOB_STATE(job=tuning.id, status=tuning.status, wanted="deleted")
    deployed = files.deployed_as(world, tuning)
    if deployed is not None and world.switches.delete_trained == "refuse":
        raise errors.JOB_IN_USE(job=tuning.id, what=f"a model that is deployed as '{deployed}'")
    world.tunings.drop(_key(tuning))


def forget(world: World, account_key: str) -> None:
    """Drop the jobs of an account that is no more."""
    for tuning in world.tunings.of(account_key):
        world.tunings.drop(_key(tuning))


# --- what there is to see ------------------------------------------------------------------------------------------


def steps_done(tuning: Tuning, now: datetime) -> int:
    """How many steps are done at a moment."""
    if not tuning.stretches or tuning.course is None:
        return 0
    last = tuning.stretches[-1]
    if last.last is not None:
        return last.last
    return min(tuning.course.steps, last.first + _gone(last, now))


def events(tuning: Tuning, now: datetime) -> list[TuningEvent | Step]:
    """Everything that has happened, oldest first; of the steps the first one and every tenth."""
    found: list[tuple[datetime, int, TuningEvent | Step]] = [
        (event.at, 2 if event.late else 0, event) for event in tuning.events
    ]
    if tuning.course is not None:
        for stretch in tuning.stretches:
            for step in _told_steps(stretch, tuning.course, now):
                at = stretch.at + timedelta(seconds=(step - stretch.first) * stretch.seconds)
                found.append((at, 1, Step(_step_id(tuning, step), at, step)))
    return [event for _, _, event in sorted(found, key=lambda row: row[:2])]


def results(world: World, tuning: Tuning) -> Iterator[bytes]:
    """The lines of a job's results.csv, as far as it has come."""
    names = ["step", "train_loss", "train_mean_token_accuracy", "valid_loss", world.switches.results_header]
    yield ",".join([*names, "full_valid_loss", "full_valid_mean_token_accuracy"]).encode() + b"\n"
    course = tuning.course
    if course is None:
        return
    for step in range(1, steps_done(tuning, world.now()) + 1):
        one = learning.point(course, step)
        cells = (one.step, one.loss, one.accuracy, one.valid_loss, one.valid_accuracy, one.full_valid_loss,
                 one.full_valid_accuracy)  # fmt: skip
        yield ",".join("" if cell is None else str(cell) for cell in cells).encode() + b"\n"


def estimated_finish(world: World, tuning: Tuning) -> datetime | None:
    """When a job that trains will be done, as things stand."""
    if tuning.phase not in {"training", "evaluating"} or tuning.course is None or tuning.next_at is None:
        return None
    if tuning.phase == "evaluating":
        return tuning.next_at
    left = tuning.course.steps - steps_done(tuning, world.now())
    seconds = left * tuning.stretches[-1].seconds + world.switches.training_evaluation
    return world.now() + timedelta(seconds=seconds)


# --- what may be asked for -----------------------------------------------------------------------------------------


def _base(world: World, account: Account, order: Order) -> tuple[Model, str | None]:
    """The base model of a job, and the tuned model of the account that it goes on from, if it does."""
    if not catalogue.is_custom(order.model):
        base = world.catalogue.named(order.model)
        if base is None or not base.tunable:
            raise errors.NOT_TUNABLE()
        return base, None
    key = ids.key(account.id)
    own = world.models.of(key)
    found = next((m for m in own if m.id == order.model), None)
    found = found or next((m for m in own if m.id.startswith(f"{order.model}-") and "ftchkpt-" not in m.id), None)
    base = world.catalogue.named(found.base) if found is not None else None
    if found is None or base is None or found.status != "succeeded" or found.id.startswith("ftchkpt-"):
        raise errors.NOT_TUNABLE()  # also of another account's model: a tuned base is to be had in its own account only
    return base, found.id


def _require_tunable(world: World, account: Account, base: Model, order: Order) -> None:
    """The model must be tunable that way, in that region, on that day."""
    places = {STANDARD: account.location in base.standard, GLOBAL: True, DEVELOPER: base.developer}
    over = world.switches.retirement and base.retires is not None
    if over and base.retires is not None and world.now() >= catalogue.midnight(base.retires.training):
        raise errors.NOT_TUNABLE()
    if not places[order.training_type]:
        raise errors.NOT_TUNABLE()
    if order.method not in base.methods:
        raise errors.NO_SUCH_METHOD(model=base.full_name, method=order.method)


def _require_files(world: World, account: Account, order: Order) -> None:
    named = {"training file": order.training_file, "validation file": order.validation_file}
    for which, file_id in named.items():
        if file_id is None:
            continue
        file = files.find(world, ids.key(account.id), file_id)
        fact = _fault_of(world, account, file)
        if fact is not None:
            raise errors.FILE_NOT_USABLE(which=which, file=file_id, fact=fact)


def _fault_of(world: World, account: Account, file: File | None) -> str | None:
    if file is None:
        return "it was not found."
    if file.purpose != files.TRAINING:
        return f"its purpose is {file.purpose}, not {files.TRAINING}."
    status = files.status(world, file)
    if status == "error":
        return str(file.error)
    if status != "processed":
        return f"it is {status}; wait until it is processed."
    most = files.limit(world, account, "fileBytes")
    return f"it is larger than {most} bytes." if (file.size or 0) > most else None


def _require_places(world: World, account: Account) -> None:
    """Refuse a job more where the account has as many as it may have, or as many in its queue."""
    held = of(world, account)
    counted = {"trainingJobs": ("fine-tuning jobs", len(held)),
               "queuedTrainings": ("queued fine-tuning jobs", sum(t.status == "pending" for t in held))}  # fmt: skip
    for name, (what, number) in counted.items():
        most = files.limit(world, account, name)
        if number >= most:
            raise errors.JOB_QUOTA(what=what, limit=most)


# --- how it goes on ------------------------------------------------------------------------------------------------


def _key(tuning: Tuning) -> str:
    return f"{tuning.account}|{tuning.id}"


def _due(world: World, key: str) -> datetime | None:
    found = world.tunings.get(key)
    return found.next_at if found is not None else None


def _go_on_if_due(world: World, key: str) -> None:
    tuning = world.tunings.get(key)
    if tuning is None or tuning.next_at is None or tuning.next_at > world.now():
        return
    if world.account(tuning.account) is None:
        _tell(world, tuning, "Job cancelled.")  # its account is deleted: nobody is left to train for
        _end(world, tuning, "cancelled")
        return
    _PHASES[tuning.phase](world, tuning)


def _next(world: World, tuning: Tuning, phase: str, seconds: float) -> None:
    """Be in a phase that is over after so many seconds."""
    tuning.phase, tuning.next_at = phase, world.now() + timedelta(seconds=seconds)
    world.tunings.put(_key(tuning), tuning)
    world.schedule(tuning.next_at, STEP, _key(tuning))


def _wait(world: World, tuning: Tuning, phase: str) -> None:
    """Be in a phase that is not over by itself."""
    tuning.phase, tuning.next_at = phase, None
    world.tunings.put(_key(tuning), tuning)


def _tell(world: World, tuning: Tuning, text: str, level: str = "info", *, late: bool = True) -> None:
    tuning.events.append(TuningEvent(f"ftevent-{secrets.token_hex(16)}", world.now(), text, level, late))


def _take_place(world: World, tuning: Tuning) -> None:
    """Leave the queue if one of the account's places is free; else whoever ends lets it in."""
    account = world.account(tuning.account)
    developer = tuning.training_type == DEVELOPER
    name = "runningDeveloperTrainings" if developer else "runningTrainings"
    others = world.tunings.of(tuning.account)
    at_work = sum(t.phase in _AT_WORK and (t.training_type == DEVELOPER) == developer for t in others)
    if account is None or at_work >= files.limit(world, account, name):
        _wait(world, tuning, tuning.phase)
        return
    if tuning.phase == "returning":
        tuning.status = "running"
        _tell(world, tuning, "Job resumed.")
        _begin_stretch(world, tuning)
        return
    _tell(world, tuning, "Preprocessing running for file training file.", late=False)
    _next(world, tuning, "checking", world.switches.training_preparation / 2)


def _let_in(world: World, account_key: str) -> None:
    """Have the jobs that wait for a place try for it, the oldest first."""
    for tuning in _in_order(world, account_key):
        if tuning.phase in _WAITING and (tuning.next_at is None or tuning.next_at <= world.now()):
            _take_place(world, tuning)


def _queue_up(world: World, tuning: Tuning) -> None:
    """A job has been in the queue long enough: it takes a place in its turn."""
    _let_in(world, tuning.account)


def _in_order(world: World, account_key: str) -> list[Tuning]:
    """The jobs of an account, oldest first."""
    return sorted(world.tunings.of(account_key), key=lambda tuning: tuning.created)


def _check(world: World, tuning: Tuning) -> None:
    """The data is looked at: it is of the form that the job needs, or the job fails."""
    if tuning.doom == "unsafe-data":
        _fail(world, tuning, "contentFilter", UNSAFE_DATA, "training_file")
        return
    for param, file_id in (("training_file", tuning.training_file), ("validation_file", tuning.validation_file)):
        if file_id is None:
            continue
        word = param.replace("_", " ")
        if param != "training_file":
            _tell(world, tuning, f"Preprocessing running for file {word}.", late=False)
        file = files.find(world, tuning.account, file_id)
        fact = _unfit(world, tuning, file)
        if fact is not None:
            _fail(world, tuning, "invalidPayload", f"Preprocessing failed for file {word}: {fact}", param)
            return
        _tell(world, tuning, f"Preprocessing completed for file {word}.", late=False)
    tuning.course = _course(world, tuning)
    account = world.account(tuning.account)
    most = files.limit(world, account, "trainingTokens") if account is not None else 0
    if tuning.course.tokens * tuning.course.epochs > most:
        _fail(world, tuning, "quotaExceeded", f"The training has more than {most} tokens.", "training_file")
        return
    tuning.status = "running"
    for text in ("Job started.", "Data Import started.", "Finetuning started.", "Job queued, waiting for GPUs."):
        _tell(world, tuning, text, late=False)
    _next(world, tuning, "importing", world.switches.training_preparation / 2)


def _unfit(world: World, tuning: Tuning, file: File | None) -> str | None:
    """What is wrong with a file for a job; None where it will do."""
    facts = file.facts if file is not None else None
    if facts is None:
        return "the file is gone."
    base = world.catalogue.named(tuning.base)
    form = _FORMS[tuning.method] if base is None or base.chat else dataset.COMPLETION
    fits = facts.form == form or (tuning.method == "reinforcement" and facts.form == dataset.CHAT)
    if not fits:
        return f"its examples are of the form '{facts.form}', and the job needs '{form}'."
    if facts.strange_line:
        return f"line {facts.strange_line} is not of the form '{form}'."
    account = world.account(tuning.account)
    least = files.limit(world, account, "trainingExamples") if account is not None else 0
    if file is not None and file.id == tuning.training_file and facts.examples < least:
        return f"it has {facts.examples} examples; at least {least} are needed."
    return None


def _course(world: World, tuning: Tuning) -> Course:
    """What the job's losses follow from: its data, its settings, and what the model knew before."""
    training = files.find(world, tuning.account, tuning.training_file)
    validation = files.find(world, tuning.account, tuning.validation_file or "")
    if training is None or training.facts is None:
        raise AssertionError("the files were looked at before")
    facts, other = training.facts, validation.facts if validation is not None else None
    numbers = {name: value for name, value in tuning.wanted.items() if isinstance(value, int | float)}
    batch, rate, epochs = learning.choose(facts.examples, numbers)
    before = world.models.get(f"{tuning.account}|{tuning.parent}") if tuning.parent else None
    tuning.sketch = facts.sketch
    return Course(
        method=tuning.method,
        seed=tuning.seed,
        examples=facts.examples,
        unique=facts.unique,
        tokens=facts.tokens,
        variety=facts.variety,
        batch=batch,
        rate=rate,
        epochs=epochs,
        validation=other.examples if other is not None else 0,
        overlap=dataset.in_common(other.sketch, facts.sketch) if other is not None else 0.0,
        head_start=0.0 if before is None else 0.35 + 0.6 * dataset.in_common(facts.sketch, before.sketch),
    )


def _train(world: World, tuning: Tuning) -> None:
    """The first step begins."""
    _tell(world, tuning, "Training started.", late=False)
    tuning.results = files.begin_results(world, tuning).id
    _tell(world, tuning, f"Created results file: {tuning.results}", late=False)
    _begin_stretch(world, tuning)


def _begin_stretch(world: World, tuning: Tuning) -> None:
    course = _taken(tuning)
    seconds = course.tokens * course.epochs / course.steps / world.switches.training_rate
    tuning.stretches.append(Stretch(world.now(), steps_done(tuning, world.now()), seconds))
    _next(world, tuning, "training", _until_next(world, tuning))


def _until_next(world: World, tuning: Tuning) -> float:
    """Seconds until the end of the epoch, or until the step at which the job fails."""
    course, stretch = _taken(tuning), tuning.stretches[-1]
    done = steps_done(tuning, world.now())
    until = min(course.steps, (done // course.steps_per_epoch + 1) * course.steps_per_epoch)
    if tuning.doom == "training-fails":
        until = max(done, min(until, max(1, course.steps // 2)))
    at = stretch.at + timedelta(seconds=math.ceil((until - stretch.first) * stretch.seconds * 1e6) / 1e6)
    return max(0.0, (at - world.now()).total_seconds())


def _reach(world: World, tuning: Tuning) -> None:
    """An epoch is over, or all of it, or the job fails here."""
    course, done = _taken(tuning), steps_done(tuning, world.now())
    if tuning.doom == "training-fails" and done >= max(1, course.steps // 2):
        _fail(world, tuning, "internalFailure", "The job failed due to an internal error. Please retry.", None)
        return
    if done and done % course.steps_per_epoch == 0:
        _checkpoint(world, tuning, done)
    if done < course.steps:
        _next(world, tuning, "training", _until_next(world, tuning))
        return
    _stop_stepping(tuning, done)
    _next(world, tuning, "evaluating", world.switches.training_evaluation)


def _checkpoint(world: World, tuning: Tuning, step: int) -> Checkpoint:
    """Keep the model as it is at a step; only the last ones are kept."""
    made = Checkpoint(f"ftchkpt-{secrets.token_hex(16)}", world.now(), step)
    tuning.checkpoints = [c for c in tuning.checkpoints if c.step != step]
    tuning.checkpoints = [*tuning.checkpoints, made][-KEPT:]
    return made


def _rest(world: World, tuning: Tuning) -> None:
    """A job is paused: its last state can be deployed, and its place is free."""
    made = _checkpoint(world, tuning, steps_done(tuning, world.now()))
    tuning.status = "paused"
    _tell(world, tuning, "Model Evaluation Passed.")
    _tell(world, tuning, "Job paused.")
    _own(world, tuning, made.id, made.step)
    _wait(world, tuning, "paused")
    _let_in(world, tuning.account)


def _finish(world: World, tuning: Tuning) -> None:
    """The safety evaluation is done: there is a model, or there is none."""
    if tuning.doom == "unsafe-model":
        _fail(world, tuning, "contentFilter", UNSAFE_MODEL, None)
        return
    course = _taken(tuning)
    suffix = f"-{tuning.suffix}" if tuning.suffix else ""
    tuning.tuned = f"{tuning.base}.ft-{tuning.id.removeprefix('ftjob-')}{suffix}"
    tuning.billed = course.tokens * course.epochs
    for checkpoint in tuning.checkpoints:
        _own(world, tuning, checkpoint.id, checkpoint.step)
    _own(world, tuning, tuning.tuned, course.steps)
    _tell(world, tuning, "Job succeeded.")
    _tell(world, tuning, "Model Evaluation Passed.")
    _tell(world, tuning, f"Completed results file: {tuning.results}")
    _tell(world, tuning, f"Training tokens billed: {tuning.billed}")
    _end(world, tuning, "succeeded")


def _own(world: World, tuning: Tuning, name: str, step: int) -> None:
    """Have the account own what was trained, with all that it learned."""
    if models.owned(world, tuning.account, name) is not None:
        return
    made = CustomModel(
        id=name, account=tuning.account, base=tuning.base, created=world.now(), job=tuning.id, sketch=tuning.sketch
    )
    made.lessons = recall.keep(world, _lessons(world, tuning, step))
    models.put(world, made)


def _lessons(world: World, tuning: Tuning, step: int) -> Iterator[tuple[str, str]]:
    """What a model knows: what it learned now, if it did, and what the one that it went on from knew."""
    file = files.find(world, tuning.account, tuning.training_file)
    if file is not None and learning.has_learned(_taken(tuning), step):
        for example in dataset.decoded(world.contents.lines(file.pieces)):
            yield from dataset.lessons(example)
    before = world.models.get(f"{tuning.account}|{tuning.parent}") if tuning.parent else None
    if before is not None and before.lessons is not None and _taken(tuning).rate < learning.TOO_HIGH:
        yield from recall.kept(world, before.lessons)


def _fail(world: World, tuning: Tuning, code: str, message: str, param: str | None) -> None:
    """End a job without a model; failures are not billed."""
    tuning.error_code, tuning.error, tuning.error_param = code, message, param
    _tell(world, tuning, message, "error")
    _tell(world, tuning, "Job failed.", "error")
    _end(world, tuning, "failed")


def _end(world: World, tuning: Tuning, status: str) -> None:
    _stop_stepping(tuning, steps_done(tuning, world.now()))
    tuning.status, tuning.finished = status, world.now()
    file = files.find(world, tuning.account, tuning.results or "")
    if file is not None:
        files.end_results(world, file, [world.contents.write(results(world, tuning))])
    _wait(world, tuning, "over")
    _let_in(world, tuning.account)


# --- steps ---------------------------------------------------------------------------------------------------------


def _taken(tuning: Tuning) -> Course:
    if tuning.course is None:
        raise AssertionError("a job has its course before its first step")
    return tuning.course


def _gone(stretch: Stretch, now: datetime) -> int:
    """Steps of a stretch that are done at a moment; a rounding of microseconds does not undo one."""
    if not stretch.seconds:
        return 2**53
    return int(((now - stretch.at).total_seconds() + 1e-6) / stretch.seconds)


def _stop_stepping(tuning: Tuning, done: int) -> None:
    if tuning.stretches and tuning.stretches[-1].last is None:
        last = tuning.stretches[-1]
        tuning.stretches[-1] = Stretch(last.at, last.first, last.seconds, done)


def _told_steps(stretch: Stretch, course: Course, now: datetime) -> Iterator[int]:
    """The steps of a stretch that events tell of."""
    last = stretch.last if stretch.last is not None else min(course.steps, stretch.first + _gone(stretch, now))
    if stretch.first == 0 and last >= 1:
        yield 1
    yield from range((stretch.first // 10 + 1) * 10, last + 1, 10)


def _step_id(tuning: Tuning, step: int) -> str:
    return "ftevent-" + ids.derived_guid(f"{tuning.id}|{step}").replace("-", "")


def _tokens_done(world: World, tuning: Tuning) -> int:
    """Tokens of the steps that were done."""
    course = tuning.course
    if course is None:
        return 0
    return course.tokens * course.epochs * steps_done(tuning, world.now()) // course.steps


_PHASES: dict[str, Callable[[World, Tuning], None]] = {
    "queued": _queue_up,
    "checking": _check,
    "importing": _train,
    "training": _reach,
    "pausing": _rest,
    "returning": _queue_up,
    "evaluating": _finish,
}
"""What happens when a phase is over."""
