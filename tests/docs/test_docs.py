"""What the documentation claims, a test checks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer

from infra.cli.app import app
from tests.docs.generate import DOCS, PAGES

REPOSITORY = DOCS.parent
WRITTEN = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_is_generated_because_nobody_keeps_a_table_by_hand(name: str):
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run make docs"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path):
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))
    assert [t for t in targets if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_hearth_command_that_a_page_shows_exists(page: Path):
    known = commands()
    shown = re.findall(r"(?:^|[(\"$ /])hearth ((?:[a-z]+(?:-[a-z]+)* ?){1,2})", code(page), re.MULTILINE)
    for words in shown:
        first, _, second = words.strip().partition(" ")
        assert first in known, f"hearth {words}"
        if known[first]:
            assert second in known[first], f"hearth {words}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_make_target_that_a_page_shows_exists(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = set(re.findall(r"^make ([a-z-]+)", code(page), re.MULTILINE))
    assert shown <= targets


def test_every_command_has_help_because_that_is_the_documentation_at_hand():
    for name, command in typer.main.get_command(app).commands.items():
        assert command.help, name


def test_no_machine_path_and_no_address_of_an_index_is_in_the_repository():
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    machine = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/|https?://[\w.-]*(?:pypi|proxy\.golang|npmjs|crates)\.")
    found = []
    for name in listed.splitlines():
        path = REPOSITORY / name
        if path.suffix in {".sum"} or path == Path(__file__) or not path.is_file():
            continue
        if machine.search(path.read_text("utf-8", errors="replace")):
            found.append(name)
    assert found == []


def code(page: Path) -> str:
    """Everything on a page that is code: fenced blocks, and what stands in backticks."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", rest)])


def commands() -> dict[str, set[str]]:
    """Commands of hearth, each with its subcommands."""
    top = typer.main.get_command(app)
    return {name: set(getattr(command, "commands", {})) for name, command in top.commands.items()}
