"""What a call to the data plane came to: one record for each, successful or not. Metrics are counted from these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from infra.localazure.entities import Value

STREAMING, WHOLE = "Streaming", "Non-Streaming"
"""The values of the metrics' dimension StreamType."""
BASE_MS, PROMPT_MS, GENERATED_MS = 40.0, 0.05, 10.0
"""What a call takes: something for itself, something for each token read, more for each token written. Figures of
ours, so that the same call always takes the same time; no time really passes."""


class Traffic(Value, frozen=True):
    """One call that reached an account's data plane."""

    at: datetime
    account: str
    """Key of the account."""
    deployment: str
    """Name of the deployment that was asked for; empty for calls to none, and where the call did not get that far."""
    model: str
    """Name of the model that was reached; empty where none was: refused at the door, or no such deployment."""
    model_version: str
    api: str
    """ApiName of the metrics: Azure OpenAI API version <version>."""
    operation: str
    """OperationName of the metrics: ChatCompletions_Create. Empty for a path that is none."""
    status: int
    stream: str
    """StreamType of the metrics: Streaming or Non-Streaming."""
    prompt_tokens: int = 0
    generated_tokens: int = 0
    response_ms: float = 0.0
    """Until the first of the answer was there."""
    latency_ms: float = 0.0
    """Until the last of it was."""


@dataclass(slots=True)
class Draft:
    """What is known of a call as it goes along; whoever learns something writes it here."""

    api: str = ""
    operation: str = ""
    deployment: str = ""
    model: str = ""
    model_version: str = ""
    stream: str = WHOLE
    prompt_tokens: int = 0
    generated_tokens: int = 0
    waited_ms: float = 0.0
    """How long the call was really held up."""

    @property
    def latency_ms(self) -> float:
        """How long the call is said to take, by its tokens and by what held it up."""
        return self._until(self.generated_tokens)

    @property
    def response_ms(self) -> float:
        """How long until something of the answer is there: its first token, or all of it where it is not streamed."""
        return self._until(min(self.generated_tokens, 1) if self.stream == STREAMING else self.generated_tokens)

    def _until(self, generated: int) -> float:
        return self.waited_ms + BASE_MS + PROMPT_MS * self.prompt_tokens + GENERATED_MS * generated

    def done(self, at: datetime, account: str, status: int) -> Traffic:
        """The record of the call, now that its status is known."""
        return Traffic(
            at=at,
            account=account,
            deployment=self.deployment,
            model=self.model,
            model_version=self.model_version,
            api=self.api,
            operation=self.operation,
            status=status,
            stream=self.stream,
            prompt_tokens=self.prompt_tokens,
            generated_tokens=self.generated_tokens,
            response_ms=self.response_ms,
            latency_ms=self.latency_ms,
        )
