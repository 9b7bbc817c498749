"""`hearth tend` by itself: what it is given, and stacks that it cannot read."""

from __future__ import annotations

import json

from tests.cli.conftest import Shell


def test_a_watch_list_that_is_wrong_is_exit_2_with_its_place(shell: Shell):
    (shell.root / "list.json").write_text('{"version": 1, "acounts": []}')
    shell.hearth("tend", "--watch-list", "list.json", code=2)
    assert "is no watch list: Object contains unknown field `acounts`" in shell.errors
    shell.hearth("tend", "--watch-list", "none.json", code=2)
    assert "cannot be read" in shell.errors


def test_a_watch_list_takes_the_place_of_stacks(shell: Shell):
    shell.hearth("tend", "local-source", "--watch-list", "list.json", code=2)
    assert "takes the place of stacks" in shell.errors


def test_an_empty_list_is_nothing_to_tend(shell: Shell):
    (shell.root / "list.json").write_text('{"version": 1, "accounts": []}')
    assert "nothing to tend" in shell.hearth("tend", "--watch-list", "list.json")
    assert shell.hearth("tend", "--watch-list", "list.json", "--json").strip() == ""


def test_a_stack_that_cannot_be_read_is_a_row_and_does_not_stop_the_others(shell: Shell):
    said = shell.hearth("tend", "--json", "--markdown", "report.md", code=3, PATH="")
    rows = [json.loads(line) for line in said.splitlines()]
    assert [(row["stack"], row["outcome"], row["code"]) for row in rows] == [
        ("local-source", "not looked at", 3),
        ("local-target", "not looked at", 3),
    ]
    assert "No `pulumi` is on PATH" in rows[0]["reason"]
    assert "| local-target |" in (shell.root / "report.md").read_text()


def test_a_report_that_cannot_be_written_is_exit_2_before_anything_is_done(shell: Shell):
    (shell.root / "list.json").write_text('{"version": 1, "accounts": []}')
    for bad in ("none/report.md", "."):
        assert shell.hearth("tend", "--watch-list", "list.json", "--markdown", bad, code=2) == "", "nothing was tended"
        assert "cannot be written" in shell.errors
