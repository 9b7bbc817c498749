"""The gates of a rollout: what must hold of a candidate before it goes on.

A gate looks and changes nothing, but that prompts are calls. Its outcome is pass, fail or inconclusive: who could not
look has not seen anything bad, and nothing good either, so the rollout pauses.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from infra.errors import HearthError, Mistake, SpecError
from infra.ports import clock
from infra.proofs.prompts import Asker
from infra.rollout import quiet
from infra.rollout.commands import Commands
from infra.rollout.kinds import KINDS, WORST, Candidate, Kind, Moments, Ports, Ready, Tools, read_prompts, worst
from infra.rollout.values import GateResult, Move, Target
from infra.spec.duration import show
from infra.spec.limits import Limits, did_you_mean
from infra.spec.project import Project
from infra.spec.rollout import Gate, TimeLimits

_log = logging.getLogger(__name__)


class Gates:
    """The gates of a rollout, at its targets. `sleep` and `elapsed` are the clock; `now` the moment, for spans."""

    def __init__(
        self,
        ports: Ports,
        project: Project,
        gates: Mapping[str, Gate],
        limits: TimeLimits,
        dated: Limits,
        *,
        window: timedelta = timedelta(hours=24),
        sleep: Callable[[float], object] | None = None,
        elapsed: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """`project` is where prompts and commands are found; `window` the rollback window."""
        self._stopped = threading.Event()
        asker, commands = Asker(ports.inference, sleep=sleep, elapsed=elapsed), Commands(project.root)
        self._sleep = sleep or self._stopped.wait
        self._tools = Tools(project, ports, dated, asker, commands, self._pause, elapsed, Moments(now))
        self._gates, self._limits, self._window = gates, limits, window
        self._endpoints: dict[str, str] = {}

    def gate(self, rollout: str, wave: str, target: Target, gate: str, *, since: datetime | None) -> GateResult:
        """What a gate finds at every deployment of a target that moves. Never raises.

        `since`: from when on metrics are looked at, by our clock.
        """

        def look(move: Move) -> GateResult:
            kind = self._kind(gate)
            return kind.look(Candidate(rollout, wave, gate, target, move, self._endpoint(target.account)), since)

        return _at_all(target, look)

    def quiet(self, rollout: str, target: Target, *, since: datetime | None) -> GateResult:
        """Whether nobody but ourselves has called what stands by since the window opened, by our clock. Never raises.

        No further back than the rollback window is long, and not the first minutes, in which clients may lag behind.
        """
        return _at_all(target, lambda move: self._quiet(target, move, since))

    def require(self, name: str) -> None:
        """Raises SpecError for a gate that there is not, or whose file of prompts is written wrong."""
        rule = self._kind(name).rule
        for file in (rule.prompts, rule.compare):
            if file is not None:
                read_prompts(self._tools.project, file)

    def foretell(self, target: Target, name: str) -> str:
        """What a gate would do at a target. Raises SpecError for what is written wrong."""
        kind = self._kind(name)
        return "; ".join(kind.foretell(move) for move in target.moves) or "would do nothing: nothing moves there"

    def stop(self) -> None:
        """Begin nothing more, and end the user's commands that run; what is cut off is inconclusive."""
        self._stopped.set()
        self._tools.asker.stop()
        self._tools.commands.stop()

    def _pause(self, seconds: float) -> None:
        if not self._stopped.is_set():
            self._sleep(seconds)
        if self._stopped.is_set():
            raise HearthError("stopped before it could tell")

    def _kind(self, name: str) -> Kind:
        rule = self._gates.get(name) or (Gate(ready=True) if name == Ready.key else None)
        if rule is None:
            known = [*self._gates, *({Ready.key} - set(self._gates))]
            text = f"there is no gate of this name{did_you_mean(name, known)}"
            raise SpecError([Mistake("stacks/rollout.yaml", 0, f"gates/{name}", text)])
        return KINDS[rule.kind](rule, rule.timeout or self._limits.gate, self._tools)

    def _endpoint(self, account: str) -> str:
        if account not in self._endpoints:
            self._endpoints[account] = self._tools.ports.arm.account(account).endpoint
        return self._endpoints[account]

    def _quiet(self, target: Target, move: Move, since: datetime | None) -> GateResult:
        """Whether the model that was replaced has had no calls but ours, for as long as the window is."""
        if move.strategy == "inPlace" or move.before is None:
            return GateResult(outcome="pass", reason="nothing stands by")
        tools, slot = self._tools, move.active
        listing = tools.ports.arm.listing(target.account)
        if all(one.name.lower() != slot.lower() for one in listing.deployments):
            return GateResult(outcome="pass", reason=f"{slot} is gone already")
        at = listing.at
        opened = at - self._window if since is None else tools.moments.start(target.account, since, at)
        start = max(opened, at - self._window)
        start += min(quiet.LAGGARDS, (at - start) / 2)
        tokens = tools.limits.ping_tokens.value
        found = quiet.use(tools.ports.metrics, target.account, slot, tokens, since=start, now=at)
        span = at - start
        if not found.calls:
            return GateResult(outcome="pass", reason=f"{slot}: no call but ours in {show(span)}", figures={"calls": 0})
        last = f", the last one after {found.last:%Y-%m-%d %H:%M} UTC" if found.last else ""
        many = f"{found.calls} call{'s' if found.calls != 1 else ''}"
        reason = f"{slot} is still called: {many} in {show(span)} not by us{last}"
        return GateResult(outcome="fail", reason=reason, figures={"calls": found.calls})


# --- pieces --------------------------------------------------------------------------------------------------------


def check(project: Project, gates: Mapping[str, Gate]) -> list[Mistake]:
    """Every mistake of the files that gates name. Files that are not there are told of with the gates."""
    found: dict[str, list[Mistake]] = {}
    for name in dict.fromkeys(file for gate in gates.values() for file in (gate.prompts, gate.compare) if file):
        try:
            read_prompts(project, name)
        except SpecError as error:
            found[name] = [m for m in error.mistakes if m.text != "does not exist"]
    return [mistake for mistakes in found.values() for mistake in mistakes]


def _at_all(target: Target, look: Callable[[Move], GateResult]) -> GateResult:
    if not target.moves:
        return GateResult(outcome="pass", reason="nothing moves there")
    return combined([(move.deployment, _caught(look, move)) for move in target.moves])


def combined(found: Sequence[tuple[str, GateResult]]) -> GateResult:
    """One result of several deployments: as bad as the worst, which is told first."""
    if len(found) == 1:
        return found[0][1]
    outcome = worst([result.outcome for _, result in found])
    told = sorted(found, key=lambda one: WORST.index(one[1].outcome))
    reason = "; ".join(f"{name}: {result.reason}" for name, result in told)
    figures = {f"{name}.{key}": value for name, result in found for key, value in result.figures.items()}
    return GateResult(outcome=outcome, reason=reason, figures=figures)


def _caught(look: Callable[[Move], GateResult], move: Move) -> GateResult:
    """The result; whoever could not look has found nothing."""
    try:
        return look(move)
    except HearthError as error:
        return GateResult(outcome="inconclusive", reason=" ".join(str(error).split()))
    except Exception as error:  # a rollout of days does not die of one answer that nobody foresaw
        _log.exception("a gate stumbled")
        return GateResult(outcome="inconclusive", reason=f"the gate stumbled: {error!r}")
