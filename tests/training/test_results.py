"""What is read from a job's results file."""

from __future__ import annotations

import numpy as np
import pytest

from infra.errors import SpecError
from infra.training import results
from infra.training.results import FULL_LOSS, TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS

HEADER = "step,train_loss,train_mean_token_accuracy,valid_loss,{},full_valid_loss,full_valid_mean_token_accuracy"


def of(*rows: str, spelling: str = "valid_mean_token_accuracy") -> bytes:
    return "\n".join([HEADER.format(spelling), *rows, ""]).encode()


def complaints(content: bytes) -> list[str]:
    with pytest.raises(SpecError) as caught:
        results.read(content)
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize("spelling", ["valid_mean_token_accuracy", "validation_mean_token_accuracy"])
def test_the_column_that_documents_and_files_spell_otherwise_is_one(spelling):
    found = results.read(of("1,2.0,0.5,2.1,0.4,,", spelling=spelling))
    assert found.points(VALID_ACCURACY)[1].tolist() == [0.4]


def test_a_step_that_was_not_evaluated_has_no_figure_and_is_no_zero():
    found = results.read(of("1,2.0,0.5,,,,", "2,1.5,0.6,1.8,0.5,,", "3,1.0,0.7,,,1.7,0.6"))
    assert found.steps.tolist() == [1, 2, 3]
    assert [found.points(name)[0].tolist() for name in (TRAIN_LOSS, VALID_LOSS, FULL_LOSS)] == [[1, 2, 3], [2], [3]]


def test_columns_are_found_by_name_wherever_they_stand():
    found = results.read("\ufefftrain_loss,extra,Step\r\n2.0,7,1\r\n1.0,8,2\r\n".encode())
    assert found.points(TRAIN_LOSS)[1].tolist() == [2.0, 1.0]
    assert found["extra"].tolist() == [7.0, 8.0]
    assert np.isnan(found[VALID_LOSS]).all(), "a column that is absent has no figures"


def test_rows_that_come_out_of_order_are_put_in_order():
    """A job that was resumed writes on; charts draw from left to right."""
    assert results.read(of("2,1.5,,,,,", "1,2.0,,,,,")).points(TRAIN_LOSS)[1].tolist() == [2.0, 1.5]


def test_quotes_and_blank_lines_make_no_difference():
    plain, quoted = of("1,2.0,0.5,,,,", "2,1.5,0.6,1.8,0.5,,"), of('"1","2.0","0.5",,,,', "", '2,1.5,0.6,1.8,"0.5",,')
    np.testing.assert_equal(results.read(quoted).columns, results.read(plain).columns)


def test_a_last_line_that_is_still_being_written_is_left_out():
    assert results.read(of("1,2.0,0.5,,,,")[:-1] + b"\n2,1.").steps.tolist() == [1]


def test_no_number_is_a_loss_too():
    """A training that went astray writes nan or inf, and must not be taken for one that was not evaluated."""
    found = results.read(of("1,2.0,,,,,", "2,inf,,,,,"))
    assert found.points(TRAIN_LOSS)[1].tolist() == [2.0, float("inf")]


def test_every_line_that_cannot_be_read_is_told_at_once():
    assert complaints(of("1,2.0,,,,,", "2,much,,,,,", "3,1.0", ",1.0,,,,,", "5,1.0,,,,,")) == [
        "line 3: train_loss is no number: 'much'",
        "line 4: has 2 cells, the header 7",
        "line 5: names no step",
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "has no columns step and train_loss"),
        (b'{"messages": []}\n', "is this the results file of a job?"),
        (b"\x1f\x8b\x08\x00\xff\xfe\x00", "has no columns"),
        (b"\x1f\x8b\x08\x00\r\xff\n", "is no CSV"),
        (b"step,train_loss\n1,2\r3\x00\n", "is no CSV"),
        (b"step,train_loss,train_loss\n1,2,3\n", "train_loss: stands twice in the header"),
        (b"step,train_loss\n", "holds no step yet"),
    ],
)
def test_what_is_no_results_file_is_said_in_a_line(content, text):
    (told,) = complaints(content)
    assert text in told


def test_hundreds_of_broken_lines_are_counted_not_listed():
    told = complaints(of(*(f"{at},x,,,,," for at in range(1, 301))))
    assert len(told) == 21
    assert told[-1].endswith("and 280 more lines")


def test_a_hundred_thousand_steps_are_read_at_once_with_every_figure():
    """How long a million takes is measured by make bench."""
    rows = [f"{at},{1 / at:.5f},0.5,{'0.5' if at % 10 == 0 else ''},,," for at in range(1, 100_001)]
    found = results.read(of(*rows))
    assert found.points(TRAIN_LOSS)[0].tolist() == list(range(1, 100_001))
    assert len(found.points(VALID_LOSS)[0]) == 10_000
