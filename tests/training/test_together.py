"""Pieces, processes and digests: however the work is divided, the findings are the same."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from array import array
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import HearthError
from infra.training import dataset, digests, pieces
from infra.training.dataset import Asked
from tests.training import cases


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve million bytes, one example in seven said before, one line in a hundred no JSON."""
    file = tmp_path_factory.mktemp("large") / "a.jsonl"
    with file.open("wb") as out:
        for number in range(9_000):
            line = json.dumps(cases.chat(f"{number % 7_700}? " + "why " * 320)).encode()
            out.write((line[:-1] if number % 100 == 99 else line) + b"\n")
    assert file.stat().st_size > 5 * pieces.PIECE
    return file


@settings(deadline=None, max_examples=60)
@given(
    data=st.binary(max_size=300).map(lambda b: b.replace(b"a", b"\n")), step=st.integers(1, 50), start=st.integers(0, 3)
)
def test_pieces_are_the_file_and_end_with_lines(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, step: int, start: int
):
    file = tmp_path_factory.getbasetemp() / "pieces"
    file.write_bytes(data)
    found = list(pieces.cut(file, start, len(data), step))
    assert b"".join(pieces.read(piece) for piece in found) == data[start:]
    assert all(pieces.read(piece).endswith(b"\n") for piece in found[:-1])
    assert [piece.last for piece in found] == [False] * (len(found) - 1) + [True] * bool(found)


def test_two_processes_find_what_one_finds(large: Path):
    one, two = (dataset.check(Asked([large], processes=number, counting="none")).files[0] for number in (1, 2))
    assert one == two
    assert one.broken == {"json": 90, "duplicate": 1_300 - 13}
    assert [found.line for found in one.findings if found.rule == "json"] == [100, 200, 300, 400, 500]


def test_progress_goes_up_to_all_bytes(large: Path):
    told: list[tuple[int, int]] = []
    dataset.check(Asked([large], [cases.CHAT], counting="none"), lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert len(told) > 5, "a bar that moves"
    assert told[-1] == (large.stat().st_size + cases.CHAT.stat().st_size,) * 2


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(0, 30), max_size=60), at_once=st.integers(1, 70), cuts=st.integers(1, 9))
def test_repeats_are_those_that_a_dictionary_finds(values: list[int], at_once: int, cuts: int):
    wanted, before = [], {}
    for number, value in enumerate(values):
        if value in before:
            wanted.append((before[value], number))
        before[value] = number
    with pytest.MonkeyPatch.context() as patch, digests.Ledger() as ledger:
        patch.setattr(digests, "_AT_ONCE", at_once)
        patch.setattr(digests, "_IN_MEMORY", 8 * at_once)
        for start in range(0, len(values), cuts):
            part = values[start : start + cuts]
            ledger.add(0, start + 1, b"".join(value.to_bytes(8, sys.byteorder) for value in part))
        found = [
            pair for before, later in ledger.repeats() for pair in zip(before.tolist(), later.tolist(), strict=True)
        ]
        assert sorted(found, key=lambda pair: pair[1]) == wanted
        assert [ledger.place(later) for _, later in wanted] == [digests.Place(0, later + 1) for _, later in wanted]


def test_a_line_without_an_example_is_counted_where_a_repeat_is_told():
    with digests.Ledger() as ledger:
        ledger.add(3, 10, bytes(32), array("I", [1, 4, 5, 6]))
        assert [ledger.place(number).line for number in range(4)] == [11, 14, 15, 16]


def test_a_process_that_is_killed_is_a_sentence(large: Path):
    def kill_one(done: int, total: int) -> None:
        # Not just any child of ours: where processes are spawned, Python's own tracker of resources is one, too.
        for child in multiprocessing.active_children()[:1]:
            if done < total:
                child.kill()

    with pytest.raises(HearthError, match="perhaps memory ran out"):
        dataset.check(Asked([large] * 3, processes=2), kill_one)


def test_processes_do_not_outlive_the_one_that_is_killed(large: Path, tmp_path: Path):
    program = (
        "import sys, os, pathlib; from infra.training import dataset; from pathlib import Path\n"
        "def told(done, total):\n"
        "    children = Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text()\n"
        "    Path(sys.argv[2]).write_text(children)\n"
        "    os.kill(os.getpid(), 9)\n"
        "dataset.check(dataset.Asked([Path(sys.argv[1])], processes=2), told)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(large), str(tmp_path / "children")], check=False, timeout=60)
    children = [int(child) for child in (tmp_path / "children").read_text().split()]
    until = time.monotonic() + 20
    while any(map(alive, children)) and time.monotonic() < until:
        time.sleep(0.05)
    assert Counter(map(alive, children)) == {False: 2}


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
