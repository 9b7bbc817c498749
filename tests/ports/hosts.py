"""GitHub and Azure DevOps as far as a pipeline posts there: the REST calls, with their rights, pages and limits.

Written from the pages that infra/ports/repos.py names, for neither can be called here.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "throwaway-of-this-test"
PAGE = 3
"""Rows that GitHub gives at a time here, whatever is asked: a client must follow the links."""


class Hosts:
    """What both hosts know, and what was asked of them."""

    def __init__(self) -> None:
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.issues: list[dict[str, Any]] = []
        self.threads: dict[int, list[dict[str, Any]]] = {}
        self.items: dict[int, dict[str, str]] = {}
        self.asked: list[tuple[str, str]] = []
        self.failing: list[tuple[int, dict[str, str]]] = []
        """Answers to give first, instead of what is asked."""
        self.origin = ""

    # --- GitHub ----------------------------------------------------------------------------------------------------

    def github(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any, str]:
        repository, _, rest = path.removeprefix("/repos/").partition("/issues")
        assert repository == "contoso/models"
        number, _, tail = rest.strip("/").partition("/")
        if method == "GET":
            rows = (
                [i for i in self.issues if i["state"] == "open"] if not number else self.comments.get(int(number), [])
            )
            return self._page(path, rows, int(query.get("page", ["1"])[0]))
        if number == "comments":
            one = next(c for rows in self.comments.values() for c in rows if str(c["id"]) == tail)
            one.update(body)
            return 200, one, ""
        if method == "PATCH":
            self.issues[int(number) - 1].update(body)
            return 200, self.issues[int(number) - 1], ""
        if len(body["body"]) > 65_536:
            return 422, {"message": "Validation Failed"}, ""
        if tail == "comments":
            rows = self.comments.setdefault(int(number), [])
            rows.append({"id": 1000 + len(rows), "html_url": f"{self.origin}/pull/{number}#{len(rows)}", **body})
            return 201, rows[-1], ""
        self.add_issue(**body)
        return 201, self.issues[-1], ""

    def add_issue(self, **fields: Any) -> None:
        number = len(self.issues) + 1
        url = f"{self.origin}/issues/{number}"
        self.issues.append({"number": number, "state": "open", "html_url": url, **fields})

    def _page(self, path: str, rows: list[Any], page: int) -> tuple[int, Any, str]:
        more = page * PAGE < len(rows)
        link = f'<{self.origin}/github{path}?page={page + 1}>; rel="next"' if more else ""
        return 200, rows[(page - 1) * PAGE : page * PAGE], link

    # --- Azure DevOps ----------------------------------------------------------------------------------------------

    def azure(self, method: str, path: str, body: Any) -> tuple[int, Any, str]:
        _, _, rest = path.partition("/_apis/")
        if rest == "wit/wiql":
            tag = re.search(r"CONTAINS '([^']*)'", body["query"])
            assert tag is not None
            open_ones = [i for i, f in self.items.items() if f["System.State"] != "Done" and tag[1] in f["System.Tags"]]
            return 200, {"workItems": [{"id": i} for i in open_ones]}, ""
        if rest.startswith("wit/workitems/"):
            number = len(self.items) + 1 if rest.endswith("$Issue") else int(rest.rpartition("/")[2])
            item = self.items.setdefault(number, {"System.State": "To Do"})
            item.update({row["path"].rpartition("/")[2]: row["value"] for row in body if "/fields/" in row["path"]})
            return 200, {"id": number}, ""
        found = re.fullmatch(r"git/repositories/[^/]+/pullRequests/(\d+)/threads(?:/(\d+)/comments/(\d+))?", rest)
        assert found is not None, rest
        threads = self.threads.setdefault(int(found[1]), [])
        if method == "GET":
            return 200, {"value": threads}, ""
        if found[2]:
            threads[int(found[2]) - 1]["comments"][int(found[3]) - 1].update(body)
            return 200, {}, ""
        threads.append({"id": len(threads) + 1, "comments": [{"id": 1, **body["comments"][0]}]})
        return 200, threads[-1], ""


@contextmanager
def serving() -> Iterator[Hosts]:
    """Both hosts on one loopback port: /github/… and /azure/…."""
    hosts = Hosts()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            hosts.asked.append((self.command, self.path))
            side, _, path = parts.path.removeprefix("/").partition("/")
            basic = "Basic " + base64.b64encode(f":{TOKEN}".encode()).decode()
            link, headers = "", {}
            if hosts.failing:
                status, headers = hosts.failing.pop(0)
                said: Any = {}
            elif self.headers["Authorization"] != (f"Bearer {TOKEN}" if side == "github" else basic):
                status, said = 401, {"message": "Bad credentials"}
            elif side == "github":
                status, said, link = hosts.github(self.command, f"/{unquote(path)}", parse_qs(parts.query), body)
            else:
                status, said, link = hosts.azure(self.command, unquote(path), body)
            data = json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**headers, **({"Link": link} if link else {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hosts.origin = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hosts
        finally:
            server.shutdown()
            thread.join()
