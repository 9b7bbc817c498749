"""Files of prompts: what may stand in them, and every mistake at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import SpecError
from infra.proofs import expectations, promptfile
from infra.proofs.expectations import Expect, Similar, failing, likeness


def write(folder: Path, *lines: object) -> Path:
    file = folder / "smoke.jsonl"
    file.write_bytes(b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines))
    return file


def mistakes(folder: Path, *lines: object) -> list[tuple[int, str, str]]:
    """(line, path, text) of every mistake."""
    with pytest.raises(SpecError) as refused:
        promptfile.read(write(folder, *lines), "prompts/smoke.jsonl")
    assert refused.value.exit_code == 2
    assert {m.file for m in refused.value.mistakes} == {"prompts/smoke.jsonl"}
    return [(m.line, m.path, m.text) for m in refused.value.mistakes]


def test_prompts_are_read_with_their_lines(tmp_path):
    talk = [{"role": "system", "content": "be short"}, {"role": "user", "content": "hello"}]
    file = write(
        tmp_path,
        b"\xef\xbb\xbf" + b'{"prompt": "hi", "expect": {"contains": "h"}}\r',
        b"",
        {"name": "talk", "messages": talk, "expect": {"text": "x"}, "maxTokens": 9},
    )
    first, second = promptfile.read(file).prompts
    assert (first.line, first.messages, first.expect.contains) == (1, ({"role": "user", "content": "hi"},), ("h",))
    assert (second.title, second.messages, second.most_tokens) == ("line 3 (talk)", tuple(talk), 9)


def test_every_mistake_is_told_at_once_with_its_line(tmp_path):
    good = {"prompt": "hi", "expect": {"text": "x"}}
    found = mistakes(
        tmp_path,
        good,
        b'{"prompt": "hi"',
        b"[]",
        {"prompt": "hi"},
        {"prompt": "hi", "messages": [], "expect": {"text": "x"}},
        {"promt": "hi", "expect": {"text": "x"}},
        {"prompt": "  ", "expect": {}},
        {"prompt": "a\ud800", "expect": {"regex": "(", "contains": [], "similar": {"to": "x", "least": 7}}},
        {"messages": [{"role": "robot", "content": 3}], "expect": {"jsonSchema": {"type": "strng"}}},
        b"\xff\xfe",
        {"prompt": "hi", "expect": {"text": 1}, "maxTokens": 0},
    )
    told = {(line, path) for line, path, _ in found}
    assert told == {
        (2, ""), (3, ""), (4, "expect"), (5, ""), (5, "messages"), (6, "promt"), (6, ""), (7, "prompt"), (7, "expect"),
        (8, "prompt"), (8, "expect/regex"), (8, "expect/contains"), (8, "expect/similar/least"), (9, "messages/0/role"),
        (9, "messages/0/content"), (9, "expect/jsonSchema"), (10, ""), (11, "expect/text"), (11, "maxTokens"),
    }  # fmt: skip
    assert any("did you mean" in text.lower() for line, _, text in found if line == 6)


def test_a_file_that_is_not_there_is_empty_or_is_none_says_so(tmp_path):
    for path, fact in ((tmp_path / "none.jsonl", "does not exist"), (tmp_path, "cannot be read")):
        with pytest.raises(SpecError, match=fact):
            promptfile.read(path)
    assert mistakes(tmp_path, b"", b"  ") == [(0, "", "has no prompts; write one a line")]


def test_a_file_of_too_much_is_refused_before_it_is_read_or_asked(tmp_path, monkeypatch):
    many = [{"prompt": "hi", "expect": {"text": "x"}}] * 3
    monkeypatch.setattr(promptfile, "MOST_PROMPTS", 2)
    assert "2 are the most" in mistakes(tmp_path, *many)[0][2]
    monkeypatch.setattr(promptfile, "LARGEST", 10)
    assert "is larger than" in mistakes(tmp_path, *many)[0][2]


@pytest.mark.parametrize(
    ("schema", "fact"),
    [
        ({"$ref": "https://example.com/schema.json"}, "refers to what is not in it"),
        ({"$ref": "#/$defs/none"}, "refers to what is not in it"),
        ({"$ref": "#"}, "refers to itself without an end"),
        ({"properties": {"a": {"pattern": "("}}}, "is not a 'regex'"),
        ({"patternProperties": {"(": {}}}, "no "),
        ({"type": 7}, "no JSON schema"),
        ("text", "must be a JSON schema"),
    ],
)
def test_a_schema_that_cannot_be_used_is_a_mistake_and_nothing_is_fetched(tmp_path, schema, fact):
    ((line, path, text),) = mistakes(tmp_path, {"prompt": "hi", "expect": {"jsonSchema": schema}})
    assert (line, path) == (1, "expect/jsonSchema")
    assert fact in text


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_a_file_is_prompts_or_mistakes(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.jsonl"
    file.write_bytes(content)
    with pytest.raises(SpecError):
        promptfile.read(file)


_ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9), lambda x: st.lists(x, max_size=3), max_leaves=9
)


@given(st.dictionaries(st.sampled_from(["prompt", "messages", "expect", "name", "maxTokens", "x"]), _ANY))
@settings(max_examples=200, deadline=None)
def test_whatever_a_line_holds_is_told_in_words(tmp_path_factory, line):
    file = tmp_path_factory.getbasetemp() / "line.jsonl"
    file.write_text(json.dumps(line))
    with pytest.raises(SpecError) as refused:
        promptfile.read(file)
    assert all(m.line == 1 and "Traceback" not in m.text for m in refused.value.mistakes)


def test_a_line_as_deep_as_the_parser_goes_is_a_mistake(tmp_path):
    ((_, _, text),) = mistakes(tmp_path, b"[" * 100_000)
    assert "is no JSON" in text


# --- what an answer must be ----------------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("expect", "good", "bad", "fact"),
    [
        (Expect(text=" Pong "), "Pong\n", "pong", 'is not "Pong" but "pong"'),
        (Expect(contains=("a", "b")), "b a", "a", 'lacks "b": "a"'),
        (Expect(regex=r"\bno\b"), "well, no.", "know", "does not match"),
        (Expect(json_schema=SCHEMA), '{"n": 1}', '{"n": "1"}', "does not fit the schema at $.n"),
        (Expect(json_schema=SCHEMA), '{"n": 1}', "```{}```", "is no JSON"),
        (Expect(json_schema={}), "1", "NaN", "is no JSON"),
        (Expect(similar=Similar(to="The parcel is late.")), "the parcel, is late", "go away", "like the reference by"),
        (Expect(contains=("a",), regex="b"), "ab", "a", "does not match"),
    ],
)
def test_an_answer_is_held_against_what_it_must_be(expect: Expect, good: str, bad: str, fact: str):
    assert failing(expect, good) == ""
    assert fact in failing(expect, bad)


@pytest.mark.parametrize(
    "expect", [Expect(regex="(a|aa)+$"), Expect(json_schema={"pattern": "(a|aa)+$"})], ids=["regex", "schema"]
)
def test_a_pattern_without_an_end_has_one_put_to_it(expect: Expect, monkeypatch):
    monkeypatch.setattr(expectations, "LONGEST_SEARCH", 0.1)
    begun = time.monotonic()
    answer: Any = "a" * 60 + "b"
    found = failing(expect, answer if expect.regex else json.dumps(answer))
    assert "takes longer than" in found
    assert time.monotonic() - begun < 20, "it would not end in a lifetime"


def test_likeness_is_of_words_in_their_order():
    assert likeness("The parcel is late.", "the parcel is late") == 1
    assert likeness("one two three four", "one two five four") == 0.75
    assert likeness("one two", "three four") == 0
    assert likeness("", "") == 1, "nothing is like nothing"


def test_what_a_message_repeats_is_one_short_line_without_orders_for_a_terminal():
    shown = failing(Expect(text="x"), "\x1b[31m" + "long\n" * 100)
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert len(shown) < 150
