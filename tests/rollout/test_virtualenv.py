"""The virtualenv of an export fits its lock, whatever becomes of the project's."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import Refused, SpecError
from infra.rollout import virtualenv


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose own virtualenv has its lock installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "project"
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").touch()
    (root / ".venv" / ".runtime").write_text("# nothing\n")
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.lock").write_text("# nothing\n")
    return root


@pytest.mark.proof
def test_the_projects_own_is_taken_where_it_fits_and_another_is_built_once_where_it_does_not(
    project: Path, tmp_path: Path
):
    source, said = tmp_path / "source", list[str]()
    assert virtualenv.link(source, project, said.append) == project / ".venv"
    assert (source / ".venv").resolve() == project / ".venv"
    (project / ".venv" / ".runtime").write_text("another lock\n")  # make has installed anew in mid-bake
    built = virtualenv.link(source, project, said.append)
    assert built.is_relative_to(tmp_path / "cache" / "hearth" / "virtualenvs")
    assert (source / ".venv" / "bin" / "python").exists()
    assert ["about a minute" in text for text in said] == [True]
    assert virtualenv.link(source, project, said.append) == built
    assert len(said) == 1, "it is kept"
    (built / ".runtime").unlink()  # as a kill in the middle leaves it
    assert virtualenv.link(source, project, said.append) == built
    assert len(said) == 2


@pytest.mark.proof
def test_what_cannot_be_installed_is_told_in_a_line(project: Path, tmp_path: Path):
    (tmp_path / "source" / "requirements.lock").write_text("./no-such-package\n")
    with pytest.raises(Refused, match="cannot be installed"):
        virtualenv.link(tmp_path / "source", project)


def test_a_commit_without_a_lock_is_refused(project: Path, tmp_path: Path):
    (tmp_path / "source" / "requirements.lock").unlink()
    with pytest.raises(SpecError, match=r"requirements.lock has 1 mistake"):
        virtualenv.link(tmp_path / "source", project)
