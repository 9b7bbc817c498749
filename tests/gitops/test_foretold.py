"""What of a preview is forbidden, what it costs, which model moves how: an engine that answers as it is told."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from infra.errors import HearthError, Unreachable
from infra.gitops import foretold, summary
from infra.gitops.foretold import Previewer, Question, Row
from infra.gitops.words import ACCOUNT, DEPLOYMENT
from infra.ports.foresee import Engine, Field, Foreseen, Op, Step
from infra.spec import limits
from tests.rollout import planning

HOSTILE = "a\\|b`c\n# d <script>alert(1)</script> @everyone <!-- hearth:drift --> [x](http://x)"


class Told:
    """An engine that foresees what a test says."""

    def __init__(self, *steps: Step, before: dict[str, Any] | None = None, error: HearthError | None = None) -> None:
        self.found, self.error = Foreseen(steps, (), before or {}), error
        self.environment: dict[str, str] = {}

    def up(self, stack: str, *, environment: dict[str, str]) -> Foreseen:
        self.environment = environment
        if self.error is not None:
            raise self.error
        return self.found


def step(op: Op, type_: str = DEPLOYMENT, name: str = "support-bot", **more: Any) -> Step:
    urn = f"urn:pulumi:prod-swe::hearth::hearth:index:Account${type_}::{name}"
    given: dict[str, Any] = {"id": "/x", "protected": False, "before": {}, "after": {}, "fields": (), **more}
    return Step(op=op, urn=urn, **given)


def model(name: str) -> dict[str, Any]:
    return {"properties": {"model": {"name": name}}}


def row(*steps: Step, **more: Any) -> Row:
    stack = planning.stack(**more.pop("stack", {}))
    told = Told(*steps, **more)
    return Previewer(cast(Engine, told), limits.load()).one(Question("prod-swe", ("a.yaml",), stack))


def test_an_account_is_neither_deleted_nor_replaced() -> None:
    ops: tuple[Op, ...] = ("delete", "replace")
    for op in ops:
        found = row(step(op, ACCOUNT, "contoso"))
        assert "every deployment and tuned model that it owns" in found.forbidden[0]
        assert foretold.exit_code([found]) == 1


def test_what_is_protected_stays() -> None:
    assert "is protected" in row(step("delete", name="kept", protected=True)).forbidden[0]
    assert row(step("update", name="kept", protected=True)).forbidden == ()


def test_a_replacement_leaves_callers_without_an_answer_unless_the_stack_allows_it() -> None:
    replaced = step("replace", fields=(Field("sku.name", "A", "B", replaces=True, wished=True),))
    assert "would be replaced (sku.name)" in row(replaced).forbidden[0]
    assert row(replaced, stack={"gaps": True}).forbidden == ()
    assert row(step("delete")).forbidden == (), "who takes a deployment out of the file means it"


def test_a_plain_up_that_changes_a_model_is_worth_a_warning_and_a_first_one_is_not() -> None:
    changed = row(step("update", before=model(planning.OLD), after=model(planning.NEW)))
    assert [(m.before, m.after, m.how, m.gap) for m in changed.models] == [(planning.OLD, planning.NEW, "up", None)]
    assert "may meet a gap" in changed.warnings[0]
    first = row(step("create", after=model(planning.NEW)))
    assert (first.models[0].before, first.models[0].gap, first.warnings) == (None, False, ())


def test_hosting_is_told_before_and_after_and_not_guessed() -> None:
    standing = {"deployments": {"support-bot": {**planning.facts(), "standby": {"name": "support-bot-b"}}}}
    found = row(before=standing)
    assert found.month_before == pytest.approx(2 * (found.month_after or 0)), "a standby costs too"
    strange = {"deployments": {"support-bot": {**planning.facts(), "sku": {"name": "Nobody's", "capacity": 1}}}}
    assert row(before=strange).month_before is None
    assert "not known → " in "\n".join(summary.lines([row(before=strange)], None, [], "USD"))


def test_a_target_of_a_rollout_is_previewed_with_the_planned_model() -> None:
    stack = planning.stack()
    plan = planning.plan(
        [stack],
        {"prod-swe": planning.observed(stack)},
        planning.wave(("prod-swe",), strategy="beside"),
    )
    told = Told()
    question = Question("prod-swe", (), stack, planned=foretold.planned(plan)["prod-swe"])
    found = Previewer(cast(Engine, told), limits.load()).one(question)
    assert planning.NEW in told.environment["HEARTH_ROLLOUT"]
    assert [(m.how, m.wave, m.gap) for m in found.models] == [("beside", "canary", False)]


def test_what_cannot_be_previewed_is_a_row_with_its_exit_code_and_comes_first() -> None:
    away = row(error=Unreachable("prod-swe: Azure does not answer"))
    assert (away.error, away.code) == ("Azure does not answer", 3)
    unread = Previewer(cast(Engine, Told()), limits.load()).one(Question("b", (), None, "b.yaml, line 3: no"))
    assert foretold.exit_code([away, unread, row()]) == 3
    good = Question("a", (), planning.stack("a"))
    rows = Previewer(cast(Engine, Told()), limits.load()).all([good, Question("b", (), None, "b.yaml, line 3: no")])
    assert [one.stack for one in rows] == ["b", "a"]


def test_names_of_a_pull_request_are_text_and_nothing_else() -> None:
    """A stack, file or model name may hold what markdown, HTML or our own marker is made of."""
    found = row(step("update", name=HOSTILE, fields=(Field(HOSTILE, HOSTILE, HOSTILE, replaces=False, wished=True),)))
    named = msgspec.structs.replace(
        found, stack=HOSTILE, touched_by=(HOSTILE,), forbidden=(HOSTILE,), warnings=(HOSTILE,)
    )
    failed = msgspec.structs.replace(named, error=HOSTILE)
    for rows in ([named], [failed], []):
        page = summary.markdown(rows, None, [HOSTILE], "USD")
        assert "<script" not in page
        assert "<!--" not in page
        assert "@everyone" not in page
        assert "`" not in page
        assert "[" not in page
        assert not any(line.startswith("# ") for line in page.splitlines())
        table = [line for line in page.splitlines() if line.startswith("| ")]
        assert len({line.count("|") for line in table}) <= 1, "no cell of its own"
