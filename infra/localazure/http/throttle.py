"""How often a caller may ask the resource manager: token buckets on the virtual clock, told in headers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from infra.localazure import errors, ids
from infra.localazure.http.call import Call
from infra.localazure.world import World


class _Bucket(msgspec.Struct, frozen=True, rename="camel"):
    bucket: int
    per_second: int


class _File(msgspec.Struct, frozen=True, rename="camel"):
    subscription_times: int
    reads: _Bucket
    writes: _Bucket
    deletes: _Bucket


@cache
def limits() -> _File:
    """The dated data of `data/throttling.yaml`."""
    text = (Path(__file__).parent.parent / "data" / "throttling.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=_File)


@dataclass(slots=True)
class _Left:
    """What is left of a bucket, and when that was counted (seconds)."""

    tokens: float
    at: float


class Throttle:
    """The buckets of every subscription and caller; they are full after a restart."""

    def __init__(self, world: World) -> None:
        """Start with full buckets."""
        self._world = world
        self._buckets: dict[tuple[str, str, str], _Left] = {}

    def take(self, call: Call) -> dict[str, str]:
        """Take one request from the caller's bucket and its subscription's; gives the headers that tell what is left.

        Refuses with 429 and Retry-After where a bucket is empty, as the switch `throttling` says.
        """
        kind = _kind(call.method)
        rule: _Bucket = getattr(limits(), kind)
        subscription = ids.subscription_of(call.path) or ""
        now = self._world.now().timestamp()
        times = limits().subscription_times
        own = self._left(subscription or call.caller.tenant, call.caller.principal, kind, rule, 1, now)
        whole = self._left(subscription or call.caller.tenant, "", kind, rule, times, now)
        if (own.tokens < 1 or whole.tokens < 1) and self._refuses():
            short = max((1 - own.tokens) / rule.per_second, (1 - whole.tokens) / (rule.per_second * times))
            raise errors.THROTTLED(
                {"retry-after": str(math.ceil(short)), **_headers(kind, subscription, own, whole)},
                kind=kind.removesuffix("s"),
                subscription=subscription,
                actor=call.caller.principal,
                seconds=math.ceil(short),
            )
        own.tokens, whole.tokens = max(own.tokens - 1, 0), max(whole.tokens - 1, 0)
        return _headers(kind, subscription, own, whole)

    def _left(self, place: str, who: str, kind: str, rule: _Bucket, times: int, now: float) -> _Left:
        most = rule.bucket * times
        left = self._buckets.get((place, who, kind))
        if left is None:
            left = self._buckets[place, who, kind] = _Left(most, now)
        left.tokens = min(left.tokens + (now - left.at) * rule.per_second * times, most)
        left.at = now
        return left

    def _refuses(self) -> bool:
        setting = self._world.switches.throttling
        return setting == "always" or (setting == "running" and self._world.clock.factor > 0)


def _kind(method: str) -> str:
    if method in {"GET", "HEAD"}:
        return "reads"
    return "deletes" if method == "DELETE" else "writes"


def _headers(kind: str, subscription: str, own: _Left, whole: _Left) -> dict[str, str]:
    if not subscription:
        return {f"x-ms-ratelimit-remaining-tenant-{kind}": str(int(own.tokens))}
    return {
        f"x-ms-ratelimit-remaining-subscription-{kind}": str(int(own.tokens)),
        f"x-ms-ratelimit-remaining-subscription-global-{kind}": str(int(whole.tokens)),
    }
