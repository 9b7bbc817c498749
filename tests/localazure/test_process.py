"""Local Azure as a process: started, found, stopped, and what stands in the way of it."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import requests

from infra.localazure import VirtualClock, process, server, tls
from infra.localazure.world import World


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose local Azure, if any, is stopped in the end."""
    yield tmp_path / "state"
    process.stop(tmp_path / "state")


def health(running: process.Running) -> dict[str, str]:
    return requests.get(f"{running.origin}/.local-azure/health", verify=str(running.authority), timeout=5).json()


def control(running: process.Running, method: str, path: str, body: object = None) -> dict:
    headers = {"x-local-azure-key": running.control_key}
    answer = requests.request(
        method,
        f"{running.origin}/.local-azure/{path}",
        json=body,
        headers=headers,
        verify=str(running.authority),
        timeout=5,
    )
    return answer.json()


def test_it_is_started_once_found_again_and_stopped_with_its_port_and_clock_kept(folder):
    assert process.find(folder) is None
    assert process.stop(folder) is False
    first = process.start(folder)
    assert first.new
    assert health(first)["origin"] == first.origin, "it answers when start returns"
    again = process.start(folder)
    assert (again.pid, again.port, again.new) == (first.pid, first.port, False)
    assert process.find(folder) == again
    with pytest.raises(process.NotStarted, match=f"runs already, on port {first.port}"):
        process.start(folder, port=first.port + 1)

    control(first, "PUT", "clock", {"factor": 0})
    now = control(first, "POST", "clock/advance", {"seconds": 86400 * 3})["now"]
    assert process.stop(folder) is True
    assert process.find(folder) is None
    with pytest.raises(requests.ConnectionError):
        health(first)

    second = process.start(folder)
    assert (second.port, second.new) == (first.port, True), "the port is kept for those who know it"
    assert control(second, "GET", "clock")["now"] == now, "the clock stood still in between, to the microsecond"
    for name in ("control.key", "server.pem", "state.db"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    assert b"BEGIN CERTIFICATE" in second.bundle.read_bytes()


def test_a_stop_writes_the_clock_down_to_the_moment(folder):
    running = process.start(folder)
    seen, since = datetime.fromisoformat(control(running, "GET", "clock")["now"][:26]), time.monotonic()
    process.stop(folder)
    elapsed = time.monotonic() - since
    kept = World(folder, VirtualClock(factor=0))
    kept.clock.follow(0)
    ahead = kept.now().replace(tzinfo=None) - seen
    kept.close()
    assert ahead.total_seconds() <= elapsed + 0.05, "a stop is told to the process in time; only a kill costs seconds"


def test_a_stale_lock_after_kill_9_is_no_lock(folder):
    first = process.start(folder)
    os.kill(first.pid, signal.SIGKILL)
    os.waitpid(first.pid, 0)
    assert (folder / "lock").read_text() == f"{first.pid} {first.port}"
    assert process.find(folder) is None, "the lock went with the process, whatever the file says"
    second = process.start(folder)
    assert (second.new, second.port) == (True, first.port)


def test_two_who_start_it_at_once_get_the_same_one(folder):
    found: list[process.Running] = []
    threads = [threading.Thread(target=lambda: found.append(process.start(folder))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({r.pid for r in found}) == 1
    assert sorted(r.new for r in found) == [False, False, True]


def test_a_taken_port_is_one_clear_line_and_leaves_the_kept_port_alone(folder):
    first = process.start(folder)
    process.stop(folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(process.NotStarted) as refused:
            process.start(folder, port=port)
    assert str(refused.value) == f"port {port} on loopback cannot be had: Address already in use"
    assert process.find(folder) is None
    assert process.start(folder).port == first.port


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("roles: [{principal: nobody, role: Owner, scope: /}]", "there is no principal nobody"),
        ("tenant: []", "unknown field `tenant`"),
        ("tenants: [", "seed.yaml"),
    ],
)
def test_a_bad_seed_file_is_one_clear_line(folder, tmp_path, text, why):
    seed = tmp_path / "seed.yaml"
    seed.write_text(text)
    with pytest.raises(process.NotStarted) as refused:
        process.start(folder, seed=seed)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "Traceback" not in (folder / "log").read_text()
    assert process.find(folder) is None


def test_the_words_of_the_last_one_are_kept_beside_the_log(folder):
    folder.mkdir()
    (folder / "log").write_text("what went wrong\n")
    process.start(folder)
    assert (folder / "log.before").read_text() == "what went wrong\n"
    assert (folder / "log").read_text() == ""


def test_a_lock_that_somebody_holds_for_a_moment_is_waited_for(folder):
    folder.mkdir()
    holder = process.hold_lock(folder)
    threading.Timer(0.05, lambda: os.close(holder)).start()
    os.close(process.hold_lock(folder))


def test_a_second_process_on_the_same_folder_gives_way(folder):
    running = process.start(folder)
    command = [sys.executable, "-m", "infra.localazure", "--state", str(folder), "--port", str(running.port)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (second.returncode, second.stderr) == (1, f"another local Azure serves {folder}\n")
    assert health(running)["status"] == "ok"


def test_it_listens_on_loopback_only():
    sockets = server.listen(0)
    try:
        assert {s.getsockname()[0] for s in sockets} <= {"127.0.0.1", "::1"}
        assert len({s.getsockname()[1] for s in sockets}) == 1, "one port on both, for localhost may be either"
        with pytest.raises(server.PortTaken, match="Address already in use"):
            server.listen(sockets[0].getsockname()[1])
    finally:
        for made in sockets:
            made.close()
    with pytest.raises(server.PortTaken):
        server.listen(65536)


def test_a_port_that_only_ipv6_has_taken_is_taken():
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with taken, pytest.raises(server.PortTaken):
        server.listen(taken.getsockname()[1])


def test_certificates_are_made_once_and_the_bundle_holds_the_systems_too(tmp_path, monkeypatch):
    system = tmp_path / "system.pem"
    tls.ensure(tmp_path / "other")
    system.write_bytes((tmp_path / "other" / "ca.pem").read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    first = tls.ensure(tmp_path / "state")
    before = first.authority.read_bytes()
    assert tls.ensure(tmp_path / "state").authority.read_bytes() == before, "clients keep trusting it"
    (tmp_path / "bundle.pem").write_bytes(tls.bundle(first.authority))
    context = ssl.create_default_context(cafile=str(tmp_path / "bundle.pem"))
    assert len(context.get_ca_certs()) == 2
    monkeypatch.setenv("SSL_CERT_FILE", str(first.authority.parent / "ca-bundle.pem"))
    assert tls.bundle(first.authority).count(b"BEGIN CERTIFICATE") > 2, "its own bundle is not the system's"
