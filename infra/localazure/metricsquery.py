"""What is asked of Azure Monitor and what it answers: metrics, a span of time cut into grains, dimensions to split by.

A question is read the same way on both routes. Points are written as JSON here, once for all series: a month of hours
for the deployments of fifty accounts is a third of a million of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate

import msgspec

from infra.localazure import errors, ids, metrics
from infra.localazure.entities import Json
from infra.localazure.metrics import AGGREGATIONS, METRICS, NONE, SPREADS, Metric, Series, Spread
from infra.localazure.world import World

NAMESPACE = ids.ACCOUNTS.lower()
GRAINS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 360, 720, 1440))
USUAL_TOP, MOST_TOP = 10, 2**31 - 1
"""Series that are answered unless told otherwise, and the most that may be asked for (Learn, Q&A 6005145)."""
_KNOWN = {name.lower() for name in (*AGGREGATIONS, *SPREADS)}
_DURATION = re.compile(r"P(?:(?P<days>\d{1,4})D)?(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?)?", re.I)
_TERM = re.compile(r"\s*(?P<open>\(?)\s*(?P<name>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)'\s*(?P<close>\)?)", re.I)
_LINK = re.compile(r"\s*(?P<word>and|or)\b", re.I)
_ORDER = re.compile(r"(?P<what>\w+)(?:\s+(?P<way>asc|desc))?", re.I)


@dataclass(frozen=True, slots=True)
class Term:
    """What a filter says of one dimension (name in lower case): any value, or one of some (in lower case)."""

    dimension: str
    values: frozenset[str] | None


@dataclass(frozen=True)
class Query:
    """A question."""

    metrics: tuple[Metric, ...]
    start: datetime
    end: datetime
    grain: timedelta | None
    """Length of a point; None: one for the whole span."""
    aggregations: tuple[str, ...]
    """In lower case, those that the metrics lack among them; none where each metric's own is asked for."""
    terms: tuple[Term, ...] = ()
    rolled_up: frozenset[str] = frozenset()
    top: int = USUAL_TOP
    order: tuple[str, bool] | None = None
    """Aggregation to sort by, and whether the largest is first."""
    metadata: bool = False
    """Whether which series there are is all that is asked."""

    @property
    def interval(self) -> str:
        """The grain, as answers say it."""
        return duration(self.grain or self.end - self.start)

    @property
    def cost(self) -> int:
        """What an answer says it cost: the minutes of the span, less one, for each metric (from the examples)."""
        return max(int((self.end - self.start).total_seconds() // 60) - 1, 0) * len(self.metrics)

    def split(self, metric: Metric) -> tuple[str, ...]:
        """The dimensions that a metric's series are told apart by, in the order of the filter."""
        known = {name.lower() for name in metric.dimensions}
        return tuple(t.dimension for t in self.terms if t.dimension in known and t.dimension not in self.rolled_up)


# --- reading -------------------------------------------------------------------------------------------------------


def read(given: Mapping[str, str], start: datetime | None, end: datetime | None, world: World) -> Query:
    """The question of some parameters (names in lower case, the filter as `filter`); raises AzureError.

    The span is the last hour unless it is told.
    """
    if given.get("metricnamespace", NAMESPACE).lower() != NAMESPACE:
        raise errors.NO_METRIC(names=given["metricnamespace"], valid=_valid())
    end = end or world.now()
    start = start or end - timedelta(hours=1)
    if start >= end:
        raise errors.BAD_TIME_SPAN(start=stamp(start), end=stamp(end))
    asked = _metrics(given.get("metricnames", ""))
    lenient = given.get("validatedimensions", "").lower() == "false"
    terms = tuple(_terms(given.get("filter", "")))
    rolled_up = frozenset(name.strip().lower() for name in given.get("rollupby", "").split(",") if name.strip())
    if not lenient:
        _require_dimensions(asked, [*(t.dimension for t in terms), *sorted(rolled_up)])
    grain = _grain(given.get("interval", "") or "PT1M", given.get("autoadjusttimegrain", "").lower() == "true")
    most = world.switches.metrics_points
    if grain is not None and most and (end - start) / grain > most:
        raise errors.TOO_MANY_POINTS(interval=duration(grain), most=int(most))
    return Query(
        metrics=asked,
        start=start,
        end=end,
        grain=grain,
        aggregations=_aggregations(given.get("aggregation", "")),
        terms=terms,
        rolled_up=rolled_up,
        top=_top(given.get("top")),
        order=_order(given.get("orderby", "")),
        metadata=given.get("resulttype", "").lower() == "metadata",
    )


def moment(text: str) -> datetime:
    """A moment as queries write it; without a zone it is in UTC. Raises AzureError."""
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise errors.BAD_MOMENT(given=text) from error


def duration(length: timedelta) -> str:
    """A length of time as ISO 8601 writes it, by the minute: PT1H, P1D, P1DT6H."""
    minutes = int(length.total_seconds() // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if not days and not time:
        return f"PT{int(length.total_seconds())}S"
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")


def stamp(at: datetime) -> str:
    """A moment as answers write it: by the second, unless it is between two."""
    return f"{at:%Y-%m-%dT%H:%M:%S}{f'.{at.microsecond // 1000:03}' if at.microsecond else ''}Z"


def _valid() -> str:
    return ",".join(metric.name for metric in METRICS)


def _metrics(names: str) -> tuple[Metric, ...]:
    known = {metric.name.lower(): metric for metric in METRICS}
    asked = [name.strip() for name in names.split(",") if name.strip()]
    strange = [name for name in asked if name.lower() not in known]
    if strange:
        raise errors.NO_METRIC(names=",".join(strange), valid=_valid())
    return tuple(dict.fromkeys(known[name.lower()] for name in asked)) if asked else METRICS


def _terms(text: str) -> Iterable[Term]:
    """The terms of a filter: `or` between values of one dimension, `and` between dimensions."""
    if not text.strip():
        return
    at, found, link = 0, dict[str, set[str]](), "and"
    last = ""
    depth = 0
    while True:
        term = _TERM.match(text, at)
        if term is None:
            raise errors.BAD_METRICS_FILTER(filter=text)
        name = term["name"].lower()
        if (link == "or" and name != last) or (link == "and" and name in found):
            raise errors.BAD_METRICS_FILTER(filter=text)
        found.setdefault(name, set()).add(term["value"].replace("''", "'").lower())
        last, at = name, term.end()
        depth += bool(term["open"]) - bool(term["close"])
        word = _LINK.match(text, at)
        if word is None:
            break
        link, at = word["word"].lower(), word.end()
        if depth not in {0, 1} or (depth == 1 and link == "and"):
            raise errors.BAD_METRICS_FILTER(filter=text)
    if depth or text[at:].strip():
        raise errors.BAD_METRICS_FILTER(filter=text)
    for name, values in found.items():
        yield Term(name, None if "*" in values else frozenset(values))


def _require_dimensions(asked: tuple[Metric, ...], names: list[str]) -> None:
    for metric in asked:
        strange = [name for name in names if name not in {d.lower() for d in metric.dimensions}]
        if strange:
            raise errors.NO_DIMENSION(
                metric=metric.name,
                names=",".join(strange),
                known=",".join(metric.dimensions),
                trace=ids.new_guid().replace("-", ""),
            )


def _grain(text: str, adjust: bool) -> timedelta | None:
    if text.upper() == "FULL":
        return None
    match = _DURATION.fullmatch(text)
    length = timedelta(**{k: int(v) for k, v in match.groupdict().items() if v}) if match else timedelta(0)
    if length in GRAINS:
        return length
    if adjust and length:
        return min(GRAINS, key=lambda grain: abs(grain - length))
    known = ",".join("1.00:00:00" if g == timedelta(days=1) else f"0{g}"[-8:] for g in GRAINS)
    raise errors.BAD_GRAIN(interval=text, known=known)


def _aggregations(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    strange = [name for name in found if name not in _KNOWN]
    if strange:
        raise errors.BAD_AGGREGATION(names=",".join(strange), known=",".join(AGGREGATIONS))
    return found


def _top(text: str | None) -> int:
    if text is None:
        return USUAL_TOP
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= MOST_TOP:
        raise errors.BAD_SERIES_TOP(value=text)
    return int(text)


def _order(text: str) -> tuple[str, bool] | None:
    if not text.strip():
        return None
    match = _ORDER.fullmatch(text.strip())
    what = match["what"].lower().replace("sum", "total") if match else ""
    if match is None or what not in _KNOWN:
        raise errors.BAD_ORDER(order=text)
    return what, (match["way"] or "asc").lower() == "desc"


# --- answering -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Line:
    """A series of an answer: by point, what its values come to."""

    labels: tuple[str, ...]
    points: dict[int, Spread] = field(default_factory=dict)

    def value(self, aggregation: str) -> float:
        """One value for the whole, to sort by."""
        whole = NONE
        for point in self.points.values():
            whole = metrics.together(whole, point)
        return _aggregated(whole)[aggregation]


def _aggregated(spread: Spread) -> dict[str, float]:
    """What a point may be asked for as."""
    count, total, least, most = spread
    return {
        "total": float(total), "average": total / (count or 1), "count": float(count),
        "minimum": float(least), "maximum": float(most),
    }  # fmt: skip


class Reader:
    """Answers one question, for one resource after another."""

    def __init__(self, world: World, query: Query) -> None:
        """Fix what the answer has in common for all resources."""
        self._world, self._query = world, query
        self._first = max(int(query.start.timestamp()) // 60, metrics.first_minute(world))
        self._last = min(int(-(-query.end.timestamp() // 60)) - 1, metrics.last_minute(world))
        self._start = int(query.start.timestamp()) // 60
        self._step = int((query.grain or timedelta(days=1)).total_seconds()) // 60 if query.grain else 0
        self._empties: dict[tuple[str, ...], tuple[bytes, list[int]]] = {}

    def values(self, resource: str, region: str) -> list[Json]:
        """What each metric of the question says of a resource."""
        held = self._world.measured.of(ids.key(resource))
        return [self._metric(resource, region, metric, held) for metric in self._query.metrics]

    def _metric(self, resource: str, region: str, metric: Metric, held: list[Series]) -> Json:
        said: Json = {
            "id": f"{resource}/providers/Microsoft.Insights/metrics/{metric.name}",
            "type": "Microsoft.Insights/metrics",
            "name": {"value": metric.name, "localizedValue": metric.display},
            "displayDescription": metric.about,
            "unit": metric.unit,
        }
        known = [name.lower() for name in metric.aggregations]
        asked = self._query.aggregations or (known[0],)
        lacking = [name for name in asked if name not in known]
        if lacking:
            text = f"Sampling type is not found. Metric:{metric.name}, SamplingType:{lacking[0].capitalize()}."
            return said | {"timeseries": [], "errorCode": "InvalidSamplingType", "errorMessage": text}
        names = self._query.split(metric)
        return said | {
            "timeseries": [self._written(line, names, asked) for line in self._lines(metric, region, held, names)],
            "errorCode": "Success",
        }

    def _lines(self, metric: Metric, region: str, held: list[Series], names: tuple[str, ...]) -> list[_Line]:
        known = {name.lower() for name in metric.dimensions}
        terms = [t for t in self._query.terms if t.dimension in known and t.values is not None]
        found: dict[tuple[str, ...], _Line] = {}
        for series in held:
            values = metrics.dimensions(series, region)
            if not all(t.values is None or values[t.dimension].lower() in t.values for t in terms):
                continue
            labels = tuple(values[name] for name in names)
            line = found.get(labels) or _Line(labels)
            self._count(series, metric, line.points)
            if line.points:
                found[labels] = line
        lines = sorted(found.values(), key=lambda line: line.labels)
        if self._query.order is not None:
            what, largest = self._query.order
            lines.sort(key=lambda line: line.value(what), reverse=largest)
        return lines[: self._query.top] if self._query.terms else lines

    def _count(self, series: Series, metric: Metric, points: dict[int, Spread]) -> None:
        first, last, start, step = self._first, self._last, self._start, self._step
        for minute, spread in _spreads(series, metric):
            if first <= minute <= last:
                at = (minute - start) // step if step else 0
                points[at] = metrics.together(points[at], spread) if at in points else spread

    def _written(self, line: _Line, names: tuple[str, ...], asked: tuple[str, ...]) -> Json:
        labels = zip(names, line.labels, strict=True)
        said: Json = {
            "metadatavalues": [{"name": {"value": n, "localizedValue": n}, "value": value} for n, value in labels]
        }
        if self._query.metadata:
            return said
        return said | {"data": msgspec.Raw(self._points(line, asked))}

    def _points(self, line: _Line, asked: tuple[str, ...]) -> bytes:
        """The points of a series as JSON: what lies between those with calls is cut from a series that has none."""
        empty, begins = self._empty(asked)
        parts, done = [b"["], 0
        for at, spread in sorted(line.points.items()):
            known = _aggregated(spread)
            told = "".join(f',"{a}":{known[a]!r}' for a in asked)
            parts += [empty[begins[done] : begins[at]], f'{{"timeStamp":"{self._stamps[at]}"{told}}},'.encode()]
            done = at + 1
        parts.append(empty[begins[done] :])
        return b"".join(parts)[:-1] + b"]"

    @cached_property
    def _stamps(self) -> list[str]:
        """When each point begins. The first begins with the span, by the minute; none is in the future."""
        begin = datetime.fromtimestamp(self._start * 60, UTC)
        if not self._step:
            return [stamp(begin)]
        end = min(self._query.end, self._world.now())
        number = max(-(-(end - begin) // timedelta(minutes=self._step)), 0)
        return [stamp(begin + timedelta(minutes=self._step * n)) for n in range(number)]

    def _empty(self, asked: tuple[str, ...]) -> tuple[bytes, list[int]]:
        """The points of a series without calls, each with a comma behind it, and where each begins."""
        if asked not in self._empties:
            self._empties[asked] = self._emptied(asked)
        return self._empties[asked]

    def _emptied(self, asked: tuple[str, ...]) -> tuple[bytes, list[int]]:
        """What has not arrived yet has no value, and neither has the mean, the least or the greatest of nothing."""
        zeros = "".join(f',"{a}":0.0' for a in asked if a in {"total", "count"})
        tell = zeros if self._world.switches.metrics_gaps == "zero" else ""
        step = self._step or 1
        points = [
            f'{{"timeStamp":"{at}"{tell if self._start + n * step <= self._last else ""}}},'
            for n, at in enumerate(self._stamps)
        ]
        return "".join(points).encode(), [0, *accumulate(map(len, points))]


def _spreads(series: Series, metric: Metric) -> Iterator[tuple[int, Spread]]:
    """What a series has of a metric, by the minute. The least and the greatest of what is counted are never told."""
    match metric.counted:
        case "available" | "response" | "last byte" as what:
            yield from series.spreads(what)
        case "calls":
            yield from ((minute, (calls, calls, 0.0, 0.0)) for minute, calls, _, _ in series.minutes())
        case counted:
            for minute, calls, prompt, generated in series.minutes():
                value = (prompt if counted != "generated" else 0) + (generated if counted != "prompt" else 0)
                if value:
                    yield minute, (calls, value, 0.0, 0.0)
