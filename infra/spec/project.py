"""The files of a project: Pulumi.yaml, the stacks, the model records. Reads them as the engine does; judges nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from infra.errors import Mistake, SpecError
from infra.spec import documents, scalars
from infra.spec.documents import SECRET, Document
from infra.spec.documents import Path as At
from infra.spec.limits import did_you_mean


class _Row(NamedTuple):
    """One key of the configuration: its value as the engine hands it over, and where that stands."""

    value: Any
    document: Document
    at: At


@dataclass(slots=True)
class Project:
    """A folder with a Pulumi.yaml. Documents are read once."""

    root: Path
    name: str = "hearth"
    stacks: Path = Path("stacks")
    _documents: dict[Path, Document] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The project's own file."""
        return self.root / "Pulumi.yaml"

    def stack_names(self) -> list[str]:
        """The stacks that have a file, in order of name."""
        return sorted(p.name[len("Pulumi.") : -len(".yaml")] for p in self.stacks.glob("Pulumi.*.yaml"))

    def stack_file(self, stack: str) -> Path:
        """The file of a stack."""
        return self.stacks / f"Pulumi.{stack}.yaml"

    def record_names(self) -> list[str]:
        """The model records that have a file."""
        return sorted(p.stem for p in (self.stacks / "models").glob("*.yaml"))

    def record_file(self, name: str) -> Path:
        """The file of a model record."""
        return self.stacks / "models" / f"{name}.yaml"

    @property
    def training_folder(self) -> Path:
        """Where it stands what is trained."""
        return self.stacks / "training"

    def training_names(self) -> list[str]:
        """The files of stacks/training."""
        return sorted(p.stem for p in self.training_folder.glob("*.yaml"))

    def training_file(self, name: str) -> Path:
        """The file that says what is trained under a name."""
        return self.training_folder / f"{name}.yaml"

    def document(self, path: Path) -> Document:
        """A file, parsed; one that cannot be read is a document with a mistake."""
        if path not in self._documents:
            self._documents[path] = self._read(path)
        return self._documents[path]

    def shown(self, path: Path) -> str:
        """A path as messages name it: from the project's folder."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def config(self, stack: str) -> dict[str, Any]:
        """The configuration of a stack as its files give it: its own keys, the project's for those it lacks.

        What the engine would decrypt is SECRET. Raises SpecError for files that the engine would not take.
        """
        rows, mistakes = self._rows(stack)
        if mistakes:
            raise SpecError(mistakes)
        return {key: row.value for key, row in rows.items()}

    def place(self, stack: str, path: At, value: Any) -> tuple[str, int]:
        """The file and line of a configured value; line 0 where the files do not hold that very value.

        `path` starts with a key of the configuration and `value` is what that key has. The files do not hold it when it
        came from elsewhere: --config-file, -c, or a secret.
        """
        row = self._rows(stack)[0].get(str(path[0]))
        if row is None:
            return self.shown(self.stack_file(stack)), 0
        return row.document.file, row.document.line((*row.at, *path[1:])) if row.value == value else 0

    def _read(self, path: Path) -> Document:
        shown = self.shown(path)
        try:
            # Pulumi's own files are read by its engine; the others by us alone.
            return documents.parse(path.read_text("utf-8-sig"), shown, engine=path.name.startswith("Pulumi."))
        except FileNotFoundError:
            text = "does not exist"
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            return Document(shown, mistakes=[Mistake(shown, line, "", "is not UTF-8 text; save it as UTF-8")])
        except OSError as error:
            text = f"cannot be read: {error.strerror or type(error).__name__}"
        return Document(shown, mistakes=[Mistake(shown, 0, "", text)])

    def _rows(self, stack: str) -> tuple[dict[str, _Row], list[Mistake]]:
        """The configuration by key, with what is wrong in the files as such."""
        own, project = self.document(self.stack_file(stack)), self.document(self.file)
        mistakes = [*project.mistakes, *own.mistakes, *_misplaced(own)]
        rows: dict[str, _Row] = {}
        for document in (project, own):
            config = document.find(("config",))
            if config is not None and not isinstance(config, dict):
                line = document.line(("config",))
                mistakes.append(
                    Mistake(document.file, line, "config", "must be a mapping of keys such as hearth:account")
                )
                continue
            for key, value in (config or {}).items():
                # The engine puts a key without a namespace into the project's.
                full = key if ":" in key else f"{self.name}:{key}"
                if document is own:
                    rows[full] = _Row(_as_given(value), own, ("config", key))
                else:
                    rows.update((full, row) for row in _default(key, value, project, mistakes))
        return rows, mistakes


def _default(key: str, value: Any, project: Document, mistakes: list[Mistake]) -> Iterator[_Row]:
    """The value of a key in Pulumi.yaml, where a mapping declares the key: the value stands in it."""
    at: At = ("config", key)
    if not isinstance(value, dict):
        yield _Row(_as_given(value), project, at)
        return
    if not value.keys() <= {"value", "default", "type", "items", "description", "secret"}:
        text = "Pulumi takes no such mapping here; put it below a key of its own, value:"
        mistakes.append(Mistake(project.file, project.line(at), documents.show(at), text))
    for name in value.keys() & {"value", "default"}:
        yield _Row(_as_given(value[name]), project, (*at, name))


def _as_given(value: Any) -> Any:
    """A value at the top of the configuration, which the engine hands over as text, or as JSON for what is more."""
    if isinstance(value, dict | list):
        return _hide(value)
    return value_of(scalars.as_text(value))


def value_of(text: str) -> Any:
    """A configured value from the engine's text: JSON where it is a mapping or a list; None where there is none."""
    if text[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text or None


def _hide(value: Any) -> Any:
    """A value with SECRET for what is encrypted."""
    if isinstance(value, list):
        return [_hide(item) for item in value]
    if isinstance(value, dict):
        encrypted = value.keys() == {"secure"} and isinstance(value["secure"], str)
        return SECRET if encrypted else {key: _hide(item) for key, item in value.items()}
    return value


def _misplaced(document: Document) -> list[Mistake]:
    """What a stack file says outside `config:`. The engine passes over a wrong key without a word."""
    if document.value is None:
        return []
    if not isinstance(document.value, dict):
        return [Mistake(document.file, document.line(()), "", "must be a mapping with the key config")]
    found = []
    for key in document.value:
        hint = "; belongs below config:" if ":" in key else ""
        if "config" not in document.value:
            hint = hint or did_you_mean(key, ["config"])
        if hint:
            found.append(Mistake(document.file, document.line((key,)), key, f"is not read here{hint}"))
    return found


def open_project(root: Path) -> Project:
    """The project in a folder; raises SpecError if its Pulumi.yaml is missing or broken."""
    project = Project(root=root.resolve(), stacks=root.resolve() / "stacks")
    document = project.document(project.file)
    if document.mistakes:
        raise SpecError(document.mistakes)
    name, folder = document.find(("name",)), document.find(("stackConfigDir",))
    if isinstance(name, str):
        project.name = name
    if isinstance(folder, str):
        project.stacks = project.root / folder
    return project
