"""`hearth local job`: a process that runs a job of Container Apps, started as Azure's own tools start one."""

from __future__ import annotations

import json

import requests

from infra.localazure import process
from tests.cli.conftest import Shell

TENANT, APP = "aaaaaaaa-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000001"
GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"


def declare(shell: Shell, name: str, *command: str) -> None:
    running = process.find(shell.root / ".hearth" / "azure")
    assert running is not None
    bundle = str(running.authority)
    login = {"grant_type": "client_credentials", "client_id": APP, "client_secret": "local-azure-throwaway"}
    asked = {**login, "scope": "https://management.azure.com/.default"}
    door = f"{running.origin}/{TENANT}/oauth2/v2.0/token"
    token = requests.post(door, data=asked, verify=bundle, timeout=10).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    container = {"name": "c", "command": [command[0]], "args": list(command[1:])}
    body = {"location": "northcentralus", "properties": {"template": {"containers": [container]}}}
    for path, what in ((GROUP, {"location": "northcentralus"}), (f"{GROUP}/providers/Microsoft.App/jobs/{name}", body)):
        url = f"{running.origin}{path}?api-version=2024-03-01"
        answer = requests.put(url, json=what, headers=headers, verify=bundle, timeout=10)
        assert answer.ok, answer.text


def test_a_job_is_started_and_what_it_wrote_is_shown(shell: Shell):
    shell.hearth("local", "start")
    assert "no job has run yet" in shell.hearth("local", "job")
    declare(shell, "good", "hearth", "tend", "--help")
    declare(shell, "bad", "hearth", "tend", "--watch-list", "env:LIST")
    assert "idle clock" in shell.hearth("local", "job", "good")
    shell.hearth("local", "job", "bad", code=1)
    assert "LIST" in shell.errors
    assert "Failed (exit code 2)" in shell.errors
    rows = json.loads(shell.hearth("local", "job", "--json"))
    assert [(row["status"], row["exitCode"]) for row in rows] == [("Succeeded", 0), ("Failed", 2)]
    shell.hearth("local", "job", "none", code=2)
    assert "there is no such job" in shell.errors
