"""How a deployment came to be gone, as the activity log tells."""

from __future__ import annotations

from datetime import datetime

from infra.errors import HearthError
from infra.keepalive.plan import Deletion, Gone
from infra.ports.activity import Entry

Log = tuple[Entry, ...] | HearthError | None
"""The entries of a subscription, the newest first; why they could not be read; None where nobody asked."""


def deletion(one: str, log: Log, *, called: datetime | None) -> Deletion:
    """Who deleted the deployment of an id: by itself, or with all of its account or resource group.

    `called`: when a stretch of time with calls to it began; a deletion before that is not the one that counts (the
    account was restored).
    """
    if isinstance(log, HearthError):
        return Deletion(Gone.UNKNOWN, why_unknown=f"the activity log could not be read: {log}", unreadable=True)
    if log is None:
        return Deletion(Gone.UNKNOWN, why_unknown="the activity log was not asked", unreadable=True)
    around = _around(one.lower())
    written = next((entry.at for entry in log if entry.resource == one.lower() and not entry.deletion), None)
    last = next((entry for entry in log if entry.deletion and entry.resource in around), None)
    stood = max((moment for moment in (written, called) if moment is not None), default=None)
    if last is None or (stood is not None and stood > last.at):
        return Deletion(Gone.UNKNOWN, written=written, why_unknown="the activity log tells of no deletion")
    what = around[last.resource]
    if last.by_service:
        return Deletion(Gone.BY_SERVICE, what=what, at=last.at, written=written)
    if last.caller or last.identity:
        return Deletion(Gone.BY_SOMEBODY, who=last.caller or last.identity, what=what, at=last.at, written=written)
    return Deletion(Gone.UNKNOWN, what=what, at=last.at, written=written, why_unknown="the activity log names nobody")


def _around(one: str) -> dict[str, str]:
    """The ids whose deletion takes a deployment away, each with what people call it."""
    account, _, _ = one.partition("/deployments/")
    group, _, _ = account.partition("/providers/")
    return {one: "", account: "its account", group: "its resource group"}
