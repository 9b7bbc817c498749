from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import requests

from infra.localazure import process
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
    assert timedelta(0) <= passed < timedelta(seconds=30), "no time passes while nobody is there"
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
    for command in (
        ("advance", "1d"),
        ("clock",),
        ("clock", "freeze"),
        ("fault", "list"),
        ("log",),
        ("snapshot", "list"),
        ("reset",),
        ("switch",),
    ):
        shell.hearth("local", *command, code=3)
        assert "hearth local start" in shell.errors


def test_the_clock_is_shown_frozen_followed_set_and_advanced(shell: Shell):
    shell.hearth("local", "start")
    assert "frozen" in shell.hearth("local", "clock", "freeze")
    before = json.loads(shell.hearth("local", "clock", "--json"))
    assert (before["factor"], before["next"]) == (0, [])
    assert "nothing is due" in shell.hearth("local", "clock")
    shell.hearth("local", "clock", "advance", "14d2h")
    after = json.loads(shell.hearth("local", "clock", "--json"))["now"]
    passed = datetime.fromisoformat(after) - datetime.fromisoformat(before["now"])
    assert passed == timedelta(days=14, hours=2)
    assert "60 times as fast" in shell.hearth("local", "clock", "follow", "--factor", "60")
    assert "2050-01-01T00:00" in shell.hearth("local", "clock", "set", "2050-01-01T00:00:00Z")
    shell.hearth("local", "clock", "set", "2049-01-01T00:00:00Z", code=2)
    assert "never goes back" in shell.errors
    shell.hearth("local", "clock", "follow", "--factor", "-1", code=2)
    assert "factor" in shell.errors
    shell.hearth("local", "clock", "advance", "soon", code=2)
    assert "must be a duration" in shell.errors


def test_faults_are_added_shown_and_cleared_and_all_mistakes_are_told(shell: Shell):
    shell.hearth("local", "start")
    assert "no fault stands" in shell.hearth("local", "fault", "list")
    assert "sibling-busy: writes of deployments" in shell.hearth("local", "fault", "kinds")
    said = shell.hearth("local", "fault", "add", "throttle", "--count", "3", "--scope", "swedencentral")
    assert said == "f1 stands: throttle, 3 to come, scope=swedencentral seconds=1.0\n"
    shell.hearth("local", "fault", "add", "server-error", "--when", "after", "--rate", "0.5", "--seed", "7")
    listed = json.loads(shell.hearth("local", "fault", "list", "--json"))
    assert [(f["id"], f["name"], f["when"], f["rate"]) for f in listed] == [
        ("f1", "throttle", "before", 1.0),
        ("f2", "server-error", "after", 0.5),
    ]
    assert "f1 throttle (0 hits, 3 to come), f2 server-error (0 hits)" in shell.hearth("local", "status")
    assert "f1 throttle is cleared" in shell.hearth("local", "fault", "clear", "f1")
    shell.hearth("local", "fault", "clear", "f1", code=2)
    assert "there is no fault f1" in shell.errors
    shell.hearth("local", "fault", "add", "thrott", "--rate", "2", "--scope", "nowhere", code=2)
    for reason in ("there is no fault 'thrott'", "rate: ", "scope: 'nowhere'"):
        assert reason in shell.errors
    shell.hearth("local", "fault", "clear")
    assert shell.hearth("local", "fault", "clear") == "no fault stands\n"


def test_switches_are_listed_with_their_reason_and_set(shell: Shell):
    shell.hearth("local", "start")
    assert "idle_days=15\n    A fine-tuned deployment" in shell.hearth("local", "switch")
    said = shell.hearth("local", "switch", "idle_days=3", "model_change=gap", "retirement=true")
    assert "idle_days=3 (usually 15)" in said
    assert "model_change=gap (usually in_place)" in said
    assert "retirement=true (usually false)" in said
    assert "readiness" not in said
    assert "idle_days=3.0, model_change=gap, retirement=True" in shell.hearth("local", "status")
    changed = json.loads(shell.hearth("local", "status", "--json"))["changedSwitches"]
    assert changed == {"idle_days": 3.0, "model_change": "gap", "retirement": True}
    for wrong in ("idle_day=3", "idle_days=long", "idle_days"):
        shell.hearth("local", "switch", wrong, code=2)
        assert "idle_day" in shell.errors
    assert json.loads(shell.hearth("local", "switch", "--json"))[0]["name"] == "account_create"


def test_a_snapshot_is_kept_listed_gone_back_to_and_forgotten(shell: Shell):
    shell.hearth("local", "start")
    shell.hearth("local", "clock", "freeze")
    shell.hearth("local", "switch", "readiness=9")
    assert "snapshot calm kept" in shell.hearth("local", "snapshot", "save", "calm")
    shell.hearth("local", "advance", "30d")
    shell.hearth("local", "switch", "readiness=1")
    later = json.loads(shell.hearth("local", "clock", "--json"))["now"]
    assert "back at snapshot calm" in shell.hearth("local", "snapshot", "restore", "calm")
    assert json.loads(shell.hearth("local", "clock", "--json"))["now"] < later
    assert "readiness=9" in shell.hearth("local", "status")
    (kept,) = json.loads(shell.hearth("local", "snapshot", "list", "--json"))
    assert kept["name"] == "calm"
    shell.hearth("local", "snapshot", "restore", "storm", code=2)
    assert "there is no snapshot storm; there are: calm" in shell.errors
    assert "as new" in shell.hearth("local", "reset")
    assert "as they come" in shell.hearth("local", "status")
    assert "calm" in shell.hearth("local", "snapshot", "list"), "a reset keeps the snapshots"
    shell.hearth("local", "snapshot", "delete", "calm")
    assert "there is no snapshot" in shell.hearth("local", "snapshot", "list")
    (shell.root / "bad.yaml").write_text("tenants: [{id: 7}]")
    shell.hearth("local", "reset", "--seed", "bad.yaml", code=2)
    assert "bad.yaml" in shell.errors


def test_a_tuned_model_is_deleted_as_in_the_portal_and_one_that_is_unknown_is_a_mistake(shell: Shell):
    shell.hearth("local", "start")
    found = json.loads(shell.hearth("local", "delete-model", "--json"))
    assert found, "the seed has some"
    name, account = found[0]["model"], found[0]["account"]
    assert "is deleted" in shell.hearth("local", "delete-model", name, "--account", account)
    shell.hearth("local", "delete-model", name, code=2)
    assert f"there is no tuned model {name}" in shell.errors


def test_the_log_is_shown_filtered_and_followed(shell: Shell):
    shell.hearth("local", "start")
    running = process.find(shell.root / ".hearth" / "azure")
    for path in ("/subscriptions?api-version=2022-12-01&sig=secret", "/metadata/endpoints"):
        requests.get(running.origin + path, verify=str(running.authority), timeout=5)
    said = shell.hearth("local", "log")
    assert "401 AuthenticationFailed GET /subscriptions?api-version=2022-12-01&sig=***" in said
    assert "secret" not in said
    assert shell.hearth("local", "log", "--status", "2xx").count("\n") == 1
    (entry,) = json.loads(shell.hearth("local", "log", "--json", "--path", "metadata"))
    assert (entry["route"], entry["status"]) == ("/metadata/endpoints", 200)
    shell.hearth("local", "log", "--since", "yesterday", code=2)

    command = [str(Path(sys.executable).parent / "hearth"), "local", "log", "--follow", "--json"]
    with subprocess.Popen(command, cwd=shell.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert [json.loads(child.stdout.readline())["number"] for _ in range(2)] == [1, 2]
        requests.get(running.origin + "/metadata/clouds", verify=str(running.authority), timeout=5)
        assert json.loads(child.stdout.readline())["path"] == "/metadata/clouds"
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=10) == 130
        assert "Traceback" not in child.stderr.read()
