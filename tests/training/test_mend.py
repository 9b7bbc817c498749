"""--fix: what is certain is mended, what the examples say stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.training import dataset, mend, pieces, rules, scan
from infra.training.dataset import Asked
from tests.training import cases

MENDED = [rule.id for rule in rules.load().values() if rule.fixed]
EXAMPLES = cases.CHAT.read_bytes().splitlines()


def mended(file: Path, longest: int = 1 << 24) -> mend.Mended:
    (found,) = dataset.check(Asked([file], counting="none")).files
    return mend.mend(file, found.repeats, longest)


@pytest.mark.parametrize("rule", MENDED)
def test_what_can_be_mended_is_and_is_counted(rule: str, tmp_path: Path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(next(f for f in cases.BROKEN if f.stem == rule).read_bytes())
    before = file.read_bytes()
    done = mended(file)
    assert done.changed
    (after,) = dataset.check(Asked([Path(done.path)])).files
    assert after.broken == {}
    assert file.read_bytes() == before, "the file itself is the user's"


PARTS = st.sampled_from(
    [*EXAMPLES[:4], b"", b" \t", b"\r", scan.BOM, EXAMPLES[5] + b"\r", scan.BOM + EXAMPLES[0], b"{no json", b"[]"]
)


@settings(deadline=None, max_examples=60)
@given(parts=st.lists(PARTS, max_size=25), marked=st.booleans(), ended=st.booleans())
def test_a_mended_file_has_the_same_examples_in_order_and_nothing_left_to_mend(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], marked: bool, ended: bool
):
    file = tmp_path_factory.getbasetemp() / "mend.jsonl"
    file.write_bytes(scan.BOM * marked + b"\n".join(parts) + b"\n" * ended)
    (before,) = dataset.check(Asked([file])).files
    if before.shape is None:
        return
    copy = Path(mended(file).path)
    (after,) = dataset.check(Asked([copy])).files
    if after.shape is not None:
        assert not set(MENDED) & set(after.broken)
        assert unmendable(before) == unmendable(after), "it stays where it can be seen"
    said = [line for part in parts if (line := part.removeprefix(scan.BOM).strip()).startswith(b'{"')]
    kept = [line for line in copy.read_bytes().removeprefix(scan.BOM).splitlines() if line.startswith(b'{"')]
    assert kept == list(dict.fromkeys(said))
    assert not mended(copy).changed


def unmendable(file: dataset.File) -> Counter[str]:
    """What no --fix can mend."""
    return Counter({rule: file.broken.get(rule, 0) for rule in ("json", "object", "truncated")})


def test_a_line_too_long_to_look_into_is_copied_as_it_stands(tmp_path: Path):
    long = b'{"messages": "' + b"a" * (5 << 20) + b'"}'
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\n".join([EXAMPLES[0], b"", long, EXAMPLES[1] + b"\r", b""]))
    done = mend.mend(file, set(), longest=1 << 20)
    assert (done.blank, done.line_ends) == (1, 1)
    assert Path(done.path).read_bytes() == b"\n".join([EXAMPLES[0], long, EXAMPLES[1], b""])


def test_a_copy_that_cannot_be_finished_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\n".join(EXAMPLES))
    (tmp_path / "a.fixed.jsonl").write_text("the one before")

    def full(piece: pieces.Piece, longest: int) -> list[bytes]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pieces, "read_in_steps", full)
    with pytest.raises(OSError, match="No space"):
        mend.mend(file, set(), 1 << 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.fixed.jsonl", "a.jsonl"]
    assert (tmp_path / "a.fixed.jsonl").read_text() == "the one before"
