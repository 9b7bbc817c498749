"""A rollout in a virtual world: an engine that fails, a process that crashes, people who answer; a clock that is moved.

The world keeps its own record of what was really done, and holds it against the issue's invariants at every start and
at the end. It knows the plan, but nothing of the machine's inside.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from infra.rollout.schedule import Machine
from infra.rollout.state import Ask, Job, Note, Report, State
from infra.rollout.values import Move, Plan, Target, Wave
from infra.spec.promotion import Served

OLD, NEW = Served(model="old"), Served(model="new")


def target(stack: str, strategy: str = "inPlace", standing: str = "move", *, plain: bool = False) -> Target:
    """A target whose one deployment goes from the old model to the new one; of an update it is the wish that does."""
    candidate = "bot" if strategy == "inPlace" else "bot-b"
    move = Move(
        deployment="bot", record="bot", strategy=strategy, before=OLD, after=NEW, active="bot", candidate=candidate
    )
    moves = () if standing in ("upToDate", "refused") or (standing == "update" and not plain) else (move,)
    wish = "d1635f" if standing == "update" else ""
    return Target(
        stack=stack, account=f"/{stack}", location="x", standing=standing, moves=moves, wish=wish, plain=plain
    )


def wave(name: str, targets: list[Target], **settings: object) -> Wave:
    """A wave that asks for nothing but what is said."""
    plain: dict[str, object] = {
        "concurrency": 2, "tolerance": 0, "strict": False, "bake": 0.0, "gates": (), "approval": None,
        "on_failure": "rollbackWave",
    }  # fmt: skip
    return Wave(name=name, targets=tuple(targets), **{**plain, **settings})  # type: ignore[arg-type]


def plan(*waves: Wave, **settings: object) -> Plan:
    """A plan of these waves."""
    kinds = {"smoke": "prompts", "watch": "metrics", "watch2": "metrics", "go": "approval", "mine": "command"}
    return Plan(fleet="hearth", commit="c0ffee", waves=waves, rollback_window=86400.0, gates=kinds, **settings)  # type: ignore[arg-type]


def random_plan(dice: random.Random, targets: int = 200, waves: int = 8, longest_bake: float = 7200.0) -> Plan:
    """A plan of many targets, every setting thrown."""
    parts = _partition(dice, targets, waves)
    made, number = [], 0
    for index, size in enumerate(parts):
        strategy = dice.choice(["inPlace", "beside"])
        members = [
            target(f"t{number + i:03}", strategy, dice.choices(["move", "update", "upToDate"], [7, 2, 1])[0])
            for i in range(size)
        ]
        number += size
        bake = min(dice.choice([0.0, 60.0, 1800.0, 7200.0]), longest_bake)
        gates = [gate for gate in ("smoke", "mine", "watch", "watch2", "go") if dice.random() < 0.3]
        made.append(
            wave(
                f"w{index}", members, concurrency=dice.randint(1, 12), tolerance=dice.choice([0, 0, 1, 3, size // 4]),
                strict=dice.random() < 0.4, bake=bake, gates=tuple(gates),
                approval=("ann",) if dice.random() < 0.2 else None,
                on_failure=dice.choice(["pause", "rollbackWave", "rollbackAll"]),
            )
        )  # fmt: skip
    if dice.random() < 0.5:
        made.append(wave("others", [target(f"o{i}", standing="update", plain=True) for i in range(dice.randint(1, 5))]))
    hooks = tuple(when for when in ("before", "after") if dice.random() < 0.3)
    return plan(*made, hooks=hooks, approvers={"go": ("bob",)}, approval_limit=86400.0)


def _partition(dice: random.Random, total: int, parts: int) -> list[int]:
    cuts = sorted(dice.sample(range(1, total), parts - 1))
    return [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True)]


@dataclass
class World:
    """The engine, the process and the people, on one virtual clock."""

    plan: Plan
    dice: random.Random
    failing: float = 0.02
    """Chance that a step fails."""
    crashing: float = 0.01
    """Chance, at every event, that the process dies before it wrote down what it decided."""
    meddling: float = 0.0
    """Chance, at every event, that somebody pauses, aborts or rolls back."""
    now: float = 1_000_000.0

    state: bytes = b""
    running: dict[str, tuple[Job, int]] = field(default_factory=dict)
    """Jobs that an engine works at: the job and the step it is at."""
    ended: dict[str, Report] = field(default_factory=dict)
    """What ended, kept until the process has written down that it knows."""
    asks: list[Ask] = field(default_factory=list)
    events: list[tuple[float, int, str]] = field(default_factory=list)
    model: dict[str, str] = field(default_factory=dict)
    """What each target really serves: old, new, or between."""
    passed_at: dict[str, float] = field(default_factory=dict)
    looked: dict[str, float] = field(default_factory=dict)
    """When the last look at a target's metrics began that it passed with every gate."""
    failures: dict[str, set[str]] = field(default_factory=dict)
    yes: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    halting: bool = False
    patience: int = 0

    def __post_init__(self) -> None:
        self.state = msgspec.json.encode(State.new(self.plan))
        self.waves = {wave.name: wave for wave in self.plan.waves}
        self.wave_of = {t.stack: wave for wave in self.plan.waves for t in wave.targets}
        self.targets = {t.stack: t for wave in self.plan.waves for t in wave.targets}
        self.model = {stack: "new" if t.standing == "upToDate" else "old" for stack, t in self.targets.items()}
        self.stays = {stack for stack, t in self.targets.items() if t.standing == "update"}
        """Those that no rollout can take back."""
        self.failures = {name: set() for name in self.waves}
        self._tick = 0

    # --- the process -------------------------------------------------------------------------------------------------

    def beat(self) -> Machine:
        """What the process does at every event: read its state, be told, decide, write down and start at once."""
        kept = msgspec.json.decode(self.state, type=State)
        machine = Machine(self.plan, kept)
        for job in list(kept.jobs):
            if job in self.ended:
                machine.report(self.ended[job])
        for ask in self.asks[kept.asks_seen :]:
            machine.ask(ask)
        kept.asks_seen = len(self.asks)
        started = machine.due(self.now)
        if self.dice.random() < self.crashing:
            self.counts["crashes"] += 1
            self._engines_die()
            return self.beat()  # somebody starts it again; what it had decided was never written
        self.state = msgspec.json.encode(kept)
        self.notes += machine.notes()
        self.halting = machine.halting
        for job in started:
            self._begin(job)
        return machine

    def _engines_die(self) -> None:
        """The steps under way begin again: at least once is what is promised."""
        for name in self.running:
            self._later(name)

    # --- the engine --------------------------------------------------------------------------------------------------

    def _begin(self, job: Job) -> None:
        self._check_start(job)
        assert job.id not in self.running, "a job is started once"
        self.running[job.id] = (job, 0)
        self._later(job.id)
        self.counts[job.kind] += 1

    def _later(self, name: str) -> None:
        self._tick += 1
        heapq.heappush(self.events, (self.now + self.dice.expovariate(1 / 40), self._tick, name))

    def _step_ends(self, name: str) -> None:
        if name not in self.running:
            return  # its engine had died, and the later one has ended it
        job, at = self.running[name]
        if self.halting and job.kind in ("change", "watch"):
            self._job_ends(job, Report(name, "stopped", at, "told to stop"))
            return
        outcome = self._outcome(job, at)
        if job.target is not None and job.steps[at].phase is not None:
            self._changed(job.target, job.steps[at].phase, outcome, last=at + 1 == len(job.steps))
        if outcome != "done":
            self._job_ends(job, Report(name, outcome, at, f"{job.steps[at]} {outcome}"))  # type: ignore[arg-type]
        elif at + 1 < len(job.steps):
            self.running[name] = (job, at + 1)
            self._later(name)
        else:
            self._job_ends(job, Report(name, "done"))

    def _outcome(self, job: Job, at: int) -> str:
        thrown = self.dice.random()
        if thrown < self.failing:
            return "failed"
        if thrown < self.failing * 1.2:
            return "halted"
        if job.steps[at].gate is not None and thrown < self.failing * 1.5:
            return "inconclusive"
        if job.kind == "change" and thrown < self.failing * 1.6:
            return "foreign"
        return "done"

    def _changed(self, stack: str, phase: str | None, outcome: str, *, last: bool) -> None:
        if outcome == "foreign":
            return
        if phase == "undo":
            self.model[stack] = "old" if outcome == "done" else "between"
        else:
            self.model[stack] = "new" if outcome == "done" and last else "between"

    def _job_ends(self, job: Job, report: Report) -> None:
        del self.running[job.id]
        self.ended[job.id] = report
        if job.target is None:
            return
        if job.kind in ("change", "watch") and report.outcome == "failed":
            self.failures[job.wave].add(job.target)
        if job.kind == "change" and report.outcome == "done":
            self.passed_at[job.target], self.model[job.target] = self.now, "new"
        if job.kind == "watch" and report.outcome == "done":
            self.looked[job.target] = self.now

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _check_start(self, job: Job) -> None:
        wave = self.waves[job.wave]
        others = [other for other, _ in self.running.values()]
        busy = len(others) + 1
        if job.target in self.stays:
            assert [str(step) for step in job.steps] == ["place"], f"{job} at {job.target}, which is put up and no more"
        assert busy <= wave.concurrency, f"{busy} at once in {wave.name}, which allows {wave.concurrency}"
        assert all(other.target != job.target or job.target is None for other in others), f"two at {job.target}"
        if job.kind == "change":
            failed = len(self.failures[job.wave])
            assert failed <= wave.tolerance, f"{job.target} starts though {failed} failed in {wave.name}"
            if wave.strict:
                changing = sum(other.kind == "change" for other in others)
                assert changing + failed <= wave.tolerance, f"strict: {changing} run and {failed} failed"
            self._check_before(wave)
            assert not self.halting, "nothing starts while the rollout ends"

    def _check_before(self, wave: Wave) -> None:
        """Every wave before it is whole, baked and passed."""
        assert wave.approval is None or wave.name in self.yes, f"{wave.name} starts without its yes"
        for earlier in self.plan.waves[: self.plan.waves.index(wave)]:
            changed = []
            for one in earlier.targets:
                if one.standing == "upToDate":
                    continue
                tolerated = one.stack in self.failures[earlier.name]
                assert self.model[one.stack] == "new" or tolerated, f"{one.stack} of {earlier.name} is not done"
                if tolerated and earlier.on_failure != "pause" and one.stack not in self.stays:
                    assert self.model[one.stack] == "old", f"{one.stack} failed and was not undone"
                changed += [] if tolerated else [one.stack]
            assert len(self.failures[earlier.name]) <= earlier.tolerance
            if changed:
                done = max(self.passed_at[stack] for stack in changed)
                assert self.now >= done + earlier.bake, f"{earlier.name} has not baked"
                if any(gate.startswith("watch") for gate in earlier.gates):
                    watched = set(changed) - self.stays
                    assert all(self.looked.get(stack, 0) >= done + earlier.bake for stack in watched)
                assert "go" not in earlier.gates or f"{earlier.name}/go" in self.yes

    def check_end(self, machine: Machine) -> None:
        """What stands is what the outcome says."""
        assert not self.running, "something still runs after the end"
        outcome, stood = machine.state.outcome, Counter(self.model.values())
        spots = machine.state.spots
        for stack, spot in spots.items():
            if spot.status in ("passed", "upToDate"):
                assert self.model[stack] == "new", f"{stack} passed"
            elif spot.status in {"undone", "notTried"}:
                assert self.model[stack] == "old", f"{stack} is {spot.status} but serves {self.model[stack]}"
            else:
                assert spot.reason, f"{stack} is {spot.status} for no reason"
        if outcome == "succeeded":
            for stack, model in self.model.items():
                wave = self.wave_of[stack]
                tolerated = stack in self.failures[wave.name]
                assert model == "new" or tolerated, f"{stack} serves {model} at the end"
                half = wave.on_failure == "pause" or stack in self.stays
                assert model != "between" or half, f"{stack} was left half changed"
        if outcome == "rolledBack":
            for one in self._scope(machine):
                if one.stack not in self.stays:
                    assert self.model[one.stack] == ("new" if one.standing == "upToDate" else "old"), one.stack
                elif self.model[one.stack] != "old":
                    assert any(note.target == one.stack and "nothing is undone" in note.text for note in self.notes)
        assert sum(stood.values()) == len(self.targets)

    def _scope(self, machine: Machine) -> list[Target]:
        """The targets that a rollback is about, by what led to it."""
        why = [note for note in self.notes if note.kind in ("waveFailed", "rollbackAsked")][-1]
        if why.kind == "rollbackAsked":
            numbers = machine.state.undo.all if machine.state.undo else []
            return [one for number in numbers for one in self.plan.waves[number].targets]
        names = [wave.name for wave in self.plan.waves]
        last = names.index(why.wave or "")
        first = 0 if why.data["onFailure"] == "rollbackAll" else last
        return [one for wave in self.plan.waves[first : last + 1] for one in wave.targets]

    # --- the days ----------------------------------------------------------------------------------------------------

    def run(self) -> Machine:
        """To the end: events in their order, people when it waits for them."""
        machine = self.beat()
        for _ in range(100_000):
            if machine.ended:
                self.check_end(machine)
                return machine
            wake = machine.wake(self.now)
            coming = self.events[0][0] if self.events else None
            if coming is None and wake is None and not self._somebody_acts(machine):
                raise AssertionError(f"it waits for nothing: {machine.state}")
            if coming is not None and (wake is None or coming <= wake):
                self.now, _, name = heapq.heappop(self.events)
                self._step_ends(name)
            elif wake is not None:
                if machine.open_questions() and self.dice.random() < 0.7:
                    self._somebody_acts(machine)
                else:
                    self.now = wake if self.dice.random() < 0.9 else wake + 86400.0  # asleep for a day
            if self.dice.random() < self.meddling:
                self.ask(Ask(self.dice.choice(["pause", "rollbackWave", "rollbackAll", "abort"]), "eve"))  # type: ignore[arg-type]
            machine = self.beat()
        raise AssertionError("it never ends")

    def ask(self, ask: Ask) -> None:
        """A person asks for something."""
        self.asks.append(ask)
        self.counts[ask.what] += 1

    def _somebody_acts(self, machine: Machine) -> bool:
        """What a person does when it waits for one."""
        if machine.state.paused is not None:
            self.patience += 1
            choices = ["resume"] * 4 + ["rollbackWave", "rollbackAll", "abort"]
            self.ask(Ask(self.dice.choice(choices) if self.patience < 30 else "abort", "ann"))  # type: ignore[arg-type]
            self._forgiven(machine)
            return True
        questions = machine.open_questions()
        for gate, may in questions.items():
            what = "approve" if self.dice.random() < 0.85 else "deny"
            if what == "approve":
                name = self.plan.waves[machine.state.wave].name
                self.yes.add(f"{name}/{gate}" if gate else name)
            self.ask(Ask(what, may[0] if may else "ann", gate=gate))  # type: ignore[arg-type]
        return bool(questions)

    def _forgiven(self, machine: Machine) -> None:
        """Where failure pauses, a resume tries the failed ones again: they count anew."""
        if self.asks[-1].what == "resume" and machine.state.undo is None:
            wave = self.plan.waves[min(machine.state.wave, len(self.plan.waves) - 1)]
            if wave.on_failure == "pause":
                self.failures[wave.name].clear()


def thrown(seed: int, targets: int = 200, waves: int = 8) -> World:
    """A world whose plan, misfortunes and people come from the seed."""
    dice = random.Random(seed)  # noqa: S311 - the same again is the point
    wanted = random_plan(dice, targets, waves)
    share = 200 / targets
    failing = dice.choice([0.0, 0.0005, 0.002, 0.005, 0.02, 0.05]) * share
    return World(wanted, dice, failing, dice.choice([0.0, 0.01, 0.05]), dice.choice([0.0, 0.0005, 0.002]) * share)
