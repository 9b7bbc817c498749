"""Chat completions: what a request may say, and how an answer is written, whole or as a stream of events."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from infra.localazure import answers, errors, inference
from infra.localazure.answers import Said, Tool, Wish
from infra.localazure.catalogue import Model
from infra.localazure.entities import Account, Json
from infra.localazure.http import asked, sse, turn
from infra.localazure.http.asked import one_of
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.turn import Turn

MOST_CHOICES = 128
IMAGE_TOKENS = 85
"""Tokens of an image at low detail; images are not looked at, so every one counts so."""
TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]+$")
EFFORTS = ("minimal", "low", "medium", "high")
_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")
_FORMATS = ("json_object", "json_schema", "text")
_CHOICES = ("none", "auto", "required")

Count = Annotated[int, Meta(ge=1)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Stops = Annotated[list[str], Meta(max_length=4)]


class Part(msgspec.Struct):
    """A part of a message's content."""

    type: str
    text: str | None = None


class CalledFunction(msgspec.Struct):
    """The function of an earlier call."""

    name: str
    arguments: str = ""


class ToolCall(msgspec.Struct):
    """An earlier call of a tool."""

    id: str
    function: CalledFunction


class Message(msgspec.Struct):
    """One message of a conversation."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """Its text, content parts included."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""

    @property
    def images(self) -> int:
        """How many images it has."""
        return sum(p.type == "image_url" for p in self.content) if isinstance(self.content, list) else 0


class StreamOptions(msgspec.Struct):
    """How a stream is written."""

    include_usage: bool | None = None


class Function(msgspec.Struct):
    """A function that the model may call."""

    name: str
    parameters: dict[str, Any] | None = None


class ToolSpec(msgspec.Struct):
    """A tool that the model may use."""

    type: str
    function: Function | None = None


class FunctionName(msgspec.Struct):
    """The function of a tool choice."""

    name: str


class NamedTool(msgspec.Struct):
    """A tool choice that names its tool."""

    type: str
    function: FunctionName | None = None


class JsonSchema(msgspec.Struct):
    """The schema of a response format."""

    name: str
    schema: dict[str, Any] | None = None


class ResponseFormat(msgspec.Struct):
    """What form the answer is to have."""

    type: str
    json_schema: JsonSchema | None = None


class ChatBody(msgspec.Struct, kw_only=True):
    """POST chat/completions; unknown fields are ignored, as Azure ignores many."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    n: Annotated[int, Meta(ge=1, le=MOST_CHOICES)] | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    stop: str | Stops | None = None
    seed: int | None = None
    user: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: Annotated[list[ToolSpec], Meta(min_length=1, max_length=128)] | None = None
    tool_choice: str | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    functions: list[Any] | None = None
    data_sources: list[Any] | None = None
    modalities: list[str] | None = None

    @property
    def most(self) -> int | None:
        """Most tokens of the answer."""
        return self.max_completion_tokens or self.max_tokens


class Named(msgspec.Struct):
    """The one field that says where a v1 call goes, read before the rest."""

    model: str | None = None
    stream: bool | None = None


def complete(call: Call, account: Account) -> Answer:
    """A chat completion of the deployment that the path, or the body's `model`, names."""
    named = asked.read(call, Named)
    name = call.params.get("deployment") or named.model
    reached = turn.begin(call, account, inference.CHAT, name, streamed=bool(named.stream))
    body = asked.read(call, ChatBody)
    _require_sound(body, reached.base)
    wish = _wish(body, reached)
    choices = body.n or 1
    tokens = _prompt_tokens(body)
    reached.require_room(tokens, body.most, "max_completion_tokens" if body.max_completion_tokens else "max_tokens")
    said = answers.answer(wish)
    reached.admit(wish.prompt, tokens, tokens + choices * (body.most or turn.USUAL_TOKENS))
    reached.answered(said.tokens * choices)
    reply = _Reply(reached, body, said)
    return reached.streamed(reply.events()) if body.stream else reached.whole(reply.whole())


# --- what may be asked ---------------------------------------------------------------------------------------------


def _require_sound(body: ChatBody, base: Model) -> None:
    for at, message in enumerate(body.messages):
        _require_message(message, at)
    _require_answered_calls(body.messages)
    if body.functions:
        raise errors.NOT_SIMULATED(what="functions (tools took their place)", param="functions")
    if body.data_sources:
        raise errors.NOT_SIMULATED(what="data sources", param="data_sources")
    if body.modalities and body.modalities != ["text"]:
        raise errors.NOT_SIMULATED(what="modalities but text", param="modalities")
    _require_parameters(body, base)
    _require_tools(body)
    _require_format(body)


def _require_message(message: Message, at: int) -> None:
    one_of(message.role, _ROLES, f"messages[{at}].role")
    if message.content is None and message.role != "assistant":
        raise errors.NULL_CONTENT(param=f"messages.[{at}].content")
    if message.role == "tool" and message.tool_call_id is None:
        name = f"messages[{at}].tool_call_id"
        raise errors.NO_PARAMETER(name=name, param=name)
    for part_at, part in enumerate(message.content if isinstance(message.content, list) else []):
        place = f"messages[{at}].content[{part_at}]"
        one_of(part.type, _PARTS, f"{place}.type")
        if part.type == "text" and part.text is None:
            raise errors.NO_PARAMETER(name=f"{place}.text", param=f"{place}.text")


def _require_answered_calls(messages: list[Message]) -> None:
    """Every call of a tool has its answer right after it, and no answer is without its call."""
    open_calls: list[str] = []
    for at, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise errors.TOOL_ANSWERS_NOTHING(param=f"messages.[{at}].role")
            open_calls.remove(message.tool_call_id)
            continue
        if open_calls:
            raise errors.TOOL_CALLS_UNANSWERED(ids=", ".join(open_calls), param=f"messages.[{at}].role")
        open_calls = [made.id for made in message.tool_calls or []]
    if open_calls:
        raise errors.TOOL_CALLS_UNANSWERED(ids=", ".join(open_calls), param=f"messages.[{len(messages)}].role")


def _require_parameters(body: ChatBody, base: Model) -> None:
    """Reasoning models take other parameters than the rest."""
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise errors.BOTH_LIMITS()
    if not base.reasoning:
        if body.reasoning_effort is not None:
            raise errors.UNRECOGNIZED_ARGUMENT(name="reasoning_effort")
        return
    if body.max_tokens is not None:
        raise errors.MAX_TOKENS_UNSUPPORTED(param="max_tokens")
    for name in ("logprobs", "top_logprobs", "logit_bias", "stop"):
        if getattr(body, name):
            raise errors.UNSUPPORTED_PARAMETER(name=name, param=name)
    turn.require_plain(
        base,
        {
            "temperature": (body.temperature, 1),
            "top_p": (body.top_p, 1),
            "presence_penalty": (body.presence_penalty, 0),
            "frequency_penalty": (body.frequency_penalty, 0),
            "n": (body.n, 1),
        },
    )
    if body.reasoning_effort is not None:
        one_of(body.reasoning_effort, EFFORTS, "reasoning_effort")


def _require_tools(body: ChatBody) -> None:
    for at, tool in enumerate(body.tools or []):
        one_of(tool.type, ("function",), f"tools[{at}].type")
        if tool.function is None:
            raise errors.NO_PARAMETER(name=f"tools[{at}].function", param=f"tools[{at}].function")
        if not TOOL_NAME.fullmatch(tool.function.name):
            name = f"tools[{at}].function.name"
            raise errors.BAD_TOOL_NAME(name=name, pattern=TOOL_NAME.pattern, param=name)
    if body.tool_choice is None:
        return
    if body.tools is None and body.tool_choice != "none":
        raise errors.CHOICE_WITHOUT_TOOLS(param="tool_choice")
    if isinstance(body.tool_choice, str):
        one_of(body.tool_choice, _CHOICES, "tool_choice")
    elif body.tool_choice.function is None:
        raise errors.NO_PARAMETER(name="tool_choice.function", param="tool_choice.function")


def _require_format(body: ChatBody) -> None:
    form = body.response_format
    if form is None:
        return
    one_of(form.type, _FORMATS, "response_format.type")
    if form.type == "json_schema" and form.json_schema is None:
        raise errors.NO_PARAMETER(name="response_format.json_schema", param="response_format.json_schema")
    if form.type == "json_object" and not any("json" in message.text.lower() for message in body.messages):
        raise errors.NO_WORD_JSON(what="messages", format="response_format", param="messages")


# --- what is wanted ------------------------------------------------------------------------------------------------


def _wish(body: ChatBody, reached: Turn) -> Wish:
    form: object = None
    form_name = ""
    if body.response_format is not None and body.response_format.type == "json_object":
        form = {}
    elif body.response_format is not None and body.response_format.json_schema is not None:
        schema = body.response_format.json_schema
        form, form_name = schema.schema or {"type": "object"}, schema.name
    return Wish(
        model=reached.model,
        question=body.messages[-1].text,
        prompt="\n".join(message.text for message in body.messages),
        most=body.most,
        stop=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        form=form,
        form_name=form_name,
        tool=_tool(body),
        thinking=turn.thinking(reached.base, body.reasoning_effort),
        learned=reached.recall(body.messages[-1].text),
    )


def _tool(body: ChatBody) -> Tool | None:
    """The function that must be called: the first one, or the named one. By its own choice the model calls none."""
    functions = [tool.function for tool in body.tools or [] if tool.function is not None]
    if body.tool_choice == "required":
        return Tool(functions[0].name, functions[0].parameters)
    if isinstance(body.tool_choice, NamedTool) and body.tool_choice.function is not None:
        name = body.tool_choice.function.name
        for function in functions:
            if function.name == name:
                return Tool(name, function.parameters)
        raise errors.NO_SUCH_TOOL(name=name, param="tool_choice")
    return None


def _prompt_tokens(body: ChatBody) -> int:
    tokens = answers.PER_ANSWER
    for message in body.messages:
        tokens += answers.PER_MESSAGE + 1 + answers.count_tokens(message.text) + IMAGE_TOKENS * message.images
    if body.tools:
        tokens += answers.count_tokens(msgspec.json.encode(body.tools).decode())
    return tokens


# --- how it is written ---------------------------------------------------------------------------------------------


class _Reply:
    """An answer, to be written."""

    def __init__(self, reached: Turn, body: ChatBody, said: Said) -> None:
        self._turn, self._body, self._said = reached, body, said
        self._choices = body.n or 1
        self._finish = said.finish
        if isinstance(body.tool_choice, NamedTool) and said.finish == "tool_calls":
            self._finish = "stop"  # the models say tool_calls only of calls that they chose to make
        self._frame: Json = {
            "id": f"chatcmpl-{secrets.token_urlsafe(21)}",
            "created": int(reached.call.now.timestamp()),
            "model": reached.model,
            "system_fingerprint": answers.fingerprint(reached.model),
        }
        self._call_id = f"call_{secrets.token_urlsafe(18)}"

    def whole(self) -> Json:
        """The answer in one piece."""
        choices = [
            {
                "index": at,
                "finish_reason": self._finish,
                "message": self._message(),
                "logprobs": self._logprobs(self._said.text),
                "content_filter_results": self._said.verdict,
            }
            for at in range(self._choices)
        ]
        return {
            **self._frame,
            "object": "chat.completion",
            "choices": choices,
            "prompt_filter_results": self._prompt_verdict(),
            "usage": self._usage(),
        }

    def events(self) -> Iterator[bytes]:
        """The answer in events, word by word. Azure's stream begins with one that has no choices: the verdict."""
        nothing: Json = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
        yield sse.event({**nothing, "prompt_filter_results": self._prompt_verdict()})
        frame: Json = {**self._frame, "object": "chat.completion.chunk"}
        options = self._body.stream_options
        usage: Json = {"usage": None} if options is not None and options.include_usage else {}
        for at in range(self._choices):
            for delta in self._deltas():
                text = delta.get("content") or ""
                choice = {
                    "index": at,
                    "delta": delta,
                    "finish_reason": None,
                    "logprobs": self._logprobs(text) if text else None,
                    "content_filter_results": self._said.verdict if text else {},
                }
                yield sse.event({**frame, "choices": [choice], **usage})
            filtered = self._finish == "content_filter"
            last = {"index": at, "delta": {}, "finish_reason": self._finish, "logprobs": None}
            last["content_filter_results"] = self._said.verdict if filtered else {}
            yield sse.event({**frame, "choices": [last], **usage})
        if usage:
            yield sse.event({**frame, "choices": [], "usage": self._usage()})
        yield sse.DONE

    def _message(self) -> Json:
        said = self._said
        if said.tool is None:
            content = None if said.finish == "content_filter" else said.text
            return {"role": "assistant", "content": content, "refusal": None}
        function = {"name": said.tool, "arguments": said.text}
        made = {"id": self._call_id, "type": "function", "function": function}
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [made]}

    def _deltas(self) -> Iterator[Json]:
        said = self._said
        if said.tool is None:
            yield {"role": "assistant", "content": ""}
            yield from ({"content": word} for word in words(said.text))
            return
        first = {"index": 0, "id": self._call_id, "type": "function", "function": {"name": said.tool, "arguments": ""}}
        yield {"role": "assistant", "content": None, "tool_calls": [first]}
        for piece in words(said.text):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}

    def _logprobs(self, text: str) -> Json | None:
        if not self._body.logprobs or self._said.tool is not None:
            return None
        return {"content": [logprob(token, self._body.top_logprobs or 0) for token in answers.pieces(text)],
                "refusal": None}  # fmt: skip

    def _prompt_verdict(self) -> list[Json]:
        return [{"prompt_index": 0, "content_filter_results": self._turn.verdict}]

    def _usage(self) -> Json:
        said = self._said.tokens * self._choices
        return {
            "prompt_tokens": self._turn.prompt_tokens,
            "completion_tokens": said,
            "total_tokens": self._turn.prompt_tokens + said,
            "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
            "completion_tokens_details": {
                "accepted_prediction_tokens": 0,
                "audio_tokens": 0,
                "reasoning_tokens": self._said.thinking * self._choices,
                "rejected_prediction_tokens": 0,
            },
        }


def words(text: str) -> list[str]:
    """The text cut before each space: what a stream says at a time."""
    return re.findall(r" ?[^ ]+| +", text)


def logprob(token: str, top: int) -> Json:
    """A token with its probability, which is always one and the same, and has no rivals but itself."""
    one: Json = {"token": token, "logprob": -0.01, "bytes": list(token.encode())}
    return {**one, "top_logprobs": [one] if top else []}
