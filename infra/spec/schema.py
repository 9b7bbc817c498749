"""JSON Schemas for editors, from the types of `model.py`, the named rules and the comments of `reference.yaml`.

    python -m infra.spec.schema [FOLDER]      writes stack.json, model.json and others (into stacks/schema)

They say what the reader of one file says. What takes more than one place to see (two deployments of one model, a record
that does not exist) is for `hearth check`. Only keywords that every draft knows are used, so older editors do too.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from infra.spec import documents, duration
from infra.spec.documents import Document
from infra.spec.documents import Path as At
from infra.spec.model import ModelRecord, StackFile, Written
from infra.spec.reading import Field, fields_of, named_rule, without_none
from infra.spec.rollout import RolloutFile
from infra.spec.rules import one_of, pattern, rules
from infra.spec.training import TrainingFile

REFERENCE = Path(__file__).with_name("reference.yaml")
FOLDER = Path(__file__).parents[2] / "stacks" / "schema"
NAMES = ("stack.json", "model.json", "rollout.json", "training.json")
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", timedelta: "string"}


def stack_schema() -> dict[str, Any]:
    """The schema of a stack file. No key is required in it: Pulumi.yaml may hold any of them for all stacks."""
    keys = Explained(reference()[0]).properties(StackFile, ("config",))
    others = "|".join(key.removeprefix("hearth:") for key in keys if key.startswith("hearth:"))
    config = {
        "description": Explained(reference()[0]).comment(("config",)),
        "type": ["object", "null"],
        "properties": keys,
        # Other namespaces are other people's; in ours, an unknown key is a mistake.
        "patternProperties": {f"^hearth:(?!(?:{others})$)": False},
    }
    return {"$schema": _DRAFT, "title": "A stack of hearth", "type": "object", "properties": {"config": config}}


def record_schema() -> dict[str, Any]:
    """The schema of a model record."""
    return {"$schema": _DRAFT, "title": "A model record of hearth", **Explained(reference()[1]).struct(ModelRecord, ())}


def rollout_schema() -> dict[str, Any]:
    """The schema of stacks/rollout.yaml."""
    return {"$schema": _DRAFT, "title": "A rollout of hearth", **Explained(reference()[2]).struct(RolloutFile, ())}


def training_schema() -> dict[str, Any]:
    """The schema of a file of stacks/training."""
    made = Explained(reference()[3]).struct(TrainingFile, ())
    return {"$schema": _DRAFT, "title": "What hearth trains", **made}


def texts() -> dict[str, str]:
    """The files to commit, by name."""
    schemas = (stack_schema(), record_schema(), rollout_schema(), training_schema())
    return {name: json.dumps(made, indent=1) + "\n" for name, made in zip(NAMES, schemas, strict=True)}


@cache
def reference() -> tuple[Document, Document, Document, Document]:
    """The explained stack file, model record, rollout and training file."""
    stack, record, rollout, training = documents.parse_all(REFERENCE.read_text("utf-8"), REFERENCE.name, engine=True)
    return stack, record, rollout, training


class Explained:
    """Makes the schema of a type; the descriptions are the comments of an explained document."""

    def __init__(self, document: Document) -> None:
        """Take the document that shows and explains every key of the type."""
        self.document = document
        self.lines = REFERENCE.read_text("utf-8").splitlines()
        self.free: set[At] = set()
        """Mappings with free keys; their examples explain together what one of them may have."""

    def of(self, kind: Any, at: At) -> dict[str, Any]:
        """The schema of a type; `at` is where the reference has an example of it."""
        kind, rule = named_rule(without_none(kind))
        if rule and rules()[rule].whole:
            return rules()[rule].schema
        plain = self._plain(kind, at)
        return {**plain, **rules()[rule].schema} if rule else plain

    def struct(self, kind: type[Written], at: At) -> dict[str, Any]:
        """The schema of a mapping with known keys."""
        made: dict[str, Any] = {"type": "object", "properties": self.properties(kind, at)}
        required = [field.key for field in fields_of(kind) if field.required]
        if required:
            made["required"] = required
        return {**made, "additionalProperties": False}

    def properties(self, kind: type[Written], at: At) -> dict[str, Any]:
        """The keys of a mapping, each with its description first."""
        return {field.key: self._field(field, (*at, field.key)) for field in fields_of(kind)}

    def comment(self, at: At) -> str:
        """What the reference says directly above a key."""
        above = [text.strip() for text in self.lines[: self._line(at) - 1]]
        said = takewhile(lambda text: text.startswith("# "), reversed(above))
        return " ".join(reversed([text.removeprefix("# ") for text in said]))

    def _line(self, at: At) -> int:
        """Where a key stands, in whichever example has it."""
        lines = self.document.lines
        for depth in (depth for depth in range(len(at)) if at[:depth] in self.free and at not in lines):
            others = ((*at[:depth], name, *at[depth + 1 :]) for name in self.document.find(at[:depth]))
            return next(lines[other] for other in others if other in lines)
        return lines[at]

    def _field(self, field: Field, at: At) -> dict[str, Any]:
        made = self.of(field.kind, at)
        return {"description": self.comment(at), **(made if field.required else _or_nothing(made))}

    def _plain(self, kind: Any, at: At) -> dict[str, Any]:
        if get_origin(kind) is Literal:
            return {"type": "string", **one_of(get_args(kind))}
        if get_origin(kind) is list:
            return {"type": "array", "items": self.of(get_args(kind)[0], (*at, 0))}
        if get_origin(kind) is dict:
            key, value = get_args(kind)
            return self._free(key, value, at)
        if kind is Any:
            return {}
        if isinstance(kind, type) and issubclass(kind, Written):
            return self._with_shorthand(kind, self.struct(kind, at), at)
        return {"type": _TYPES[kind], **(pattern(duration.PATTERN.pattern) if kind is timedelta else {})}

    def _free(self, key: Any, value: Any, at: At) -> dict[str, Any]:
        """A mapping with free keys; the reference shows some."""
        self.free.add(at)
        example = next(iter(self.document.find(at) or {}), "")
        named = {"propertyNames": rules()[rule].schema} if (rule := named_rule(key)[1]) else {}
        return {"type": "object", **named, "additionalProperties": self.of(value, (*at, example))}

    def _with_shorthand(self, kind: type[Written], made: dict[str, Any], at: At) -> dict[str, Any]:
        if kind.shorthand is None:
            return made
        short = next(field for field in fields_of(kind) if field.key == kind.shorthand)
        return {"anyOf": [self.of(short.kind, (*at, short.key)), made]}


def _or_nothing(made: dict[str, Any]) -> dict[str, Any]:
    """The same, or a key without a value: that is the default."""
    if "type" in made:
        enum = {"enum": [*made["enum"], None]} if "enum" in made else {}
        return {**made, "type": [made["type"], "null"], **enum}
    return {**made, "anyOf": [*made["anyOf"], {"type": "null"}]} if "anyOf" in made else made


def write(folder: Path = FOLDER) -> None:
    """Write the schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, "utf-8")
        sys.stdout.write(f"wrote {folder / name}\n")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:2]))
