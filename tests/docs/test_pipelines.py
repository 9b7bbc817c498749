"""The pipelines' files: no more rights than needed, no word of a pull request in a script, the same on both hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.toolchain.versions import PULUMI

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
ACTION = REPOSITORY / ".github" / "actions" / "setup" / "action.yml"
AZURE, KUBERNETES = REPOSITORY / "deploy" / "azure-pipelines", REPOSITORY / "deploy" / "kubernetes"
SAME = {"$BUILD_SOURCEVERSION": "$GITHUB_SHA", "HEAD^1": '"$BASE"', " --html rollout.html": ""}
"""What the two hosts call otherwise, and a file that one of them keeps as an artifact."""


def load(file: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(file.read_text("utf-8"))
    return found


def steps(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping that runs something, in order."""
    if isinstance(node, dict):
        if "run" in node or "script" in node or "uses" in node:
            yield node
        for value in node.values():
            yield from steps(value)
    elif isinstance(node, list):
        for value in node:
            yield from steps(value)


def commands(file: Path) -> list[str]:
    said = [str(step.get("run") or step.get("script") or "") for step in steps(load(file))]
    hearth = [text for text in said if text.startswith("hearth ")]
    for theirs, ours in SAME.items():
        hearth = [text.replace(theirs, ours) for text in hearth]
    return hearth


@pytest.mark.parametrize("file", [*WORKFLOWS, ACTION], ids=lambda file: file.stem)
def test_no_expression_stands_in_a_script_for_a_shell_would_read_it(file: Path):
    assert [s["run"] for s in steps(load(file)) if "${{" in s.get("run", "")] == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_has_no_right_but_those_that_a_job_names(file: Path):
    workflow = load(file)
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        writes = {name for name, right in job["permissions"].items() if right == "write"}
        assert writes <= {"id-token", "pull-requests", "issues"}
        assert "timeout-minutes" in job


def test_a_pull_request_never_runs_with_the_rights_of_the_main_branch():
    for file in WORKFLOWS:
        assert "pull_request_target" not in load(file)[True]  # YAML 1.1 reads `on` as true
    checks = load(REPOSITORY / ".github" / "workflows" / "preview.yml")["jobs"]["check"]
    assert checks["permissions"] == {"contents": "read"}
    assert "env" not in checks
    assert "secrets." not in str(checks)


def test_both_hosts_run_the_same_commands():
    assert {f.name for f in WORKFLOWS} == {f.name for f in AZURE.glob("*.yml")} - {"steps.yml", "login.yml"}
    for file in WORKFLOWS:
        ours = [c for c in commands(file) if "--to summary drift.md" not in c]  # the work item is enough there
        assert commands(AZURE / file.name) == ours, file.name


def test_pulumi_is_the_version_that_the_lock_has():
    assert f"pulumi-version: {PULUMI}" in ACTION.read_text()
    assert f"--version {PULUMI}" in (AZURE / "steps.yml").read_text()


def test_the_operator_and_the_job_never_write_one_stack():
    documents = [d for f in sorted(KUBERNETES.glob("*.yaml")) for d in yaml.safe_load_all(f.read_text())]
    [job] = [d for d in documents if d["kind"] == "Job"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][:3] == ["hearth", "rollout", "start"]
    assert "--waves-only" in container["command"], "what no rollout names is the operator's"
    assert not re.search(r"secret\s*:", "".join(f.read_text() for f in KUBERNETES.glob("*.yaml")).lower())
