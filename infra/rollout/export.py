"""The commit that a rollout runs from, as files of its own: `.hearth/rollouts/<id>/source/`.

The working tree may change while a rollout bakes, for hours; its own files do not. They come from git as a checkout
would write them (no `export-ignore`), travel between machines as the bytes of a tar file, and hold a link `.hearth` to
the project's, so that what `hearth recover` notes is the same for a run from either place.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from infra.errors import HearthError, Mistake, SpecError, Unreachable

_OURS = (".hearth", ".venv")
"""What is never part of an export: they are linked into it."""
_NAMED = 10
"""How many changed files an error names."""
_REDIRECTING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_COMMON_DIR",
                "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE")  # fmt: skip
"""Variables by which a hook of git's, in which we may be running, leads its commands elsewhere."""
_SUBMODULE = "160000"
"""Its mode in an index."""
_NEXT_TO_NOTHING = 65_536
"""Bytes free on a disk on which nothing can be written."""
_MOST = 512 * 1024 * 1024
"""Bytes of an export that are unpacked: more is no project of ours, and a disk that is full stops every rollout."""


@dataclass(frozen=True, slots=True)
class Source:
    """A rollout's own files."""

    folder: Path
    commit: str
    """The commit, or `dirty-<tree>` of a working tree that was taken as it stood."""


def folder(root: Path, rollout: str) -> Path:
    """Where a rollout keeps what is its own on this machine: `source`, `log`, `run`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", rollout):
        raise HearthError(f"{rollout!r} is no name of a rollout")
    return root / ".hearth" / "rollouts" / rollout


def changed(root: Path) -> tuple[str, ...]:
    """Files of the project that differ from the last commit, with those that git neither knows nor ignores.

    Raises SpecError for a project that is not in a git repository.
    """
    return _Repository(root).changed()


def take(root: Path, rollout: str, *, commit: str = "HEAD", dirty: bool = False) -> Source:
    """Export a commit for a rollout; with `dirty`, the working tree as it stands. The user's index stays as it is.

    Raises SpecError for a working tree that differs from HEAD when that is to be exported (unless `dirty`), for a
    project without git, an unknown commit, and what an export cannot hold: submodules, links that lead out of it.
    """
    repository = _Repository(root)
    found = repository.commit(commit)
    differs = repository.changed() if commit == "HEAD" else ()
    if differs and not dirty:
        more = [f"and {len(differs) - _NAMED} more"] if len(differs) > _NAMED else []
        text = "is not committed, and a rollout runs from a commit; commit it, or export what is there with --dirty"
        raise SpecError([Mistake(name, 0, "", text) for name in (*differs[:_NAMED], *more)])
    target = folder(root, rollout) / "source"
    with enough_room(target), _in_place_of(target) as partial, tempfile.TemporaryDirectory() as scratch:
        index = _Index(repository, Path(scratch))
        if differs:
            name = f"dirty-{index.read_working_tree(differs)}"
        else:
            name = found
            index.read(found)
        index.require_no_submodules()
        index.write_files(partial)
        _require_links_inside(partial)
        _link_ours(root, partial, target)
    return Source(target, name)


def pack(source: Path) -> bytes:
    """An export as the bytes of a tar file, the same for the same files; what is linked into it stays out."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _files(source):
            info = tar.gettarinfo(path, path.relative_to(source).as_posix())
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            info.mode = 0o755 if info.mode & 0o100 else 0o644
            if info.islnk():  # two names of one file on this disk: each is a file
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
            if info.isreg():
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return packed.getvalue()


def unpack(packed: bytes, root: Path, rollout: str) -> Path:
    """Lay an export out on this machine, if it is not there already; its folder.

    The bytes come from a database, so nothing in them may lead out of the folder. Raises HearthError for what does.
    """
    target = folder(root, rollout) / "source"
    if target.is_dir():
        return target
    try:
        with enough_room(target), _in_place_of(target) as partial:
            with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
                _extract(tar, partial)
            _link_ours(root, partial, target)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise HearthError(f"{rollout}: the export in the database cannot be unpacked ({error})") from error
    return target


def remove(root: Path, rollout: str) -> None:
    """Take a rollout's own files from this machine, and leave its logs. They may be taken or unpacked again."""
    here = folder(root, rollout)
    _clear(here)  # what a kill left
    with suppress(FileNotFoundError):  # at once out of the way: half of an export is none
        (here / "source").rename(here / ".source-gone")
    _clear(here)


def _clear(here: Path) -> None:
    for left in here.glob(".source-*"):
        shutil.rmtree(left, ignore_errors=True)


# --- git -----------------------------------------------------------------------------------------------------------


class _Repository:
    """The git repository that a project is in."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            # The folder of the project in it, as `a/b/`; empty at its top.
            self.prefix = self.git("rev-parse", "--show-prefix").rstrip("\n")
        except _GitFailed as error:
            if "not a git repository" not in str(error):
                raise
            text = "is not in a git repository, and a rollout runs from a commit: git init, git add, git commit"
            raise SpecError([Mistake(str(root), 0, "", text)]) from None

    def commit(self, name: str) -> str:
        """The full id of a commit."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
        except _GitFailed:
            text = "there is no commit yet; git commit" if name == "HEAD" else "is no commit of this repository"
            raise SpecError([Mistake(str(self.root), 0, name, text)]) from None

    def changed(self) -> tuple[str, ...]:
        """What `git status` tells of the project's folder, from there."""
        # Without --no-renames the old name of a renamed file would come as a row of its own, without a mark.
        told = self.git(
            "status",
            "--porcelain=v1",
            "-z",
            "-uall",
            "--no-renames",
            "--",
            ".",
            *(f":(exclude){name}" for name in _OURS),
        )
        names = (row[3:].removeprefix(self.prefix) for row in told.split("\0") if row)
        return tuple(sorted(names))

    def git(self, *arguments: str, stdin: str = "", **environment: str) -> str:
        """What a command of git's prints. Raises _GitFailed."""
        kept = {name: value for name, value in os.environ.items() if name not in _REDIRECTING}
        command = ["git", "--no-optional-locks", "-c", "core.quotePath=false", *arguments]
        try:
            done = subprocess.run(
                command, cwd=self.root, env={**kept, "LC_ALL": "C.UTF-8", **environment},
                input=os.fsencode(stdin), capture_output=True, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Unreachable("No `git` is on PATH, and a rollout runs from a commit: install git") from None
        if done.returncode:
            raise _GitFailed(" ".join(done.stderr.decode(errors="replace").split()) or f"exit {done.returncode}")
        return os.fsdecode(done.stdout)  # names of files may be any bytes


class _GitFailed(HearthError):
    def __init__(self, text: str) -> None:
        full = "no space left on device" in text.lower()
        super().__init__(f"git: {text}{'. Make room and try again' if full else ''}")


class _Index:
    """An index of our own: what is put into it, objects too, leaves no trace in the repository."""

    def __init__(self, repository: _Repository, scratch: Path) -> None:
        self._repository = repository
        objects = repository.git("rev-parse", "--path-format=absolute", "--git-path", "objects").rstrip("\n")
        (scratch / "objects").mkdir()
        self._file = scratch / "index"
        self._environment = {
            "GIT_INDEX_FILE": str(self._file),
            "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }

    def read(self, commit: str) -> None:
        """Take a commit's files: those of the project's folder."""
        prefix = self._repository.prefix.rstrip("/")
        self._git("read-tree", f"{commit}:{prefix}" if prefix else commit)

    def read_working_tree(self, differing: Iterable[str]) -> str:
        """Take the files as they stand, where these differ from the last commit; the tree's id."""
        users = Path(self._repository.git("rev-parse", "--path-format=absolute", "--git-path", "index").rstrip("\n"))
        try:
            shutil.copyfile(users, self._file)  # with what it knows of each file: only changed ones are read
        except FileNotFoundError:
            self._git("read-tree", "HEAD")
        names = "\0".join(f"{self._repository.prefix}{name}" for name in differing)
        self._git("--literal-pathspecs", "add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=names)
        prefix = self._repository.prefix
        tree = self._git("write-tree", *([f"--prefix={prefix}"] if prefix else [])).strip()
        self._file.unlink()
        self._git("read-tree", tree)
        return tree

    def require_no_submodules(self) -> None:
        """Raise SpecError for what git would leave out."""
        rows = [row for row in self._git("ls-files", "--stage", "-z").split("\0") if row.startswith(_SUBMODULE)]
        if rows:
            text = "is a repository of its own, whose files an export would lack"
            raise SpecError([Mistake(row.partition("\t")[2], 0, "", text) for row in rows])

    def write_files(self, where: Path) -> None:
        """Write every file below a folder."""
        try:
            self._git("checkout-index", "--all", "--force", "--quiet", f"--prefix={where}{os.sep}")
        except _GitFailed:
            if shutil.disk_usage(where).free > _NEXT_TO_NOTHING:
                raise
            raise OSError(errno.ENOSPC, "the disk is full") from None  # git says no more than that it could not write

    def _git(self, *arguments: str, stdin: str = "") -> str:
        # At the repository's top: in a folder of it, git passes over what is not of that folder.
        top = self._repository.git("rev-parse", "--show-toplevel").rstrip("\n")
        return self._repository.git("-C", top, *arguments, stdin=stdin, **self._environment)


# --- files ---------------------------------------------------------------------------------------------------------


@contextmanager
def _in_place_of(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` when it is whole: a kill leaves nothing half there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".source-", dir=target.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def enough_room(where: Path) -> Iterator[None]:
    """Raise HearthError, in words, where a file cannot be written: a full disk stops a whole rollout."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise HearthError(f"{error.filename or where}: {error.strerror or error}") from error
        raise HearthError(f"{where}: the disk is full; make room and try again") from error


def _link_ours(root: Path, made: Path, target: Path) -> None:
    """Link the project's `.hearth` into an export, by a relative path: the project may be moved."""
    for name in _OURS:  # a commit that holds one of them
        with suppress(FileNotFoundError):
            (made / name).unlink() if (made / name).is_symlink() else shutil.rmtree(made / name)
    (made / ".hearth").symlink_to(os.path.relpath(root / ".hearth", target))


def _files(source: Path) -> list[Path]:
    """Every file and link of an export, in order of name."""
    found = []
    for place, folders, files in os.walk(source):
        here = Path(place)
        if here == source:
            folders[:] = [name for name in folders if name not in _OURS]
            files = [name for name in files if name not in _OURS]  # noqa: PLW2901
        folders[:] = [name for name in folders if name != "__pycache__"]
        found += [here / name for name in files]
        found += [here / name for name in folders if (here / name).is_symlink()]
    return sorted(found)


def _extract(tar: tarfile.TarFile, where: Path) -> None:
    """Files first, then links: no file is ever written through a link."""
    links, size = [], 0
    for member in tar:
        path = PurePosixPath(member.name)
        size += member.size
        if path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0] in _OURS or size > _MOST:
            raise HearthError(f"the export in the database holds {member.name!r}, which no export of ours does")
        if member.issym():
            links.append(member)
        elif member.isreg():
            file = where / path
            file.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            with file.open("xb") as written:
                shutil.copyfileobj(content or io.BytesIO(), written)
            file.chmod(0o755 if member.mode & 0o100 else 0o644)
        elif not member.isdir():
            raise HearthError(f"the export in the database holds {member.name!r}, which is neither file nor link")
    for member in links:
        link = where / member.name
        # Looked at before anything is made: a link above it would lead the making elsewhere.
        if link.parent.resolve() != where.resolve() / PurePosixPath(member.name).parent:
            raise HearthError(f"the export in the database holds a link below a link: {member.name!r}")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(member.linkname)
    _require_links_inside(where)


def _require_links_inside(where: Path) -> None:
    """Raise SpecError for links that lead out of a folder: elsewhere they would lead to something else, or nowhere."""
    mistakes, real = [], where.resolve()
    for link in filter(Path.is_symlink, _files(where)):
        try:
            inside = link.resolve().is_relative_to(real)
        except RuntimeError:  # links that lead to each other
            inside = False
        if not inside:
            name = link.relative_to(where).as_posix()
            mistakes.append(Mistake(name, 0, "", f"is a link to {os.readlink(link)}, which an export does not hold"))
    if mistakes:
        raise SpecError(mistakes)
