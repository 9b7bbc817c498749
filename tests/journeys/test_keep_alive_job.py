"""The job that tends by itself: put up by the real engine, started through Container Apps' API, run as declared."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.localazure import Subprocess
from tests.desk import DEPLOYER, Desk
from tests.localazure.cloud import ARM

JOB = """
  hearth:keepAlive:
    job:
      image: contoso.azurecr.io/hearth:1.0.0
      scope: {scope}
"""
BOT = {"stack": "local-source", "deployment": "legacy-bot"}


def declare(desk: Desk, scope: str = "account") -> str:
    """Put the stack up with a job; gives the job's id."""
    desk.change("local-source", "encryptionsalt:", JOB.format(scope=scope).lstrip("\n") + "encryptionsalt:")
    desk.up("local-source")
    outputs = json.loads(desk.pulumi("stack", "output", "--json", "--stack", "local-source"))
    return str(outputs["keepAlive"]["jobId"])


def run(desk: Desk, job: str) -> tuple[str, list[dict[str, Any]], list[str]]:
    """Start the job through Azure's API and wait: status, the log's rows, what it wrote besides."""
    headers = {"authorization": f"Bearer {desk.azure.token(DEPLOYER, ARM)}"}
    url = f"{desk.azure.origin}{job}/start?api-version=2025-02-02-preview"
    answer = requests.post(url, headers=headers, timeout=10, verify=str(desk.azure.authority))
    assert answer.ok, answer.text
    for thread in list(desk.azure.app.platform._running):
        thread.join(60)
    kept = desk.azure.world.generic.get(answer.json()["id"].lower())
    assert kept is not None
    lines = [(line["stream"], line["line"]) for line in kept.body["log"]]
    rows = [json.loads(line) for stream, line in lines if stream == "stdout"]
    return kept.body["properties"]["status"], rows, [line for stream, line in lines if stream == "stderr"]


@pytest.fixture
def programs(desk: Desk) -> Path:
    """Where the runner finds `hearth`: the environment that the tests run in."""
    folder = Path(sys.executable).parent
    desk.azure.app.platform.runner = Subprocess(folder, desk.root / ".hearth" / "azure" / "ca-bundle.pem")
    return folder


@pytest.mark.parametrize("scope", [pytest.param("account", marks=pytest.mark.proof), "subscription"])
def test_the_job_looks_pings_when_it_is_time_and_writes_a_line_a_deployment(desk: Desk, programs: Path, scope: str):
    job = declare(desk, scope)
    desk.advance(minutes=10)
    status, rows, besides = run(desk, job)
    assert (status, besides) == ("Succeeded", [])
    assert [(row["stack"], row["deployment"], row["outcome"]) for row in rows] == [(*BOT.values(), "kept")]
    desk.advance(days=14)
    status, rows, besides = run(desk, job)
    assert (status, besides, rows[0]["outcome"]) == ("Succeeded", [], "pinged")
    desk.advance(days=10)
    assert desk.azure.world.deployments, "24 days without a caller"
    said = desk.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", "local-source")
    assert "keepAlive" not in said
    desk.pulumi("destroy", "--yes", "--stack", "local-source")
    assert not len(desk.azure.world.generic), "the job goes with its stack"


def test_the_job_brings_back_what_the_service_deleted_and_may_do_so(desk: Desk, programs: Path):
    job = declare(desk)
    desk.advance(days=16)
    assert not list(desk.azure.world.deployments)
    status, rows, besides = run(desk, job)
    assert (status, besides, rows[0]["outcome"]) == ("Succeeded", [], "revived"), rows
    assert [d.name for d in desk.azure.world.deployments] == ["legacy-bot"]
    desk.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", "local-source")


@pytest.mark.proof
def test_a_webhook_is_neither_in_the_state_nor_in_what_the_job_shows_or_writes(desk: Desk, programs: Path):
    hook = "https://localhost:1/services/hush"
    notify = f"  hearth:keepAlive:\n    notify: {hook}\n"
    desk.change("local-source", "encryptionsalt:", JOB.format(scope="account").lstrip("\n") + "encryptionsalt:")
    desk.change("local-source", "  hearth:keepAlive:\n", notify)
    desk.up("local-source")
    outputs = json.loads(desk.pulumi("stack", "output", "--json", "--stack", "local-source"))
    assert "hush" not in desk.pulumi("stack", "export", "--stack", "local-source")
    desk.advance(days=16)
    status, rows, besides = run(desk, outputs["keepAlive"]["jobId"])
    assert (status, rows[0]["outcome"]) == ("Failed", "revived"), "the notice did not arrive"
    assert besides == ["The webhook at localhost does not answer: connection refused"]


@pytest.mark.proof
def test_a_model_of_another_account_is_brought_back_once_its_stack_lets_the_job_in(desk: Desk, programs: Path):
    desk.up("local-source")
    desk.up("local-target")  # the example's own job
    keep = json.loads(desk.pulumi("stack", "output", "--json", "--stack", "local-target"))["keepAlive"]
    desk.advance(days=16)
    status, rows, besides = run(desk, keep["jobId"])
    assert (status, besides, rows[0]["outcome"]) == ("Failed", [], "not revived")
    assert keep["principalId"] in rows[0]["reason"] or "contoso-train-ncus" in rows[0]["reason"], rows[0]["reason"]
    grant = f"    - {{principal: {keep['principalId']}, role: Cognitive Services OpenAI Contributor}}\n"
    desk.change("local-source", "  hearth:deployments:\n", f"{grant}  hearth:deployments:\n")
    desk.up("local-source", HEARTH_READY="off")
    desk.advance(minutes=10)
    status, rows, besides = run(desk, keep["jobId"])
    assert (status, besides, rows[0]["outcome"]) == ("Succeeded", [], "revived"), rows
    desk.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", "local-target")
