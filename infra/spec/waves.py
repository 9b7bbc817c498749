"""`stacks/rollout.yaml` read, and held against the stacks that exist: every mistake at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from math import floor
from pathlib import PurePosixPath
from typing import Any

from infra.errors import Mistake, SpecError
from infra.spec import limits
from infra.spec.documents import Document, show
from infra.spec.documents import Path as At
from infra.spec.limits import did_you_mean
from infra.spec.model import Stack
from infra.spec.project import Project
from infra.spec.reading import BAD, Reader, describe
from infra.spec.rollout import (
    KINDS,
    Approval,
    Commands,
    Defaults,
    Gate,
    Rollout,
    RolloutFile,
    TimeLimits,
    WantedWave,
    Wave,
)
from infra.spec.rules import percent, rules

FILE = "rollout.yaml"
OTHERS = "others"
"""The name of the wave of stacks that no wave names."""
SLOT = "-b"
"""What the second of a deployment's two Azure names ends in."""
_OF_KIND: dict[str, tuple[str, ...]] = {
    "passRate": ("prompts",),
    "p95": ("prompts",),
    "worseBy": ("compare",),
    "timeout": tuple(kind for kind in KINDS if kind != "approval"),
}
"""Keys that only some kinds of gates have."""
DECIDED: dict[str, Any] = {
    "strategy": "inPlace",
    "concurrency": 2,
    "tolerance": 0,
    "tolerance_mode": "soft",
    "bake": timedelta(minutes=30),
    "on_failure": "rollbackWave",
    "gates": [],
}
"""What holds where neither a wave nor `defaults` says otherwise."""
Targets = list[str] | dict[str, str]


def has_rollout(project: Project) -> bool:
    """Whether there is a stacks/rollout.yaml."""
    return (project.stacks / FILE).exists()


def load_rollout(project: Project, stacks: list[Stack]) -> Rollout:
    """The file with its waves resolved; `stacks` are all that could be read. Raises SpecError with every mistake."""
    if not has_rollout(project):
        text = "does not exist; docs/rollout.md tells what it says"
        raise SpecError([Mistake(project.shown(project.stacks / FILE), 0, "", text)])
    reading = _Reading(project, stacks)
    rollout = reading.rollout()
    if rollout is None:
        raise SpecError(reading.mistakes)
    return rollout


def check_rollout(project: Project, stacks: list[Stack]) -> list[Mistake]:
    """Every mistake of the file, and of stacks that it cannot serve as they are; none where there is no file."""
    if not has_rollout(project):
        return []
    reading = _Reading(project, stacks)
    reading.rollout()
    return reading.mistakes


def names_in_rollout(project: Project) -> frozenset[str]:
    """The stacks that stacks/rollout.yaml names; none where there is no such file.

    Reads stack files only where labels decide, and of the file only what names targets: a slip in a gate stops no
    `pulumi up`. Raises SpecError where it cannot be told which stacks are named.
    """
    if not has_rollout(project):
        return frozenset()
    document, reader = project.document(project.stacks / FILE), Reader(rules())
    wanted = [targets for _, targets in _targets(document, reader)]
    if mistakes := [*document.mistakes, *_told(document, reader)]:
        raise SpecError(mistakes)
    known = project.stack_names()
    found = {name for one in wanted if isinstance(one, list) for item in one for name in _named(item, known)}
    if by_labels := [one for one in wanted if isinstance(one, dict)]:
        for name in (name for name in known if name not in found):
            labels = labels_of(project, name)
            found |= {name} if any(_bears(labels, one) for one in by_labels) else set()
    return frozenset(found)


def labels_of(project: Project, stack: str) -> Mapping[str, Any] | None:
    """The labels in a stack's file, as they are written; None for a file that is no configuration."""
    try:
        settings = project.config(stack).get("hearth:stack")
    except SpecError:
        return None
    labels = settings.get("labels") if isinstance(settings, dict) else None
    return labels if isinstance(labels, dict) else {}


def _targets(document: Document, reader: Reader) -> Iterator[tuple[int, Targets]]:
    """The targets of every wave that says them, be it wrong elsewhere; the others are noted."""
    waves = document.find(("waves",))
    if not isinstance(waves, list) or not waves:
        reader.mistakes += [] if document.mistakes else [(("waves",), "must be a list of waves, with one at least")]
        return
    for index, wave in enumerate(waves):
        given = wave.get("targets") if isinstance(wave, dict) else None
        try:
            yield index, rules()["targets"].check(given)
        except ValueError as error:
            reader.mistakes.append((("waves", index, "targets"), str(error)))


def _named(item: str, known: list[str]) -> list[str]:
    return [name for name in known if fnmatchcase(name, item)]


def _bears(labels: Mapping[str, Any] | None, wanted: Mapping[str, str]) -> bool:
    return labels is not None and wanted.items() <= {key: str(value) for key, value in labels.items()}.items()


def _told(document: Document, reader: Reader) -> list[Mistake]:
    return [Mistake(document.file, document.line(at), show(at), text) for at, text in reader.mistakes]


class _Reading:
    """The file on its way to a rollout."""

    def __init__(self, project: Project, stacks: list[Stack]) -> None:
        self.project, self.stacks = project, {stack.name: stack for stack in stacks}
        self.document = project.document(project.stacks / FILE)
        self.reader = Reader(rules())
        self.mistakes = list(self.document.mistakes)
        self.found: dict[int, tuple[str, ...]] = {}
        """Place of a wave in the file → its stacks."""
        self.labels: dict[str, Mapping[str, Any] | None] = {}

    def rollout(self) -> Rollout | None:
        """The rollout; None where there are mistakes."""
        if self.mistakes:
            return None
        if not isinstance(self.document.value, dict):
            self.mistakes.append(Mistake(self.document.file, 1, "", "must be a mapping with the key waves"))
            return None
        # Every part is looked at even where another is wrong, so that one run tells everything.
        parts = self.reader.fields(self.document.value, RolloutFile, ())
        self.defaults: Defaults = Defaults() if parts["defaults"] is BAD else parts["defaults"]
        self.gates: dict[str, Gate] = {} if parts["gates"] is BAD else parts["gates"]
        waves = {i: w for i, w in enumerate([] if parts["waves"] is BAD else parts["waves"]) if w is not BAD}
        self._resolve(waves)
        for name, gate in self.gates.items():
            self._check_gate(gate, ("gates", name))
        self._check_names(self.defaults.gates or [], ("defaults", "gates"))
        self._check_wave_names()
        for index, wave in waves.items():
            self._check_wave(wave, ("waves", index), len(self.found.get(index, ())))
        self._check_commands(parts["hooks"])
        self._check_limits(parts["limits"])
        self._check_slots({index: self._setting(wave, "strategy") for index, wave in waves.items()})
        self.mistakes = sorted({*self.mistakes, *_told(self.document, self.reader)})
        if self.mistakes:
            return None
        return Rollout(file=RolloutFile(**parts), waves=tuple(self._wave(w, self.found[i]) for i, w in waves.items()))

    def _wave(self, wave: Wave, stacks: tuple[str, ...]) -> WantedWave:
        tolerance = self._setting(wave, "tolerance")
        share = percent(tolerance)
        return WantedWave(
            name=wave.name,
            stacks=stacks,
            strategy=self._setting(wave, "strategy"),
            concurrency=self._setting(wave, "concurrency"),
            tolerance=tolerance if share is None else floor(len(stacks) * share / 100),
            strict=self._setting(wave, "tolerance_mode") == "strict",
            bake=self._setting(wave, "bake"),
            gates=tuple(self._setting(wave, "gates")),
            approval=None if wave.approval is None else tuple(wave.approval.by),
            on_failure=self._setting(wave, "on_failure"),
        )

    def _setting(self, wave: Wave, name: str) -> Any:
        said = [getattr(place, name) for place in (wave, self.defaults)]
        return next((value for value in said if value is not None), DECIDED[name])

    # --- targets ---------------------------------------------------------------------------------------------------

    def _resolve(self, waves: Mapping[int, Wave]) -> None:
        """Which stacks belong to which wave: to the first that names them."""
        known = self.project.stack_names()
        taken: dict[str, str] = {}
        for index, wanted in _targets(self.document, Reader(rules())):  # what is wrong in them was told already
            at: At = ("waves", index, "targets")
            here = self._match(wanted, known, at)
            mine = tuple(sorted(name for name in here if name not in taken))
            if here and not mine:
                listed = ", ".join(f"{name} ({taken[name]})" for name in sorted(here)[:5])
                self._bad(at, f"every stack that it names belongs to an earlier wave: {listed}; remove the wave")
            self.found[index] = mine
            title = waves[index].name if index in waves else f"the {index + 1}. wave"
            taken.update(dict.fromkeys(mine, title))

    def _match(self, wanted: Targets, known: list[str], at: At) -> set[str]:
        if isinstance(wanted, dict):
            self.labels = self.labels or {name: labels_of(self.project, name) for name in known}
            labels = self.labels
            found = {name for name in known if _bears(labels[name], wanted)}
            if not found and None not in labels.values():
                listed = ", ".join(f"{key}: {value}" for key, value in wanted.items())
                self._bad(at, f"no stack bears {listed}; labels stand in a stack's file below hearth:stack")
            return found
        found = set()
        for number, item in enumerate(wanted):
            here = _named(item, known)
            found.update(here)
            if not here:
                place = (*at, number) if (*at, number) in self.document.lines else at
                self._bad(place, f"no stack is called {describe(item)}{did_you_mean(item, known)}")
        return found

    # --- waves and gates -------------------------------------------------------------------------------------------

    def _check_wave(self, wave: Wave, at: At, targets: int) -> None:
        self._check_names(wave.gates or [], (*at, "gates"))
        self._check_tolerance(wave, at, targets)
        if wave.approval is not None:
            self._check_approval(wave.approval, (*at, "approval", "by"))
        told: At = (*at, "gates") if wave.gates is not None else (*at, "name")
        for name in self._setting(wave, "gates"):
            gate = self.gates.get(name)
            if gate is not None and gate.compare is not None and self._setting(wave, "strategy") == "inPlace":
                self._bad(told, f"{name} compares two models, and in place there is one; take strategy: beside")
            if gate is not None and gate.metrics is not None and not self._setting(wave, "bake"):
                self._bad(told, f"{name} reads the metrics of the bake, and the wave has none; set bake, such as 30m")

    def _check_wave_names(self) -> None:
        waves = self.document.find(("waves",))
        if waves == []:
            self._bad(("waves",), "must hold one wave at least")
        first: dict[str, int] = {}
        for index in range(len(waves) if isinstance(waves, list) else 0):
            name = self.document.find(("waves", index, "name"))
            if name == OTHERS:
                text = "is the name of the last wave, of the stacks that no wave names; take another name"
                self._bad(("waves", index, "name"), text)
            if isinstance(name, str) and first.setdefault(name, index) != index:
                text = f"the {first[name] + 1}. wave is called {name} too; give one of them another name"
                self._bad(("waves", index, "name"), text)

    def _check_tolerance(self, wave: Wave, at: At, targets: int) -> None:
        tolerance = self._setting(wave, "tolerance")
        if isinstance(tolerance, int) and tolerance > targets > 0:
            own = wave.tolerance is not None
            here, of = ((*at, "tolerance"), "the wave has") if own else (("defaults", "tolerance"), f"{wave.name} has")
            many = f"{of} {targets} target{'s' if targets > 1 else ''}"
            self._bad(here, f"{tolerance} may not fail where {many}; write fewer, or a share such as 10%")

    def _check_names(self, names: list[str], at: At) -> None:
        known = self.document.find(("gates",))
        known = list(known) if isinstance(known, dict) else []
        for number, name in enumerate(names):
            if name is not BAD and name not in known:
                self._bad((*at, number), f"there is no gate {describe(name)} below gates{did_you_mean(name, known)}")

    def _check_gate(self, gate: Gate, at: At) -> None:
        kinds = [kind for kind in KINDS if getattr(gate, kind) is not None]
        if len(kinds) != 1:
            has = f"has {' and '.join(kinds)}; make a gate of each" if kinds else "says nothing to look at; add one"
            self._bad(at, f"a gate is exactly one of {', '.join(KINDS)}: this one {has}")
            return
        (kind,) = kinds
        for key, of in _OF_KIND.items():
            if self.document.find((*at, key)) is not None and kind not in of:
                self._bad((*at, key), f"says nothing of {kind}; it is a key of {', '.join(of)}")
        if gate.ready is False:
            self._bad((*at, "ready"), "can only be true; leave the gate out instead")
        for key in ("prompts", "compare"):
            if (file := getattr(gate, key)) is not None:
                self._check_file(file, (*at, key))
        rule = gate.metrics
        if rule is not None and (rule.errors, rule.throttled, rule.p95) == (None, None, None):
            self._bad((*at, "metrics"), "looks at nothing; add errors, throttled or p95")
        if gate.command is not None:
            self._check_command(gate.command, (*at, "command"))
        if gate.approval is not None:
            self._check_approval(gate.approval, (*at, "approval", "by"))
        for key in ("p95", "timeout"):
            self._check_span(getattr(gate, key), (*at, key))

    def _check_file(self, name: str, at: At) -> None:
        """A file below stacks/: a rollout runs from a copy of the project, which holds nothing from elsewhere."""
        path, below = PurePosixPath(name), self.project.shown(self.project.stacks)
        if path.is_absolute() or ".." in path.parts:
            self._bad(
                at, f"must be a file below {below}, for a rollout takes the project with it, not {describe(name)}"
            )
        elif not (self.project.stacks / path).is_file():
            self._bad(at, f"there is no file {below}/{name}")

    def _check_approval(self, approval: Approval, at: At) -> None:
        names = [name for name in approval.by if name is not BAD]
        for number, name in enumerate(names):
            if not name.strip():
                self._bad((*at, number), "must be a name")
            elif name in names[:number]:
                self._bad((*at, number), f"{name} stands here twice; remove one")

    # --- the rest --------------------------------------------------------------------------------------------------

    def _check_commands(self, hooks: Commands) -> None:
        both = () if hooks is BAD else (("beforeWave", hooks.before_wave), ("afterWave", hooks.after_wave))
        for key, commands in both:
            for number, command in enumerate(commands):
                if command is not BAD:
                    self._check_command(command, ("hooks", key, number))

    def _check_command(self, command: list[str], at: At) -> None:
        if not command or (command[0] is not BAD and not command[0].strip()):
            self._bad(at, 'must be an executable and its arguments, such as ["./check.sh", "--strict"]')

    def _check_limits(self, spans: TimeLimits) -> None:
        for key in ("step", "gate", "approval") if spans is not BAD else ():
            self._check_span(getattr(spans, key), ("limits", key))

    def _check_span(self, span: timedelta | None, at: At) -> None:
        if span is not None and span <= timedelta():
            self._bad(at, "must be longer than nothing")

    def _check_slots(self, strategies: Mapping[int, str]) -> None:
        """A deployment of a rollout has two names in Azure; nothing else of the account may have the second."""
        rule = limits.load().names["deployment"]
        accounts: dict[str, list[Stack]] = {}
        for stack in self.stacks.values():
            accounts.setdefault(stack.account_id.lower(), []).append(stack)
        for index, names in self.found.items():
            for stack in (self.stacks[name] for name in names if name in self.stacks):
                for wish in stack.deployments:
                    slot = f"{wish.name}{SLOT}"
                    self._check_slot(accounts[stack.account_id.lower()], wish.name, slot)
                    if strategies.get(index) == "beside" and not rule.holds(slot):
                        text = f'a rollout puts "{slot}" beside it, and no name is as long: it must {rule.must}'
                        self._bad_in(stack, ("hearth:deployments", wish.name), text)

    def _check_slot(self, stacks: list[Stack], name: str, slot: str) -> None:
        for stack in stacks:
            for wish in stack.deployments:
                if wish.name.lower() == slot.lower():
                    text = f'is the name that a rollout gives the second deployment of "{name}"; take another name'
                    self._bad_in(stack, ("hearth:deployments", wish.name), text)

    def _bad(self, at: At, text: str) -> None:
        self.mistakes.append(Mistake(self.document.file, self.document.line(at), show(at), text))

    def _bad_in(self, stack: Stack, at: At, text: str) -> None:
        place = self.project.place(stack.name, at, self.project.config(stack.name)[str(at[0])])
        self.mistakes.append(Mistake(*place, show(at), text))
