"""Bad requests made from Azure's own examples: always an answer, always in Azure's envelope, never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from infra.localazure.http.app import MOST_BYTES
from tests.fidelity import examples, spec
from tests.localazure.cloud import ARM, DATA, OWNER, Cloud, send

SHORT, LONG, SEED = 300, 10_000, 20261101
METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]
VERSIONS = ["", "latest", "2024-13-45", "1999-01-01", "2024-10-01-preview", "2024-10-01'--", "9999-12-31", "\u00e9"]
TRICKS = ["..", "%2e%2e", "%2f", "%5c", "%00", ".", "", "a%20b", "%e2%80%ae", "%", "%zz", "{x}", "~", "x" * 300, ";a=b"]
HOSTS = ["nobody.openai.azure.com", "openai.azure.com", ".openai.azure.com", "eastus.api.cognitive.microsoft.com", "x"]
TOKENS = ["", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Basic eDp5", "Bearer " + "e30." * 3, "bearer \x7f"]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "x" * 5000,
    "\u0000",
    "\ud83d",
    [],
    [[]],
    {},
    {"": None},
    ["a", 1],
]
BYTES = [b"{", b"\xff\xfe", b'{"a":', b"[" * 100_000, b'{"a": NaN}', b'"\\ud800"', b"null", b"0", b"\x00", b'{"a":1}{}']


@dataclass(frozen=True)
class Request:
    """One request, as it is put on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def good(cloud: Cloud, example: examples.Example) -> Request:
    """An official example's request, before anything is done to it."""
    given = {name: examples.substituted(name, value) for name, value in example.raw["parameters"].items()}
    given |= {"host": examples.HOST, "deployment-id": "bot"}
    path = examples.path_of(example.op, given)
    wanted = [p for p in spec.parameters(example.op) if p["name"] in given]
    body = next((given[p["name"]] for p in wanted if p["in"] == "body"), given.get("body"))
    query = "&".join(f"{p['name']}={given[p['name']]}" for p in wanted if p["in"] == "query")
    audience = DATA if example.op.template.startswith(spec.DATA_PREFIX) else ARM
    headers = {"authorization": f"Bearer {cloud.token(OWNER, audience)}", "content-type": "application/json"}
    return Request(example.op.method, f"{path}?{query}", headers, b"" if body is None else json.dumps(body).encode())


def spoilt(request: Request, dice: Random) -> Request:
    """The request with one thing wrong, or two."""
    method, target, headers, body = request.method, request.target, dict(request.headers), request.body
    path, _, query = target.partition("?")
    for _ in range(dice.choice([1, 1, 2])):
        match dice.randrange(9):
            case 0:
                method = dice.choice(METHODS)
            case 1:
                query = f"api-version={dice.choice(VERSIONS)}"
            case 2:
                parts = path.split("/")
                parts[dice.randrange(1, len(parts))] = dice.choice(TRICKS)
                path = "/".join(parts)
            case 3:
                path = dice.choice([path.upper(), path + "/", "/" + path, path + "/" + dice.choice(TRICKS), path[:-3]])
            case 4:
                path = "/".join(["", dice.choice(HOSTS), *path.split("/")[2:]])
            case 5:
                headers["authorization"] = dice.choice(TOKENS)
            case 6:
                body = dice.choice(BYTES)
            case 7:
                body = json.dumps(odd(json.loads(body or b"{}"), dice)).encode() if body not in BYTES else body
            case _:
                query += "&" + dice.choice(
                    ["$filter='", "$top=-1", "$skiptoken=x", "%zz", "=", "a" * 9000, "api-version=1"]
                )
    return Request(method, f"{path}?{query}", headers, body)


def odd(found: Any, dice: Random) -> Any:
    """A body with one of its values replaced, dropped or doubled in another place."""
    if not isinstance(found, dict) or not found or dice.random() < 0.2:
        return dice.choice(ODD)
    name = dice.choice(sorted(found))
    made = dict(found)
    match dice.randrange(4):
        case 0:
            del made[name]
        case 1:
            made[dice.choice(["x", "", "id", "properties", "\u0000"])] = made[name]
        case _:
            made[name] = odd(made[name], dice)
    return made


def requests(cloud: Cloud, number: int) -> Iterator[Request]:
    offered = [good(cloud, e) for e in examples.every() if examples.is_sent(e)]
    dice = Random(SEED)  # noqa: S311 - the same requests every time
    for _ in range(number):
        yield spoilt(dice.choice(offered), dice)


def require_sound(cloud: Cloud, request: Request) -> int:
    answer = send(cloud.app, request.method, request.target, request.headers, request.body)
    told = f"{request} → {answer.status} {answer.content[:300]!r}"
    assert 200 <= answer.status < 500, told
    if answer.status >= 400 and request.method != "HEAD":
        assert isinstance(answer.body["error"], (dict, str)), told
        error = answer.body["error"]
        assert isinstance(error, str) or {"code", "message"} <= error.keys(), told
    return answer.status


def check(cloud: Cloud, number: int) -> None:
    spec.require()
    account = cloud.account("examples")
    cloud.deploy(account, "bot", examples.BASE_MODEL, model_version=examples.BASE_VERSION)
    refused = 0
    for request in requests(cloud, number):
        refused += require_sound(cloud, request) >= 400
    assert number / 4 < refused < number, "bad requests, and some that are good all the same"


def test_bad_requests_are_refused_in_azures_envelope(cloud: Cloud):
    check(cloud, SHORT)


@pytest.mark.proof
def test_ten_thousand_bad_requests_are_refused_in_azures_envelope(cloud: Cloud):
    check(cloud, LONG)


def test_a_body_beyond_the_limit_is_refused_whole(cloud: Cloud):
    path = cloud.account()
    answer = cloud.ask("PUT", path, raw=b'{"tags": {"a": "' + b"x" * MOST_BYTES + b'"}}')
    assert answer.status == 413
    assert answer.error["message"]
    assert "tags" not in cloud.get(path).body
