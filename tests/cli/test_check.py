from __future__ import annotations

import json

from tests.cli.conftest import Shell


def test_a_sound_project_passes_and_its_warnings_are_no_failure(shell: Shell):
    assert shell.hearth("check") == "2 stacks as they should be: local-source, local-target\n"
    assert "retired" in shell.errors


def test_mistakes_exit_with_2_and_are_told_once_each_with_their_place(shell: Shell):
    file = shell.root / "stacks" / "Pulumi.local-target.yaml"
    file.write_text(file.read_text().replace("swedencentral", "swedencentrall").replace("ping", "pong"))
    assert shell.hearth("check", code=2) == ""
    assert "error: stacks/Pulumi.local-target.yaml has 2 mistakes" in shell.errors
    assert 'line 4, azure-native:location: "swedencentrall" is no region' in shell.errors
    assert 'did you mean "swedencentral"?' in shell.errors


def test_json_is_for_programs_and_exits_the_same(shell: Shell):
    file = shell.root / "stacks" / "Pulumi.local-target.yaml"
    file.write_text(file.read_text().replace("capacity: 1", "capacity: 0"))
    (mistake,) = json.loads(shell.hearth("check", "--json", code=2))["mistakes"]
    assert mistake["path"] == "hearth:deployments/support-bot/sku/capacity"
    assert mistake["line"] == 11


def test_what_was_found_is_written_for_a_pipelines_page_as_text(shell: Shell):
    file = shell.root / "stacks" / "Pulumi.local-target.yaml"
    file.write_text(file.read_text().replace("swedencentral", "'<b>|@all'"))
    page = shell.root / "check.md"
    shell.hearth("check", "--markdown", str(page), code=2)
    assert "1 mistake in 2 stacks." in page.read_text()
    assert "Pulumi.local-target.yaml, line 4" in page.read_text()
    assert not any(markup in page.read_text() for markup in ("<b>", "|", "@all"))


def test_a_stack_that_is_named_is_told_of_its_clash_with_another_and_of_nothing_else_there(shell: Shell):
    other = shell.root / "stacks" / "Pulumi.copy.yaml"
    other.write_text((shell.root / "stacks" / "Pulumi.local-target.yaml").read_text())
    broken = shell.root / "stacks" / "Pulumi.broken.yaml"
    broken.write_text("config: {hearth:account: 7}\n")
    shell.hearth("check", "copy", code=2)
    assert "the account contoso-ft-swe is claimed by" in shell.errors
    assert "broken" not in shell.errors


def test_a_rollout_is_checked_with_the_stacks_and_its_waves_are_shown_as_they_come_out(shell: Shell):
    file = shell.root / "stacks" / "rollout.yaml"
    file.write_text("waves:\n  - {name: first, targets: local-target}\n  - {name: rest, targets: 'local-*'}\n")
    said = shell.hearth("check")
    assert "wave 1, first: local-target\nwave 2, rest: local-source\n" in said
    assert json.loads(shell.hearth("check", "--json"))["rollout"][1] == {"wave": "rest", "stacks": ["local-source"]}
    file.write_text("waves:\n  - {name: first, targets: local-tarket}\n")
    shell.hearth("check", code=2)
    assert 'line 2, waves/0/targets: no stack is called "local-tarket"; did you mean "local-target"?' in shell.errors
    (mistake,) = json.loads(shell.hearth("check", "--json", code=2))["mistakes"]
    assert (mistake["file"], mistake["line"]) == ("stacks/rollout.yaml", 2)
    shell.hearth("check", "local-source")


def test_an_unknown_stack_is_a_mistake_with_the_one_that_was_meant(shell: Shell):
    shell.hearth("check", "local-targt", code=2)
    assert 'did you mean "local-target"?' in shell.errors


def test_outside_of_a_project_the_next_move_is_named(shell: Shell):
    shell.hearth("check", code=2, cwd=shell.root.parent)
    assert "no Pulumi.yaml here or above" in shell.errors
    shell.hearth("check", cwd=shell.root.parent, HEARTH_PROJECT=str(shell.root))


def test_help_needs_no_project_and_shows_every_command(shell: Shell):
    said = shell.hearth("--help", cwd=shell.root.parent)
    for command in ("check", "status", "chat", "recover", "adopt", "rollout", "local"):
        assert command in said
