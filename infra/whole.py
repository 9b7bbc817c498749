"""A file that is written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Put a file in place of what stands there, on the disk and not in a cache alone; text is UTF-8.

    Who reads meanwhile reads the old file or the new one. The folder must exist; raises OSError, and then the old file
    stands as it was.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with part.open("wb") as opened:
            opened.write(content.encode() if isinstance(content, str) else content)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, outlives a fall of the machine
    finally:
        os.close(folder)
