"""Responses that an account keeps: for thirty days, or until they are deleted."""

from __future__ import annotations

from datetime import timedelta

from infra.localazure import errors
from infra.localazure.entities import Account, StoredResponse
from infra.localazure.world import World

KEPT = timedelta(days=30)
OLD = "response is old"


def wire_up(world: World) -> None:
    """Schedule the end of responses of a state that was read."""
    world.on_due(OLD, lambda world, response_id: world.responses.drop(response_id))
    for response in world.responses:
        world.schedule(response.created + KEPT, OLD, response.id)


def keep(world: World, response: StoredResponse) -> None:
    """Keep a response until it is too old."""
    world.responses.put(response.id, response)
    world.schedule(response.created + KEPT, OLD, response.id)


def find(world: World, account: Account, response_id: str) -> StoredResponse | None:
    """The response of that id, if it is the account's."""
    found = world.responses.get(response_id)
    return found if found is not None and found.account == account.internal_id else None


def get(world: World, account: Account, response_id: str) -> StoredResponse:
    """The response of that id, or the refusal of one that is not there."""
    found = find(world, account, response_id)
    if found is None:
        raise errors.NO_RESPONSE(id=response_id)
    return found


def delete(world: World, account: Account, response_id: str) -> None:
    """Forget a response; those that followed it keep what they took from it."""
    get(world, account, response_id)
    world.responses.drop(response_id)
