"""The control API of local Azure: its clock, its switches, its log. Nothing of it exists in Azure."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from infra.localazure import bodies, errors
from infra.localazure.http import wire
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router
from infra.localazure.seed import BadSeed, Seed, plant
from infra.localazure.switches import Switches

PREFIX = ".local-azure"
KEY_HEADER = "x-local-azure-key"


class Advance(msgspec.Struct):
    """POST clock/advance."""

    seconds: float


class Follow(msgspec.Struct):
    """PUT clock."""

    factor: float


def health(call: Call) -> Answer:
    """That it is up, and whose it is."""
    return Answer(body={"status": "ok", "origin": call.world.origin, "now": wire.moment(call.now)})


def get_clock(call: Call) -> Answer:
    """The virtual moment and how fast it goes."""
    return Answer(body={"now": wire.moment(call.now), "factor": call.world.clock.factor})


def put_clock(call: Call) -> Answer:
    """Go on at another factor; 0 freezes."""
    try:
        call.world.clock.follow(call.read(Follow).factor)
    except ValueError as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return get_clock(call)


def advance(call: Call) -> Answer:
    """Move the clock ahead; what is due in between happens at its own moment."""
    try:
        call.world.advance(timedelta(seconds=call.read(Advance).seconds))
    except (ValueError, OverflowError) as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return get_clock(call)


def get_switches(call: Call) -> Answer:
    """Every switch with its setting."""
    return Answer(body=msgspec.to_builtins(call.world.switches))


def put_switches(call: Call) -> Answer:
    """Set some switches and leave the others."""
    wanted = {**msgspec.to_builtins(call.world.switches), **bodies.read_object(call.body)}
    try:
        call.world.switches = msgspec.convert(wanted, Switches)
    except msgspec.ValidationError as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    call.app.wire_up()  # what is due may be due sooner now
    return get_switches(call)


def get_log(call: Call) -> Answer:
    """The last requests, oldest first."""
    return Answer(body=msgspec.to_builtins(list(call.app.log)))


def post_seed(call: Call) -> Answer:
    """Plant tenants, subscriptions, principals, roles and models."""
    try:
        plant(call.world, call.read(Seed))
    except BadSeed as error:
        raise errors.BAD_REQUEST(fact=str(error)) from error
    return Answer(204)


_KEY = "key"
ROUTES = [
    Route("GET", f"/{PREFIX}/health", health),
    Route("GET", f"/{PREFIX}/clock", get_clock, _KEY),
    Route("PUT", f"/{PREFIX}/clock", put_clock, _KEY),
    Route("POST", f"/{PREFIX}/clock/advance", advance, _KEY),
    Route("GET", f"/{PREFIX}/switches", get_switches, _KEY),
    Route("PUT", f"/{PREFIX}/switches", put_switches, _KEY),
    Route("GET", f"/{PREFIX}/log", get_log, _KEY),
    Route("POST", f"/{PREFIX}/seed", post_seed, _KEY),
]
ROUTER = Router(ROUTES)
