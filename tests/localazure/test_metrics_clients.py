"""Azure's own clients of metrics on a local Azure with a port."""

from __future__ import annotations

from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.monitor.querymetrics import MetricAggregationType, MetricsClient

from tests.localazure.clients import Served
from tests.localazure.cloud import OWNER_APP, SECRET, START, TENANT


def client(served: Served, region: str = "swedencentral") -> MetricsClient:
    origin = served.azure.origin
    login = ClientSecretCredential(TENANT, OWNER_APP, SECRET, authority=origin, disable_instance_discovery=True)
    return MetricsClient(f"{origin}/{region}.metrics.monitor.azure.com", login, retry_total=0)


def ask(found: MetricsClient, account: str, **more: object):
    return found.query_resources(
        resource_ids=[account],
        metric_namespace="Microsoft.CognitiveServices/accounts",
        metric_names=["AzureOpenAIRequests"],
        **{
            "timespan": (START - timedelta(hours=2), timedelta(hours=4)),
            "granularity": timedelta(hours=1),
            "aggregations": [MetricAggregationType.TOTAL, MetricAggregationType.AVERAGE],
            "filter": "ModelDeploymentName eq '*' and StatusCode eq '200'",
            "max_results": 100,
            "order_by": "total desc",
            **more,
        },
    )


def test_the_client_reads_what_the_models_were_asked(served):
    served.v1().chat.completions.create(model="bot", messages=[{"role": "user", "content": "hello"}])
    served.azure.advance(minutes=30)
    (result,) = ask(client(served), served.account)
    assert result.granularity == timedelta(hours=1)
    (series,) = result.metrics[0].timeseries
    assert series.metadata_values == {"modeldeploymentname": "bot", "statuscode": "200"}
    assert [(p.timestamp, p.total, p.average) for p in series.data] == [
        (START - timedelta(hours=2), 0, None),
        (START - timedelta(hours=1), 0, None),
        (START, 1, 1),
    ]
    (rolled,) = ask(client(served), served.account, roll_up_by="StatusCode")[0].metrics[0].timeseries
    assert rolled.metadata_values == {"modeldeploymentname": "bot"}


def test_the_client_tells_of_a_refusal(served):
    with pytest.raises(HttpResponseError, match="does not support requested dimension combination: nothing") as refused:
        ask(client(served), served.account, filter="Nothing eq '*'")
    assert refused.value.error.code == "BadRequest"
    with pytest.raises(HttpResponseError, match="is not in the region eastus2"):
        ask(client(served, "eastus2"), served.account)
