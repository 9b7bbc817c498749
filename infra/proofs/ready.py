"""Ready: a deployment has answered a real call, or was itself too busy to. "Succeeded" is not enough.

After a create Azure may say Succeeded while its data plane still answers DeploymentNotFound, for minutes; a fresh role
works only after a while. Both are waited for, up to the dated limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from infra.ports.cloud import NAME_NOT_KNOWN
from infra.ports.inference import Message, Outcome, Reply
from infra.spec.duration import show
from infra.spec.limits import Limits

PING: tuple[Message, ...] = ({"role": "user", "content": "Reply with the single word: pong"},)
"""The one small call that proves a deployment and keeps it alive; word for word the same everywhere."""
PING_TOKENS = 16
REASONING_TOKENS = 512
"""For a model that thinks before it speaks and did not get done within PING_TOKENS. Not the first choice: a rate limit
counts what a call may cost, and the smallest deployment has a thousand tokens a minute."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0
_HICCUPS = {Outcome.BROKEN, Outcome.UNREACHABLE}
_HICCUP = timedelta(seconds=10)
"""How long a server's error or a broken connection is tried again."""
_NEW_NAME = timedelta(minutes=1)
"""How long a name that is not known yet is asked for again: a fresh subdomain takes a moment to get about."""


class Calls(Protocol):
    """Calls to deployments: the port `Inference`, or what stands for it."""

    def chat(self, endpoint: str, deployment: str, messages: Sequence[Message], *, most_tokens: int) -> Reply:
        """One chat completion."""

    def complete(self, endpoint: str, deployment: str, prompt: str, *, most_tokens: int) -> Reply:
        """One completion."""


class Verdict(Enum):
    """How a proof of readiness ended."""

    READY = "ready"
    NOT_SERVING = "not serving"
    """The deployment is not known, paused, or fails every call."""
    NOT_PROVEN = "not proven"
    """We were not let in, or got no answer: it may well serve others."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The end of a proof, with the reason in words."""

    verdict: Verdict
    reason: str = ""


class Readiness:
    """Proves deployments ready. `sleep` and `elapsed` (seconds since some moment) are the clock."""

    def __init__(
        self,
        inference: Calls,
        limits: Limits,
        *,
        sleep: Callable[[float], None] = time.sleep,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prove with this data plane, patient up to these limits."""
        self._inference, self._limits = inference, limits
        self._sleep, self._elapsed = sleep, elapsed

    def prove(
        self,
        endpoint: str,
        deployment: str,
        *,
        role_is_new: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda _text: None,
    ) -> Proof:
        """Call the deployment until it is proven one way or the other.

        Waiting is measured by our clock and by that of Azure's answers, whichever goes faster: they differ where Azure
        is a double whose clock is moved.

        `role_is_new` tells whether this run gave the caller its role, which is then waited for; `say` is told once
        what is waited for. Each kind of answer has its own patience, from when it was first met: a role that took
        eight minutes leaves the data plane its five. Raises LoginFailed.
        """
        first_met: dict[Outcome, tuple[float, datetime | None]] = {}
        last, wait, told = Outcome.ANSWERED, _FIRST_WAIT, False
        while True:
            reply = ping(self._inference, endpoint, deployment)
            if reply.outcome in _HICCUPS and last not in _HICCUPS:
                first_met = {kind: at for kind, at in first_met.items() if kind not in _HICCUPS}  # another hiccup
            last = reply.outcome
            since, its_since = first_met.setdefault(reply.outcome, (self._elapsed(), reply.at))
            patience, waited = self._patience(reply, role_is_new), timedelta(seconds=self._elapsed() - since)
            if reply.at is not None and its_since is not None:
                waited = max(waited, reply.at - its_since)
            if waited >= patience:
                return _judge(reply, waited)
            if not told:
                say(f"{deployment}: waiting until it answers, up to {show(patience)} ({reply.code or reply.text})")
                told = True
            self._sleep(wait)
            wait = min(wait * 1.5, _LONGEST_WAIT)

    def _patience(self, reply: Reply, role_is_new: Callable[[], bool]) -> timedelta:
        """How long this kind of answer is worth waiting for; no time at all for one that is final."""
        if reply.outcome is Outcome.NOT_THERE:
            return self._limits.readiness.value
        if reply.outcome is Outcome.DENIED and reply.code == "PermissionDenied" and role_is_new():
            return self._limits.role_propagation.value
        if reply.outcome is Outcome.UNREACHABLE and NAME_NOT_KNOWN in reply.text:
            return _NEW_NAME
        if reply.outcome in _HICCUPS:
            return _HICCUP
        return timedelta()


def ping(inference: Calls, endpoint: str, deployment: str, prompt: Sequence[Message] = PING) -> Reply:
    """The ping: a chat completion, or a completion where the model does not chat."""
    reply = inference.chat(endpoint, deployment, prompt, most_tokens=PING_TOKENS)
    if reply.outcome is Outcome.CUT_SHORT:
        return inference.chat(endpoint, deployment, prompt, most_tokens=REASONING_TOKENS)
    if reply.outcome is Outcome.REFUSED and reply.code == "OperationNotSupported":
        return inference.complete(endpoint, deployment, prompt[0]["content"], most_tokens=PING_TOKENS)
    return reply


def _judge(reply: Reply, waited: timedelta) -> Proof:
    match reply.outcome:
        case Outcome.ANSWERED | Outcome.THROTTLED | Outcome.FILTERED | Outcome.CUT_SHORT:
            return Proof(Verdict.READY)
        case Outcome.NOT_THERE:
            text = f"Azure says Succeeded, and after {show(waited)} its data plane still answers {reply.code}"
            return Proof(Verdict.NOT_SERVING, text)
        case Outcome.LOCKED:
            return Proof(Verdict.NOT_SERVING, "it is paused (423); resume it in Azure")
        case Outcome.REFUSED:
            return Proof(Verdict.NOT_SERVING, f"it refuses the call: {reply.text} ({reply.code})")
        case _:
            return Proof(Verdict.NOT_PROVEN, f"{reply.text} {_way_in(reply)}".strip())


def _way_in(reply: Reply) -> str:
    """What would let us in."""
    if reply.outcome is not Outcome.DENIED:
        return ""
    if reply.code == "PermissionDenied":
        return "Give the login in use the role Cognitive Services OpenAI User under hearth:access"
    return f"({reply.code}) Check the account's network rules and the login"
