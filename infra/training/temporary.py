"""A deployment for the time of an evaluation: noted on the disk before it is made, removed after.

After a kill the note leads the next command of the account to it: `.hearth/evaluations/<digest>.json`, locked as long
as the process that wrote it lives. Where no note is (another machine's run), its tag tells what it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec

from infra.errors import HearthError, LockHeld, NotFound
from infra.keepalive.patience import Patience
from infra.ports import clock
from infra.ports.arm import Arm, DeploymentBody
from infra.spec import limits

TAG = "hearth-evaluation"
"""Tag of what was made to be asked prompts: <project>/<what is asked>."""
LONGEST = timedelta(hours=2)
"""Older than this, one without a live note of ours belongs to no run any more: prompts may take half an hour, and the
writes before and after them as long each."""


class Note(msgspec.Struct, frozen=True):
    """What was to be made."""

    account: str
    """Id in Azure."""
    deployment: str


def name_of(model: str) -> str:
    """The deployment's name: the same for the same model, so that two runs meet."""
    return f"hearth-eval-{hashlib.sha256(model.lower().encode()).hexdigest()[:8]}"


class Temporary:
    """Makes and removes such deployments. `longest`: seconds to go on while another writer holds the account."""

    def __init__(self, arm: Arm, folder: Path, patience: Patience, longest: float, say: Callable[[str], None]) -> None:
        """`folder` is the project's hidden one; `say` hears of what could not be removed."""
        self._arm, self._folder, self._patience, self._longest = arm, folder / "evaluations", patience, longest
        self._say = say
        self.left_behind = False
        """Whether something could not be removed."""

    @contextmanager
    def standing(self, account_id: str, name: str, body: DeploymentBody) -> Iterator[None]:
        """Have a deployment stand for a while. Raises LockHeld where another run has it, and what Azure refuses."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file(account_id, name)
        note = Note(account_id, name)
        with _locked(file) as opened:
            if opened is None:
                raise LockHeld(f"{name} of {_short(account_id)} is being evaluated by another command; wait for it")
            _write(opened, note)
            try:
                made = self._patience.written(
                    lambda: self._arm.create_deployment(account_id, name, body, tenant=None), self._longest
                )
                if not made:
                    raise LockHeld(
                        f"{_short(account_id)} has a deployment {name} already, of an evaluation that goes on or was "
                        "killed elsewhere; hearth clean removes it once it is over"
                    )
            except LockHeld:
                file.unlink()
                raise
            except BaseException:
                self._try_to_remove(note, file)  # it may be there for all that
                raise
            try:
                yield
            finally:
                self._try_to_remove(note, file)

    def sweep(self, account_id: str) -> list[str]:
        """Remove what killed runs of this folder left in an account; the names of what was removed."""
        removed = []
        for file in sorted(self._folder.glob("*.json")):
            with _locked(file) as opened:
                note = _read(opened) if opened is not None else None
                if opened is not None and note is None:
                    file.unlink(missing_ok=True)  # killed before anything was asked for
                elif note is not None and note.account.lower() == account_id.lower():
                    removed += [note.deployment] if self._try_to_remove(note, file) else []
        return removed

    def is_under_way(self, account_id: str, name: str) -> bool:
        """Whether a command of this folder has it now."""
        file = self._file(account_id, name)
        if not file.exists():
            return False
        with _locked(file) as opened:
            return opened is None

    def _try_to_remove(self, note: Note, file: Path) -> bool:
        """Whether it was there and is gone now; what cannot be removed keeps its note."""
        try:
            found = self._remove(note)
        except HearthError as error:
            self.left_behind = True
            self._say(
                f"{note.deployment} of {_short(note.account)} could not be removed: {error}. The next hearth command "
                "of this account, or hearth clean, tries again"
            )
            return False
        file.unlink(missing_ok=True)
        return found

    def _remove(self, note: Note) -> bool:
        try:
            there = self._arm.deployment(note.account, note.deployment)
            if TAG not in there.tags:
                return False  # somebody else's by now
            delete = self._arm.delete_deployment
            self._patience.written(lambda: delete(note.account, note.deployment), self._longest)
        except NotFound:
            return False
        return True

    def _file(self, account_id: str, name: str) -> Path:
        digest = hashlib.sha256(f"{account_id}/{name}".lower().encode()).hexdigest()[:16]
        return self._folder / f"{digest}.json"


def open_temporary(arm: Arm, folder: Path, say: Callable[[str], None]) -> Temporary:
    """One that is as patient as the limits say."""
    longest = limits.load().sibling_wait.value.total_seconds()
    return Temporary(arm, folder, Patience(sleep=clock.sleep), longest, say)


def tidy(arm: Arm, folder: Path, account_id: str, say: Callable[[str], None]) -> None:
    """Remove what killed evaluations left in an account; what becomes of it is said."""
    for name in open_temporary(arm, folder, say).sweep(account_id):
        say(f"removed {name} of {_short(account_id)}, which an evaluation that was killed had left")


@contextmanager
def _locked(file: Path) -> Iterator[BinaryIO | None]:
    """The file, held by us alone; None where somebody else holds it, or has just done away with it."""
    with file.open("a+b") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield opened if os.fstat(opened.fileno()).st_nlink else None


def _write(opened: BinaryIO, note: Note) -> None:
    """Not to a cache alone: what follows is a PUT."""
    opened.truncate(0)
    opened.write(msgspec.json.encode(note))
    opened.flush()
    os.fsync(opened.fileno())


def _read(opened: BinaryIO) -> Note | None:
    opened.seek(0)
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(opened.read(), type=Note)
    return None


def _short(account_id: str) -> str:
    return account_id.rsplit("/", 1)[-1]
