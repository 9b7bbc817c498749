"""Faults by name: how Azure fails, on demand, for whom, how often, and the same way again for the same seed.

A fault strikes at a few moments of a request, each before anything is changed or after all of it is; a request that
it strikes leaves no half of a change behind. What decides is kept with the fault (how many calls it has met), so that
a fault goes on where it stood after a restart or a restored snapshot.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from infra.localazure import errors, ids
from infra.localazure.entities import Deployment, Json, Value

if TYPE_CHECKING:
    from infra.localazure.catalogue import Catalogue
    from infra.localazure.world import World

Moment = Literal["arrival", "token", "work", "create", "train", "answer"]
"""When in a request a fault strikes: before anything is looked at; where a token is looked at or given; after the
caller was found to be allowed, before the work; inside the create of a deployment, or of a
fine-tuning job; after the work, before the answer.
"""
When = Literal["before", "after"]
"""Whether a fault that loses the answer strikes before the work or after it (then the write happened)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the registry: one fault that exists."""

    name: str
    moment: Moment
    strikes: str
    """Which calls it is about."""
    seen: str
    """What the client sees."""
    source: str | None = None
    """Where Azure was seen to do so; None: not confirmed."""
    seconds: float | None = None
    """What its `seconds` are unless told; None where it takes none."""
    seconds_are: str = ""
    both_times: bool = False
    """Whether it can strike after the work too."""
    needs_region: bool = False
    """Whether its scope must be a region."""


KINDS: tuple[Kind, ...] = (
    Kind(
        "slow", "arrival", "every call", "the answer, late", None,
        5.0, "real seconds of waiting, for clients give up by their own clocks",
    ),
    Kind(
        "reset-connection", "arrival", "every call",
        "the connection is reset (RST) without an answer; `after`: the work was done and nobody hears of it",
        "common to every service behind a load balancer", both_times=True,
    ),
    Kind(
        "region-down", "arrival", "every call at accounts and locations of a region",
        "503 ServiceUnavailable", None, 30.0, "Retry-After", needs_region=True,
    ),
    Kind(
        "metrics-down", "arrival", "Microsoft.Insights/metrics of a resource, and the batch endpoint of a region",
        "503 ServiceUnavailable", None, 30.0, "Retry-After",
    ),
    Kind(
        "throttle", "arrival", "every call",
        "429 with Retry-After: SubscriptionRequestsThrottled of the resource manager, code 429 of the data plane, "
        "AADSTS90055 of the login",
        "MicrosoftDocs/azure-docs#105248; public logs; Entra's list of error codes",
        1.0, "Retry-After",
    ),
    Kind(
        "server-error", "arrival", "every call",
        "500 in the words of the plane that was called; `after`: the work was done all the same",
        "ARM, public logs; Azure-Samples/azure-search-openai-demo#1390", both_times=True,
    ),
    Kind(
        "token-refused", "token", "every call with a token, and the login itself",
        "401: InvalidAuthenticationToken of the resource manager, code 401 of the data plane, AADSTS7000222 of the "
        "login",
        "ARM, public logs; Entra's list of error codes",
    ),
    Kind(
        "token-expired", "token", "every call with a token",
        "401 ExpiredAuthenticationToken, or code 401 of the data plane, for a token that is good",
        "ARM, public logs",
    ),
    Kind(
        "sibling-busy", "work", "writes of deployments", "409 RequestConflict",
        "hashicorp/terraform-provider-azurerm#22607",
    ),
    Kind("purge-busy", "work", "purges of accounts", "409 RequestConflict"),
    Kind(
        "vanish", "work", "calls that name a deployment, or list an account's",
        "the service has deleted the deployment, as it does with idle ones, before the call is answered",
        "the 15 days rule; that it happens sooner is not confirmed",
    ),
    Kind(
        "succeeded-but-not-serving", "work", "calls of a deployment on the data plane",
        "404 DeploymentNotFound while the resource manager says Succeeded", "the text itself, as a delay of minutes",
    ),
    Kind(
        "stuck-creating", "create", "creates of deployments", "provisioningState Creating, for long",
        None, 86_400.0, "virtual seconds for which it is Creating",
    ),
    Kind(
        "create-fails", "create", "creates of deployments",
        "201, then provisioningState Failed, and the operation failed",
    ),
    Kind(
        "stuck-in-queue", "train", "creates of fine-tuning jobs", "the job is pending, for long",
        None, 86_400.0, "virtual seconds for which it is pending",
    ),
    Kind(
        "unsafe-data", "train", "creates of fine-tuning jobs",
        "the job fails before it is trained: the data failed the checks for harm types",
        "Microsoft Learn, fine-tuning (2024)",
    ),
    Kind(
        "unsafe-model", "train", "creates of fine-tuning jobs",
        "the job fails after its training: the model scores above acceptable thresholds",
        "Microsoft Learn, fine-tuning (2024)",
    ),
    Kind("training-fails", "train", "creates of fine-tuning jobs", "the job fails half-way through its steps"),
)  # fmt: skip
REGISTRY = {kind.name: kind for kind in KINDS}
METRICS = re.compile(
    r"/subscriptions/.*/providers/microsoft\.insights/metrics(:|/|$)|/[^/]*metrics\.monitor\.azure\.com/", re.IGNORECASE
)
"""Paths of metrics, in both of the ways they are asked for."""


class Fault(Value, frozen=True):
    """A fault that stands, with what it has done so far."""

    id: str
    name: str
    scope: str = ""
    """Whom it is about: the id of a resource and all below it, a region, a path, or an operation; '' is everything."""
    count: int | None = None
    """How many more times it strikes; None: until it is cleared."""
    rate: float = 1.0
    """Which share of the calls it strikes."""
    seed: int = 0
    """Decides which ones, where the share is not all of them."""
    seconds: float | None = None
    after: int = 0
    """How many calls it lets pass first."""
    when: When = "before"
    met: int = 0
    """Calls in its scope so far, while it had strikes left."""
    hits: int = 0
    """Calls it has struck so far."""


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """A fault as asked for."""

    name: str
    scope: str = ""
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    seed: int = 0
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    when: When = "before"


class BadFault(Exception):
    """A fault that makes no sense; carries every reason."""

    def __init__(self, reasons: list[str]) -> None:
        """Keep the reasons."""
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Target:
    """What a call is about, as far as a scope can name it."""

    path: str
    """With its method's operation unknown, this is what is left; decoded, as called."""
    method: str = ""
    operation: str = ""
    """The action that the call needs, such as Microsoft.CognitiveServices/accounts/deployments/write."""
    resource: str = ""
    """Id of what is called, on the data plane too."""
    region: str = ""


# --- which stand ---------------------------------------------------------------------------------------------------


def read(given: Json, catalogue: Catalogue) -> Wish:
    """The fault that a JSON object asks for; raises BadFault with everything that is wrong with it."""
    reasons = [f"there is no field '{name}'" for name in given if name not in Wish.__struct_fields__]
    kind = REGISTRY.get(str(given.get("name", "")))
    if kind is None:
        reasons.append(f"name: there is no fault '{given.get('name', '')}' (there are {', '.join(REGISTRY)})")
    for name in set(given) & set(Wish.__struct_fields__):
        try:
            msgspec.convert({"name": "", name: given[name]}, Wish)
        except msgspec.ValidationError as error:
            reasons.append(f"{name}: {str(error).partition(' - at ')[0]}")
    if kind is not None:
        reasons += _sense(kind, given)
    scope = given.get("scope", "")
    if isinstance(scope, str) and (bad := _bad_scope(scope, catalogue, kind)):
        reasons.append(f"scope: {bad}")
    if reasons:
        raise BadFault(sorted(reasons))
    return msgspec.convert(given, Wish)


def add(world: World, wish: Wish) -> Fault:
    """Have a fault stand from now on."""
    number = max((int(f.id[1:]) for f in standing(world)), default=0) + 1
    fault = Fault(id=f"f{number}", **msgspec.structs.asdict(wish))
    if fault.seconds is None:
        fault = msgspec.structs.replace(fault, seconds=REGISTRY[fault.name].seconds)
    world.faults.put(fault.id, fault)
    return fault


def standing(world: World) -> list[Fault]:
    """The faults that stand, oldest first."""
    return sorted(world.faults, key=lambda fault: int(fault.id[1:]))


def clear(world: World, fault_id: str | None = None) -> list[Fault]:
    """Take one fault away, or all; gives those that stood."""
    gone = [f for f in standing(world) if fault_id in {None, f.id}]
    for fault in gone:
        world.faults.drop(fault.id)
    return gone


def struck(world: World, name: str, target: Target, when: When = "before") -> Fault | None:
    """The fault of that name that strikes this call, if one does; each that the call concerns counts it."""
    for fault in standing(world):
        if fault.name != name or fault.when != when or fault.count == 0 or not concerns(world, fault, target):
            continue
        met = fault.met + 1
        hit = met > fault.after and _drawn(fault, met)
        left = fault.count - 1 if hit and fault.count is not None else fault.count
        changed = msgspec.structs.replace(fault, met=met, hits=fault.hits + hit, count=left)
        world.faults.put(fault.id, changed)
        if hit:
            return changed
    return None


def concerns(world: World, fault: Fault, target: Target) -> bool:
    """Whether a call is in the scope of a fault."""
    scope = fault.scope.strip()
    if not scope:
        return True
    if scope.startswith("/"):
        what = target.resource if scope.lower().startswith("/subscriptions/") and target.resource else target.path
        return (ids.key(what) + "/").startswith(ids.key(scope).rstrip("/") + "/")
    region = world.catalogue.region(scope)
    if region is not None:
        return target.region == region
    method, _, pattern = scope.rpartition(" ")
    if method and method.strip().upper() != target.method:
        return False
    return _pattern(pattern).fullmatch(target.operation) is not None


def at_training(world: World, account: str, region: str) -> tuple[float | None, str | None]:
    """What a new fine-tuning job of an account (by id) meets: the seconds it is pending, and what it fails of."""
    target = Target(account, "POST", "Microsoft.CognitiveServices/accounts/OpenAI/fine-tunes/write", account, region)
    stuck = struck(world, "stuck-in-queue", target)
    doom = next(
        (name for name in ("unsafe-data", "unsafe-model", "training-fails") if struck(world, name, target)), None
    )
    return stuck.seconds if stuck is not None else None, doom


def at_create(world: World, deployment: Deployment) -> tuple[float | None, str | None]:
    """What the create of a deployment comes to: the seconds it is stuck for, and the text that it fails with."""
    if not len(world.faults):
        return None, None
    owner = world.accounts.get(deployment.account)
    region = owner.location if owner is not None else ""
    target = Target(deployment.id, "PUT", f"{ids.DEPLOYMENTS}/write", deployment.id, region)
    stuck = struck(world, "stuck-creating", target)
    failing = struck(world, "create-fails", target)
    text = errors.FAULT_CREATE(name=deployment.name).message if failing is not None else None
    return stuck.seconds if stuck is not None else None, text


# --- pieces --------------------------------------------------------------------------------------------------------


def _sense(kind: Kind, given: dict[str, Any]) -> list[str]:
    """What the fault of that name cannot take."""
    reasons = []
    if given.get("when") == "after" and not kind.both_times:
        reasons.append(f"when: {kind.name} strikes before the work only")
    if given.get("seconds") is not None and kind.seconds is None:
        reasons.append(f"seconds: {kind.name} takes none")
    return reasons


def _bad_scope(scope: str, catalogue: Catalogue, kind: Kind | None) -> str | None:
    scope = scope.strip()
    region = bool(scope) and catalogue.region(scope) is not None
    if kind is not None and kind.needs_region and not region:
        return f"{kind.name} needs the name of a region, not '{scope}'"
    if not scope or region or scope.startswith("/"):
        return None
    if "/" in scope and len(scope.split()) <= 2:
        return None
    return (
        f"'{scope}' is no resource id or path (/…), no region and no operation (Microsoft.CognitiveServices/accounts/*)"
    )


def _pattern(scope: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in scope.split("*")), re.IGNORECASE)


def _drawn(fault: Fault, met: int) -> bool:
    """Whether the lot falls on the call of that number: the same for the same seed, whatever happened in between."""
    if fault.rate >= 1:
        return True
    digest = hashlib.blake2b(f"{fault.name}|{fault.seed}|{met}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < fault.rate
