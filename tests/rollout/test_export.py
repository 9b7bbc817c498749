"""A rollout's own files: the commit, or what stood there; nothing of it leads anywhere else."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from infra.errors import HearthError, SpecError, Unreachable
from infra.rollout import crew, export
from infra.rollout.history import Rollout
from infra.rollout.state import State
from tests.rollout.repository import Repository
from tests.rollout.runs import history
from tests.rollout.simulation import plan, target, wave

HOSTILE = (
    "with space",
    "-rf",
    "new\nline",
    "tab\there",
    "umlaut-ü",
    '"quoted"',
    "$(touch x)",
    b"no-utf8-\xff",
    ":(top)x",
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A project with a commit."""
    made = Repository(tmp_path / "project")
    made.write(".gitignore", ".hearth/\n.venv\nignored\n")
    made.write("Pulumi.yaml", "name: hearth\n")
    made.write("infra/program.py", "first\n")
    made.commit()
    return made


def files(folder: Path) -> dict[str, str]:
    """Every file and link of a folder, but for what is linked in, with what it says or where it leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"→ {os.readlink(path)}"
        elif path.is_file():
            found[name] = path.read_text()
    found.pop(".hearth", None)
    return found


def snapshot(repository: Repository) -> dict[str, bytes]:
    """Everything that git keeps."""
    folder = repository.root / ".git"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_commit_is_exported_and_later_changes_of_the_working_tree_do_not_reach_it(repository: Repository):
    commit = repository.git("rev-parse", "HEAD").strip()
    source = export.take(repository.root, "r1")
    repository.write("infra/program.py", "second\n")
    assert source.commit == commit
    assert source.folder == repository.root / ".hearth" / "rollouts" / "r1" / "source"
    assert files(source.folder) == {
        ".gitignore": ".hearth/\n.venv\nignored\n", "Pulumi.yaml": "name: hearth\n", "infra/program.py": "first\n",
    }  # fmt: skip


def test_a_working_tree_that_differs_is_refused_and_every_file_named(repository: Repository):
    repository.write("infra/program.py", "second\n")
    repository.write("infra/new.py")
    repository.write("ignored")
    (repository.root / "Pulumi.yaml").unlink()
    with pytest.raises(SpecError) as refused:
        export.take(repository.root, "r1")
    assert [mistake.file for mistake in refused.value.mistakes] == ["Pulumi.yaml", "infra/new.py", "infra/program.py"]
    assert "--dirty" in str(refused.value)


def test_many_differing_files_are_counted(repository: Repository):
    for number in range(30):
        repository.write(f"new-{number:02}")
    with pytest.raises(SpecError) as refused:
        export.take(repository.root, "r1")
    assert "and 20 more" in str(refused.value)


def test_a_named_commit_is_exported_whatever_stands_in_the_working_tree(repository: Repository):
    first = repository.git("rev-parse", "HEAD").strip()
    repository.write("infra/program.py", "second\n")
    repository.commit()
    repository.write("infra/program.py", "third\n")
    source = export.take(repository.root, "r1", commit=first)
    assert (source.commit, (source.folder / "infra/program.py").read_text()) == (first, "first\n")


def test_told_so_it_exports_what_it_saw_and_leaves_git_as_it_was(repository: Repository):
    repository.write("infra/program.py", "second\n")
    repository.write("infra/staged.py")
    repository.git("add", "infra/staged.py")
    repository.write("infra/new.py").chmod(0o755)
    repository.write("ignored")
    (repository.root / "Pulumi.yaml").unlink()
    before = snapshot(repository)
    source = export.take(repository.root, "r1", dirty=True)
    assert snapshot(repository) == before
    assert sorted(files(source.folder)) == [".gitignore", "infra/new.py", "infra/program.py", "infra/staged.py"]
    assert (source.folder / "infra/program.py").read_text() == "second\n"
    assert os.access(source.folder / "infra/new.py", os.X_OK)
    assert source.commit.startswith("dirty-")
    again = export.take(repository.root, "r2", dirty=True)
    assert again.commit == source.commit, "the same files have the same name"
    repository.write("infra/new.py", "other\n")
    assert export.take(repository.root, "r3", dirty=True).commit != source.commit


def test_a_clean_tree_keeps_the_name_of_its_commit_whatever_is_allowed(repository: Repository):
    assert export.take(repository.root, "r1", dirty=True).commit == repository.git("rev-parse", "HEAD").strip()


def test_a_project_in_a_folder_of_its_repository_is_exported_from_there(tmp_path: Path):
    repository = Repository(tmp_path / "all")
    repository.write(".gitignore", ".hearth/\n")
    repository.write("fleet/Pulumi.yaml")
    repository.write("other/file")
    repository.commit()
    repository.write("other/file", "changed\n")  # none of this project's business
    project = repository.root / "fleet"
    assert files(export.take(project, "r1").folder) == {"Pulumi.yaml": "text\n"}
    repository.write("fleet/new")
    with pytest.raises(SpecError, match="new has 1 mistake"):
        export.take(project, "r2")
    assert files(export.take(project, "r2", dirty=True).folder) == {"Pulumi.yaml": "text\n", "new": "text\n"}


def test_files_that_git_archive_would_leave_out_are_there(repository: Repository):
    repository.write(".gitattributes", "infra/program.py export-ignore\n")
    repository.commit()
    assert "infra/program.py" in files(export.take(repository.root, "r1").folder)


def test_a_hook_of_git_does_not_lead_the_export_elsewhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = Repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert "infra/program.py" in files(export.take(repository.root, "r1").folder)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("dirty", [False, True])
def test_names_of_any_bytes_come_through_export_pack_and_unpack(repository: Repository, dirty: bool, tmp_path: Path):
    for name in HOSTILE:
        repository.write(name, f"{name!r}\n").chmod(0o755)
    if not dirty:
        repository.commit()
    source = export.take(repository.root, "r1", dirty=dirty)
    expected = files(source.folder)
    assert {os.fsdecode(name) for name in HOSTILE} < set(expected)
    there = export.unpack(export.pack(source.folder), tmp_path / "elsewhere", "r1")
    assert files(there) == expected
    assert os.access(there / "-rf", os.X_OK)


def test_the_same_files_make_the_same_bytes_and_what_a_run_left_in_them_stays_out(repository: Repository):
    first = export.take(repository.root, "r1").folder
    packed = export.pack(first)
    (first / "infra" / "__pycache__").mkdir()
    (first / "infra" / "__pycache__" / "program.pyc").write_bytes(b"x")
    (first / ".venv").symlink_to(repository.root)
    assert export.pack(first) == packed
    assert export.pack(export.take(repository.root, "r2").folder) == packed


def test_what_recover_notes_is_the_projects_in_an_export_too(repository: Repository):
    source = export.take(repository.root, "r1").folder
    (source / ".hearth" / "note").write_text("seen")
    assert (repository.root / ".hearth" / "note").read_text() == "seen"
    there = export.unpack(export.pack(source), repository.root, "r2")
    assert (there / ".hearth" / "note").read_text() == "seen"


def test_links_inside_are_kept_and_links_that_lead_out_are_refused(repository: Repository, tmp_path: Path):
    (repository.root / "infra" / "again.py").symlink_to("program.py")
    repository.commit()
    source = export.take(repository.root, "r1").folder
    assert files(source)["infra/again.py"] == "→ program.py"
    assert files(export.unpack(export.pack(source), tmp_path / "other", "r1"))["infra/again.py"] == "→ program.py"
    for name, to in (("a", "/etc/passwd"), ("b", "../outside"), ("infra/c", "../.."), ("d", "d")):
        (repository.root / name).symlink_to(to)
    repository.commit()
    with pytest.raises(SpecError) as refused:
        export.take(repository.root, "r2")
    assert [mistake.file for mistake in refused.value.mistakes] == ["a", "b", "d", "infra/c"]
    assert not export.folder(repository.root, "r2").joinpath("source").exists()


def test_a_repository_within_is_refused_because_its_files_would_be_missing(repository: Repository, tmp_path: Path):
    inner = Repository(repository.root / "inner")
    inner.write("file")
    inner.commit()
    with pytest.raises(SpecError, match=r"inner has 1 mistake\n.*repository of its own"):
        export.take(repository.root, "r1", dirty=True)


def test_without_git_or_a_commit_the_next_move_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "plain").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(SpecError, match=r"is not in a git repository, .* git init"):
        export.take(tmp_path / "plain", "r1")
    empty = Repository(tmp_path / "empty")
    with pytest.raises(SpecError, match="there is no commit yet"):
        export.take(empty.root, "r1")
    empty.write("file")
    empty.commit()
    with pytest.raises(SpecError, match="is no commit of this repository"):
        export.take(empty.root, "r1", commit="no-such")
    with pytest.raises(SpecError, match="is no commit of this repository"):
        export.take(empty.root, "r1", commit="--all")
    with pytest.raises(HearthError, match="no name of a rollout"):
        export.take(empty.root, "../r1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unreachable, match="install git"):
        export.take(empty.root, "r1")


def test_an_export_that_a_kill_left_half_done_is_taken_anew(repository: Repository):
    (export.folder(repository.root, "r1") / ".source-killed").mkdir(parents=True)
    assert files(export.take(repository.root, "r1").folder)
    repository.write("infra/program.py", "second\n")
    repository.commit()
    assert (export.take(repository.root, "r1").folder / "infra/program.py").read_text() == "second\n"


# --- bytes that are not ours ---------------------------------------------------------------------------------------


def tar(*members: tuple[str, bytes, str]) -> bytes:
    """A tar file of members: name, type, what it says or where it leads."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as file:
        for name, kind, text in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(text)
                file.addfile(info, io.BytesIO(text.encode()))
            else:
                info.linkname = text
                file.addfile(info)
    return made.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        [("/absolute", tarfile.REGTYPE, "x")],
        [("../up", tarfile.REGTYPE, "x")],
        [("a/../../up", tarfile.REGTYPE, "x")],
        [(".hearth/rollouts.db", tarfile.REGTYPE, "x")],
        [("out", tarfile.SYMTYPE, "/etc/passwd")],
        [("out", tarfile.SYMTYPE, "..")],
        [("out", tarfile.SYMTYPE, "../outside"), ("out/file", tarfile.REGTYPE, "x")],
        [("a/b/up", tarfile.SYMTYPE, "../.."), ("out", tarfile.SYMTYPE, "a/b/up/..")],
        [("dir", tarfile.SYMTYPE, "../outside"), ("dir/deep/link", tarfile.SYMTYPE, "x")],
        [("hard", tarfile.LNKTYPE, "/etc/passwd")],
        [("pipe", tarfile.FIFOTYPE, "")],
        [("device", tarfile.CHRTYPE, "")],
        [("twice", tarfile.REGTYPE, "x"), ("twice", tarfile.REGTYPE, "y")],
    ],
)
def test_bytes_that_would_write_elsewhere_are_refused_whole(members: list[tuple[str, bytes, str]], tmp_path: Path):
    outside = tmp_path / "project" / ".hearth" / "rollouts" / "r1" / "outside"
    outside.mkdir(parents=True)
    with pytest.raises(HearthError):
        export.unpack(tar(*members), tmp_path / "project", "r1")
    assert not list(outside.iterdir())
    assert [path.name for path in outside.parent.iterdir()] == ["outside"]
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize(
    "packed", [b"", b"no tar", tar(("file", tarfile.REGTYPE, "x" * 10_000))[:-40]], ids=["empty", "no tar", "cut off"]
)
def test_bytes_that_are_no_export_are_an_error_of_ours(packed: bytes, tmp_path: Path):
    with pytest.raises(HearthError, match="cannot be unpacked"):
        export.unpack(packed, tmp_path, "r1")


def test_what_is_removed_leaves_its_logs_and_can_be_taken_again(repository: Repository):
    taken = export.take(repository.root, "r1").folder
    before = files(taken)
    (taken.parent / "log").mkdir()
    (taken.parent / ".source-of-a-kill").mkdir()
    (taken.parent / ".source-gone" / "half").mkdir(parents=True)
    export.remove(repository.root, "r1")
    export.remove(repository.root, "never")
    assert [path.name for path in taken.parent.iterdir()] == ["log"]
    assert files(export.take(repository.root, "r1").folder) == before


def test_the_last_rollouts_that_ended_and_those_under_way_keep_their_files(repository: Repository):
    kept = history(repository.root / ".hearth")
    kept.make_tables()
    names = [f"r{number}" for number in range(crew.KEPT + 4)]
    for number, name in enumerate(names):
        export.take(repository.root, name)
        row = Rollout(id=name, fleet="other" if number == 0 else "hearth", commit="c", digest="d", who="ann",
                      at=f"2026-01-01T00:00:0{number}Z", outcome="succeeded")  # fmt: skip
        run = kept.begin(row, made := plan(wave("one", [target("a")])), State.new(made), b"packed", lambda *_: None)
        over = number != 1  # whose window is open
        kept.save(run, [], outcome="succeeded", halting=False, ended=over, then=None, enqueue=lambda *_: None)
    crew.sweep(kept, repository.root, "hearth")
    left = [name for name in names if (export.folder(repository.root, name) / "source").is_dir()]
    assert left == ["r0", "r1", *names[-crew.KEPT :]]
    assert len(kept.rollouts()) == len(names), "the record stays"
    kept.forget_packed(["r2"])
    assert kept.packed("r2") is None
    assert kept.packed("r3") == b"packed"


def test_no_target_waits_for_room_that_cannot_be_made_now(repository: Repository, monkeypatch: pytest.MonkeyPatch):
    def away(*_: object) -> list[str]:
        raise Unreachable("the database is away")

    monkeypatch.setattr("infra.rollout.history.History.ended", away)
    crew.sweep(history(repository.root / ".hearth"), repository.root, "hearth")
