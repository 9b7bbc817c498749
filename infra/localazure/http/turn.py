"""One question to a deployment, from the name that is asked for to the headers of the answer.

Chat completions, completions, embeddings and responses all go this way: reach the deployment, check what it is asked,
pass the rate limits and the content filter, answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from infra.localazure import answers, contentfilter, errors, inference, placement
from infra.localazure.catalogue import Model
from infra.localazure.entities import Account, Deployment, Json
from infra.localazure.http import sse
from infra.localazure.http.call import Answer, Call
from infra.localazure.traffic import STREAMING

USUAL_TOKENS = 16
"""What a request without a limit of its own is taken to want of the rate limit."""


@dataclass(slots=True)
class Turn:
    """A question that has reached its deployment."""

    call: Call
    account: Account
    deployment: Deployment
    base: Model
    """The catalogue's model that it runs on."""
    model: str
    """The name that the answer gives as its model."""
    prompt_tokens: int = 0
    verdict: Json = field(default_factory=dict)
    """What the content filter says of the prompt."""
    headers: dict[str, str] = field(default_factory=dict)

    def require_room(self, asked: int, most: int | None, name: str) -> None:
        """Refuse a question, or with it an answer, that is too long; `name` is the parameter that limits the answer."""
        context, output = self.base.context, self.base.output
        if asked > context:
            if self.call.draft.operation == inference.RESPONSE:
                raise errors.CONTEXT_EXCEEDED_IN_RESPONSE(param="input")
            raise errors.CONTEXT_EXCEEDED(most=context, asked=asked, param="messages")
        if most is not None and asked + most > context:
            raise errors.CONTEXT_EXCEEDED_WITH_ANSWER(
                most=context, wanted=asked + most, asked=asked, answer=most, param="messages"
            )
        if most is not None and most > output:
            raise errors.ANSWER_TOO_LONG(name=name, value=most, most=output, param=name)

    def recall(self, question: str) -> str | None:
        """What a tuned model learned to say to such a question."""
        owner = self.deployment.owner or self.deployment.account
        return self.call.app.memory.answer(owner, self.model, question)

    def admit(self, prompt: str, asked: int, wanted: int) -> None:
        """Pass the rate limits (which count `wanted` tokens, the answer's among them) and the content filter."""
        draft, version = self.call.draft, self.call.api_version
        self.prompt_tokens = asked
        budget = self.call.app.meter.admit(self.account, self.deployment, wanted, draft.operation, version)
        self.headers = budget.headers()
        draft.prompt_tokens = asked
        self.verdict, refused = contentfilter.of_prompt(prompt)
        if refused:
            inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": self.verdict}
            more = {"type": None, "status": 400, "innererror": inner}
            raise errors.FILTERED(self.headers, more, param="prompt")

    def answered(self, generated: int) -> None:
        """Take note of how many tokens the answer has."""
        self.call.draft.generated_tokens = generated

    def whole(self, body: Json) -> Answer:
        """The answer in one piece."""
        return Answer(body=body, headers=self.headers)

    def streamed(self, events: Iterable[bytes]) -> Answer:
        """The answer as a stream of events."""
        return Answer(
            stream=sse.stream(events), content_type=f"{sse.CONTENT_TYPE}; charset=utf-8", headers=self.headers
        )


def begin(call: Call, account: Account, operation: str, name: str | None, *, streamed: bool = False) -> Turn:
    """Reach the deployment of that name, which must be able to do the operation."""
    draft = call.draft
    draft.stream = STREAMING if streamed else draft.stream
    if not name:
        raise errors.NO_PARAMETER(name="model", param="model")
    draft.deployment = name
    deployment, model = inference.serving(call.world, account, name)
    base = placement.model_of(call.world, deployment)
    if base is None:
        raise errors.NO_DEPLOYMENT()  # kept from a catalogue that knew its model; this one does not
    draft.deployment, draft.model = deployment.name, base.name if model == base.name else model
    draft.model_version = deployment.model.version or base.version
    inference.require_operation(base, operation)
    full = base.full_name if model == base.name and base.chat else model
    return Turn(call, account, deployment, base, full)


def reached_headers(call: Call, account: Account) -> dict[str, str]:
    """What an answer of a deployment, good or bad, carries beside its rate limits."""
    return {
        "x-ms-region": call.world.catalogue.regions[account.location][0],
        "x-ms-deployment-name": call.draft.deployment,
        "x-request-id": call.request_id,
        "x-envoy-upstream-service-time": str(math.ceil(call.draft.latency_ms)),
        "x-accel-buffering": "no",
    }


def require_plain(base: Model, given: dict[str, tuple[float | None, float]]) -> None:
    """Refuse what a reasoning model takes at its default alone; `given` has value and default by name."""
    for name, (value, usual) in given.items():
        if base.reasoning and value is not None and value != usual:
            raise errors.UNSUPPORTED_VALUE(name=name, value=f"{value:g}", usual=f"{usual:g}", param=name)


def thinking(base: Model, effort: str | None) -> int:
    """The tokens that a model thinks for; none where it is no reasoning model."""
    return answers.THINKING[effort or "medium"] if base.reasoning else 0
