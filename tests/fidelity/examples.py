"""Azure's official examples of requests, made ours by the table of substitutions and really sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from infra.localazure import dataset, finetuning, ids, models
from infra.localazure.entities import CustomModel, File, Principal, Upload, UploadPart
from infra.localazure.finetuning import Order
from infra.localazure.http import monitor
from tests.fidelity import known, measured, spec
from tests.localazure import training
from tests.localazure.cloud import (
    PRODUCTION,
    TENANT,
    TUNED,
    Cloud,
    Reply,
    assignment_body,
)

ROLE = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
"""Cognitive Services OpenAI User."""
PRINCIPAL = "dddddddd-0000-4000-8000-00000000000e"
NAMES = {"subscription": PRODUCTION, "role": ROLE, "principal": PRINCIPAL, "tuned": TUNED}
HOST = "examples.openai.azure.com"
BASE_MODEL, BASE_VERSION = "gpt-4o-mini", "2024-07-18"


@dataclass(frozen=True)
class Example:
    """One example file of one operation."""

    op: spec.Operation
    file: Path
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        """Operation and file, as tests show it."""
        return f"{self.op.version}-{self.op.name}-{self.file.stem}"


def every() -> Iterator[Example]:
    """The examples that lie beside the descriptions."""
    if not spec.FOLDER.is_dir():
        return
    for op in spec.operations():
        home = (spec.FOLDER / op.description).parent
        for reference in op.raw.get("x-ms-examples", {}).values():
            file = home / reference["$ref"]
            if file.is_file():
                yield Example(op, file, json.loads(file.read_text("utf-8")))


def is_offered(op: spec.Operation) -> bool:
    """Whether a route of the tables answers the operation."""
    return measured.route_of(op.method, sample(op.template)) is not None


def is_sent(example: Example) -> bool:
    """Whether an example is sent: those of offered operations are, but for the few that the list names."""
    unsent = {row.example for row in known.read().unsent}
    return is_offered(example.op) and example.file.stem not in unsent


def sample(template: str) -> str:
    """A path of a template."""
    batch = template.startswith(f"{spec.METRICS_PREFIX}/subscriptions")
    fixed = {
        "host": f"swedencentral{monitor.HOST}" if batch else HOST, "scope": "subscriptions/s", "subscriptionId": "s",
        "resourceUri": "subscriptions/s/resourceGroups/g/providers/n/t/r",
        "roleAssignmentId": "subscriptions/s/providers/Microsoft.Authorization/roleAssignments/x",
        "roleId": "subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/x",
    }  # fmt: skip
    return re.sub(r"\{(.+?)\}", lambda m: fixed.get(m[1], "x"), template.split("?", maxsplit=1)[0])


def substituted(parameter: str, value: Any) -> Any:
    """A value of an example's request with the table applied."""
    if isinstance(value, dict):
        return {k: substituted(k, v) for k, v in value.items()}
    if isinstance(value, list):
        return [substituted(parameter, v) for v in value]
    if not isinstance(value, str) or parameter == "api-version":
        return value
    for row in known.read().substitutions:
        if row.parameter in (None, parameter):
            value = re.sub(row.find, row.put.format(**NAMES), value)
    return value


def send(cloud: Cloud, example: Example) -> Reply:
    """Make what the request needs, then send it as it is written."""
    op = example.op
    given = {name: substituted(name, value) for name, value in example.raw["parameters"].items()}
    given.setdefault("deployment-id", given.get("deploymentId"))
    given["host"] = HOST
    if op.name == "RoleDefinitions_Delete":
        given["roleDefinitionId"] = ids.derived_guid("a role of the caller's own")  # built-in ones cannot be deleted
    path = path_of(op, given)
    prepare(cloud, op, path, given)
    if "multipart/form-data" in op.raw.get("consumes", []):
        named = {"file": ("puppy.jsonl", b"{}\n"), "data": ("part", b"{}\n"), "purpose": str(given.get("purpose"))}
        raw, headers = training.form(
            {p["name"]: named[p["name"]] for p in spec.parameters(op) if p["in"] == "formData"}
        )
        headers["api-key"] = cloud.key(ids.account_id(PRODUCTION, "rg", "examples"))
        return cloud.ask(op.method, path, who=None, version=given["api-version"], headers=headers, raw=raw)
    body = next((given[p["name"]] for p in spec.parameters(op) if p["in"] == "body" and p["name"] in given), None)
    if op.template.startswith(spec.DATA_PREFIX):
        key = cloud.key(ids.account_id(PRODUCTION, "rg", "examples"))
        return cloud.ask(
            op.method, path, given.get("body", body), who=None, version=given["api-version"], headers={"api-key": key}
        )
    queries = {
        p["name"]: str(given[p["name"]])
        for p in spec.parameters(op)
        if p["in"] == "query" and p["name"] in given and p["name"] != "api-version"
    }
    return cloud.ask(op.method, path, body, version=given["api-version"], **queries)


def path_of(op: spec.Operation, given: dict[str, Any]) -> str:
    """The path of an operation with its names filled in."""
    path = re.sub(r"\{(.+?)\}", lambda m: quote(str(given[m[1]]).strip("/"), safe="/"), op.template.split("?")[0])
    return path.replace("/./", "/")


def prepare(cloud: Cloud, op: spec.Operation, path: str, given: dict[str, Any]) -> None:
    """Bring about what an example takes for granted."""
    if op.template.startswith(spec.DATA_PREFIX):
        owner = cloud.account("examples")
        _tune(cloud, owner)
        model, version = ("davinci-002", "1") if op.name == "Completions_Create" else (BASE_MODEL, BASE_VERSION)
        cloud.deploy(owner, "bot", model, model_version=version)
        cloud.settle()
        _train(cloud, op, owner, given)
        return
    if "Authorization" in path:
        _roles(cloud, op, path)
        return
    group, name = given.get("resourceGroupName", "rg"), given.get("accountName", "somebody")
    makes = op.name == "Accounts_Create"
    if makes:
        cloud.group(group)
        return
    region = given["location"] if "deletedAccounts" in path and "location" in given else "swedencentral"
    owner = cloud.account(name, location=region, group=group)
    assert cloud.ask("PATCH", owner, {"tags": {"Owner": "felixwa"}}).status == 200
    if "deletedAccounts" in path:
        assert cloud.ask("DELETE", owner).status == 200
        cloud.settle()
    elif op.name != "Deployments_CreateOrUpdate":
        deployment = given.get("deploymentName", "bot")
        assert cloud.deploy(owner, deployment, BASE_MODEL, model_version=BASE_VERSION).status == 201
        cloud.settle()
    if op.name == "CheckDomainAvailability":
        cloud.account(given["parameters"]["subdomainName"], group=group)  # the example's answer is that it is taken


def _train(cloud: Cloud, op: spec.Operation, owner: str, given: dict[str, Any]) -> None:
    """Files, an upload and a job under the names that the examples give them."""
    world, key = cloud.world, ids.key(owner)
    account = world.account(key)
    assert account is not None
    named = given.get("file-id") or given.get("fineTuningJob", {}).get("training_file", "file-1")
    piece = world.contents.write([training.chat(20)])
    facts = dataset.examine(world.contents.lines([piece]))
    file = File(id=named, account=key, created=world.now(), filename="puppy.jsonl", purpose="fine-tune", size=9,
                pieces=[piece], facts=facts)  # fmt: skip
    if op.name.startswith(("Files_", "FineTuning_")):
        world.files.put(f"{key}|{named}", file)
    if "upload-id" in given:
        parts = [UploadPart(id=f"uplprt-{n}", block=block, piece=world.contents.write([b"{}\n"]), size=1 << 20)
                 for n, block in enumerate(given.get("body", {}).get("part_ids", []))]  # fmt: skip
        upload = Upload(id=given["upload-id"], account=key, created=world.now(), filename="x.jsonl",
                        purpose="fine-tune", size=1 << 21, parts=parts)  # fmt: skip
        world.uploads.put(f"{key}|{upload.id}", upload)
    if "fine-tuning-job-id" not in given and op.name != "FineTuning_List":
        return
    made = finetuning.create(world, account, Order("gpt-4o-mini-2024-07-18", named, named, "supervised", {}, "Standard",
                                                   None, None, {}))  # fmt: skip
    world.tunings.drop(f"{key}|{made.id}")
    made.id = given.get("fine-tuning-job-id", made.id)
    world.tunings.put(f"{key}|{made.id}", made)
    cloud.app.wire_up()
    if op.name != "FineTuning_Cancel":
        cloud.advance(minutes=5)


def _tune(cloud: Cloud, account: str) -> None:
    made = CustomModel(
        id=TUNED, account=ids.key(account), base="gpt-4.1-mini-2025-04-14", created=cloud.world.now(), job="ftjob-1"
    )
    models.put(cloud.world, made)


def _roles(cloud: Cloud, op: spec.Operation, path: str) -> None:
    cloud.world.principals.put(PRINCIPAL, Principal(id=PRINCIPAL, tenant=TENANT, name="somebody"))
    cloud.group("testrg")
    cloud.account("test-db-account", group="testrg")
    if op.method in ("GET", "DELETE") and "roleAssignments" in path:
        scope, _, name = path.partition("/providers/Microsoft.Authorization/roleAssignments")
        name = name.strip("/") or ids.derived_guid("an example")
        made = cloud.put(
            f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            assignment_body("Reader", PRINCIPAL, "ServicePrincipal"),
            version="2022-04-01",
        )
        assert made.status == 201, made.body


# --- shapes --------------------------------------------------------------------------------------------------------


def shape(found: Any, where: str = "") -> dict[str, set[str]]:
    """Every place of an answer with the types that are found there; items of a list count as one."""
    made: dict[str, set[str]] = {}
    if isinstance(found, dict):
        for key, value in found.items():
            at = f"{where}.{key}" if where else key
            made.setdefault(at, set()).add(_type(value))
            _add(made, shape(value, at))
    elif isinstance(found, list):
        for value in found:
            made.setdefault(f"{where}[]", set()).add(_type(value))
            _add(made, shape(value, f"{where}[]"))
    return made


def _add(made: dict[str, set[str]], more: dict[str, set[str]]) -> None:
    for at, types in more.items():
        made.setdefault(at, set()).update(types)


def _type(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "string", dict: "object", list: "array"}[type(value)]


def lacking(theirs: Any, ours: Any) -> list[str]:
    """The places that theirs has and ours has not (the uppermost of each), or has with another type."""
    wanted, had = shape(theirs), shape(ours)
    found: list[str] = []
    for at, types in wanted.items():
        parent = re.sub(r"(\.[^.\[]+|\[\])$", "", at)
        if any(at != f and (parent == f or at.startswith((f + ".", f + "["))) for f in found):
            continue
        if at not in had:
            found.append(at)
        elif not (types & had[at]) and "null" not in types | had[at]:
            found.append(f"{at}: {'|'.join(sorted(had[at]))} instead of {'|'.join(sorted(types))}")
    return found
