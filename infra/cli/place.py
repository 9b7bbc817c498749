"""Where a command finds its project and its tools."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import Mistake, SpecError

if TYPE_CHECKING:
    from infra.spec import Project


def root() -> Path:
    """The project's folder: HEARTH_PROJECT, or the nearest folder upwards with a Pulumi.yaml."""
    named = os.environ.get("HEARTH_PROJECT")
    if named:
        return Path(named).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    text = "no Pulumi.yaml here or above; go to the project's folder, or name it in HEARTH_PROJECT"
    raise SpecError([Mistake(str(here), 0, "", text)])


def project() -> Project:
    """The project, opened."""
    from infra.spec import open_project

    return open_project(root())


def require_stacks(names: list[str]) -> list[str]:
    """The stacks that were named, or all that have a file; raises SpecError for one that has none."""
    from infra.spec.limits import did_you_mean

    opened = project()
    known = opened.stack_names()
    wrong = [name for name in names if name not in known]
    if wrong:
        where = opened.shown(opened.stacks)
        raise SpecError(
            [Mistake(where, 0, name, f"there is no stack of this name{did_you_mean(name, known)}") for name in wrong]
        )
    return names or known


def hidden_folder() -> Path:
    """Where hearth keeps what git ignores."""
    return root() / ".hearth"


def require_writable(file: Path, option: str) -> None:
    """Raises SpecError for a file that cannot be written, before anything is done that it is to tell of."""
    try:
        file.open("a").close()
    except OSError as error:
        raise _unwritable(file, option, error) from error


def write(file: Path, text: str, option: str) -> None:
    """Write what an option asked for; raises SpecError for a file that cannot be written."""
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise _unwritable(file, option, error) from error


def _unwritable(file: Path, option: str, error: OSError) -> SpecError:
    return SpecError([Mistake(str(file), 0, option, f"cannot be written: {error.strerror or error}")])
