"""`stacks/training/<name>.yaml`, typed and read: what is tuned on what, where and how. Every mistake at once."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from infra.errors import Mistake, SpecError
from infra.spec import tuning
from infra.spec.documents import Document, show
from infra.spec.documents import Path as At
from infra.spec.limits import did_you_mean
from infra.spec.model import RecordName, Source, Written, check
from infra.spec.project import Project
from infra.spec.reading import BAD, Reader
from infra.spec.rules import is_record_name, is_stack_name, rules

PORTAL_SUFFIX = 18
"""Characters that the portal and older pages take of a suffix (Learn, 2024); the API takes 40."""
TRAINED_ON = re.compile(r"file-[0-9A-Za-z]+|assistant-[0-9A-Za-z]+")
"""Ids of files."""


class Data(Written, frozen=True):
    """One of the two files of a job."""

    shorthand: ClassVar[str | None] = "file"

    file: Annotated[str, check("data")]
    """A path from the project's folder, a Blob's https address without its signature, or the id of a file."""
    signature: Annotated[str, check("variable")] | None = None
    """The variable of the environment that holds a Blob's signature; else one is made from the login."""

    @property
    def is_blob(self) -> bool:
        """Whether Azure is to fetch it."""
        return self.file.startswith("https://")

    @property
    def is_uploaded(self) -> bool:
        """Whether it is in Azure already, named by its id."""
        return TRAINED_ON.fullmatch(self.file) is not None


class Hyperparameters(Written, frozen=True, rename=None):
    """Names as the service's. What is unset is chosen by Azure."""

    n_epochs: Annotated[int, check("count")] | None = None
    batch_size: Annotated[int, check("count")] | None = None
    learning_rate_multiplier: Annotated[float, check("positive")] | None = None
    beta: Annotated[float, check("positive")] | None = None
    compute_multiplier: Annotated[float, check("positive")] | None = None
    eval_interval: Annotated[int, check("count")] | None = None
    eval_samples: Annotated[int, check("count")] | None = None
    reasoning_effort: Literal["default", "low", "medium", "high"] | None = None

    def given(self) -> dict[str, int | float | str]:
        """Those that are set."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


_COMMON = {"n_epochs", "batch_size", "learning_rate_multiplier"}
TAKES: dict[tuning.Method, frozenset[str]] = {
    "supervised": frozenset(_COMMON),
    "dpo": frozenset(_COMMON | {"beta"}),
    "reinforcement": frozenset(_COMMON | {"compute_multiplier", "eval_interval", "eval_samples", "reasoning_effort"}),
}
"""Which hyperparameters a method has (openai 3.54, types of fine_tuning)."""


class TrainingFile(Written, frozen=True, kw_only=True):
    """A file of stacks/training."""

    account: Source | None = None
    stack: str | None = None
    model: Annotated[str, check("tunable")]
    training: Data
    validation: Data | None = None
    method: Literal["supervised", "dpo", "reinforcement"] = "supervised"
    hyperparameters: Hyperparameters = Hyperparameters()
    grader: dict[str, Any] | None = None
    seed: Annotated[int, check("seed")] | None = None
    suffix: Annotated[str, check("suffix")] | None = None
    training_type: Literal["Standard", "GlobalStandard", "DeveloperTier"] | None = None
    record: RecordName | None = None


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """One file of stacks/training with its name, and what is to be said about it."""

    name: str
    file: str
    """The YAML, as messages name it."""
    wish: TrainingFile
    warnings: tuple[str, ...] = ()
    lines: dict[str, int] = {}
    """Where the YAML names the file for training and that for validation."""

    @property
    def record(self) -> str:
        """The name of the model record that it ends with."""
        return self.wish.record or self.name


def load_training(project: Project, name: str) -> Training:
    """A file of stacks/training; raises SpecError with every mistake, each with its line."""
    if not is_record_name(name):
        raise SpecError([Mistake(project.shown(project.training_folder), 0, name, "is no name of a file there")])
    document = project.document(project.training_file(name))
    if document.mistakes:
        known = project.training_names()
        hint = "" if name in known else did_you_mean(name, known)
        raise SpecError([Mistake(m.file, m.line, m.path, f"{m.text}{hint}") for m in document.mistakes])
    reader = Reader(rules())
    if not isinstance(document.value, dict):
        reader.read(document.value, TrainingFile, ())  # says what it is instead
        raise SpecError([_mistake(document, at, text) for at, text in reader.mistakes])
    fields = reader.fields(document.value, TrainingFile, ())
    found = [*reader.mistakes, *_together(project, fields, _hyperparameters(document.value))]
    if found:
        raise SpecError([_mistake(document, at, text) for at, text in found])
    wish = TrainingFile(**fields)
    lines = {role: document.line((role, "file")) for role in ("training", "validation")}
    return Training(name=name, file=document.file, wish=wish, warnings=tuple(_remarks(wish)), lines=lines)


def check_trainings(project: Project) -> tuple[list[str], list[Mistake]]:
    """What is to be said about the files of stacks/training, and their mistakes."""
    warnings: list[str] = []
    mistakes: list[Mistake] = []
    for name in project.training_names():
        try:
            found = load_training(project, name)
        except SpecError as error:
            mistakes += error.mistakes
            continue
        warnings += [f"{found.file}: {text}" for text in found.warnings]
    return warnings, mistakes


def _mistake(document: Document, at: At, text: str) -> Mistake:
    return Mistake(document.file, document.line(at), show(at), text)


def _hyperparameters(value: dict[str, Any]) -> list[str]:
    """Those that are written down, whatever their values are."""
    given = value.get("hyperparameters")
    known = Hyperparameters.__struct_fields__
    return sorted(name for name in known if given.get(name) is not None) if isinstance(given, dict) else []


def _together(project: Project, fields: dict[str, Any], hyperparameters: list[str]) -> list[tuple[At, str]]:
    """What takes more than one key to see. A key that is BAD is there, and says no more than that."""
    found: list[tuple[At, str]] = []
    stack, method = fields["stack"], fields["method"]
    if (fields["account"] is None) == (stack is None):
        found.append((("account",), "name the account that trains, or a stack that has it: one of account and stack"))
    if isinstance(stack, str) and (not is_stack_name(stack) or stack not in project.stack_names()):
        found.append((("stack",), f"there is no such stack{did_you_mean(stack, project.stack_names())}"))
    for key in ("training", "validation"):
        data = fields[key]
        if isinstance(data, Data) and data.signature is not None and not data.is_blob:
            found.append(((key, "signature"), "only a Blob's address has a signature"))
    return found if method is BAD else found + _of_method(method, fields, hyperparameters)


def _of_method(method: tuning.Method, fields: dict[str, Any], hyperparameters: list[str]) -> list[tuple[At, str]]:
    """What a method asks of the other keys."""
    found: list[tuple[At, str]] = []
    for name in hyperparameters:
        if name not in TAKES[method]:
            others = [one for one, known in TAKES.items() if name in known]
            text = f"is no hyperparameter of {method}, but of {' and '.join(others)}"
            found.append((("hyperparameters", name), text))
    if (fields["grader"] is not None) != (method == "reinforcement"):
        needs = "needs one: what tells good answers from bad" if fields["grader"] is None else "alone has one"
        found.append((("grader",), f"reinforcement {needs}"))
    if method == "reinforcement" and fields["validation"] is None:
        found.append((("validation",), "reinforcement needs a validation file"))
    known = tuning.load().model(fields["model"]) if isinstance(fields["model"], str) else None
    if known is not None and method not in known.methods:
        found.append((("method",), f"{known.name} is tuned by {' or '.join(known.methods)} alone"))
    return found


def _remarks(wish: TrainingFile) -> list[str]:
    found = []
    if wish.suffix is not None and len(wish.suffix) > PORTAL_SUFFIX:
        found.append(f"suffix has {len(wish.suffix)} characters: the API takes 40, the portal {PORTAL_SUFFIX}")
    return found
