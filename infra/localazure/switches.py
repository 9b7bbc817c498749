"""How this local Azure behaves where Azure's own pace varies, or where what Azure does is not known.

Every switch can be set while it runs (`PUT /.local-azure/switches`). Seconds are virtual.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from typing import Annotated, Literal

import msgspec

Span = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
"""A length of time in seconds, never negative."""
Hours = Annotated[float, msgspec.Meta(ge=0, le=8e6)]
Days = Annotated[float, msgspec.Meta(ge=0, le=3e5)]
"""The same in longer units: sums with any moment of the clock must be moments too."""


class Switches(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Settings with Azure's place in their description; the defaults make a quick and still honest Azure."""

    account_create: Span = 0.3
    """Seconds an account is Creating. Azure: some 30 s to minutes."""
    account_update: Span = 0.0
    """Seconds a changed account is Accepted. Azure: mostly at once."""
    account_delete: Span = 0.0
    """Seconds an account is Deleting. Azure: at once in recorded traffic."""
    deployment_create: Span = 0.3
    """Seconds a fine-tuned deployment is Creating. Azure: minutes; base models are Succeeded at once."""
    deployment_update: Span = 0.1
    """Seconds a changed deployment is Accepted."""
    deployment_delete: Span = 0.0
    """Seconds a deployment is Deleting. Azure: at once in recorded traffic."""
    readiness: Span = 0.5
    """Seconds a Succeeded deployment still answers DeploymentNotFound. Azure: up to 5 minutes."""
    role_propagation: Span = 0.3
    """Seconds until a role assignment works. Azure: up to 10 minutes."""
    purge: Span = 0.0
    """Seconds a purge takes."""
    group_delete: Span = 0.3
    """Seconds a resource group is Deleting. Azure: minutes."""
    registration: Span = 0.3
    """Seconds a resource provider is Registering. Azure: a minute or more."""
    job_run: Span = 1.0
    """Seconds an execution of a Container Apps job is Running where nobody runs it; else it takes what it takes."""
    idle_days: Days = 15.0
    """A fine-tuned deployment this old without a successful call for as long is deleted."""
    developer_hours: Hours = 24.0
    """A Developer-tier deployment is deleted this long after its creation."""
    soft_delete_hours: Hours = 48.0
    """A deleted account can be restored this long."""
    model_change: Literal["in_place", "gap", "refuse"] = "in_place"
    """Not known: what a PUT with another model does to a custom deployment. in_place: it serves the old one until the
    new one is ready; gap: it serves nothing meanwhile; refuse: 400."""
    failed_calls_count: bool = False
    """Not known: whether a refused call (4xx) counts against the 15 days."""
    restore_brings_deployments: bool = True
    """Not known: whether deployments that an account had when it was deleted are back after its restore. They hold
    their quota until the purge either way."""
    delete_with_deployments: Literal["take", "refuse"] = "take"
    """Not known: whether an account that still has deployments can be deleted. refuse: 409 until they are gone."""
    retirement: bool = False
    """Whether retired base models refuse new deployments and stop answering."""
    idle_deletion_logged: Literal["service", "none"] = "service"
    """Not known: whether the activity log tells of a deployment that the service deletes by itself. service: as the
    service's own act; none: not at all."""
    throttling: Literal["running", "always", "off"] = "running"
    """When the resource manager refuses callers that ask too often. running: while the clock runs (a frozen one would
    never let anybody in again); always: on a frozen clock too; off: never."""
    metrics_delay: Span = 180.0
    """Seconds after which a minute that is over shows in metrics. Azure: some minutes, not confirmed."""
    metrics_gaps: Literal["zero", "absent"] = "zero"
    """Varies: whether a point without calls, in a series that has some, says 0 or has no value."""
    metrics_response_time: Literal["provisioned", "all"] = "provisioned"
    """Two pages of Azure's differ: whether the time to the response is measured of deployments that are paid by the
    token. provisioned: of provisioned ones alone; all: of those too. The time to the last byte is, of all."""
    metrics_points: Span = 44_640.0
    """Not known: the most points of a series that metrics answer (31 days of minutes); 0: any number."""
    metrics_of_nothing: Literal["empty", "refuse"] = "empty"
    """Not known: what a batch of metrics says of an account that does not exist. empty: it has no series; refuse: 404
    for the whole batch."""
    metrics_calls_per_hour: Span = 12_000.0
    """Questions about metrics of single resources that a subscription may ask in an hour (third parties' notes, not
    confirmed); 0: any number. Refused as `throttling` says."""
    metrics_batch_calls_per_hour: Span = 360_000.0
    """The same for batches."""
    file_processing: Span = 0.5
    """Seconds until an uploaded or imported file is processed. Azure: seconds to minutes, by size."""
    training_queue: Span = 1.0
    """Seconds a job is pending at least. Azure: minutes, and as long as it takes until a place is free."""
    training_preparation: Span = 3.0
    """Seconds from a job's start to its first step: files are checked and imported, GPUs waited for. Azure: minutes."""
    training_rate: Annotated[float, msgspec.Meta(ge=0.1, le=1e12)] = 20_000.0
    """Training tokens (those of the data times the epochs) that a job goes through in a second. Azure: not told; a
    slower pace with a faster clock is nearer to it."""
    training_evaluation: Span = 2.0
    """Seconds of the safety evaluation after the last step, and before a paused job is paused. Azure: minutes."""
    post_lists: bool = False
    """Whether a job's events and checkpoints are listed by POST too, as the curl samples of Microsoft's pages have it.
    The description has GET alone."""
    results_header: Literal["valid_mean_token_accuracy", "validation_mean_token_accuracy"] = "valid_mean_token_accuracy"
    """How results.csv calls its fifth column: live files say valid_…, Microsoft's page validation_…."""
    delete_trained: Literal["refuse", "take"] = "refuse"
    """Not known: whether the files and the job that a deployed model comes from can be deleted. The pages ask to delete
    the deployment first. refuse: 409 until it is gone."""
    strict_api_versions: bool = False
    """Not known in full: which api-versions Azure takes. Microsoft's own samples send some that no list has, so any
    date passes; strict: those that are known of Microsoft.CognitiveServices alone."""


class Described(msgspec.Struct, frozen=True):
    """A switch with what it is for."""

    name: str
    value: float | bool | str
    usual: float | bool | str
    """What it is unless told."""
    about: str


def described(switches: Switches) -> list[Described]:
    """Every switch with its setting and its description, which is the docstring behind it."""
    usual, texts = Switches(), _texts()
    return [
        Described(name, getattr(switches, name), getattr(usual, name), texts.get(name, ""))
        for name in Switches.__struct_fields__
    ]


@cache
def _texts() -> dict[str, str]:
    found, name = {}, ""
    for node in ast.parse(inspect.getsource(Switches)).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = " ".join(str(node.value.value).split())
    return found
