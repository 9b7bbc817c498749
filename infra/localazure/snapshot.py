"""Snapshots: all that local Azure knows, under a name, to come back to: records, clock, switches, faults.

A world with a folder keeps them there, each a file that is whole or not there; one without keeps them in memory. What
this process is (certificates, port, the key that tokens are signed with, the log of requests) is no part of them.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from infra.localazure.store import Table
from infra.localazure.switches import Switches
from infra.localazure.world import Meta, World

FORMAT = 1
"""Another number, another way of writing them: those of other formats are refused, not guessed at."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIX = ".snapshot.json"


class _Head(msgspec.Struct, frozen=True):
    """What every format has."""

    format: int


class Snapshot(msgspec.Struct, frozen=True):
    """All state, as JSON."""

    format: int
    meta: Meta
    records: dict[str, dict[str, msgspec.Raw]]
    """Per kind of record: its key and its JSON."""


class Kept(msgspec.Struct, frozen=True):
    """A snapshot in a list."""

    name: str
    now: str
    """The virtual moment that it shows."""
    bytes: int


class BadSnapshot(Exception):
    """It cannot be saved, read or found; the text says why."""


def save(world: World, name: str) -> Kept:
    """Keep the world as it is now under a name; what had the name before is replaced. Raises BadSnapshot."""
    _require_name(name)
    with world.lock:
        world.settle()
        records = {table.kind: table.written() for table in world.database.tables}
        body = msgspec.json.encode(Snapshot(FORMAT, world.meta(), records))
        world.contents.save(name, world.pieces())
    if world.folder is None:
        world.shelf[name] = body
    else:
        _write(_path(world.folder, name), body)
    return _kept(name, body)


def listing(world: World) -> list[Kept]:
    """The snapshots there are, by name; the moment of one that cannot be read is empty."""
    if world.folder is None:
        return [_kept(name, body) for name, body in sorted(world.shelf.items())]
    found = sorted((world.folder / "snapshots").glob(f"*{_SUFFIX}"))
    return [_kept(path.name.removesuffix(_SUFFIX), path.read_bytes()) for path in found]


def delete(world: World, name: str) -> None:
    """Forget a snapshot; raises BadSnapshot where there is none."""
    _body(world, name)
    if world.folder is None:
        del world.shelf[name]
    else:
        _path(world.folder, name).unlink()
    world.contents.forget(name)


def restore(world: World, name: str) -> None:
    """Go back to a snapshot, the clock too. Raises BadSnapshot, and then nothing has changed.

    Whoever serves the world must schedule and meter anew.
    """
    snapshot = _decode(name, _body(world, name))
    tables = {table.kind: table for table in world.database.tables}
    strange = sorted(set(snapshot.records) - set(tables))
    if strange:
        raise BadSnapshot(f"the snapshot {name} has records that this local Azure does not know: {', '.join(strange)}")
    try:
        read = {kind: table.read(snapshot.records.get(kind, {})) for kind, table in tables.items()}
    except msgspec.MsgspecError as error:
        raise BadSnapshot(f"the snapshot {name} cannot be read: {error}") from error
    world.contents.restore(name)
    _become(world, tables, read, snapshot.meta)


def reset(world: World) -> None:
    """Forget everything but the snapshots: no records, switches as they come, the clock at the machine's moment."""
    tables = {table.kind: table for table in world.database.tables}
    _become(world, tables, {kind: {} for kind in tables}, Meta(world.clock.real_now(), 1.0, Switches()))


def _become(world: World, tables: dict[str, Table[Any]], read: dict[str, dict[str, Any]], meta: Meta) -> None:
    """Swap what the world knows, on the disk in one piece."""
    with world.lock, world.database:
        world.unschedule()
        for kind, table in tables.items():
            table.replace(read[kind])
        world.go_on_from(meta)
        world.index()
        world.keep_time()
    world.contents.sweep(world.pieces())


# --- files ---------------------------------------------------------------------------------------------------------


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadSnapshot(f"'{name}' is no name of a snapshot: letters, digits, dot, dash and underscore, 64 at most")


def _path(folder: Path, name: str) -> Path:
    return folder / "snapshots" / f"{name}{_SUFFIX}"


def _body(world: World, name: str) -> bytes:
    _require_name(name)
    try:
        return world.shelf[name] if world.folder is None else _path(world.folder, name).read_bytes()
    except (KeyError, FileNotFoundError):
        names = ", ".join(kept.name for kept in listing(world)) or "none"
        raise BadSnapshot(f"there is no snapshot {name}; there are: {names}") from None


def _decode(name: str, body: bytes) -> Snapshot:
    try:
        found = msgspec.json.decode(body, type=_Head).format
        if found == FORMAT:
            return msgspec.json.decode(body, type=Snapshot)
    except msgspec.MsgspecError as error:
        raise BadSnapshot(f"the snapshot {name} cannot be read: {error}") from error
    raise BadSnapshot(
        f"the snapshot {name} is of format {found}, and this local Azure reads format {FORMAT}; make it anew"
    )


def _kept(name: str, body: bytes) -> Kept:
    try:
        now = _decode(name, body).meta.now.astimezone(UTC)
    except BadSnapshot:
        return Kept(name, "", len(body))
    return Kept(name, datetime.isoformat(now).replace("+00:00", "Z"), len(body))


def _write(path: Path, body: bytes) -> None:
    """A file that is whole and on the disk, or not there; nobody else's."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
