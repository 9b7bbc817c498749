"""Azure Monitor's metrics: of one resource, on the resource manager; of up to fifty, on a region's own host.

The region's host, `<region>.metrics.monitor.azure.com`, is a path here as those of the data plane are. It asks for a
token of its own and a role at the subscription. Alone among the resource manager's answers, what Monitor itself refuses
on the route of one resource has no `error` around it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from infra.localazure import bodies, errors, groups, ids, metrics, metricsquery
from infra.localazure.directory import METRICS_AUDIENCE, bearer
from infra.localazure.entities import Account, Json
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router
from infra.localazure.world import Caller

HOST = ".metrics.monitor.azure.com"
READ = "Microsoft.Insights/metrics/read"
MOST_RESOURCES = 50
BATCH_VERSIONS = ("2023-10-01", "2024-02-01")


class Batch(msgspec.Struct):
    """What a batch is about."""

    resourceids: list[str]


# --- one resource --------------------------------------------------------------------------------------------------


def list_metrics(call: Call) -> Answer:
    """The metrics of an account."""
    account = _account(call)
    try:
        call.app.monitor.admit(account.subscription, "resource")
        given = _given(call)
        start, end = _timespan(given.get("timespan", ""))
        query = metricsquery.read(given, start, end, call.world)
    except errors.AzureError as error:
        return Answer(error.status, {"code": error.code, "message": error.message}, error.headers)
    body: Json = {
        "timespan": f"{metricsquery.stamp(query.start)}/{metricsquery.stamp(query.end)}",
        "value": metricsquery.Reader(call.world, query).values(account.id, account.location),
        "namespace": metricsquery.NAMESPACE,
        "resourceregion": account.location,
    }
    if not query.metadata:
        body |= {"cost": query.cost, "interval": query.interval}
    return Answer(body=body)


def list_definitions(call: Call) -> Answer:
    """The metrics that an account has."""
    account = _account(call)
    return Answer(body={"value": [_definition(account, metric) for metric in metrics.METRICS]})


def _definition(account: Account, metric: metrics.Metric) -> Json:
    return {
        "id": f"{account.id}/providers/microsoft.insights/metricdefinitions/{metric.name}",
        "resourceId": account.id,
        "namespace": ids.ACCOUNTS,
        "category": "Azure OpenAI",
        "name": {"value": metric.name, "localizedValue": metric.display},
        "displayDescription": metric.about,
        "isDimensionRequired": False,
        "unit": metric.unit,
        "primaryAggregationType": metric.aggregations[0],
        "supportedAggregationTypes": list(metric.aggregations),
        "metricAvailabilities": [
            {"timeGrain": metricsquery.duration(grain), "retention": metricsquery.duration(metrics.KEPT)}
            for grain in metricsquery.GRAINS
        ],
        "dimensions": [{"value": name, "localizedValue": name} for name in metric.dimensions],
    }


def _account(call: Call) -> Account:
    """The account that is asked about; other resources have no metrics here."""
    scope = call.params["scope"]
    parts = scope.strip("/").split("/")
    of_account = len(parts) == 8 and "/".join((parts[5], parts[6])).lower() == ids.ACCOUNTS.lower()
    found = call.world.account(ids.key(scope)) if of_account else None
    if found is None:
        raise errors.NO_RESOURCE(
            type="/".join(parts[5:7]) or scope, name=parts[-1], group=parts[3] if len(parts) > 3 else ""
        )
    return found


def _given(call: Call) -> dict[str, str]:
    """The parameters of a question by name in lower case, without the dollar sign."""
    return {name.lower().removeprefix("$"): value for name, value in call.query.items()}


def _timespan(text: str) -> tuple[datetime | None, datetime | None]:
    if not text:
        return None, None
    start, slash, end = text.partition("/")
    if not slash:
        raise errors.BAD_MOMENT(given=text)
    return metricsquery.moment(start), metricsquery.moment(end)


# --- a batch -------------------------------------------------------------------------------------------------------


def is_host(segment: str) -> bool:
    """Whether the first segment of a path names a region's metrics."""
    return segment.lower().endswith(HOST)


def find(call: Call, segments: list[str]) -> Route:
    """The route of a call to a region's host; raises AzureError where there is no such region or path."""
    route, call.params = ROUTER.find(call.method, segments)
    if region_of(call, segments) is None:
        raise errors.NO_SUCH_ROUTE(path=call.path)
    return route


def region_of(call: Call, segments: list[str]) -> str | None:
    """The region whose host is called; None where there is none of that name."""
    return call.world.catalogue.region(segments[0].lower().removesuffix(HOST))


def authenticate(call: Call) -> Caller:
    """Who calls, by a token for metrics of the subscription's tenant; raises AzureError."""
    token = bearer(call.headers.get("authorization"))
    if token is None:
        raise errors.NO_TOKEN({"www-authenticate": f'Bearer authorization_uri="{call.world.origin}/common"'})
    caller = call.app.directory.caller(token, (METRICS_AUDIENCE,))
    tenant = groups.subscription(call.world, call.params["subscription"]).tenant
    if caller.tenant != tenant:
        raise errors.WRONG_TENANT(
            issuer=f"https://sts.windows.net/{caller.tenant}/",
            expected=f"https://sts.windows.net/{tenant}/",
            authority=call.url(f"/{tenant}"),
        )
    return caller


def get_batch(call: Call) -> Answer:
    """The metrics of up to fifty accounts of one subscription and region."""
    subscription = call.params["subscription"].lower()
    call.app.monitor.admit(subscription, "batch")
    given = _given(call)
    if given.get("api-version") not in BATCH_VERSIONS:
        raise errors.BAD_BATCH_VERSION(version=given.get("api-version", ""), known=", ".join(BATCH_VERSIONS))
    for name in ("metricnamespace", "metricnames"):
        if not given.get(name):
            raise errors.NO_METRICS_PARAMETER(name=name)
    region = region_of(call, [call.params["host"]]) or ""
    resources = _resources(call, subscription, region)
    if "endtime" in given and "starttime" not in given:
        raise errors.NO_METRICS_PARAMETER(name="starttime")
    start, end = (metricsquery.moment(given[n]) if n in given else None for n in ("starttime", "endtime"))
    reader = metricsquery.Reader(call.world, query := metricsquery.read(given, start, end, call.world))
    said: Json = {
        "starttime": metricsquery.stamp(query.start),
        "endtime": metricsquery.stamp(query.end),
        "interval": query.interval,
        "namespace": metricsquery.NAMESPACE,
        "resourceregion": region,
    }
    return Answer(
        body={"values": [{**said, "resourceid": id_, "value": reader.values(id_, region)} for id_ in resources]}
    )


def _resources(call: Call, subscription: str, region: str) -> list[str]:
    """The resources of a batch; raises AzureError for too many, and for some that are not of one kind and place."""
    found = bodies.read(call.body, Batch).resourceids
    if not 1 <= len(found) <= MOST_RESOURCES:
        raise errors.BATCH_SIZE(most=MOST_RESOURCES, number=len(found))
    for resource in found:
        parts = resource.strip("/").lower().split("/")
        if len(parts) != 8 or parts[5:7] != ids.ACCOUNTS.lower().split("/"):
            raise errors.NOT_IN_BATCH(resource=resource, fact=f"is not of the type {ids.ACCOUNTS}")
        if ids.subscription_of(resource) != subscription:
            raise errors.NOT_IN_BATCH(resource=resource, fact=f"is not of the subscription {subscription}")
        account = call.world.account(ids.key(resource))
        if account is not None and account.location != region:
            raise errors.NOT_IN_BATCH(resource=resource, fact=f"is not in the region {region}")
        if account is None and call.world.switches.metrics_of_nothing == "refuse":
            raise errors.NO_RESOURCE(type=ids.ACCOUNTS, name=parts[7], group=parts[3])
    return found


ROUTES = [
    Route(
        "POST",
        "/{host}/subscriptions/{subscription}/metrics:getBatch",
        get_batch,
        READ,
        "monitor 2024-02-01",
    ),
]
ROUTER = Router(ROUTES)
