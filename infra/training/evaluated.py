"""A record's `evaluation`, written into its file: the rest of it, comments too, stays as it is."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from infra import whole
from infra.errors import Mistake, SpecError
from infra.proofs.evaluation import Evaluation
from infra.spec.documents import parse, write
from infra.training.evaluate import p95_text

_KEY = re.compile(r"evaluation[ \t]*:")


def of(found: Evaluation, at: datetime, file: str, against: tuple[dict[str, str], Evaluation] | None) -> dict[str, Any]:
    """What a record keeps of an evaluation. `against`: what else was asked the same ({base: …} or {record: …})."""
    other = None
    if against is not None:
        which, its = against
        other = {**which, "passRate": round(its.pass_rate, 4), "p95": p95_text(its.p95)}
    return {
        "at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "prompts": {"file": file, "sha256": found.sha256},
        "passRate": round(found.pass_rate, 4),
        "p95": p95_text(found.p95),
        "against": other,
    }


def put(file: Path, shown: str, model: str, evaluation: dict[str, Any]) -> None:
    """Write an evaluation into the record of this model, whole or not at all.

    Raises SpecError where the file holds another model by now, or can no longer be read or written.
    """
    try:
        old = file.read_text("utf-8")
        whole.write(file, replaced(old, shown, model, evaluation))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Mistake(shown, 0, "", f"cannot be written: {error}")]) from error


def replaced(old: str, shown: str, model: str, evaluation: dict[str, Any]) -> str:
    """The text of a record with another evaluation; raises SpecError where it is not that model's."""
    document = parse(old, shown)
    if document.mistakes:
        raise SpecError(document.mistakes)
    if not isinstance(document.value, dict) or document.value.get("model") != model:
        line = document.line(("model",))
        raise SpecError([Mistake(shown, line, "model", f"is no longer {model}, which was evaluated")])
    wanted = {**document.value, "evaluation": evaluation}
    edited = _edited(old, write({"evaluation": evaluation}))
    if parse(edited, shown).value == wanted:
        return edited
    # Written in a way that lines do not tell apart (one mapping in braces): the values stay, comments do not.
    return write(wanted)


def _edited(old: str, block: str) -> str:
    lines = old.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    start = next((at for at, line in enumerate(lines) if _KEY.match(line)), len(lines))
    end = start + 1
    while end < len(lines) and lines[end][:1] in {" ", "\t"}:
        end += 1
    return "".join([*lines[:start], block, *lines[end:]])
