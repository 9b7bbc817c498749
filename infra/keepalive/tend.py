"""Tend: look at every watched deployment, decide, act, report. Safe to run twice at once, and to miss."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from infra.keepalive import watchlist
from infra.keepalive.act import Acts
from infra.keepalive.look import Look
from infra.keepalive.memory import Memory
from infra.keepalive.outside import Ports
from infra.keepalive.patience import CONCURRENCY, Patience
from infra.keepalive.plan import Step
from infra.keepalive.report import Row
from infra.spec.limits import Limits


class Tender:
    """Tends what watch lists name."""

    def __init__(
        self,
        ports: Ports,
        limits: Limits,
        memory: Memory | None = None,
        *,
        concurrency: int = CONCURRENCY,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`sleep` waits for seconds; `concurrency` is how many calls may run side by side."""
        self.ports = ports
        self._limits, self._memory = limits, memory
        self._patience = Patience(concurrency, sleep)
        self._acts = Acts(ports, memory, self._patience, limits.sibling_wait.value)

    def look(self, wanted: Iterable[watchlist.WatchList]) -> list[Step]:
        """What is to be done about every deployment of the lists, and why. Reads; calls no deployment."""
        return Look(self.ports, self._limits, self._memory, self._patience).at(wanted)

    def act(self, steps: list[Step], *, yes: bool = False, dry_run: bool = False) -> list[Row]:
        """Do what the steps say, and tell how each went. `yes` lets `retire` delete."""
        return self._acts.on(steps, yes=yes, dry_run=dry_run)
