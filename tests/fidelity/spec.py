"""Azure's own interface descriptions as something to hold requests and answers against.

The files lie beside the checkout (`../shared/specs`: Swagger 2.0, one OpenAPI 3). They become JSON Schemas of draft
2020-12, once as answers see them and once as requests do (there what is read-only may not be sent), and jsonschema
does the rest. An open enum (`modelAsString`) takes any value, as its clients do.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FOLDER = Path(__file__).parents[3] / "shared" / "specs"
Side = Literal["request", "answer"]
Json = dict[str, Any]

DESCRIPTIONS = (
    "cognitiveservices/2023-05-01/cognitiveservices.json",
    "cognitiveservices/2024-10-01/cognitiveservices.json",
    "authorization/2022-04-01/authorization-RoleAssignmentsCalls.json",
    "authorization/2022-04-01/authorization-RoleDefinitionsCalls.json",
    "monitor/2015-04-01/activityLogs_API.json",
    "monitor/2018-01-01/metrics_API.json",
    "monitor/2024-02-01/metrics_API.json",
    "monitor/2024-02-01/metricDefinitions_API.json",
    "monitor/2024-02-01/metricBatch.json",
    "azureopenai/authoring/2024-10-01-preview/azureopenai.json",
    "azureopenai/authoring/2024-10-21/azureopenai.json",
    "azureopenai/inference/2024-10-21/inference.json",
)
DATA_PREFIX = "/{host}/openai"
"""Where local Azure has the paths of the data plane's descriptions: below the host that an account answers on."""
METRICS_PREFIX = "/{host}"
"""Where it has those of batches of metrics: below the host of a region."""
_LONG = {"scope", "resourceUri", "parentResourcePath", "roleAssignmentId", "roleId"}
"""Parameters that stand for several segments (`x-ms-skip-url-encoding`)."""
_METHODS = ("get", "put", "post", "patch", "delete", "head")
_COMMON = re.compile(r"^.*/common-types/")


def require() -> None:
    """Skip a test where the descriptions are absent; fail where nothing may be skipped."""
    if FOLDER.is_dir():
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{FOLDER} is absent")
    pytest.skip("Azure's interface descriptions (../shared/specs) are not beside this checkout")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the description says otherwise.

    `extra` is a property that the description does not know: `what` names it as Definition.property.
    """

    side: Side
    kind: Literal["wrong", "extra"]
    operation: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.operation} {self.side}: {self.where or '(whole)'}: {self.what}"


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of a description."""

    description: str
    version: str
    method: str
    template: str
    raw: Json = field(repr=False)

    @property
    def name(self) -> str:
        """Its operationId."""
        return str(self.raw["operationId"])

    @property
    def family(self) -> str:
        """Which interface it is of, with its version: cognitiveservices 2024-10-01."""
        return " ".join(self.description.split("/")[:-1])

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches its paths."""
        found = re.sub(r"\\\{(.+?)\\\}", _group, re.escape(self.template.split("?")[0]))
        return re.compile(found + "/?", re.IGNORECASE)


def _group(match: re.Match[str]) -> str:
    name = match[1].replace("\\", "")
    return f"(?P<{_identifier(name)}>{'.+' if name in _LONG else '[^/]+'})"


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


class Description:
    """One file, its schemas made JSON Schema."""

    def __init__(self, name: str) -> None:
        """Read `name`, a path below the folder of specs."""
        self.name = name
        self.raw: Json = json.loads((FOLDER / name).read_text("utf-8"))
        self.swagger = "swagger" in self.raw

    def operations(self) -> Iterator[Operation]:
        """Every operation."""
        version = self.name.split("/")[-2]
        prefix = DATA_PREFIX if self.name.startswith("azureopenai") else ""
        if self.name.endswith("metricBatch.json"):
            prefix = METRICS_PREFIX
        for template, methods in {**self.raw.get("paths", {}), **self.raw.get("x-ms-paths", {})}.items():
            for method in _METHODS:
                if method in methods:
                    raw = {**methods[method]}
                    raw["parameters"] = [*methods.get("parameters", []), *raw.get("parameters", [])]
                    yield Operation(self.name, version, method.upper(), prefix + template, raw)

    def schemas(self, side: Side) -> Json:
        """The file with every schema in it rewritten for one side."""
        named = self.raw.get("definitions") or self.raw.get("components", {}).get("schemas", {})
        kept = {name: schema_of(found, self.name, side) for name, found in named.items()}
        return {"definitions": kept} if self.swagger else {"components": {"schemas": kept}}


@cache
def description(name: str) -> Description:
    """A file, read once."""
    return Description(name)


def target(reference: str, base: str, side: Side) -> str:
    """The address of a `$ref` in the file `base`: common types lie in one folder here."""
    file, _, pointer = reference.partition("#")
    if not file:
        found = base
    elif _COMMON.match(file):
        home = "monitor/common-types/" if "commonMonitoring" in file else "common-types/"
        found = home + _COMMON.sub("", file)
    else:
        found = (Path(base).parent / file).as_posix()
    return f"spec:{side}/{found}#{pointer}"


def schema_of(found: Any, base: str, side: Side) -> Any:  # noqa: PLR0912 - one keyword after the other
    """A schema of Swagger or OpenAPI 3 as JSON Schema."""
    if not isinstance(found, dict):
        return found
    made: Json = {}
    properties = found.get("properties", {})
    for word, value in found.items():
        match word:
            case "$ref":
                made[word] = target(value, base, side)
            case "properties":
                made[word] = {name: _property(p, base, side) for name, p in value.items()}
            case "items" | "additionalProperties" | "not":
                made[word] = schema_of(value, base, side)
            case "allOf":
                made[word] = [schema_of(part, base, side) for part in value]
            case "oneOf" | "anyOf":  # the parts of a oneOf overlap in these files: any will do
                made["anyOf"] = [schema_of(part, base, side) for part in value]
            case "required" if isinstance(value, list):
                read_only = {n for n, p in properties.items() if p.get("readOnly")} if side == "request" else set()
                made[word] = [name for name in value if name not in read_only]
            case "enum":
                if not found.get("x-ms-enum", {}).get("modelAsString"):
                    made[word] = [*value, None] if _nullable(found) else value
            case "type" if value in ("string", "integer", "number", "boolean", "object", "array"):
                made[word] = [value, "null"] if _nullable(found) else value
            case "pattern" | "format" | "minLength" | "maxLength" | "minItems" | "maxItems" | "minimum" | "maximum":
                made[word] = value
    if _nullable(found) and "$ref" in made:
        return {"anyOf": [made, {"type": "null"}]}
    return made


def _property(found: Any, base: str, side: Side) -> Any:
    if side == "request" and isinstance(found, dict) and found.get("readOnly"):
        return {"not": {}}
    return schema_of(found, base, side)


def _nullable(found: Json) -> bool:
    return bool(found.get("nullable") or found.get("x-nullable"))


def _retrieve(address: str) -> Resource[Any]:
    side, _, name = address.removeprefix("spec:").partition("/")
    contents = description(name).schemas("request" if side == "request" else "answer")
    return Resource(contents=contents, specification=DRAFT202012)


_REGISTRY: Registry[Any] = Registry(retrieve=cache(_retrieve))  # type: ignore[call-arg]
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


# --- which operation a request is ----------------------------------------------------------------------------------


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation of every description."""
    return tuple(op for name in DESCRIPTIONS for op in description(name).operations())


def find(method: str, path: str, version: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation that a request is, with the values of its path; None where no description tells of it.

    Of several versions the newest that is not newer than the request's, else the oldest. Those templates that are one
    parameter and nothing else (`/{roleAssignmentId}`) tell of paths that others tell of too.
    """
    found = []
    for op in operations():
        if op.method != method or op.template.startswith(("/{roleAssignmentId}", "/{roleId}")):
            continue
        match = op.pattern.fullmatch(path)
        if match and not _is_v1(op, match):
            found.append((op, match))
    if not found:
        return None
    fewest = min(len(op.pattern.groupindex) + 10 * ("(?P<scope>" in op.pattern.pattern) for op, _ in found)
    found = [f for f in found if len(f[0].pattern.groupindex) + 10 * ("(?P<scope>" in f[0].pattern.pattern) == fewest]
    early = [f for f in found if f[0].version <= version]
    op, match = max(early, key=lambda f: f[0].version) if early else min(found, key=lambda f: f[0].version)
    return op, {name: unquote(value) for name, value in match.groupdict().items()}


def _is_v1(op: Operation, match: re.Match[str]) -> bool:
    return op.template.startswith(DATA_PREFIX) and match.string.split("/")[3:4] == ["v1"]


# --- what is wrong with it -----------------------------------------------------------------------------------------


def request(op: Operation, path: dict[str, str], query: dict[str, str], body: bytes) -> list[Finding]:
    """What a request says that its description does not."""
    findings: list[Finding] = []
    given = {name.lower(): value for name, value in query.items()}
    for parameter in parameters(op):
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            value = path.get(_identifier(name))
            if value is not None:
                findings += _simple(op, f"path {name}", parameter, value)
        elif place == "query":
            value = given.pop(name.lower(), None)
            if value is not None:
                findings += _simple(op, f"query {name}", parameter, value)
            elif parameter.get("required"):
                findings.append(Finding("request", "wrong", op.name, f"query {name}", "is required"))
    if "v1" not in op.template:
        findings += [Finding("request", "extra", op.name, "query", f"query.{name}") for name in given]
    schema = body_schema(op)
    if schema is None:
        if body.strip() not in (b"", b"{}"):
            findings.append(Finding("request", "wrong", op.name, "body", "the operation takes none"))
    elif body:
        findings += _held("request", op, schema, body)
    return findings


def answer(op: Operation, status: int, headers: dict[str, str], content: bytes) -> list[Finding]:
    """What an answer shows that its description does not."""
    responses = op.raw["responses"]
    told = responses.get(str(status))
    if told is None:
        if status < 400:
            return [Finding("answer", "wrong", op.name, "", f"status {status} is none of {', '.join(responses)}")]
        told = responses.get("default")
        if told is None:
            return []
    findings = [
        Finding("answer", "wrong", op.name, f"header {name}", "is absent")
        for name in told.get("headers", {})
        if name.lower() not in headers
    ]
    schema = _answer_schema(op, told)
    if schema is None:
        if content and status < 300 and told.get("schema", {}).get("type") != "file":
            findings.append(Finding("answer", "wrong", op.name, "body", f"a {status} has none"))
        return findings
    if not content:
        return [*findings, Finding("answer", "wrong", op.name, "body", f"a {status} has one")]
    if headers.get("content-type", "").startswith("text/event-stream"):
        for event in events(content):
            findings += _held("answer", op, schema, event)
        return findings
    return findings + _held("answer", op, schema, content)


def events(content: bytes) -> list[bytes]:
    """The data of server-sent events, without the one that ends them."""
    lines = [line.removeprefix(b"data: ") for line in content.split(b"\n") if line.startswith(b"data: ")]
    return [line for line in lines if line != b"[DONE]"]


def parameters(op: Operation) -> list[Json]:
    """Its parameters, those of common types looked up."""
    return [_looked_up(p, op.description) for p in op.raw["parameters"]]


def _looked_up(found: Json, base: str) -> Json:
    if "$ref" not in found:
        return found
    file, _, pointer = target(found["$ref"], base, "request").removeprefix("spec:request/").partition("#")
    at: Any = description(file).raw
    for part in pointer.strip("/").split("/"):
        at = at[part]
    return dict(at)


def body_schema(op: Operation) -> Json | None:
    """The schema of its request's body; None where it has none, or a form."""
    content = op.raw.get("requestBody", {}).get("content", {}).get("application/json")
    raw = content["schema"] if content else next((p["schema"] for p in parameters(op) if p["in"] == "body"), None)
    return None if raw is None else schema_of(raw, op.description, "request")


def _answer_schema(op: Operation, told: Json) -> Json | None:
    raw = told.get("schema") or told.get("content", {}).get("application/json", {}).get("schema")
    return None if raw is None or raw.get("type") == "file" else schema_of(raw, op.description, "answer")


def _simple(op: Operation, where: str, parameter: Json, value: str) -> Iterable[Finding]:
    schema = schema_of(parameter.get("schema", parameter), op.description, "request")
    made: Any = value
    kind = schema.get("type")
    if kind in ("integer", "number") and re.fullmatch(r"-?\d+(\.\d+)?", value):
        made = float(value) if "." in value else int(value)
    elif kind == "boolean" and value.lower() in ("true", "false"):
        made = value.lower() == "true"
    elif kind == "array":
        return ()
    for error in _validator(json.dumps(schema)).iter_errors(made):
        return (Finding("request", "wrong", op.name, where, error.message),)
    return ()


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), registry=_REGISTRY, format_checker=_FORMATS)


def _held(side: Side, op: Operation, schema: Json, content: bytes) -> list[Finding]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return [Finding(side, "wrong", op.name, "body", "is no JSON")]
    return list(_of_body(side, op.name, json.dumps(schema), found))


def _of_body(side: Side, name: str, schema: str, found: Any) -> Iterator[Finding]:
    validator = _validator(schema)
    for error in validator.iter_errors(found):
        best = _deepest(error)
        yield Finding(side, "wrong", name, _dotted(best.absolute_path), best.message[:300])
    for where, what in sorted(set(extras(json.loads(schema), found, "body", ""))):
        yield Finding(side, "extra", name, where, what)


def _deepest(error: ValidationError) -> ValidationError:
    return best_match([error]) or error


def _dotted(path: Iterable[str | int]) -> str:
    return ".".join("[]" if isinstance(part, int) else part for part in path).replace(".[]", "[]")


# --- properties that no schema names -------------------------------------------------------------------------------


def extras(schema: Json, found: Any, name: str, where: str) -> Iterator[tuple[str, str]]:
    """(place, Definition.property) of what a schema does not know. A schema without properties knows everything."""
    if isinstance(found, list):
        items = _merged(schema, found)[3]
        for item in found:
            for part, part_name in items:
                yield from extras(part, item, part_name or name, f"{where}[]")
        return
    if not isinstance(found, dict):
        return
    known, more, named, _ = _merged(schema, found)
    for key, value in found.items():
        at = f"{where}.{key}" if where else key
        if key in known:
            for part in known[key]:
                yield from extras(part, value, f"{named or name}.{key}", at)
        elif isinstance(more, dict):
            yield from extras(more, value, f"{named or name}.*", at)
        elif more is None and known:
            yield at, f"{named or name}.{key}"


def _merged(schema: Json, found: Any) -> tuple[dict[str, list[Json]], Any, str, list[tuple[Json, str]]]:
    """Properties, additional ones, the definition's name and the items of a schema with all its parts.

    Of alternatives those count that the instance fits, or all if it fits none.
    """
    known: dict[str, list[Json]] = {}
    items: list[tuple[Json, str]] = []
    more: Any = None
    named = ""
    waiting = [(schema, "")]
    while waiting:
        part, of = waiting.pop()
        if not isinstance(part, dict):
            continue
        if "$ref" in part:
            inner = _REGISTRY.resolver().lookup(part["$ref"]).contents
            waiting.append((inner, of or part["$ref"].rsplit("/", 1)[-1]))
        named = named or of
        for key, value in part.get("properties", {}).items():
            known.setdefault(key, []).append(value)
        more = part.get("additionalProperties", more)
        if "items" in part:
            items.append((part["items"], ""))
        waiting += [(p, of) for p in reversed(part.get("allOf", []))]
        branches = part.get("anyOf", [])
        fitting = [b for b in branches if _validator(json.dumps(b)).is_valid(found)]
        waiting += [(b, "") for b in fitting or branches]
    return known, more, named, items
