"""What comes next in a rollout: pure, told of every event and the time.

`Machine` is told what ended (`report`) and what people asked (`ask`), and says what is to start now (`due`) and when
it wants to be woken (`wake`). All that it knows is its `State`, a value: whoever keeps it can go on from there after
any crash. Nothing here reads a clock or acts. Times are seconds since 1970.

A wave goes through these stages, and the next one starts only when it is through:

    approve     a person's yes, where the wave asks for one
    before      the user's own commands
    change      every target: placed, its gates, and beside: switched; those that fail are undone while tolerated
    bake        a waiting time under watch: the metrics gates every few minutes and once at its end; approval gates
    after       the user's own commands

What fails beyond the tolerance ends the wave: pause, or undo the wave, or undo all. What nobody can decide (a gate
without an answer, a login that expired, somebody else at the stack) pauses the rollout: `resume` tries it again.
"""

from __future__ import annotations

from typing import Any, Literal

from infra.rollout.state import (
    Ask,
    Job,
    Kind,
    Note,
    Question,
    Report,
    Spot,
    Stage,
    State,
    Step,
    Undo,
    WaveState,
    change_steps,
    kind_of,
)
from infra.rollout.values import Outcome, Plan, Target, Wave

STAYS = "what its file says stays; git revert and a rollout of that take it back"
"""Of what a rollback does not undo."""


class Machine:
    """A rollout's order. Change it through `report` and `ask`, then ask what is `due`."""

    def __init__(self, plan: Plan, state: State) -> None:
        """`state` is changed in place."""
        self.plan, self.state = plan, state
        self._notes: list[Note] = []
        self._started: list[Job] = []

    # --- what it says ------------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Job]:
        """What is to start now; from here on it counts as under way."""
        self._started = []
        while self.state.outcome == "running" and self._advance(now):
            pass
        return self._started

    def wake(self, now: float) -> float | None:
        """When it wants to be asked again though nothing happened; None: not before something happens."""
        state = self.state
        if self.ended or state.paused is not None or state.undo is not None or state.wave == len(self.plan.waves):
            return None
        at = state.waves[state.wave]
        times = [question.until for question in at.questions.values() if question.answer is None]
        if at.stage == "bake":
            times += [at.bake_until, at.next_look]
        return min((time for time in times if time > now), default=None)

    def waiting_for(self, now: float) -> str:
        """What keeps it from its end, as the predicate of a sentence."""
        state = self.state
        busy = ", ".join(sorted({job.target or f"the commands of {job.wave}" for job in state.jobs.values()}))
        if self.ended:
            return f"has ended ({state.outcome})"
        if state.paused is not None:
            return f"is paused: {state.paused}"
        if state.aborted_by is not None or state.undo is not None:
            return f"is being {'rolled back' if state.undo else 'aborted'}{f': {busy}' if busy else ''}"
        return self._wave_waits_for(self.plan.waves[min(state.wave, len(self.plan.waves) - 1)], busy, now)

    def _wave_waits_for(self, wave: Wave, busy: str, now: float) -> str:
        at = self._wave_state(wave.name)
        questions = [
            (gate or f"wave {wave.name}") + (f" (by {' or '.join(by)})" if by else "")
            for gate, by in self.open_questions().items()
        ]
        if questions:
            return f"waits for a yes for {' and '.join(questions)}"
        if busy:
            return f"waits for {busy} in wave {wave.name}"
        if at.stage == "bake":
            return f"bakes wave {wave.name} for {max(at.bake_until - now, 0.0) / 60:.0f} more minutes"
        return f"is at wave {wave.name}"

    def notes(self) -> list[Note]:
        """What went on since it was asked last, for the audit trail."""
        found, self._notes = self._notes, []
        return found

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state.outcome != "running"

    @property
    def outcome(self) -> Outcome:
        """How it ended, or that it is running, or paused."""
        return "paused" if self.state.paused is not None and not self.ended else self.state.outcome

    @property
    def passed(self) -> list[str]:
        """The stacks that serve the new model by now because of it."""
        return [stack for stack, spot in self.state.spots.items() if spot.status == "passed"]

    @property
    def halting(self) -> bool:
        """Whether changes under way are to stop before their next step."""
        return self.state.aborted_by is not None or self.state.undo is not None

    # --- what it is told ---------------------------------------------------------------------------------------------

    def report(self, report: Report) -> None:
        """A job has ended. One that is not under way is none of ours any more."""
        job = self.state.jobs.pop(report.job, None)
        if job is None:
            return
        if job.kind == "hook":
            self._hook_ended(job, report)
        elif job.kind == "change":
            self._change_ended(job, report)
        elif job.kind == "watch":
            self._watch_ended(job, report)
        else:
            self._undo_ended(job, report)

    def ask(self, ask: Ask) -> None:
        """A person asks for something."""
        state = self.state
        if ask.what in ("rollbackWave", "rollbackAll"):
            self._rollback_asked(ask)
        elif self.ended:
            return
        elif ask.what == "pause" and state.paused is None:
            self._pause(f"asked by {ask.who}{_said(ask)}", who=ask.who)
        elif ask.what == "resume" and state.paused is not None:
            self._resume(ask)
        elif ask.what == "abort" and state.aborted_by is None:
            state.aborted_by, state.paused = ask.who, None
            self._note("abortAsked", who=ask.who, text=ask.comment)
        elif ask.what in ("approve", "deny"):
            self._answered(ask)

    # --- the story ---------------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> bool:
        """Decide one thing; False where there is nothing to decide before something happens."""
        state = self.state
        if state.aborted_by is not None:
            return self._abort()
        if state.paused is not None:
            return False
        if state.undo is not None:
            return self._roll_back(state.undo)
        if state.wave == len(self.plan.waves):
            return self._end("succeeded", "every wave is done")
        wave, at = self.plan.waves[state.wave], state.waves[state.wave]
        stages = {
            "approve": self._approve, "before": self._before, "change": self._change, "bake": self._bake,
            "after": self._after, "done": self._next_wave,
        }  # fmt: skip
        return stages[at.stage](wave, at, now)

    def _approve(self, wave: Wave, at: WaveState, now: float) -> bool:
        if not any(self._spot(target).status == "waiting" for target in wave.targets):
            return self._enter(at, "change")  # nothing to do here: nobody is asked
        if wave.approval is not None and not self._has_yes(wave, at, "", now):
            return self._questions_decided(wave, at)
        self._note("waveStarted", wave=wave.name)
        return self._enter(at, "before")

    def _before(self, wave: Wave, at: WaveState, now: float) -> bool:
        return self._hook(wave, at, "before", then="change")

    def _change(self, wave: Wave, at: WaveState, now: float) -> bool:
        if self._tolerance_used_up(wave):
            return self._fail_once_quiet(wave)
        if self._undo_tolerated(wave):
            return True
        waiting = [target for target in wave.targets if self._spot(target).status == "waiting"]
        if waiting and self._room(wave, changing=True):
            return self._start("change", wave, waiting[0], self._spot(waiting[0]).todo)
        if waiting or self.state.jobs:
            return False
        found = {self._spot(target).status for target in wave.targets}
        return self._enter(at, "bake" if "passed" in found else "done" if found <= {"upToDate"} else "after")

    def _bake(self, wave: Wave, at: WaveState, now: float) -> bool:
        if at.bake_from is None:
            self._begin_bake(wave, at, now)
        if self._tolerance_used_up(wave):
            return self._fail_once_quiet(wave)
        if self._undo_tolerated(wave) or self._watch(wave, at, now):
            return True
        asked = [gate for gate in wave.gates if kind_of(self.plan, gate) == "approval"]
        if not all([self._has_yes(wave, at, gate, now) for gate in asked]):  # noqa: C419  every one of them is asked
            return self._questions_decided(wave, at)
        if self.state.jobs or now < at.bake_until or not at.looked_at_end:
            return False
        self._note("bakeDone", wave=wave.name)
        return self._enter(at, "after")

    def _after(self, wave: Wave, at: WaveState, now: float) -> bool:
        return self._hook(wave, at, "after", then="done")

    def _next_wave(self, wave: Wave, at: WaveState, now: float) -> bool:
        self.state.wave += 1
        self._note("waveDone", wave=wave.name)
        return True

    def _roll_back(self, undo: Undo) -> bool:
        if any(job.kind != "undo" for job in self.state.jobs.values()):
            return False  # those in flight stop first: no target is changed and undone at once
        if not undo.started:
            undo.started = True
            waves = [self.plan.waves[number].name for number in undo.all]
            self._note("rollbackStarted", text=undo.why, data={"waves": waves})
        if not undo.waves:
            return self._rolled_back(undo)
        wave = self.plan.waves[undo.waves[0]]
        left = [target for target in wave.targets if self._must_be_undone(target)]
        if left and self._room(wave):
            return self._start_undo(wave, left[0])
        if left or self.state.jobs:
            return False
        for target in wave.targets:
            self._tell_what_stays(wave, target)
        undo.waves.pop(0)
        return True

    def _tell_what_stays(self, wave: Wave, target: Target) -> None:
        """What a rollback leaves as the commit has it: git takes that back."""
        if not self._spot(target).touched:
            return
        if not target.undoable:
            self._note("note", wave=wave.name, target=target.stack, text=f"nothing is undone: {STAYS}")
        elif target.wish:
            self._note("note", wave=wave.name, target=target.stack, text=f"its models alone are undone: {STAYS}")

    def _undo_again(self, undo: Undo) -> None:
        """Go back to waves that were left with something to undo."""
        left = {n for n in undo.all if any(self._must_be_undone(target) for target in self.plan.waves[n].targets)}
        undo.waves = [n for n in undo.all if n in left or n in undo.waves]

    def _rolled_back(self, undo: Undo) -> bool:
        scope = [self._spot(target) for number in undo.all for target in self.plan.waves[number].targets]
        if any(spot.status == "undoFailed" for spot in scope):
            return self._end("rollbackFailed", undo.why)
        if not undo.asked and all(spot.status != "undone" for spot in scope):
            return self._end("failed", undo.why)  # nothing had been changed
        self._note("rollbackDone")
        return self._end("rolledBack", undo.why)

    def _abort(self) -> bool:
        if self.state.jobs:
            return False
        return self._end("aborted", f"aborted by {self.state.aborted_by}")

    # --- questions, commands, bake ---------------------------------------------------------------------------------

    def _has_yes(self, wave: Wave, at: WaveState, gate: str, now: float) -> bool:
        """Ask a person once; True once the answer is yes. Nobody's answer pauses the rollout after a while."""
        question = at.questions.get(gate)
        if question is None:
            at.questions = {**at.questions, gate: Question(now + self.plan.approval_limit)}
            may = wave.approval if not gate else self.plan.approvers.get(gate, ())
            self._note("approvalAsked", wave=wave.name, gate=gate or None, data={"by": list(may or ())})
            return False
        if question.answer is None and now >= question.until:
            del at.questions[gate]  # a resume asks again
            self._pause(f"nobody answered for {gate or wave.name} in time")
        return question.answer == "yes"

    def _questions_decided(self, wave: Wave, at: WaveState) -> bool:
        """Whether a question decided something: a no ends the wave."""
        denied = [gate for gate, question in at.questions.items() if question.answer == "no"]
        if denied and not self.state.jobs:
            return self._fail(wave, f"{denied[0] or wave.name} was denied")
        return False

    def _hook(self, wave: Wave, at: WaveState, when: Literal["before", "after"], then: Stage) -> bool:
        done = at.hooks.get(when)
        if when not in self.plan.hooks or done == "done":
            return self._enter(at, then)
        if done == "failed":
            return self._fail(wave, f"the commands {when} the wave failed")
        if self.state.jobs:
            return False
        self._add(Job(self._id(wave.name, f"hook-{when}"), "hook", wave.name, (Step(hook=when),)))
        return True

    def _begin_bake(self, wave: Wave, at: WaveState, now: float) -> None:
        at.bake_from, at.bake_until = now, now + wave.bake
        at.next_look = min(now + self.plan.check_every, at.bake_until)
        at.looked_at_end = not self._metrics(wave)
        at.look = None
        self._note("bakeStarted", wave=wave.name, data={"until": at.bake_until})

    def _watch(self, wave: Wave, at: WaveState, now: float) -> bool:
        """Look at the metrics of every target when it is time; the look that begins at the end decides."""
        if at.look is None:
            if at.looked_at_end or now < at.next_look:
                return False
            at.look = now
            return True
        passed = [t for t in wave.targets if self._spot(t).status == "passed" and t.undoable]
        left = [target for target in passed if self._spot(target).watched < at.look]
        left = [target for target in left if not self._busy(target)]
        if left and self._room(wave):
            steps = tuple(Step(gate=gate) for gate in self._metrics(wave))
            return self._start("watch", wave, left[0], steps, since=at.bake_from)
        if left or self.state.jobs:
            return False
        at.looked_at_end = at.look >= at.bake_until
        at.next_look = max(min(at.look + self.plan.check_every, at.bake_until), at.look)
        at.look = None
        return True

    # --- what ended --------------------------------------------------------------------------------------------------

    def _change_ended(self, job: Job, report: Report) -> None:
        spot = self.state.spots[job.target or ""]
        # Whatever was begun may have changed something, but for what was stopped before its first step.
        spot.touched |= not (report.at == 0 and report.outcome in ("stopped", "foreign"))
        spot.reason = report.reason
        if report.outcome == "done":
            spot.status, spot.todo = "passed", ()
        elif report.outcome == "failed":
            spot.status, spot.failed = "failed", True
        elif report.outcome == "stopped":
            spot.status, spot.todo = "waiting", job.steps[report.at :]
        else:
            spot.status, spot.todo = "held", job.steps[report.at :]
            self._pause(f"{job.target}: {job.steps[report.at]}: {report.reason}")

    def _watch_ended(self, job: Job, report: Report) -> None:
        spot, at = self.state.spots[job.target or ""], self._wave_state(job.wave)
        decides = at.look is not None and at.look >= at.bake_until
        if report.outcome == "failed":
            spot.status, spot.failed, spot.reason = "failed", True, report.reason
        elif report.outcome == "done" or (report.outcome == "inconclusive" and not decides):
            spot.watched = at.look or 0.0
        elif report.outcome != "stopped":
            self._pause(f"{job.target}: {job.steps[report.at]}: {report.reason}")

    def _undo_ended(self, job: Job, report: Report) -> None:
        spot = self.state.spots[job.target or ""]
        if report.outcome == "done":
            spot.status = "undone"
        elif report.outcome in ("halted", "stopped"):
            spot.status, spot.reason = "failed", report.reason  # it stays to be undone
            self._pause(f"{job.target}: {report.reason}")
        else:
            spot.status, spot.reason = "undoFailed", report.reason
            if self.state.undo is None:  # in a rollback the others go on, and its end says it
                self._pause(f"{job.target} could not be undone: {report.reason}")

    def _hook_ended(self, job: Job, report: Report) -> None:
        at, when = self._wave_state(job.wave), job.steps[0].hook or "before"
        if report.outcome in ("done", "failed"):
            at.hooks = {**at.hooks, when: report.outcome}
        elif report.outcome != "stopped":
            self._pause(f"the commands {when} wave {job.wave}: {report.reason}")

    # --- what people ask ---------------------------------------------------------------------------------------------

    def _answered(self, ask: Ask) -> None:
        open_ones = self.open_questions()
        gate = ask.gate if ask.gate is not None else next(iter(open_ones), None)
        if gate is None or gate not in open_ones:
            return
        wave = self.plan.waves[self.state.wave]
        may = open_ones[gate]
        if may and ask.who not in may:
            text = f"an answer of theirs does not count; who may answer: {', '.join(may)}"
            self._note("note", wave=wave.name, gate=gate or None, who=ask.who, text=text)
            return
        self.state.waves[self.state.wave].questions[gate].answer = "yes" if ask.what == "approve" else "no"
        kind = "approved" if ask.what == "approve" else "denied"
        self._note(kind, wave=wave.name, gate=gate or None, who=ask.who, text=ask.comment)

    def open_questions(self) -> dict[str, tuple[str, ...]]:
        """What people are asked now, by gate ('' for the wave itself), and who may answer (empty: anybody)."""
        if self.ended or self.state.wave == len(self.plan.waves):
            return {}
        wave, at = self.plan.waves[self.state.wave], self.state.waves[self.state.wave]
        asked = [gate for gate, question in at.questions.items() if question.answer is None]
        return {gate: (wave.approval or ()) if not gate else self.plan.approvers.get(gate, ()) for gate in asked}

    def _resume(self, ask: Ask) -> None:
        """Try again what stopped it: targets held or failed, a denied question, commands that failed."""
        state = self.state
        state.paused = None
        self._note("resumed", who=ask.who, text=ask.comment)
        for spot in state.spots.values():
            if spot.status == "undoFailed":
                spot.status = "failed"  # it stays to be undone
        if state.undo is not None:
            self._undo_again(state.undo)
        if state.undo is not None or state.wave == len(self.plan.waves):
            return
        wave, at = self.plan.waves[state.wave], state.waves[state.wave]
        at.questions = {gate: q for gate, q in at.questions.items() if q.answer == "yes"}  # the others are asked anew
        at.hooks = {when: how for when, how in at.hooks.items() if how == "done"}
        for target in wave.targets:
            spot = self._spot(target)
            if spot.status == "held":
                spot.status = "waiting"
            elif spot.status in ("failed", "notTried") and wave.on_failure == "pause" and target.standing != "refused":
                again = spot.todo if spot.status == "notTried" else change_steps(self.plan, wave, target)
                self.state.spots[target.stack] = Spot(todo=again, touched=spot.touched)
        if at.stage == "bake" and any(self._spot(target).status == "waiting" for target in wave.targets):
            at.stage, at.bake_from = "change", None

    def _rollback_asked(self, ask: Ask) -> None:
        """Undo the wave at hand, or all. Also after the end: then it goes on with that."""
        state = self.state
        touched = [i for i, wave in enumerate(self.plan.waves) if any(self._spot(t).touched for t in wave.targets)]
        touched = [i for i in touched if i <= state.wave]
        running = [i for i, wave in enumerate(self.plan.waves) if any(self._busy(t) for t in wave.targets)]
        waves = sorted({*touched, *running}, reverse=True)
        if ask.what == "rollbackWave":
            waves = waves[:1]
        self._note("rollbackAsked", who=ask.who, text=ask.comment)
        for number in waves:
            for target in self.plan.waves[number].targets:
                if self._spot(target).status == "undoFailed":
                    self._spot(target).status = "failed"
        state.undo = Undo(waves, list(waves), f"asked by {ask.who}{_said(ask)}", asked=True)
        state.paused, state.aborted_by, state.outcome = None, None, "running"

    # --- failure and end ---------------------------------------------------------------------------------------------

    def _tolerance_used_up(self, wave: Wave) -> bool:
        return self._failures(wave) > wave.tolerance

    def _failures(self, wave: Wave) -> int:
        return sum(self._spot(target).failed for target in wave.targets)

    def _undo_tolerated(self, wave: Wave) -> bool:
        """Start to undo a target whose failure is tolerated; where failure pauses, a person looks at it first."""
        if wave.on_failure == "pause":
            return False
        spots = [(target, self._spot(target)) for target in wave.targets]
        left = [one for one, spot in spots if spot.status == "failed" and self._must_be_undone(one)]
        return bool(left) and self._room(wave) and self._start_undo(wave, left[0])

    def _fail_once_quiet(self, wave: Wave) -> bool:
        """Those in flight finish; then the wave has failed."""
        if self.state.jobs:
            return False
        failed = [target.stack for target in wave.targets if self._spot(target).failed]
        reason = self.state.spots[failed[-1]].reason
        return self._fail(wave, f"{', '.join(failed)} failed: {reason}", because=", ".join(failed))

    def _fail(self, wave: Wave, why: str, because: str = "") -> bool:
        self._note("waveFailed", wave=wave.name, text=why, data={"onFailure": wave.on_failure})
        for target in wave.targets:
            if self._spot(target).status == "waiting":
                self._not_tried(wave, target, f"not tried because of {because or why}")
        number = self.plan.waves.index(wave)
        if wave.on_failure == "pause":
            self._pause(why)
            return False
        undo = [number] if wave.on_failure == "rollbackWave" else list(range(number, -1, -1))
        self.state.undo = Undo(undo, list(undo), why)
        return True

    def _end(self, outcome: Outcome, why: str) -> bool:
        for wave in self.plan.waves:
            for target in wave.targets:
                if self._spot(target).status in ("waiting", "held"):
                    self._not_tried(wave, target, f"not tried: {why.partition(': ')[0]}")
        self.state.outcome = outcome
        self._note("ended", text=why, data={"outcome": outcome})
        return False

    def _not_tried(self, wave: Wave, target: Target, why: str) -> None:
        spot = self._spot(target)
        spot.status, spot.reason = ("notTried", why) if not spot.touched else ("failed", why)
        self._note("notTried", wave=wave.name, target=target.stack, text=why)

    def _pause(self, why: str, who: str | None = None) -> None:
        if self.state.paused is None and self.state.aborted_by is None:
            self.state.paused = why
            self._note("paused", text=why, who=who)

    # --- small things ------------------------------------------------------------------------------------------------

    def _room(self, wave: Wave, *, changing: bool = False) -> bool:
        """Whether one more may run. Strict: never more at once than may still fail, and one."""
        most = wave.concurrency
        if changing and wave.strict:
            most = min(most, wave.tolerance - self._failures(wave) + 1)
        return len(self.state.jobs) < most

    def _start(
        self, kind: Kind, wave: Wave, target: Target, steps: tuple[Step, ...], since: float | None = None
    ) -> bool:
        if kind != "watch":
            self._spot(target).status = "running"
        self._add(Job(self._id(target.stack, kind), kind, wave.name, steps, target.stack, since))
        return True

    def _start_undo(self, wave: Wave, target: Target) -> bool:
        return self._start("undo", wave, target, (Step(phase="undo"),))

    def _must_be_undone(self, target: Target) -> bool:
        spot = self._spot(target)
        return target.undoable and spot.touched and spot.status not in ("running", "undone", "undoFailed")

    def _add(self, job: Job) -> None:
        self.state.jobs[job.id] = job
        self._started.append(job)

    def _id(self, what: str, kind: str) -> str:
        self.state.jobs_made += 1
        return f"{what}:{kind}:{self.state.jobs_made}"

    def _enter(self, at: WaveState, stage: Stage) -> bool:
        at.stage = stage
        return True

    def _spot(self, target: Target) -> Spot:
        return self.state.spots[target.stack]

    def _busy(self, target: Target) -> bool:
        return any(job.target == target.stack for job in self.state.jobs.values())

    def _metrics(self, wave: Wave) -> list[str]:
        return [gate for gate in wave.gates if kind_of(self.plan, gate) == "metrics"]

    def _wave_state(self, name: str) -> WaveState:
        return self.state.waves[[wave.name for wave in self.plan.waves].index(name)]

    def _note(self, kind: str, **fields: Any) -> None:
        self._notes.append(Note(kind, **fields))


def _said(ask: Ask) -> str:
    return f": {ask.comment}" if ask.comment else ""
