"""The steps of our workflows, run as they stand there: from a pull request to a model that serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.journeys.pipeline import Service
from tests.ports import hosts
from tests.rollout.fleet import FIRST, Fleet, without_job

STACK, BOT = "local-target", "support-bot"
RECORD, OTHER = f"stacks/models/{BOT}.yaml", "stacks/Pulumi.local-source.yaml"


@pytest.fixture
def service(both: Desk, tmp_path: Path) -> Iterator[Service]:
    """Both stacks are up, the target is a rollout's; all of it is on main."""
    fleet = Fleet(both)
    without_job(both)
    fleet.repository.write("stacks/rollout.yaml", f"waves: [{{name: canary, targets: {STACK}, bake: 0s}}]\n")
    fleet.repository.commit()
    with hosts.serving() as found:
        yield Service(both, tmp_path / "github", found)


def test_a_pull_request_is_told_what_it_does_and_its_merge_does_it(service: Service):
    """One story, for every step takes an engine's time."""
    new = service.desk.tune("a")
    larger = service.file(OTHER).replace("capacity: 1}", "capacity: 2}")
    service.branch("better", {RECORD: service.file(RECORD).replace(FIRST, new), OTHER: larger})
    asked = service.pull_request("better")
    assert asked.ok, asked.log
    [comment] = service.hosts.comments[7]
    assert f"{BOT}: {FIRST} → {new}, in place, wave canary, callers may meet a gap" in comment["body"]
    assert "sku.capacity 1 → 2" in comment["body"]
    assert "### Rollout" in comment["body"]
    assert service.desk.deployment(BOT).model.name == FIRST, "nothing was changed"

    done = service.rollout(service.merge("better"))
    assert done.ok, done.log
    assert service.desk.deployment(BOT).model.name == new
    assert service.desk.deployment("legacy-bot").capacity == 2, "what no wave names comes after the waves"
    assert "plan digest " in done.summary
    service.require_no_secret(asked, done)


def test_a_fork_is_given_the_checks_and_no_login(service: Service):
    service.branch("theirs", {f"stacks/Pulumi.{STACK}.yaml": "config: {}\n"})
    asked = service.pull_request("theirs", fork=True)
    assert asked.outcomes == {"check": "failure", "preview": "skipped"}
    assert f"stacks/Pulumi.{STACK}.yaml" in asked.summary
    assert service.hosts.asked == [], "not a word is posted with a token"
