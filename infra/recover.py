"""After a kill: dead owners' locks go, and the program takes in what Azure has and the state lacks.

`hearth recover` writes down which resources the state holds (`.hearth/recover/<stack>.json`); the program looks in
Azure for those it declares and the state lacks, and imports what bears the stack's tag or a name derived by us. Each
resource that a run has written or taken in joins the notes, so that they never fall behind the state: importing what
the state holds already would have the engine replace it. A resource that is somebody else's is named, not taken;
`hearth adopt` says, for its own run alone, that it may be.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra import whole
from infra.errors import LockHeld, ProofFailed, Refused
from infra.ports.arm import Arm
from infra.ports.stacks import Lock, Stacks, State

STACK_TAG = "hearth-stack"
"""Tag that tells which stack made a resource: <project>/<stack>."""
ADOPT = "HEARTH_ADOPT"
"""Set by `hearth adopt` for the run that it starts: whatever is there may be taken in."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What recover left for the program: ids that the state holds, in lower case."""

    held: frozenset[str]


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
    """Resources that were being written when the engine died."""
    state: State
    """What the state holds now."""


def recover(root: Path, stack: str, stacks: Stacks, dead_host: str = "") -> Recovered:
    """Remove dead owners' locks and note what the state holds.

    Dead is an owner of this host that is gone, and any of `dead_host`, a machine that will not come back. Where there
    was such a lock, the state is refreshed: a killed `destroy` leaves in it what Azure has deleted, and does not
    always say so (Pulumi 3.259 records no pending deletions when it runs the program). Raises LockHeld for locks whose
    owners may live, Refused where the engine cannot ask Azure (then the next recovery asks), and for a dead host where
    the backend keeps its locks to itself.
    """
    if dead_host and not stacks.shows_locks():
        raise Refused(
            f"{stack}: whose locks {stacks.backend()} holds only pulumi can see, so none of {dead_host} was looked "
            f"for. Where nobody else can be writing: pulumi cancel --yes --stack {stack}"
        )
    removed, unsure = [], _file(root, stack).with_suffix(".unsure")
    found = stacks.locks(stack)
    dead = [lock for lock in found if lock.is_dead() or lock.is_of(dead_host)]
    for lock in dead:
        unsure.parent.mkdir(parents=True, exist_ok=True)
        unsure.touch()
        stacks.remove_lock(lock)
        removed.append(lock)
    if held := [lock for lock in found if lock not in dead]:
        owners = ", ".join(f"{lock.owner} since {lock.since}" for lock in held)
        raise LockHeld(
            f"{stack} is being changed by {owners}. Wait for it; if it is gone for good on another machine: "
            f"hearth recover {stack} --dead-host {held[0].host}"
        )
    state = stacks.state(stack)
    with _writing:
        _write(_file(root, stack), state.ids)
    if state.pending:
        # The notes are written: from here on they, and not the engine's list, lead to what was left behind.
        stacks.clear_pending(stack)
    pending = state.pending
    if unsure.exists():
        stacks.refresh(stack)
        state = stacks.state(stack)
        with _writing:
            _write(_file(root, stack), state.ids)
        unsure.unlink(missing_ok=True)
    return Recovered(tuple(removed), pending, state)


def notes(root: Path, stack: str) -> Notes | None:
    """What the last recovery noted; None where there was none."""
    try:
        data = json.loads(_file(root, stack).read_text())
        return Notes(frozenset(data["held"]))
    except (FileNotFoundError, ValueError, KeyError):
        return None


def holds(root: Path, stack: str, resource_id: str) -> None:
    """Let the notes, where there are any, know that the state holds a resource now."""
    with _writing:
        found = notes(root, stack)
        if found is not None and resource_id.lower() not in found.held:
            _write(_file(root, stack), found.held | {resource_id.lower()})


def adoptions(found: Notes | None, tag: str, declared: Mapping[str, Declared], arm: Arm) -> dict[str, str]:
    """Ids to import as Azure spells them, by the names of `declared`: in Azure, not in the state, and this stack's.

    Raises ProofFailed for one that is somebody else's.
    """
    if found is None:
        return {}
    take_any = bool(os.environ.get(ADOPT))
    lacking = {name: one for name, one in declared.items() if one.id.lower() not in found.held}
    if not lacking:
        return {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        there = dict(
            zip(lacking, pool.map(lambda one: arm.resource(one.id, one.api_version), lacking.values()), strict=True)
        )
    taken = {}
    for name, one in lacking.items():
        seen = there[name]
        if seen is None:
            continue
        if not (take_any or one.named_by_us or seen.tags.get(STACK_TAG) == tag):
            raise ProofFailed(
                f"{one.id} exists already and is not of this stack ({tag}). To take it in: hearth adopt "
                f"{tag.rpartition('/')[2]}; otherwise choose another name"
            )
        taken[name] = seen.id
    return taken


def _file(root: Path, stack: str) -> Path:
    return root / ".hearth" / "recover" / f"{stack}.json"


_writing = threading.Lock()


def _write(path: Path, held: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.write(path, json.dumps({"held": sorted(held)}))
