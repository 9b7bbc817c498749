"""The operations of Azure's descriptions by name, kept beside the tests so that pages can be written without them.

`python -m tests.fidelity.operations` writes `operations.tsv` anew; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("operations.tsv")


@dataclass(frozen=True, slots=True)
class Named:
    """One operation: whose it is, its name, what it is asked by, and which official examples of it there are."""

    family: str
    name: str
    method: str
    template: str
    examples: tuple[str, ...]


def written() -> list[Named]:
    """Those of the file."""
    rows = [line.split("\t") for line in FILE.read_text("utf-8").splitlines()]
    return [Named(*row[:4], tuple(row[4].split())) for row in rows]


def described() -> list[Named]:
    """Those of the descriptions."""
    from tests.fidelity import examples, spec

    names: dict[spec.Operation, tuple[str, ...]] = {}
    for example in examples.every():
        names[example.op] = (*names.get(example.op, ()), example.file.stem)
    return [Named(op.family, op.name, op.method, op.template, names.get(op, ())) for op in spec.operations()]


def main() -> None:
    """Write the file."""
    lines = [f"{o.family}\t{o.name}\t{o.method}\t{o.template}\t{' '.join(o.examples)}\n" for o in described()]
    FILE.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
