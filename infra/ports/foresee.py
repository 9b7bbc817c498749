"""What the engine would do, as values: `pulumi preview`, and `pulumi refresh --preview-only`. Neither changes anything.

The engine prints one JSON document: a step for each resource that it would touch, with the state before and after, and
what was said on the way.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from infra.errors import HearthError, NotFound, Refused, Unreachable
from infra.ports.stacks import Stacks, executable, meaning

LONGEST = 1800
"""Seconds that one preview may take."""
Op = Literal["create", "update", "replace", "delete"]
_OPS: dict[str, Op] = {
    "create": "create", "import": "create", "update": "update", "delete": "delete",
    "discard": "delete", "replace": "replace", "create-replacement": "replace", "delete-replaced": "replace",
    "import-replacement": "replace",
}  # fmt: skip
"""The engine's words for what touches a resource; the others (same, read, refresh) change nothing."""
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that only Azure will tell (sdk/go/common/resource/plugin, UnknownStringValue)."""

_SALTS = ("encryptionsalt", "encryptedkey", "secretsprovider")
"""Keys of a stack file that belong to its secrets, and so to the backend that it is meant for."""
_AWAY = re.compile(r"nothing answers there|connection refused|no such host|does not answer|not log in|AADSTS", re.I)
"""In what plugins, engine and program say: Azure, or its login, is what failed."""


@dataclass(frozen=True, slots=True)
class Field:
    """A property that differs."""

    path: str
    before: Any
    after: Any
    replaces: bool
    """Whether the resource must be made anew for it."""
    wished: bool
    """Whether somebody wrote it (an input), rather than Azure alone (an output)."""


@dataclass(frozen=True, slots=True)
class Step:
    """What would become of one resource."""

    op: Op
    urn: str
    id: str
    """In Azure; empty for one that is not there yet."""
    protected: bool
    before: Mapping[str, Any]
    """Inputs in the state; empty for one that is not there yet."""
    after: Mapping[str, Any]
    fields: tuple[Field, ...]

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def type(self) -> str:
        """Its own type, without those of what holds it."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one stack's run would come to."""

    steps: tuple[Step, ...]
    warnings: tuple[str, ...]
    before: Mapping[str, Any]
    """Outputs of the stack's last run."""


class Engine:
    """Questions to the engine about the stacks of one project."""

    def __init__(self, root: Path) -> None:
        """`root` is the folder with Pulumi.yaml."""
        self._root = root

    def up(self, stack: str, *, refresh: bool = False, environment: Mapping[str, str] | None = None) -> Foreseen:
        """What `pulumi up` would do; with `refresh`, from what Azure has and not from what the state says.

        A stack that the backend does not know yet is put up in thought, in a backend of a moment's: who only previews
        may not make one. Raises HearthError with what the program or the engine says, Unreachable, and NotFound for
        an unknown stack whose file holds secrets, which nothing can open yet.
        """
        try:
            return self._ask(stack, ["preview", *(["--refresh"] if refresh else [])], environment)
        except NotFound:
            file = next(self._root.glob(f"**/Pulumi.{stack}.yaml"), None)
            if file is None or "secure:" in file.read_text("utf-8", errors="replace"):
                raise
            return self._first(stack, file, environment)

    def _first(self, stack: str, file: Path, environment: Mapping[str, str] | None) -> Foreseen:
        """The first `up` of a stack, from a copy of the project whose files making a stack may change."""
        with tempfile.TemporaryDirectory(prefix="hearth-preview-") as folder:
            root, state = Path(folder, "project"), Path(folder, "state")
            root.mkdir()
            state.mkdir()
            settings = file.relative_to(self._root).parts[0]
            for one in self._root.iterdir():
                if one.name != settings:
                    (root / one.name).symlink_to(one)
            shutil.copytree(self._root / settings, root / settings)
            copy = root / file.relative_to(self._root)
            lines = copy.read_text("utf-8").splitlines(keepends=True)
            copy.write_text("".join(line for line in lines if not line.startswith(_SALTS)), "utf-8")
            env = {
                **(environment or {}),
                "PULUMI_BACKEND_URL": f"file://{state}",
                "PULUMI_CONFIG_PASSPHRASE": "a moment",
            }
            Stacks(root, "", {**os.environ, **env}).create(stack)
            return Engine(root)._ask(stack, ["preview"], env)

    def refresh(self, stack: str) -> Foreseen:
        """What differs between the state and Azure; a step's `before` is the state, its `after` what Azure has.

        The program is not run: it has nothing to say about what is there. Raises as `up`.
        """
        return self._ask(stack, ["refresh", "--preview-only", "--run-program=false"], None)

    def _ask(self, stack: str, words: Sequence[str], environment: Mapping[str, str] | None) -> Foreseen:
        arguments = [executable(), *words, "--json", "--non-interactive", "--stack", stack]
        env = {**os.environ, **(environment or {})}
        try:
            done = subprocess.run(
                arguments, cwd=self._root, env=env, capture_output=True, text=True, timeout=LONGEST, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"`pulumi {words[0]}` of {stack} has not ended in {LONGEST} seconds") from error
        document = _document(done.stdout)
        if document is None:
            raise meaning(done.stderr or done.stdout)
        if done.returncode:
            raise _meaning(_said(document, "error") or _line(done.stderr) or f"pulumi {words[0]}: failed", words[0])
        return read(document)


def read(document: Mapping[str, Any]) -> Foreseen:
    """The engine's document as values."""
    found: dict[str, Step] = {}
    before: Mapping[str, Any] = {}
    for raw in document.get("steps") or []:
        if str(raw["urn"]).split("::")[2] == "pulumi:pulumi:Stack":
            before = (raw.get("oldState") or {}).get("outputs") or {}
        step = _step(raw)
        # A replacement is told as two or three steps of one URN; what makes the new one has both states.
        if step is not None and not (step.urn in found and found[step.urn].fields):
            found[step.urn] = step
    warnings = [str(d["message"]) for d in document.get("diagnostics") or [] if d.get("severity") == "warning"]
    return Foreseen(tuple(found.values()), tuple(map(_line, warnings)), before)


def _step(raw: Mapping[str, Any]) -> Step | None:
    op = _OPS.get(str(raw["op"]))
    if op is None:
        return None
    old, new = raw.get("oldState") or {}, raw.get("newState") or {}
    state = old or new
    if not state.get("custom"):
        return None  # a component: nothing in Azure
    before, after = old.get("inputs") or {}, new.get("inputs") or {}
    fields = tuple(
        Field(path, *_values(path, old, new, wished=wished), replaces="replace" in how["kind"], wished=wished)
        for path, how in sorted((raw.get("detailedDiff") or {}).items())
        for wished in (bool(how.get("inputDiff")) and _wished(path, before, after),)
    )
    identity = str(old.get("id") or "")
    return Step(op, str(raw["urn"]), identity, bool(old.get("protect")), before, after, fields)


def _wished(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """A refresh calls every property an input; one that stands in neither's inputs is Azure's own."""
    return at(before, path) is not None or at(after, path) is not None


def _values(path: str, old: Mapping[str, Any], new: Mapping[str, Any], *, wished: bool) -> tuple[Any, Any]:
    where = "inputs" if wished else "outputs"
    return shown(at(old.get(where) or {}, path)), shown(at(new.get(where) or {}, path))


def at(inputs: Any, path: str) -> Any:
    """The value at a path of the engine's (`sku.capacity`, `rules[0].name`, `tags["a.b"]`), or None."""
    for key in keys(path):
        if isinstance(inputs, Mapping):
            inputs = inputs.get(str(key))
        elif isinstance(inputs, list) and isinstance(key, int) and key < len(inputs):
            inputs = inputs[key]
        else:
            return None
    return inputs


def keys(path: str) -> list[str | int]:
    """The keys of a path."""
    found: list[str | int] = []
    rest = path
    while rest:
        if rest.startswith("["):
            inner, _, rest = rest[1:].partition('"]' if rest.startswith('["') else "]")
            found.append(inner[1:] if inner.startswith('"') else int(inner) if inner.isdigit() else inner)
            rest = rest.removeprefix(".")
            continue
        stop = min([index for index in (rest.find("."), rest.find("[")) if index >= 0], default=len(rest))
        found.append(rest[:stop])
        rest = rest[stop:].removeprefix(".")
    return found


def shown(value: Any) -> Any:
    """A value for people: the engine's mark of what only Azure will tell, as words."""
    return "known after apply" if value == _UNKNOWN else value


def _document(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _said(document: Mapping[str, Any], severity: str) -> str:
    lines = [str(d["message"]) for d in document.get("diagnostics") or [] if d.get("severity") == severity]
    return "; ".join(dict.fromkeys(_line(line) for line in lines))


def _meaning(text: str, word: str) -> HearthError:
    """Why a run failed. A refresh runs no program of ours: what fails it is Azure or the engine."""
    if _AWAY.search(text):
        return Unreachable(text)
    return Refused(text) if word == "refresh" else HearthError(text)


def _line(text: str) -> str:
    return " ".join(text.split()).removeprefix("error: ").removeprefix("warning: ")
