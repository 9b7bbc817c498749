"""A small fleet for forty days: every fault once, a tender that misses runs, and nothing that should live is lost."""

from __future__ import annotations

import pytest

from infra.ports import metrics
from tests.keepalive.fleet import Days, Fleet

WRONG = Days(metrics_down=range(12, 15), tokens_refused=17, region_down=range(20, 22), throttled=25, server_errors=28)


def test_a_fleet_lives_through_a_month_of_faults(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "WAITS", (0.0, 0.0))
    told = Fleet(accounts=20, number=7).live(32, WRONG)
    assert told.lost["ping"] == 0, told
    assert told.lost["report"] > 0, "or the test shows nothing"
    assert told.lost["off"] > 0
    assert told.pings <= 1.2 * told.ideal, told
    assert told.most_unmeasured_a_day <= 1, told
    assert not told.touched
    assert not told.unexplained, told.unexplained[:3]
