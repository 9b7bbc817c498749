"""Act: do what the steps of a look say, and tell how each went."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from infra.errors import Busy, HearthError, NotFound, Refused, Unreachable
from infra.keepalive import plan
from infra.keepalive.memory import Memory
from infra.keepalive.outside import Ports
from infra.keepalive.patience import LONGEST_WAIT, TRIES, Patience, is_login
from infra.keepalive.plan import Act, Seen, Step
from infra.keepalive.report import Outcome, Row, row
from infra.ports.arm import AccountView, DeploymentBody, DeploymentView
from infra.ports.inference import Message, Reply
from infra.ports.inference import Outcome as Said
from infra.proofs.ready import PING, ping

T = TypeVar("T")
PROMPTS: tuple[tuple[Message, ...], ...] = (
    PING,
    ({"role": "user", "content": "What is two plus two? Answer with one digit."},),
    ({"role": "user", "content": "Say hello."},),
)
"""What to say, in turn, to one that does not like the words."""
UNDER_WAY = {"accepted", "creating", "moving", "scaling", "updating"}
"""Provisioning states that pass (REST, cognitiveservices 2025-06-01: Deleting and Disabled do not come back)."""


@dataclass(slots=True)
class _Tries:
    """Calls made to one deployment."""

    calls: int = 0
    tokens: int = 0
    said: Reply = field(default_factory=lambda: Reply(Said.UNREACHABLE))


class Acts:
    """Does what steps say."""

    def __init__(self, ports: Ports, memory: Memory | None, patience: Patience, longest_write: timedelta) -> None:
        """`longest_write` is how long a write is waited for while another writer holds the account."""
        self._ports, self._memory, self._patience = ports, memory, patience
        self._longest_write = longest_write.total_seconds()
        self._accounts: dict[str, AccountView] = {}
        self._lock = threading.Lock()

    def on(self, steps: list[Step], *, yes: bool = False, dry_run: bool = False) -> list[Row]:
        """Do what the steps say, the nearest deadline first, and tell how each went. `yes` lets `retire` delete.

        What is due comes first, then what could not be looked at, for what does not answer takes time; writes, which
        take the longest, come last, and those to one account go one by one, as Azure takes them.
        """
        if dry_run:
            return [_foretold(step) for step in steps]
        deleted = {id(step) for step in plan.retired_now(steps)} if yes else set()
        writes: dict[str, list[int]] = defaultdict(list)
        unlisted: dict[str, list[int]] = defaultdict(list)
        singles: list[list[int]] = []
        rows: dict[int, Row] = {}
        for at, step in enumerate(steps):
            if step.act is Act.REVIVE or id(step) in deleted:
                writes[step.seen.account.id.lower()].append(at)
            elif not step.ping:
                rows[at], _ = self._take(step, delete=False, silent="")
            elif step.seen.now is None:
                unlisted[step.seen.account.id.lower()].append(at)
            else:
                singles.append([at])

        def run(chain: list[int]) -> None:
            silent = ""
            for at in chain:
                rows[at], said = self._take(steps[at], delete=id(steps[at]) in deleted, silent=silent)
                silent = said or silent

        def left(chain: list[int]) -> float:
            clock = steps[chain[0]].clock
            return clock.left.total_seconds() if clock else 0.0

        for chains in (singles, list(unlisted.values()), list(writes.values())):
            self._patience.side_by_side(run, sorted(chains, key=left))
        return [rows[at] for at in range(len(steps))]

    def _take(self, step: Step, *, delete: bool, silent: str) -> tuple[Row, str]:
        """The row, and why the account's endpoint is not to be called again; `silent` is what is known of that."""
        try:
            return self._do(step, delete=delete, silent=silent)
        except HearthError as error:
            return row(step, _failed(step, delete=delete), f"{step.reason}; {error}", code=_code(error)), ""
        except Exception as error:  # an answer that nobody foresaw must not stop what lies beside it
            reason = f"{step.reason}; unreadable: {error!r}"
            return row(step, _failed(step, delete=delete), reason, code=1), ""

    def _do(self, step: Step, *, delete: bool, silent: str) -> tuple[Row, str]:
        if step.act is Act.REVIVE:
            return self._revive(step), ""
        if delete:
            return self._retire(step), ""
        if step.ping and silent:
            reason = f"{step.reason}; not tried, for its account does not answer: {silent}"
            return row(step, Outcome.NOT_PINGED, reason, code=int(step.alarm)), ""
        if step.ping:
            return self._ping(step)
        if step.act is Act.RETIRE:
            return row(step, Outcome.RECOMMENDED, step.reason, code=int(step.alarm)), ""
        return _told(step), ""

    def _ping(self, step: Step) -> tuple[Row, str]:
        seen = step.seen
        if self._memory is not None and seen.now is not None and not self._memory.claim(seen.id, seen.now):
            return row(
                step, Outcome.OTHERS_PING, f"{step.reason}; another tender pings it now", code=int(step.unwell)
            ), ""
        tries = _Tries()
        try:
            self._call(seen, tries)
        finally:
            answered = tries.said.outcome is Said.ANSWERED
            if self._memory is not None and not answered:
                self._memory.release(seen.id)
        code = int(step.unwell)
        if answered:
            at = tries.said.at or seen.now
            if self._memory is not None and at is not None:
                self._memory.keep(seen.id, at, tries.said.prompt_tokens)
            kept = Outcome.RECOMMENDED if step.act is Act.RETIRE else Outcome.PINGED
            reason = f"{step.reason}; pinged" if step.act is Act.RETIRE else step.reason
            return row(step, kept, reason, code=code, calls=tries.calls, tokens=tries.tokens), ""
        said = tries.said
        # Not kept is an alarm only once it is past its margin: until then the next run has time.
        why = self._why_not(seen, said)
        told, code = f"{step.reason}; {why}", int(step.alarm)
        silent = said.text if said.outcome is Said.UNREACHABLE else ""
        return row(step, Outcome.NOT_PINGED, told, code=code, calls=tries.calls, tokens=tries.tokens), silent

    def _call(self, seen: Seen, tries: _Tries) -> None:
        """Ping until it succeeds or there is no point in going on; `tries` holds the last answer."""
        for prompt in PROMPTS:
            for attempt in range(1, TRIES + 1):
                reply = ping(self._ports.inference, seen.account.endpoint, seen.wish.active, prompt)
                tries.calls, tries.said = tries.calls + 1, reply
                tries.tokens += reply.prompt_tokens
                wait = _worth_waiting(reply, attempt)
                if wait is None or (reply.outcome is Said.UNREACHABLE and seen.now is None):
                    break
                self._patience.sleep(wait)
            if tries.said.outcome not in {Said.FILTERED, Said.REFUSED}:
                return

    def _why_not(self, seen: Seen, said: Reply) -> str:
        if said.outcome is Said.LOCKED:
            return "it is paused (423) and was not kept; resume it in Azure"
        if said.outcome is Said.NOT_THERE and seen.there is not None:
            try:
                self._ports.arm.deployment(seen.account.id, seen.wish.active)
            except NotFound:
                return "it vanished after it was listed; the next run decides"
            except HearthError:
                pass
            return f"Azure lists it as {seen.there.state}, and its data plane does not know it ({said.code})"
        return f"the ping did not succeed ({said.outcome.value}): {said.text}".rstrip(": ")

    def _revive(self, step: Step) -> Row:
        seen, wish = step.seen, step.seen.wish
        owner = wish.source or seen.account.id
        endpoint = seen.account.endpoint
        try:
            if wish.source is not None:
                endpoint = self._source(owner, wish.source_tenant).endpoint
            self._ports.inference.model(endpoint, wish.model, tenant=wish.source_tenant)
        except NotFound:
            if not wish.model.startswith("ftchkpt-"):  # a checkpoint that is not listed may still exist
                reason = f"{step.reason}; its model {wish.model} is gone from {owner.rsplit('/', 1)[-1]} too"
                return row(step, Outcome.NOT_REVIVED, reason, code=1)
        except (Refused, Unreachable, Busy):
            pass  # whether it is there cannot be told from here; Azure looks for it itself
        body = DeploymentBody(
            model=wish.model,
            version=wish.version,
            source=wish.source,
            in_other_tenant=wish.source_tenant is not None,
            sku=wish.sku.name,
            capacity=wish.sku.capacity,
            rai_policy=wish.rai_policy,
            upgrade_option=wish.version_upgrade_option,
            tags=wish.tags,
        )
        made = self._written(
            lambda: self._ports.arm.create_deployment(
                seen.account.id, wish.active, body, tenant=wish.source_tenant
            )
        )  # fmt: skip
        if made:
            return row(step, Outcome.REVIVED, f"{step.reason}; put back as it last stood", code=0)
        state = self._written(lambda: self._settled(seen))
        told = f"{step.reason}; it is there again already: somebody else put it back"
        if state.lower() != "succeeded":
            return row(step, Outcome.NOT_REVIVED, f"{told}, and Azure says {state} of it, not Succeeded", code=1)
        return row(step, Outcome.REVIVED, told, code=0)

    def _settled(self, seen: Seen) -> str:
        """What Azure says of it once no write is under way; raises Busy until then."""
        state = self._ports.arm.deployment(seen.account.id, seen.wish.active).state
        if state.lower() in UNDER_WAY:
            raise Busy(f"{seen.id}: Azure says {state}")
        return state

    def _retire(self, step: Step) -> Row:
        seen = step.seen
        try:
            there = self._ports.arm.deployment(seen.account.id, seen.wish.active)
            if not _same(seen, there):
                reason = f"{step.reason}; what stands there is not what was looked at (model {there.model}): left alone"
                return row(step, Outcome.NOT_RETIRED, reason, code=1)
            self._written(lambda: self._ports.arm.delete_deployment(seen.account.id, seen.wish.active))
        except NotFound:
            return row(step, Outcome.RETIRED, f"{step.reason}; it was gone already", code=0)
        return row(step, Outcome.RETIRED, f"{step.reason}; deleted, its model stays", code=0)

    def _source(self, source: str, tenant: str | None) -> AccountView:
        with self._lock:
            found = self._accounts.get(source.lower())
        if found is None:
            found = self._ports.arm.account(source, tenant=tenant)
            with self._lock:
                self._accounts[source.lower()] = found
        return found

    def _written(self, write: Callable[[], T]) -> T:
        return self._patience.written(write, self._longest_write)


def _same(seen: Seen, found: DeploymentView) -> bool:
    """Whether a deployment is the one that was looked at, with the model that the list names."""
    made = seen.there.created if seen.there else None
    if made is None or found.created is None or found.model != seen.wish.model:
        return False
    return abs(found.created - made) < timedelta(seconds=1)  # two clients cut the seventh digit each their way


def _worth_waiting(reply: Reply, attempt: int) -> float | None:
    """Seconds to wait before the same is tried again; None where it is not."""
    if reply.outcome is Said.THROTTLED:
        return reply.retry_after if reply.retry_after <= LONGEST_WAIT and attempt < TRIES else None
    again = {Said.BROKEN, Said.UNREACHABLE, Said.NOT_THERE, Said.LOCKED}
    return 2.0 ** (attempt - 1) if reply.outcome in again and attempt < TRIES else None


def _code(error: HearthError) -> int:
    return 3 if is_login(error) else 1


def _failed(step: Step, *, delete: bool) -> Outcome:
    if delete:
        return Outcome.NOT_RETIRED
    return Outcome.NOT_REVIVED if step.act is Act.REVIVE else Outcome.NOT_PINGED


def _told(step: Step) -> Row:
    """The row of a step that does nothing."""
    seen = step.seen
    if seen.now is None and not seen.account_gone:
        return row(step, Outcome.NOT_SEEN, step.reason, code=3)
    if step.act is Act.NOTHING and step.clock is None:
        return row(step, Outcome.NOT_SEEN, step.reason, code=3)
    if seen.wish.keep_alive.policy == "off":
        return row(step, Outcome.OFF, step.reason, code=0)
    return row(step, Outcome.WARNED if step.act is Act.WARN else Outcome.KEPT, step.reason, code=int(step.alarm))


def _foretold(step: Step) -> Row:
    """The row of a step in a dry run."""
    if step.act is Act.REVIVE:
        return row(step, Outcome.WOULD_REVIVE, step.reason, code=int(step.alarm))
    if step.act is Act.RETIRE:
        return row(step, Outcome.RECOMMENDED, step.reason, code=int(step.alarm))
    if step.ping:
        return row(step, Outcome.WOULD_PING, step.reason, code=int(step.alarm))
    return _told(step)
