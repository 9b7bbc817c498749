"""What a job's figures are said to mean, and which checkpoint is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from infra.training.results import FULL_LOSS, TRAIN_ACCURACY, TRAIN_LOSS, VALID_LOSS, Results
from infra.training.verdict import Kind, choose, judge

NAN = float("nan")


def curve(losses: Any, **columns: Any) -> Results:
    """Results of so many steps; columns by short names."""
    names = {"accuracy": TRAIN_ACCURACY, "valid": VALID_LOSS, "full": FULL_LOSS}
    values = np.asarray(losses, dtype=float)
    found = {names[name]: np.asarray(column, dtype=float) for name, column in columns.items()}
    return Results(np.arange(1, len(values) + 1, dtype=float), {TRAIN_LOSS: values, **found})


def falling(number: int = 100, start: float = 2.0, end: float = 0.5) -> Any:
    return np.linspace(start, end, number)


def at(number: int, points: dict[int, float]) -> Any:
    """A column with figures at some steps alone."""
    return [points.get(step, NAN) for step in range(1, number + 1)]


def kinds(results: Results, examples: int | None = None) -> list[Kind]:
    return [finding.kind for finding in judge(results, examples)]


def test_a_loss_that_falls_with_its_validation_is_good():
    assert kinds(curve(falling(), valid=falling(end=0.8), accuracy=falling(start=0.4, end=0.8))) == [Kind.GOOD]


def test_validation_that_turns_while_training_goes_on_is_overfitting():
    full = at(100, {25: 1.4, 50: 1.1, 75: 1.25, 100: 1.5})
    (found,) = judge(curve(falling(), full=full))
    assert (found.kind, found.is_bad) == (Kind.OVERFITTING, True)
    assert found.fact == "full_valid_loss 1.100 at step 50 → 1.500"
    assert "checkpoint" in found.advice


def test_batches_of_validation_are_read_where_the_whole_was_not():
    valid = np.concatenate([np.linspace(2, 1, 50), np.linspace(1, 1.6, 50)])
    assert kinds(curve(falling(), valid=valid)) == [Kind.OVERFITTING]


def test_a_whole_validation_that_keeps_falling_outweighs_noisy_batches():
    full = at(100, {25: 1.4, 50: 1.2, 75: 1.1, 100: 1.05})
    valid = np.concatenate([np.linspace(2, 1, 50), np.linspace(1, 1.6, 50)])
    assert kinds(curve(falling(), valid=valid, full=full)) == [Kind.GOOD]


def test_two_whole_validations_that_fall_outweigh_noisy_batches():
    full = at(100, {50: 1.4, 100: 1.3})
    valid = np.concatenate([np.linspace(2, 1, 50), np.linspace(1, 1.6, 50)])
    results = curve(falling(), valid=valid, full=full)
    assert kinds(results) == [Kind.GOOD]
    assert choose(results).step == 100, "verdict and choice must not contradict each other"


def test_a_validation_that_rises_by_a_hair_is_no_overfitting():
    assert kinds(curve(falling(), full=at(100, {25: 1.2, 50: 1.1, 75: 1.1, 100: 1.14}))) == [Kind.GOOD]


@pytest.mark.parametrize("end", [2.0, float("inf"), NAN])
def test_a_loss_that_climbs_or_is_no_number_has_diverged(end):
    """Training has a loss at every step: where the last one has none, it was no number."""
    assert kinds(curve(np.concatenate([falling(60), np.full(40, end)]), valid=falling())) == [Kind.DIVERGED]


def test_a_flat_loss_without_gain_in_accuracy_has_learned_nothing():
    flat = np.full(100, 1.5)
    assert kinds(curve(flat, accuracy=np.full(100, 0.6), valid=flat)) == [Kind.NOTHING_LEARNED]


def test_a_flat_loss_whose_accuracy_gains_has_learned():
    flat = np.full(100, 1.5)
    assert kinds(curve(flat, accuracy=falling(start=0.5, end=0.8), valid=flat)) == [Kind.GOOD]


def test_few_steps_show_no_trend():
    assert kinds(curve(falling(9))) == [Kind.TOO_LITTLE_DATA]


def test_few_examples_are_said_beside_what_the_curve_shows():
    assert kinds(curve(falling(), valid=falling()), examples=12) == [Kind.GOOD, Kind.TOO_LITTLE_DATA]


def test_without_validation_overfitting_cannot_be_seen_and_that_is_said():
    assert kinds(curve(falling())) == [Kind.GOOD, Kind.NOT_VALIDATED]


def checkpoint(step: int, loss: float | None) -> dict[str, Any]:
    metrics = {} if loss is None else {"full_valid_loss": loss}
    return {"id": f"ftchkpt-{step:032x}", "step_number": step, "metrics": metrics}


def test_the_checkpoint_with_the_lowest_whole_validation_is_taken():
    taken = choose(curve(falling(90)), [checkpoint(90, 1.4), checkpoint(60, 1.1), checkpoint(30, 1.3)])
    assert (taken.step, taken.checkpoint) == (60, f"ftchkpt-{60:032x}")


def test_the_last_checkpoint_is_the_model_itself():
    taken = choose(curve(falling(90)), [checkpoint(90, 1.0), checkpoint(60, 1.1)])
    assert (taken.step, taken.checkpoint) == (90, None)


def test_of_two_as_good_the_later_one_has_seen_more():
    assert choose(curve(falling(90)), [checkpoint(60, 1.0), checkpoint(90, 1.005)]).step == 90


def test_what_can_no_longer_be_deployed_is_not_taken():
    """Azure keeps the last three; the results tell of every epoch."""
    results = curve(falling(90), full=at(90, {15: 0.9, 30: 1.0, 60: 1.1, 90: 1.2}))
    assert choose(results).step == 15
    assert choose(results, [checkpoint(s, v) for s, v in ((30, 1.0), (60, 1.1), (90, 1.2))]).step == 30


@pytest.mark.parametrize("checkpoints", [None, [], [checkpoint(90, None)], [checkpoint(90, NAN)]])
def test_without_a_validation_the_last_is_taken(checkpoints):
    taken = choose(curve(falling(90)), checkpoints)
    assert (taken.step, taken.checkpoint) == (90, None)
    assert "nothing to choose by" in taken.why
