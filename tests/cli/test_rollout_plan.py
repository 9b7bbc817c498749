"""`hearth rollout plan`: with no engine but one that tells outputs, for planning only reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell

OLD = "gpt-4.1-mini-2025-04-14.ft-0ld"
WAVES = """\
gates: {smoke: {ready: true}}
waves:
  - {name: canary, targets: local-target, strategy: beside, bake: 2h, gates: [smoke], approval: {by: [ann]}}
  - {name: rest, targets: "*"}
"""


@pytest.fixture
def planned(shell: Shell, tmp_path: Path) -> Shell:
    """A rollout, and a `pulumi` that tells the outputs in its folder and does nothing else."""
    (shell.root / "stacks" / "rollout.yaml").write_text(WAVES)
    engine = tmp_path / "bin" / "pulumi"
    engine.parent.mkdir()
    engine.write_text(
        "#!/bin/sh\n"
        '[ "$1 $2" = "stack output" ] || { echo "error: only outputs are to be read" >&2; exit 255; }\n'
        f'cat "{tmp_path}/$5.json" 2>/dev/null || {{ echo "error: no stack named $5 found" >&2; exit 255; }}\n'
    )
    engine.chmod(0o755)
    return shell


def run(shell: Shell, *arguments: str, code: int = 0) -> str:
    nobody = {"ARM_METADATA_HOSTNAME": "localhost:1", "NO_PROXY": "localhost"}
    path = f"{shell.root.parent}/bin:/usr/bin:/bin"
    return shell.hearth("rollout", "plan", *arguments, code=code, PATH=path, **nobody)


def outputs(shell: Shell, stack: str, deployments: dict[str, Any]) -> None:
    account = {"id": _account(shell, stack)}
    told = json.dumps({"account": account, "deployments": deployments})
    (shell.root.parent / f"{stack}.json").write_text(told)


def _account(shell: Shell, stack: str) -> str:
    from datetime import date

    from infra.spec import load_stack, open_project

    project = open_project(shell.root)
    return load_stack(project, stack, project.config(stack), today=date(2026, 11, 2)).account_id


def serving(model: str) -> dict[str, Any]:
    return {"active": "support-bot", "model": model, "version": "1", "source": None, "sku": {"name": "Standard", "capacity": 1}}  # fmt: skip # noqa: E501


def test_the_plan_is_a_table_with_what_is_to_be_known_and_the_whole_in_a_line(planned: Shell):
    outputs(planned, "local-target", {"support-bot": serving(OLD)})
    said = run(planned)
    assert (
        "1. canary: 1 stack; after a yes of ann; 2 at once; none may fail; bakes 2h; gates smoke; else roll back"
        in said
    )
    assert "2. rest: 1 stack;" in said
    (row,) = [line for line in said.splitlines() if line.startswith(" local-target ")]
    assert [word in row for word in ("swedencentral", "support-bot", "0ld", "beside", "no", "1.70 USD")] == [True] * 6
    assert "local-target: support-bot: whether the quota allows a second deployment is not known" in said
    assert "first" in next(line for line in said.splitlines() if line.startswith(" local-source "))
    whole, digest = said.splitlines()[-2:]
    assert whole.startswith("hearth at no commit, 2 waves: 2 stacks to change (1 for the first time);")
    told = json.loads(run(planned, "--json"))["digest"]
    assert digest == f"plan digest {told}"
    assert f"plan digest {told}" in run(planned, "--tree")


def test_the_tree_names_models_in_full_and_where_callers_are_led(planned: Shell):
    outputs(planned, "local-target", {"support-bot": serving(OLD)})
    said = run(planned, "--tree")
    assert f"from {OLD}" in said
    assert "callers go from support-bot to support-bot-b" in said


def test_json_is_the_plan_as_it_is_recorded_with_its_digest(planned: Shell):
    outputs(planned, "local-target", {"support-bot": serving(OLD)})
    told = json.loads(run(planned, "--json"))
    assert [wave["name"] for wave in told["waves"]] == ["canary", "rest"]
    assert told["waves"][0]["targets"][0]["moves"][0]["before"]["model"] == OLD
    assert len(told["digest"]) == 64
    assert told["rollbackWindow"] == 86400


def test_markdown_is_written_for_a_pull_request(planned: Shell, tmp_path: Path):
    run(planned, "--markdown", str(tmp_path / "plan.md"))
    text = (tmp_path / "plan.md").read_text()
    assert "**1. canary: 1 stack;" in text
    assert "| stack | region | deployment |" in text
    run(planned, "--markdown", str(tmp_path / "no" / "plan.md"), code=2)
    assert "--markdown: cannot be written" in planned.errors


def test_a_stack_that_cannot_be_planned_is_refused_with_the_reason_and_exit_1_and_the_others_stand(planned: Shell):
    (planned.root.parent / "local-source.json").mkdir()
    file = planned.root / "stacks" / "Pulumi.local-target.yaml"
    file.write_text(file.read_text().replace("capacity: 1", "capacity: 0"))
    said = run(planned, code=1)
    assert "local-target: stacks/Pulumi.local-target.yaml, line" in said
    assert "1 refused" in said


def test_without_the_file_every_stack_is_one_of_no_wave_so_that_one_command_puts_up_a_merge(planned: Shell):
    (planned.root / "stacks" / "rollout.yaml").unlink()
    said = run(planned)
    assert "1. others: 2 stacks" in said


def test_waves_alone_need_a_file_and_the_next_move_is_named(planned: Shell):
    (planned.root / "stacks" / "rollout.yaml").unlink()
    run(planned, "--waves-only", code=2)
    assert "stacks/rollout.yaml has 1 mistake" in planned.errors
    assert "does not exist; docs/rollout.md tells what it says" in planned.errors


@pytest.fixture
def changed(planned: Shell) -> Shell:
    """One stack in a wave and one in none; both serve their models, and nothing says what their last `up` put up."""
    (planned.root / "stacks" / "rollout.yaml").write_text("waves: [{name: canary, targets: local-target}]\n")
    group = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-contoso-train"
    source = f"{group}/providers/Microsoft.CognitiveServices/accounts/contoso-train-ncus"
    for stack, name, owner in (("local-target", "support-bot", source), ("local-source", "legacy-bot", None)):
        text = (planned.root / "stacks" / "models" / f"{name}.yaml").read_text()
        (model,) = [line.split()[1] for line in text.splitlines() if line.startswith("model:")]
        outputs(planned, stack, {name: {**serving(model), "active": name, "source": owner}})
    return planned


def test_what_has_changed_besides_models_is_in_the_plan_and_stacks_of_no_wave_come_last(changed: Shell):
    said = run(changed)
    assert "2. others: 1 stack; 2 at once; none may fail; bakes 0s; no gate but ready" in said
    rows = {line.split()[0]: line for line in said.splitlines() if line.startswith(" local-")}
    assert "update" in rows["local-target"]
    assert "update" in rows["local-source"]
    assert "0 stacks to change; 2 to update; 0 up to date" in said
    assert "is put up anew" in run(changed, "--tree")
    waves = json.loads(run(changed, "--json"))["waves"]
    assert [(t["standing"], t["plain"]) for w in waves for t in w["targets"]] == [("update", False), ("update", True)]


def test_once_the_outputs_name_what_was_put_up_there_is_nothing_left(changed: Shell):
    told = json.loads(run(changed, "--json"))
    for wave in told["waves"]:
        for target in wave["targets"]:
            file = changed.root.parent / f"{target['stack']}.json"
            file.write_text(json.dumps({**json.loads(file.read_text()), "applied": target["wish"]}))
    assert "1 wave: 0 stacks to change; 1 up to date" in run(changed)
