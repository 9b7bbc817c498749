"""Runs of Container Apps jobs, started by hand. Schedules are kept and not followed.

What a run does is the business of a runner that local Azure is given (`runner.py` is one). Without one nothing is run:
an execution is over after a while and has succeeded.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from infra.localazure import generic, groups, ids
from infra.localazure.entities import GenericResource, Json
from infra.localazure.world import Caller, World

EXECUTIONS = f"{generic.JOBS}/executions"
RUNNING, SUCCEEDED, FAILED = "Running", "Succeeded", "Failed"
MOST_LINES = 100_000
"""Lines that are kept of one execution."""


def start(world: World, caller: Caller, job_id: str, template: Json | None, *, runs: bool = False) -> GenericResource:
    """Begin an execution of a job, of its own template unless another one is given.

    `runs`: somebody runs it and will say how it ended; else it is over when its time has come.
    """
    job = generic.get(world, job_id)
    parts = job.id.split("/")
    groups.open_group(world, parts[2], parts[4])
    now = world.now()
    name = f"{job.name}-{secrets.token_hex(4)}"
    end: Json = {"endTime": (now + timedelta(seconds=world.switches.job_run)).isoformat()}
    made = GenericResource(
        id=f"{job.id}/executions/{name}",
        type=EXECUTIONS,
        name=name,
        body={
            "log": [],
            "properties": {
                **({"status": RUNNING} if runs else end),
                "startTime": now.isoformat(),
                "template": template or job.body["properties"].get("template", {}),
            },
        },
        created=caller.stamp(now),
        modified=caller.stamp(now),
    )
    world.generic.put(ids.key(made.id), made)
    world.record(f"{generic.JOBS}/start/action", job.id, caller)
    return made


def say(world: World, execution_id: str, stream: str, line: str) -> None:
    """Keep a line that a run has written; one that is gone meanwhile says nothing."""
    found = world.generic.get(ids.key(execution_id))
    if found is not None and len(found.body["log"]) < MOST_LINES:
        found.body["log"].append({"at": world.now().isoformat(), "stream": stream, "line": line})


def finish(world: World, execution_id: str, code: int) -> None:
    """A run has ended with this exit code."""
    found = world.generic.get(ids.key(execution_id))
    if found is None:
        return
    found.body["properties"] |= {
        "status": FAILED if code else SUCCEEDED,
        "endTime": world.now().isoformat(),
    }
    found.body["exitCode"] = code
    world.generic.put(ids.key(found.id), found)


def abandon(world: World) -> None:
    """Executions that were running when their runner went away have failed."""
    for found in world.generic:
        if found.type == EXECUTIONS and found.body["properties"].get("status") == RUNNING:
            finish(world, found.id, 1)


def all_executions(world: World) -> list[GenericResource]:
    """The executions of all jobs, the oldest first."""
    return [r for r in world.generic if r.type == EXECUTIONS]


def executions(world: World, job_id: str) -> list[GenericResource]:
    """The executions of a job, the newest first."""
    job = generic.get(world, job_id)
    inside = ids.key(job.id) + "/executions/"
    return [r for r in reversed(list(world.generic)) if ids.key(r.id).startswith(inside)]


def properties(execution: GenericResource, now: datetime) -> Json:
    """The properties of an execution as they are by now."""
    kept: Json = execution.body["properties"]
    if "status" in kept:
        return kept
    if now >= datetime.fromisoformat(kept["endTime"]):
        return {"status": SUCCEEDED, **kept}
    return {"status": RUNNING, **{k: v for k, v in kept.items() if k != "endTime"}}


# --- what a job is made of -----------------------------------------------------------------------------------------


def secrets_of(job: GenericResource) -> dict[str, str]:
    """The secrets of a job, by name."""
    found: list[Json] = _configuration(job).get("secrets") or []
    return {str(one.get("name")): str(one.get("value") or "") for one in found}


def without_secrets(job: GenericResource) -> Json:
    """What Azure shows of a job: its secrets by name alone (POST listSecrets gives them)."""
    configuration = _configuration(job)
    if not configuration.get("secrets"):
        return job.body
    named = [{key: value for key, value in one.items() if key != "value"} for one in configuration["secrets"]]
    properties_of = {**job.body["properties"], "configuration": {**configuration, "secrets": named}}
    return {**job.body, "properties": properties_of}


def environment(job: GenericResource, container: Json) -> dict[str, str]:
    """The variables of a container of a job, those from secrets included."""
    held = secrets_of(job)
    given: list[Json] = container.get("env") or []
    return {
        str(one["name"]): held.get(str(one["secretRef"]), "") if one.get("secretRef") else str(one.get("value") or "")
        for one in given
    }


def identities(world: World, job: GenericResource) -> list[GenericResource]:
    """The user-assigned identities of a job that exist."""
    assigned: Json = (job.body.get("identity") or {}).get("userAssignedIdentities") or {}
    found = [world.generic.get(ids.key(one)) for one in assigned]
    return [one for one in found if one is not None]


def limits(job: GenericResource) -> tuple[float, int]:
    """How many seconds a replica may run, and how often it is tried again."""
    configuration = _configuration(job)
    return float(configuration.get("replicaTimeout") or 1800), int(configuration.get("replicaRetryLimit") or 0)


def _configuration(job: GenericResource) -> dict[str, Any]:
    found: dict[str, Any] = job.body["properties"].get("configuration") or {}
    return found
