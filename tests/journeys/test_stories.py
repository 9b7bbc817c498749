"""The short form of what tests/proof/test_stories.py tells at length."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infra.localazure import process
from tests.desk import Desk
from tests.journeys.killing import kill

ACCOUNT = "contoso-ft-swe"


@pytest.mark.proof
def test_a_soft_deleted_account_is_purged_first_where_the_stack_says_so(both: Desk):
    first = both.account(ACCOUNT).created.at
    both.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local-target")
    both.change("local-target", "softDeleted: restore", "softDeleted: purge")
    assert "purging the soft-deleted contoso-ft-swe" in both.up("local-target")
    assert both.account(ACCOUNT).created.at != first


def test_what_says_succeeded_and_does_not_serve_fails_the_up_and_can_be_destroyed(source: Desk):
    source.by_hand(source.deployment("legacy-bot"), serving_at=source.azure.world.now() + timedelta(days=1))
    source.azure.world.clock.follow(600)  # the five minutes that it is given are half a second of ours
    said = source.up("local-source", ok=False)
    assert "local-source/legacy-bot is not serving: Azure says Succeeded, and after" in said
    source.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local-source", HEARTH_READY="off")


def test_an_azure_that_dies_for_a_moment_costs_one_more_run_at_most(source: Desk):
    source.change("local-source", "capacity: 1}", "capacity: 2}")
    source.switch(deployment_update=0.5)
    with source.azure_apart() as azure:
        running = source.start_up("local-source")
        source.kill_azure(azure, 1)
        process.start(azure.folder)
        code = running.wait()
    assert "Traceback" not in running.said()
    if code != 0:
        source.hearth("recover", "local-source")
        source.up("local-source")
    assert source.deployment("legacy-bot").capacity == 2


def test_a_killed_program_leaves_nothing_that_the_next_run_stumbles_over(source: Desk):
    source.change("local-source", "capacity: 1}", "capacity: 2}")
    with source.at_write(1, lambda: kill(source, "program", running.pid)) as struck:
        running = source.start_up("local-source")
        assert running.wait() != 0
    assert struck.is_set()
    source.hearth("recover", "local-source")
    source.up("local-source")
    source.pulumi("preview", "--expect-no-changes", "--stack", "local-source")
