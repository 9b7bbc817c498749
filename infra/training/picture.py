"""The distributions of lengths and roles, drawn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from infra.training.dataset import Report

SUFFIXES = {".png", ".svg"}
_BINS = 60


def draw(report: Report, goal: Path) -> None:
    """Write the picture: how long the examples are, and whose texts they are made of. Raises OSError."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second, and only for pictures
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    unit = "tokens" if report.encoding else "characters"
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    lengths, roles = figure.subplots(1, 2, width_ratios=[3, 2])
    longest = max((max(file.sizes, default=0) for file in report.files), default=0) or 1
    for purpose in ("training", "validation"):
        sizes: Counter[int] = Counter()
        for file in report.files:
            if file.purpose == purpose:
                sizes.update(file.sizes)
        if sizes:
            label = f"{purpose}: {sum(sizes.values()):,} examples"
            lengths.hist(
                list(sizes), bins=_BINS, range=(0, longest), weights=list(sizes.values()), alpha=0.6, label=label
            )
    lengths.set(xlabel=f"{unit} of an example", ylabel="examples", title="How long the examples are")
    if lengths.get_legend_handles_labels()[0]:
        lengths.legend()
    totals: Counter[str] = Counter()
    for file in report.files:
        for role, (_, size) in file.roles.items():
            totals[role] += size
    names = [role for role, _ in totals.most_common()][::-1]
    bars = roles.barh(names, [totals[name] for name in names])
    whole = max(sum(totals.values()), 1)
    roles.bar_label(bars, [f"{totals[name] / whole:.0%}" for name in names], padding=3)
    roles.margins(x=0.15)
    roles.set(xlabel=unit, title="Whose texts they are")
    for axis in (lengths.xaxis, lengths.yaxis, roles.xaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_major_formatter("{x:,.0f}")
    figure.savefig(goal, format=goal.suffix[1:].lower(), dpi=120)
