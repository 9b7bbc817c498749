"""docs/local-azure.md: what local Azure offers, what each part is checked against, and where it differs from Azure."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from infra.localazure import errors, generic, switches
from infra.localazure.http import arm, control, data_plane, entra, storage
from infra.localazure.http.router import Route
from tests.fidelity import known, measured
from tests.fidelity.examples import sample
from tests.fidelity.operations import Named, written

INTRO = """\
# Local Azure

Azure on this machine, for trying things out and for tests: accounts, fine-tuned deployments (also of models trained
elsewhere), roles, soft delete, the data plane with files and fine-tuning jobs, and the rules that live on time. It
speaks Azure's own protocols over TLS, so the ordinary clients reach it like any other cloud: Pulumi, the Azure SDKs,
the openai package, the Azure CLI, curl. Nothing leaves the machine; it listens on loopback only.

```sh
hearth local start        # on the port it had; prints where it is
hearth local env          # what a shell needs to reach it
hearth local stop         # keeps its state
```

Its clock is virtual: it can be moved ahead by days, frozen, or follow real time at a factor, and everything that is due
in between happens at its own moment. Where Azure's pace varies, or where what Azure does is not known, there is a
switch. Both, and failures by name, snapshots and the log, are had from the command line and from the control API below;
for tests `infra.localazure.LocalAzure` is the same inside a process.

```sh
hearth local clock                        # now, how fast it goes, what is due next
hearth local clock advance 14d            # or freeze, follow, set
hearth local fault kinds                  # every way to fail, by name
hearth local fault add throttle --count 3
hearth local switch readiness=120         # seconds until a new deployment serves
hearth local snapshot save before         # and: restore before
hearth local log --follow                 # who asked for what, and how it ended
hearth local delete-model                 # tuned models; with a name: what one clicks in the portal
hearth local reset                        # all forgotten, the seed planted anew
```

What is told here is generated (`make docs`) from the tables that local Azure and its tests run on.

## How it is checked

- Every answer that a test draws from it, in whatever test, is held against Azure's own description of the operation:
  status, headers, body. Every request is too: what the description forbids must not be taken, and what our own program
  and commands send must be what the description asks for.
- The official examples of every offered operation are sent as they are written; only the names in the table below are
  replaced. The answers are compared in shape.
- Recorded answers of Azure are compared field by field.
- Real clients, unpatched, run against it: azure-mgmt-cognitiveservices (also asynchronous), azure-mgmt-authorization,
  azure-identity, azure-storage-blob, openai (classic and v1), the Azure CLI and curl.
- A full run of the tests fails when one of its operations was called by no test.
- 10,000 bad requests made from the official examples get an answer in Azure's envelope, none of them a 500.

The clients' tests can run on real Azure: `HEARTH_FIDELITY_SUBSCRIPTION`, `HEARTH_FIDELITY_RESOURCE_GROUP` and an
ordinary login select it; those that cost something need `HEARTH_FIDELITY_COSTS=yes` as well. **They have not been run
there.**
"""


def page() -> str:
    """The whole page."""
    parts = [
        INTRO,
        _counts(),
        "## Operations\n\nThe permission is what the caller must be allowed at the resource; without one any valid "
        "token will do.\n",
        _routes("Resource manager", arm.ROUTES),
        _kept(),
        _routes("Data plane", data_plane.ROUTES),
        _routes(
            "Blobs", storage.ROUTES, "As much as an import of files needs, at `{account}.blob.core.windows.net`.\n\n"
        ),
        _routes("Login and metadata", entra.ROUTES),
        _routes("Control API", control.ROUTES, "Needs the header `x-local-azure-key` where a key is asked for.\n\n"),
        _switches(),
        _faults(),
        _differences(),
        _texts(),
    ]
    return "\n".join(part for part in parts if part)


# --- what there is -------------------------------------------------------------------------------------------------


def is_offered(op: Named) -> bool:
    """Whether a route of the tables answers an operation."""
    return measured.route_of(op.method, sample(op.template)) is not None


def _unsent() -> dict[str, str]:
    """The official examples of offered operations that are not sent, with the reason."""
    offered = {name for op in written() if is_offered(op) for name in op.examples}
    return {row.example: row.why for row in known.read().unsent if row.example in offered}


def _counts() -> str:
    rows = []
    families: dict[str, list[Named]] = {}
    for op in written():
        families.setdefault(op.family, []).append(op)
    for family, ops in families.items():
        offered = [op for op in ops if is_offered(op)]
        sent = sum(name not in _unsent() for op in offered for name in op.examples)
        rows.append((family, len(ops), len(offered), sum(len(op.examples) for op in ops), sent))
    rows.append(("**in all**", *(sum(int(row[i]) for row in rows) for i in range(1, 5))))
    head = ("Description", "Operations", "Offered", "Examples", "Sent")
    return "\n" + table(head, rows)


def _routes(title: str, routes: Iterable[Route], before: str = "") -> str:
    rows = [(r.method, code(r.template), code(r.action) if r.action else "", r.checked_against) for r in routes]
    return f"### {title} ({len(rows)})\n\n{before}{table(('Method', 'Path', 'Permission', 'Checked against'), rows)}"


def _kept() -> str:
    kinds = ", ".join(code(kind) for kind in sorted(generic.TYPES))
    return (
        "Resources of these types are kept and shown as they are given, with no rules but those that every resource of "
        f"Azure has: {kinds}.\n"
    )


def _switches() -> str:
    rows = [(code(n), default, text) for n, default, text in documented(Path(switches.__file__), "Switches")]
    return f"## Switches ({len(rows)})\n\n{table(('Switch', 'Default', 'What it is'), rows)}"


def documented(file: Path, name: str) -> list[tuple[str, str, str]]:
    """(name, default, docstring) of the fields of a class, as its source says them."""
    tree = ast.parse(file.read_text("utf-8"))
    found = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    rows = []
    for field, text in zip(found.body, found.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.value is not None):
            continue
        told = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        words = " ".join(str(text.value.value).split()) if told else ""  # type: ignore[attr-defined]
        rows.append((field.target.id, ast.unparse(field.value), words))
    return rows


def _faults() -> str:
    """The registry of faults, where this local Azure has one."""
    try:
        kinds = importlib.import_module("infra.localazure.faults").KINDS
    except ModuleNotFoundError:
        return ""
    rows = [(code(k.name), k.strikes, k.seen, k.source or "not confirmed") for k in kinds]
    return f"## Faults ({len(rows)})\n\n{table(('Fault', 'Strikes', 'What the client sees', 'Source'), rows)}"


# --- what there is not ---------------------------------------------------------------------------------------------


def _differences() -> str:
    file = known.read()
    missing: dict[str, list[str]] = {}
    for op in written():
        if not is_offered(op):
            names = missing.setdefault(known.why_unoffered(op.name) or "", [])
            names += [op.name] if op.name not in names else []
    parts = ["## Known differences from Azure\n", "### Operations that are not offered\n"]
    parts.append(
        table(("Why", "Operations"), [(why, ", ".join(code(n) for n in names)) for why, names in missing.items()])
    )
    if unsent := _unsent():
        parts.append("### Official examples of offered operations that are not sent\n")
        parts.append(table(("Example", "Why"), [(code(name), why) for name, why in unsent.items()]))
    parts.append("### What answers lack that official examples or recorded answers have\n")
    parts.append(
        table(("Of", "Places", "Why"), [(code(r.of), " ".join(code(p) for p in r.places), r.why) for r in file.lacks])
    )
    parts.append("### What is otherwise than the description says, on purpose\n")
    rows = [(code(r.operation), r.side, code(r.what), r.why, r.source) for r in file.taken]
    parts.append(table(("Operation", "Side", "What", "Why", "Source"), rows))
    parts.append("### Behaviour\n")
    parts.append("".join(f"- {line}\n" for line in file.behaviour))
    parts.append("### What is put in the place of names in the official examples\n")
    swaps = [(code(r.find), code(r.put), r.why) for r in file.substitutions]
    parts.append(table(("Text", "Sent", "Why"), swaps))
    return "\n".join(parts)


def _texts() -> str:
    unseen = [kind for kind in errors.table() if kind.seen is None]
    rows = [(kind.status, code(kind.code or "null"), kind.text) for kind in unseen]
    before = (
        f"Of {len(errors.table())} refusals {len(rows)} have a text of ours: no page and no traffic that shows "
        "Azure's own was found.\n\n"
    )
    return f"### Texts of refusals that are not confirmed\n\n{before}{table(('Status', 'Code', 'Text'), rows)}"


def code(text: str) -> str:
    """Text as code in a cell."""
    return f"`{text}`"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [
        "| " + " | ".join(re.sub(r"\s+", " ", str(cell)).replace("|", "\\|") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines) + "\n"
