"""The data plane's rules: who may call which deployment for what, how often, and which calls keep it alive."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from infra.localazure import catalogue, deployments, errors, ids, placement, roles
from infra.localazure.catalogue import Model
from infra.localazure.entities import Account, Deployment
from infra.localazure.traffic import Traffic
from infra.localazure.world import Caller, World

ACTION = "Microsoft.CognitiveServices/accounts/OpenAI/"
CHAT, COMPLETION, EMBEDDING = "ChatCompletions_Create", "Completions_Create", "Embeddings_Create"
RESPONSE = "Responses_Create"
"""Operations as texts and metrics name them; that of responses is not confirmed by traffic."""
KEEP_ALIVE = frozenset({CHAT, COMPLETION, RESPONSE})
"""Operations that count against the idle deletion of a deployment."""
_WORDS = {CHAT: "chatCompletion", COMPLETION: "completion", EMBEDDING: "embeddings", RESPONSE: "responses"}
"""What the refusal of an operation that is not of the model calls it."""


@dataclass(slots=True)
class Window:
    """Calls of a deployment inside its rate windows; kept in memory only."""

    requests: deque[datetime] = field(default_factory=deque)
    tokens: deque[tuple[datetime, int]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a deployment's rate limits after a call, and in how many seconds all of it is back."""

    limit_requests: int
    remaining_requests: int
    reset_requests: int
    limit_tokens: int
    remaining_tokens: int
    reset_tokens: int

    def headers(self) -> dict[str, str]:
        """The budget as response headers."""
        return {
            "x-ratelimit-limit-requests": str(self.limit_requests),
            "x-ratelimit-remaining-requests": str(self.remaining_requests),
            "x-ratelimit-reset-requests": str(self.reset_requests),
            "x-ratelimit-limit-tokens": str(self.limit_tokens),
            "x-ratelimit-remaining-tokens": str(self.remaining_tokens),
            "x-ratelimit-reset-tokens": str(self.reset_tokens),
        }


class Meter:
    """The rate limits of every deployment, on the virtual clock."""

    def __init__(self, world: World) -> None:
        """Start with empty windows."""
        self._world = world
        self._windows: dict[str, Window] = {}

    def admit(self, account: Account, deployment: Deployment, tokens: int, operation: str, version: str) -> Budget:
        """Count a call of so many tokens, or refuse it with 429 and how long to wait."""
        sku = placement.sku_of(self._world, account, deployment)
        limits = {r["key"]: r for r in catalogue.rate_limits(sku, deployment.capacity, 60)}
        calls, budget = limits["request"], limits["token"]
        now = self._world.now()
        window = self._windows.setdefault(ids.key(deployment.id), Window())
        _forget(window, now, calls["renewalPeriod"], budget["renewalPeriod"])
        spent = sum(n for _, n in window.tokens)
        refused, wait = "", 0.0
        if len(window.requests) >= calls["count"]:
            refused, wait = "call", _left(window.requests[0], calls["renewalPeriod"], now)
        elif spent + tokens > budget["count"]:
            oldest = window.tokens[0][0] if window.tokens else now  # a call of more than a minute's tokens never passes
            refused, wait = "token", _left(oldest, budget["renewalPeriod"], now)
        else:
            window.requests.append(now)
            window.tokens.append((now, tokens))
            spent += tokens
        left = Budget(
            limit_requests=calls["count"],
            remaining_requests=max(calls["count"] - len(window.requests), 0),
            reset_requests=_reset(window.requests, calls["renewalPeriod"], now),
            limit_tokens=budget["count"],
            remaining_tokens=max(budget["count"] - spent, 0),
            reset_tokens=_reset([at for at, _ in window.tokens], budget["renewalPeriod"], now),
        )
        if refused:
            raise _limited(operation, version, refused, wait, left)
        return left


def _forget(window: Window, now: datetime, request_seconds: int, token_seconds: int) -> None:
    while window.requests and now - window.requests[0] >= timedelta(seconds=request_seconds):
        window.requests.popleft()
    while window.tokens and now - window.tokens[0][0] >= timedelta(seconds=token_seconds):
        window.tokens.popleft()


def _left(since: datetime, period: int, now: datetime) -> float:
    return max((since + timedelta(seconds=period) - now).total_seconds(), 0.001)


def _reset(moments: Sequence[datetime], period: int, now: datetime) -> int:
    return math.ceil(_left(moments[-1], period, now)) if moments else 0


def _limited(operation: str, version: str, what: str, wait: float, left: Budget) -> errors.AzureError:
    whole = math.ceil(wait)
    headers = {"retry-after": str(whole), "retry-after-ms": str(math.ceil(wait * 1000)), **left.headers()}
    return errors.RATE_LIMITED(headers, operation=operation, version=version, what=what, seconds=whole)


# --- may it be called? ---------------------------------------------------------------------------------------------


def require_network(account: Account, peer: str) -> None:
    """Refuse where the account's network rules do not let the caller's address in."""
    if str(account.properties.get("publicNetworkAccess", "Enabled")).lower() == "disabled":
        raise errors.PUBLIC_ACCESS_OFF()
    acls = account.properties.get("networkAcls") or {}
    if str(acls.get("defaultAction", "Allow")).lower() != "deny":
        return
    try:
        address = ip_address(peer)
    except ValueError:
        raise errors.NETWORK_DENIED() from None
    for rule in acls.get("ipRules", []):
        try:
            if address in ip_network(rule["value"], strict=False):
                return
        except ValueError:
            continue
    raise errors.NETWORK_DENIED()


def key_caller(account: Account, key: str) -> Caller:
    """The caller that an api-key stands for: nobody by name, everything by right."""
    if account.properties.get("disableLocalAuth"):
        raise errors.KEYS_DISABLED()
    if key not in account.keys:
        raise errors.BAD_KEY()
    return Caller(principal="", tenant="", client="api-key")


def require_action(world: World, account: Account, caller: Caller, action: str, method: str, path: str) -> None:
    """Refuse a token whose principal lacks the data action; a key may do everything."""
    if not caller.principal:
        return
    if not roles.allowed(world, caller.principal, ACTION + action, account.id, world.now(), data=True):
        raise errors.NO_DATA_ACTION(oid=caller.principal, action=ACTION + action, method=method, path=path)


def serving(world: World, account: Account, name: str) -> tuple[Deployment, str]:
    """The deployment behind a name with the model that answers now, or DeploymentNotFound until it serves."""
    found = deployments.find(world, account, name)
    now = world.now()
    ready = found is not None and deployments.serves(found, now)
    if found is None or (not ready and found.served_before is None):
        raise errors.NO_DEPLOYMENT()
    if found.paused:
        raise errors.PAUSED(name=found.name)
    model = placement.model_of(world, found)
    if world.switches.retirement and model is not None and model.retires is not None:
        last = model.retires.deployment if found.custom else model.retires.base
        if now >= catalogue.midnight(last):
            raise errors.NO_DEPLOYMENT()
    return found, found.model.name if ready else str(found.served_before)


def require_operation(model: Model, operation: str) -> None:
    """Refuse an operation that is not of the model: chat models chat and respond, others complete or embed."""
    able = {CHAT: model.chat, RESPONSE: model.chat, EMBEDDING: model.embeddings}
    if not able.get(operation, not model.chat and not model.embeddings):
        raise errors.OPERATION_NOT_OF_MODEL(operation=_WORDS[operation], model=model.name)


def note(world: World, traffic: Traffic) -> None:
    """Let a call that reached a deployment move its idle clock, if it is of those that count."""
    if traffic.operation not in KEEP_ALIVE or not traffic.model:
        return
    found = world.deployments.get(f"{traffic.account}/deployments/{traffic.deployment.lower()}")
    if found is not None:
        deployments.called(world, found, successful=traffic.status < 400)
