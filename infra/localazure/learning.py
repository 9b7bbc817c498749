"""How a model learns: losses and token accuracies of each step, made up but not arbitrary.

They follow from the data and the settings as those of a real training do, so that a verdict on them can be right or
wrong: the loss falls by a power law of the examples seen, quicker with less data and a higher learning rate, down to
what the variety of the answers leaves to guess; an example that comes again is learned by heart, which lowers the
training loss and, where the data is small and the epochs are many, raises that of validation; a learning rate that is
much too high throws the model off. The same course has the same losses, another seed other noise. Every figure is ours.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from infra.localazure.entities import Course

VALIDATED_EVERY = 10
"""Steps between two looks at a batch of validation data."""
USUAL_RATE, TOO_HIGH = 2.0, 10.0
"""The learning rate multiplier that Azure chose in a recorded job; and from where on the model is thrown off, ours."""
LEARNED = 0.8
"""At or below this part of the first loss a model has learned something."""
_THROWN_OFF = 9.0
_FIRST_PREFERENCE = math.log(2)
"""The loss of a model that prefers neither of two answers: that of the first step of a recorded job was 0.67."""


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of a step; those of validation are None where it was not looked at."""

    step: int
    loss: float
    accuracy: float
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_accuracy: float | None = None


def choose(examples: int, wanted: dict[str, int | float]) -> tuple[int, float, int]:
    """Batch size, learning rate multiplier and epochs: as wanted, else by the size of the data.

    A recorded job of some 3,000 examples was given 6, 2.0 and 3; the rule that leads there is ours.
    """
    batch = int(wanted.get("batch_size", min(max(round(examples * 0.002), 1), 256)))
    epochs = int(wanted.get("n_epochs", 3 if examples >= 34 else min(10, math.ceil(100 / max(examples, 1)))))
    return batch, float(wanted.get("learning_rate_multiplier", USUAL_RATE)), epochs


def point(course: Course, step: int) -> Point:
    """The figures of a step, from 1 on."""
    loss = _noisy(course, step, "train", level(course, step), course.batch)
    valid = full = None
    if course.validation and (step == 1 or step % VALIDATED_EVERY == 0):
        valid = _noisy(course, step, "valid", valid_level(course, step), course.batch)
    if course.validation and step % course.steps_per_epoch == 0:
        full = _noisy(course, step, "full", valid_level(course, step), course.validation)
    return Point(
        step,
        round(loss, 5),
        _accuracy(course, step, "train", loss),
        None if valid is None else round(valid, 5),
        None if valid is None else _accuracy(course, step, "valid", valid),
        None if full is None else round(full, 5),
        None if full is None else _accuracy(course, step, "full", full),
    )


def whole(course: Course, step: int) -> Point:
    """The figures of a step that is kept as a checkpoint: all of them, wherever in its epoch it is."""
    found = point(course, step)
    if not course.validation:
        return found
    valid = _noisy(course, step, "valid", valid_level(course, step), course.batch)
    full = _noisy(course, step, "full", valid_level(course, step), course.validation)
    figures = (round(valid, 5), _accuracy(course, step, "valid", valid))
    return Point(step, found.loss, found.accuracy, *figures, round(full, 5), _accuracy(course, step, "full", full))


def level(course: Course, step: int) -> float:
    """The training loss of a step without its noise."""
    by_heart = 1 - math.exp(-_keenness(course) * _repetitions(course, step))
    return _thrown_off(course, step, (_floor(course) + _to_learn(course, step)) * (1 - 0.92 * by_heart))


def valid_level(course: Course, step: int) -> float:
    """The validation loss of a step without its noise; what is in the training data too is known by heart."""
    gap = 0.16 * math.sqrt(min(_heat(course), 3)) * float(_repetitions(course, step) ** 0.9)
    unseen = _floor(course) * 1.04 + _to_learn(course, step) + gap * 150 / (150 + course.unique)
    return (1 - course.overlap) * _thrown_off(course, step, unseen) + course.overlap * level(course, step)


def has_learned(course: Course, step: int) -> bool:
    """Whether the model at a step is another than the one it was."""
    return level(course, step) <= LEARNED * _first(course)


# --- pieces --------------------------------------------------------------------------------------------------------


def _heat(course: Course) -> float:
    return course.rate / USUAL_RATE


def _first(course: Course) -> float:
    """The loss before the first step, of a model that knows nothing of it."""
    if course.method == "dpo":
        return _FIRST_PREFERENCE
    return _floor(course) + 1.1 + 0.5 * course.variety


def _floor(course: Course) -> float:
    """What no training takes away from the loss, but for learning by heart."""
    if course.method == "dpo":
        return min(0.5, 0.08 + 0.7 * course.variety)
    return 0.15 + 1.1 * course.variety


def _to_learn(course: Course, step: int) -> float:
    """What is still to be learned at a step."""
    seen = step * course.batch * min(_heat(course), 3) ** 0.7
    slowness = 40 + 0.02 * course.unique
    return float((_first(course) - _floor(course)) * (1 - course.head_start) * (1 + seen / slowness) ** -0.6)


def _repetitions(course: Course, step: int) -> float:
    """How often the examples were seen again after their first time, on average."""
    return max(0.0, step * course.batch / course.unique - 1)


def _keenness(course: Course) -> float:
    """How quickly it learns by heart: the fewer examples, the quicker."""
    return (0.1 + 60 / (100 + course.unique)) * math.sqrt(min(_heat(course), 2))


def _thrown_off(course: Course, step: int, loss: float) -> float:
    if course.rate < TOO_HIGH:
        return loss
    gone = 1 - math.exp(-step * course.rate / TOO_HIGH / max(5.0, course.steps / 10))
    return loss + gone * (_THROWN_OFF - loss)


def _noisy(course: Course, step: int, what: str, loss: float, size: int) -> float:
    return max(1e-4, loss * (1 + 0.12 * _draw(course, step, what) / math.sqrt(min(max(size, 1), 64))))


def _accuracy(course: Course, step: int, what: str, loss: float) -> float:
    usual = 1 / (1 + float((loss / (0.7 if course.method == "dpo" else 1.6)) ** 1.2))
    return round(min(1.0, max(0.0, usual + 0.01 * _draw(course, step, f"{what} accuracy"))), 5)


def _draw(course: Course, step: int, what: str) -> float:
    """A number about 0, mostly between -1 and 1, always the same for the same course, step and purpose."""
    raw = hashlib.blake2b(f"{course.seed}|{step}|{what}".encode(), digest_size=4).digest()
    return (sum(raw) - 510) / 148
