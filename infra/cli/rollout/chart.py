"""The timeline of a rollout as SVG: a band for each wave, a row for each stack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

from infra.cli.rollout import story
from infra.cli.rollout.axis import Axis
from infra.cli.rollout.story import STATES, Bar, Story, TargetStory, WaveStory

WIDTH = 1180
_LEFT, _RIGHT = 230, 1070
_TOP, _BAND, _ROW = 44, 34, 24
_THIN, _MANY = 14, 60
"""Height of a row where there are more stacks than these."""
_SHORTEST = 3.0
"""A bar's width at least, that it can be seen."""
_LONGEST = 26
"""Letters that have room before the timeline: a stack's name, with its region where both have."""
_GAP = 86
"""Between two times on the axis."""
PHASES = {"place": "new model placed", "switch": "callers switched", "retire": "old model gone", "undo": "undone"}
LEGEND = (
    *PHASES.items(),
    ("pass", "gate passed"),
    ("fail", "failed"),
    ("unclear", "gate cannot tell"),
    ("bake", "bake"),
    ("approval", "waits for a yes"),
    ("pause", "paused"),
)
_GATES = {"done": "pass", "failed": "fail", "unclear": "unclear", "running": "running"}


def draw(told: Story) -> str:
    """The whole timeline."""
    return _Chart(told).svg()


class _Chart:
    """One drawing; `y` is how far down it is."""

    def __init__(self, told: Story) -> None:
        self.told = told
        self.row = _ROW if len(told.targets) <= _MANY else _THIN
        work = [bar for target in told.targets for bar in target.bars if not self._is_look(bar)]
        moments = [bar.start for bar in told.bars if not self._is_look(bar)]
        moments += [bar.end or told.now for bar in told.bars if not self._is_look(bar)]
        ends = [moment for moment in (told.start, told.end or told.now) if moment is not None]
        spans = [(bar.start, bar.end or told.now) for bar in work]
        self.axis = Axis(spans, [*moments, *ends], _LEFT, _RIGHT)
        self.y = float(_TOP)

    def svg(self) -> str:
        """Everything, from behind to in front."""
        waves = [part for wave in self.told.waves for part in self._wave(wave)]
        height = self.y + 8
        behind = [*self._breaks(height), *self._pauses(height)]
        return "\n".join([
            f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="Timeline of the rollout">',
            "<defs>", _stripes("stripes", 7), _stripes("dense", 4), "</defs>",
            *behind, *self._times(height), *waves, "</svg>",
        ])  # fmt: skip

    # --- time ------------------------------------------------------------------------------------------------------

    def _times(self, height: float) -> Iterator[str]:
        last, day = -float(_GAP), ""
        edges = [(stretch.left, stretch.start) for stretch in self.axis.stretches]
        if self.axis.stretches:
            edges.append((self.axis.right, self.axis.stretches[-1].end))
        for x, moment in edges:
            if x - last < _GAP:
                continue
            shown = f"{moment:%H:%M:%S}"
            if f"{moment:%d %b}" != day:
                day = f"{moment:%d %b}"
                yield _text(x, 14, day, "day", anchor="middle")
            yield _text(x, 28, shown, "time", anchor="middle")
            yield f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="34" y2="{height:.1f}"/>'
            last = x

    def _breaks(self, height: float) -> Iterator[str]:
        for stretch in (one for one in self.axis.stretches if one.shortened and one.right - one.left > 2):
            width = stretch.right - stretch.left
            title = f"{story.span(stretch.seconds)}, drawn shorter"
            yield _rect(stretch.left, 34, width, height - 34, "break", title)
            if width > 34:
                middle = (stretch.left + stretch.right) / 2
                yield _text(middle, 42, f"≈ {story.span(stretch.seconds)}", "span", anchor="middle")

    def _pauses(self, height: float) -> Iterator[str]:
        for bar in self.told.pauses:
            title = f"paused for {story.span(bar.seconds(self.told.now))}: {bar.text}"
            yield self._bar(bar, _TOP, height - _TOP, "pause", title)

    # --- rows ------------------------------------------------------------------------------------------------------

    def _wave(self, wave: WaveStory) -> Iterator[str]:
        top, middle = self.y, self.y + _BAND / 2
        below = top + _BAND + self.row * len(wave.targets)
        yield _rect(0, top + 4, WIDTH, below - top - 2, "wave", "", radius=8)
        yield _text(14, middle + 5, wave.wave.name, "name")
        state = "not begun" if wave.state == "waiting" and self.told.end else wave.state
        yield _text(WIDTH - 14, middle + 5, state, f"state {wave.state}", anchor="end")
        for bar in wave.bars:
            if bar.kind == "bake":
                yield self._bar(bar, top + 6, below - top - 8, "shade", "")
        for bar in wave.bars:
            yield self._bar(bar, middle - 6, 14, _wave_class(bar), _title(bar, self.told.now))
        self.y += _BAND
        for target in wave.targets:
            yield from self._target(target)
        self.y += 10

    def _target(self, target: TargetStory) -> Iterator[str]:
        middle, thick = self.y + self.row / 2, self.row - 8
        size = "" if self.row == _ROW else " small"
        name, region = target.target.stack, target.target.location
        shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}…{name[-8:]}"
        yield _text(28, middle + 4, shown, f"stack{size}", title=name if shown != name else "")
        if not size and len(shown) + len(region) <= _LONGEST:
            yield _text(_LEFT - 14, middle + 4, region, "region", anchor="end")
        yield f'<line class="track" x1="{_LEFT}" x2="{_RIGHT}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
        for bar in (bar for bar in target.bars if bar.kind != "gate"):
            kind = f"bar {bar.kind}" + ("" if bar.state in {"done", "running"} else " broken")
            yield self._bar(bar, middle - thick / 2, thick, kind, _title(bar, self.told.now))
        for bar in (bar for bar in target.bars if bar.kind == "gate"):
            yield self._gate(bar, middle, thick)
        state = STATES[target.state]
        title = f"{target.target.stack}: {target.reason}" if target.reason else ""
        yield _text(WIDTH - 14, middle + 4, state, f"state {target.state}{size}", anchor="end", title=title)
        self.y += self.row

    def _gate(self, bar: Bar, middle: float, thick: float) -> str:
        kind = f"gate {_GATES[bar.state]}"
        if not self._is_look(bar):
            return self._bar(bar, middle - thick / 2, thick, f"bar {kind}", _title(bar, self.told.now))
        x, half = self.axis.place(bar.end or self.told.now), thick / 3
        corners = ((x, middle - half), (x + half, middle), (x, middle + half), (x - half, middle))
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in corners)
        return f'<polygon class="{kind}" points="{points}">{_hover(_title(bar, self.told.now))}</polygon>'

    def _is_look(self, bar: Bar) -> bool:
        """A short look during a bake: a mark, not a bar."""
        return bar.kind == "gate" and self.told.plan.gates.get(bar.name) in story.LATER

    def _bar(self, bar: Bar, y: float, height: float, kind: str, title: str) -> str:
        left, right = self.axis.place(bar.start), self.axis.place(bar.end or self.told.now)
        running = " running" if bar.end is None else ""
        return _rect(left, y, max(right - left, _SHORTEST), height, f"{kind}{running}", title, radius=3)


def _wave_class(bar: Bar) -> str:
    if bar.kind == "hook":
        return f"bar gate {_GATES[bar.state]}"
    return f"bar {bar.kind}" + (" broken" if bar.state == "failed" else "")


def _title(bar: Bar, now: datetime) -> str:
    name = {"gate": f"gate {bar.name}", "hook": "commands", "approval": f"a yes {bar.name}".strip()}.get(
        bar.kind, PHASES.get(bar.kind, bar.kind)
    )
    how = {"done": "", "running": ", under way", "failed": ", failed", "unclear": ", not ended"}[bar.state]
    if bar.kind == "gate":
        how = {"done": ", passed", "unclear": ", cannot tell"}.get(bar.state, how)
    return f"{name}{how}, {story.span(bar.seconds(now))}{f': {bar.text}' if bar.text else ''}"


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str, radius: float = 0) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}">'
        f"{_hover(title)}</rect>"
    )


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start", title: str = "") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}{_hover(title)}</text>'


def _hover(title: str) -> str:
    return f"<title>{escape(title)}</title>" if title else ""


def _stripes(name: str, step: int) -> str:
    return (
        f'<pattern id="{name}" width="{step}" height="{step}" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect class="{name}" width="{step / 2:g}" height="{step}"/></pattern>'
    )
