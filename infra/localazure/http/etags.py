"""Writes on a condition: If-Match and If-None-Match against the etag that stands."""

from __future__ import annotations

from infra.localazure import errors
from infra.localazure.http.call import Call


def require(call: Call, current: str | None) -> None:
    """Refuse with 412 a write whose condition does not hold; `current` is None where nothing stands.

    `If-None-Match: *` makes a PUT a create and nothing else; `If-Match` with an etag, or `*`, wants what it names.
    """
    wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
    if wanted is not None and not _names(wanted, current):
        raise errors.PRECONDITION_FAILED(header="If-Match", condition=wanted, current=current or "")
    if unwanted is not None and _names(unwanted, current):
        raise errors.PRECONDITION_FAILED(header="If-None-Match", condition=unwanted, current=current or "")


def _names(condition: str, current: str | None) -> bool:
    """Whether a condition names the etag; weak or strong, quoted or not does not matter."""
    if current is None:
        return False
    return condition.strip() == "*" or _bare(current) in {_bare(tag) for tag in condition.split(",")}


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')
