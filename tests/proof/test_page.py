"""The page of a rollout in a real browser: headless Chromium from Debian's packages, in light and in dark."""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from infra.cli.rollout import page
from tests.proof import debian
from tests.rollout.telling import bad, good, wide

pytestmark = pytest.mark.proof

ASKING = """
<script>
  const outside = [], drawn = document.querySelector("svg").getBoundingClientRect();
  for (const bar of document.querySelectorAll("svg .bar, svg text")) {
    const box = bar.getBoundingClientRect();
    if (box.left < drawn.left - 1 || box.right > drawn.right + 1 || box.bottom > drawn.bottom + 1 || !box.width)
      outside.push(bar.outerHTML);
  }
  const texts = [...document.querySelectorAll("svg text.time, svg text.stack, svg text.region, svg text.state")];
  const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
  const over = boxes.flatMap(([a, one], i) => boxes.slice(i + 1).filter(([b, other]) =>
    one.left < other.right && other.left < one.right && one.top < other.bottom - 2 && other.top < one.bottom - 2
  ).map(([b]) => a + " over " + b));
  const paper = getComputedStyle(document.body).backgroundColor;
  document.title = JSON.stringify({
    outside, over, paper, bars: document.querySelectorAll("svg .bar").length,
    wide: document.documentElement.scrollWidth > innerWidth, loads: performance.getEntriesByType("resource").length,
  });
</script>
"""
"""What a person would see wrong, asked of the layout that the browser made."""


@pytest.fixture(scope="module")
def chromium() -> list[str]:
    place = debian.unpacked("chromium-headless-shell")
    return [str(next(place.glob("usr/lib/chromium/chromium-headless-shell"))), "--no-sandbox", "--disable-gpu"]


def browse(chromium: list[str], *arguments: str) -> str:
    place = debian.unpacked("chromium-headless-shell")
    done = subprocess.run(
        [*chromium, "--hide-scrollbars", *arguments], env=debian.environment(place), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("tale", [good, bad, wide])
@pytest.mark.parametrize("width", [1320, 700])
def test_the_browser_draws_every_bar_inside_and_no_label_over_another(
    chromium: list[str], tmp_path: Path, tale: object, width: int
):
    text = page.html(*tale())  # type: ignore[operator]
    file = tmp_path / "page.html"
    file.write_text(text.replace("</body>", f"{ASKING}</body>"))
    shown = browse(chromium, "--dump-dom", f"--window-size={width},1600", file.as_uri())
    answer = re.search(r"<title>(\{.*?\})</title>", shown)
    assert answer, shown[:500]
    assert '"outside":[],"over":[]' in answer[1]
    assert '"wide":false,"loads":0' in answer[1], "tables scroll by themselves, and nothing is fetched"
    assert f'"bars":{len(re.findall(r"<(?:rect|polygon) class=.bar ", text))}' in answer[1]


@pytest.mark.parametrize(("scheme", "paper"), [(1, (246, 247, 249)), (0, (13, 17, 23))], ids=["light", "dark"])
def test_the_page_follows_the_readers_light_or_dark(
    chromium: list[str], tmp_path: Path, scheme: int, paper: tuple[int, int, int]
):
    file, picture = tmp_path / "page.html", tmp_path / "page.png"
    file.write_text(page.html(*good()))
    setting = f"--blink-settings=preferredColorScheme={scheme}"
    browse(chromium, setting, "--window-size=1320,1700", f"--screenshot={picture}", file.as_uri())
    assert first_pixel(picture.read_bytes()) == paper
    assert picture.stat().st_size > 50_000, "more than an empty sheet"


def first_pixel(png: bytes) -> tuple[int, int, int]:
    """Red, green and blue of the upper left corner: the first pixel stands unfiltered whatever its line's filter."""
    parts, at = b"", 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        parts += png[at + 8 : at + 8 + size] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + size
    line = zlib.decompress(parts)[:4]
    return line[1], line[2], line[3]
