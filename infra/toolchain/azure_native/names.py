"""Names for what a program leaves unnamed: the official plugin's rule, by the path of the type."""

import hashlib
import os
import uuid
from enum import Enum

from infra.toolchain.azure_native.table import Row

_SUFFIX = 8  # hex digits


class Naming(Enum):
    """How a type is named."""

    RANDOM = "the resource's name in the program and eight random hex digits"
    COPY = "the resource's name in the program"
    UUID = "a random UUID"


def naming_of(row: Row) -> Naming:
    """Children of another resource copy the name, role assignments want a UUID, all others a random suffix."""
    if row.name_input == "roleAssignmentName":
        return Naming.UUID
    _, found, below = row.path.lower().rpartition("microsoft.")
    return Naming.COPY if found and below.count("{") > 1 else Naming.RANDOM


def new_name(row: Row, name: str, seed: bytes) -> tuple[str, bool]:
    """A name, and whether it is a random one (so that a replacement can stand beside its predecessor).

    The same seed gives the same name, so preview and update agree.
    """
    digits = hashlib.sha256(seed or os.urandom(16)).hexdigest()
    match naming_of(row):
        case Naming.UUID:
            return str(uuid.UUID(digits[:32])), True
        case Naming.COPY:
            return name, False
        case _:
            return name + digits[:_SUFFIX], True
