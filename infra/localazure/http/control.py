"""The control API of local Azure: clock, switches, faults, log, snapshots, seed. Nothing of it exists in Azure.

All of it but `health` takes the control key, in the header `x-local-azure-key`. Mistakes are 400 with every reason.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from infra.localazure import bodies, errors, faults, generic, ids, jobs, models, snapshot
from infra.localazure.entities import CustomModel, Json
from infra.localazure.http import wire
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router
from infra.localazure.requestlog import Filter
from infra.localazure.seed import BadSeed, Seed
from infra.localazure.switches import Switches, described

PREFIX = ".local-azure"
KEY_HEADER = "x-local-azure-key"
NEXT = 5
"""How many of the things that are due the clock shows."""


class Advance(msgspec.Struct):
    """POST clock/advance."""

    seconds: float


class Clock(msgspec.Struct, forbid_unknown_fields=True):
    """PUT clock: another factor, a moment to go ahead to, or both (the moment first)."""

    factor: float | None = None
    now: datetime | None = None


def health(call: Call) -> Answer:
    """That it is up, and whose it is."""
    return Answer(body={"status": "ok", "origin": call.world.origin, "now": wire.moment(call.now)})


# --- the clock -----------------------------------------------------------------------------------------------------


def get_clock(call: Call) -> Answer:
    """The virtual moment, how fast it goes, and what is due next."""
    coming = [{"at": wire.moment(c.at), "what": c.what, "key": c.key} for c in call.world.coming(NEXT)]
    return Answer(body={"now": wire.moment(call.now), "factor": call.world.clock.factor, "next": coming})


def put_clock(call: Call) -> Answer:
    """Go on at another factor (0 freezes), or from a later moment."""
    wanted = call.read(Clock)
    if wanted.factor is None and wanted.now is None:
        raise errors.BAD_REQUEST(fact="say a factor, a moment (now), or both")
    try:
        if wanted.now is not None:
            given = wanted.now if wanted.now.tzinfo is not None else wanted.now.replace(tzinfo=UTC)
            call.world.advance(given - call.now)
        if wanted.factor is not None:
            call.world.clock.follow(wanted.factor)
    except (ValueError, OverflowError) as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    call.world.keep_time()
    return get_clock(call)


def advance(call: Call) -> Answer:
    """Move the clock ahead; what is due in between happens at its own moment."""
    try:
        call.world.advance(timedelta(seconds=call.read(Advance).seconds))
    except (ValueError, OverflowError) as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return get_clock(call)


# --- switches ------------------------------------------------------------------------------------------------------


def get_switches(call: Call) -> Answer:
    """Every switch with its setting."""
    return Answer(body=msgspec.to_builtins(call.world.switches))


def describe_switches(call: Call) -> Answer:
    """Every switch with its setting, what it was at first, and what it is for."""
    rows = [msgspec.to_builtins(row) for row in described(call.world.switches)]
    return Answer(body={"value": rows})


def put_switches(call: Call) -> Answer:
    """Set some switches and leave the others."""
    wanted = {**msgspec.to_builtins(call.world.switches), **bodies.read_object(call.body)}
    try:
        call.world.switches = msgspec.convert(wanted, Switches)
    except msgspec.ValidationError as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    call.app.wire_up()  # what is due may be due sooner now
    call.world.keep_time()
    return get_switches(call)


# --- faults --------------------------------------------------------------------------------------------------------


def list_faults(call: Call) -> Answer:
    """The faults that stand, with how often each has struck."""
    return Answer(body={"value": [_fault(fault) for fault in faults.standing(call.world)]})


def list_kinds(call: Call) -> Answer:
    """The faults there are: what each strikes, what the client sees, where Azure was seen to do so."""
    rows = [
        {
            "name": kind.name,
            "moment": kind.moment,
            "strikes": kind.strikes,
            "seen": kind.seen,
            "source": kind.source or "unconfirmed",
            "seconds": kind.seconds,
            "secondsAre": kind.seconds_are,
            "when": ["before", "after"] if kind.both_times else ["before"],
        }
        for kind in faults.KINDS
    ]
    return Answer(body={"value": rows})


def add_fault(call: Call) -> Answer:
    """Have a fault stand from now on."""
    try:
        wish = faults.read(bodies.read_object(call.body), call.world.catalogue)
    except faults.BadFault as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return Answer(201, _fault(faults.add(call.world, wish)))


def clear_faults(call: Call) -> Answer:
    """Take every fault away; gives those that stood."""
    return Answer(body={"value": [_fault(fault) for fault in faults.clear(call.world)]})


def clear_fault(call: Call) -> Answer:
    """Take one fault away."""
    gone = faults.clear(call.world, call.params["fault"])
    if not gone:
        raise errors.BAD_REQUEST(fact=f"there is no fault {call.params['fault']}")
    return Answer(body={"value": [_fault(fault) for fault in gone]})


def _fault(fault: faults.Fault) -> Json:
    return {name: getattr(fault, name) for name in fault.__struct_fields__}


# --- jobs ----------------------------------------------------------------------------------------------------------


def list_jobs(call: Call) -> Answer:
    """The ids of all Container Apps jobs."""
    return Answer(body={"value": [one.id for one in call.world.generic if one.type == generic.JOBS]})


def list_executions(call: Call) -> Answer:
    """The executions of all Container Apps jobs, the oldest first, without what they wrote."""
    rows = [
        {"name": one.name, "id": one.id, "exitCode": one.body.get("exitCode"), **jobs.properties(one, call.now)}
        for one in jobs.all_executions(call.world)
    ]
    return Answer(body={"value": [{k: v for k, v in row.items() if k != "template"} for row in rows]})


def get_execution_log(call: Call) -> Answer:
    """What an execution wrote, line by line. Azure sends it to a workspace, which is not here."""
    found = next((e for e in jobs.all_executions(call.world) if e.name == call.params["execution"]), None)
    if found is None:
        raise errors.BAD_REQUEST(fact=f"there is no execution {call.params['execution']}")
    return Answer(body={"value": found.body["log"]})


# --- tuned models --------------------------------------------------------------------------------------------------


def list_models(call: Call) -> Answer:
    """The tuned models and checkpoints of all accounts, with where each is deployed."""
    return Answer(body={"value": [_model(call, model) for model in call.world.models]})


def delete_model(call: Call) -> Answer:
    """Delete a tuned model or checkpoint, as the portal does: Azure has no call for it."""
    name, account = call.params["model"], call.argument("account")
    found = [m for m in call.world.models if m.id == name and (not account or m.account == ids.key(account))]
    if not found:
        raise errors.BAD_REQUEST(fact=f"there is no tuned model {name}" + (f" in {account}" if account else ""))
    if len(found) > 1:
        raise errors.BAD_REQUEST(fact=f"{len(found)} accounts own a model {name}: say which account")
    shown = _model(call, found[0])
    try:
        models.delete(call.world, found[0])
    except errors.AzureError as error:
        raise errors.BAD_REQUEST(fact=error.message) from error
    return Answer(body=shown)


def _model(call: Call, model: CustomModel) -> Json:
    world = call.world
    account = world.accounts.get(model.account)
    deployed = [d.id for d in world.deployments if (d.owner, d.model.name) == (model.account, model.id)]
    return {
        "model": model.id,
        "account": account.id if account is not None else model.account,
        "base": model.base,
        "job": model.job,
        "created": wire.moment(model.created),
        "deployments": deployed,
    }


# --- log, snapshots, seed ------------------------------------------------------------------------------------------


def get_log(call: Call) -> Answer:
    """The last requests, oldest first: those after a number, since a moment, of a path, a status, a caller."""
    asked: dict[str, Any] = {name: value for name, value in call.query.items() if value}
    try:
        wanted = msgspec.convert(asked, Filter, strict=False)
    except msgspec.ValidationError as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    if wanted.since is not None and wanted.since.tzinfo is None:
        wanted = msgspec.structs.replace(wanted, since=wanted.since.replace(tzinfo=UTC))
    unknown = sorted(set(asked) - set(Filter.__struct_fields__))
    if unknown:
        raise errors.BAD_REQUEST(fact=f"the log is not asked by {', '.join(unknown)}")
    found = call.app.log.find(wanted)
    return Answer(body=[{name: getattr(entry, name) for name in entry.__struct_fields__} for entry in found])


def list_snapshots(call: Call) -> Answer:
    """The snapshots there are."""
    return Answer(body={"value": msgspec.to_builtins(snapshot.listing(call.world))})


def save_snapshot(call: Call) -> Answer:
    """Keep all that is known now under a name."""
    try:
        return Answer(201, msgspec.to_builtins(snapshot.save(call.world, call.params["name"])))
    except snapshot.BadSnapshot as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error


def restore_snapshot(call: Call) -> Answer:
    """Go back to a snapshot, the clock too."""
    try:
        snapshot.restore(call.world, call.params["name"])
    except snapshot.BadSnapshot as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    call.app.renew()
    return get_clock(call)


def delete_snapshot(call: Call) -> Answer:
    """Forget a snapshot."""
    try:
        snapshot.delete(call.world, call.params["name"])
    except snapshot.BadSnapshot as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return Answer(204)


def reset(call: Call) -> Answer:
    """Start anew with the seed of the body, or without a body with the one it was started with."""
    seed = call.read(Seed) if call.body else call.app.seed
    try:
        call.app.reset(seed)
    except BadSeed as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return get_clock(call)


def post_seed(call: Call) -> Answer:
    """Plant tenants, subscriptions, principals, roles and models."""
    try:
        call.app.plant(call.read(Seed))
    except BadSeed as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return Answer(204)


_KEY = "key"
_OURS = "its own tests: Azure has nothing like it"
ROUTES = [
    Route("GET", f"/{PREFIX}/health", health, checked_against=_OURS),
    Route("GET", f"/{PREFIX}/clock", get_clock, _KEY, _OURS),
    Route("PUT", f"/{PREFIX}/clock", put_clock, _KEY, _OURS),
    Route("POST", f"/{PREFIX}/clock/advance", advance, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/switches", get_switches, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/switches/described", describe_switches, _KEY, _OURS),
    Route("PUT", f"/{PREFIX}/switches", put_switches, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/faults", list_faults, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/faults/kinds", list_kinds, _KEY, _OURS),
    Route("POST", f"/{PREFIX}/faults", add_fault, _KEY, _OURS),
    Route("DELETE", f"/{PREFIX}/faults", clear_faults, _KEY, _OURS),
    Route("DELETE", f"/{PREFIX}/faults/{{fault}}", clear_fault, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/log", get_log, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/jobs", list_jobs, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/executions", list_executions, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/executions/{{execution}}/log", get_execution_log, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/models", list_models, _KEY, _OURS),
    Route("DELETE", f"/{PREFIX}/models/{{model}}", delete_model, _KEY, _OURS),
    Route("GET", f"/{PREFIX}/snapshots", list_snapshots, _KEY, _OURS),
    Route("PUT", f"/{PREFIX}/snapshots/{{name}}", save_snapshot, _KEY, _OURS),
    Route("DELETE", f"/{PREFIX}/snapshots/{{name}}", delete_snapshot, _KEY, _OURS),
    Route("POST", f"/{PREFIX}/snapshots/{{name}}/restore", restore_snapshot, _KEY, _OURS),
    Route("POST", f"/{PREFIX}/reset", reset, _KEY, _OURS),
    Route("POST", f"/{PREFIX}/seed", post_seed, _KEY, _OURS),
]
ROUTER = Router(ROUTES)
