"""What a run tells people: which rows they should hear of, and the notice in the shape that a webhook takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from infra.keepalive.report import Outcome, Row, by_deadline, deadline, summary
from infra.keepalive.watchlist import Notify, WatchList

NEWS = {
    Outcome.REVIVED,
    Outcome.NOT_REVIVED,
    Outcome.RETIRED,
    Outcome.NOT_RETIRED,
    Outcome.RECOMMENDED,
    Outcome.WARNED,
    Outcome.NOT_PINGED,
    Outcome.NOT_SEEN,
}
"""What people hear of though the run went well; a deployment that was kept or pinged is no news."""
MOST_ROWS = 30
"""Rows in a notice for people; the rest are counted. Slack and Teams cut long messages (some 28 KB in Teams)."""


def notices(lists: Iterable[WatchList], rows: Iterable[Row]) -> list[tuple[Notify, list[Row]]]:
    """Who is told what: each webhook once, with the rows of its stacks that are news."""
    told: dict[tuple[str, str], tuple[Notify, list[Row]]] = {}
    news = [one for one in by_deadline(rows) if not one.ok or one.outcome in NEWS]
    for listed in lists:
        if listed.notify is None:
            continue
        stacks = {account.stack for account in listed.accounts}
        key = (listed.notify.webhook, listed.notify.shape)
        told.setdefault(key, (listed.notify, []))[1].extend(one for one in news if one.stack in stacks)
    return [(who, found) for who, found in told.values() if found]


def body(shape: str, rows: list[Row]) -> dict[str, Any]:
    """The notice as JSON: generic for programs, or a message of Slack or Teams."""
    if shape in {"slack", "teams"}:
        lines = [_line(one) for one in rows[:MOST_ROWS]]
        more = len(rows) - len(lines)
        return message(shape, _title(rows), [*lines, *([f"and {more} more: see the log of the run"] if more else [])])
    return {
        "version": 1,
        "title": _title(rows),
        "summary": summary(rows),
        "deployments": [msgspec.to_builtins(one) for one in rows],
    }


def _title(rows: list[Row]) -> str:
    amiss = sum(not one.ok for one in rows)
    what = f"{amiss} not as {'it' if amiss == 1 else 'they'} should be" if amiss else "all is well again"
    return f"hearth tend: {len(rows)} to hear of, {what}"


def _line(one: Row) -> str:
    where = f"{one.stack}/{one.deployment}" if one.deployment else one.stack
    until = f" (deadline {deadline(one)})" if one.deadline is not None else ""
    return f"{where}: {one.outcome.value}{until} - {one.reason}"


def message(shape: str, title: str, lines: list[str]) -> dict[str, Any]:
    """A title and lines as a message of Slack or Teams."""
    if shape == "slack":
        return {"text": "\n".join([f"*{_for_slack(title)}*", *(f"• {_for_slack(line)}" for line in lines)])}
    return _card(title, lines)


def _for_slack(text: str) -> str:
    """Slack reads &, < and > as its own (Slack, formatting text for app surfaces)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _card(title: str, lines: list[str]) -> dict[str, Any]:
    """An Adaptive Card, as a webhook of Teams' Workflows takes it (Learn, incoming webhooks with Workflows, 2026)."""
    texts = [{"type": "TextBlock", "text": line, "wrap": True} for line in lines]
    head = {"type": "TextBlock", "text": title, "weight": "Bolder", "wrap": True}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [head, *texts],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}
