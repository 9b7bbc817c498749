"""Whatever lies in a file, it is told in lines, and quick and thorough look say the same."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.cli import data_report
from infra.training import dataset, examine, rules, scan
from infra.training.dataset import Asked
from infra.training.shapes import METHODS
from tests.training import cases

SOUND = [line for file in cases.SOUND for line in file.read_bytes().splitlines()[:3]]
WORDS = st.sampled_from(
    ["", " ", "assistant", "user", "tool", "function", "c1", "\N{GRINNING FACE} é", "data:image/png;base64,A"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | WORDS
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.sampled_from(["role", "weight"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A sound example with a value somewhere replaced, taken away or added."""
    example = json.loads(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 3))):
        at = example
        while True:
            keys = sorted(at) if isinstance(at, dict) else range(len(at))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(at[key], dict | list) and draw(st.integers(0, 3)):
                at = at[key]
                continue
            if draw(st.booleans()):
                at[key] = draw(VALUES)
            elif draw(st.booleans()):
                del at[key]
            elif isinstance(at, dict):
                at[draw(WORDS)] = draw(VALUES)
            break
    return json.dumps(example).encode()


LINES = (
    spoilt() | st.sampled_from(SOUND) | st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode())
)


def require_told(report: dataset.Report) -> None:
    """Everything found has a rule and a line of text that a terminal can show, and all of it is JSON."""
    for file in report.files:
        assert set(file.broken) <= set(rules.load())
        assert {found.rule for found in file.findings} == set(file.broken), "what is counted is shown"
        for found in file.findings:
            assert found.text.isprintable(), found
            assert 0 <= found.line <= file.lines
    json.loads(json.dumps(data_report.for_programs(report, []), allow_nan=False))


@settings(deadline=None, max_examples=60)
@given(data=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_told_in_lines(folder: Path, data: bytes):
    (folder / "any").write_bytes(data)
    require_told(dataset.check(Asked([folder / "any"])))


@settings(deadline=None, max_examples=60)
@given(lines=st.lists(LINES, max_size=12), method=st.sampled_from([None, *METHODS.values()]))
def test_any_lines_are_told_in_lines(folder: Path, lines: list[bytes], method: str | None):
    (folder / "any").write_bytes(b"\n".join(lines))
    asked = Asked([folder / "any"], [cases.CHAT], method=method, model="gpt-4.1", counting="none")  # type: ignore[arg-type]
    require_told(dataset.check(asked))


MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "x"]),
        "content": st.text(max_size=4),
    },
    optional={
        "weight": st.sampled_from([0, 1, 2, 1.0, True, None]),
        "name": st.sampled_from(["ann", None, 3]),
        "x": st.just(1),
    },
)


@settings(deadline=None, max_examples=60)
@given(messages=st.lists(MESSAGE, max_size=4), indent=st.sampled_from([None, ": "]))
def test_the_quick_look_lets_only_through_what_the_thorough_look_finds_sound(
    messages: list[dict[str, object]], indent: str | None
):
    line = json.dumps({"messages": messages}, separators=(",", indent) if indent else None).encode()
    how = scan.How("chat", None, 100, 1 << 20)
    ours, slow = scan.Scanner(how), scan.Scanner(how)
    slow._quick = False
    for scanner in (ours, slow):
        scanner.take(line, ends_file=False)
    quick, thorough = ours.part(), slow.part()
    assert quick.broken == thorough.broken
    assert quick.findings == thorough.findings
    assert quick.sizes == thorough.sizes
    assert quick.roles == thorough.roles
    assert quick.broken == {} or quick.digests == thorough.digests, "what breaks a rule went the thorough way"


@settings(deadline=None, max_examples=60)
@given(example=st.dictionaries(st.sampled_from(["messages", "input", "prompt", "tools"]), VALUES, max_size=3))
def test_no_example_is_too_odd_for_any_shape(example: dict[str, object]):
    odd = msgspec.json.decode(msgspec.json.encode(example))
    for shape in METHODS:
        assert all(rule in rules.load() for rule, _ in examine.broken(odd, shape))
    assert all(isinstance(text, str) for _, text in examine.texts(odd))
