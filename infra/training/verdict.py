"""What the figures of a job mean: did it learn, did it learn by heart, did it go astray, and which checkpoint to take.

What is looked for is Azure's and OpenAI's advice (Learn, "Customize a model with fine-tuning", analyze your model:
loss falls and token accuracy rises, and where training and validation part the model overfits: fewer epochs or a
smaller learning rate multiplier; OpenAI, fine-tuning guide: from 50 examples on an effect is to be expected; both as of
October 2026). The thresholds are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from infra.training.results import FULL_LOSS, TRAIN_ACCURACY, TRAIN_LOSS, VALID_LOSS, Column, Results

WINDOW = 0.1
"""The part of the steps at either end over which a figure is averaged: single steps are noisy."""
LEARNED, GAINED = 0.97, 0.01
"""Nothing learned: the loss stays above this part of the first one, and the accuracy gains less than this."""
ASTRAY = 1.2
"""Diverged: the last loss is this many times the lowest."""
PARTED = 1.05
"""Overfitting: the validation loss has risen to this many times its lowest, while the training loss fell."""
FEW_EXAMPLES = 50
FEW_STEPS = 10
EVALUATED = 3
"""Points of validation from which on a trend is read."""


class Kind(StrEnum):
    """What was found."""

    GOOD = "good"
    OVERFITTING = "overfitting"
    DIVERGED = "diverged"
    NOTHING_LEARNED = "nothing learned"
    TOO_LITTLE_DATA = "too little data"
    NOT_VALIDATED = "not validated"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, the rule that found it, and what to do."""

    kind: Kind
    fact: str
    rule: str
    advice: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether the model should not be taken as it is."""
        return self.kind in {Kind.OVERFITTING, Kind.DIVERGED, Kind.NOTHING_LEARNED}


def none_is_worth_taking(findings: Iterable[Finding]) -> bool:
    """Whether no checkpoint of the job is: another choice helps against learning by heart, and against nothing else."""
    return any(finding.kind in {Kind.DIVERGED, Kind.NOTHING_LEARNED} for finding in findings)


@dataclass(frozen=True, slots=True)
class Choice:
    """The checkpoint to take."""

    step: int
    why: str
    checkpoint: str | None = None
    """Its id (ftchkpt-…) where it is not the final model."""


def judge(results: Results, examples: int | None = None) -> list[Finding]:
    """Everything that the figures tell, the worst first. `examples`: of the training file, where known."""
    _, losses = results.points(TRAIN_LOSS)
    if len(losses) < FEW_STEPS:
        rule = f"fewer than {FEW_STEPS} steps show no trend"
        return [Finding(Kind.TOO_LITTLE_DATA, f"{len(losses)} steps", rule, "add examples, or epochs")]
    found = _diverged(results, losses) or _nothing(results, losses) or _overfitting(results, losses)
    if examples is not None and examples < FEW_EXAMPLES:
        rule = f"from {FEW_EXAMPLES} examples on an effect is to be expected (OpenAI's guide)"
        found.append(Finding(Kind.TOO_LITTLE_DATA, f"{examples} examples", rule, "add examples of the same quality"))
    if all(len(results.points(name)[0]) < EVALUATED for name in (VALID_LOSS, FULL_LOSS)):
        rule = f"fewer than {EVALUATED} evaluations: overfitting cannot be seen"
        found.append(Finding(Kind.NOT_VALIDATED, "no validation", rule, "give the job a validation file"))
    if not any(f.is_bad for f in found):
        start, end = _ends(losses)
        rule = "the loss fell, and validation did not part from training"
        found.insert(0, Finding(Kind.GOOD, f"training loss {start:.3f} → {end:.3f}", rule))
    return found


def choose(results: Results, checkpoints: list[dict[str, Any]] | None = None) -> Choice:
    """The checkpoint with the lowest full validation loss; without validation the last.

    `checkpoints` as Azure lists them (those that can still be deployed); without them, the steps whose full validation
    loss the results hold. Where two are within one in a hundred, the later one: it has seen more.
    """
    last = int(results.steps[-1])
    if checkpoints is not None:
        rows = sorted((int(c["step_number"]), _full_loss(c), str(c["id"])) for c in checkpoints)
    else:
        rows = [(int(s), float(v), "") for s, v in zip(*results.points(FULL_LOSS), strict=True)]
    known = [(step, loss, name) for step, loss, name in rows if loss is not None and np.isfinite(loss)]
    if not known:
        return Choice(last, "the last: without a full validation loss there is nothing to choose by")
    lowest = min(float(loss or 0) for _, loss, _ in known)
    step, loss, name = max((one for one in known if float(one[1] or 0) <= lowest * 1.01), key=lambda one: one[0])
    why = f"the lowest full validation loss ({loss:.4f}) of {len(known)} checkpoint{'s' if len(known) > 1 else ''}"
    return Choice(step, why, name if name and step != last else None)


def _full_loss(checkpoint: dict[str, Any]) -> float | None:
    value = (checkpoint.get("metrics") or {}).get(FULL_LOSS)
    return None if value is None else float(value)


def _diverged(results: Results, losses: Column) -> list[Finding]:
    rule = f"the last loss is {ASTRAY:g} times the lowest or more, or no number (averages over a tenth of the steps)"
    advice = "a smaller learning_rate_multiplier (0.02 to 0.2 is advised); look at the data around the turn"
    if not np.isfinite(losses).all() or np.isnan(results[TRAIN_LOSS][-1]):
        return [Finding(Kind.DIVERGED, "the training loss is no number", rule, advice)]
    smooth = _smooth(losses)
    if smooth[-1] < ASTRAY * smooth.min():
        return []
    return [Finding(Kind.DIVERGED, f"training loss {smooth.min():.3f} → {smooth[-1]:.3f}", rule, advice)]


def _nothing(results: Results, losses: Column) -> list[Finding]:
    start, end = _ends(losses)
    _, accuracies = results.points(TRAIN_ACCURACY)
    before, after = _ends(accuracies) if len(accuracies) else (0.0, 0.0)
    if end < LEARNED * start or after - before >= GAINED:
        return []
    rule = f"the last loss is above {LEARNED:g} of the first, and the token accuracy gained less than {GAINED:g}"
    advice = "more epochs or a larger learning_rate_multiplier; is the data what the base model answers anyway?"
    return [Finding(Kind.NOTHING_LEARNED, f"training loss {start:.3f} → {end:.3f}", rule, advice)]


def _overfitting(results: Results, losses: Column) -> list[Finding]:
    start, end = _ends(losses)
    for name in (FULL_LOSS, VALID_LOSS):  # the whole of the validation file tells more than a batch of it
        steps, values = results.points(name)
        if len(values) < EVALUATED:
            if name == FULL_LOSS and len(values) > 1 and values[-1] <= values.min():
                return []  # two already outweigh noisy batches, and the last is the checkpoint that is taken
            continue
        smooth = values if name == FULL_LOSS else _smooth(values)
        low = int(smooth.argmin())
        if smooth[-1] >= PARTED * smooth[low] and end < start:
            rule = f"{name} rose to {PARTED:g} times its lowest or more, while the training loss fell"
            fact = f"{name} {smooth[low]:.3f} at step {int(steps[low])} → {smooth[-1]:.3f}"
            advice = "take the checkpoint before; fewer epochs, a smaller learning_rate_multiplier or more data"
            return [Finding(Kind.OVERFITTING, fact, rule, advice)]
        return []
    return []


def _smooth(values: Column) -> Column:
    """Averages over a tenth of the values."""
    width = max(1, round(len(values) * WINDOW))
    total = np.concatenate([[0.0], np.cumsum(values)])
    smooth: Column = (total[width:] - total[:-width]) / width
    return smooth


def _ends(values: Column) -> tuple[float, float]:
    width = max(1, round(len(values) * WINDOW))
    return float(values[:width].mean()), float(values[-width:].mean())
