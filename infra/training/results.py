"""What a fine-tuning job's results file says: the figures of every step, read by the names of its columns.

Source of the columns: Learn, "Customize a model with fine-tuning", analyze your model (as of October 2026), and files
of real jobs, which call the fifth column valid_mean_token_accuracy and leave the cells of validation empty between two
evaluations.
"""

from __future__ import annotations

import csv
import io
import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from infra.errors import Mistake, SpecError

Column = NDArray[np.float64]
TRAIN_LOSS, TRAIN_ACCURACY = "train_loss", "train_mean_token_accuracy"
VALID_LOSS, VALID_ACCURACY = "valid_loss", "valid_mean_token_accuracy"
FULL_LOSS, FULL_ACCURACY = "full_valid_loss", "full_valid_mean_token_accuracy"
COLUMNS = (TRAIN_LOSS, TRAIN_ACCURACY, VALID_LOSS, VALID_ACCURACY, FULL_LOSS, FULL_ACCURACY)
_SPELLINGS = {"validation_mean_token_accuracy": VALID_ACCURACY, "train_accuracy": TRAIN_ACCURACY}
"""What the documentation calls a column that real files call otherwise, and what preference jobs call theirs."""
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Results:
    """The figures of a job, a row a step. NaN where a step was not evaluated; a column that is absent is all NaN."""

    steps: Column
    columns: dict[str, Column] = field(default_factory=dict)
    """By the names above; the file's other columns under their own."""

    def __getitem__(self, name: str) -> Column:
        """A column by name; all NaN where the file has none."""
        return self.columns.get(name, np.full(len(self.steps), np.nan))

    def points(self, name: str) -> tuple[Column, Column]:
        """Steps and figures of a column where it has any."""
        values = self[name]
        known = ~np.isnan(values)
        return self.steps[known], values[known]


def read(content: bytes, name: str = "results.csv") -> Results:
    """The results in a CSV file. Raises SpecError with what is wrong, each with its line."""
    try:
        return _read(content.decode("utf-8-sig", errors="replace"), name)
    except csv.Error as error:
        raise SpecError([Mistake(name, 0, "", f"is no CSV, so not the results file of a job: {error}")]) from error


def _read(text: str, name: str) -> Results:
    first = text.partition("\n")[0]
    header = [_SPELLINGS.get(cell.strip().lower(), cell.strip().lower()) for cell in next(csv.reader([first]), [])]
    mistakes = _of_header(header, name)
    if mistakes:
        raise SpecError(mistakes)
    body = text[len(first) + 1 :]
    rows = _quickly(body, len(header))
    if rows is None:
        rows = _carefully(body, header, name)
    if not len(rows):
        raise SpecError([Mistake(name, 1, "", "holds no step yet; a job writes the first when its training starts")])
    rows = rows[np.argsort(rows[:, header.index("step")], kind="stable")]
    columns = {column: rows[:, at] for at, column in enumerate(header) if column != "step"}
    return Results(rows[:, header.index("step")], columns)


def _of_header(header: list[str], name: str) -> list[Mistake]:
    if "step" not in header or TRAIN_LOSS not in header:
        shown = ", ".join(header[:8])[:200] or "nothing"
        text = f"has no columns step and {TRAIN_LOSS}; is this the results file of a job? It begins with {shown!r}"
        return [Mistake(name, 1, "", text)]
    twice = sorted({column for column in header if header.count(column) > 1})
    return [Mistake(name, 1, column, "stands twice in the header") for column in twice]


def _quickly(body: str, width: int) -> Column | None:
    """All rows at once; None where one of them is not as it should be."""
    if '"' in body:
        return None
    filled = f"\n{body.replace(chr(13), '').strip(chr(10))}\n".replace("\n,", "\nnan,")
    filled = filled.replace(",,", ",nan,").replace(",,", ",nan,").replace(",\n", ",nan\n")[1:]
    if not filled.strip():
        return np.empty((0, width))
    signs = np.frombuffer(filled.encode(), dtype=np.uint8)
    ends = signs[(signs == ord(",")) | (signs == ord("\n"))] == ord("\n")  # of each cell: whether it ends its row
    if len(ends) % width or not ends[width - 1 :: width].all() or ends.sum() * width != len(ends):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's word for what is no number
        try:
            cells = np.fromstring(filled.replace("\n", ",")[:-1], sep=",")
        except (DeprecationWarning, ValueError):
            return None
    if len(cells) != len(ends):
        return None
    rows = cells.reshape(-1, width)
    return rows if not np.isnan(rows[:, 0]).any() else None


def _carefully(body: str, header: list[str], name: str) -> Column:
    """Row by row, with the line of each that cannot be read. A last line cut short is left out: the job still runs."""
    rows, mistakes = [], []
    lines = list(csv.reader(io.StringIO(body)))
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            rows.append(_row(cells, header))
        except ValueError as error:
            if number == len(lines) + 1 and not body.endswith("\n"):
                break
            mistakes.append(Mistake(name, number, "", str(error)))
    if mistakes:
        more = len(mistakes) - _MOST_SHOWN
        shown = mistakes[:_MOST_SHOWN]
        raise SpecError(shown + ([Mistake(name, shown[-1].line + 1, "", f"and {more} more lines")] if more > 0 else []))
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(header))


def _row(cells: list[str], header: list[str]) -> list[float]:
    if len(cells) != len(header):
        raise ValueError(f"has {len(cells)} cells, the header {len(header)}")
    found = []
    for column, cell in zip(header, cells, strict=True):
        try:
            found.append(float(cell) if cell.strip() else float("nan"))
        except ValueError:
            raise ValueError(f"{column} is no number: {cell[:40]!r}") from None
    if np.isnan(found[header.index("step")]):
        raise ValueError("names no step")
    return found
