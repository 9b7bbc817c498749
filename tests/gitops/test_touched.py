"""Which stacks a change touches, told by real git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.errors import SpecError
from infra.gitops import touched
from infra.spec import open_project

REPOSITORY = Path(__file__).parents[2]
BASE = """\
config:
  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222
  azure-native:location: swedencentral
  hearth:account: {name: a-%s, resourceGroup: rg}
  hearth:deployments:
    bot: {model: %s, sku: {name: Standard, capacity: 1}}
"""


def git(root: Path, *arguments: str) -> str:
    whole = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(whole, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in a folder of a repository, three stacks, two records, on branch main."""
    root = tmp_path / "repository" / "models of ours"
    (root / "stacks" / "models").mkdir(parents=True)
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    for name, record in {"one": "alpha", "two": "alpha", "three": "beta"}.items():
        (root / "stacks" / f"Pulumi.{name}.yaml").write_text(BASE % (name, record))
    for record in ("alpha", "beta"):
        (root / "stacks" / "models" / f"{record}.yaml").write_text("model: x\n")
    git(root.parent, "init", "-qb", "main")
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-qm", "first")
    git(root.parent, "checkout", "-qb", "change")
    return root


def touching(root: Path, since: str = "main") -> dict[str, tuple[str, ...]]:
    return touched.stacks(open_project(root), touched.changed_files(root, since))


def test_a_changed_record_touches_the_stacks_that_use_it_and_no_other(root: Path) -> None:
    (root / "stacks" / "models" / "alpha.yaml").write_text("model: y\n")
    assert touching(root) == {"one": ("stacks/models/alpha.yaml",), "two": ("stacks/models/alpha.yaml",)}


def test_committed_uncommitted_and_new_files_count_alike(root: Path) -> None:
    (root / "stacks" / "Pulumi.one.yaml").write_text(BASE % ("one", "beta"))
    git(root, "commit", "-qam", "one")
    (root / "stacks" / "Pulumi.two.yaml").write_text(BASE % ("two", "beta"))
    (root / "stacks" / "Pulumi.nine.yaml").write_text(BASE % ("nine", "beta"))
    assert sorted(touching(root)) == ["nine", "one", "two"]


def test_what_main_gained_meanwhile_is_not_of_this_change(root: Path) -> None:
    git(root, "checkout", "-q", "main")
    (root / "stacks" / "models" / "beta.yaml").write_text("model: z\n")
    git(root, "commit", "-qam", "meanwhile")
    git(root, "checkout", "-q", "change")
    assert touching(root) == {}


@pytest.mark.parametrize("file", ["components/account.py", "infra/spec/limits.yaml", "requirements.lock"])
def test_the_program_touches_every_stack(root: Path, file: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text("x\n")
    assert sorted(touching(root)) == ["one", "three", "two"]


@pytest.mark.parametrize("file", ["README.md", "infra/cli/app.py", "infra/localazure/world.py", "stacks/rollout.yaml"])
def test_what_no_up_runs_touches_no_stack(root: Path, file: str) -> None:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text("x\n")
    assert touching(root) == {}


def test_every_module_that_the_program_imports_counts_as_the_program() -> None:
    script = (
        "import sys, infra.program; print(*sorted(m for m in sys.modules if m.startswith(('infra', 'components'))))"
    )
    done = subprocess.run(
        [str(REPOSITORY / ".venv/bin/python"), "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    files = [Path(*name.split(".")) for name in done.stdout.split()]
    paths = [str(f / "__init__.py" if (REPOSITORY / f).is_dir() else f.with_suffix(".py")) for f in files]
    missed = [
        p for p in paths if not any(p == one or (one.endswith("/") and p.startswith(one)) for one in touched.PROGRAM)
    ]
    assert missed == []


def test_a_removed_stack_is_named_for_what_it_put_up_still_stands(root: Path) -> None:
    (root / "stacks" / "Pulumi.two.yaml").unlink()
    files = touched.changed_files(root, "main")
    assert touched.removed(open_project(root), files) == ["two"]
    assert touched.stacks(open_project(root), files) == {}


def test_a_default_of_the_project_counts_where_the_stack_says_nothing(root: Path) -> None:
    bare = (BASE % ("one", "alpha")).partition("  hearth:deployments")[0]
    (root / "stacks" / "Pulumi.one.yaml").write_text(bare)
    shared = (
        "config:\n  hearth:deployments:\n    value:\n      bot: {model: beta, sku: {name: Standard, capacity: 1}}\n"
    )
    (root / "Pulumi.yaml").write_text((root / "Pulumi.yaml").read_text() + shared)
    git(root, "commit", "-qam", "defaults")
    (root / "stacks" / "models" / "beta.yaml").write_text("model: z\n")
    assert sorted(touching(root, "HEAD")) == ["one", "three"]


@pytest.mark.parametrize("ref", ["no-such-branch", "--upload-pack=touch gone", "$(touch gone)", "main; touch gone"])
def test_a_reference_that_git_does_not_know_is_one_clear_mistake(root: Path, ref: str) -> None:
    with pytest.raises(SpecError, match="--changed-since"):
        touched.changed_files(root, ref)
    assert not (root / "gone").exists()


def test_hostile_names_of_files_are_names_and_nothing_else(root: Path) -> None:
    for name in ("$(touch gone)", "a\nb", "-rf", "'; touch gone"):
        (root / "stacks" / f"Pulumi.{name}.yaml").write_text(BASE % ("x", "alpha"))
    assert len(touching(root)) == 4
    assert not (root / "gone").exists()
