"""What is wanted beside what stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from infra.rollout.plan import Observed, Quota, make, rollout_of
from infra.rollout.values import Plan, promotion
from infra.spec import Access, Overrides, Source, Stack
from infra.spec.model import StackKeepAlive
from infra.spec.promotion import Served
from tests.rollout.planning import (
    COMMIT,
    NEW,
    OLD,
    TRAINING,
    changed,
    facts,
    observed,
    plan,
    stack,
    standing,
    target,
    wanted,
    wave,
    wish,
)

PROD = stack()
OLD_SERVED, NEW_SERVED = (Served(model=model, source=TRAINING.id) for model in (OLD, NEW))


# --- what becomes of a target ---------------------------------------------------------------------------------------


def test_in_place_the_model_changes_behind_the_name_and_the_gap_is_azures_to_decide():
    found = target(PROD, observed(PROD))
    (move,) = found.moves
    assert (found.standing, found.calls, found.hosting_extra) == ("move", 1, 0.0)
    assert (move.before, move.after, move.active, move.candidate) == (
        OLD_SERVED, NEW_SERVED, "support-bot", "support-bot",
    )  # fmt: skip
    assert move.gap is None
    assert found.why == (
        "support-bot: its callers may meet a gap: Azure does not say how it replaces the model of a deployment",
    )


def test_beside_the_other_slot_takes_the_new_model_and_both_are_paid_for():
    found = target(PROD, observed(PROD, quota={"support-bot": Quota(name="q", left=50)}), strategy="beside")
    (move,) = found.moves
    assert (move.active, move.candidate, move.gap) == ("support-bot", "support-bot-b", False)
    assert (found.calls, found.hosting_extra) == (3, 1.70), "the candidate, the tag, and the old one's end"
    assert found.why == ()


def test_beside_goes_back_and_forth_between_the_two_slots():
    found = target(PROD, observed(PROD, {"support-bot": facts(active="support-bot-b")}), strategy="beside")
    assert (found.moves[0].active, found.moves[0].candidate) == ("support-bot-b", "support-bot")
    told = promotion("r", found, "switch").deployments["support-bot"]
    assert told.active == "support-bot"
    assert told.slots == {"support-bot": NEW_SERVED, "support-bot-b": OLD_SERVED}


def test_what_serves_its_record_is_up_to_date_and_nothing_is_done():
    found = target(PROD, observed(PROD, {"support-bot": facts(NEW)}))
    assert (found.standing, found.moves, found.why, found.calls) == ("upToDate", (), (), 0)


def test_case_makes_no_difference_in_the_id_of_a_source():
    upper = facts(NEW, source=TRAINING.id.upper())
    assert target(PROD, observed(PROD, {"support-bot": upper})).standing == "upToDate"


def test_a_model_of_the_account_itself_has_no_source():
    group = PROD.account.resource_group.name
    own = Source(subscription=PROD.subscription, resource_group=group, account="contoso-prod-swe")
    here = stack("prod-swe", wish(source=own))
    assert target(here, observed(here, {"support-bot": facts(NEW, source=None)})).standing == "upToDate"


def test_of_several_deployments_those_alone_move_that_serve_another_model():
    two = stack("prod-swe", wish("a"), wish("b", NEW + "-b"))
    found = target(two, observed(two, {"a": facts(NEW, "a"), "b": facts(OLD, "b")}))
    assert [move.deployment for move in found.moves] == ["b"]


def test_a_stack_that_was_never_up_comes_up_with_its_record():
    access = (Access(principal="p", role="r"),)
    found = target(changed(PROD, access=access), None)
    (move,) = found.moves
    assert (found.standing, move.before, move.after, move.gap) == ("first", None, NEW_SERVED, False)
    assert found.calls == 4, "group, account, role, deployment"
    assert promotion("r", found, "place").deployments["support-bot"].slots == {"support-bot": NEW_SERVED}


def test_a_deployment_that_is_new_in_a_stack_is_first_put_up_and_the_others_move():
    two = stack("prod-swe", wish("a"), wish("b", NEW + "-b"))
    found = target(two, observed(two, {"a": facts(OLD, "a")}), strategy="beside")
    assert found.standing == "move"
    assert [(move.deployment, move.strategy) for move in found.moves] == [("a", "beside"), ("b", "inPlace")]


def test_a_held_deployment_is_said_to_be_held_and_by_whom_and_is_moved_on():
    held = facts(OLD, held=True, rollout="r-7")
    found = target(PROD, observed(PROD, {"support-bot": held}))
    assert found.standing == "move"
    assert found.why[0] == f"support-bot: is held at {OLD} by rollout r-7; this rollout moves it on"
    assert found.rollout == "r-7"


def test_after_a_rollback_beside_the_candidate_that_still_stands_is_led_to_again_without_another():
    rolled_back = facts(OLD, standby=standing(NEW), held=True)
    found = target(PROD, observed(PROD, {"support-bot": rolled_back}), strategy="beside")
    assert (found.standing, found.moves[0].candidate, found.hosting_extra) == ("move", "support-bot-b", 0.0)


def test_a_standby_that_is_overwritten_is_named():
    found = target(PROD, observed(PROD, {"support-bot": facts(OLD, standby=standing("x.ft-0"))}), strategy="beside")
    assert found.why == ("support-bot: its standby support-bot-b (x.ft-0) is overwritten",)


def test_what_is_no_longer_in_the_file_is_told_for_the_up_deletes_it():
    said = {"support-bot": facts(NEW), "legacy": facts(OLD, "legacy")}
    assert target(PROD, observed(PROD, said)).why == ("legacy is no longer in its file: this up deletes it",)


def test_the_tenant_of_a_source_is_taken_from_the_outputs_or_from_a_record_that_names_the_same_source():
    abroad = changed(TRAINING, tenant="t")
    here = stack("prod-swe", wish(source=abroad))
    assert target(here, observed(here)).moves[0].before == Served(model=OLD, source=TRAINING.id, tenant="t")
    said = facts(OLD, source="/elsewhere", settings={"sourceTenant": "u"})
    assert target(here, observed(here, {"support-bot": said})).moves[0].before.tenant == "u"


def test_one_that_azure_has_deleted_has_its_gap_already():
    found = target(PROD, observed(PROD, deployments={}), strategy="beside")
    assert found.moves[0].gap is True
    assert "support-bot: support-bot is gone from Azure, so its callers get no answer now" in found.why


# --- what is refused ------------------------------------------------------------------------------------------------


def test_a_stack_whose_file_or_outputs_cannot_be_read_is_refused_and_the_others_are_planned():
    other = stack("prod-weu")
    made = plan(
        [other], {"prod-weu": observed(other), "prod-eus": Observed(unread="no backend")},
        wave(("prod-eus", "prod-swe", "prod-weu")),
    )  # fmt: skip
    assert [t.standing for t in made.waves[0].targets] == ["refused", "refused", "move"]
    assert target(PROD, Observed(unread="no backend")).why == ("its outputs could not be read: no backend",)


def test_outputs_of_another_version_are_refused_in_words():
    (why,) = target(PROD, observed(PROD, {"support-bot": {"model": OLD}})).why
    assert why == "its outputs are unreadable (KeyError('active')); run pulumi up once more"


def test_a_stack_that_stands_in_another_account_is_refused():
    elsewhere = Observed(outputs={"account": {"id": "/other"}, "deployments": {}})
    assert target(PROD, elsewhere).why[0].startswith("it stands in the account /other, and its file says /subscr")


def test_a_second_deployment_needs_quota_and_the_targets_before_it_take_theirs():
    fleet = [stack(f"prod-{n}") for n in range(3)]
    left = {"support-bot": Quota(name="OpenAI.Standard.x", left=120)}
    seen = {one.name: observed(one, quota=left) for one in fleet}
    made = plan(fleet, seen, strategy="beside").waves[0].targets
    assert [t.standing for t in made] == ["move", "move", "refused"]
    assert made[2].why == (
        "support-bot: a second deployment needs 50 of OpenAI.Standard.x in swedencentral, which has 20 left once the "
        "targets before it have theirs; ask Azure for more, or take strategy: inPlace",
    )
    assert all(t.standing == "move" for t in plan(fleet, seen).waves[0].targets), "in place needs no more than it has"


def test_quota_that_is_not_known_is_said_and_refuses_nothing():
    found = target(PROD, observed(PROD), strategy="beside")
    assert found.standing == "move"
    assert found.why == ("support-bot: whether the quota allows a second deployment is not known",)


@pytest.mark.parametrize("strategy", ["inPlace", "beside"])
def test_a_model_that_another_deployment_of_the_account_serves_is_refused(strategy: str):
    there = {"support-bot": OLD_SERVED, "by-hand": NEW_SERVED}
    found = target(PROD, observed(PROD, deployments=there), strategy=strategy)
    assert found.standing == "refused"
    assert (
        found.why[0] == f"support-bot: by-hand serves {NEW} in this account already; Azure takes one deployment of it"
    )


def test_a_model_that_another_standby_of_the_stack_holds_is_refused():
    two = stack("prod-swe", wish("a"), wish("b", NEW + "-b"))
    said = {"a": facts(OLD, "a"), "b": facts(OLD + "-b", "b", standby=standing(NEW))}
    assert target(two, observed(two, said)).why[0].startswith(f"a: b-b serves {NEW} in this account already")


def test_checkpoints_and_models_of_other_accounts_count_apart():
    there = {"support-bot": OLD_SERVED, "by-hand": Served(model=NEW, source="/elsewhere")}
    assert target(PROD, observed(PROD, deployments=there)).standing == "move"


def test_in_place_to_what_the_standby_holds_is_refused_and_beside_is_named():
    found = target(PROD, observed(PROD, {"support-bot": facts(OLD, standby=standing(NEW))}))
    assert found.standing == "refused"
    assert found.why[0].endswith("take strategy: beside, which switches to it")


def test_beside_with_another_version_of_the_same_model_is_refused():
    found = target(PROD, observed(PROD, {"support-bot": facts(NEW, version="2")}), strategy="beside")
    assert found.why[0].endswith("Azure takes one deployment of it; take strategy: inPlace")


def test_beside_a_deployment_of_somebody_elses_that_has_the_slots_name_is_refused():
    there = {"support-bot": OLD_SERVED, "support-bot-b": Served(model="x.ft-0")}
    found = target(PROD, observed(PROD, deployments=there), strategy="beside")
    assert found.why[0].startswith("support-bot: the account has a deployment support-bot-b that is not this stack's")


def test_a_candidate_that_a_killed_run_left_is_no_strangers():
    there = {"support-bot": OLD_SERVED, "support-bot-b": NEW_SERVED}
    assert target(PROD, observed(PROD, deployments=there), strategy="beside").standing == "move"


def test_a_standby_that_somebody_still_calls_is_not_overwritten():
    said = {"support-bot": facts(OLD, standby=standing("x.ft-0"))}
    found = target(PROD, observed(PROD, said, standby_calls={"support-bot": 12}), strategy="beside")
    assert found.standing == "refused"
    assert found.why[0].startswith("support-bot: its standby support-bot-b still gets calls (12 in the last 15m)")


def test_model_and_capacity_do_not_change_in_one_write():
    bigger = stack("prod-swe", wish(capacity=80))
    assert target(bigger, observed(bigger)).why[0] == (
        "support-bot: its SKU changes too (from Standard 50 to Standard 80), and Azure takes no change of both; "
        "pulumi up first"
    )
    assert target(bigger, observed(bigger), strategy="beside").standing == "move", "there it is a new deployment"


def test_a_developer_deployment_must_outlive_its_bake():
    trial = stack("trial", wish(sku="DeveloperTier"), production=False)
    seen = observed(trial, {"support-bot": facts(sku={"name": "developertier", "capacity": 50})})
    found = target(trial, seen, bake=timedelta(days=1))
    assert found.why[0].startswith("support-bot: Azure deletes a deployment of DeveloperTier after 1d, within the bake")
    assert target(trial, seen, bake=timedelta(hours=23)).standing == "move"
    shorter = StackKeepAlive(limits=Overrides(developer_lifetime=timedelta(hours=1)))
    assert target(changed(trial, keep_alive=shorter), seen, bake=timedelta(hours=1)).standing == "refused"


# --- money and room -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sku", "own", "extra"),
    [("Standard", {}, 1.70), ("Standard", {"Standard": 1.1}, 1.1), ("ProvisionedManaged", {}, None),
     ("DeveloperTier", {}, 0.0)],
)  # fmt: skip
def test_what_a_second_deployment_costs_is_the_stacks_price_or_the_dated_one_or_not_known(sku, own, extra):
    one = stack("s", wish(sku=sku), keep_alive=StackKeepAlive(limits=Overrides(hosting=own)))
    assert target(one, observed(one), strategy="beside").hosting_extra == extra


def test_more_deployments_than_azure_usually_allows_are_told():
    many = stack("s", *(wish(f"bot-{n}", f"{NEW}-{n}") for n in range(10)))
    found = target(many, observed(many), strategy="beside")
    assert found.standing == "move"
    assert found.why[-1].startswith("20 deployments will stand in the account; Azure's usual limit is 10 (as of")


# --- the whole ------------------------------------------------------------------------------------------------------


def test_a_plan_is_the_same_as_data_and_its_digest_is_of_what_happens_not_of_when():
    made = plan([PROD], {PROD.name: observed(PROD)})
    assert msgspec.json.decode(msgspec.json.encode(made), type=Plan) == made
    assert changed(made, commit="another").digest == made.digest
    gone = plan([PROD], {PROD.name: observed(PROD, deployments={})})
    assert (gone.waves[0].targets[0].moves[0].gap, gone.digest) == (True, made.digest)


@pytest.mark.parametrize(
    "other",
    [
        plan([PROD], {PROD.name: observed(PROD)}, strategy="beside", gates=("smoke",)),
        plan([PROD], {PROD.name: observed(PROD)}, gates=("smoke", "calm")),
        plan([PROD], {PROD.name: observed(PROD)}, gates=("smoke",), bake=timedelta(hours=1)),
        plan([PROD], {PROD.name: observed(PROD, {"support-bot": facts("gpt-4.1.ft-9")})}, gates=("smoke",)),
        plan([stack("prod-swe", wish(model="gpt-4.1.ft-9"))], {PROD.name: observed(PROD)}, gates=("smoke",)),
        plan([PROD, stack("prod-weu")], {PROD.name: observed(PROD)}, gates=("smoke",)),
    ],
    ids=["strategy", "gates", "wave", "from", "to", "targets"],
)
def test_the_digest_is_another_where_something_else_would_be_done(other: Plan):
    assert other.digest != plan([PROD], {PROD.name: observed(PROD)}, gates=("smoke",)).digest


def test_a_gate_that_demands_less_is_another_plan_though_it_has_the_same_name():
    made = plan([PROD], {PROD.name: observed(PROD)}, gates=("smoke",))
    assert made.rules == {"smoke": {"prompts": "smoke.jsonl"}}
    eased = changed(made, rules={"smoke": {"prompts": "smoke.jsonl", "passRate": 0.5}})
    assert eased.digest != made.digest


def test_a_wave_has_its_settings_decided_and_spans_in_seconds():
    (made,) = plan([PROD], {}, concurrency=4, gates=("smoke",), approval=("ann",), strict=True).waves
    assert (made.bake, made.concurrency, made.gates, made.approval, made.strict) == (
        1800,
        4,
        ("smoke",),
        ("ann",),
        True,
    )


def test_a_plan_names_the_kinds_of_its_gates_and_who_may_say_yes():
    made = plan([PROD], {}, gates=("smoke", "someone"))
    assert made.gates == {"smoke": "prompts", "someone": "approval"}
    assert made.approvers == {"someone": ("ann",)}
    assert (made.hooks, made.approval_limit) == ((), 7 * 86400.0)


def test_the_rollouts_in_a_stacks_outputs_are_one_text_so_that_another_one_shows():
    said = {"a": facts(rollout="r-2"), "b": facts(rollout="r-1"), "c": facts()}
    assert rollout_of({"deployments": said}) == "r-1,r-2"
    assert rollout_of(None) is None


# --- what has changed besides models --------------------------------------------------------------------------------

HERE, NEXT = stack("prod-swe"), stack("dev")


def with_digests(told: Observed, next_told: Observed | None, digest: str = "now", **settings: Any) -> Plan:
    """A plan of prod-swe in a wave, and of dev, which no wave names; both files say what `digest` stands for."""
    files = wanted([HERE, NEXT], wave(("prod-swe",), **settings))
    seen = {"prod-swe": told, **({"dev": next_told} if next_told else {})}
    return make(changed(files, others=("dev",), digests={"prod-swe": digest, "dev": digest}), seen, COMMIT)


def as_wanted(of: Stack, applied: str) -> Observed:
    return observed(of, {"support-bot": facts(NEW)}, applied=applied)


def test_what_was_put_up_as_its_file_says_is_up_to_date_and_others_make_no_wave():
    made = with_digests(as_wanted(HERE, "now"), as_wanted(NEXT, "now"))
    assert [(w.name, [t.standing for t in w.targets]) for w in made.waves] == [("canary", ["upToDate"])]


def test_a_changed_wish_goes_through_its_wave_though_no_model_moves():
    only = with_digests(as_wanted(HERE, "before"), as_wanted(NEXT, "now")).waves[0].targets[0]
    assert (only.standing, only.moves, only.wish, only.undoable) == ("update", (), "now", False)
    assert only.why == ("its file or the program has changed since its last up",)
    assert promotion("r", only, "place").deployments == {}, "it names the rollout, and moves nothing"


def test_outputs_of_an_older_version_count_as_changed():
    only = with_digests(observed(HERE, {"support-bot": facts(NEW)}), as_wanted(NEXT, "now")).waves[0].targets[0]
    assert only.standing == "update"
    assert "an older version of hearth" in only.why[0]


def test_a_move_brings_a_changed_wish_along():
    only = with_digests(observed(HERE, applied="before"), as_wanted(NEXT, "now")).waves[0].targets[0]
    assert (only.standing, len(only.moves), only.wish, only.undoable) == ("move", 1, "now", True)


def test_stacks_that_no_wave_names_come_last_as_plain_ups_with_their_models():
    made = with_digests(as_wanted(HERE, "now"), observed(NEXT, applied="before"))
    others = made.waves[-1]
    (only,) = others.targets
    assert (others.name, others.concurrency, others.tolerance, others.bake, others.gates, others.approval) == (
        "others", 2, 0, 0.0, (), None,
    )  # fmt: skip
    assert (only.standing, only.plain, only.undoable) == ("update", True, False)
    assert [(m.before, m.after) for m in only.moves] == [(OLD_SERVED, NEW_SERVED)]


@pytest.mark.parametrize("told", [None, Observed(outputs={})], ids=["no stack", "never up"])
def test_a_stack_that_no_wave_names_and_that_was_never_up_is_put_up_last(told: Observed | None):
    only = with_digests(as_wanted(HERE, "now"), told).waves[-1].targets[0]
    assert (only.stack, only.standing, only.plain) == ("dev", "first", True)


def test_the_digest_of_a_plan_tells_what_is_put_up_besides_models():
    def digest(before: str, now: str, other: str = "x") -> str:
        return with_digests(as_wanted(HERE, before), as_wanted(NEXT, other), now).digest

    assert digest("a", "x") != digest("x", "x"), "one more target"
    assert digest("a", "x") == digest("b", "x"), "what it was before is nobody's wish"
    assert digest("a", "x") != digest("a", "x", "y"), "a stack that no wave names"
    assert digest("a", "x", "a") != digest("a", "z", "a"), "another wish"
