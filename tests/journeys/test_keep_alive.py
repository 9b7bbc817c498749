"""The idle clock by the real command and the real engine: a month in seconds."""

from __future__ import annotations

import json
from typing import Any

from tests.desk import Desk

STACK = "local-target"


def status(desk: Desk, *, ok: bool = True) -> dict[str, Any]:
    (row,) = json.loads(desk.hearth("status", "--json", STACK, ok=ok))
    return row


def tend(desk: Desk, *, ok: bool = True) -> dict[str, Any]:
    return json.loads(desk.hearth("tend", "--json", STACK, ok=ok))


def stands(desk: Desk) -> bool:
    return any(d.name == "support-bot" for d in desk.azure.world.deployments)


def test_what_nobody_calls_is_kept_by_tend_and_without_it_is_gone_and_brought_back(desk: Desk):
    desk.up("local-source")
    desk.up(STACK)
    desk.advance(days=14)
    calls = len(desk.azure.app.log)
    row = status(desk)
    assert 0.9 < row["secondsLeft"] / 86400 <= 1, "a day left"
    assert (row["ready"], row["policy"], row["next"], row["hostingMonth"]) == (True, "ping", "ping now", 1241.0)
    asked = [r for r in list(desk.azure.app.log)[calls:] if r.path.endswith("/completions")]
    assert not asked, "to look is not to call"
    for _ in range(3):
        assert tend(desk)["outcome"] == "pinged"
        desk.advance(days=10.1)
    assert stands(desk), "30 more days alive"

    desk.advance(days=5)
    assert not stands(desk), "the same without tend: gone on day 15"
    said = desk.pulumi("refresh", "--preview-only", "--stack", STACK)
    assert "1 to delete" in said
    row = status(desk, ok=False)
    assert desk.code == 1
    assert "gone from Azure; deleted by the service itself" in row["why"]
    row = tend(desk)
    assert (row["outcome"], row["ok"]) == ("revived", True)
    assert "deleted by the service itself" in row["reason"]
    desk.advance(minutes=1)
    desk.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", STACK)

    desk.advance(days=15, hours=1)
    desk.pulumi("refresh", "--yes", "--skip-preview", "--stack", STACK)
    assert tend(desk)["outcome"] == "revived", "the outputs still say what stood there"
    desk.advance(minutes=1)
    desk.hearth("recover", STACK)
    said = desk.up(STACK)
    assert "is in Azure and not in the state: taking it in" in said
    desk.pulumi("preview", "--refresh", "--expect-no-changes", "--stack", STACK)
