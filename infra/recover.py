"""After a kill: dead owners' locks go, and the program takes in what Azure has and the state lacks.

`hearth recover` writes down which resources the state holds (`.hearth/recover/<stack>.json`); the program looks in
Azure for those it declares and the state lacks, and imports what bears the stack's tag or a name derived by us. A
resource that is somebody else's is named, not taken; `hearth adopt` says that it may be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.errors import LockHeld, ProofFailed
from infra.ports.arm import Arm
from infra.ports.stacks import Lock, Stacks

STACK_TAG = "hearth-stack"


@dataclass(frozen=True, slots=True)
class Notes:
    """What recover left for the program: ids that the state holds, in lower case, and whether to take in anything."""

    held: frozenset[str]
    take_any: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource that the program declares: its id, the api-version to look it up with, how it shows whose it is."""

    id: str
    api_version: str
    named_by_us: bool = False
    """Its name is derived, so whoever made it was this stack; otherwise its tag tells."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did."""

    removed_locks: tuple[Lock, ...]
    pending: tuple[str, ...]
    """Resources whose creation was under way when the engine died."""


def recover(root: Path, stack: str, stacks: Stacks, *, take_any: bool = False) -> Recovered:
    """Remove a dead owner's lock and note what the state holds. Raises LockHeld for a lock whose owner may live."""
    removed = []
    for lock in stacks.locks(stack):
        if not lock.is_dead():
            raise LockHeld(
                f"{stack} is being changed by {lock.owner} since {lock.since}. Wait for it; if it is gone for good on "
                f"another machine, remove its lock there or with: pulumi cancel --stack {stack}"
            )
        stacks.remove_lock(lock)
        removed.append(lock)
    state = stacks.state(stack)
    _write(_file(root, stack), {"held": sorted(state.ids), "takeAny": take_any})
    if state.pending:
        # The notes are written: from here on they, and not the engine's list, lead to what was left behind.
        stacks.clear_pending(stack)
    return Recovered(tuple(removed), state.pending)


def notes(root: Path, stack: str) -> Notes | None:
    """What the last recovery noted; None where there was none."""
    try:
        data = json.loads(_file(root, stack).read_text())
        return Notes(frozenset(data["held"]), bool(data["takeAny"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None


def adoptions(found: Notes | None, tag: str, declared: Mapping[str, Declared], arm: Arm) -> dict[str, str]:
    """Ids to import, by the names of `declared`: in Azure, not in the state, and this stack's.

    Raises ProofFailed for one that is somebody else's.
    """
    if found is None:
        return {}
    lacking = {name: one for name, one in declared.items() if one.id.lower() not in found.held}
    if not lacking:
        return {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        tags = dict(
            zip(lacking, pool.map(lambda one: arm.tags(one.id, one.api_version), lacking.values()), strict=True)
        )
    taken = {}
    for name, one in lacking.items():
        its_tags = tags[name]
        if its_tags is None:
            continue
        if not (found.take_any or one.named_by_us or its_tags.get(STACK_TAG) == tag):
            raise ProofFailed(
                f"{one.id} exists already and is not of this stack ({tag}). To take it in: hearth adopt "
                f"{tag.rpartition('/')[2]}; otherwise choose another name"
            )
        taken[name] = one.id
    return taken


def _file(root: Path, stack: str) -> Path:
    return root / ".hearth" / "recover" / f"{stack}.json"


def _write(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(data))
    temporary.replace(path)
