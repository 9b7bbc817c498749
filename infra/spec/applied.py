"""The digest of what an `up` puts up: where it is the one that the last `up` left, a further one changes nothing.

It holds what reaches Azure, the state or the checks of an `up`, and nothing that differs between two machines with the
same files: no path, no day, no value that only the engine can decrypt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from infra.spec.model import DeploymentWish, Stack
from infra.spec.project import Project

PROGRAM = (
    "Pulumi.yaml", "requirements.lock", "components/", "infra/__init__.py", "infra/__main__.py", "infra/errors.py",
    "infra/hooks.py", "infra/outputs.py", "infra/program.py", "infra/recover.py", "infra/serving.py", "infra/whole.py",
    "infra/keepalive/", "infra/ports/", "infra/proofs/", "infra/spec/",
)  # fmt: skip
"""What every stack's `up` runs, from the project's folder; a name that ends with '/' is a folder."""
_KINDS = {".py", ".yaml", ".json", ".lock"}
"""Files of a program; what editors and interpreters leave beside them is none."""
_NOT_PUT_UP = ("warnings", "labels", "gaps")
"""Parts of a wish that no `up` puts anywhere: words about it, and what rollouts and previews read."""


def program(root: Path) -> str:
    """The version of the program in a project's folder."""
    found = hashlib.sha256()
    for path in _files(root):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def digest(project: Project, stack: Stack, program: str, *, named: bool) -> str:
    """What an `up` of the stack puts up, with this version of the program.

    Of a stack that rollout.yaml names (`named`) it leaves out which models are served: a rollout decides that.
    """
    wish: dict[str, Any] = msgspec.to_builtins(stack)
    for part in _NOT_PUT_UP:
        del wish[part]
    wish["deployments"] = [_deployment(one, named=named) for one in stack.deployments]
    _forget_webhooks(wish["keep_alive"])
    told = [program, wish, _written_keep_alive(project, stack.name)]
    return hashlib.sha256(msgspec.json.encode(told, order="deterministic", enc_hook=str)).hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in PROGRAM:
        path = root / name
        files = [path] if not name.endswith("/") else path.rglob("*")
        yield from sorted(file for file in files if file.suffix in _KINDS and file.is_file())


def _deployment(wish: DeploymentWish, *, named: bool) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(wish)
    del told["record_name"], told["record"]
    record = wish.record
    return told if named else {**told, "serves": (record.model, record.version, record.source.id, record.source.tenant)}


def _forget_webhooks(keep_alive: dict[str, Any]) -> None:
    """Addresses may be encrypted, and then a program knows them and a command does not."""
    if keep_alive["notify"]:
        keep_alive["notify"]["webhook"] = ""
    if keep_alive["job"]:
        keep_alive["job"]["alarms"]["webhooks"] = ""


def _written_keep_alive(project: Project, stack: str) -> list[Any]:
    """`hearth:keepAlive` as the files have it, in clear or encrypted: where its addresses can be told apart."""
    documents = [project.document(file) for file in (project.file, project.stack_file(stack))]
    return [one.find(("config", key)) for one in documents for key in ("hearth:keepAlive", "keepAlive")]
