"""What stands at the stacks of a rollout, looked at side by side. Reads only.

What cannot be looked at is left open, or told of its stack alone: the plan says so, and refuses that target where it
matters. A login that is refused ends it all, for it would look like that everywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from infra.errors import HearthError, LoginFailed, NotFound
from infra.ports.arm import Arm, Listing, TunedSku
from infra.ports.stacks import Stacks
from infra.rollout.plan import Observed, Quota
from infra.rollout.quiet import Metrics, use
from infra.spec import Stack
from infra.spec.promotion import Served

T = TypeVar("T")
AT_ONCE = 8
LOOK_BACK = timedelta(minutes=15)
"""How far back calls to a standby are looked for: longer than callers keep a name, and than metrics are late; not much,
for calls from before the last switch keep nothing."""


def observe(
    names: Sequence[str],
    stacks: Mapping[str, Stack],
    backend: Stacks,
    arm: Arm,
    metrics: Metrics,
    ping_tokens: Collection[int],
    told: Callable[[str], None] = lambda _name: None,
) -> dict[str, Observed]:
    """What stands at these stacks; `stacks` are those whose files can be read, `told` hears of each that is done.

    `ping_tokens`: what our ping counts as (limits.yaml). Raises LoginFailed.
    """
    eyes = _Eyes(backend, arm, metrics, ping_tokens)

    def one(name: str) -> Observed:
        found = eyes.look(name, stacks.get(name))
        told(name)
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


class _Eyes:
    """Looks at one stack after another, and once at what they share."""

    def __init__(self, backend: Stacks, arm: Arm, metrics: Metrics, ping_tokens: Collection[int]) -> None:
        self._backend, self._arm, self._metrics, self._tokens = backend, arm, metrics, ping_tokens
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, str], threading.Lock] = {}
        self._regions: dict[tuple[str, str], _Region] = {}

    def look(self, name: str, stack: Stack | None) -> Observed:
        """One stack."""
        try:
            outputs = self._backend.outputs(name)
        except LoginFailed:
            raise
        except HearthError as error:
            return Observed(unread=" ".join(str(error).split()))
        if stack is None:
            return Observed(outputs=outputs)
        listing, there = None, None
        try:
            listing = self._arm.listing(stack.account_id)
            there = {d.name: Served(model=d.model, version=d.version, source=d.source) for d in listing.deployments}
        except NotFound:
            there = {}
        except LoginFailed:
            raise
        except HearthError:  # the plan leaves it open
            pass
        return Observed(
            outputs=outputs,
            deployments=there,
            quota=(_or_nothing(lambda: self._quota(stack)) or {}) if outputs else {},
            standby_calls=_or_nothing(lambda: self._standby_calls(stack, listing, outputs or {})) or {},
        )

    def _quota(self, stack: Stack) -> dict[str, Quota]:
        """By deployment, what a second one would draw on; without those of which the region does not tell it."""
        region = self._region(stack)
        found = {}
        for wish in stack.deployments:
            skus = region.skus.get(wish.record.base or "", [])
            usage = next((sku.usage for sku in skus if sku.name.lower() == wish.sku.name.lower()), None)
            if usage in region.left:
                found[wish.name] = Quota(name=usage, left=region.left[usage])
        return found

    def _region(self, stack: Stack) -> _Region:
        """What a region offers a subscription: asked once, for it is a long list."""
        key = (stack.subscription.lower(), stack.location)
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            if key not in self._regions:
                self._regions[key] = _Region(self._arm, stack.subscription, stack.location)
            return self._regions[key]

    def _standby_calls(self, stack: Stack, listing: Listing | None, outputs: Mapping[str, Any]) -> dict[str, int]:
        deployments: Mapping[str, Any] = outputs.get("deployments") or {}
        standbys = {name: str(facts["standby"]["name"]) for name, facts in deployments.items() if facts.get("standby")}
        if listing is None:
            return {}
        since, now = listing.at - LOOK_BACK, listing.at
        return {
            name: use(self._metrics, stack.account_id, standby, self._tokens, since=since, now=now).calls
            for name, standby in standbys.items()
        }


class _Region:
    """What a region takes, and what is left of its quotas."""

    def __init__(self, arm: Arm, subscription: str, location: str) -> None:
        self.skus: dict[str, list[TunedSku]] = arm.tuned_skus(subscription, location)
        self.left: dict[str, int] = arm.quotas_left(subscription, location)


def _or_nothing(look: Callable[[], T]) -> T | None:
    """What is found; None where Azure does not tell. Raises LoginFailed."""
    try:
        return look()
    except LoginFailed:
        raise
    except (HearthError, KeyError, TypeError, AttributeError):  # the latter: outputs of another version
        return None
