"""A file is there whole or not at all, because somebody always reads while another writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import whole


def test_what_is_written_stands_there_alone(tmp_path: Path):
    whole.write(tmp_path / "a", "größer\n")
    whole.write(tmp_path / "a", b"\xff")
    assert (tmp_path / "a").read_bytes() == b"\xff"
    assert [one.name for one in tmp_path.iterdir()] == ["a"], "nothing is left of how it came there"


def test_text_is_utf_8_whatever_the_machine_speaks(tmp_path: Path):
    whole.write(tmp_path / "a", "größer\n")
    assert (tmp_path / "a").read_bytes() == "größer\n".encode()


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a").write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        whole.write(tmp_path / "a", "new")
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"a": "old"}
