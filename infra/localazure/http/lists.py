"""Lists of the authoring API: `after` and `limit`, and the payloads that its refusals quote."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from infra.localazure import errors
from infra.localazure.entities import Json
from infra.localazure.http.call import Answer, Call

T = TypeVar("T")
MOST = 100


def page(call: Call, items: Sequence[T], write: Callable[[T], Any], *, size: int) -> Answer:
    """So many items after the one that `after` names (all of them where it is none of these)."""
    found = after(call, items)
    wanted = limit(call, size)
    body: Json = {"object": "list", "data": [write(item) for item in found[:wanted]], "has_more": len(found) > wanted}
    return Answer(body=body)


def after(call: Call, items: Sequence[T]) -> Sequence[T]:
    """The items behind the one that `after` names."""
    last = call.argument("after")
    at = next((at for at, item in enumerate(items) if last and _id(item) == last), None)
    return items if at is None else items[at + 1 :]


def limit(call: Call, size: int) -> int:
    """How many items are asked for."""
    given = call.argument("limit")
    if not given:
        return size
    if not re.fullmatch("[0-9]{1,9}", given) or not 1 <= int(given) <= MOST:
        raise errors.BAD_PAYLOAD(fact=f"limit is a number from 1 to {MOST}, not '{given}'.")
    return int(given)


def read(call: Call, kind: type[T]) -> T:
    """The body as `kind`, or the refusal of one of another shape."""
    try:
        return msgspec.json.decode(call.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.BAD_PAYLOAD(fact=str(error)) from error


def _id(item: Any) -> str:
    return str(item.id)
