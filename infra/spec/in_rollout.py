"""Which stacks rollout.yaml names: their models are moved by rollouts alone."""

from __future__ import annotations

import fnmatch
from typing import Any

from infra.errors import SpecError
from infra.spec.project import Project


def names_in_rollout(project: Project) -> frozenset[str]:
    """The stacks that a wave of rollout.yaml names; none without that file. Raises SpecError."""
    file = project.stacks / "rollout.yaml"
    if not file.exists():
        return frozenset()
    document = project.document(file)
    if document.mistakes:
        raise SpecError(document.mistakes)
    waves: Any = document.find(("waves",)) or []
    wanted: list[str] = []
    for wave in waves:
        targets = wave.get("targets")
        wanted += [targets] if isinstance(targets, str) else [t for t in targets or [] if isinstance(t, str)]
    return frozenset(s for s in project.stack_names() if any(fnmatch.fnmatchcase(s, w) for w in wanted))
