"""What a training means to do, written down before it does it: `.hearth/training/<name>-<digest>.json`.

Azure's files and jobs take no mark of ours. What was killed, or got no clear answer, is gone on with from here. One
file for each wish: a changed YAML is another one.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from infra import whole
from infra.errors import HearthError, LockHeld


class Uploading(msgspec.Struct):
    """An upload in parts that is under way."""

    id: str
    piece: int
    """Bytes of a part."""
    parts: dict[int, str] = {}
    """Number of a part → its id, for those that Azure has taken."""


class Sent(msgspec.Struct):
    """A file of the job, before and after Azure has it."""

    name: str
    """In Azure: it carries a digest of the content."""
    bytes: int | None
    """None: not known before Azure has fetched it."""
    sha256: str | None = None
    """None: it was not read here."""
    id: str = ""
    upload: Uploading | None = None


class Intent(msgspec.Struct):
    """One training on its way."""

    name: str
    account: str
    """Id of the account in Azure."""
    files: dict[str, Sent] = {}
    """By training and validation."""
    body: dict[str, Any] | None = None
    """The job as it is asked for; None before."""
    before: list[str] = []
    """Jobs that look like it and were there before it was asked for."""
    job: str = ""
    told: bool = False
    """Whether its end was told, and its record written: then it is over for us."""


class Book:
    """The intent of one training, kept on the disk."""

    def __init__(self, file: Path) -> None:
        """Nothing is read yet."""
        self.file = file

    def load(self) -> Intent | None:
        """What was meant, or None. Raises HearthError for a file that cannot be read."""
        try:
            return msgspec.json.decode(self.file.read_bytes(), type=Intent)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise HearthError(
                f"{self.file} cannot be read ({error}). It says how far a training has come: look at "
                "`hearth jobs list`, and remove it if nothing of it is under way"
            ) from error

    def save(self, intent: Intent) -> None:
        """Write it whole or not at all, and not to a cache alone: what follows is a POST."""
        whole.write(self.file, msgspec.json.format(msgspec.json.encode(intent), indent=1))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep another command from training the same; raises LockHeld. The lock goes with its process."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.with_suffix(".lock").open("wb") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise LockHeld(f"Another command is at work on this training ({self.file.name})") from error
            yield
