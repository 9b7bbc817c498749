"""Whatever is written, hearth reads it or says what is wrong: nothing else is ever raised."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import Mistake, SpecError
from infra.spec import Project, Stack, check_project, load_stack, open_project
from infra.spec.documents import parse, write
from tests.spec.anything import VALUES, places, spoilt
from tests.spec.desk import TODAY, Desk, config

RECORD = {"model": "a.ft-1", "version": "1", "source": {"subscription": "x"}, "trained": {"base": "a", "files": {}}}
# Text with what YAML cares about, and much of what it does not.
TEXTS = (
    st.text(alphabet=st.sampled_from("ab:-?,[]{}&*!|>'\"%@`#\t\n \r\x00\x07\ufeff\u2028é0129.~<="), max_size=60)
    | st.text()
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Desk(tmp_path_factory.mktemp("project")).project


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Desk(tmp_path_factory.mktemp("project")).root


def in_order(mistakes: list[Mistake]) -> None:
    """Every mistake has a text of one line, and they come in the order of the files."""
    assert mistakes == sorted(mistakes)
    assert all(mistake.text and "\n" not in mistake.text for mistake in mistakes)


@given(values=spoilt(config()))
def test_any_value_in_any_place_is_read_or_told(project: Project, values: dict[str, object]):
    try:
        assert isinstance(load_stack(project, "dev", values, today=TODAY), Stack)
    except SpecError as error:
        told = error.mistakes
    else:
        return
    in_order(told)
    assert told


@given(top=VALUES | spoilt({"config": config(), "encryptionsalt": "x"}), record=VALUES | spoilt(RECORD), shared=VALUES)
@settings(max_examples=60)
def test_any_files_are_read_or_told(root: Path, top: object, record: object, shared: object):
    (root / "Pulumi.yaml").write_text(write({"name": "hearth", "stackConfigDir": "stacks", "config": shared}))
    (root / "stacks/Pulumi.dev.yaml").write_text(write(top))
    (root / "stacks/models/support-bot.yaml").write_text(write(record))
    stacks, mistakes = check_project(open_project(root), ["dev"], today=TODAY)
    in_order(mistakes)
    assert bool(stacks) != bool(mistakes), "a stack that is not there is explained"


@given(TEXTS)
def test_any_text_is_yaml_or_is_told_where_it_is_not(text: str):
    for mistake in parse(text, "x.yaml", engine=True).mistakes:
        assert 0 < mistake.line <= len(text.splitlines()) + 2, mistake
        assert "\n" not in mistake.text


@given(VALUES, st.sampled_from([True, False, None]))
def test_what_is_written_is_read_as_it_was_meant(value: object, flow: bool | None):
    written = parse(write({"a": value}, flow=flow), "x.yaml", engine=True)
    assert written.value == {"a": value}
    assert not written.mistakes


@given(VALUES)
def test_every_value_has_a_line(value: object):
    text = write({"a": value})
    document = parse(text, "x.yaml")
    assert all(1 <= document.lines[place] <= len(text.splitlines()) for place in places(document.value))
