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
    operation: str = ""
    """What the data plane's texts and metrics call it."""


class Router:
    """Finds the route of a path."""

    def __init__(self, routes: list[Route]) -> None:
        """Index the routes by method and number of segments."""
        self.routes = routes
        self._whole: dict[int, list[tuple[_Shape, Route]]] = {}
        self._suffix: list[tuple[_Shape, Route]] = []
        for route in routes:
            parts = route.template.strip("/").split("/")
            if parts[0] == "{scope}":
                self._suffix.append((_Shape(parts[1:]), route))
            else:
                self._whole.setdefault(len(parts), []).append((_Shape(parts), route))

    def find(self, method: str, segments: list[str]) -> tuple[Route, dict[str, str]]:
        """The route and the values of its names; raises NotFound, or MethodNotAllowed where the path has another."""
        other_method = False
        lowered = [segment.lower() for segment in segments]
        for shape, route in self._whole.get(len(segments), []):
            if not shape.fits(lowered):
                continue
            if route.method == method:
                return route, shape.names(segments)
            other_method = True
        for shape, route in self._suffix:
            before = len(segments) - shape.length
            if before < 0 or not shape.fits(lowered[before:]):
                continue
            if route.method == method:
                return route, {"scope": "/" + "/".join(segments[:before]), **shape.names(segments[before:])}
            other_method = True
        if other_method:
            raise errors.WRONG_METHOD(method=method)
        raise errors.NO_SUCH_ROUTE(path="/" + "/".join(segments))


class _Shape:
    """A template taken apart: where it says what, and where it takes anything. Its end tells the most: that first."""

    __slots__ = ("_fixed", "_open", "length")

    def __init__(self, parts: list[str]) -> None:
        self.length = len(parts)
        self._fixed = [(at, part.lower()) for at, part in enumerate(parts) if part[0] != "{"][::-1]
        self._open = [(at, part[1:-1]) for at, part in enumerate(parts) if part[0] == "{"]

    def fits(self, lowered: list[str]) -> bool:
        """Whether segments of this number, in lower case, are of this shape."""
        for at, text in self._fixed:  # noqa: SIM110 - this is the hottest loop there is
            if lowered[at] != text:
                return False
        return True

    def names(self, segments: list[str]) -> dict[str, str]:
        """The values of its names."""
        return {name: segments[at] for at, name in self._open}


def split(raw_path: str) -> list[str]:
    """The decoded segments of a path; one that is empty, hides a slash or climbs is no segment of Azure's."""
    trimmed = raw_path.removeprefix("/").removesuffix("/")
    segments = [unquote(part) for part in trimmed.split("/")] if trimmed else []
    if any(not s or s in {".", ".."} or _FORBIDDEN.search(s) for s in segments):
        raise errors.NO_SUCH_ROUTE(path=raw_path)
    return segments
