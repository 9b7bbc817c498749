"""The model record: what a training came to, written whole or not at all, with the line that it comes from."""

from __future__ import annotations

import difflib
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from infra import whole
from infra.errors import Mistake, NotFound, NotReady, SpecError
from infra.ports.finetuning import CheckpointView, JobView
from infra.spec import ModelRecord, Project, load_record
from infra.spec.documents import parse, show, write
from infra.spec.reading import Reader
from infra.spec.rules import is_record_name, rules
from infra.training import outcome
from infra.training.accounts import Trainer
from infra.training.intent import Sent

_SCHEMA = "# yaml-language-server: $schema=../schema/model.json\n"
_TUNED = re.compile(r"(?P<base>.+)\.ft-(?P<job>[0-9a-f]{32})(?:-.*)?")
_DEEPEST = 100
"""Generations of continued tuning that are followed."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record on the disk."""

    file: Path
    diff: str
    """What changed in an existing one, as a unified diff; empty for a new one and for one that said the same."""
    is_new: bool


def text(
    trainer: Trainer, job: JobView, project: Project, step: int | None = None, sent: dict[str, Sent] | None = None
) -> str:
    """The record of a job's model, or of a checkpoint of it. `sent` is what is known of its files.

    Raises NotReady for a job that has no such model (yet), NotFound for a step without a checkpoint.
    """
    kept = trainer.jobs.checkpoints(job.id)
    chosen = _checkpoint(job, kept, step) if step is not None else None
    if chosen is None and (job.status != "succeeded" or not job.fine_tuned_model):
        raise NotReady(f"{job.id} has no model to record: {_why(job)}")
    method = str((job.method or {}).get("type") or "supervised")
    parents = lineage(trainer, job, project)
    trained: dict[str, Any] = {
        "base": foundation(parents, job),
        "job": job.id,
        "checkpoint": {"id": chosen.id, "step": chosen.step_number} if chosen is not None else None,
        "files": _files(trainer, job, sent or {}),
        "at": _moment(job.finished_at) if job.finished_at else None,
        "method": method,
        "hyperparameters": _hyperparameters(job, method),
        "seed": job.seed,
        "tokens": job.trained_tokens,
        "parents": parents,
    }
    source = trainer.source
    owner = {"subscription": source.subscription, "resourceGroup": source.resource_group, "account": source.account}
    whole = {
        "model": chosen.id if chosen is not None else job.fine_tuned_model,
        "version": "1",
        "source": owner | ({"tenant": source.tenant} if source.tenant else {}),
        "trained": {key: value for key, value in trained.items() if value not in (None, {}, [])},
    }
    return _SCHEMA + write(whole)


def put(project: Project, name: str, content: str) -> Written:
    """Write a record; an existing one is replaced, its evaluation kept where the model is the same.

    Raises SpecError for a name that is none, and for a record that would not be one.
    """
    if not is_record_name(name):
        raise SpecError([Mistake("command line", 0, "--name", f'"{name}" is no name of a file in stacks/models')])
    file = project.record_file(name)
    _checked(content, project.shown(file))
    old = file.read_text("utf-8") if file.exists() else None
    content = _with_evaluation(content, old)
    record = _checked(content, project.shown(file))
    if old is not None and _same(old, record):
        return Written(file, "", is_new=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    whole.write(file, content)
    return Written(file, _changed(old, content, project.shown(file)), is_new=old is None)


def compared(old: str, new: str, a: str, b: str) -> str:
    """What is otherwise in the second of two records, as a unified diff; comments and order do not count.

    Raises SpecError for a text that is no record.
    """
    left, right = (_plain(_checked(text, name)) for text, name in ((old, a), (new, b)))
    return "\n".join(difflib.unified_diff(left.splitlines(), right.splitlines(), a, b, lineterm="", n=1))


def _plain(record: ModelRecord) -> str:
    whole = msgspec.to_builtins(record)
    whole["trained"] = {key: value for key, value in whole["trained"].items() if value not in (None, {}, [])}
    return write({key: value for key, value in whole.items() if value not in (None, {}, [])})


def _changed(old: str | None, new: str, name: str) -> str:
    """The diff of an existing record, which may have been no record at all."""
    lines = difflib.unified_diff((old or "").splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    return "" if old is None else "\n".join(lines)


# --- the line that a model comes from ------------------------------------------------------------------------------


def lineage(trainer: Trainer, job: JobView, project: Project) -> list[dict[str, str]]:
    """The trainings that a job goes on from, oldest first, each with its job, its model and what it was tuned from.

    From the records of the project where one holds the model, else from the account's jobs; what neither knows any
    more ends the line.
    """
    known = _records(project)
    found: list[dict[str, str]] = []
    model = job.model
    while len(found) < _DEEPEST and (split := _TUNED.fullmatch(model)):
        name = f"ftjob-{split['job']}"
        record = known.get(name)
        if record is not None and record.trained.parents and all(isinstance(p, dict) for p in record.trained.parents):
            above = [{str(k): str(v) for k, v in parent.items()} for parent in record.trained.parents]
            own = {"job": name, "model": record.model, "base": above[-1].get("model", split["base"])}
            return [*above, own, *found]
        try:
            parent = trainer.jobs.job(name)
        except NotFound:
            return [{"job": name, "model": model, "base": split["base"]}, *found]
        found.insert(0, {"job": name, "model": parent.fine_tuned_model or model, "base": parent.model})
        model = parent.model
    return found


def foundation(parents: list[dict[str, str]], job: JobView) -> str:
    """The base model under all of them."""
    first = parents[0]["base"] if parents else job.model
    return first.partition(".ft-")[0]


def _records(project: Project) -> dict[str, ModelRecord]:
    """The records by their job; those with mistakes are passed over."""
    found = {}
    for name in project.record_names():
        try:
            record = load_record(project, name)
        except SpecError:
            continue
        split = _TUNED.fullmatch(record.model)
        job = record.trained.job or (f"ftjob-{split['job']}" if split else None)
        if job is not None and not record.trained.checkpoint:
            found[job] = record
    return found


# --- parts of it ---------------------------------------------------------------------------------------------------


def _checkpoint(job: JobView, kept: list[CheckpointView], step: int) -> CheckpointView | None:
    """The checkpoint of a step; None for the last of a job that succeeded, which is the model itself."""
    found = next((one for one in kept if one.step_number == step), None)
    if found is None:
        steps = ", ".join(str(one.step_number) for one in kept) or "none"
        raise NotFound(f"{job.id} has no checkpoint at step {step}; Azure keeps those at {steps}")
    if why := outcome.why_not(job, found, kept):
        raise NotReady(f"The checkpoint of {job.id} at step {step} cannot be deployed: {why}")
    return None if job.status == "succeeded" and found is kept[-1] else found


def _why(job: JobView) -> str:
    return outcome.failure(job) if job.status == "failed" else f"it is {job.status}"


def _files(trainer: Trainer, job: JobView, sent: dict[str, Sent]) -> dict[str, Any]:
    found = {}
    for key, file in (("training", job.training_file), ("validation", job.validation_file)):
        if not file:
            continue
        digest = next((one.sha256 for one in sent.values() if one.id == file and one.sha256), None)
        try:
            digest = digest or _digest(trainer, file)
        except NotFound:
            digest = None  # deleted by now, as files may be
        found[key] = {"id": file} | ({"sha256": digest} if digest else {})
    return found


def _digest(trainer: Trainer, file: str) -> str:

    found = hashlib.sha256()
    with trainer.files.content(file) as pieces:
        for piece in pieces:
            found.update(piece)
    return found.hexdigest()


def _hyperparameters(job: JobView, method: str) -> dict[str, Any]:
    """As the job had them, what Azure chose among them."""
    own = ((job.method or {}).get(method) or {}).get("hyperparameters") or {}
    whole = {**job.hyperparameters, **own}
    return {name: value for name, value in whole.items() if value not in (None, -1, "auto")}


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _checked(content: str, name: str) -> ModelRecord:
    """The record that a text is; raises SpecError. What is written must be what can be read."""
    document = parse(content, name)
    reader = Reader(rules())
    found = reader.read(document.value, ModelRecord, ())
    wrong = [*document.mistakes, *(Mistake(name, document.line(at), show(at), says) for at, says in reader.mistakes)]
    if wrong:
        raise SpecError(wrong)
    assert isinstance(found, ModelRecord)  # noqa: S101 - no mistake, so it was read
    return found


def _same(old: str, record: ModelRecord) -> bool:
    try:
        return _checked(old, "") == record
    except SpecError:
        return False


def _with_evaluation(content: str, old: str | None) -> str:
    """The text with the evaluation that an existing record of the same model has."""
    if old is None:
        return content
    was, now = parse(old, "").value, parse(content, "").value
    same = isinstance(was, dict) and was.get("model") == now["model"]
    return _SCHEMA + write({**now, "evaluation": was["evaluation"]}) if same and was.get("evaluation") else content
