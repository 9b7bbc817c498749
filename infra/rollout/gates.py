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
from infra.rollout.kinds import KINDS, WORST, Candidate, Kind, Ports, Ready, Tools, read_prompts, worst
from infra.rollout.values import GateResult, Move, Target
from infra.spec.duration import show
from infra.spec.limits import Limits
from infra.spec.project import Project
from infra.spec.rollout import Gate, TimeLimits

GONE_QUIET = ""
"""The name that the look before `retire` goes by; no gate of a file is called so."""
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
        self._tools = Tools(project, ports, dated, asker, commands, sleep or self._stopped.wait, elapsed, now)
        self._gates, self._limits, self._window = gates, limits, window
        self._endpoints: dict[str, str] = {}

    def gate(self, rollout: str, wave: str, target: Target, name: str, *, since: datetime | None = None) -> GateResult:
        """What a gate finds at every deployment of a target that moves. Never raises.

        `since`: from when on metrics are looked at, by our clock. The name '' is the look before `retire`.
        """
        return self._at_all(target, lambda move: self._look(rollout, wave, target, move, name, since))

    def foretell(self, target: Target, name: str) -> str:
        """What a gate would do at a target. Raises SpecError for what is written wrong."""
        kind = self._kind(name)
        return "; ".join(kind.foretell(move) for move in target.moves) or "would do nothing: nothing moves there"

    def stop(self) -> None:
        """Begin nothing more, and end the user's commands that run; what is cut off is inconclusive."""
        self._stopped.set()
        self._tools.asker.stop()
        self._tools.commands.stop()

    def _look(
        self, rollout: str, wave: str, target: Target, move: Move, name: str, since: datetime | None
    ) -> GateResult:
        if name == GONE_QUIET:
            return self._quiet(target, move, since)
        kind = self._kind(name)
        return kind.look(Candidate(rollout, wave, name, target, move, self._endpoint(target.account)), since)

    def _kind(self, name: str) -> Kind:
        rule = self._gates.get(name) or (Gate(ready=True) if name == Ready.key else None)
        key = next((key for key in KINDS if rule is not None and getattr(rule, key) is not None), None)
        if rule is None or key is None:
            raise SpecError([Mistake("stacks/rollout.yaml", 0, f"gates/{name}", "there is no gate of this name")])
        return KINDS[key](rule, rule.timeout or self._limits.gate, self._tools)

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
        passed = self._window if since is None else max(tools.now() - since, timedelta())
        span = min(self._window, passed - min(quiet.LAGGARDS, passed / 2))
        found = quiet.use(
            tools.ports.metrics, target.account, slot, tools.limits.ping_tokens.value,
            since=listing.at - span, now=listing.at,
        )  # fmt: skip
        if not found.calls:
            return GateResult(outcome="pass", reason=f"{slot}: no call but ours in {show(span)}", figures={"calls": 0})
        last = f", the last one after {found.last:%Y-%m-%d %H:%M} UTC" if found.last else ""
        reason = f"{slot} is still called: {found.calls} calls in {show(span)} that are not ours{last}"
        return GateResult(outcome="fail", reason=reason, figures={"calls": found.calls})

    def _at_all(self, target: Target, look: Callable[[Move], GateResult]) -> GateResult:
        if not target.moves:
            return GateResult(outcome="pass", reason="nothing moves there")
        return combined([(move.deployment, _caught(lambda move=move: look(move))) for move in target.moves])  # type: ignore[misc]


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


def combined(found: Sequence[tuple[str, GateResult]]) -> GateResult:
    """One result of several deployments: as bad as the worst, which is told first."""
    if len(found) == 1:
        return found[0][1]
    outcome = worst([result.outcome for _, result in found])
    told = sorted(found, key=lambda one: WORST.index(one[1].outcome))
    reason = "; ".join(f"{name}: {result.reason}" for name, result in told)
    figures = {f"{name}.{key}": value for name, result in found for key, value in result.figures.items()}
    return GateResult(outcome=outcome, reason=reason, figures=figures)


def _caught(look: Callable[[], GateResult]) -> GateResult:
    """The result; whoever could not look has found nothing."""
    try:
        return look()
    except HearthError as error:
        return GateResult(outcome="inconclusive", reason=" ".join(str(error).split()))
    except Exception as error:  # a rollout of days does not die of one answer that nobody foresaw
        _log.exception("a gate stumbled")
        return GateResult(outcome="inconclusive", reason=f"the gate stumbled: {error!r}")
