"""Lists in pages: `{value, nextLink}`, the link absolute and its $skipToken nobody's business but ours."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from infra.localazure import errors
from infra.localazure.entities import Json
from infra.localazure.http.call import Answer, Call

T = TypeVar("T")

PAGE = 20
"""Items of a page that customers made. Azure does not say how many it gives; fewer than the 30 accounts of a region and
the 32 deployments of an account, so that a client which stops at the first page is found out by what Azure allows."""
CATALOGUE_PAGE = 200
"""Items of a page that Azure made (models, quotas): a recorded answer held 126 of them and no nextLink."""
MOST = 1000
"""Most items of a page where the caller says how many."""
_SKIP = "$skiptoken"


class _Token(msgspec.Struct, array_like=True, frozen=True):
    """Where the next page starts: after so many items, the last of which was this one."""

    at: int
    last: str


def page(
    call: Call,
    items: Sequence[T],
    write: Callable[[T], Any],
    *,
    key: Callable[[T], str] | None = None,
    size: int = PAGE,
) -> Answer:
    """One page of a list. `key` tells items apart (default: their `id`), so that none is left out when one before is
    gone."""
    name = key or _id
    start = _start(call, items, name)
    shown = items[start : start + size]
    body: Json = {"value": [write(item) for item in shown]}
    if shown and start + len(shown) < len(items):
        body["nextLink"] = _link(call, _Token(start + len(shown), name(shown[-1])))
    return Answer(body=body)


def top(call: Call) -> int:
    """How many items a page has where the caller may say so with $top."""
    given = call.argument("$top")
    if not given:
        return PAGE
    if not re.fullmatch("[0-9]{1,9}", given) or not 1 <= int(given) <= MOST:
        raise errors.BAD_TOP(value=given, most=MOST)
    return int(given)


def _id(item: Any) -> str:
    return str(item["id"] if isinstance(item, dict) else item.id)


def _start(call: Call, items: Sequence[T], name: Callable[[T], str]) -> int:
    given = call.argument(_SKIP)
    if not given:
        return 0
    try:
        token = msgspec.json.decode(urlsafe_b64decode(given), type=_Token)
    except (ValueError, msgspec.DecodeError) as error:
        raise errors.BAD_SKIP_TOKEN() from error
    if 0 < token.at <= len(items) and name(items[token.at - 1]) == token.last:
        return token.at
    known = (at for at, item in enumerate(items, 1) if name(item) == token.last)
    return next(known, min(max(token.at, 0), len(items)))


def _link(call: Call, token: _Token) -> str:
    kept = {k: v for k, v in call.query.items() if k.lower() != _SKIP}
    kept["$skipToken"] = urlsafe_b64encode(msgspec.json.encode(token)).decode()
    return call.url(f"{quote(call.path, safe='/')}?{urlencode(kept, quote_via=quote, safe='$')}")
