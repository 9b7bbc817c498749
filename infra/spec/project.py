"""The files of a project: Pulumi.yaml, the stacks, the model records. Reads them; judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.errors import Mistake, SpecError
from infra.spec.documents import Document, parse


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

    def document(self, path: Path) -> Document:
        """A file, parsed; one that cannot be read is a document with a mistake."""
        if path not in self._documents:
            shown = self.shown(path)
            try:
                self._documents[path] = parse(path.read_text("utf-8-sig"), shown)
            except FileNotFoundError:
                self._documents[path] = Document(shown, mistakes=[Mistake(shown, 0, "", "does not exist")])
            except (OSError, UnicodeDecodeError) as error:
                self._documents[path] = Document(shown, mistakes=[Mistake(shown, 0, "", f"cannot be read: {error}")])
        return self._documents[path]

    def shown(self, path: Path) -> str:
        """A path as messages name it: from the project's folder."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def config(self, stack: str) -> dict[str, Any]:
        """The configuration of a stack as its files give it: its own keys, the project's for those it lacks.

        Raises SpecError for files that are no YAML or have a key twice.
        """
        project, own = self.document(self.file), self.document(self.stack_file(stack))
        mistakes = [*project.mistakes, *own.mistakes]
        defaults, given = project.find(("config",)) or {}, own.find(("config",)) or {}
        for document, found in ((project, defaults), (own, given)):
            if not isinstance(found, dict):
                mistakes.append(Mistake(document.file, document.line(("config",)), "config", "must be a mapping"))
        if mistakes:
            raise SpecError(mistakes)
        values = {key: row["value"] if _wrapped(row) else row for key, row in defaults.items()}
        return {**values, **given}

    def place(self, stack: str, path: tuple[str | int, ...], value: Any) -> tuple[str, int]:
        """The file and line of a configured value; line 0 where the files do not hold that very value.

        They do not when the value came from elsewhere: --config-file, -c, or a secret.
        """
        own, project = self.document(self.stack_file(stack)), self.document(self.file)
        top = ("config", path[0])
        if top in own.lines:
            at: tuple[str | int, ...] = ("config", *path)
            return own.file, own.line(at) if own.find(top) == value else 0
        if top in project.lines:
            row = project.find(top)
            at = (*top, "value", *path[1:]) if _wrapped(row) else ("config", *path)
            return project.file, project.line(at) if (row["value"] if _wrapped(row) else row) == value else 0
        return own.file, 0


def _wrapped(row: Any) -> bool:
    """Pulumi.yaml gives a mapping or a list as `value:` below its key."""
    return isinstance(row, Mapping) and set(row) <= {"value", "default", "type", "secret"} and "value" in row


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
