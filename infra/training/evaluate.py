"""How good a recorded model is by a file of prompts: by whom it is served meanwhile, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from infra.errors import HearthError, LockHeld, NotReady, ProofFailed
from infra.ports import clock
from infra.ports.arm import AccountView, Arm, BaseOffer, DeploymentBody, DeploymentView, TunedSku
from infra.ports.inference import Inference
from infra.proofs.evaluation import Evaluation, evaluate
from infra.proofs.prompts import Asker
from infra.proofs.ready import Readiness, Verdict
from infra.spec import Limits, ModelRecord
from infra.spec.duration import show
from infra.training.temporary import TAG, Temporary, name_of

CAPACITY = 50
"""What a temporary deployment asks for at most: Microsoft's samples of the Developer tier take as much."""
_HOSTED = ("Standard", "GlobalStandard", "DataZoneStandard")
"""SKUs in which a tuned model is paid by the hour, and an untuned one by the token; the first that is offered."""
_TUNED_DEPLOYMENTS = "finetuned.deployments"
"""How the usage is called that counts deployments of tuned models in a region (OpenAI.FineTuned.Deployments)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is to be asked."""

    title: str
    """The record's name, or the base model's."""
    account: AccountView
    model: str
    version: str
    base: str | None
    """The base of a tuned model, as name-version; None where it is not known."""
    tuned: bool

    @property
    def where(self) -> str:
        """The account's name."""
        return self.account.id.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Stand:
    """What serves a model while it is asked."""

    subject: Subject
    deployment: str
    body: DeploymentBody | None
    """None: it stands already, and is left alone."""
    told: str
    """What is to be known of it before."""
    costs: bool = False
    """Whether it is paid by the hour."""


@dataclass(frozen=True, slots=True)
class Region:
    """What a region offers a subscription."""

    tuned: Mapping[str, Sequence[TunedSku]]
    base: Mapping[str, BaseOffer]
    left: Mapping[str, int]
    """Of each quota."""


def of_record(title: str, record: ModelRecord, account: AccountView) -> Subject:
    """The model of a record, in the account that owns it."""
    return Subject(title, account, record.model, record.version, record.base, tuned=True)


def of_base(tuned: Subject, region: Region) -> Subject:
    """The model that a tuned one was made of, in the same account; raises ProofFailed where it is not known there."""
    if tuned.base is None:
        raise ProofFailed(f"{tuned.title}: its record does not say its base model.", "Write trained.base into it")
    offer = region.base.get(tuned.base)
    if offer is None:
        where = tuned.account.location
        raise ProofFailed(f"{where} has no base model {tuned.base}.", "Evaluate against another record instead")
    return Subject(tuned.base, tuned.account, offer.name, offer.version, tuned.base, tuned=False)


def region_of(arm: Arm, account: AccountView) -> Region:
    """What the account's region offers; raises Refused, Unreachable, LoginFailed."""
    subscription, location = account.id.split("/")[2], account.location.replace(" ", "").lower()
    offered = arm.tuned_skus(subscription, location)
    return Region(offered, arm.base_models(subscription, location), arm.quotas_left(subscription, location))


def stand(
    subject: Subject, there: Sequence[DeploymentView], region: Region, limits: Limits, project: str, now: datetime
) -> Stand:
    """What is to serve a model: what does already in its account, else what is to be made.

    Raises ProofFailed where Azure would not take it, NotReady and LockHeld where what stands cannot be used.
    """
    found = [one for one in there if _serves(one, subject)]
    for one in found:
        if TAG not in one.tags and one.state == "Succeeded":
            told = f"{subject.title}: served by {one.name} of {subject.where}, which is left alone"
            return Stand(subject, one.name, None, told)
    for one in found:
        if TAG in one.tags:
            raise LockHeld(
                f"{one.name} of {subject.where} serves {subject.model} for another evaluation; wait for it, or if that "
                "is gone for good: hearth clean"
            )
        if subject.tuned:
            raise NotReady(
                f"{one.name} of {subject.where} holds {subject.model} and is {one.state}; Azure takes one deployment "
                "of a tuned model per account, so it must serve or go first"
            )
    return _to_make(subject, region, limits, project, now)


def ask(stands: Sequence[Stand], file: Path, shown: str, tools: Tools, say: Callable[[str], None]) -> list[Evaluation]:
    """The prompts of a file, asked of each in turn. Raises what Azure refuses, NotReady."""
    return [_asked(one, file, shown, tools, say) for one in stands]


@dataclass(frozen=True, slots=True)
class Tools:
    """What asking takes."""

    inference: Inference
    asker: Asker
    temporary: Temporary
    limits: Limits
    asking: Callable[[], AbstractContextManager[None]] = nullcontext
    """Surrounds what may take half an hour, so that it can be interrupted."""


def _asked(one: Stand, file: Path, shown: str, tools: Tools, say: Callable[[str], None]) -> Evaluation:
    subject, endpoint = one.subject, one.subject.account.endpoint
    standing: AbstractContextManager[None] = nullcontext()
    if one.body is not None:
        say(f"{subject.title}: making {one.deployment}")
        standing = tools.temporary.standing(subject.account.id, one.deployment, one.body)
    with standing:
        readiness = Readiness(tools.inference, tools.limits, sleep=clock.sleep)
        proof = readiness.prove(endpoint, one.deployment, say=say)
        if proof.verdict is not Verdict.READY:
            raise NotReady(f"{one.deployment} of {subject.where} does not answer: {proof.reason}")
        say(f"{subject.title}: asking")
        with tools.asking():
            return evaluate(tools.asker, endpoint, one.deployment, file, shown=shown)


def _serves(one: DeploymentView, subject: Subject) -> bool:
    if not subject.tuned:
        return (one.model, one.version) == (subject.model, subject.version)
    own = one.source is None or one.source.lower() == subject.account.id.lower()
    return own and one.model == subject.model


def _to_make(subject: Subject, region: Region, limits: Limits, project: str, now: datetime) -> Stand:
    sku = _sku(subject, region, limits)
    left = region.left.get(sku.usage, CAPACITY)
    if left < 1:
        raise ProofFailed(
            f"{subject.title}: {subject.account.location} has no quota left of {sku.usage}, which a deployment to ask "
            "takes.",
            "Let a deployment go (hearth clean), or ask Azure for more",
        )
    for usage, free in region.left.items():
        if subject.tuned and usage.lower().endswith(_TUNED_DEPLOYMENTS) and free < 1:
            raise ProofFailed(
                f"{subject.title}: {subject.account.location} takes no further deployment of a tuned model ({usage}).",
                "Let one go (hearth clean)",
            )
    name = name_of(subject.model if subject.tuned else f"{subject.model}-{subject.version}")
    body = DeploymentBody(
        model=subject.model,
        version=subject.version,
        source=None,
        in_other_tenant=False,
        sku=sku.name,
        capacity=min(CAPACITY, left),
        rai_policy=None,
        upgrade_option=None,
        tags={TAG: f"{project}/{subject.title}"},
    )
    cost, costs = _cost(subject, sku.name, limits, now)
    told = f"{subject.title}: {name} is made in {subject.where} ({sku.name} {body.capacity}) and removed after; {cost}"
    return Stand(subject, name, body, told, costs)


def _sku(subject: Subject, region: Region, limits: Limits) -> TunedSku:
    """Developer tier for a tuned model where the region has it for its base, else the cheapest that is there."""
    if subject.tuned:
        if subject.base is None or subject.base not in region.tuned:
            raise ProofFailed(
                f"{subject.title}: {subject.account.location} lists no base model {subject.base}, so under which SKU "
                "the model can be deployed is not known."
            )
        offered, order = region.tuned[subject.base], (*sorted(limits.developer_skus), *_HOSTED)
    else:
        offered, order = region.base[str(subject.base)].skus, _HOSTED
    by_name = {sku.name.lower(): sku for sku in offered}
    known = [by_name[name.lower()] for name in order if name.lower() in by_name]
    if not known:
        names = ", ".join(sorted(sku.name for sku in offered)) or "no SKU"
        raise ProofFailed(
            f"{subject.title}: {subject.account.location} takes {subject.model} under {names} alone, which is not "
            "bought for an evaluation."
        )
    return next((sku for sku in known if region.left.get(sku.usage, 1) > 0), known[0])


def _cost(subject: Subject, sku: str, limits: Limits, now: datetime) -> tuple[str, bool]:
    """What it costs to have it stand, in words, and whether it is paid by the hour."""
    if not subject.tuned:
        until = limits.models[subject.title].base_until if subject.title in limits.models else None
        ended = until is not None and until <= now.date()
        return f"it is paid by the token alone{f'; it retired on {until}, so Azure may refuse' if ended else ''}", False
    if sku in limits.developer_skus:
        life = limits.developer_lifetime.value
        ends = f"{now + life:%Y-%m-%d %H:%M} UTC"
        return f"no hosting fee; Azure deletes it by itself after {show(life)}, at {ends}", False
    price, hosting = limits.hosting.per_hour.get(sku), limits.hosting
    if price is None:
        return "what it costs an hour is not known", True
    return f"it costs {price:.2f} {hosting.currency} an hour (as of {hosting.as_of}: {hosting.source})", True


def require_answered(stands: Sequence[Stand], found: Sequence[Evaluation]) -> None:
    """Raises HearthError where prompts got no answer: such figures are not the model's."""
    for one, evaluation in zip(stands, found, strict=True):
        if not evaluation.complete:
            raise HearthError(
                f"{one.subject.title}: {evaluation.results.unanswered} prompts got no answer, so nothing was written: "
                f"{evaluation.results.summary}"
            )


def p95_text(p95: timedelta | None) -> str | None:
    """A time as people write one, to the millisecond."""
    return None if p95 is None else f"{p95.total_seconds():.3f}".rstrip("0").rstrip(".") + "s"
