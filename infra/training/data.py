"""The two files of a job: where they are, what they hold, and what they are called in Azure."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import Mistake, NotFound, ProofFailed, SpecError
from infra.ports.blobs import Blob
from infra.ports.cloud import Cloud
from infra.spec.training import Data, Training
from infra.training.accounts import Trainer
from infra.training.intent import Sent

_CHUNK = 1 << 20
_DIGITS = 16
"""Hexadecimal digits of a digest that a name carries."""


@dataclass(frozen=True)
class Source:
    """One of the files."""

    role: str
    """training or validation."""
    data: Data
    path: Path | None
    """Where it can be read here; None where it is not (--no-check)."""
    blob: Blob | None
    sent: Sent


@contextmanager
def gather(
    cloud: Cloud, trainer: Trainer, training: Training, root: Path, environment: Mapping[str, str], *, fetch: bool
) -> Iterator[list[Source]]:
    """The files of a training; what is remote is read into a folder that goes again, where `fetch` says so.

    Raises SpecError for files that cannot be read and variables that are not set, all of them at once, and what Azure
    refuses.
    """
    wish = training.wish
    named = [("training", wish.training)]
    named += [("validation", wish.validation)] if wish.validation is not None else []
    mistakes = [
        Mistake(training.file, training.lines.get(role, 0), f"{role}/signature",
                f"the variable {data.signature} is not set")
        for role, data in named
        if data.signature is not None and not environment.get(data.signature)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hearth-") as folder:
        found: dict[str, Source] = {}
        for role, data in sorted(named, key=lambda one: one[1].is_blob):
            if data.is_blob and mistakes:
                continue  # it is not fetched in vain
            try:
                found[role] = _source(cloud, trainer, role, data, root, Path(folder), environment, fetch=fetch)
            except ValueError as error:
                mistakes.append(Mistake(training.file, training.lines.get(role, 0), role, str(error)))
        if mistakes:
            raise SpecError(mistakes)
        yield [found[role] for role, _ in named]


def _source(
    cloud: Cloud,
    trainer: Trainer,
    role: str,
    data: Data,
    root: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    fetch: bool,
) -> Source:
    """Raises ValueError for a file that is not there, and what Azure refuses."""
    if data.is_uploaded:
        return _uploaded(trainer, role, data, folder, fetch=fetch)
    if data.is_blob:
        signature = environment.get(data.signature) if data.signature else None
        return _blob(Blob(cloud, data.file, signature), role, data, folder, fetch=fetch)
    path = root / Path(data.file).expanduser()
    try:
        digest, size = _digest(path)
    except OSError as error:
        text = f"{data.file} cannot be read: {error.strerror or error}; paths are from the project's folder"
        raise ValueError(text) from error
    return Source(role, data, path, None, Sent(_name(path.name, digest), size, digest))


def _uploaded(trainer: Trainer, role: str, data: Data, folder: Path, *, fetch: bool) -> Source:
    """A file of the account, as it is."""
    try:
        file = trainer.files.get(data.file)
    except NotFound as error:
        raise ValueError(f"{trainer.source.account} has no file {data.file}") from error
    if file.status == "error":
        raise ProofFailed(f"The {role} file {file.id} cannot be used: {file.why or 'Azure names no reason'}")
    path, digest = None, None
    if fetch:
        path = folder / f"{role}-{file.filename.rpartition('/')[2] or file.id}"
        with path.open("wb") as opened, trainer.files.content(file.id) as pieces:
            opened.writelines(pieces)
        digest, _ = _digest(path)
    return Source(role, data, path, None, Sent(file.filename, file.bytes, digest, id=file.id))


def _blob(blob: Blob, role: str, data: Data, folder: Path, *, fetch: bool) -> Source:
    """A blob; its name in Azure carries a digest of its content, or of its entity tag where that is not read."""
    tag, size = blob.state()
    if not fetch:
        digest = hashlib.sha256(f"{blob.address} {tag} {size}".encode()).hexdigest()
        return Source(role, data, None, blob, Sent(_name(blob.filename, digest), size))
    path = folder / f"{role}-{blob.filename}"
    blob.save(path)
    digest, size = _digest(path)
    return Source(role, data, path, blob, Sent(_name(blob.filename, digest), size, digest))


def _digest(path: Path) -> tuple[str, int]:
    found, size = hashlib.sha256(), 0
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            found.update(chunk)
            size += len(chunk)
    return found.hexdigest(), size


def _name(filename: str, digest: str) -> str:
    stem, dot, suffix = filename.rpartition(".")
    return f"{stem}-{digest[:_DIGITS]}.{suffix}" if dot and stem else f"{filename}-{digest[:_DIGITS]}.jsonl"
