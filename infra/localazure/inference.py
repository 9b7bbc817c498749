"""The data plane's rules: who may call which deployment, how often, and what it answers.

Answers are made up but not arbitrary: the same question to the same model gives the same answer, and it names the
model, so that a person sees which one is behind a deployment.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from infra.localazure import accounts, catalogue, deployments, errors, ids, roles
from infra.localazure.entities import Account, Deployment, Json
from infra.localazure.world import Caller, World

ACTION = "Microsoft.CognitiveServices/accounts/OpenAI/"


@dataclass(slots=True)
class Window:
    """Calls of a deployment inside its rate windows; kept in memory only."""

    requests: deque[datetime] = field(default_factory=deque)
    tokens: deque[tuple[datetime, int]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a deployment's rate limits after a call."""

    limit_requests: int
    remaining_requests: int
    limit_tokens: int
    remaining_tokens: int


class Meter:
    """The rate limits of every deployment, on the virtual clock."""

    def __init__(self, world: World) -> None:
        """Start with empty windows."""
        self._world = world
        self._windows: dict[str, Window] = {}

    def admit(self, account: Account, deployment: Deployment, tokens: int, operation: str, version: str) -> Budget:
        """Count a call of so many tokens, or refuse it with 429 and how long to wait."""
        sku = deployments.sku_of(self._world, account, deployment)
        limits = {r["key"]: r for r in catalogue.rate_limits(sku, deployment.capacity, 60)}
        requests, budget = limits["request"], limits["token"]
        now = self._world.now()
        window = self._windows.setdefault(ids.key(deployment.id), Window())
        _forget(window, now, requests["renewalPeriod"], budget["renewalPeriod"])
        spent = sum(n for _, n in window.tokens)
        if len(window.requests) >= requests["count"]:
            free_at = window.requests[0] + timedelta(seconds=requests["renewalPeriod"])
            raise _limited(operation, version, "call", free_at - now)
        if spent + tokens > budget["count"] and window.tokens:
            free_at = window.tokens[0][0] + timedelta(seconds=budget["renewalPeriod"])
            raise _limited(operation, version, "token", free_at - now)
        window.requests.append(now)
        window.tokens.append((now, tokens))
        return Budget(
            requests["count"],
            requests["count"] - len(window.requests),
            budget["count"],
            max(budget["count"] - spent - tokens, 0),
        )


def _forget(window: Window, now: datetime, request_seconds: int, token_seconds: int) -> None:
    while window.requests and now - window.requests[0] >= timedelta(seconds=request_seconds):
        window.requests.popleft()
    while window.tokens and now - window.tokens[0][0] >= timedelta(seconds=token_seconds):
        window.tokens.popleft()


def _limited(operation: str, version: str, what: str, left: timedelta) -> errors.AzureError:
    seconds = max(left.total_seconds(), 0.001)
    whole = math.ceil(seconds)
    headers = {"retry-after": str(whole), "retry-after-ms": str(math.ceil(seconds * 1000))}
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
    found = world.deployments.get(ids.key(f"{account.id}/deployments/{name}"))
    if found is None or accounts.state(account, world.now()) != "Succeeded":
        raise errors.NO_DEPLOYMENT()
    now = world.now()
    ready = found.serving_at is not None and now >= found.serving_at and not found.failed
    if not ready and found.served_before is None:
        raise errors.NO_DEPLOYMENT()
    if found.paused:
        raise errors.PAUSED(name=found.name)
    model = deployments.model_of(world, found)
    if world.switches.retirement and model is not None and model.retires is not None:
        last = model.retires.deployment if found.custom else model.retires.base
        if now >= catalogue.midnight(last):
            raise errors.NO_DEPLOYMENT()
    return found, found.model.name if ready else str(found.served_before)


# --- what it answers -----------------------------------------------------------------------------------------------


def count_tokens(text: str) -> int:
    """A steady estimate of tokens: one per four characters, at least one."""
    return max(1, math.ceil(len(text) / 4))


def prompt_text(messages: list[Json]) -> str:
    """The text of a conversation, content parts included."""
    found = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            found.append(content)
        elif isinstance(content, list):
            found += [str(part.get("text", "")) for part in content if isinstance(part, dict)]
    return "\n".join(found)


def answer(model: str, messages: list[Json]) -> str:
    """What a model says: its own name, and the question it heard."""
    asked = prompt_text(messages[-1:]) if messages else ""
    shown = asked if len(asked) <= 200 else asked[:199] + "…"
    return f"{model} here. You asked: {shown}"


def fingerprint(model: str) -> str:
    """A steady fingerprint of a model."""
    return "fp_" + hashlib.sha256(model.encode()).hexdigest()[:10]
