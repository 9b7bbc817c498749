"""Ten thousand deployments for sixty days, with every fault and missed runs."""

from __future__ import annotations

import pytest

from infra.ports import metrics
from tests.keepalive.fleet import Days, Fleet

WRONG = Days(metrics_down=range(14, 17), tokens_refused=22, region_down=range(30, 32), throttled=40, server_errors=45)


@pytest.mark.proof
def test_none_of_ten_thousand_is_lost_in_sixty_days(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(metrics, "WAITS", (0.0, 0.0))
    told = Fleet(accounts=1000, number=1).live(60, WRONG, people=100)
    with capsys.disabled():
        print(f"\nfleet of 10,000: {told}")  # noqa: T201 - the figures are what a reader wants
    assert told.lost["ping"] == 0
    assert told.lost["report"] > 0, "or the test shows nothing"
    assert told.lost["off"] > 0
    assert told.pings <= 1.2 * told.ideal
    assert told.most_unmeasured_a_day <= 1
    assert not told.touched
    assert not told.unexplained, told.unexplained[:3]
