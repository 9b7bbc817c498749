"""Files of an account's data plane: uploaded or imported, processed after a while, kept on the disk."""

from __future__ import annotations

import secrets
from datetime import timedelta

from infra.localazure import blobs, dataset, errors, ids, quotas
from infra.localazure.entities import Account, File, Tuning
from infra.localazure.world import World

PROCESSED = "file processed"
TRAINING, RESULTS = "fine-tune", "fine-tune-results"
PURPOSES = (TRAINING, "assistants", "batch")
"""What a file can be uploaded for."""
OVER = ("succeeded", "failed", "cancelled")
"""Statuses in which a job is over."""


def wire_up(world: World) -> None:
    """Schedule what files of a state that was read have coming."""
    world.on_due(PROCESSED, _process_if_due)
    for file in world.files:
        if file.settled_at is not None and _is_open(file):
            world.schedule(file.settled_at, PROCESSED, _key(file))


def of(world: World, account: Account, purpose: str = "") -> list[File]:
    """The files of an account, oldest first, or those for one purpose."""
    found = [f for f in world.files.of(ids.key(account.id)) if not purpose or f.purpose == purpose]
    return sorted(found, key=lambda file: file.created)


def find(world: World, account_key: str, file_id: str) -> File | None:
    """The file of that id, if it is the account's."""
    return world.files.get(f"{account_key}|{file_id}")


def get(world: World, account: Account, file_id: str) -> File:
    """The file of that id, or its 404."""
    found = find(world, ids.key(account.id), file_id)
    if found is None:
        raise errors.NO_FILE(file=file_id)
    return found


def status(world: World, file: File) -> str:
    """What is going on with a file: pending, then running, then processed or error."""
    if file.error is not None:
        return "error"
    if file.settled_at is None or not _is_open(file):
        return "processed"
    half = file.created + (file.settled_at - file.created) / 2
    return "pending" if world.now() < half else "running"


def require_room(world: World, account: Account, size: int) -> None:
    """Refuse a file of so many bytes more where the account's limits do not allow it."""
    most = limit(world, account, "files")
    held = of(world, account)
    if len(held) >= most:
        raise errors.FILE_QUOTA(limit=most)
    together = limit(world, account, "filesBytes")
    if sum(f.size or 0 for f in held) + size > together:
        raise errors.FILES_TOO_LARGE(limit=together)


def limit(world: World, account: Account, name: str) -> int:
    """A limit of an account."""
    return quotas.limit(world, account.subscription, account.location, name)


def add(world: World, account: Account, filename: str, purpose: str, pieces: list[str]) -> File:
    """A file of contents that are here; it is processed after a while."""
    file = _new(world, account, filename, purpose)
    file.pieces, file.size = pieces, world.contents.size(pieces)
    return _keep_open(world, file)


def fetch(world: World, account: Account, filename: str, purpose: str, url: str) -> File:
    """A file that is imported from an address."""
    require_room(world, account, 0)
    file = _new(world, account, filename, purpose)
    file.url, file.url_given_at = url, world.clock.real_now()
    return _keep_open(world, file)


def begin_results(world: World, tuning: Tuning) -> File:
    """The file that a job writes its results to."""
    file = File(
        id=new_id(), account=tuning.account, created=world.now(), filename="results.csv", purpose=RESULTS, job=tuning.id
    )
    world.files.put(_key(file), file)
    return file


def end_results(world: World, file: File, pieces: list[str]) -> None:
    """Have a file of results hold what it holds for good."""
    file.pieces, file.size = pieces, world.contents.size(pieces)
    world.files.put(_key(file), file)


def delete(world: World, account: Account, file_id: str) -> None:
    """Forget a file; refused while a job reads it, or (as a switch says) a deployed model comes from it."""
    file = get(world, account, file_id)
    for tuning in world.tunings.of(file.account):
        if file_id not in {tuning.training_file, tuning.validation_file, tuning.results}:
            continue
        if tuning.status not in OVER:
            raise errors.FILE_IN_USE(file=file_id, what=f"the fine-tuning job '{tuning.id}'")
        deployed = deployed_as(world, tuning)
        if deployed is not None and world.switches.delete_trained == "refuse":
            raise errors.FILE_IN_USE(file=file_id, what=f"a model that is deployed as '{deployed}'")
    world.files.drop(_key(file))
    world.contents.drop(file.pieces)


def deployed_as(world: World, tuning: Tuning) -> str | None:
    """A deployment, in whichever account, of a model or checkpoint that a job made."""
    made = {tuning.tuned, *(checkpoint.id for checkpoint in tuning.checkpoints)}
    return next((d.id for d in world.deployments if d.owner == tuning.account and d.model.name in made), None)


def forget(world: World, account_key: str) -> None:
    """Drop the files of an account that is no more."""
    for file in world.files.of(account_key):
        world.files.drop(_key(file))
        world.contents.drop(file.pieces)


def new_id() -> str:
    """An id for a file."""
    return f"file-{secrets.token_hex(16)}"


# --- pieces --------------------------------------------------------------------------------------------------------


def _key(file: File) -> str:
    return f"{file.account}|{file.id}"


def _new(world: World, account: Account, filename: str, purpose: str) -> File:
    return File(id=new_id(), account=ids.key(account.id), created=world.now(), filename=filename, purpose=purpose)


def _is_open(file: File) -> bool:
    """Whether it is still to be processed."""
    return file.error is None and (file.url is not None or (file.purpose == TRAINING and file.facts is None))


def _keep_open(world: World, file: File) -> File:
    file.settled_at = world.now() + timedelta(seconds=world.switches.file_processing)
    world.files.put(_key(file), file)
    world.schedule(file.settled_at, PROCESSED, _key(file))
    return file


def _process_if_due(world: World, key: str) -> None:
    file = world.files.get(key)
    if file is None or file.settled_at is None or not _is_open(file) or file.settled_at > world.now():
        return
    try:
        if file.url is not None:
            _import(world, file)
        if file.purpose == TRAINING:
            file.facts = dataset.examine(world.contents.lines(file.pieces))
    except blobs.NotFetched as error:
        file.error = f"Import of file failed: {error}"
    except dataset.BadData as error:
        file.error = f"Validation of jsonl file failed: {error}"
    world.files.put(key, file)


def _import(world: World, file: File) -> None:
    """Fetch what a file is to hold; raises NotFetched. The address is forgotten either way: it may hold a signature."""
    url, file.url = str(file.url), None
    blob = blobs.fetched(world, url, file.url_given_at or world.clock.real_now())
    account = world.account(file.account)
    if account is not None:
        most = limit(world, account, "fileBytes")
        if blob.size > most:
            raise blobs.NotFetched(f"The file is larger than the maximum of {most} bytes.")
        together = limit(world, account, "filesBytes")
        if sum(f.size or 0 for f in of(world, account)) + blob.size > together:
            raise blobs.NotFetched(f"The quota for the size of all files is reached. The maximum is {together} bytes.")
    file.pieces, file.size = ([world.contents.twin(blob.piece)] if blob.piece else []), blob.size
