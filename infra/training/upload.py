"""Files that a job needs, brought to Azure once: what is there already is taken, what was cut off goes on."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.errors import Busy, HearthError, NotFound, ProofFailed, Refused, Unreachable
from infra.ports import clock
from infra.ports.cloud import LONGEST_WAIT
from infra.ports.files import TRAINING, FileView, UploadView
from infra.training.accounts import Trainer
from infra.training.intent import Sent, Uploading

PIECE = 16 << 20
"""Bytes of a part, and of the largest file that is sent in one piece (plain uploads fail from about 150 MB on:
microsoft-foundry/skills, large-file-uploads; openai cuts at 64 MiB; what is in flight is in memory)."""
AT_ONCE = 4
"""Parts in flight."""
TRIES = 5
LOOKS = (0.0, 2.0, 4.0)
"""Seconds before each look for what an unclear answer may have made."""
Tell = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Told the bytes that Azure has taken, and all of them."""


def find(trainer: Trainer, sent: Sent) -> FileView | None:
    """The file as Azure has it: by name, which carries a digest of the content, and bytes."""
    for file in trainer.files.all(TRAINING):
        same = file.filename == sent.name and (sent.bytes is None or file.bytes in {None, sent.bytes})
        if same and file.status not in {"deleting", "deleted"}:
            return file
    return None


def bring(
    trainer: Trainer, sent: Sent, path: Path, save: Callable[[], None], tell: Tell, progress: Progress
) -> FileView:
    """Send a file of the disk. `save` keeps what `sent` says, and is called before and after every step.

    `progress` hears of what is sent, `tell` of a file that is there already and taken.
    """
    size = path.stat().st_size
    if size <= PIECE:
        content = path.read_bytes()
        if sent.sha256 is not None and hashlib.sha256(content).hexdigest() != sent.sha256:
            raise ProofFailed(f"{path} changed while it was worked on.", "Run the same command again")
        found, is_new = once(trainer, sent, lambda: trainer.files.send(sent.name, content), tell)
    else:
        found, is_new = once(trainer, sent, lambda: _in_parts(trainer, sent, path, save, progress), tell)
    if is_new:
        progress(size, size)
    return found


def once(trainer: Trainer, sent: Sent, make: Callable[[], FileView], tell: Tell) -> tuple[FileView, bool]:
    """Make a file that is not there, and after an unclear answer look before it is made again; whether it is new.

    Raises what Azure refuses, and Unreachable or Busy where that does not pass.
    """
    last: HearthError | None = None
    for number in range(TRIES):
        found = _look(trainer, sent, LOOKS if number else (0.0,))
        if found is not None:
            if not number:
                tell(f"reused {sent.name}: {found.id} is there already")
            return found, number > 0
        try:
            return make(), True
        except Unreachable as error:
            last = error
        except Busy as error:
            if error.retry_after > LONGEST_WAIT:
                raise
            last = error
            clock.sleep(error.retry_after)
    raise last or Unreachable(f"{trainer.source.account} takes no files")


def wait(trainer: Trainer, file: str, tell: Tell) -> FileView:
    """Wait until Azure has looked at a file; raises ProofFailed with its reason where it does not take it."""
    seconds, told = 1.0, ""
    while True:
        found = trainer.files.get(file)
        if found.status == "error":
            why = found.why or "no reason is given"
            raise ProofFailed(
                f"{trainer.source.account} does not take the file {found.filename} ({file}): {why}.",
                "Correct the data (hearth data check), or take them out with `hearth clean` and try again",
            )
        if not found.is_open:
            return found
        if found.status != told:
            tell(f"{found.filename}: {found.status}")
            told = found.status
        clock.sleep(seconds)
        seconds = min(seconds * 1.5, 10.0)


# --- parts ---------------------------------------------------------------------------------------------------------


def _in_parts(trainer: Trainer, sent: Sent, path: Path, save: Callable[[], None], progress: Progress) -> FileView:
    """Send what of an upload is not sent, and complete it. One that Azure has dropped is begun anew."""
    for fresh in (False, True):
        if sent.upload is None or fresh:
            begun = trainer.files.start_upload(sent.name, path.stat().st_size)
            sent.upload = Uploading(begun.id, PIECE)
            save()
        try:
            done = _complete(trainer, sent.upload, path, save, progress)
        except (NotFound, Refused) as error:
            if fresh or not _is_gone(error):
                raise
            continue
        if done.file is not None:
            sent.upload = None
            save()
            return done.file
    raise Refused(f"{trainer.source.account}: the upload of {sent.name} is complete, and no file came of it")


def _is_gone(error: Refused) -> bool:
    """Whether an upload is over for Azure: two hours after its start it is dropped."""
    return isinstance(error, NotFound) or error.code == "unexpectedEntityState"


def _complete(
    trainer: Trainer, upload: Uploading, path: Path, save: Callable[[], None], progress: Progress
) -> UploadView:
    size, piece = path.stat().st_size, upload.piece
    numbers = range(-(-size // piece))
    lock = threading.Lock()

    def taken() -> int:
        return sum(min(piece, size - number * piece) for number in upload.parts)

    def send(number: int) -> None:
        with path.open("rb") as opened:
            opened.seek(number * piece)
            content = opened.read(piece)
        part = _patiently(lambda: trainer.files.send_part(upload.id, content))
        with lock:
            upload.parts[number] = part
            save()
            progress(taken(), size)

    progress(taken(), size)
    missing = [number for number in numbers if number not in upload.parts]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(send, missing):
            pass
    return trainer.files.complete(upload.id, [upload.parts[number] for number in numbers])


def _patiently(send: Callable[[], str]) -> str:
    """A part that got no answer is sent again: only what is named at the end counts."""
    for number in range(TRIES):
        try:
            return send()
        except Unreachable:
            if number == TRIES - 1:
                raise
            clock.sleep(2.0**number)
        except Busy as error:
            if number == TRIES - 1 or error.retry_after > LONGEST_WAIT:
                raise
            clock.sleep(error.retry_after)
    raise AssertionError("the last try returns or raises")


def _look(trainer: Trainer, sent: Sent, waits: tuple[float, ...]) -> FileView | None:
    for seconds in waits:
        if seconds:
            clock.sleep(seconds)
        found = find(trainer, sent)
        if found is not None:
            return found
    return None
