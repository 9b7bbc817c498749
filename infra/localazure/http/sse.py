"""Server-sent events, and how a stream of them is broken off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import msgspec

from infra.localazure.entities import Json

CONTENT_TYPE = "text/event-stream"
DONE = b"data: [DONE]\n\n"


class Interrupted(Exception):
    """The connection is to be broken off here: the client has had some events and gets no end."""


def event(body: Json, name: str | None = None) -> bytes:
    """One event."""
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + msgspec.json.encode(body) + b"\n\n"


async def stream(events: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Events one by one."""
    for one in events:
        yield one


async def cut(events: AsyncIterator[bytes], after: int) -> AsyncIterator[bytes]:
    """The first so many events and then Interrupted: how a fault breaks a stream off."""
    left = after
    async for one in events:
        if left <= 0:
            break
        left -= 1
        yield one
    raise Interrupted
