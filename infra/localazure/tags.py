"""Tags of resources: how many, how long, and how an operation on tags alone changes them."""

from __future__ import annotations

from typing import Literal

from infra.localazure import errors

MOST, LONGEST_NAME, LONGEST_VALUE = 50, 512, 256
"""Limits of Microsoft's page on tagging resources."""
_BAD = "<>%&\\?/"
Way = Literal["Merge", "Replace", "Delete"]


def require(tags: dict[str, str] | None) -> dict[str, str] | None:
    """The tags, if a resource may have them."""
    if tags is None:
        return None
    if len(tags) > MOST:
        raise errors.TOO_MANY_TAGS(most=MOST, count=len(tags))
    for name, value in tags.items():
        if not 1 <= len(name) <= LONGEST_NAME or any(c in name for c in _BAD):
            raise errors.BAD_TAG_NAME(name=name, most=LONGEST_NAME, bad=_BAD)
        if len(value) > LONGEST_VALUE:
            raise errors.BAD_TAG_VALUE(name=name, most=LONGEST_VALUE)
    return tags


def changed(current: dict[str, str] | None, way: Way, given: dict[str, str]) -> dict[str, str]:
    """The tags after a change: merged with, replaced by, or without those given. Names compare without case."""
    if way == "Replace":
        return given
    named = {name.lower(): value for name, value in given.items()}
    if way == "Delete":
        return {k: v for k, v in (current or {}).items() if named.get(k.lower()) != v}
    kept = {k: v for k, v in (current or {}).items() if k.lower() not in named}
    return {**kept, **given}
