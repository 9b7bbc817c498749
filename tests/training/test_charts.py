"""Pictures of a job's results."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

from infra.training import charts
from infra.training.results import FULL_LOSS, TRAIN_LOSS, VALID_LOSS, Results
from infra.training.verdict import Choice, judge

CHOICE = Choice(20, "the lowest <full> validation loss", None)
STEPS = np.arange(1.0, 41)
CURVE = Results(
    STEPS,
    {
        TRAIN_LOSS: 2 - STEPS / 40,
        VALID_LOSS: np.where(STEPS % 5 == 0, 2.2 - STEPS / 50, np.nan),
        FULL_LOSS: np.where(STEPS % 20 == 0, 1.5, np.nan),
    },
)


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_a_picture_is_of_the_kind_its_name_says(tmp_path, suffix, begins):
    file = tmp_path / f"loss{suffix}"
    charts.save(CURVE, file, "bot", CHOICE)
    assert file.read_bytes().startswith(begins)


def test_the_figure_has_the_portals_two_charts_and_what_was_measured():
    loss, accuracy = charts.draw(CURVE, "bot", CHOICE).axes
    assert [axis.get_ylabel() for axis in (loss, accuracy)] == ["Loss", "Token accuracy"]
    drawn = {line.get_label(): line for line in loss.lines}
    assert drawn["validation (whole)"].get_xdata().tolist() == [20, 40]
    assert not [line for line in accuracy.lines if not line.get_label().startswith("_")], "no accuracy was measured"


def test_a_million_steps_are_thinned_and_no_spike_is_lost():
    values = np.zeros(1_000_000)
    values[123_456] = 7
    steps, means, low, high = charts.thinned(np.arange(1_000_000.0), values)
    assert len(steps) == len(means) == charts.MOST_POINTS
    assert (low.min(), high.max()) == (0, 7)


def test_the_terminals_chart_is_plain_text_that_fits():
    drawn = charts.terminal(CURVE, 60, 12)
    assert "\x1b" not in drawn, "a log must be able to keep it"
    assert max(map(len, drawn.splitlines())) <= 60
    assert len(drawn.splitlines()) <= 12
    assert all(label in drawn for label in ("training", "validation (a batch)", "validation (whole)"))


def test_one_chart_leaves_nothing_in_the_next():
    charts.terminal(CURVE, 60)
    assert "validation" not in charts.terminal(Results(STEPS, {TRAIN_LOSS: 2 - STEPS / 40}), 60)


def test_the_page_needs_nothing_from_elsewhere_and_holds_what_was_found():
    page = charts.page(CURVE, 'bot "<b>"', judge(CURVE), CHOICE)
    assert not re.search(r"""(?:src|href)=["'](?!data:)|@import|<script""", page)
    assert "<b>" not in page, "what people name is shown, not obeyed"
    assert "the lowest &lt;full&gt; validation loss" in page
    picture = re.search(r"data:image/svg\+xml;base64,([^\"]+)", page)
    assert picture is not None
    assert base64.b64decode(picture[1]).rstrip().endswith(b"</svg>")
