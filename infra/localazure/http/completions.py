"""Completions: the older operation, for models that do not chat (babbage-002, davinci-002)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from infra.localazure import answers, errors, inference
from infra.localazure.answers import Said, Wish
from infra.localazure.entities import Account, Json
from infra.localazure.http import asked, sse, turn
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.chat import MOST_CHOICES, Named, Penalty, Share, Stops, StreamOptions, Temperature, words
from infra.localazure.http.turn import Turn

USUAL_LENGTH = 16
"""Tokens of an answer to a request that names no number."""
END_OF_TEXT = "<|endoftext|>"


class CompletionBody(msgspec.Struct, kw_only=True):
    """POST completions; unknown fields are ignored."""

    prompt: str | list[str | int | list[int]] | None = None
    model: str | None = None
    max_tokens: Annotated[int, Meta(ge=0)] | None = None
    n: Annotated[int, Meta(ge=1, le=MOST_CHOICES)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    stop: str | Stops | None = None
    seed: int | None = None
    user: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def most(self) -> int:
        """Most tokens of each answer."""
        return USUAL_LENGTH if self.max_tokens is None else self.max_tokens


def complete(call: Call, account: Account) -> Answer:
    """Completions of one or more prompts."""
    named = asked.read(call, Named)
    name = call.params.get("deployment") or named.model
    reached = turn.begin(call, account, inference.COMPLETION, name, streamed=bool(named.stream))
    body = asked.read(call, CompletionBody)
    prompts = _prompts(body)
    if (body.best_of or 1) < (body.n or 1) and body.best_of is not None:
        raise errors.BAD_FIELD(name="best_of", fact="it must be at least n", param="best_of")
    tokens = sum(count for _, count in prompts)
    reached.require_room(max(count for _, count in prompts), body.most, "max_tokens")
    said = [answers.answer(_wish(body, reached, text)) for text, _ in prompts]
    choices = body.n or 1
    wanted = tokens + len(prompts) * choices * body.most
    reached.admit("\n".join(text for text, _ in prompts), tokens, wanted)
    reached.answered(sum(one.tokens for one in said) * choices)
    reply = _Reply(reached, body, [text for text, _ in prompts], said)
    return reached.streamed(reply.events()) if body.stream else reached.whole(reply.whole())


def read_texts(given: str | list[str | int | list[int]] | None, name: str) -> list[tuple[str, int]]:
    """Texts with their numbers of tokens; a list of tokens stands for a text of its own."""
    if given is None or isinstance(given, str):
        text = END_OF_TEXT if given is None else given
        return [(text, max(1, answers.count_tokens(text)))]
    if not given:
        raise errors.EMPTY_ARRAY(name=name, least=1, param=name)
    numbers = [one for one in given if isinstance(one, int)]
    if numbers and len(numbers) < len(given):
        raise errors.BAD_FIELD(name=name, fact="it mixes tokens with texts", param=name)
    if numbers:
        return [_of_tokens(numbers)]
    found = []
    for at, one in enumerate(given):
        if isinstance(one, str):
            found.append((one, max(1, answers.count_tokens(one))))
        elif isinstance(one, list) and one:
            found.append(_of_tokens(one))
        else:
            raise errors.EMPTY_ARRAY(name=f"{name}[{at}]", least=1, param=f"{name}[{at}]")
    return found


def _prompts(body: CompletionBody) -> list[tuple[str, int]]:
    return read_texts(body.prompt, "prompt")


def _of_tokens(tokens: list[int]) -> tuple[str, int]:
    return " ".join(map(str, tokens)), len(tokens)


def _wish(body: CompletionBody, reached: Turn, prompt: str) -> Wish:
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    learned = reached.recall(prompt)
    return Wish(model=reached.model, question=prompt, prompt=prompt, most=body.most, stop=stop, learned=learned)


class _Reply:
    """The answers to every prompt, to be written."""

    def __init__(self, reached: Turn, body: CompletionBody, prompts: list[str], said: list[Said]) -> None:
        self._turn, self._body = reached, body
        choices = body.n or 1
        self._choices = [(prompt, one) for prompt, one in zip(prompts, said, strict=True) for _ in range(choices)]
        self._frame: Json = {
            "id": f"cmpl-{secrets.token_urlsafe(21)}",
            "object": "text_completion",
            "created": int(reached.call.now.timestamp()),
            "model": reached.model,
            "system_fingerprint": answers.fingerprint(reached.model),
        }
        self._prompts = len(prompts)

    def whole(self) -> Json:
        """The answers in one piece."""
        choices = [
            self._choice(at, self._text(prompt, said), said.finish, said.verdict)
            for at, (prompt, said) in enumerate(self._choices)
        ]
        return {**self._frame, "choices": choices, "prompt_filter_results": self._verdicts(), "usage": self._usage()}

    def events(self) -> Iterator[bytes]:
        """The answers in events, one after the other."""
        nothing: Json = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
        yield sse.event({**nothing, "prompt_filter_results": self._verdicts()})
        options = self._body.stream_options
        usage: Json = {"usage": None} if options is not None and options.include_usage else {}
        for at, (prompt, said) in enumerate(self._choices):
            for word in words(self._text(prompt, said)):
                yield sse.event({**self._frame, "choices": [self._choice(at, word, None, said.verdict)], **usage})
            verdict = said.verdict if said.finish == "content_filter" else {}
            yield sse.event({**self._frame, "choices": [self._choice(at, "", said.finish, verdict)], **usage})
        if usage:
            yield sse.event({**self._frame, "choices": [], "usage": self._usage()})
        yield sse.DONE

    def _text(self, prompt: str, said: Said) -> str:
        return f"{prompt}{said.text}" if self._body.echo else said.text

    def _choice(self, at: int, text: str, finish: str | None, verdict: Json) -> Json:
        return {
            "text": text,
            "index": at,
            "finish_reason": finish,
            "logprobs": self._logprobs(text),
            "content_filter_results": verdict,
        }

    def _logprobs(self, text: str) -> Json | None:
        if self._body.logprobs is None or not text:
            return None
        tokens = answers.pieces(text)
        starts = [sum(map(len, tokens[:at])) for at in range(len(tokens))]
        top = [{token: -0.01} if self._body.logprobs else {} for token in tokens]
        return {"tokens": tokens, "token_logprobs": [-0.01] * len(tokens), "top_logprobs": top, "text_offset": starts}

    def _verdicts(self) -> list[Json]:
        return [{"prompt_index": at, "content_filter_results": self._turn.verdict} for at in range(self._prompts)]

    def _usage(self) -> Json:
        asked_for, said = self._turn.prompt_tokens, sum(one.tokens for _, one in self._choices)
        return {"prompt_tokens": asked_for, "completion_tokens": said, "total_tokens": asked_for + said}
