"""How long callers got no answer, told from pings now and then; no time passes but the test's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from infra.errors import LoginFailed
from infra.ports.inference import Message, Outcome, Reply
from infra.rollout.gap import Gap, pause


class Answers:
    """Answers one ping after another."""

    def __init__(self, outcomes: Sequence[Outcome | LoginFailed]) -> None:
        self.outcomes: Iterator[Outcome | LoginFailed] = iter(outcomes)

    def chat(self, endpoint: str, deployment: str, messages: Sequence[Message], *, most_tokens: int) -> Reply:
        found = next(self.outcomes)
        if isinstance(found, LoginFailed):
            raise found
        return Reply(found)

    def complete(self, endpoint: str, deployment: str, prompt: str, *, most_tokens: int) -> Reply:
        raise AssertionError("a chat model")


YES, BUSY, GONE, BROKEN = Outcome.ANSWERED, Outcome.THROTTLED, Outcome.NOT_THERE, Outcome.BROKEN


@pytest.mark.parametrize(
    ("outcomes", "seconds"),
    [
        ([YES, YES, BUSY, YES], 0),
        ([YES, GONE, BROKEN, YES], 20),
        ([YES, GONE, YES, GONE, YES], 20),
        ([YES, GONE, GONE], 10),
        ([GONE, GONE, YES], 0),
        ([YES, GONE, LoginFailed("gone"), YES], 20),
        ([GONE, GONE], None),
    ],
    ids=["none", "one", "two", "not over", "not there before", "a ping that could not be sent", "never answered"],
)
def test_the_time_without_an_answer_is_summed(outcomes: list[Outcome | LoginFailed], seconds: float | None):
    now = 0.0
    gap = Gap(Answers(outcomes), "https://x/", "bot", 1.0, lambda: now)
    for number in range(len(outcomes)):
        now = number * 10.0
        gap.look()
    assert gap.seconds == pytest.approx(seconds) if seconds is not None else gap.seconds is None


@pytest.mark.parametrize(("capacity", "seconds"), [(1, 18.6), (10, 1.86), (1000, 1.0), (0, 18.6)])
def test_pings_take_a_tenth_of_the_rate_limit_at_most(capacity: int, seconds: float):
    assert pause(capacity) == pytest.approx(seconds)
