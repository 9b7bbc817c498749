"""Which stacks a change touches: their own files, the records that they use, or the program that all of them run.

Reads no more than the names of the changed files, and where a record changed the stacks that speak of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from infra.errors import Mistake, SpecError
from infra.spec import Project, applied

PROGRAM = (*applied.PROGRAM, "pyproject.toml")
"""What may change every stack's `up`, from the project's folder; a name that ends with '/' is a folder."""
_LONGEST = 60
"""Seconds that git may take."""


def changed_files(root: Path, since: str) -> list[str]:
    """Files below `root` that differ from where HEAD left `since`, as paths from it: committed, not yet, and new ones.

    Raises SpecError where git knows no such commit, or the folder is in no repository.
    """
    base = _git(root, since, "merge-base", "--end-of-options", since, "HEAD").strip()
    differing = _git(root, since, "diff", "--name-only", "--no-renames", "--relative", "-z", base, "--", ".")
    untracked = _git(root, since, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    return sorted({name for name in f"{differing}{untracked}".split("\0") if name})


def stacks(project: Project, files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The touched stacks that have a file, in order of name, each with the changed files that touch it."""
    folder = PurePosixPath(project.shown(project.stacks))
    found: dict[str, list[str]] = {}
    known = project.stack_names()
    records: dict[str, str] = {}
    for file in sorted(files):
        path = PurePosixPath(file)
        if any(file == one or (one.endswith("/") and file.startswith(one)) for one in PROGRAM):
            for name in known:
                found.setdefault(name, []).append(file)
        elif path.parent == folder and path.name.startswith("Pulumi.") and path.suffix == ".yaml":
            found.setdefault(path.name[len("Pulumi.") : -len(".yaml")], []).append(file)
        elif path.parent == folder / "models" and path.suffix == ".yaml":
            records[path.stem] = file
    for name, used in _using(project, known, records).items():
        found.setdefault(name, []).extend(records[record] for record in sorted(used))
    return {name: tuple(dict.fromkeys(found[name])) for name in known if name in found}


def removed(project: Project, files: Iterable[str]) -> list[str]:
    """Stacks whose files the change took away: what they put up still stands."""
    folder = PurePosixPath(project.shown(project.stacks))
    names = {
        path.name[len("Pulumi.") : -len(".yaml")]
        for path in map(PurePosixPath, files)
        if path.parent == folder and path.name.startswith("Pulumi.") and path.suffix == ".yaml"
    }
    return sorted(names - set(project.stack_names()))


def _using(project: Project, known: list[str], records: Iterable[str]) -> dict[str, set[str]]:
    """Stack → those of the records that its deployments serve."""
    wanted = set(records)
    if not wanted:
        return {}
    shared = _models(project, _load(project.file)) or set()
    found: dict[str, set[str]] = {}
    for name in known:
        file = project.stack_file(name)
        text = file.read_text("utf-8", errors="replace")
        # A name that does not stand in the text can only come from the project's defaults: no need to parse it.
        spoken_of = shared & wanted or any(record in text for record in wanted)
        own = _models(project, _load(file)) if spoken_of else None
        used = (shared if own is None else own) & wanted
        if used:
            found[name] = used
    return found


def _models(project: Project, document: Any) -> set[str] | None:
    """The records that `hearth:deployments` of a file names; None where it has no such key."""
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        return None
    keys = ("hearth:deployments", *(("deployments",) if project.name == "hearth" else ()))
    given = next((config[key] for key in keys if key in config), None)
    if isinstance(given, dict) and "value" in given and not isinstance(given["value"], str):
        given = given["value"]  # a default of Pulumi.yaml
    if not isinstance(given, dict):
        return None
    return {str(one["model"]) for one in given.values() if isinstance(one, dict) and "model" in one}


def _load(file: Path) -> Any:
    """A file, quickly and without places; one that is no YAML says nothing here, `hearth check` says what is wrong."""
    try:
        return yaml.load(file.read_text("utf-8-sig", errors="replace"), Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None


def _git(root: Path, since: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except FileNotFoundError:
        raise SpecError([Mistake(str(root), 0, "", "git is not installed, and only git knows what changed")]) from None
    if done.returncode:
        fact = " ".join(done.stderr.split()).removeprefix("fatal: ")
        hint = " (a shallow clone lacks it: fetch-depth: 0)" if "not a valid" in fact.lower() or not fact else ""
        raise SpecError([Mistake("--changed-since", 0, since, f"git: {fact or 'no common commit'}{hint}")])
    return done.stdout
