"""Good enough: a deployment is asked the prompts of a file, and its answers are held against what they must be.

A throttled call is waited out as Azure asks, a broken one tried again; what got no answer counts neither as good nor as
bad, so that a share may be known within bounds only.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from infra.errors import LoginFailed
from infra.ports.inference import Outcome, Reply
from infra.proofs import expectations
from infra.proofs.expectations import cut
from infra.proofs.promptfile import Prompt
from infra.proofs.ready import Calls
from infra.spec.duration import show

CONCURRENCY = 4
TRIES = 3
"""How often a call is made that was broken off, or met no deployment."""
MOST_TOLD = 5
"""Failed prompts that a summary names."""
_AGAIN = {Outcome.BROKEN, Outcome.UNREACHABLE, Outcome.NOT_THERE}
_NOT_ASKED = {Outcome.BROKEN, Outcome.UNREACHABLE, Outcome.DENIED, Outcome.THROTTLED}
"""What says nothing of the model."""


class Verdict(Enum):
    """How it went with a prompt."""

    PASSED = "passed"
    FAILED = "failed"
    NO_ANSWER = "no answer"
    """We were not let in, or nobody answered in time: it says nothing of the model."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How it went with one prompt."""

    prompt: Prompt
    verdict: Verdict
    why: str = ""
    seconds: float | None = None
    """From the call to its answer, of the call that was answered; None where none was."""
    throttled: int = 0
    """How often it was told to wait."""

    def __str__(self) -> str:
        return f"{self.prompt.title}: {self.why or self.verdict.value}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of a figure: between these, and the same where everything was answered."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Results:
    """How it went with the prompts of a file, in its order."""

    answers: tuple[Answer, ...]

    @property
    def passed(self) -> int:
        """How many answers were good."""
        return self._number(Verdict.PASSED)

    @property
    def unanswered(self) -> int:
        """How many got no answer."""
        return self._number(Verdict.NO_ANSWER)

    @property
    def pass_rate(self) -> Bounds:
        """The share of good answers."""
        return Bounds(self.passed / len(self.answers), (self.passed + self.unanswered) / len(self.answers))

    def quantile(self, share: float) -> Bounds:
        """The time in s within which this share of the answers came (nearest rank)."""
        known = sorted(a.seconds for a in self.answers if a.seconds is not None)
        missing, at = len(self.answers) - len(known), math.ceil(share * len(self.answers)) - 1
        return Bounds(([0.0] * missing + known)[at], (known + [math.inf] * missing)[at])

    @property
    def figures(self) -> dict[str, float | int | str | None]:
        """What a record keeps of it; times in s, None where they are not known."""
        p50, p95 = self.quantile(0.5).most, self.quantile(0.95).most
        return {
            "prompts": len(self.answers),
            "passed": self.passed,
            "unanswered": self.unanswered,
            "passRate": round(self.pass_rate.least, 4),
            "p50": None if math.isinf(p50) else round(p50, 3),
            "p95": None if math.isinf(p95) else round(p95, 3),
            "throttled": sum(answer.throttled for answer in self.answers),
        }

    @property
    def summary(self) -> str:
        """One line: how many were good, and the first that were not."""
        wrong = [a for a in self.answers if a.verdict is not Verdict.PASSED]
        wrong.sort(key=lambda answer: answer.verdict is not Verdict.FAILED)
        told = "; ".join(str(answer) for answer in wrong[:MOST_TOLD])
        more = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
        head = f"{self.passed} of {len(self.answers)} prompts passed"
        return f"{head}: {told}{more}" if wrong else head

    def _number(self, verdict: Verdict) -> int:
        return sum(answer.verdict is verdict for answer in self.answers)


class Asker:
    """Asks prompts. `elapsed` (seconds since some moment) and `sleep` are the clock; without `sleep`, `stop` wakes."""

    def __init__(
        self,
        calls: Calls,
        *,
        concurrency: int = CONCURRENCY,
        sleep: Callable[[float], object] | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask by these calls, so many side by side."""
        self._calls, self._concurrency, self._elapsed = calls, concurrency, elapsed
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait

    def stop(self) -> None:
        """Begin no further call."""
        self._stopped.set()

    def ask(self, endpoint: str, deployment: str, prompts: Sequence[Prompt], *, limit: timedelta) -> Results:
        """The answers, in the order of the prompts; after `limit` no call is begun. Never raises."""
        one = _Round(self, endpoint, deployment, self._elapsed() + limit.total_seconds(), limit)
        with ThreadPoolExecutor(max_workers=max(min(self._concurrency, len(prompts)), 1)) as pool:
            return Results(tuple(pool.map(one.answer, prompts)))


class _Round:
    """One deployment being asked."""

    def __init__(self, asker: Asker, endpoint: str, deployment: str, until: float, limit: timedelta) -> None:
        self._asker, self._endpoint, self._deployment = asker, endpoint, deployment
        self._until, self._limit = until, limit
        self._over = ""
        """Why nobody need be asked any more: what met one prompt would meet them all."""

    def answer(self, prompt: Prompt) -> Answer:
        throttled = tries = 0
        while True:
            why = self._over or self._too_late()
            if why:
                return Answer(prompt, Verdict.NO_ANSWER, why, throttled=throttled)
            try:
                reply = self._call(prompt)
            except LoginFailed as error:
                self._over = cut(str(error), 200)
                continue
            if reply.outcome is Outcome.THROTTLED:
                throttled += 1
                wait = max(reply.retry_after, 0.1)
            elif reply.outcome in _AGAIN and tries + 1 < TRIES:
                tries += 1
                wait = 2.0 ** (tries - 1)
            else:
                break
            if self._asker._elapsed() + wait > self._until:
                asked = f"throttled, and asked to wait {wait:.0f} s longer than the {show(self._limit)} there are"
                why = asked if reply.outcome is Outcome.THROTTLED else cut(reply.text)
                return Answer(prompt, Verdict.NO_ANSWER, why, throttled=throttled)
            self._asker._sleep(wait)
        if reply.outcome is Outcome.DENIED:
            self._over = f"not let in: {cut(reply.text, 200)} ({reply.code})"
        return _judged(prompt, reply, throttled)

    def _too_late(self) -> str:
        if self._asker._stopped.is_set():
            return "stopped"
        return f"the {show(self._limit)} were over" if self._asker._elapsed() >= self._until else ""

    def _call(self, prompt: Prompt) -> Reply:
        calls, most = self._asker._calls, prompt.most_tokens
        reply = calls.chat(self._endpoint, self._deployment, prompt.messages, most_tokens=most)
        if reply.outcome is Outcome.REFUSED and reply.code == "OperationNotSupported":
            text = "\n\n".join(message["content"] for message in prompt.messages)
            return calls.complete(self._endpoint, self._deployment, text, most_tokens=most)
        return reply


def _judged(prompt: Prompt, reply: Reply, throttled: int) -> Answer:
    if reply.outcome is Outcome.ANSWERED:
        wrong = expectations.failing(prompt.expect, reply.text)
        why = f"the answer {wrong}" if wrong else ""
        return Answer(prompt, Verdict.FAILED if wrong else Verdict.PASSED, why, reply.seconds, throttled)
    if reply.outcome in _NOT_ASKED:
        return Answer(prompt, Verdict.NO_ANSWER, f"{reply.outcome.value}: {cut(reply.text, 200)}", None, throttled)
    hint = "; give it more maxTokens" if reply.outcome is Outcome.CUT_SHORT else ""
    why = f"{reply.outcome.value}{hint}: {cut(reply.text)}"
    return Answer(prompt, Verdict.FAILED, why, reply.seconds, throttled)
