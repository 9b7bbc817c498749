"""`hearth rollout …` and `hearth worker` without an engine: what they refuse, and what they tell of a record."""

from __future__ import annotations

import json

import yaml

from tests.cli.conftest import REPOSITORY, Shell
from tests.rollout.hands import Pretended
from tests.rollout.runs import begin, history, kinds, process, until
from tests.rollout.simulation import plan, target, wave


def test_what_cannot_be_begun_is_told_with_what_to_do(shell: Shell) -> None:
    shell.hearth("rollout", "start", "--no-wait", code=2)
    assert "set HEARTH_DATABASE_URL and start hearth worker" in shell.errors
    shell.hearth("rollout", "start", "--until", "soon", code=2)
    assert "--until" in shell.errors
    shell.hearth("rollout", "start", "--yes", code=2)
    assert "is not in a git repository, and a rollout runs from a commit" in shell.errors
    shell.hearth("worker", "--name", "w1", code=2)
    assert "must name a PostgreSQL that workers share" in shell.errors
    shell.hearth("rollout", "list", code=2, HEARTH_DATABASE_URL="mysql://here/hearth")
    assert "must be postgresql://" in shell.errors
    shell.hearth("rollout", "list", code=3, HEARTH_DATABASE_URL="postgresql://me:verysecret@127.0.0.1:1/hearth")
    assert "The database at 127.0.0.1:1/hearth does not answer" in shell.errors
    assert "verysecret" not in shell.errors


def test_before_the_first_rollout_there_is_nothing_to_tell(shell: Shell) -> None:
    shell.hearth("rollout", "status", code=3)
    assert "There is no rollout of hearth yet; begin one with: hearth rollout start" in shell.errors
    assert "No rollout yet" in shell.hearth("rollout", "list")
    assert not (shell.root / ".hearth" / "rollouts.db").exists()


def test_a_rollout_is_told_and_answered_from_another_terminal(shell: Shell) -> None:
    folder = shell.root / ".hearth"
    folder.mkdir()
    kept = history(folder)
    waves = (wave("one", [target("a")]), wave("two", [target("b")], approval=("ann",)))
    begin(kept, plan(*waves), who="bob")
    with process(kept, Pretended(folder)):
        until(lambda: "approvalAsked" in kinds(kept.events("r1")))
    told = json.loads(shell.hearth("rollout", "status", "--json"))
    assert (told["says"], told["executed"]) == ("r1 waits for a yes for wave two (by ann)", False)
    assert [(one["stack"], one["state"]) for one in told["targets"]] == [("a", "passed"), ("b", "waiting")]
    assert "nobody executes it now" in shell.hearth("rollout", "watch", code=1)
    shell.hearth("rollout", "approve", "--as", "eve", code=3)
    assert "eve may not answer here; who may: ann" in shell.errors
    assert "Go on with: hearth rollout resume r1" in shell.hearth("rollout", "approve", "--as", "ann", "-m", "fine")
    with process(kept, Pretended(folder)):
        until(lambda: "ended" in kinds(kept.events("r1")))
    kept.close()
    assert "r1 has ended (succeeded)." in shell.hearth("rollout", "status")
    shell.hearth("rollout", "pause", code=3)
    assert "r1 has ended (succeeded); see hearth rollout show r1" in shell.errors
    shown = json.loads(shell.hearth("rollout", "show", "--json"))
    assert [e["who"] for e in shown["events"] if e["kind"] == "approved"] == ["ann"]
    assert "two: yes: fine (ann)" in shell.hearth("rollout", "show", "r1")


def test_the_examples_of_supervised_workers_call_it_as_it_is(shell: Shell) -> None:
    unit = (REPOSITORY / "deploy" / "worker" / "hearth-worker@.service").read_text()
    started = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert started.split("/bin/")[1].split() == ["hearth", "worker", "--name", "%i"]
    pods = yaml.safe_load((REPOSITORY / "deploy" / "worker" / "statefulset.yaml").read_text())
    worker = pods["spec"]["template"]["spec"]["containers"][0]
    assert worker["command"] == ["hearth", "worker", "--name", "$(NAME)"]
    shell.hearth(*worker["command"][1:3], "worker-0", code=2)
    assert "HEARTH_DATABASE_URL" in shell.errors
