"""What `hearth data check` says: what is wrong and what to do, the data in a few lines, all of it for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from infra.training import rules, shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.training.cost import Bill
    from infra.training.dataset import File, Report
    from infra.training.mend import Mended
    from infra.training.rules import Finding


def tell(report: Report) -> None:
    """Faults and warnings on standard error, each with what to do; then the data in a few lines."""
    for file in report.files:
        _tell_findings(file)
    for file in report.files:
        typer.echo(_described(file, report))
    if report.bill:
        for line in _billed(report, report.bill):
            typer.echo(line)
    faults, warnings = report.count("fault"), report.count("warning")
    typer.echo(f"{_number(faults, 'fault')}, {_number(warnings, 'warning')}")


def _tell_findings(file: File) -> None:
    known = rules.load()
    for kind in ("fault", "warning"):
        of_kind = [rule for rule in known.values() if rule.kind == kind and rule.id in file.broken]
        if not of_kind:
            continue
        number = sum(file.broken[rule.id] for rule in of_kind)
        typer.echo(f"{_printable(file.called)} has {_number(number, kind)}", err=True)
        for rule in of_kind:
            found = [one for one in file.findings if one.rule == rule.id]
            for one in found:
                typer.echo(f"  {_place(one)}{_printable(one.text)} → {rule.do}", err=True)
            told = file.broken[rule.id] if any(one.line == 0 for one in found) else len(found)
            if rest := file.broken[rule.id] - told:
                typer.echo(f"  … and {rest:,} more like this ({rule.id}: {rule.asks})", err=True)


def _place(found: Finding) -> str:
    return f"line {found.line}: " if found.line else ""


def _described(file: File, report: Report) -> str:
    if file.shape is None:
        return f"{_printable(file.called)}: not looked into"
    parts = [f"{file.examples:,} {shapes.NAMES[file.shape]}", f"{file.size:,} bytes"]
    if file.sizes:
        unit = "tokens" if report.encoding else "characters"
        middle, most = _quantile(file.sizes, 0.5), max(file.sizes)
        parts.append(
            f"{unit} an example: {middle:,} in the middle, {_quantile(file.sizes, 0.95):,} at 95 %, {most:,} at most"
        )
    texts = ", ".join(f"{role} {texts:,}" for role, (texts, _) in sorted(file.roles.items()))
    if texts:
        parts.append(f"texts: {texts}")
    if file.pictured:
        parts.append(f"{file.pictured:,} with images, which are not counted as tokens")
    return f"{_printable(file.called)} ({file.purpose}): {'; '.join(parts)}"


def _quantile(sizes: dict[int, int], share: float) -> int:
    wanted, passed = share * sum(sizes.values()), 0
    for size in sorted(sizes):
        passed += sizes[size]
        if passed >= wanted:
            return size
    return 0


def _billed(report: Report, bill: Bill) -> Iterator[str]:
    how = f"counted by {report.encoding}" if report.encoding else "an estimate, 4 characters a token"
    least, most = bill.epochs
    epochs = f"{least}" if least == most else f"{least} to {most}"
    chosen = "" if least == most else ", for Azure chooses"
    whole = _range(bill.tokens * least, bill.tokens * most)
    yield f"training tokens: {bill.tokens:,} ({how}), in {epochs} epochs{chosen}: {whole}"
    if bill.per_hour is not None:
        by_hour = f"{bill.per_hour:,.0f} {bill.currency} an hour of training, however long it takes"
        yield f"cost: {by_hour} ({bill.source}, {bill.as_of})"
    elif bill.prices:
        each = (f"{price.training_type} {_range(price.least, price.most, '.2f')}" for price in bill.prices)
        yield f"cost in {bill.currency}: {', '.join(each)} ({bill.source}, {bill.as_of})"
    else:
        yield f"cost: price unknown{f' for {report.model}' if report.model else ', for no --model was named'}"


def _range(least: float, most: float, form: str = ".0f") -> str:
    low, high = f"{least:,{form}}", f"{most:,{form}}"
    return low if low == high else f"{low} to {high}"


def _number(count: int, word: str) -> str:
    return f"{'no' if count == 0 else f'{count:,}'} {word}{'' if count == 1 else 's'}"


def _printable(text: str) -> str:
    """A text without what would drive a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def for_programs(report: Report, mended: list[Mended]) -> dict[str, Any]:
    """All that was found, as JSON has it."""
    known = rules.load()
    return {
        "ok": report.count("fault") == 0,
        "faults": report.count("fault"),
        "warnings": report.count("warning"),
        "model": report.model,
        "tokens": {"counted": report.counted, "encoding": report.encoding},
        "cost": _cost(report.bill),
        "files": [
            {
                "file": file.path,
                "purpose": file.purpose,
                "bytes": file.size,
                "lines": file.lines,
                "examples": file.examples,
                "shape": file.shape,
                "byteOrderMark": file.bom,
                "sizes": {
                    "unit": "tokens" if report.encoding else "characters",
                    "middle": _quantile(file.sizes, 0.5),
                    "p95": _quantile(file.sizes, 0.95),
                    "most": max(file.sizes, default=0),
                },
                "roles": {role: {"texts": texts, "size": size} for role, (texts, size) in file.roles.items()},
                "withImages": file.pictured,
                "broken": file.broken,
                "findings": [
                    {
                        "line": found.line,
                        "rule": found.rule,
                        "kind": known[found.rule].kind,
                        "text": found.text,
                        "do": known[found.rule].do,
                    }
                    for found in file.findings
                ],
            }
            for file in report.files
        ],
        "fixed": [
            {
                "file": one.path,
                "marks": one.marks,
                "blank": one.blank,
                "lineEnds": one.line_ends,
                "duplicates": one.duplicates,
            }
            for one in mended
        ],
    }


def _cost(bill: Bill | None) -> dict[str, Any] | None:
    if bill is None:
        return None
    return {
        "tokens": bill.tokens,
        "epochs": list(bill.epochs),
        "currency": bill.currency,
        "prices": {price.training_type: [price.least, price.most] for price in bill.prices} or None,
        "perHour": bill.per_hour,
        "asOf": bill.as_of,
        "source": bill.source,
    }


def changes(mended: Mended) -> str:
    """What --fix changed, in a line."""
    if not mended.changed:
        return f"{mended.path}: the same as before, there was nothing to mend"
    parts = [
        f"{_number(number, what)} {done}"
        for number, what, done in (
            (mended.marks, "stray byte-order mark", "taken away"),
            (mended.blank, "blank line", "taken away"),
            (mended.line_ends, "line end", "corrected"),
            (mended.duplicates, "duplicate", "taken away"),
        )
        if number
    ]
    return f"{mended.path}: {', '.join(parts)}; check this one again"
