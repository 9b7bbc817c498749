"""The workflows at length: a fleet in waves, a machine that dies, a hand in Azure, a revert, names that mean harm."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.desk import REPOSITORY, Desk, wait_for
from tests.journeys.conftest import known_to_azure
from tests.journeys.pipeline import Run, Service, kill_machine
from tests.journeys.rolling import Rolling
from tests.journeys.test_gitops import SOMEBODY, bundle, somebody
from tests.ports import hosts
from tests.rollout.fleet import FIRST

pytestmark = pytest.mark.proof

RECORD = "stacks/models/bot.yaml"
WAVES = """\
defaults: {bake: 0s}
waves:
  - {name: canary, targets: one}
  - {name: rest, targets: [two, three]}
"""


@pytest.fixture
def rolling(tmp_path: Path, engine: Path, desk_with_source: Path) -> Iterator[Rolling]:
    """Three stacks in two waves, on main; nothing of them is up."""
    with known_to_azure(tmp_path / "project", engine, desk_with_source) as desk:
        yield Rolling(desk, WAVES, ["one", "two", "three"])


@pytest.fixture
def service(rolling: Rolling, tmp_path: Path) -> Iterator[Service]:
    with hosts.serving() as found:
        yield Service(rolling.desk, tmp_path / "github", found)


def promote(service: Service, branch: str, old: str, new: str) -> str:
    """Open a pull request that promotes a model, and merge it; the merge."""
    service.branch(branch, {RECORD: service.file(RECORD).replace(old, new)})
    asked = service.pull_request(branch)
    assert asked.ok, asked.log
    return service.merge(branch)


def locks(desk: Desk) -> list[Path]:
    return list((desk.root / ".hearth" / "pulumi" / "state" / ".pulumi" / "locks").rglob("*.json"))


def test_a_fleet_from_its_first_day_to_a_revert_over_a_machine_that_dies(rolling: Rolling, service: Service):
    desk = rolling.desk
    first = service.rollout(service.git("rev-parse", "main", cwd=service.bare))
    assert first.ok, first.log
    assert set(rolling.all_serve().values()) == {FIRST}

    new = desk.tune("b")
    merged = promote(service, "better", FIRST, new)
    comment = service.hosts.comments[7][0]["body"]
    assert all(f"| {stack} |" in comment for stack in rolling.stacks)

    run = Run("rollout", {}, merged)
    killed = _killed_in_wave_two(service, run)
    assert not killed.ok
    [lock] = locks(desk)
    told = json.loads(lock.read_text())
    lock.write_text(json.dumps({**told, "hostname": "runner-rollout-1"}))
    assert rolling.serves("one") == new
    service.run(run)
    assert run.ok, run.log
    assert "removed the lock of" in run.log
    assert set(rolling.all_serve().values()) == {new}
    assert locks(desk) == []
    for stack in rolling.stacks:
        rolling.fleet.require_sound(stack)

    back = service.rollout(service.revert(merged))
    assert back.ok, back.log
    assert set(rolling.all_serve().values()) == {FIRST}
    service.require_no_secret(first, run, back)


def _killed_in_wave_two(service: Service, run: Run) -> Run:
    """Run it, and take the machine away while an engine of the second wave writes."""
    ended = threading.Event()

    def kill() -> None:
        wait_for(lambda: ended.is_set() or any(set(lock.parts) & {"two", "three"} for lock in locks(service.desk)),
                 "wave two is not reached", 240)  # fmt: skip
        kill_machine(run.roots[-1])

    def watch(_root: Path) -> None:
        if len(run.roots) == 2:  # plan, start
            thread.start()

    thread = threading.Thread(target=kill)
    service.run(run, during=watch)
    ended.set()
    thread.join()
    return run


def test_what_a_hand_changed_in_azure_becomes_an_issue_and_is_closed_when_it_is_put_back(
    rolling: Rolling, service: Service
):
    desk = rolling.desk
    desk.pulumi("stack", "init", "one")
    desk.up("one")
    assert service.scheduled("drift").ok
    assert service.hosts.issues == []
    account = rolling.fleet.outputs("one")["account"]["id"]
    token = {"Authorization": f"Bearer {somebody(desk)}"}
    there = f"{desk.azure.origin}{account}/deployments/bot?api-version=2024-10-01"
    body = {"sku": {"name": "GlobalStandard", "capacity": 20}}
    assert requests.patch(there, json=body, headers=token, verify=bundle(desk), timeout=9).ok
    found = [service.scheduled("drift"), service.scheduled("drift")]
    assert not any(run.ok for run in found)
    [issue] = service.hosts.issues
    assert "sku.capacity: 20 for 1" in issue["body"]
    assert SOMEBODY in issue["body"]
    assert "sku.capacity 20 → 1" in issue["body"]
    desk.pulumi("up", "--yes", "--skip-preview", "--refresh", "--stack", "one")
    closed = service.scheduled("drift")
    assert closed.ok, closed.log
    assert [issue["state"] for issue in service.hosts.issues] == ["closed"]
    tended = service.scheduled("tend")
    assert "one" in tended.log
    service.require_no_secret(*found, closed, tended)


@pytest.mark.parametrize("branch", ["$(touch${IFS}pwned)", "a;touch${IFS}pwned;b", "--upload-pack=touch"])
def test_names_of_a_pull_request_never_reach_a_shell(rolling: Rolling, service: Service, branch: str):
    harm = "$(touch pwned) `touch pwned` <script>|@everyone"
    tree = {
        f"stacks/models/{harm}.yaml": "model: x\n",
        "stacks/Pulumi.x;touch pwned;.yaml": "config: {}\n",
        "stacks/Pulumi.one.yaml": service.file("stacks/Pulumi.one.yaml").replace(
            "capacity: 1}", f"capacity: 1}}\n    '{harm}': {{model: bot, sku: {{name: Standard, capacity: 1}}}}"
        ),
    }
    service.branch("harmless", dict(tree))
    service.git("update-ref", f"refs/heads/{branch}", "refs/heads/harmless", cwd=service.bare)
    asked = service.pull_request(branch)
    assert asked.outcomes == {"check": "failure", "preview": "failure"}
    assert "touch pwned" in service.told(), "the comment names what is wrong"
    assert list(service.folder.rglob("pwned")) == []
    assert "<script>" not in asked.summary + service.told()
    assert "@everyone" not in asked.summary + service.told()


def test_an_azure_that_is_away_fails_the_preview_clearly(rolling: Rolling, service: Service):
    text = service.file("stacks/Pulumi.local-source.yaml").replace("capacity: 1}", "capacity: 2}")
    service.branch("larger", {"stacks/Pulumi.local-source.yaml": text})
    rolling.desk.azure.stop()
    asked = service.pull_request("larger")
    assert asked.outcomes == {"check": "success", "preview": "failure"}
    [comment] = service.hosts.comments[7]
    assert "could not be previewed" in comment["body"]
    assert "nothing answers there" in comment["body"]


def test_actionlint_finds_nothing_in_any_workflow(tmp_path: Path):
    go = shutil.which("go")
    if go is None:
        pytest.skip("actionlint is built by Go, which is not installed")
    folder = Path.home() / ".cache" / "hearth" / "actionlint-1.7.12"
    if not (folder / "actionlint").exists():
        import os

        subprocess.run(
            [go, "install", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"],
            env={**os.environ, "GOBIN": str(folder)}, check=True, timeout=900,
        )  # fmt: skip
    done = subprocess.run(
        [folder / "actionlint", "-no-color"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""
    broken = tmp_path / ".github" / "workflows"
    broken.mkdir(parents=True)
    text = (REPOSITORY / ".github" / "workflows" / "preview.yml").read_text()
    (broken / "preview.yml").write_text(text.replace('"$BASE"', "${{ github.head_ref }}"))
    found = subprocess.run(
        [folder / "actionlint", "-no-color", broken / "preview.yml"], capture_output=True, text=True, check=False
    )
    assert "potentially untrusted" in found.stdout, "a name that reaches a shell would be found"
