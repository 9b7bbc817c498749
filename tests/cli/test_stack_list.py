"""`hearth stack list`: the fleet from its files and the stacks' last outputs."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell
from tests.cli.test_rollout_plan import OLD, outputs, planned, serving

__all__ = ["planned"]


def listed(shell: Shell, *arguments: str) -> str:
    return shell.hearth("stack", "list", *arguments, PATH=f"{shell.root.parent}/bin:/usr/bin:/bin")


def rows(shell: Shell) -> dict[str, dict[str, object]]:
    return {f"{row['stack']}/{row['deployment']}": row for row in json.loads(listed(shell, "--json"))}


@pytest.fixture
def fleet(planned: Shell) -> Shell:
    held = {**serving(OLD), "held": True, "rollout": "2026-11-23-a", "active": "support-bot-b"}
    outputs(planned, "local-target", {"support-bot": held})
    return planned


def test_the_fleet_is_listed_in_the_order_of_its_waves_with_what_is_wanted_and_what_is_served(fleet: Shell):
    found = rows(fleet)
    assert next(iter(found)) == "local-target/support-bot"
    target = found["local-target/support-bot"]
    assert (target["wave"], target["served"], target["state"], target["held"]) == ("canary", OLD, "held", True)
    assert str(target["wanted"]).startswith("gpt-4.1-mini-2025-04-14.ft-")
    assert (target["active"], target["rollout"]) == ("support-bot-b", "2026-11-23-a")
    assert found["local-source/legacy-bot"]["state"] == "notUp"


def test_the_table_says_who_holds_a_model(fleet: Shell):
    (row,) = [line for line in listed(fleet).splitlines() if line.startswith(" local-target ")]
    assert [word in row for word in ("swedencentral", "canary", "0ld", "held (rollout 2026-11-23-a)")] == [True] * 4


def test_a_model_that_is_served_but_no_longer_named_is_behind_and_one_that_is_named_again_is_not_held(fleet: Shell):
    outputs(fleet, "local-target", {"support-bot": serving(OLD), "gone-bot": serving("gpt-4.1.ft-9")})
    found = rows(fleet)
    assert (found["local-target/support-bot"]["state"], found["local-target/gone-bot"]["state"]) == ("behind", "gone")
    wanted, record = str(found["local-target/support-bot"]["wanted"]), "support-bot.yaml"
    file = fleet.root / "stacks" / "models" / record
    file.write_text(file.read_text().replace(wanted, OLD))
    source = json.loads((fleet.root.parent / "local-target.json").read_text())
    source["deployments"]["support-bot"] |= {"held": True, "source": _source(fleet)}
    (fleet.root.parent / "local-target.json").write_text(json.dumps(source))
    again = rows(fleet)["local-target/support-bot"]
    assert (again["state"], again["held"]) == ("asWanted", False)


def _source(shell: Shell) -> str:
    from infra.spec import load_record, open_project

    return load_record(open_project(shell.root), "support-bot").source.id


def test_what_cannot_be_read_is_said_in_its_row_and_the_others_are_listed(fleet: Shell):
    engine = fleet.root.parent / "bin" / "pulumi"
    refusal = '[ "$5" = local-source ] && { echo "error: login expired" >&2; exit 255; }'
    engine.write_text(engine.read_text().replace("\n", f"\n{refusal}\n", 1))
    found = rows(fleet)
    assert found["local-source/legacy-bot"]["state"] == "unread"
    assert "login expired" in str(found["local-source/legacy-bot"]["why"])
    assert found["local-target/support-bot"]["state"] == "held"
    file = fleet.root / "stacks" / "Pulumi.local-target.yaml"
    file.write_text(file.read_text().replace("capacity: 1", "capacity: 0"))
    broken = rows(fleet)["local-target/"]
    assert broken["state"] == "unread"
    assert str(broken["why"]).startswith("stacks/Pulumi.local-target.yaml, line ")


def test_without_an_engine_the_files_are_listed_all_the_same(fleet: Shell):
    said = fleet.hearth("stack", "list", "--json", PATH="/nowhere")
    assert {row["state"] for row in json.loads(said)} == {"unread"}
    assert "No `pulumi` is on PATH" in said


def test_a_wrong_rollout_is_told_of_and_costs_the_waves_alone(fleet: Shell):
    (fleet.root / "stacks" / "rollout.yaml").write_text("waves: 3\n")
    found = rows(fleet)
    assert "no waves: stacks/rollout.yaml has" in fleet.errors
    assert found["local-target/support-bot"]["wave"] is None
    (fleet.root / "stacks" / "rollout.yaml").unlink()
    assert (rows(fleet)["local-target/support-bot"]["wave"], fleet.errors) == (None, "")
