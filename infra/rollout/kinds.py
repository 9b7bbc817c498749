"""The kinds of gates: each a small class in one table, which docs/gates.md shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol, TypeVar

from infra.errors import Busy, HearthError
from infra.ports.arm import AccountView, Listing
from infra.ports.metrics import Window
from infra.proofs import promptfile
from infra.proofs.promptfile import Prompt
from infra.proofs.prompts import Asker, Results
from infra.proofs.ready import Calls, Readiness, Verdict
from infra.rollout import quiet
from infra.rollout.commands import Commands
from infra.rollout.values import GateResult, Move, Target
from infra.spec.duration import show
from infra.spec.limits import Limits
from infra.spec.project import Project
from infra.spec.rollout import Gate, GateKind

T = TypeVar("T")
Outcome = Literal["pass", "fail", "inconclusive"]
USUAL_WINDOW = timedelta(hours=1)
"""What metrics are asked about where nobody says since when."""


class ResourceManager(Protocol):
    """What is asked of the resource manager: the port `Arm`."""

    def account(self, account_id: str, *, tenant: str | None = None) -> AccountView:
        """An account."""

    def listing(self, account_id: str) -> Listing:
        """The deployments of an account and the moment."""


class Monitor(quiet.Metrics, Protocol):
    """What is asked of Azure Monitor: the port `Metrics`."""

    def of_deployment(self, account_id: str, deployment: str, *, since: datetime, now: datetime) -> Window:
        """How the calls to one deployment went."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world."""

    arm: ResourceManager
    inference: Calls
    metrics: Monitor


@dataclass(frozen=True, slots=True)
class Candidate:
    """One deployment of a target with its new model, and what it is there for."""

    rollout: str
    wave: str
    gate: str
    target: Target
    move: Move
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What a command of the user's is told."""
        move, before = self.move, self.move.before
        return {
            "HEARTH_TARGET": self.target.stack,
            "HEARTH_ACCOUNT": self.target.account,
            "HEARTH_LOCATION": self.target.location,
            "HEARTH_ENDPOINT": self.endpoint,
            "HEARTH_NAME": move.deployment,
            "HEARTH_DEPLOYMENT": move.candidate,
            "HEARTH_MODEL": move.after.model,
            "HEARTH_MODEL_VERSION": move.after.version,
            "HEARTH_ACTIVE": move.active,
            "HEARTH_PREVIOUS_MODEL": before.model if before is not None else "",
            "HEARTH_ROLLOUT_ID": self.rollout,
            "HEARTH_WAVE": self.wave,
            "HEARTH_GATE": self.gate,
        }


class Moments:
    """Moments of ours, by the clock of Azure."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """`now` is our clock."""
        self._now = now
        self._seen: dict[tuple[str, datetime], datetime] = {}

    def start(self, account: str, since: datetime, at: datetime) -> datetime:
        """When `since` was for the resource manager, which says that it is `at` now.

        By the time that passed here, or since it was asked first there, whichever is longer: they differ where Azure
        is a double whose clock is moved.
        """
        known = at - max(self._now() - since, timedelta())
        return min(known, self._seen.setdefault((account, since), known))


@dataclass(frozen=True, slots=True)
class Tools:
    """What the gates share."""

    project: Project
    ports: Ports
    limits: Limits
    asker: Asker
    commands: Commands
    sleep: Callable[[float], object]
    elapsed: Callable[[], float]
    moments: Moments


class Kind(ABC):
    """One kind of gate, made for one item of `gates`."""

    key: ClassVar[GateKind]
    """Its key in rollout.yaml."""
    looks: ClassVar[str]
    passes: ClassVar[str]
    inconclusive: ClassVar[str]
    """Texts of the table; it fails where it does neither."""

    def __init__(self, rule: Gate, limit: timedelta, tools: Tools) -> None:
        """`limit` is how long it may take."""
        self.rule, self.limit, self.tools = rule, limit, tools

    @abstractmethod
    def look(self, at: Candidate, since: datetime | None) -> GateResult:
        """The outcome at one deployment. Raises HearthError for what makes it inconclusive."""

    @abstractmethod
    def foretell(self, move: Move) -> str:
        """What `look` would do, in a line."""


class Ready(Kind):
    """The deployment answers."""

    key = "ready"
    looks = "calls the candidate with the ping, as every `up` does, and waits for it as long as Azure may take"
    passes = "it has answered, or was too busy to (429)"
    inconclusive = "we were not let in, nobody answered, or the time was over"

    def look(self, at: Candidate, since: datetime | None) -> GateResult:
        """Prove it."""
        until = self.tools.elapsed() + self.limit.total_seconds()

        def sleep(seconds: float) -> None:
            if self.tools.elapsed() + seconds > until:
                raise HearthError(f"it does not answer yet, and the {show(self.limit)} of the gate are over")
            self.tools.sleep(seconds)

        readiness = Readiness(self.tools.ports.inference, self.tools.limits, sleep=sleep, elapsed=self.tools.elapsed)
        proof = readiness.prove(at.endpoint, at.move.candidate)
        known: dict[Verdict, Outcome] = {Verdict.READY: "pass", Verdict.NOT_SERVING: "fail"}
        return GateResult(outcome=known.get(proof.verdict, "inconclusive"), reason=proof.reason or "it answers")

    def foretell(self, move: Move) -> str:
        """One call."""
        return f"would call {move.candidate} until it answers, up to {show(self.limit)}"


class Prompts(Kind):
    """Its answers are good enough."""

    key = "prompts"
    looks = "asks the candidate every prompt of a JSONL file, four at a time; a 429 is waited out"
    passes = (
        "`passRate` of the answers are what they must be (all of them unless told), and 95 of 100 come within `p95`"
    )
    inconclusive = "prompts got no answer, and the outcome hangs on them"

    def look(self, at: Candidate, since: datetime | None) -> GateResult:
        """Ask, and hold against the least."""
        found = self.tools.asker.ask(at.endpoint, at.move.candidate, self._prompts(), limit=self.limit)
        return self._judged(found)

    def foretell(self, move: Move) -> str:
        """The prompts."""
        return f"would ask {move.candidate} {_prompts(len(self._prompts()))} of {self.rule.prompts}"

    def _prompts(self) -> tuple[Prompt, ...]:
        return read_prompts(self.tools.project, self.rule.prompts or "")

    def _judged(self, found: Results) -> GateResult:
        least = 1.0 if self.rule.pass_rate is None else self.rule.pass_rate
        rate, facts = found.pass_rate, [found.summary]
        outcomes = [_at_least(rate.least, rate.most, least)]
        if outcomes[0] == "fail":
            facts[0] = f"{_share(least)} must pass: {found.summary}"
        if self.rule.p95 is not None:
            p95, most = found.quantile(0.95), self.rule.p95.total_seconds()
            outcomes.append(_at_least(-p95.most, -p95.least, -most))
            facts.append(f"p95 {_seconds(p95.least)}{_not_past(outcomes[-1], most)}")
        return GateResult(outcome=worst(outcomes), reason=", ".join(facts), figures=found.figures)


class Compare(Kind):
    """It is not worse than the model that it replaces."""

    key = "compare"
    looks = (
        "asks the candidate, and the deployment that serves, the same prompts of a JSONL file; only beside each other"
    )
    passes = "the candidate's share of good answers is at most `worseBy` below the other's (0 unless told)"
    inconclusive = "prompts got no answer, and the outcome hangs on them; or in place, where the other is gone"

    def look(self, at: Candidate, since: datetime | None) -> GateResult:
        """Ask both."""
        move = at.move
        if move.before is None:
            return GateResult(outcome="pass", reason="nothing was served before, so there is nothing to be worse than")
        if move.candidate == move.active:
            reason = "the model that served is gone from its place, so nothing can be compared; take strategy: beside"
            return GateResult(outcome="inconclusive", reason=reason)
        prompts = read_prompts(self.tools.project, self.rule.compare or "")
        half = self.limit / 2
        old, new = (
            self.tools.asker.ask(at.endpoint, name, prompts, limit=half) for name in (move.active, move.candidate)
        )
        worse, before, after = self.rule.worse_by or 0.0, old.pass_rate, new.pass_rate
        outcome = _at_least(after.least - before.most, after.most - before.least, -worse - 1e-9)
        reason = f"{new.passed} of {len(prompts)} prompts passed, and {old.passed} of the model that serves"
        if outcome != "pass":
            reason = f"{reason}; at most {_share(worse)} worse may it be: {new.summary}"
        figures = {**new.figures, **{f"before.{key}": value for key, value in old.figures.items()}}
        return GateResult(outcome=outcome, reason=reason, figures=figures)

    def foretell(self, move: Move) -> str:
        """The prompts, twice."""
        number = len(read_prompts(self.tools.project, self.rule.compare or ""))
        if move.before is None or move.candidate == move.active:
            return "would compare nothing: one model stands there"
        return f"would ask {move.candidate} and {move.active} {_prompts(number)} of {self.rule.compare}"


class Metrics(Kind):
    """Azure Monitor has nothing bad to say of it."""

    key = "metrics"
    looks = (
        "reads Azure Monitor's figures of the candidate since the bake began: all callers' calls, some minutes late. "
        "`errors`: answers of 400 and more but 429; `p95`: the greatest mean of a minute, of the time to the response, "
        "or to the last byte where Azure tells no other"
    )
    passes = "the shares of calls that failed and were throttled, and the time, are within what is written"
    inconclusive = "there were fewer than `leastCalls` calls, Azure tells no time that is asked for, or nothing at all"

    def look(self, at: Candidate, since: datetime | None) -> GateResult:
        """Read the window."""
        tools, rule, account = self.tools, self.rule.metrics, at.target.account
        if rule is None:
            raise HearthError(f"gate {at.gate} has no metrics to look at")
        now = self._patiently(lambda: tools.ports.arm.listing(account)).at
        start = now - USUAL_WINDOW if since is None else tools.moments.start(account, since, now)
        window = self._patiently(
            lambda: tools.ports.metrics.of_deployment(account, at.move.candidate, since=start, now=now)
        )
        span = now - start
        figures = _figures(window)
        if window.calls < rule.least_calls:
            reason = f"{window.calls} calls in {show(span)} are fewer than {rule.least_calls}; metrics are minutes late"
            return GateResult(outcome="inconclusive", reason=reason, figures=figures)
        outcomes, facts = list[Outcome](), [f"{window.calls} calls in {show(span)}"]
        for most, number, what in (
            (rule.errors, window.failed, "failed"),
            (rule.throttled, window.throttled, "throttled"),
        ):
            if most is not None:
                outcomes.append("pass" if number <= most * window.calls else "fail")
                told = "" if outcomes[-1] == "pass" else f", and {_share(most)} may"
                facts.append(f"{_share(number / window.calls)} {what}{told}")
        if rule.p95 is not None and window.latency is None:
            outcomes.append("inconclusive")
            facts.append("Azure tells no latency of them")
        elif rule.p95 is not None and window.latency is not None:
            most, found = rule.p95.total_seconds(), window.latency.total_seconds()
            outcomes.append(_at_least(-found, -found, -most))
            facts.append(f"greatest mean {_seconds(found)} ({window.measure}){_not_past(outcomes[-1], most)}")
        return GateResult(outcome=worst(outcomes), reason=", ".join(facts), figures=figures)

    def foretell(self, move: Move) -> str:
        """The window."""
        return f"would read the metrics of {move.candidate} since the bake began"

    def _patiently(self, ask: Callable[[], T]) -> T:
        """An answer, waited for while Azure Monitor is busy and the gate has time."""
        until = self.tools.elapsed() + self.limit.total_seconds()
        while True:
            try:
                return ask()
            except Busy as busy:
                if self.tools.elapsed() + busy.retry_after > until:
                    raise
                self.tools.sleep(max(busy.retry_after, 0.1))


class Command(Kind):
    """An executable of the user's says so."""

    key = "command"
    looks = (
        "runs an executable of yours from the project's folder, told of the candidate in its environment; it is ended "
        "when its time is over"
    )
    passes = "it ends with exit code 0 (1 to 125 fail; its last lines stand in the reason)"
    inconclusive = "it could not be started, was ended by a signal, or has not ended in time"

    def look(self, at: Candidate, since: datetime | None) -> GateResult:
        """Run it."""
        ended = self.tools.commands.run(self.rule.command or [], at.environment, self.limit)
        outcome: Outcome = "inconclusive" if ended.code is None else "fail" if ended.code else "pass"
        return GateResult(outcome=outcome, reason=ended.why, figures={"exitCode": ended.code})

    def foretell(self, move: Move) -> str:
        """The command."""
        told = " ".join(self.rule.command or [])
        return f"would run `{told}` with HEARTH_DEPLOYMENT={move.candidate}, up to {show(self.limit)}"


class Approval(Kind):
    """A person says yes."""

    key = "approval"
    looks = "asks a person, once for the wave, before its bake ends"
    passes = "somebody of `by` (anybody, unless told) says yes (`rollout approve`)"
    inconclusive = "nobody has answered within limits.approval; a no is a failure"

    def look(self, at: Candidate, since: datetime | None) -> GateResult:
        """Nothing that can be looked at: the workflow asks."""
        return GateResult(outcome="inconclusive", reason="a person decides: hearth rollout approve")

    def foretell(self, move: Move) -> str:
        """Who is asked."""
        by = self.rule.approval.by if self.rule.approval else []
        return f"would ask {' or '.join(by) if by else 'anybody'} for a yes"


KINDS: Mapping[GateKind, type[Kind]] = {k.key: k for k in (Ready, Prompts, Compare, Metrics, Command, Approval)}


# --- pieces --------------------------------------------------------------------------------------------------------


def read_prompts(project: Project, name: str) -> tuple[Prompt, ...]:
    """The prompts of a file below stacks/; raises SpecError."""
    path = project.stacks / name
    return promptfile.read(path, project.shown(path)).prompts


WORST: tuple[Outcome, ...] = ("fail", "inconclusive", "pass")


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Of several outcomes: a failure is one whatever else is not known."""
    return next((one for one in WORST if one in outcomes), "pass")


def _at_least(lowest: float, highest: float, wanted: float) -> Outcome:
    """Whether a figure that lies between two bounds is as large as wanted, as far as that is known."""
    if lowest >= wanted:
        return "pass"
    return "fail" if highest < wanted else "inconclusive"


def _figures(window: Window) -> dict[str, float | int | str | None]:
    return {
        "calls": window.calls,
        "failed": window.failed,
        "throttled": window.throttled,
        "latency": None if window.latency is None else round(window.latency.total_seconds(), 3),
        "measure": window.measure or None,
        "grain": show(window.grain),
    }


def _not_past(outcome: Outcome, most: float) -> str:
    return "" if outcome == "pass" else f", not within {_seconds(most)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _share(share: float) -> str:
    return f"{share * 100:.4g}%"


def _prompts(number: int) -> str:
    return f"{number} prompt{'s' if number != 1 else ''}"
