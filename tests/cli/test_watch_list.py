"""A watch list that comes in a variable, as a container's secret does."""

from __future__ import annotations

from tests.cli.conftest import Shell


def test_a_variable_that_is_not_set_is_a_mistake(shell: Shell):
    shell.hearth("tend", "--watch-list", "env:NO_LIST", code=2)
    assert "NO_LIST" in shell.errors
    assert "is not set" in shell.errors


def test_a_variable_that_holds_no_watch_list_is_a_mistake_that_does_not_repeat_it(shell: Shell):
    shell.hearth("tend", "--watch-list", "env:LIST", code=2, LIST='{"version": 1, "accounts": "hush"}')
    assert "is no watch list" in shell.errors
    assert "hush" not in shell.errors


def test_a_watch_list_needs_no_project(shell: Shell):
    said = shell.hearth(
        "tend", "--watch-list", "env:LIST", "--json", cwd=shell.root.parent, LIST='{"version": 1, "accounts": []}'
    )
    assert said.strip() == "", "nothing to tend, no line"
