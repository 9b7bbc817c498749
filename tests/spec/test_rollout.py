"""stacks/rollout.yaml: which stacks belong to which wave, and every mistake in it at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from infra.errors import SpecError
from infra.spec import Rollout, check_project, load_rollout, names_in_rollout
from tests.spec.desk import TODAY, Changes, Desk

FILE = "stacks/rollout.yaml"


@pytest.fixture
def fleet(desk: Desk) -> Desk:
    """Four stacks: three of production, two of them in Europe."""
    for name, labels in {
        "dev": {},
        "prod-eus": {"continent": "america"},
        "prod-swe": {"continent": "europe"},
        "prod-weu": {"continent": "europe", "tier": "one"},
    }.items():
        stack(desk, name, {"hearth:stack": {"labels": labels}})
    return desk


def stack(desk: Desk, name: str, changes: Changes | None = None) -> None:
    of_its_own = {"hearth:account/name": f"contoso-{name}", "hearth:account/resourceGroup": f"rg-{name}"}
    desk.stack({**of_its_own, **(changes or {})}, name=name)


def load(desk: Desk) -> Rollout:
    project = desk.project
    stacks, _ = check_project(project, project.stack_names(), today=TODAY)
    return load_rollout(project, stacks)


def told(desk: Desk, changes: Changes) -> list[str]:
    """Write a rollout with these changes; its mistakes, each as path and text."""
    desk.rollout(changes)
    found = desk.mistakes()
    assert {one.file for one in found} <= {FILE}
    assert all(one.line for one in found)
    return [f"{one.path}: {one.text}" for one in found]


def waves(*targets: Any, **settings: Any) -> Changes:
    return {"waves": [{"name": f"w{n}", "targets": one, **settings} for n, one in enumerate(targets, 1)]}


# --- which stacks ---------------------------------------------------------------------------------------------------


def test_a_stack_belongs_to_the_first_wave_that_names_it_by_name_pattern_or_label(fleet: Desk):
    fleet.rollout(waves("prod-swe", {"continent": "europe"}, ["prod-*", "d?v"]))
    assert [wave.stacks for wave in load(fleet).waves] == [("prod-swe",), ("prod-weu",), ("dev", "prod-eus")]


def test_a_stack_must_bear_every_label_that_a_wave_names(fleet: Desk):
    fleet.rollout(waves({"continent": "europe", "tier": "one"}))
    assert load(fleet).waves[0].stacks == ("prod-weu",)


def test_the_program_learns_the_same_names_from_little(fleet: Desk):
    fleet.rollout(waves("prod-eus", {"continent": "europe"}))
    assert names_in_rollout(fleet.project) == {"prod-eus", "prod-swe", "prod-weu"}


def test_names_alone_are_told_without_reading_any_stack(fleet: Desk):
    fleet.file("stacks/Pulumi.dev.yaml", "config: [")
    fleet.rollout(waves(["prod-*", "dev"]))
    project = fleet.project
    assert "dev" in names_in_rollout(project)
    read = {path.name for path in project._documents}
    assert read == {"Pulumi.yaml", "rollout.yaml"}, "a thousand stacks would take a second of every up"


def test_labels_are_looked_for_only_where_no_name_has_settled_it(fleet: Desk):
    fleet.rollout(waves({"continent": "europe"}, "prod-*"))
    project = fleet.project
    assert len(names_in_rollout(project)) == 3
    assert {path.name for path in project._documents} == {"Pulumi.yaml", "rollout.yaml", "Pulumi.dev.yaml"}


def test_without_the_file_there_is_no_rollout_and_nothing_is_amiss(fleet: Desk):
    assert names_in_rollout(fleet.project) == frozenset()
    assert fleet.mistakes() == []


def test_a_slip_in_a_gate_stops_no_up_of_a_stack(fleet: Desk):
    fleet.rollout({**waves("dev"), "gates": {"smoke": {}}})
    assert names_in_rollout(fleet.project) == {"dev"}
    assert fleet.mistakes()


@pytest.mark.parametrize("text", ["waves: [", "waves: dev\n", "waves: []\n", "waves: [{name: w}]\n", "", "[]\n"])
def test_where_it_cannot_be_told_who_is_named_an_up_is_stopped_for_it_might_promote(fleet: Desk, text: str):
    fleet.file(FILE, text)
    with pytest.raises(SpecError, match=r"rollout\.yaml has"):
        names_in_rollout(fleet.project)
    assert {one.file for one in fleet.mistakes()} == {FILE}


def test_labels_of_pulumi_yaml_hold_for_every_stack_that_has_none(desk: Desk):
    desk.file(
        "Pulumi.yaml",
        "name: hearth\nstackConfigDir: stacks\nconfig:\n  hearth:stack: {value: {labels: {team: support}}}\n",
    )
    stack(desk, "one")
    stack(desk, "two", {"hearth:stack": {"labels": {"team": "sales"}}})
    desk.rollout(waves({"team": "support"}))
    assert names_in_rollout(desk.project) == {"one"}


# --- settings -------------------------------------------------------------------------------------------------------


def test_a_wave_takes_what_defaults_say_and_what_it_says_itself_wins(fleet: Desk):
    given = {"strategy": "BESIDE", "concurrency": 4, "tolerance": "50%", "bake": "2h", "onFailure": "pause"}
    one = {"name": "one", "targets": "dev", "bake": "5m", "toleranceMode": "strict", "approval": {"by": ["ann"]}}
    fleet.rollout({"defaults": given, "waves": [one, {"name": "two", "targets": "prod-*"}]})
    first, second = load(fleet).waves
    assert (first.strategy, first.bake, first.strict, first.approval) == (
        "beside", timedelta(minutes=5), True, ("ann",),
    )  # fmt: skip
    assert (second.strategy, second.bake, second.strict, second.approval) == (
        "beside", timedelta(hours=2), False, None,
    )  # fmt: skip
    assert (second.concurrency, second.on_failure) == (4, "pause")
    assert (first.tolerance, second.tolerance) == (0, 1), "50% of one target is none, of three it is one"


def test_what_nobody_says_is_careful(fleet: Desk):
    fleet.rollout(waves("*"))
    (wave,) = load(fleet).waves
    assert (wave.strategy, wave.concurrency, wave.tolerance, wave.strict) == ("inPlace", 2, 0, False)
    assert (wave.bake, wave.gates, wave.on_failure) == (timedelta(minutes=30), (), "rollbackWave")
    assert load(fleet).file.defaults.rollback_window == timedelta(hours=24)


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (waves("prod-us"), 'waves/0/targets: no stack is called "prod-us"; did you mean "prod-eus"?'),
        (waves(["dev", "pord-*"]), 'waves/0/targets/1: no stack is called "pord-*"'),
        (waves({"continent": "europa"}), "waves/0/targets: no stack bears continent: europa; labels stand in a stack"),
        (waves("prod-*", "prod-swe"), "waves/1/targets: every stack that it names belongs to an earlier wave: "),
        (waves([]), "waves/0/targets: must be labels with texts, such as {continent: europe}, or names of stacks"),
        (waves({"tier": 1}), "waves/0/targets: must be labels with texts"),
        (waves({"tier": None}), "waves/0/targets: must be labels with texts"),
        (waves(5), "waves/0/targets: must be names or patterns of stacks, such as prod-*, or labels such as"),
        (waves("a b"), "waves/0/targets: must be names or patterns of stacks"),
        ({"waves": []}, "waves: must hold one wave at least"),
        ({"waves/0/name": "to do"}, "waves/0/name: must be a word of letters, digits"),
        ({"waves/0/gates": ["smoke"]}, 'waves/0/gates/0: there is no gate "smoke" below gates'),
        ({"defaults/gates": ["smoke"]}, 'defaults/gates/0: there is no gate "smoke" below gates'),
        ({"waves/0/tolerance": 2}, "waves/0/tolerance: 2 may not fail where the wave has 1 target; write fewer, or a"),
        ({"defaults/tolerance": 2}, "defaults/tolerance: 2 may not fail where canary has 1 target"),
        ({"waves/0/tolerance": -1}, "waves/0/tolerance: must be a whole number from 0 or a share such as 10%, not -1"),
        ({"waves/0/tolerance": "101%"}, "waves/0/tolerance: must be a whole number from 0 or a share such as 10%"),
        ({"waves/0/tolerance": 0.5}, "waves/0/tolerance: must be a whole number from 0 or a share such as 10%, not"),
        ({"waves/0/tolerance": True}, "waves/0/tolerance: must be a whole number from 0"),
        ({"waves/0/concurrency": 0}, "waves/0/concurrency: must be at least 1, not 0"),
        ({"waves/0/strategy": "blueGreen"}, 'waves/0/strategy: must be inPlace or beside, not "blueGreen"'),
        ({"waves/0/bake": 30}, "waves/0/bake: must be a duration with its unit"),
        ({"waves/0/approval": {"by": ["ann", "ann"]}}, "waves/0/approval/by/1: ann stands here twice; remove one"),
        ({"waves/0/approval": {"by": [" "]}}, "waves/0/approval/by/0: must be a name"),
        ({"gates/g": {}}, "gates/g: a gate is exactly one of ready, prompts, compare, metrics, command, approval"),
        (
            {"gates/g": {"ready": True, "command": ["x"]}},
            "gates/g: a gate is exactly one of ready, prompts, compare, metrics, command, approval: this one has ready "
            "and command; make a gate of each",
        ),
        ({"gates/g": {"ready": False}}, "gates/g/ready: can only be true"),
        ({"gates/g": {"prompts": "p.jsonl"}}, "gates/g/prompts: there is no file stacks/p.jsonl"),
        ({"gates/g": {"compare": "/etc/p"}}, "gates/g/compare: must be a file below stacks, for a rollout takes the"),
        ({"gates/g": {"prompts": "../p"}}, "gates/g/prompts: must be a file below stacks"),
        ({"gates/g": {"command": []}}, "gates/g/command: must be an executable and its arguments"),
        ({"gates/g": {"command": ["x"], "passRate": 1}}, "gates/g/passRate: says nothing of command; it is a key of"),
        ({"gates/g": {"ready": True, "timeout": "0s"}}, "gates/g/timeout: must be longer than nothing"),
        ({"gates/g": {"metrics": {"leastCalls": 5}}}, "gates/g/metrics: looks at nothing; add errors, throttled"),
        ({"gates/g": {"metrics": {"errors": "x"}}}, "gates/g/metrics/errors: must be a share from 0 to 1, or such"),
        ({"gates/g": {"metrics": {"errors": 5}}}, "gates/g/metrics/errors: must be a share from 0 to 1, or such as"),
        ({"gates/to do": {"ready": True}}, "gates/to do: must be a word of letters"),
        ({"hooks/beforeWave": [[]]}, "hooks/beforeWave/0: must be an executable and its arguments"),
        ({"limits/step": "0s"}, "limits/step: must be longer than nothing"),
        ({"notify": "http://x"}, "notify/webhook: must be an address that starts with https://"),
        ({"wave": []}, 'wave: unknown key; did you mean "waves"?'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_next_move(fleet: Desk, changes: Changes, expected: str):
    (found,) = told(fleet, changes)
    assert found.startswith(expected)


def test_every_mistake_is_told_at_once_also_of_waves_that_are_wrong_elsewhere(fleet: Desk):
    found = told(fleet, {
        "waves": [
            {"name": "a", "targets": "prod-*", "bake": "soon"},
            {"name": "a", "targets": "prod-swe", "gates": ["calm"]},
            {"targets": "nowhere"},
        ],
        "gates": {"calm": {"metrics": {"errors": 0.1}, "prompts": "x"}},
    })  # fmt: skip
    assert [text.split(":")[0] for text in found] == [
        "waves/0/bake", "waves/1/name", "waves/1/targets", "waves/2/name", "waves/2/targets", "gates/calm",
    ]  # fmt: skip


def test_comparing_needs_both_models_to_stand(fleet: Desk):
    fleet.file("stacks/p.jsonl", "")
    gate: Changes = {"gates/c": {"compare": "p.jsonl"}, "waves/0/gates": ["c"]}
    (found,) = told(fleet, gate)
    assert found == "waves/0/gates: c compares two models, and in place there is one; take strategy: beside"
    assert told(fleet, {**gate, "waves/0/strategy": "beside"}) == []


def test_metrics_are_those_of_the_bake(fleet: Desk):
    gate: Changes = {"gates/m": {"metrics": {"errors": 0.1}}, "defaults/gates": ["m"], "waves/0/bake": "0s"}
    (found,) = told(fleet, gate)
    assert found.startswith("waves/0/name: m reads the metrics of the bake, and the wave has none; set bake")


def test_a_label_that_no_readable_stack_bears_may_stand_in_one_that_is_not(fleet: Desk):
    fleet.rollout(waves({"continent": "asia"}))
    fleet.file("stacks/Pulumi.dev.yaml", "config: [")
    assert {one.file for one in fleet.mistakes()} == {"stacks/Pulumi.dev.yaml"}


# --- slots ----------------------------------------------------------------------------------------------------------


def two_bots(desk: Desk, second: str) -> Changes:
    desk.record("other", {"model": "gpt-4.1-mini-2025-04-14.ft-other"})
    sku = {"name": "Standard", "capacity": 1}
    return {"hearth:deployments": {"bot": {"model": "support-bot", "sku": sku}, second: {"model": "other", "sku": sku}}}


@pytest.mark.parametrize("second", ["bot-b", "Bot-B"])
def test_a_name_that_a_rollout_needs_for_itself_is_a_mistake_where_it_stands(desk: Desk, second: str):
    stack(desk, "dev", two_bots(desk, second))
    assert desk.mistakes() == [], "in no rollout it is a name like any other"
    desk.rollout()
    (found,) = desk.mistakes()
    assert (found.file, found.path) == ("stacks/Pulumi.dev.yaml", f"hearth:deployments/{second}")
    assert found.text == 'is the name that a rollout gives the second deployment of "bot"; take another name'


def test_the_name_may_not_stand_in_another_stack_of_the_account_either(desk: Desk):
    bots = two_bots(desk, "bot-b")["hearth:deployments"]
    stack(desk, "dev", {"hearth:deployments": {"bot": bots["bot"]}})
    same = {"hearth:account/name": "contoso-dev", "hearth:account/resourceGroup": "rg-dev"}
    unmanaged = {**same, "hearth:account/manage": False, "hearth:access": []}
    stack(desk, "more", {**unmanaged, "hearth:deployments": {"bot-b": bots["bot-b"]}})
    desk.rollout()
    (found,) = desk.mistakes()
    assert found.file == "stacks/Pulumi.more.yaml"


def test_a_name_must_leave_room_for_what_stands_beside_it(desk: Desk):
    bot = {"model": "support-bot", "sku": {"name": "Standard", "capacity": 1}}
    desk.stack({"hearth:deployments": {"b" * 63: bot}})
    desk.rollout()
    assert desk.mistakes() == []
    desk.rollout({"defaults/strategy": "beside"})
    (found,) = desk.mistakes()
    assert "no name is as long: it must have 1 to 64 letters, digits" in found.text


def test_the_name_of_the_last_wave_is_taken(fleet: Desk):
    found = told(fleet, {"waves": [{"name": "others", "targets": "dev"}]})
    assert found == ["waves/0/name: is the name of the last wave, of the stacks that no wave names; take another name"]
