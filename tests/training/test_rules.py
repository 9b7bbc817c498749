"""Every rule is broken by something, told in one line, and by nothing that is sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.training import dataset, rules
from infra.training.dataset import Asked
from tests.training import cases


@pytest.mark.parametrize("file", cases.SOUND, ids=lambda file: file.stem)
def test_sound_data_of_every_shape_break_no_rule(file: Path):
    found = dataset.check(Asked([file], cases.SOUND[-2:-1] if file.stem == "reinforcement" else []))
    assert found.files[0].broken == {}
    assert found.files[0].examples == 11


@pytest.mark.parametrize("file", cases.BROKEN, ids=lambda file: file.stem)
def test_a_file_breaks_the_rule_it_is_named_for_and_no_other(file: Path):
    (found,) = dataset.check(cases.committed(file)).files
    assert set(found.broken) == {file.stem}
    require_one_line_each(found)


@pytest.mark.parametrize("rule", cases.MADE)
def test_what_is_made_breaks_its_rule_and_no_other(rule: str, tmp_path: Path):
    asked = cases.MADE[rule](tmp_path)

    def shorten(done: int, total: int) -> None:
        if rule == "changed" and done < total:
            asked.training[0].write_bytes(cases.CHAT.read_bytes())

    found = dataset.check(asked, shorten).files[-1]
    assert set(found.broken) == {rule}
    require_one_line_each(found)


def test_every_rule_has_a_case_because_a_rule_that_nothing_breaks_may_not_work():
    assert {file.stem for file in cases.BROKEN} | set(cases.MADE) == set(rules.load())


def test_what_cannot_be_read_is_said_of_each_and_does_not_hang(tmp_path: Path):
    found = dataset.check(Asked(cases.unreadables(tmp_path))).files
    assert [set(file.broken) for file in found] == [{"unreadable"}] * len(found)
    assert "is a directory" in found[0].findings[0].text
    assert "is no ordinary file" in found[1].findings[0].text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_characters_are_recognised_with_and_without_their_mark(encoding: str, tmp_path: Path):
    (tmp_path / "a").write_bytes(cases.CHAT.read_text("utf-8").encode(encoding))
    (found,) = dataset.check(Asked([tmp_path / "a"])).files
    assert set(found.broken) == {"encoding"}, "and not a fault a line"


def test_a_file_of_512_million_bytes_is_told_as_too_large_and_its_one_line_as_too_long(tmp_path: Path):
    file = cases.write(tmp_path / "a.jsonl")
    with file.open("r+b") as opened:
        opened.truncate(512_000_000)
    (found,) = dataset.check(Asked([file])).files
    assert set(found.broken) == {"too-large", "line-too-long"}


def test_a_byte_order_mark_at_the_start_is_neither_asked_for_nor_refused(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + cases.CHAT.read_bytes())
    (found,) = dataset.check(Asked([tmp_path / "a"])).files
    assert (found.broken, found.bom, found.examples) == ({}, True, 11)


def test_the_last_line_needs_no_line_feed(tmp_path: Path):
    (tmp_path / "a").write_bytes(cases.CHAT.read_bytes().rstrip())
    assert dataset.check(Asked([tmp_path / "a"])).files[0].broken == {}


def test_the_same_words_written_otherwise_are_a_duplicate(tmp_path: Path):
    other = b'{"messages":[{"content":"Hi \\u0041.","role":"user"},{"content":"Hello.","role":"assistant","weight":1}]}'
    file = cases.write(tmp_path / "a", cases.chat("Hi A.", "Hello."), cases.chat("Hi B.", "Hello."), other)
    (found,) = dataset.check(Asked([file])).files
    assert [(f.line, f.rule, f.text) for f in found.findings] == [(14, "duplicate", "says the same as line 12")]


def test_validation_must_have_the_shape_of_the_training_data(tmp_path: Path):
    preference = next(file for file in cases.SOUND if file.stem == "preference")
    found = dataset.check(Asked([cases.CHAT], [preference])).files[1]
    assert found.broken == {"shape": 11}


def test_a_method_that_the_data_are_not_for_is_told_line_by_line():
    (found,) = dataset.check(Asked([cases.CHAT], method="dpo")).files
    assert found.broken == {"shape": 11}
    assert len(found.findings) == 5, "the others are counted"


def test_a_message_is_fit_for_a_terminal_whatever_the_data_say(tmp_path: Path):
    file = cases.write(tmp_path / "a", {"\x1b[31m" + "k" * 99: 1}, cases.chat("Hi", **{"a\nb": 1}))
    for finding in dataset.check(Asked([file])).files[0].findings:
        assert finding.text.isprintable()
        assert len(finding.text) < 120


def require_one_line_each(found: dataset.File) -> None:
    for finding in found.findings:
        assert finding.text
        assert finding.text.isprintable()


def test_a_role_that_is_no_text_is_told_in_every_shape(tmp_path: Path):
    asked = (
        b'{"input": {"messages": [{"role": [], "content": "?"}]}, "preferred_output": [{"role": {}, "content": "a"}], '
    )
    (tmp_path / "a").write_bytes(asked + b'"non_preferred_output": [{"role": [], "content": "b"}]}')
    (found,) = dataset.check(Asked([tmp_path / "a"])).files
    assert found.broken["role"] == 3
