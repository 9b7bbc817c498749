from __future__ import annotations

import json
import os
import re
import signal
import socket
from datetime import datetime, timedelta

from tests.cli.conftest import Shell


def test_it_starts_once_tells_where_and_stops_with_its_state_and_port_kept(shell: Shell):
    first = shell.hearth("local", "start")
    assert "loopback only" in first
    assert "runs already" in shell.hearth("local", "start")
    port = re.search(r"localhost:(\d+)", first)[1]
    assert json.loads(shell.hearth("local", "status", "--json"))["origin"] == f"https://localhost:{port}"
    assert "its state is kept" in shell.hearth("local", "stop")
    assert "does not run" in shell.hearth("local", "stop")
    shell.hearth("local", "status", code=1)
    assert f"localhost:{port}" in shell.hearth("local", "start"), "the state names endpoints by their port"


def test_its_clock_moves_when_told_and_stands_still_while_it_is_stopped(shell: Shell):
    shell.hearth("local", "start")
    before = json.loads(shell.hearth("local", "status", "--json"))["now"]
    assert "it is now" in shell.hearth("local", "advance", "14d")
    after = json.loads(shell.hearth("local", "status", "--json"))["now"]
    assert after > before
    shell.hearth("local", "stop")
    shell.hearth("local", "start")
    again = json.loads(shell.hearth("local", "status", "--json"))["now"]
    passed = datetime.fromisoformat(again) - datetime.fromisoformat(after)
    assert timedelta(0) <= passed < timedelta(seconds=3), "no time passes while nobody is there"
    shell.hearth("local", "advance", "14", code=2)
    assert "must be a duration with its unit" in shell.errors


def test_a_port_that_somebody_has_is_one_clear_error(shell: Shell):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        shell.hearth("local", "start", "--port", port, code=3)
    assert f"port {port} on loopback cannot be had" in shell.errors
    assert "hearth local start --port N" in shell.errors


def test_a_killed_one_is_started_again_with_what_it_had(shell: Shell):
    shell.hearth("local", "start")
    pid = json.loads(shell.hearth("local", "status", "--json"))["pid"]
    os.kill(pid, signal.SIGKILL)
    shell.hearth("local", "status", code=1)
    assert "started" in shell.hearth("local", "start")


def test_a_seed_that_makes_no_sense_stops_the_start_with_its_place(shell: Shell):
    (shell.root / "stacks" / "local-azure.yaml").write_text("tenants: [{id: 7}]\n")
    shell.hearth("local", "start", code=3)
    assert "local-azure.yaml" in shell.errors
    assert "tenants" in shell.errors


def test_commands_that_need_it_say_how_to_start_it(shell: Shell):
    shell.hearth("local", "env", code=3)
    assert "hearth local start" in shell.errors
    shell.hearth("local", "advance", "1d", code=3)
    assert "hearth local start" in shell.errors
