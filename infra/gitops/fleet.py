"""The stacks of a fleet, and how what each serves stands to what its files want. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from infra.rollout.plan import Observed, same, wanted_of
from infra.spec import DeploymentWish, Rollout, Stack
from infra.spec.promotion import Served

State = Literal["asWanted", "held", "behind", "notUp", "gone", "unread"]
"""held: kept from the record by a rollout, or because no rollout has passed the record yet. behind: the files have
changed since the last up. notUp: not deployed yet. gone: no longer in the file, and still deployed."""


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One deployment of a stack, or a stack that has none."""

    stack: str
    location: str = ""
    wave: str | None = None
    """None: no rollout names the stack; it follows its records."""
    deployment: str = ""
    wanted: str | None = None
    """The model of its record."""
    served: str | None = None
    """The model that callers get, by the last outputs."""
    active: str | None = None
    """The Azure name that callers use."""
    held: bool = False
    rollout: str | None = None
    """The rollout that put there what is served."""
    state: State
    why: str = ""
    """Why it could not be read."""


def rows(
    names: list[str],
    stacks: Mapping[str, Stack],
    unread: Mapping[str, str],
    rollout: Rollout | None,
    seen: Mapping[str, Observed],
) -> list[Row]:
    """The named stacks in their waves' order, then those of no wave. `unread`: files that cannot be read → why."""
    waves = {name: wave.name for wave in (rollout.waves if rollout else ()) for name in wave.stacks}
    order = [*(name for name in waves if name in names), *(name for name in names if name not in waves)]
    return [row for name in order for row in _rows(name, stacks.get(name), unread, waves, seen.get(name) or Observed())]


def _rows(
    name: str, stack: Stack | None, unread: Mapping[str, str], waves: Mapping[str, str], seen: Observed
) -> Iterator[Row]:
    if stack is None:
        yield Row(stack=name, wave=waves.get(name), state="unread", why=unread.get(name, "its file cannot be read"))
        return
    place: dict[str, Any] = {"stack": name, "location": stack.location, "wave": waves.get(name)}
    stands: Mapping[str, Any] = (seen.outputs or {}).get("deployments") or {}
    for wish in stack.deployments:
        yield _row(place, stack, wish, stands.get(wish.name), seen)
    for gone in sorted(stands.keys() - {wish.name for wish in stack.deployments}):
        yield Row(**place, deployment=gone, served=str(stands[gone].get("model")), state="gone")
    if not stack.deployments and not stands:
        why = seen.unread
        yield Row(**place, state="unread" if why else "asWanted" if seen.outputs is not None else "notUp", why=why)


def _row(
    place: Mapping[str, Any], stack: Stack, wish: DeploymentWish, facts: Mapping[str, Any] | None, seen: Observed
) -> Row:
    after = wanted_of(stack, wish)
    about: dict[str, Any] = {**place, "deployment": wish.name, "wanted": after.model}
    if seen.unread:
        return Row(**about, state="unread", why=seen.unread)
    if facts is None:
        return Row(**about, state="notUp")
    served = Served(model=str(facts.get("model")), version=str(facts.get("version")), source=facts.get("source"))
    is_same = same(served, after)
    held = bool(facts.get("held")) and not is_same
    return Row(
        **about,
        served=served.model,
        active=str(facts.get("active") or wish.name),
        held=held,
        rollout=facts.get("rollout"),
        state="asWanted" if is_same else "held" if held else "behind",
    )
