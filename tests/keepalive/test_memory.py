"""What is remembered of pings, and a memory that is of no use."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from infra.keepalive.memory import CLAIM, Memory
from tests.keepalive.wishes import NOW

BOT = "/x/deployments/bot"
SECONDS = timedelta(seconds=2)


@pytest.mark.parametrize("text", ["this is no database " * 100, None])
def test_a_file_that_cannot_be_used_is_said_once_and_then_nothing_is_remembered(tmp_path: Path, caplog, text):
    path = tmp_path / "pings.db"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    memory = Memory(path, "local")
    assert memory.claim(BOT, NOW), "a tender without a memory pings"
    memory.keep(BOT, NOW, 15)
    memory.release(BOT)
    assert memory.of([BOT]) == {}
    assert caplog.text.count("pings are not remembered") == 1


def test_a_folder_that_cannot_be_made_is_no_memory_either(tmp_path: Path, caplog):
    (tmp_path / "file").write_text("")
    assert Memory(tmp_path / "file" / "pings.db", "local").of([BOT]) == {}
    assert "pings are not remembered" in caplog.text


@pytest.mark.parametrize("apart", [SECONDS, -SECONDS, timedelta(0), CLAIM / 2, -CLAIM / 2])
def test_a_claim_is_live_for_a_tender_that_heard_the_time_a_little_sooner_or_later(tmp_path: Path, apart: timedelta):
    memory = Memory(tmp_path / "pings.db", "local")
    assert memory.claim(BOT, NOW)
    assert not memory.claim(BOT, NOW + apart)


@pytest.mark.parametrize("apart", [CLAIM + SECONDS, -CLAIM - SECONDS])
def test_a_claim_that_is_old_or_of_a_clock_that_was_turned_back_is_taken(tmp_path: Path, apart: timedelta):
    memory = Memory(tmp_path / "pings.db", "local")
    assert memory.claim(BOT, NOW)
    assert memory.claim(BOT, NOW + apart)
