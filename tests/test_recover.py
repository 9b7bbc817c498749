"""Whose locks a recovery removes: those of the dead, those of a machine that is said to be dead, and no others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from infra.errors import LockHeld, Refused
from infra.ports.stacks import Lock, Stacks, State
from infra.recover import recover

STACK = "prod-swe"


class Backend(Stacks):
    """The file backend's locks as they lie there, and a state that holds nothing."""

    refreshed = 0

    def state(self, stack: str) -> State:
        return State(frozenset(), ())

    def refresh(self, stack: str) -> None:
        self.refreshed += 1


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return Backend(tmp_path, "hearth", {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state"})


def lock(root: Path, host: str, pid: int = 4321) -> Path:
    """A lock as the engine writes it."""
    folder = root / "state" / ".pulumi" / "locks" / "organization" / "hearth" / STACK
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{host}-{pid}.json"
    what = {"pid": pid, "username": "ci", "hostname": host, "timestamp": "2026-11-23T10:00:00Z"}
    file.write_text(json.dumps(what))
    return file


def test_the_lock_of_the_named_machine_goes_and_the_state_is_looked_at_anew(backend: Backend, tmp_path: Path):
    gone = lock(tmp_path, "runner-1")
    done = recover(tmp_path, STACK, backend, "runner-1")
    assert [found.host for found in done.removed_locks] == ["runner-1"]
    assert not gone.exists()
    assert backend.refreshed == 1, "a killed destroy may have left in it what Azure has not"


def test_every_other_machines_lock_is_named_and_left(backend: Backend, tmp_path: Path):
    gone, others = lock(tmp_path, "runner-1"), [lock(tmp_path, "runner-10"), lock(tmp_path, "RUNNER-1")]
    with pytest.raises(LockHeld, match=r"ci@runner-10 .*") as held:
        recover(tmp_path, STACK, backend, "runner-1")
    assert "ci@RUNNER-1" in str(held.value)
    assert not gone.exists()
    assert all(other.exists() for other in others)


def test_a_process_of_this_machine_that_lives_keeps_its_lock_until_it_has_ended(backend: Backend, tmp_path: Path):
    """Ended, and waited for by nobody, as in a container whose first process waits for nobody."""
    pulumi = tmp_path / "pulumi"
    shutil.copy(shutil.which("sleep") or "", pulumi)
    with subprocess.Popen([pulumi, "60"]) as engine:
        try:
            mine = lock(tmp_path, socket.gethostname(), engine.pid)
            with pytest.raises(LockHeld):
                recover(tmp_path, STACK, backend, socket.gethostname())
            assert mine.exists(), "whatever is said of its machine"
        finally:
            engine.kill()
        os.waitid(os.P_PID, engine.pid, os.WEXITED | os.WNOWAIT)
        assert [found.pid for found in recover(tmp_path, STACK, backend).removed_locks] == [engine.pid]


def test_a_backend_that_shows_no_locks_is_not_said_to_be_free_of_them(tmp_path: Path):
    remote = Backend(tmp_path, "hearth", {"PULUMI_BACKEND_URL": "azblob://state?storage_account=contoso"})
    with pytest.raises(Refused, match=r"only pulumi can see.*pulumi cancel --yes --stack prod-swe"):
        recover(tmp_path, STACK, remote, "runner-1")
    assert recover(tmp_path, STACK, remote).removed_locks == ()


def test_several_machines_may_be_named_as_gone_at_once(tmp_path: Path) -> None:
    lock = Lock(file=tmp_path, pid=1, host="runner-2", user="u", since="now")
    assert [lock.is_of(named) for named in ("runner-1,runner-2", "runner-2", "runner-22", "", ",")] == [
        True, True, False, False, False,
    ]  # fmt: skip
