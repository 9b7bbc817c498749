"""One example, looked at thoroughly: every rule that it breaks. Slow; `scan` looks here only where it must."""

from __future__ import annotations

import base64
import re
from collections.abc import Generator, Iterator, Set
from typing import Any

import msgspec

from infra.spec import tuning
from infra.spec.limits import did_you_mean
from infra.training.shapes import NAMES, Shape, of_example

Broken = tuple[str, str]
"""A rule's id, and what is the case."""

_ROLES: dict[Shape, tuple[str, ...]] = {
    "chat": ("system", "developer", "user", "assistant", "tool", "function"),
    "preference": ("system", "developer", "user", "assistant", "tool"),
    "reinforcement": ("system", "developer", "user", "assistant", "tool"),
}
_KEYS = {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal"}
_TOP = {"messages", "tools", "parallel_tool_calls", "functions"}
_FUNCTION = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA = re.compile(r"data:([\w.+/-]*)(;[^,]*)?,")


def broken(example: dict[str, Any], shape: Shape) -> Iterator[Broken]:
    """The rules that an example of a file of this shape breaks; the text names the place in the example."""
    found = of_example(example)
    if found is None:
        yield "shape", f"has none of messages, preferred_output, prompt, but {_listed(example)}"
    elif not _belongs(found, shape):
        yield "shape", f"looks like {NAMES[found]}, in a file of {NAMES[shape]}"
    elif shape == "preference":
        yield from _preference(example)
    elif shape == "completion":
        yield from _completion(example)
    else:
        yield from _chat(example, shape)


def texts(example: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is trained on, as far as it can be read: role and text. Definitions and calls of tools count as JSON."""
    for message in _all_messages(example):
        role = message.get("role")
        role = role if isinstance(role, str) else "?"
        content = message.get("content")
        if isinstance(content, str):
            yield role, content
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    yield role, part["text"]
        for key in ("tool_calls", "function_call"):
            if message.get(key):
                yield role, msgspec.json.encode(message[key]).decode()
    source = example["input"] if isinstance(example.get("input"), dict) else example
    for key in ("tools", "functions"):
        if source.get(key):
            yield key, msgspec.json.encode(source[key]).decode()
    for key in ("prompt", "completion"):
        if isinstance(example.get(key), str):
            yield key, example[key]


def images(example: dict[str, Any]) -> int:
    """How many images an example holds."""
    return sum(
        isinstance(part, dict) and part.get("type") == "image_url"
        for message in _all_messages(example)
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )


def _belongs(found: Shape, shape: Shape) -> bool:
    """Chat that the wrong side ends is told as such, not as another shape."""
    return found == shape or {found, shape} == {"chat", "reinforcement"}


def _all_messages(example: dict[str, Any]) -> Iterator[dict[str, Any]]:
    source = example.get("input")
    lists = [example.get("messages"), source.get("messages") if isinstance(source, dict) else None]
    lists += [example.get("preferred_output"), example.get("non_preferred_output")]
    for messages in lists:
        if isinstance(messages, list):
            yield from (m for m in messages if isinstance(m, dict))


# --- the shapes ----------------------------------------------------------------------------------------------------


def _chat(example: dict[str, Any], shape: Shape) -> Iterator[Broken]:
    if shape == "chat":
        yield from (("unknown-key", f'the key "{_short(key)}" is not known') for key in example if key not in _TOP)
    messages = example["messages"]
    if not isinstance(messages, list) or not messages:
        yield "messages", f"messages: {'is empty' if messages == [] else f'is {kind_of(messages)}'}"
        return
    yield from _tools(example, "")
    yield from _talk(messages, "messages", shape, _defined(example))
    yield from _image_count(example)
    last = messages[-1]
    if not isinstance(last, dict):
        return
    wanted, role = ("user" if shape == "reinforcement" else "assistant"), last.get("role")
    if role != wanted and role in _ROLES[shape]:
        yield "last-message", f"the last message is of {role}, not of {wanted}"
    said = [m for m in messages if isinstance(m, dict) and m.get("role") == "assistant"]
    if shape == "chat" and said and all(m.get("weight") == 0 for m in said):
        yield "nothing-counts", "every message of the assistant has weight 0"
    elif shape == "chat" and not said and role == "assistant":
        yield "nothing-counts", "no message of the assistant"


def _preference(example: dict[str, Any]) -> Iterator[Broken]:
    keys = {"input", "preferred_output", "non_preferred_output"}
    yield from (("unknown-key", f'the key "{_short(key)}" is not known') for key in example if key not in keys)
    asked = example.get("input")
    messages = asked.get("messages") if isinstance(asked, dict) else None
    defined: set[str] | None = None
    waiting: set[str] = set()
    if not isinstance(asked, dict) or not isinstance(messages, list) or not messages:
        yield "preference", f"input/messages: is {kind_of(messages) if isinstance(asked, dict) else 'missing'}"
    else:
        yield from (("unknown-key", f'input: the key "{_short(key)}" is not known') for key in asked if key not in _TOP)
        yield from _tools(asked, "input/")
        defined = _defined(asked)
        waiting = yield from _talk(messages, "input/messages", "preference", defined)
    for key in ("preferred_output", "non_preferred_output"):
        output = example.get(key)
        if not isinstance(output, list) or not output:
            yield "preference", f"{key}: is {'missing' if key not in example else kind_of(output)}"
            continue
        yield from _talk(output, key, "preference", defined, waiting)
        roles = [m.get("role") for m in output if isinstance(m, dict)]
        yield from (("role", f"{key}: {_quoted(role)} has no place here, only assistant and tool")
                    for role in roles if role in ("system", "developer", "user"))  # fmt: skip
        if "assistant" not in roles:
            yield "no-answer", f"{key}: no message of the assistant"
    yield from _image_count(example)
    if "preferred_output" in example and example["preferred_output"] == example.get("non_preferred_output"):
        yield "no-preference", "preferred_output and non_preferred_output are the same"


def _completion(example: dict[str, Any]) -> Iterator[Broken]:
    yield from (
        ("unknown-key", f'the key "{_short(key)}" is not known')
        for key in example
        if key not in {"prompt", "completion"}
    )
    for key in ("prompt", "completion"):
        if not isinstance(example.get(key), str):
            yield "completion", f"{key}: is {kind_of(example[key]) if key in example else 'missing'}"
    if example.get("completion") == "":
        yield "empty-content", "completion: is empty"


# --- messages ------------------------------------------------------------------------------------------------------


def _talk(
    messages: list[Any], where: str, shape: Shape, defined: set[str] | None, waiting: Set[str] = frozenset()
) -> Generator[Broken, None, set[str]]:
    """Complain about messages; takes and gives the ids of calls that wait for an answer."""
    open_calls = set(waiting)
    for number, message in enumerate(messages):
        place = f"{where}/{number}"
        if not isinstance(message, dict):
            yield "message", f"{place}: is {kind_of(message)}"
            continue
        role = message.get("role")
        if open_calls and role not in ("tool", "function"):
            yield "tool-answer", f"{place}: comes before the call {_quoted(min(open_calls))} was answered"
            open_calls = set()
        yield from _message(message, place, shape)
        if role == "tool":
            yield from _answer(message, place, open_calls)
        if role == "assistant":
            open_calls = yield from _calls(message, place, defined)
    return open_calls


def _message(message: dict[str, Any], place: str, shape: Shape) -> Iterator[Broken]:
    yield from (
        ("unknown-key", f'{place}: the key "{_short(key)}" is not known') for key in message if key not in _KEYS
    )
    role = message.get("role")
    if role not in _ROLES[shape]:
        known = ", ".join(_ROLES[shape])
        if not isinstance(role, str):
            yield "role", f"{place}/role: is {'missing' if 'role' not in message else kind_of(role)}; roles: {known}"
        else:
            yield "role", f"{place}/role: {_quoted(role)} is none of {known}{did_you_mean(role, _ROLES[shape])}"
    if role == "function" or message.get("function_call") is not None:
        yield "functions", f"{place}: {'the role function' if role == 'function' else 'function_call'} is outdated"
    if "name" in message and not isinstance(message["name"], str):
        yield "name", f"{place}/name: is {kind_of(message['name'])}"
    if "weight" in message:
        yield from _weight(message["weight"], role, place)
    yield from _content(message, role, place)


def _weight(weight: object, role: object, place: str) -> Iterator[Broken]:
    if role != "assistant":
        yield "weight", f"{place}/weight: stands on a message of {role if isinstance(role, str) else 'nobody'}"
    elif isinstance(weight, bool) or not isinstance(weight, int) or weight not in (0, 1):
        yield "weight", f"{place}/weight: is {_quoted(weight)}, not 0 or 1"


def _content(message: dict[str, Any], role: object, place: str) -> Iterator[Broken]:
    content = message.get("content")
    calls = role == "assistant" and (message.get("tool_calls") or message.get("function_call"))
    if content is None:
        if not calls:
            yield "content", f"{place}/content: is {'missing' if 'content' not in message else 'null'}"
    elif isinstance(content, str):
        if not content and not calls:
            yield "empty-content", f"{place}/content: is empty"
    elif not isinstance(content, list):
        yield "content", f"{place}/content: is {kind_of(content)}"
    elif not content:
        yield "content", f"{place}/content: is an empty list"
    else:
        for number, part in enumerate(content):
            yield from _part(part, role, f"{place}/content/{number}")


def _part(part: object, role: object, place: str) -> Iterator[Broken]:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or kind not in ("text", "image_url"):
        yield "part", f"{place}: is {f'of type {_quoted(kind)}' if isinstance(part, dict) else kind_of(part)}"
    elif kind == "text":
        if not isinstance(part.get("text"), str):
            yield "part", f"{place}/text: is {kind_of(part['text']) if 'text' in part else 'missing'}"
    else:
        if role != "user":
            yield "image-role", f"{place}: an image in a message of {role}"
        yield from _image(part.get("image_url"), f"{place}/image_url")


def _image(image: object, place: str) -> Iterator[Broken]:
    address = image.get("url") if isinstance(image, dict) else None
    if not isinstance(image, dict) or not isinstance(address, str):
        yield "part", f"{place}: has no url"
        return
    if "detail" in image and image["detail"] not in ("low", "high", "auto"):
        yield "part", f"{place}/detail: {_quoted(image['detail'])} is none of low, high, auto"
    if address.startswith(("https://", "http://")):
        return
    head = _DATA.match(address[:200])
    if head is None or ";base64" not in (head[2] or ""):
        yield "image-address", f"{place}/url: {_quoted(address)} is no address and no base64 data"
        return
    if head[1].lower() not in ("image/jpeg", "image/jpg", "image/png", "image/webp"):
        yield "image-format", f"{place}/url: is {_quoted(head[1])}"
    data, most = address[head.end() :], tuning.load().image_bytes.value
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        yield "image-address", f"{place}/url: is no valid base64"
        return
    size = len(data) * 3 // 4
    if size > most:
        yield "image-size", f"{place}/url: has {size:,} bytes, more than {most:,}"


def _image_count(example: dict[str, Any]) -> Iterator[Broken]:
    number, most = images(example), tuning.load().images_per_example.value
    if number > most:
        yield "image-count", f"{number} images, more than {most}"


# --- tools ---------------------------------------------------------------------------------------------------------


def _tools(source: dict[str, Any], where: str) -> Iterator[Broken]:
    if "functions" in source:
        yield "functions", f"{where}functions: is outdated"
    if not isinstance(source.get("parallel_tool_calls", True), bool):
        yield "tools", f"{where}parallel_tool_calls: is {kind_of(source['parallel_tool_calls'])}, not true or false"
    tools = source.get("tools", [])
    if not isinstance(tools, list):
        yield "tools", f"{where}tools: is {kind_of(tools)}"
        return
    for number, tool in enumerate(tools):
        place = f"{where}tools/{number}"
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or tool.get("type") != "function" or not isinstance(function, dict):
            yield "tools", f"{place}: is no function"
            continue
        name = function.get("name")
        if not isinstance(name, str) or not _FUNCTION.fullmatch(name):
            yield "tools", f"{place}/function/name: {_quoted(name)} is not 1 to 64 letters, digits, _ or -"
        if not isinstance(function.get("parameters", {}), dict):
            yield "tools", f"{place}/function/parameters: is {kind_of(function['parameters'])}"


def _defined(source: dict[str, Any]) -> set[str] | None:
    """Names in tools; None where the example leaves tools out, which is allowed."""
    tools = source.get("tools")
    if not isinstance(tools, list) or not tools:
        return None
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return {str(function.get("name")) for function in functions if isinstance(function, dict)}


def _calls(message: dict[str, Any], place: str, defined: set[str] | None) -> Generator[Broken, None, set[str]]:
    """Complain about the calls of a message; gives the ids that wait for an answer."""
    ids: set[str] = set()
    calls = message.get("tool_calls")
    if calls is None:
        return ids
    if not isinstance(calls, list) or not calls:
        yield "tool-calls", f"{place}/tool_calls: is {'empty' if calls == [] else kind_of(calls)}"
        return ids
    for number, call in enumerate(calls):
        where = f"{place}/tool_calls/{number}"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or call.get("type") != "function" or not isinstance(function, dict):
            yield "tool-calls", f"{where}: is no call of a function"
            continue
        if isinstance(call.get("id"), str):
            ids.add(call["id"])
        else:
            yield "tool-calls", f"{where}/id: is {kind_of(call['id']) if 'id' in call else 'missing'}"
        name, arguments = function.get("name"), function.get("arguments")
        if not isinstance(name, str):
            yield "tool-calls", f"{where}/function/name: is {kind_of(name) if 'name' in function else 'missing'}"
        elif defined is not None and name not in defined:
            yield "tool-unknown", f"{where}: {_quoted(name)} is not in tools{did_you_mean(name, sorted(defined))}"
        if not isinstance(arguments, str):
            kind = kind_of(arguments) if "arguments" in function else "missing"
            yield "tool-calls", f"{where}/function/arguments: is {kind}, not JSON in a text"
        elif not _is_json(arguments):
            yield "arguments", f"{where}/function/arguments: {_quoted(arguments)} is no JSON"
    return ids


def _answer(message: dict[str, Any], place: str, open_calls: set[str]) -> Iterator[Broken]:
    answered = message.get("tool_call_id")
    if not isinstance(answered, str):
        kind = kind_of(answered) if "tool_call_id" in message else "missing"
        yield "tool-answer", f"{place}/tool_call_id: is {kind}"
        open_calls.clear()
    elif answered not in open_calls:
        yield "tool-answer", f"{place}/tool_call_id: {_quoted(answered)} is no call that waits for an answer"
    open_calls.discard(answered if isinstance(answered, str) else "")


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError):
        return False
    return True


# --- words ---------------------------------------------------------------------------------------------------------


def kind_of(value: object) -> str:
    """A JSON value's kind in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = ((str, "a text"), ((int, float), "a number"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "?")


def _quoted(value: object) -> str:
    return f'"{_short(value)}"' if isinstance(value, str) else _short(value) if value is not None else "nothing"


def _short(value: object) -> str:
    """A value for a message: one line, no control characters, not long."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:41])
    return f"{text[:40]}…" if len(text) > 40 else text


def _listed(example: dict[str, Any]) -> str:
    keys = ", ".join(f'"{_short(key)}"' for key in list(example)[:4])
    return f"{keys}{', …' if len(example) > 4 else ''}" if keys else "nothing"
