"""The list of known differences is itself held to what it claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.localazure import switches
from tests.fidelity import known, operations, page, spec

ROWS = known.read().taken


def texts(folder: str) -> str:
    return "\n".join(file.read_text("utf-8") for file in sorted((spec.FOLDER / folder).rglob("*.json")))


@pytest.mark.parametrize("source", ["recorded", "bicep"])
def test_a_property_said_to_be_recorded_or_in_a_later_version_is_found_there(source: str):
    spec.require()
    found = texts("recorded" if source == "recorded" else "bicep-types")
    named = [n for row in ROWS if row.source == source for n in re.findall(r"\w+", row.what.split("\\.", 1)[1])]
    assert named
    assert [name for name in named if f'"{name}"' not in found] == []


def test_every_difference_has_its_reason():
    file = known.read()
    assert all(row.why for rows in (file.taken, file.substitutions, file.lacks, file.unoffered) for row in rows)


def test_the_operations_kept_by_name_are_those_of_the_descriptions():
    spec.require()
    assert operations.written() == operations.described(), "python -m tests.fidelity.operations"


def test_every_switch_is_told_on_the_page():
    rows = page.documented(Path(switches.__file__), "Switches")
    assert {name for name, _, _ in rows} == set(switches.Switches.__struct_fields__)
    assert all(text for _, _, text in rows)
