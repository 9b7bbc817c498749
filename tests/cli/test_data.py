"""`hearth data check` as a person and as a program meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cli import data
from infra.errors import NotFound, SpecError
from tests.cli.conftest import Shell
from tests.localazure.clients import Served
from tests.localazure.cloud import OWNER_APP, SECRET, TENANT
from tests.localazure.conftest import azure, served
from tests.training import cases

__all__ = ["azure", "served"]
BROKEN = cases.HERE / "broken"


def test_sound_data_exit_with_0_and_are_described(shell: Shell):
    said = shell.hearth("data", "check", str(cases.CHAT), "--model", "gpt-4.1", "--epochs", "2")
    assert "11 chat examples" in said
    assert "counted by o200k_base), in 2 epochs:" in said
    assert "cost in USD: GlobalStandard 0.00, DeveloperTier 0.00 (Learn, cost management" in said
    assert said.endswith("no faults, no warnings\n")
    assert shell.errors == ""


def test_a_file_that_is_not_there_is_a_fault(shell: Shell):
    said = shell.hearth("data", "check", "absent.jsonl", code=2)
    assert "cannot be read: No such file or directory → name a file that you may read" in shell.errors
    assert "absent.jsonl: not looked into" in said


def test_a_fault_exits_with_2_and_names_file_line_fact_and_what_to_do(shell: Shell):
    file = BROKEN / "weight.jsonl"
    shell.hearth("data", "check", str(file), code=2)
    assert f"{file} has 1 fault\n  line 11: messages/" in shell.errors
    assert "→ write 0 or 1, or leave weight out" in shell.errors


def test_warnings_alone_exit_with_0(shell: Shell):
    shell.hearth("data", "check", str(BROKEN / "duplicate.jsonl"))
    assert "has 1 warning" in shell.errors
    assert "says the same as line" in shell.errors


def test_many_findings_of_a_kind_are_shown_once_and_counted(shell: Shell, tmp_path: Path):
    cases.write(tmp_path / "a", *[b"{"] * 30)
    shell.hearth("data", "check", str(tmp_path / "a"), "--show", "2", code=2)
    assert shell.errors.count("is no JSON") == 2
    assert "… and 28 more like this (json: every line is JSON)" in shell.errors


def test_a_model_that_is_not_known_is_a_warning_with_the_one_that_was_meant(shell: Shell):
    said = shell.hearth("data", "check", str(cases.CHAT), "--model", "gpt-4.1-mino")
    assert 'did you mean "gpt-4.1-mini' in shell.errors
    assert "price unknown for gpt-4.1-mino" in said


def test_json_has_all_of_it_for_programs_and_exits_the_same(shell: Shell):
    found = json.loads(shell.hearth("data", "check", str(BROKEN / "weight.jsonl"), str(cases.CHAT), "--json", code=2))
    assert (found["ok"], found["faults"]) == (False, 1)
    first = found["files"][0]
    assert [(f["line"], f["rule"], f["kind"]) for f in first["findings"]] == [(11, "weight", "fault")]
    assert first["findings"][0]["do"]
    assert found["tokens"] == {"counted": "exact", "encoding": "o200k_base"}
    assert found["files"][1]["roles"]["assistant"]["texts"] >= 11
    assert found["cost"]["prices"] is None, "no model, no price"


def test_an_overlap_of_training_and_validation_is_told_with_both_places(shell: Shell):
    shell.hearth("data", "check", str(cases.CHAT), "--validation", str(cases.CHAT), "--show", "1")
    assert f"line 1: says the same as line 1 of {cases.CHAT}" in shell.errors
    assert "… and 10 more like this (overlap" in shell.errors


def test_fix_writes_a_copy_beside_the_file_and_says_what_it_changed(shell: Shell, tmp_path: Path):
    file = tmp_path / "a.jsonl"
    lines = cases.CHAT.read_bytes().splitlines()
    file.write_bytes(b"\r\n".join([*lines, b"", lines[0], b"\xef\xbb\xbf" + lines[1]]))
    said = shell.hearth("data", "check", str(file), "--fix", code=2)
    changes = said.splitlines()[-1]
    assert changes.startswith(f"{tmp_path / 'a.fixed.jsonl'}: ")
    for change in ("1 blank line", "12 line ends", "2 duplicates"):
        assert change in changes
    assert (tmp_path / "a.fixed.jsonl").read_bytes() == cases.CHAT.read_bytes()
    shell.hearth("data", "check", str(tmp_path / "a.fixed.jsonl"))
    assert shell.errors == ""


def test_fix_that_has_nothing_to_mend_says_so(shell: Shell, tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(cases.CHAT.read_bytes())
    assert "there was nothing to mend" in shell.hearth("data", "check", str(tmp_path / "a.jsonl"), "--fix")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_copy_that_cannot_be_written_is_a_sentence(shell: Shell, tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(cases.CHAT.read_bytes())
    tmp_path.chmod(0o500)
    shell.hearth("data", "check", str(tmp_path / "a.jsonl"), "--fix", code=1)
    assert "cannot be written: Permission denied" in shell.errors


def test_a_picture_is_drawn_without_a_display(shell: Shell, tmp_path: Path):
    goal = tmp_path / "a.svg"
    files = ["--validation", str(cases.HERE / "sound" / "tools.jsonl")]
    shell.hearth("data", "check", str(cases.CHAT), *files, "--plot", str(goal), DISPLAY="")
    drawn = goal.read_text()
    assert drawn.startswith("<?xml")
    for label in ("training: 11 examples", "validation: 11 examples", "tokens of an example"):
        assert f"<!-- {label} -->" in drawn, "matplotlib notes what it draws as paths"


@pytest.mark.parametrize(
    ("plot", "text"), [("a.gif", "ends neither with .png nor with .svg"), ("no/a.png", "there is no folder no")]
)
def test_a_picture_that_cannot_be_written_is_said_before_the_data_are_read(shell: Shell, plot: str, text: str):
    shell.hearth("data", "check", "absent.jsonl", "--plot", plot, code=2)
    assert text in shell.errors
    assert "cannot be read" not in shell.errors


def test_every_broken_file_is_told_in_a_line_each_and_never_in_a_traceback(shell: Shell, tmp_path: Path):
    gone = cases.unreadables(tmp_path)[:3]
    alone = {"validation", "image-model"}  # rules of what else is asked
    files = [str(file) for file in [*cases.BROKEN, *gone] if file.stem not in alone]
    said = shell.hearth("data", "check", *files, "--tokens", "none", code=2)
    for file in files:
        assert f"{file} has " in shell.errors
    assert said.count("not looked into") == len(gone) + 1, "and that which is an array"
    told = [line for line in shell.errors.splitlines() if line.startswith("  ") and "…" not in line]
    assert all(" → " in line for line in told)


# --- --account -----------------------------------------------------------------------------------------------------


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, served: Served) -> str:
    """The ARM id of an account that the login can see."""
    origin = served.azure.origin
    environment = {
        "ARM_METADATA_HOSTNAME": origin.removeprefix("https://"),
        "AZURE_AUTHORITY_HOST": origin,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": OWNER_APP,
        "AZURE_CLIENT_SECRET": SECRET,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return served.account


def test_how_large_a_file_may_be_is_asked_of_the_account(account: str):
    _, _, subscription, _, group, *_, name = account.split("/")
    assert data._file_bytes(account) == 512_000_000
    assert data._file_bytes(f"{subscription}/{group}/{name}") == 512_000_000


def test_an_account_that_is_not_there_is_a_sentence(account: str):
    with pytest.raises(NotFound, match="contoso-none"):
        data._file_bytes(account.rpartition("/")[0] + "/contoso-none")


@pytest.mark.parametrize("name", ["contoso", "a/b", "/subscriptions/a/b/c/d/e/f/g", ""])
def test_what_is_no_account_is_a_mistake(name: str):
    with pytest.raises(SpecError, match="neither SUBSCRIPTION/GROUP/NAME nor the ARM id"):
        data._file_bytes(name)


# --- progress ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty million bytes."""
    file = tmp_path_factory.mktemp("large") / "a.jsonl"
    with file.open("wb") as out:
        for number in range(10_000):
            out.write(json.dumps(cases.chat(f"{number}? " + "why " * 740)).encode() + b"\n")
    return file


def hearth(*arguments: str, errors: int) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("hearth")), "data", "check", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, "TERM": "xterm"})


def test_a_terminal_shows_a_bar_that_is_gone_in_the_end(large: Path):
    master, slave = os.openpty()
    process = hearth(str(large), errors=slave)
    os.close(slave)
    shown = b""
    while block := read(master):
        shown += block
    os.close(master)
    assert process.wait(60) == 0
    assert b"checking" in shown
    assert b"/" in shown
    assert b"Traceback" not in shown
    assert shown.rstrip().endswith(b"\x1b[2K"), "the line of the bar is cleared"


def read(terminal: int) -> bytes:
    """What comes next; nothing once the other side has closed it."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_a_log_has_a_line_now_and_then():
    times, lines = iter([0, 3, 9, 11, 12, 25]), []
    progress = data._log(lines.append, lambda: next(times))
    for done in range(3):
        progress(done, 9)
    assert lines == ["checking: 2 of 9 bytes\n"]


def test_an_interrupt_ends_it_and_its_processes(large: Path, tmp_path: Path):
    process = hearth(*[str(large)] * 9, errors=subprocess.PIPE)
    children: list[str] = []
    while len(children) < 2 and process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert not any(Path(f"/proc/{child}").exists() for child in children)
