"""The Responses API: a response made, kept, listed and deleted, whole or as a stream of events.

Shapes are those of the openai package's types. What runs elsewhere on Azure's side (hosted tools, background responses,
conversations, prompt templates) is refused in words of ours.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from infra.localazure import answers, errors, inference, responses
from infra.localazure.answers import Said, Tool, Wish
from infra.localazure.catalogue import Model
from infra.localazure.entities import Account, Json, StoredResponse
from infra.localazure.http import asked, sse, turn
from infra.localazure.http.asked import one_of
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.chat import EFFORTS, IMAGE_TOKENS, TOOL_NAME, Named, Share, Temperature, words
from infra.localazure.http.turn import Turn

SINCE = "2025-03-01-preview"
"""The first classic api-version that knows responses."""
LEAST_TOKENS = 16
PAGE, MOST_OF_PAGE = 20, 100
_ROLES = ("assistant", "system", "developer", "user")
_FORMATS = ("text", "json_object", "json_schema")
_CHOICES = ("none", "auto", "required")
_PARTS = ("input_text", "input_image", "input_file", "output_text", "refusal")
_ITEMS = ("message", "function_call", "function_call_output", "reasoning", "item_reference")


class Part(msgspec.Struct, omit_defaults=True):
    """A part of a message's content."""

    type: str
    text: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class Item(msgspec.Struct, omit_defaults=True):
    """An item of the input: a message, or what went on with a function."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: str | list[Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[Part] | None = None
    summary: list[Any] | None = None
    status: str | None = None


class ToolSpec(msgspec.Struct, omit_defaults=True):
    """A tool that the model may use."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(msgspec.Struct):
    """A tool choice that names its tool."""

    type: str
    name: str | None = None


class Format(msgspec.Struct, omit_defaults=True):
    """What form the text is to have."""

    type: str
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class Text(msgspec.Struct):
    """Settings of the text."""

    format: Format | None = None
    verbosity: str | None = None


class Reasoning(msgspec.Struct):
    """Settings of a reasoning model."""

    effort: str | None = None
    summary: str | None = None


class ResponseBody(msgspec.Struct, kw_only=True):
    """POST responses; unknown fields are ignored."""

    model: str | None = None
    input: str | list[Item] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=LEAST_TOKENS)] | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    text: Text | None = None
    tools: list[ToolSpec] | None = None
    tool_choice: str | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    metadata: dict[str, str] | None = None
    truncation: str | None = None
    user: str | None = None
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None


# --- handlers ------------------------------------------------------------------------------------------------------


def create(call: Call, account: Account) -> Answer:
    """A response of the deployment that `model` names, kept unless `store` is false."""
    named = asked.read(call, Named)
    reached = turn.begin(call, account, inference.RESPONSE, named.model, streamed=bool(named.stream))
    body = asked.read(call, ResponseBody)
    _require_sound(body, reached.base)
    context = [*_context_before(call, account, body), *_own_items(body)]
    wish = _wish(body, reached, context)
    tokens = _prompt_tokens(body, context)
    reached.require_room(tokens, body.max_output_tokens, "max_output_tokens")
    said = answers.answer(wish)
    reached.admit(wish.prompt, tokens, tokens + (body.max_output_tokens or turn.USUAL_TOKENS))
    reached.answered(said.tokens)
    made = _Made(reached, body, said)
    whole = made.whole()
    if body.store is not False:
        now = call.now
        kept = StoredResponse(id=made.id, account=account.internal_id, created=now, body=whole, context=context)
        responses.keep(call.world, kept)
    return reached.streamed(made.events()) if body.stream else reached.whole(whole)


def get(call: Call, account: Account) -> Answer:
    """A response that was kept."""
    if call.query.get("stream", "").lower() == "true":
        raise errors.NOT_SIMULATED(what="background responses, which alone can be streamed later", param="stream")
    return Answer(body=responses.get(call.world, account, call.params["response"]).body)


def delete(call: Call, account: Account) -> Answer:
    """Forget a response."""
    responses.delete(call.world, account, call.params["response"])
    return Answer(body={"id": call.params["response"], "object": "response", "deleted": True})


def input_items(call: Call, account: Account) -> Answer:
    """What a response was made from, newest first unless `order` says asc, in pages."""
    found = responses.get(call.world, account, call.params["response"]).context
    if one_of(call.query.get("order", "desc"), ("asc", "desc"), "order") == "desc":
        found = found[::-1]
    limit = _limit(call.query.get("limit"))
    after = call.query.get("after")
    if after is not None:
        at = next((at for at, item in enumerate(found) if item["id"] == after), None)
        if at is None:
            raise errors.BAD_FIELD(name="after", fact=f"no item has the id '{after}'", param="after")
        found = found[at + 1 :]
    page = found[:limit]
    return Answer(
        body={
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(found) > limit,
        }
    )


def _limit(given: str | None) -> int:
    if given is None:
        return PAGE
    if not given.isdecimal() or not given.isascii():
        raise errors.BAD_TYPE(name="limit", wanted="an integer", given="a string", param="limit")
    value = int(given[:9])
    if value < 1:
        raise errors.TOO_SMALL(name="limit", least=1, value=value, param="limit")
    if value > MOST_OF_PAGE:
        raise errors.TOO_GREAT(name="limit", most=MOST_OF_PAGE, value=value, param="limit")
    return value


# --- what may be asked ---------------------------------------------------------------------------------------------


def _require_sound(body: ResponseBody, base: Model) -> None:
    for name in ("background", "conversation", "prompt"):
        if getattr(body, name):
            raise errors.NOT_SIMULATED(what=f"'{name}' of responses", param=name)
    if body.input is None:
        raise errors.NO_PARAMETER(name="input", param="input")
    if body.input == []:
        raise errors.EMPTY_ARRAY(name="input", least=1, param="input")
    for at, item in enumerate(body.input if isinstance(body.input, list) else []):
        _require_item(item, f"input[{at}]")
    _require_tools(body)
    _require_text(body)
    one_of(body.truncation or "disabled", ("auto", "disabled"), "truncation")
    turn.require_plain(base, {"temperature": (body.temperature, 1), "top_p": (body.top_p, 1)})
    if body.reasoning is not None and body.reasoning.effort is not None:
        if not base.reasoning:
            raise errors.UNSUPPORTED_PARAMETER(name="reasoning.effort", param="reasoning.effort")
        one_of(body.reasoning.effort, EFFORTS, "reasoning.effort")


def _require_item(item: Item, place: str) -> None:
    kind = item.type or "message"
    one_of(kind, _ITEMS, f"{place}.type")
    if kind == "item_reference":
        raise errors.NOT_SIMULATED(what="references to items; send the items themselves", param=f"{place}.type")
    wanted = {"message": ("role", "content"), "function_call": ("call_id", "name", "arguments"),
              "function_call_output": ("call_id", "output")}.get(kind, ())  # fmt: skip
    for name in wanted:
        if getattr(item, name) is None:
            raise errors.NO_PARAMETER(name=f"{place}.{name}", param=f"{place}.{name}")
    if kind == "message":
        one_of(str(item.role), _ROLES, f"{place}.role")
    for at, part in enumerate(item.content if isinstance(item.content, list) else []):
        one_of(part.type, _PARTS, f"{place}.content[{at}].type")


def _require_tools(body: ResponseBody) -> None:
    for at, tool in enumerate(body.tools or []):
        if tool.type != "function":
            raise errors.NOT_SIMULATED(what=f"tools of type '{tool.type}'", param=f"tools[{at}].type")
        name = f"tools[{at}].name"
        if tool.name is None:
            raise errors.NO_PARAMETER(name=name, param=name)
        if not TOOL_NAME.fullmatch(tool.name):
            raise errors.BAD_TOOL_NAME(name=name, pattern=TOOL_NAME.pattern, param=name)
    if isinstance(body.tool_choice, str):
        one_of(body.tool_choice, _CHOICES, "tool_choice")
    if body.tool_choice is not None and body.tool_choice not in ("none", "auto") and not body.tools:
        raise errors.CHOICE_WITHOUT_TOOLS(param="tool_choice")


def _require_text(body: ResponseBody) -> None:
    form = body.text.format if body.text is not None else None
    if form is None:
        return
    one_of(form.type, _FORMATS, "text.format.type")
    for name in ("name", "schema") if form.type == "json_schema" else ():
        if getattr(form, name) is None:
            raise errors.NO_PARAMETER(name=f"text.format.{name}", param=f"text.format.{name}")
    if form.type == "json_object" and "json" not in _all_text(_own_items(body)).lower():
        raise errors.NO_WORD_JSON(what="input", format="text.format", param="input")


# --- what is wanted ------------------------------------------------------------------------------------------------


def _context_before(call: Call, account: Account, body: ResponseBody) -> list[Json]:
    """What the conversation held before this call: the previous response's input and output."""
    if body.previous_response_id is None:
        return []
    previous = responses.find(call.world, account, body.previous_response_id)
    if previous is None:
        raise errors.NO_PREVIOUS_RESPONSE(id=body.previous_response_id, param="previous_response_id")
    return [*previous.context, *previous.body["output"]]


def _own_items(body: ResponseBody) -> list[Json]:
    """The call's own input as items with ids, as they are kept and listed."""
    given = body.input if isinstance(body.input, list) else [Item(role="user", content=body.input)]
    return [_kept(item) for item in given]


def _kept(item: Item) -> Json:
    wire: Json = msgspec.to_builtins(item)
    kind = item.type or "message"
    if kind == "message":
        part = "output_text" if item.role == "assistant" else "input_text"
        parts = [{"type": part, "text": item.content}] if isinstance(item.content, str) else wire.get("content", [])
        wire["content"] = [{**p, "annotations": []} if p["type"] == "output_text" else p for p in parts]
        wire["status"] = "completed"
    if kind == "reasoning":
        wire.setdefault("summary", [])
    prefix = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}[kind]
    return {**wire, "type": kind, "id": item.id or _new_id(prefix)}


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(25)}"


def _text_of(item: Json) -> str:
    found = item.get("content") if "content" in item else item.get("output")
    if isinstance(found, list):
        return "\n".join(str(part.get("text") or "") for part in found)
    return found if isinstance(found, str) else str(item.get("arguments") or "")


def _all_text(items: list[Json]) -> str:
    return "\n".join(_text_of(item) for item in items)


def _wish(body: ResponseBody, reached: Turn, context: list[Json]) -> Wish:
    form: object = None
    form_name = ""
    given = body.text.format if body.text is not None else None
    if given is not None and given.type != "text":
        form, form_name = given.schema or {}, given.name or ""
    return Wish(
        model=reached.model,
        question=_text_of(context[-1]),
        prompt=f"{body.instructions or ''}\n{_all_text(context)}",
        most=body.max_output_tokens,
        form=form,
        form_name=form_name,
        tool=_tool(body),
        thinking=turn.thinking(reached.base, body.reasoning.effort if body.reasoning else None),
        learned=reached.recall(_text_of(context[-1])),
    )


def _tool(body: ResponseBody) -> Tool | None:
    """The function that must be called. By its own choice the model calls none."""
    if body.tool_choice == "required" and body.tools:
        return Tool(str(body.tools[0].name), body.tools[0].parameters)
    if isinstance(body.tool_choice, NamedTool):
        for tool in body.tools or []:
            if tool.name == body.tool_choice.name:
                return Tool(str(tool.name), tool.parameters)
        raise errors.NO_SUCH_TOOL(name=body.tool_choice.name, param="tool_choice")
    return None


def _prompt_tokens(body: ResponseBody, context: list[Json]) -> int:
    tokens = answers.PER_ANSWER
    for text in (body.instructions, *(_text_of(item) for item in context)):
        tokens += answers.PER_MESSAGE + 1 + answers.count_tokens(text) if text is not None else 0
    images = [p for item in context for p in item.get("content") or [] if p.get("type") == "input_image"]
    tools = answers.count_tokens(msgspec.json.encode(body.tools).decode()) if body.tools else 0
    return tokens + IMAGE_TOKENS * len(images) + tools


# --- how it is written ---------------------------------------------------------------------------------------------


class _Made:
    """A response, to be written whole or event by event."""

    def __init__(self, reached: Turn, body: ResponseBody, said: Said) -> None:
        self._turn, self._body, self._said = reached, body, said
        self.id = _new_id("resp")
        self._created = int(reached.call.now.timestamp())
        self._items = self._output()

    def whole(self) -> Json:
        """The response when it is done."""
        reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(self._said.finish)
        return self._wire(
            "incomplete" if reason else "completed",
            self._items,
            incomplete={"reason": reason} if reason else None,
            usage=self._usage(),
        )

    def events(self) -> Iterator[bytes]:
        """The response in events, each with its number."""
        for number, event in enumerate(self._each()):
            yield sse.event({**event, "sequence_number": number}, event["type"])

    def _each(self) -> Iterator[Json]:
        begun = self._wire("in_progress", [], incomplete=None, usage=None)
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        for at, item in enumerate(self._items):
            yield from self._item_events(at, item)
        done = self.whole()
        yield {"type": f"response.{done['status']}", "response": done}

    def _item_events(self, at: int, item: Json) -> Iterator[Json]:
        place = {"output_index": at}
        inside = {"output_index": at, "item_id": item["id"]}
        match item["type"]:
            case "message":
                yield {"type": "response.output_item.added", **place,
                       "item": {**item, "content": [], "status": "in_progress"}}  # fmt: skip
                for part_at, part in enumerate(item["content"]):
                    yield from _part_events({**inside, "content_index": part_at}, part)
            case "function_call":
                yield {"type": "response.output_item.added", **place,
                       "item": {**item, "arguments": "", "status": "in_progress"}}  # fmt: skip
                for piece in words(item["arguments"]):
                    yield {"type": "response.function_call_arguments.delta", **inside, "delta": piece}
                yield {"type": "response.function_call_arguments.done", **inside, "name": item["name"],
                       "arguments": item["arguments"]}  # fmt: skip
            case _:
                yield {"type": "response.output_item.added", **place, "item": item}
        yield {"type": "response.output_item.done", **place, "item": item}

    def _output(self) -> list[Json]:
        said = self._said
        found: list[Json] = []
        if self._turn.base.reasoning:
            found.append({"id": _new_id("rs"), "type": "reasoning", "summary": []})
        status = "incomplete" if said.finish in {"length", "content_filter"} else "completed"
        if said.tool is not None:
            call_id = f"call_{secrets.token_urlsafe(18)}"
            found.append({"id": _new_id("fc"), "type": "function_call", "status": status, "call_id": call_id,
                          "name": said.tool, "arguments": said.text})  # fmt: skip
        elif said.text:
            part = {"type": "output_text", "annotations": [], "logprobs": [], "text": said.text}
            found.append({"id": _new_id("msg"), "type": "message", "status": status, "role": "assistant",
                          "content": [part]})  # fmt: skip
        return found

    def _wire(self, status: str, output: list[Json], *, incomplete: Json | None, usage: Json | None) -> Json:
        body, base = self._body, self._turn.base
        reasoning = body.reasoning or Reasoning()
        given = body.text.format if body.text is not None else None
        choice = msgspec.to_builtins(body.tool_choice) if body.tool_choice is not None else "auto"
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "completed_at": None if status == "in_progress" else self._created,
            "status": status,
            "background": False,
            "content_filters": self._verdicts(done=status != "in_progress"),
            "error": None,
            "incomplete_details": incomplete,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "max_tool_calls": None,
            "metadata": body.metadata or {},
            "model": self._turn.model,
            "output": output,
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": body.previous_response_id,
            "prompt_cache_key": None,
            "reasoning": {
                "effort": (reasoning.effort or "medium") if base.reasoning else None,
                "summary": reasoning.summary,
            },
            "safety_identifier": None,
            "service_tier": "default",
            "store": body.store is not False,
            "temperature": 1.0 if body.temperature is None else body.temperature,
            "text": {
                "format": msgspec.to_builtins(given or Format("text")),
                "verbosity": (body.text.verbosity if body.text else None) or "medium",
            },
            "tool_choice": choice,
            "tools": [_tool_wire(tool) for tool in body.tools or []],
            "top_logprobs": 0,
            "top_p": 1.0 if body.top_p is None else body.top_p,
            "truncation": body.truncation or "disabled",
            "usage": usage,
            "user": body.user,
        }

    def _verdicts(self, *, done: bool) -> list[Json]:
        """The content filter's verdicts, which Azure adds to what the models say; on the answer once it is there."""
        found = [("prompt", self._turn.verdict, False)]
        if done:
            found.append(("completion", self._said.verdict, self._said.finish == "content_filter"))
        return [{"blocked": blocked, "source_type": what, "content_filter_raw": [], "content_filter_results": verdict}
                for what, verdict, blocked in found]  # fmt: skip

    def _usage(self) -> Json:
        asked_for, said = self._turn.prompt_tokens, self._said
        return {
            "input_tokens": asked_for,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said.tokens,
            "output_tokens_details": {"reasoning_tokens": said.thinking},
            "total_tokens": asked_for + said.tokens,
        }


def _part_events(inside: Json, part: Json) -> Iterator[Json]:
    yield {"type": "response.content_part.added", **inside, "part": {**part, "text": ""}}
    for word in words(part["text"]):
        yield {"type": "response.output_text.delta", **inside, "delta": word, "logprobs": []}
    yield {"type": "response.output_text.done", **inside, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **inside, "part": part}


def _tool_wire(tool: ToolSpec) -> Json:
    return {"type": tool.type, "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            "strict": tool.strict is not False}  # fmt: skip
