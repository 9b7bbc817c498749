"""The digest of what an `up` puts up: what changes it, and what must not."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from infra.spec import applied, load_stack
from infra.spec.documents import SECRET
from tests.spec.desk import MODEL, SOMEBODY, TODAY, Changes, Desk, config

WEBHOOK = {"webhook": "https://hooks.example.com/a"}


def digest(desk: Desk, changes: Changes | None = None, *, named: bool = False, today: date = TODAY) -> str:
    stack = desk.load(changes, today=today)
    return applied.digest(desk.project, stack, "program", named=named)


@pytest.mark.parametrize(
    "changes",
    [
        {"hearth:deployments/support-bot/sku/capacity": 60},
        {"hearth:deployments/support-bot/raiPolicy": "strict"},
        {"hearth:deployments/support-bot/keepAlive": {"policy": "report"}},
        {"hearth:access": [{"principal": SOMEBODY, "role": "Cognitive Services User"}]},
        {"hearth:account/tags": {"team": "a"}},
        {"hearth:ready": "required"},
        {"hearth:keepAlive": {"notify": WEBHOOK}},
    ],
    ids=str,
)
def test_whatever_an_up_would_do_otherwise_changes_it(desk: Desk, changes: Changes):
    assert digest(desk, changes) != digest(desk)


@pytest.mark.parametrize(
    "changes", [{"hearth:stack": {"labels": {"a": "b"}}}, {"hearth:stack": {"gaps": True}}], ids=str
)
def test_what_no_up_puts_anywhere_does_not(desk: Desk, changes: Changes):
    assert digest(desk, changes) == digest(desk)


def test_warnings_of_the_day_do_not(desk: Desk):
    assert desk.load(today=date(2029, 1, 1)).warnings != desk.load().warnings
    assert digest(desk, today=date(2029, 1, 1)) == digest(desk)


def test_where_a_rollout_decides_about_models_they_do_not(desk: Desk):
    before = [digest(desk, named=named) for named in (True, False)]
    desk.record(changes={"model": MODEL.replace("b0", "c1"), "evaluation": {"passRate": 1}})
    after = [digest(desk, named=named) for named in (True, False)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_a_record_that_was_only_written_about_does_not(desk: Desk):
    before = digest(desk)
    desk.record(changes={"evaluation": {"passRate": 0.98}})
    assert digest(desk) == before


def test_who_decrypts_an_address_and_who_cannot_come_to_the_same(desk: Desk):
    """The engine hands the program the address; a command reads the file, and knows it encrypted alone."""

    def both(secret: str) -> set[str]:
        desk.stack({"hearth:keepAlive": {"notify": {"webhook": {"secure": secret}}}})
        project = desk.project
        read: dict[str, Any] = project.config("dev")
        assert read["hearth:keepAlive"]["notify"]["webhook"] is SECRET
        told = config({"hearth:keepAlive": {"notify": WEBHOOK}})
        stacks = [load_stack(project, "dev", given, today=TODAY) for given in (read, told)]
        assert [bool(one.keep_alive.notify and one.keep_alive.notify.webhook) for one in stacks] == [False, True]
        return {applied.digest(project, one, "program", named=False) for one in stacks}

    (first,), (second,) = both("v1:aaaa"), both("v1:bbbb")
    assert first != second, "another address is another wish"


def test_the_program_is_its_files_and_nothing_that_lies_beside_them(tmp_path: Path):
    (tmp_path / "components" / "__pycache__").mkdir(parents=True)
    (tmp_path / "components" / "account.py").write_text("one")
    (tmp_path / "requirements.lock").write_text("two")
    before = applied.program(tmp_path)
    for stray in ("components/__pycache__/account.cpython-311.pyc", "components/account.py.swp", "README.md"):
        (tmp_path / stray).write_text("x")
    assert applied.program(tmp_path) == before
    (tmp_path / "requirements.lock").write_text("three")
    locked = applied.program(tmp_path)
    (tmp_path / "components" / "account.py").write_text("on")
    assert len({before, locked, applied.program(tmp_path)}) == 3


def test_the_program_is_all_that_a_run_imports_and_none_of_it_is_gone():
    root = Path(__file__).parents[2]
    assert [name for name in applied.PROGRAM if not (root / name).exists()] == []
    every = "import infra.program, infra.keepalive.stacks, components.keep_alive, sys; "
    told = "print(*[m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in ('infra', 'components')])"
    said = subprocess.run([sys.executable, "-c", every + told], cwd=root, capture_output=True, text=True, check=True)
    files = [Path(name).relative_to(root).as_posix() for name in said.stdout.split()]
    assert {"infra/program.py", "components/account.py"} <= set(files)
    folders = tuple(name for name in applied.PROGRAM if name.endswith("/"))
    assert [file for file in files if file not in applied.PROGRAM and not file.startswith(folders)] == []
