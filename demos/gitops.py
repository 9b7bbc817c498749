"""`make demo-gitops`: a pull request, its merge, a hand in Azure and a revert, with the texts that a pipeline posted.

GitHub is the small double that the tests post to: what it holds at the end of each step is what people would read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import requests

from demos.rollout import MODELS, OWNER, TRAINING
from demos.stage import Failed, Stage, open_stage, start_azure
from tests.ports import hosts

REGIONS = {"swe": "swedencentral", "eus": "eastus2"}
WAVES = """\
# yaml-language-server: $schema=schema/rollout.json
defaults: {strategy: beside, bake: 2s}
waves:
  - {name: canary, targets: demo-swe}
  - {name: world, targets: "demo-*"}
"""
RECORD = "stacks/models/helpdesk.yaml"


def main() -> int:
    """Tell the story; 0 when it went as told."""
    try:
        with hosts.serving() as github, open_stage("gitops") as stage:
            _plant(stage)
            start_azure(stage)
            _be_a_runner(stage, github)
            _tell(stage, github)
    except Failed as error:
        print(f"\nthe story did not go as told: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _plant(stage: Stage) -> None:
    """The fleet's files: one training account, two regions, the waves."""
    seed = stage.root / "stacks" / "local-azure.yaml"
    models = "".join(f"  - account: {OWNER}\n    model: {model}\n" for model in MODELS.values())
    stage.write("stacks/local-azure.yaml", seed.read_text("utf-8") + models)
    for name, region in REGIONS.items():
        stage.declare(name, region)
    stage.write("stacks/rollout.yaml", WAVES)
    _record(stage, "first")
    (stage.root / "stacks" / "Pulumi.local-target.yaml").unlink()


def _record(stage: Stage, model: str) -> None:
    stage.write(RECORD, f'model: {MODELS[model]}\nversion: "1"\nsource: {TRAINING}\n')


def _be_a_runner(stage: Stage, github: hosts.Hosts) -> None:
    """What a runner of GitHub sets, pointed at the double."""
    event = stage.root.parent / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}), "utf-8")
    work = stage.root.parent
    stage.env |= {
        "GITHUB_ACTIONS": "true", "GITHUB_API_URL": f"{github.origin}/github", "GITHUB_REPOSITORY": "contoso/models",
        "GITHUB_TOKEN": hosts.TOKEN, "GITHUB_RUN_ID": "1", "GITHUB_EVENT_PATH": str(event),
        "GITHUB_STEP_SUMMARY": str(work / "summary.md"), "GITHUB_OUTPUT": str(work / "output"),
    }  # fmt: skip


def _tell(stage: Stage, github: hosts.Hosts) -> None:
    bare = stage.root.parent / "models.git"
    stage.tell("A bare repository with a fleet of two regions; the account that trains is up.")
    for name in ("local-source", *(f"demo-{region}" for region in REGIONS)):
        stage.run("pulumi", "--non-interactive", "stack", "init", name, shown=False)
    stage.commit("A fleet of two regions")
    stage.run("git", "branch", "-qM", "main", shown=False)
    subprocess.run(["git", "clone", "-q", "--bare", str(stage.root), str(bare)], check=True)
    stage.run("git", "remote", "set-url", "origin", str(bare), shown=False)
    stage.run("git", "fetch", "-q", "origin", shown=False)
    stage.run("pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--stack", "local-source", shown=False)
    stage.tell("The first push to main: rollout.yml puts it all up.")
    _roll_out(stage)

    stage.tell("A better model is a pull request: preview.yml …")
    stage.run("git", "checkout", "-qb", "better-helpdesk", shown=False)
    _record(stage, "better")
    stage.commit("helpdesk: a better model")
    stage.hearth("preview", "--changed-since", "origin/main", "--markdown", ".hearth/preview.md")
    stage.hearth("post", "--to", "pr", "--marker", "preview", ".hearth/preview.md", shown=False)
    stage.tell("… and the one comment that it keeps up to date:")
    _show(github.comments[7][0]["body"])

    stage.tell("It is merged: rollout.yml brings it, wave by wave.")
    stage.run("git", "checkout", "-q", "main", shown=False)
    stage.run("git", "merge", "-q", "--no-ff", "-m", "Merge better-helpdesk", "better-helpdesk", shown=False)
    stage.run("git", "push", "-q", "origin", "main", shown=False)
    _roll_out(stage)
    stage.hearth("chat", "demo-eus/helpdesk", "Which model are you?")

    stage.tell("Somebody changes a deployment by hand. drift.yml finds it …")
    _by_hand(stage)
    stage.hearth("drift", "--markdown", ".hearth/drift.md", code=1)
    stage.hearth("post", "--to", "issue", "--marker", "drift", ".hearth/drift.md", shown=False)
    stage.tell("… and the one issue that it keeps up to date:")
    _show(github.issues[0]["body"])

    stage.tell("The merge is reverted, which is a rollout too: the model of before serves again.")
    stage.run("git", "revert", "-m", "1", "--no-edit", "HEAD", shown=False)
    stage.run("git", "push", "-q", "origin", "main", shown=False)
    _roll_out(stage)
    stage.hearth("chat", "demo-eus/helpdesk", "Which model are you?")


def _roll_out(stage: Stage) -> None:
    """The commands of rollout.yml."""
    output = Path(stage.env["GITHUB_OUTPUT"])
    output.write_text("", "utf-8")
    stage.hearth("rollout", "plan", "--hand-on")
    digest = output.read_text("utf-8").strip().removeprefix("digest=")
    commit = stage.run("git", "rev-parse", "HEAD", shown=False).strip()
    stage.hearth("rollout", "start", "--yes", "--commit", commit, "--plan-digest", digest, "--until", "5h")


def _by_hand(stage: Stage) -> None:
    """Somebody with the deployer's login halves a capacity, past the pipeline."""
    env = {**os.environ, **stage.env}
    azure, trust = env["AZURE_AUTHORITY_HOST"], env["REQUESTS_CA_BUNDLE"]
    who = {"client_id": env["AZURE_CLIENT_ID"], "client_secret": env["AZURE_CLIENT_SECRET"]}
    form = {**who, "scope": f"{azure}/.default", "grant_type": "client_credentials"}
    login = f"{azure}/{env['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    token = requests.post(login, data=form, verify=trust, timeout=30).json()["access_token"]
    outputs = json.loads(stage.run("pulumi", "stack", "output", "--json", "--stack", "demo-swe", shown=False))
    there = f"{azure}{outputs['account']['id']}/deployments/{outputs['deployments']['helpdesk']['active']}"
    body = {"sku": {"name": "GlobalStandard", "capacity": 5}}
    requests.patch(
        f"{there}?api-version=2024-10-01",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        verify=trust,
        timeout=30,
    ).raise_for_status()


def _show(text: str) -> None:
    print("\n".join(f"  | {line}" for line in text.strip().splitlines()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
