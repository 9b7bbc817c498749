"""The route table: method, template, handler and the permission that it asks for.

Templates compare without regard to case, as Azure does. `{scope}` at the start stands for any resource id (extension
resources such as role assignments); the other names stand for one segment each.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from infra.localazure import errors
from infra.localazure.http.call import Answer, Call

Handler = Callable[[Call], Answer]
_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `action` is what the caller must be allowed at the resource (None: any valid token will do)."""

    method: str
    template: str
    handler: Handler
    action: str | None = None
    checked_against: str = ""
    """What the shape of the answer is held against: a spec, a recorded answer, documentation."""


class Router:
    """Finds the route of a path."""

    def __init__(self, routes: list[Route]) -> None:
        """Index the routes by method and number of segments."""
        self.routes = routes
        self._whole: dict[int, list[tuple[list[str], Route]]] = {}
        self._suffix: list[tuple[list[str], Route]] = []
        for route in routes:
            parts = route.template.strip("/").split("/")
            if parts[0] == "{scope}":
                self._suffix.append((parts[1:], route))
            else:
                self._whole.setdefault(len(parts), []).append((parts, route))

    def find(self, method: str, segments: list[str]) -> tuple[Route, dict[str, str]]:
        """The route and the values of its names; raises NotFound, or MethodNotAllowed where the path has another."""
        other_method = False
        for parts, route in self._whole.get(len(segments), []):
            params = _match(parts, segments)
            if params is None:
                continue
            if route.method == method:
                return route, params
            other_method = True
        for parts, route in self._suffix:
            if len(segments) < len(parts):
                continue
            params = _match(parts, segments[len(segments) - len(parts) :])
            if params is None:
                continue
            if route.method == method:
                scope = segments[: len(segments) - len(parts)]
                return route, {"scope": "/" + "/".join(scope), **params}
            other_method = True
        if other_method:
            raise errors.WRONG_METHOD(method=method)
        raise errors.NO_SUCH_ROUTE(path="/" + "/".join(segments))


def _match(parts: list[str], segments: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for part, segment in zip(parts, segments, strict=True):
        if part[0] == "{":
            params[part[1:-1]] = segment
        elif part.lower() != segment.lower():
            return None
    return params


def split(raw_path: str) -> list[str]:
    """The decoded segments of a path; one that is empty, hides a slash or climbs is no segment of Azure's."""
    trimmed = raw_path.removeprefix("/").removesuffix("/")
    segments = [unquote(part) for part in trimmed.split("/")] if trimmed else []
    if any(not s or s in {".", ".."} or _FORBIDDEN.search(s) for s in segments):
        raise errors.NO_SUCH_ROUTE(path=raw_path)
    return segments
