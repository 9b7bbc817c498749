"""Container Apps jobs that are run: by a runner that is handed in, as the identity of the job."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.localazure import LocalAzure, Subprocess, VirtualClock
from infra.localazure.http.app import App
from infra.localazure.runner import Work
from tests.localazure.cloud import ARM, OWNER, PRODUCTION, SEED, START, Cloud, send

GROUP = f"/subscriptions/{PRODUCTION}/resourceGroups/rg"
JOB = f"{GROUP}/providers/Microsoft.App/jobs/tend"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/tend"
VERSION = "2025-02-02-preview"


class Place:
    """An application whose jobs are run by a function of the test."""

    def __init__(self, run: Any) -> None:
        self.cloud = Cloud()
        self.cloud.app.platform.runner = run
        self.cloud.group()
        made = self.cloud.put(IDENTITY, {"location": "swedencentral"}, version="2023-01-31")
        self.identity = made.body["properties"]

    def declare(self, *command: str, **more: Any) -> None:
        container = {"name": "c", "command": list(command[:1]), "args": list(command[1:]), "env": more.pop("env", [])}
        configuration = {"triggerType": "Schedule", "secrets": more.pop("secrets", []), **more}
        body = {
            "location": "swedencentral",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
            "properties": {"configuration": configuration, "template": {"containers": [container]}},
        }
        assert self.cloud.put(JOB, body, version=VERSION).status == 201

    def start(self) -> str:
        name = self.cloud.ask("POST", f"{JOB}/start", version=VERSION).body["name"]
        return f"{JOB}/executions/{name}"

    def ended(self, execution: str) -> str:
        for thread in list(self.cloud.app.platform._running):
            thread.join(10)
        return self.cloud.get(execution, version=VERSION).body["properties"]["status"]

    def run(self) -> str:
        return self.ended(self.start())

    def log(self, execution: str) -> list[str]:
        path = f"/.local-azure/executions/{execution.rsplit('/', 1)[-1]}/log"
        found = send(self.cloud.app, "GET", path, {"x-local-azure-key": "control"}, b"")
        return [line["line"] for line in found.body["value"]]

    def token(self, work: Work, resource: str = ARM, **more: Any) -> Any:
        header = more.pop("header", work.environment["IDENTITY_HEADER"])
        client = more.pop("client", self.identity["clientId"])
        target = f"/msi/token?api-version=2019-08-01&resource={resource}" + (f"&client_id={client}" if client else "")
        return send(self.cloud.app, "GET", target, {"X-IDENTITY-HEADER": header}, b"")


def test_an_execution_runs_until_its_command_ends_and_ends_by_its_exit_code():
    go, codes = threading.Event(), [0, 3]

    def run(_: Work) -> int:
        go.wait(10)
        return codes.pop(0)

    place = Place(run)
    place.declare("hearth")
    execution = place.start()
    before = place.cloud.get(execution, version=VERSION).body["properties"]
    go.set()
    assert (before["status"], "endTime" in before) == ("Running", False)
    assert place.ended(execution) == "Succeeded"
    assert place.run() == "Failed"
    rows = send(place.cloud.app, "GET", "/.local-azure/executions", {"x-local-azure-key": "control"}, b"").body["value"]
    assert [(row["status"], row["exitCode"]) for row in rows] == [("Succeeded", 0), ("Failed", 3)]


def test_a_command_is_run_exactly_as_declared_with_its_secrets_and_what_the_platform_adds():
    seen: list[Work] = []
    place = Place(lambda work: seen.append(work) or 0)
    place.declare(
        "hearth", "tend", "--json",
        env=[{"name": "A", "value": "1"}, {"name": "LIST", "secretRef": "watch-list"}],
        secrets=[{"name": "watch-list", "value": "[]"}],
    )  # fmt: skip
    assert place.run() == "Succeeded"
    (work,) = seen
    assert work.command == ["hearth", "tend", "--json"]
    assert work.environment.items() >= {"A": "1", "LIST": "[]", "CONTAINER_APP_JOB_NAME": "tend"}.items()
    assert work.environment["IDENTITY_ENDPOINT"] == f"{place.cloud.world.origin}/msi/token"


def test_jobs_are_named_to_whoever_has_the_control_key():
    place = Place(lambda _: 0)
    place.declare("x")
    found = send(place.cloud.app, "GET", "/.local-azure/jobs", {"x-local-azure-key": "control"}, b"")
    assert found.body == {"value": [JOB]}
    missing = send(place.cloud.app, "GET", "/.local-azure/executions/no/log", {"x-local-azure-key": "control"}, b"")
    assert missing.status == 400


def test_a_job_without_a_command_fails_and_says_why():
    place = Place(lambda _: 0)
    place.declare()
    execution = place.start()
    assert place.ended(execution) == "Failed"
    assert "there are no images here" in place.log(execution)[0]


def test_a_jobs_secrets_are_shown_only_to_who_asks_for_them():
    place = Place(lambda _: 0)
    place.declare("x", secrets=[{"name": "watch-list", "value": "hush"}])
    shown = place.cloud.get(JOB, version=VERSION)
    assert shown.body["properties"]["configuration"]["secrets"] == [{"name": "watch-list"}]
    assert b"hush" not in place.cloud.get(f"{GROUP}/providers/Microsoft.App/jobs", version=VERSION).content
    listed = place.cloud.ask("POST", f"{JOB}/listSecrets", version=VERSION)
    assert listed.body == {"value": [{"name": "watch-list", "value": "hush"}]}
    reader = place.cloud.grant("Reader", GROUP)
    assert place.cloud.ask("POST", f"{JOB}/listSecrets", version=VERSION, who=reader).status == 403


def test_the_identity_endpoint_gives_tokens_of_the_jobs_identity_while_it_runs():
    answers: list[Any] = []
    works: list[Work] = []
    place = Place(lambda work: works.append(work) or answers.append(place.token(work)) or 0)
    place.declare("x")
    assert place.run() == "Succeeded"
    (answer,) = answers
    assert (answer.status, answer.body["resource"], answer.body["token_type"]) == (200, ARM, "Bearer")
    assert isinstance(answer.body["expires_on"], str), "seconds since 1970, as text"
    caller = place.cloud.app.directory.caller(answer.body["access_token"], (ARM,))
    assert (caller.principal, caller.client) == (place.identity["principalId"], place.identity["clientId"])
    assert place.token(works[0]).status == 401, "a run that is over has no identity"


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        ({"header": "wrong"}, 401, "X-IDENTITY-HEADER"),
        ({"client": "cccccccc-0000-4000-8000-00000000000f"}, 400, "No User Assigned or Delegated Managed Identity"),
        ({"client": ""}, 400, "No User Assigned or Delegated Managed Identity"),
        ({"resource": "https://nobody.example"}, 400, "was not found in the tenant"),
    ],
)
def test_the_identity_endpoint_refuses_others(more, status, says):
    answers: list[Any] = []
    place = Place(lambda work: answers.append(place.token(work, **more)) or 0)
    place.declare("x")
    place.run()
    assert answers[0].status == status
    assert says in answers[0].content.decode()


def test_an_identity_has_no_right_that_it_was_not_given():
    answers: list[Any] = []

    def run(work: Work) -> int:
        token = place.token(work).body["access_token"]
        target = f"{GROUP}?api-version=2024-03-01"
        answers.append(send(place.cloud.app, "GET", target, {"authorization": f"Bearer {token}"}, b""))
        return 0

    place = Place(run)
    place.declare("x")
    place.run()
    assert answers[0].refusal == (403, "AuthorizationFailed")


def test_a_replica_that_fails_is_tried_again_as_often_as_the_job_says():
    calls: list[Work] = []
    place = Place(lambda work: calls.append(work) or 1)
    place.declare("x", replicaRetryLimit=2)
    assert place.run() == "Failed"
    assert len(calls) == 3


def test_an_execution_that_was_running_when_local_azure_ended_has_failed(tmp_path: Path):
    cloud = Cloud(folder=tmp_path)
    cloud.group()
    template = {"containers": [{"name": "c", "command": ["x"]}]}
    cloud.put(JOB, {"location": "swedencentral", "properties": {"template": template}}, version=VERSION)
    cloud.app.platform.runner = lambda work: work.stop.wait(10) and 143
    execution = f"{JOB}/executions/{cloud.ask('POST', f'{JOB}/start', version=VERSION).body['name']}"
    assert cloud.get(execution, version=VERSION).body["properties"]["status"] == "Running"
    App(cloud.world, "control", runner=lambda _: 0)  # as the next start does
    assert cloud.get(execution, version=VERSION).body["properties"]["status"] == "Failed"
    cloud.app.platform.stop()
    cloud.world.close()


# --- as a process --------------------------------------------------------------------------------------------------


def work(*command: str, seconds: float = 20, **env: str) -> tuple[Work, list[tuple[str, str]]]:
    said: list[tuple[str, str]] = []
    return Work(list(command), env, seconds, lambda stream, line: said.append((stream, line))), said


@pytest.fixture
def run() -> Subprocess:
    return Subprocess(Path(sys.executable).parent, Path("/ca.pem"))


def test_a_process_gets_the_declared_environment_and_nothing_of_this_machines(run, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "of-this-machine")
    asked, said = work("python", "-c", "import os,json; print(json.dumps(dict(os.environ)))", A="1")
    assert run(asked) == 0
    found = json.loads(said[0][1])
    assert found["A"] == "1"
    assert found["REQUESTS_CA_BUNDLE"] == "/ca.pem", "as an image that trusts the cloud's authority"
    assert "AZURE_CLIENT_SECRET" not in found


def test_what_a_process_writes_is_kept_line_by_line_with_its_stream(run):
    code = "import sys; print('one'); print('two'); print('no', file=sys.stderr); sys.exit(5)"
    asked, said = work("python", "-c", code)
    assert run(asked) == 5
    assert [line for stream, line in said if stream == "stdout"] == ["one", "two"]
    assert ("stderr", "no") in said


def test_a_command_that_is_not_there_is_said(run):
    asked, said = work("no-such-command")
    assert run(asked) == 127
    assert said == [("stderr", "no-such-command: No such file or directory")]


def test_a_process_that_takes_too_long_is_ended_with_all_that_it_started(run):
    asked, said = work("sh", "-c", "sleep 60 & echo $!; wait", seconds=0.3)
    assert run(asked) == 124
    assert "replicaTimeout" in said[-1][1]
    child = next(line for stream, line in said if stream == "stdout")
    found = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout
    assert found.strip()[:1] in {"", "Z"}


def test_a_process_that_is_told_to_stop_ends_early(run):
    asked, _ = work("sleep", "60")
    threading.Timer(0.1, asked.stop.set).start()
    assert run(asked) == 143


# --- through Azure's own client ------------------------------------------------------------------------------------


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAzure]:
    runner = Subprocess(Path(sys.executable).parent)
    with LocalAzure(clock=VirtualClock(START, 0), runner=runner) as azure:
        runner._bundle = azure.authority
        azure.plant(SEED)
        azure.switch(role_propagation=0.0)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure.authority))
        yield azure


LOGIN = """
from azure.identity import DefaultAzureCredential
import base64, json
for scope in ("https://management.azure.com/.default", "https://cognitiveservices.azure.com/.default"):
    body = DefaultAzureCredential().get_token(scope).token.split(".")[1]
    print(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["oid"])
"""


def test_azures_own_library_logs_in_as_the_job_from_what_the_platform_gives_it(running):
    import requests

    headers = {"authorization": f"Bearer {running.token(OWNER, ARM)}"}

    def ask(method: str, path: str, body: Any = None) -> Any:
        url = f"{running.origin}{path}?api-version={VERSION}"
        answer = requests.request(method, url, json=body, headers=headers, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    ask("PUT", GROUP, {"location": "swedencentral"})
    identity = ask("PUT", IDENTITY, {"location": "swedencentral"})["properties"]
    env = [
        {"name": "AZURE_CLIENT_ID", "value": identity["clientId"]},
        {"name": "AZURE_TOKEN_CREDENTIALS", "value": "ManagedIdentityCredential"},
    ]
    container = {"name": "c", "command": ["python"], "args": ["-c", LOGIN], "env": env}
    ask(
        "PUT",
        JOB,
        {
            "location": "swedencentral",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
            "properties": {"template": {"containers": [container]}},
        },
    )
    execution = ask("POST", f"{JOB}/start")["id"]
    for thread in list(running.app.platform._running):
        thread.join(30)
    kept = running.world.generic.get(execution.lower())
    assert kept is not None
    assert [line["line"] for line in kept.body["log"]] == [identity["principalId"]] * 2, kept.body["log"]
    assert ask("GET", execution)["properties"]["status"] == "Succeeded"
