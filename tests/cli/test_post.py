from __future__ import annotations

from tests.cli.conftest import Shell


def test_nothing_is_posted_of_a_command_that_did_not_come_to_its_end(shell: Shell):
    (shell.root / "preview.md").touch()
    assert shell.hearth("post", "--to", "pr", str(shell.root / "preview.md"), code=2) == ""
    assert "is empty: the command that writes it did not come to its end" in shell.errors
    shell.hearth("post", "--to", "pr", "--marker", "a --> b", str(shell.root / "none.md"), code=2)
    assert "none.md is no file" in shell.errors
    assert "--marker" in shell.errors


def test_at_a_desk_there_is_nowhere_to_post(shell: Shell):
    (shell.root / "preview.md").write_text("text\n")
    shell.hearth("post", "--to", "summary", str(shell.root / "preview.md"), code=2)
    assert "this is no runner of GitHub Actions or Azure Pipelines" in shell.errors
