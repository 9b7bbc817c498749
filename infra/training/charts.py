"""Pictures of a job's results: the portal's two charts as a file, as a page, and in a terminal.

A million steps are drawn as what a screen can show: the mean of each stretch, between its lowest and its highest.
"""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infra.training import results as names
from infra.training.results import Column, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from infra.training.verdict import Choice, Finding

MOST_POINTS = 1_000
_BLUE, _ORANGE, _GREEN = "#2563eb", "#d97706", "#059669"


@dataclass(frozen=True, slots=True)
class _Line:
    column: str
    label: str
    color: str
    sign: str
    """What a terminal draws it with, where lines cannot be told apart by colour."""
    marks: bool = False


CHARTS: dict[str, tuple[_Line, ...]] = {
    "Loss": (
        _Line(names.TRAIN_LOSS, "training", _BLUE, "•"),
        _Line(names.VALID_LOSS, "validation (a batch)", _ORANGE, "+"),
        _Line(names.FULL_LOSS, "validation (whole)", _GREEN, "x", marks=True),
    ),
    "Token accuracy": (
        _Line(names.TRAIN_ACCURACY, "training", _BLUE, "•"),
        _Line(names.VALID_ACCURACY, "validation (a batch)", _ORANGE, "+"),
        _Line(names.FULL_ACCURACY, "validation (whole)", _GREEN, "x", marks=True),
    ),
}


def save(results: Results, file: Path, title: str, choice: Choice | None = None, kind: str | None = None) -> None:
    """The charts as a picture: png, svg or pdf, by the file's name unless it is said."""
    figure = draw(results, title, choice)
    figure.savefig(file, dpi=144, format=kind)


def draw(results: Results, title: str, choice: Choice | None = None) -> Figure:
    """The charts as a figure, without a display."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes: Any = figure.subplots(2, 1, sharex=True)
    for axis, (name, lines) in zip(axes, CHARTS.items(), strict=True):
        for line in lines:
            _plot(axis, results, line)
        if choice is not None:
            axis.axvline(choice.step, color="#6b7280", linewidth=0.8, linestyle=":")
        axis.set_ylabel(name)
        axis.grid(visible=True, alpha=0.25)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8, frameon=False)
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_formatter("{x:,.0f}")
    return figure


def terminal(results: Results, width: int, height: int = 16) -> str:
    """The loss as plain text, for a terminal without a display and for a log."""
    import plotext

    figure = plotext.figure.clear()
    figure.plot_size(width, height).theme("colorless").title("loss by step")
    for line in CHARTS["Loss"]:
        steps, values = results.points(line.column)
        if len(steps):
            x, means, *_ = thinned(steps, values, width)
            signal = figure.signal(x.tolist(), means.tolist(), marker=line.sign).label(line.label)
            figure.draw(signal.lines(active=not line.marks))
    drawn: str = plotext.uncolorize(str(figure.build()))
    return drawn


def page(results: Results, title: str, findings: list[Finding], choice: Choice) -> str:
    """One self-contained page: the charts, what they mean, and the figures of the checkpoints."""
    out = io.BytesIO()
    draw(results, title, choice).savefig(out, format="svg")
    picture = base64.b64encode(out.getvalue()).decode()
    rows = "".join(
        f"<tr class={'bad' if f.is_bad else 'ok'}><th>{f.kind}</th><td>{html.escape(f.fact)}</td>"
        f"<td>{html.escape(f.rule)}</td><td>{html.escape(f.advice)}</td></tr>"
        for f in findings
    )
    steps, losses = results.points(names.FULL_LOSS)
    checkpoints = "".join(
        f"<tr><td>{int(s)}</td><td>{v:.4f}</td><td>{'taken' if int(s) == choice.step else ''}</td></tr>"
        for s, v in zip(steps[-20:], losses[-20:], strict=True)
    )
    table = f"<h2>Whole validation</h2><table><tr><th>step</th><th>loss</th><th></th></tr>{checkpoints}</table>"
    return _PAGE.format(
        title=html.escape(title), picture=picture, rows=rows, table=table if checkpoints else "",
        choice=f"Step {choice.step}: {html.escape(choice.why)}.",
    )  # fmt: skip


def thinned(steps: Column, values: Column, most: int = MOST_POINTS) -> tuple[Column, Column, Column, Column]:
    """Steps, means, lowest and highest of at most so many stretches."""
    if len(steps) <= most:
        return steps, values, values, values
    edges = np.linspace(0, len(steps), most + 1).astype(int)[:-1]
    sizes = np.diff(np.append(edges, len(steps)))
    means = np.add.reduceat(values, edges) / sizes
    return steps[edges], means, np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)


def _plot(axis: Any, results: Results, line: _Line) -> None:
    steps, values = results.points(line.column)
    if not len(steps):
        return
    x, means, low, high = thinned(steps, values)
    style = {"marker": "o", "markersize": 4} if line.marks else {}
    axis.plot(x, means, color=line.color, linewidth=1.2, label=line.label, **style)
    if low is not means:
        axis.fill_between(x, low, high, color=line.color, alpha=0.15, linewidth=0)


_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
body {{ color: #111827; background: #fff }}
h1 {{ font-size: 1.4rem }} h1, td {{ overflow-wrap: anywhere }}
img {{ width: 100% }} table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #e5e7eb; vertical-align: top }}
.bad th {{ color: #b91c1c }} .ok th {{ color: #047857 }}
</style></head><body>
<h1>{title}</h1>
<img alt="Loss and token accuracy by step" src="data:image/svg+xml;base64,{picture}">
<h2>What it means</h2><table><tr><th></th><th>fact</th><th>rule</th><th>what to do</th></tr>{rows}</table>
<h2>The checkpoint to take</h2><p>{choice}</p>{table}
</body></html>
"""
