"""Losses: they follow from data and settings as a real training's do, so that a verdict on them means something."""

from __future__ import annotations

from statistics import mean

import msgspec
import pytest

from infra.localazure import dataset, learning
from infra.localazure.entities import Course
from tests.localazure.training import answer, chat, lines, preferences, question

SMALL = Course(
    method="supervised", seed=105, examples=50, unique=50, tokens=9000, variety=0.42, batch=1, rate=2.0, epochs=10,
    validation=20,
)  # fmt: skip
LARGE = msgspec.structs.replace(SMALL, examples=7000, unique=7000, batch=14, epochs=3, validation=400)


def losses(course: Course) -> list[float]:
    return [learning.point(course, step).loss for step in range(1, course.steps + 1)]


def full(course: Course) -> list[float]:
    """The full validation loss at the end of each epoch."""
    found = [learning.point(course, n * course.steps_per_epoch).full_valid_loss for n in range(1, course.epochs + 1)]
    assert None not in found
    return [value for value in found if value is not None]


def test_a_training_loss_falls_and_falls_more_slowly():
    found = losses(LARGE)
    tenth = len(found) // 10
    early, middle, late = mean(found[:tenth]), mean(found[4 * tenth : 5 * tenth]), mean(found[-tenth:])
    assert early > middle > late
    assert early - middle > middle - late


def test_much_data_and_few_epochs_do_not_overfit():
    assert full(LARGE) == sorted(full(LARGE), reverse=True)
    assert full(LARGE)[-1] < 1.35 * mean(losses(LARGE)[-100:])


def test_little_data_and_many_epochs_overfit():
    found = full(SMALL)
    assert found[-1] > 1.2 * min(found)
    assert found.index(min(found)) < 6, "an earlier checkpoint is the better one"
    assert mean(losses(SMALL)[-50:]) < 0.25 * found[-1], "it knows its examples by heart"


def test_duplicates_are_learned_by_heart_like_further_epochs():
    repeated = msgspec.structs.replace(SMALL, unique=10, epochs=3)
    once = msgspec.structs.replace(SMALL, epochs=3)
    assert mean(losses(repeated)[-20:]) < mean(losses(once)[-20:])
    assert full(repeated)[-1] > full(once)[-1]


def test_validation_data_that_is_in_the_training_data_looks_too_good():
    leaking = msgspec.structs.replace(SMALL, overlap=1.0)
    assert full(leaking)[-1] < 0.3 * full(SMALL)[-1]


def test_an_absurd_learning_rate_throws_the_model_off():
    hot = msgspec.structs.replace(SMALL, rate=100.0)
    found = losses(hot)
    assert mean(found[-50:]) > 3 * found[0]
    assert learning.point(hot, hot.steps).accuracy < 0.3
    assert not learning.has_learned(hot, hot.steps)


def test_a_tiny_learning_rate_learns_nothing():
    cold = msgspec.structs.replace(SMALL, rate=0.0001)
    found = losses(cold)
    assert mean(found[-50:]) == pytest.approx(mean(found[:50]), rel=0.1)
    assert not learning.has_learned(cold, cold.steps)


def test_the_rates_that_the_page_advises_learn():
    for rate in (0.02, 0.2, 2.0):
        course = msgspec.structs.replace(LARGE, rate=rate)
        assert learning.has_learned(course, course.steps), rate


def test_the_same_course_has_the_same_losses_and_another_seed_other_noise():
    other = msgspec.structs.replace(SMALL, seed=106)
    assert losses(SMALL) == losses(SMALL)
    assert losses(SMALL) != losses(other)
    assert mean(losses(other)) == pytest.approx(mean(losses(SMALL)), rel=0.05)


def test_without_validation_data_nothing_is_said_of_it():
    alone = msgspec.structs.replace(SMALL, validation=0)
    point = learning.whole(alone, 50)
    assert (point.valid_loss, point.full_valid_loss, point.full_valid_accuracy) == (None, None, None)


def test_what_is_left_to_azure_is_chosen_by_the_size_of_the_data():
    assert learning.choose(3000, {}) == (6, 2.0, 3), "as a recorded job of such a size had it"
    assert learning.choose(12, {})[2] > 3, "few examples are seen more often"
    assert learning.choose(12, {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.1}) == (4, 0.1, 2)


# --- data ----------------------------------------------------------------------------------------------------------


def facts(content: bytes):
    return dataset.examine(content.split(b"\n"))


def test_the_facts_of_a_file():
    found = facts(chat(30) + chat(10))
    assert (found.examples, found.unique, found.form, found.strange_line) == (40, 30, "chat", 0)
    assert 40 * 20 < found.tokens < 40 * 80
    assert facts(chat(30)[:-1] + b"\n" + preferences(1)).strange_line == 31
    assert facts(preferences(3)).form == "preference"


def test_varied_answers_leave_more_to_guess_than_monotonous_ones():
    dull = [{"prompt": f"{n}", "completion": "Yes, of course, by all means."} for n in range(200)]
    assert 2 * facts(lines(dull)).variety < facts(chat(200)).variety


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_sketches_tell_what_two_files_have_in_common(shared):
    whole = facts(chat(2000))
    part = facts(chat(400, first=round(2000 - 400 * shared)))
    assert dataset.in_common(part.sketch, whole.sketch) == pytest.approx(shared, abs=0.2)


def test_only_what_the_assistant_is_to_learn_is_a_lesson():
    talk = [
        {"role": "user", "content": question(1)}, {"role": "assistant", "content": "no", "weight": 0},
        {"role": "user", "content": [{"type": "text", "text": question(2)}]},
        {"role": "assistant", "content": None, "tool_calls": []}, {"role": "assistant", "content": answer(2)},
    ]  # fmt: skip
    assert list(dataset.lessons({"messages": talk})) == [(question(2), answer(2))]
