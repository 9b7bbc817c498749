"""How good a deployment is by a file of prompts: what `hearth models evaluate` writes into a record."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra.proofs import promptfile
from infra.proofs.prompts import Answer, Asker, Results

LIMIT = timedelta(minutes=30)
"""How long asking may take unless told."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of a file of prompts."""

    sha256: str
    """Of the file's bytes."""
    results: Results

    @property
    def complete(self) -> bool:
        """Whether every prompt was answered; else the figures are not those of the model."""
        return not self.results.unanswered

    @property
    def pass_rate(self) -> float:
        """The share of good answers; what got no answer counts as none."""
        return self.results.pass_rate.least

    @property
    def p95(self) -> timedelta | None:
        """95 of 100 answers came within it; None where too many never came."""
        seconds = self.results.quantile(0.95).most
        return None if math.isinf(seconds) else timedelta(seconds=round(seconds, 3))

    @property
    def answers(self) -> tuple[Answer, ...]:
        """How it went with each prompt, in the file's order."""
        return self.results.answers


def evaluate(
    asker: Asker, endpoint: str, deployment: str, file: Path, *, shown: str = "", limit: timedelta = LIMIT
) -> Evaluation:
    """Ask a deployment the prompts of a file, which messages call `shown`; after `limit` no call is begun.

    Raises SpecError for what is wrong in the file, before anything is asked; what goes wrong with a call stands with
    its prompt.
    """
    read = promptfile.read(file, shown)
    return Evaluation(read.sha256, asker.ask(endpoint, deployment, read.prompts, limit=limit))
