"""Training on a local Azure for tests: data, files and jobs of an account, as a client without a library has them."""

from __future__ import annotations

import json
from typing import Any

from tests.localazure.cloud import DATA, Cloud, Reply

BASE = "gpt-4.1-mini-2025-04-14"
THINGS = ("invoice", "password", "delivery", "refund", "contract", "meter", "router", "parcel", "booking", "licence")
PLACES = ("Lisbon", "Gothenburg", "Chicago", "Porto", "Uppsala", "Toledo", "Nantes", "Bergen", "Utrecht", "Graz")


def question(at: int) -> str:
    """The question of an example."""
    return f"My {THINGS[at % 10]} in {PLACES[at // 10 % 10]} went wrong {at} times. What now?"


def answer(at: int) -> str:
    """Its answer."""
    return f"Sorry about your {THINGS[at % 10]}. Our desk in {PLACES[at // 10 % 10]} calls you back about case {at}."


def chat(number: int, first: int = 0) -> bytes:
    """So many examples of a conversation, as JSON Lines."""
    rows = [
        {"messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": question(at)},
                      {"role": "assistant", "content": answer(at)}]}
        for at in range(first, first + number)
    ]  # fmt: skip
    return lines(rows)


def preferences(number: int) -> bytes:
    """So many examples of preferred answers."""
    rows = [
        {"input": {"messages": [{"role": "user", "content": question(at)}]},
         "preferred_output": [{"role": "assistant", "content": answer(at)}],
         "non_preferred_output": [{"role": "assistant", "content": "No."}]}
        for at in range(number)
    ]  # fmt: skip
    return lines(rows)


def lines(rows: list[Any]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def form(parts: dict[str, str | tuple[str, bytes]], boundary: str = "7d1f") -> tuple[bytes, dict[str, str]]:
    """A form and its header; a part is a text, or a file's name with its content."""
    body = b""
    for name, value in parts.items():
        filename, content = (f'; filename="{value[0]}"', value[1]) if isinstance(value, tuple) else ("", value.encode())
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}


class Desk:
    """An account and what is done with its files and jobs, by key unless it is told who asks."""

    def __init__(self, cloud: Cloud, name: str = "oai-train", location: str = "swedencentral") -> None:
        self.cloud, self.name = cloud, name
        self.account = cloud.account(name, location=location)

    def ask(
        self, method: str, path: str, body: Any = None, *, v1: bool = True, version: str = "2024-10-21",
        who: str | None = None, **more: Any,
    ) -> Reply:  # fmt: skip
        """A request below /openai/v1, or below /openai."""
        headers = {**({} if who else {"api-key": self.cloud.key(self.account)}), **more.pop("headers", {})}
        path = f"/{self.name}.openai.azure.com/openai{'/v1' if v1 else ''}{path}"
        return self.cloud.ask(
            method, path, body, who=who, audience=DATA, version=None if v1 else version, headers=headers, **more
        )

    def upload(self, content: bytes, filename: str = "train.jsonl", purpose: str = "fine-tune", **more: Any) -> Reply:
        """A file, sent."""
        raw, headers = form({"purpose": purpose, "file": (filename, content)})
        return self.ask("POST", "/files", raw=raw, headers=headers, **more)

    def file(self, content: bytes, **more: Any) -> str:
        """A file that is processed; gives its id."""
        made = self.upload(content, **more)
        assert made.status == 201, made.body
        self.cloud.advance(seconds=1)
        return str(made.body["id"])

    def order(self, training: str, **more: Any) -> Reply:
        """A job, asked for."""
        return self.ask("POST", "/fine_tuning/jobs", {"model": BASE, "training_file": training, "seed": 105, **more})

    def job(self, training: str | bytes, **more: Any) -> str:
        """A job in the queue; gives its id."""
        made = self.order(training if isinstance(training, str) else self.file(training), **more)
        assert made.status == 201, made.body
        return str(made.body["id"])

    def look(self, job: str, **more: Any) -> dict[str, Any]:
        """A job as it is now."""
        found: dict[str, Any] = self.ask("GET", f"/fine_tuning/jobs/{job}", **more).body
        return found

    def finish(self, job: str) -> dict[str, Any]:
        """A job that is over."""
        for _ in range(200):
            found = self.look(job)
            if found["status"] in {"succeeded", "failed", "cancelled"}:
                return found
            self.cloud.advance(minutes=1)
        raise AssertionError(found)

    def train(self, training: str | bytes, **more: Any) -> dict[str, Any]:
        """A job that has succeeded."""
        found = self.finish(self.job(training, **more))
        assert found["status"] == "succeeded", found
        return found

    def messages(self, job: str) -> list[str]:
        """What its events say, oldest first."""
        found = self.ask("GET", f"/fine_tuning/jobs/{job}/events?limit=100").body["data"]
        return [event["message"] for event in reversed(found)]
