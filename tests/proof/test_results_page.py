"""The page of `hearth results --html` in a real browser: headless Chromium from Debian's packages."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from infra.training import charts, results
from infra.training.results import Results
from infra.training.verdict import choose, judge
from tests.proof.test_page import browse, chromium

__all__ = ["chromium"]

pytestmark = pytest.mark.proof

ASKING = """
<script>
  const picture = document.querySelector("img"), cells = [...document.querySelectorAll("th, td")];
  const box = picture.getBoundingClientRect();
  document.title = JSON.stringify({
    drawn: picture.complete && picture.naturalWidth > 300 && box.width > 200 && box.height > 150,
    wide: document.documentElement.scrollWidth > innerWidth,
    loads: performance.getEntriesByType("resource").filter(e => !e.name.startsWith("data:")).length,
    cut: cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent),
    bad: document.querySelectorAll("tr.bad").length,
    taken: [...document.querySelectorAll("tr")].filter(row => row.textContent.includes("taken")).length,
  });
</script>
"""
"""What a person would see wrong, asked of the layout that the browser made."""


def overfitted() -> Results:
    """A million steps whose validation turns half-way."""
    steps = np.arange(1.0, 1_000_001)
    whole = np.full(len(steps), np.nan)
    whole[249_999::250_000] = [1.4, 1.1, 1.3, 1.6]
    noise = np.random.default_rng(7).normal(0, 0.05, len(steps))
    found = {
        results.TRAIN_LOSS: 2 - 1.6 * steps / len(steps) + noise,
        results.TRAIN_ACCURACY: 0.4 + 0.4 * steps / len(steps),
        results.FULL_LOSS: whole,
    }
    return Results(steps, found)


@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_shows_the_charts_the_verdict_and_the_choice(chromium: list[str], tmp_path: Path, width: int):
    found = overfitted()
    text = charts.page(found, "gpt-4.1-mini-2025-04-14.ft-" + "7" * 32 + "-support", judge(found), choose(found))
    file = tmp_path / "page.html"
    file.write_text(text.replace("</body>", f"{ASKING}</body>"))
    shown = browse(chromium, "--dump-dom", f"--window-size={width},1600", file.as_uri())
    answer = re.search(r"<title>(\{.*?\})</title>", shown)
    assert answer, shown[:500]
    assert json.loads(unescape(answer[1])) == {
        "drawn": True, "wide": False, "loads": 0, "cut": [], "bad": 1, "taken": 1,
    }  # fmt: skip


def test_the_charts_have_ink_where_the_curves_are(chromium: list[str], tmp_path: Path):
    """A picture of the page: the colours of the training loss and of the whole validation are in it."""
    from matplotlib import image

    found = overfitted()
    file, picture = tmp_path / "page.html", tmp_path / "page.png"
    file.write_text(charts.page(found, "bot", judge(found), choose(found)))
    browse(chromium, f"--screenshot={picture}", "--window-size=1280,1600", file.as_uri())
    pixels = (np.asarray(image.imread(picture))[:, :, :3] * 255).astype(int)
    for colour in ((0x25, 0x63, 0xEB), (0x05, 0x96, 0x69)):
        near = np.abs(pixels - np.array(colour)).max(axis=2) < 12
        assert near.sum() > 200, colour
