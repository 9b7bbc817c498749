"""Kills at seeded moments: who is killed, in which phase of a stack's life, and at which request to Azure."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from infra.localazure import ids
from tests.desk import TRAIN_ACCOUNT, Desk, wait_for

STACK = "local-source"
PHASES = ("creating", "capacity", "model and capacity", "deleting")
VICTIMS = ("engine", "plugin", "language host", "program")
_WRITES = {"creating": 5, "capacity": 2, "model and capacity": 2, "deleting": 5}
"""Writes to Azure in each phase: of group, account, role and two deployments; of both; in two steps of one; of all."""
_MOST_LATER = 3


@dataclass(frozen=True)
class Moment:
    """When the signal falls: once Azure has done write number `write` and `later` more requests, and not said so."""

    seed: int
    phase: str
    victim: str
    write: int
    later: int

    @classmethod
    def of(cls, seed: int) -> Moment:
        """The moment of a seed: sixteen in a row kill everybody in every phase, twenty after every write."""
        phase, turn = PHASES[seed % 4], seed // 4
        write = 1 + turn % _WRITES[phase]
        # A deletion is answered at once, so that nothing comes after one but the next.
        most = _WRITES[phase] - write if phase == "deleting" else _MOST_LATER
        later = random.Random(seed).randint(0, min(most, _MOST_LATER))  # noqa: S311
        return cls(seed, phase, VICTIMS[(seed + turn) % 4], write, later)


@dataclass(frozen=True)
class End:
    """How a kill ended, for the table."""

    moment: Moment
    code: int
    recovered: str
    state: str

    HEAD = "| seed | phase | victim | write | later | its own exit | hearth recover said | end state |"

    def row(self) -> str:
        """The row of the table."""
        m = self.moment
        fields = (m.seed, m.phase, m.victim, m.write, m.later, self.code, self.recovered, self.state)
        return f"| {' | '.join(map(str, fields))} |"


class Killing:
    """One stack with two deployments, killed again and again."""

    def __init__(self, desk: Desk) -> None:
        """Declare a second deployment, whose model will change."""
        self.desk = desk
        self.models = [desk.tune("a"), desk.tune("b")]
        desk.declare(STACK, "second-bot", self.models[0])
        self.capacity = {"legacy-bot": 1, "second-bot": 1}
        self.is_up = False

    def run(self, moment: Moment) -> End:
        """Bring the stack to where the phase begins, kill, recover, finish, and hold the end against the wish."""
        desk = self.desk
        wanted_up = moment.phase != "creating"
        if wanted_up != self.is_up:
            self._finish(destroy=not wanted_up)
        self._wish(moment)
        deleting = moment.phase == "deleting"
        with desk.at_write(moment.write, lambda: kill(desk, moment.victim, running.pid), later=moment.later) as struck:
            running = desk.start("pulumi", "--non-interactive", "destroy" if deleting else "up",
                                 "--yes", "--skip-preview", "--stack", STACK)  # fmt: skip
            code = running.wait()
        said = running.said()
        assert struck.is_set(), f"it ended before its moment came: {said}"
        assert code != 0, said
        wait_for(lambda: not desk.processes(), f"orphans live on: {desk.processes()}")
        recovered = desk.hearth("recover", STACK)
        # Whoever was deleting goes on with that, or thinks better of it.
        destroy = deleting and moment.seed % 8 < 4
        self._finish(destroy=destroy)
        state = self._require_nothing() if destroy else self._require_all()
        return End(moment, code, "; ".join(line.removeprefix(f"{STACK}: ") for line in recovered.splitlines()), state)

    def _wish(self, moment: Moment) -> None:
        if moment.phase == "capacity":
            self._set_capacity("legacy-bot")
        if moment.phase in {"capacity", "model and capacity"}:
            self._set_capacity("second-bot")
        if moment.phase == "model and capacity":
            record = self.desk.record_file("second-bot")
            record.write_text(record.read_text().replace(*self.models))
            self.models.reverse()

    def _set_capacity(self, name: str) -> None:
        before, after = self.capacity[name], self.capacity[name] % 7 + 1
        entry = f"model: {name}\n      sku: {{{{name: standard, capacity: {{}}}}}}"
        self.desk.change(STACK, entry.format(before), entry.format(after))
        self.capacity[name] = after

    def _finish(self, *, destroy: bool) -> None:
        if destroy:
            self.desk.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK)
        else:
            self.desk.up(STACK)
        self.is_up = not destroy

    # --- the end -----------------------------------------------------------------------------------------------------

    def _require_all(self) -> str:
        """Azure has each thing of the wish once, the state has the same, and neither wants a change."""
        desk, world = self.desk, self.desk.azure.world
        assert [g.name for g in world.groups] == ["rg-contoso-train"]
        assert [a.name for a in world.accounts] == ["contoso-train-ncus"]
        assert {d.name: d.capacity for d in world.deployments} == self.capacity
        assert desk.deployment("second-bot").model.name == self.models[0]
        assert len(self._grants()) == 1
        held = self._require_sound_state()
        assert len(held) == 5
        assert {ids.key(TRAIN_ACCOUNT), *(ids.key(d.id) for d in world.deployments)} < set(held)
        desk.pulumi("preview", "--expect-no-changes", "--stack", STACK)
        return "up: 5 resources, once each; preview without changes"

    def _require_nothing(self) -> str:
        """Azure has nothing of the wish any more, and neither has the state."""
        world = self.desk.azure.world
        assert not list(world.groups)
        assert not list(world.deployments)
        assert all(a.deleted_at for a in world.accounts)
        assert not self._grants()
        assert not self._require_sound_state()
        return "destroyed: nothing in Azure, nothing in the state"

    def _grants(self) -> list[str]:
        return [a.id for a in self.desk.azure.world.role_assignments if ids.key(a.scope) == ids.key(TRAIN_ACCOUNT)]

    def _require_sound_state(self) -> list[str]:
        """The ids that the state holds: each once, nothing under way, and no lock on it."""
        state = self.desk.state(STACK)
        assert not state.get("pending_operations")
        held = [str(r.get("id", "")).lower() for r in state.get("resources") or []]
        held = [one for one in held if one.startswith("/")]  # without the stack, components and providers
        assert len(held) == len(set(held)), held
        assert not list((self.desk.root / ".hearth").rglob("locks/**/*.json"))
        return held


def kill(desk: Desk, victim: str, engine: int) -> None:
    """End a process of a running engine for good."""
    if victim == "engine":
        os.kill(engine, signal.SIGKILL)
        return
    found = processes_of(victim, engine)
    if not found:
        listed = subprocess.run(["ps", "-wwef"], capture_output=True, text=True, check=True).stdout
        raise LookupError(f"the engine {engine} has no {victim}:\n{listed}")
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def processes_of(victim: str, engine: int) -> list[int]:
    """The ids of the processes that play this part for an engine."""
    rows = []
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        pid, parent, args = line.split(maxsplit=2)
        rows.append((int(pid), int(parent), args))

    def children(module: str) -> list[int]:
        return [pid for pid, parent, args in rows if parent == engine and f"-m infra.toolchain.{module} " in args]

    if victim == "plugin":
        return children("azure_native")
    if victim == "language host":
        return children("host")
    hosts = children("host")
    # The program is started by a host that may be gone by now; then it says whose it is.
    programs = [row for row in rows if "run_program.py" in row[2]]
    return [pid for pid, parent, args in programs if parent in hosts or args.endswith(f" {engine}")]
