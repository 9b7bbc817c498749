"""The one place that writes refusals: Azure's envelope, the models' own, or the login's."""

from __future__ import annotations

from infra.localazure import ids
from infra.localazure.entities import Json
from infra.localazure.errors import AzureError
from infra.localazure.http import storage
from infra.localazure.http.call import Answer, Call


def refusal(call: Call, error: AzureError) -> Answer:
    """The answer that tells of a refusal."""
    if error.kind.shape == "entra":
        return Answer(error.status, _login(call, error), error.headers)
    if error.kind.shape == "identity":
        return Answer(error.status, {"statusCode": error.status, "message": error.message}, error.headers)
    if error.kind.shape == "storage" or call.plane == "blob":
        told = storage.refusal(error.code, error.message)
        headers = {**error.headers, "x-ms-error-code": error.code}
        return Answer(error.status, headers=headers, raw=told, content_type=storage.XML)
    body: Json = {"code": error.code, "message": error.message}
    if error.kind.shape == "openai":
        body |= {
            "code": error.code or None,
            "type": "server_error" if error.status >= 500 else "invalid_request_error",
            "param": error.param,
        }
    body |= error.more
    headers = error.headers | ({"x-ms-error-code": error.code} if call.plane == "metrics" else {})
    return Answer(error.status, {"error": body}, headers)


def code(answer: Answer) -> str:
    """The code of a refusal, for the log; empty for any other answer."""
    if answer.status < 400 or not isinstance(answer.body, dict):
        return answer.headers.get("x-ms-error-code", "") if answer.status >= 400 else ""
    error = answer.body.get("error", answer.body)
    return str(error.get("code") or "") if isinstance(error, dict) else str(error)


def _login(call: Call, error: AzureError) -> Json:
    trace = ids.new_guid()
    at = f"{call.world.clock.real_now():%Y-%m-%d %H:%M:%SZ}"
    number = error.kind.number
    return {
        "error": error.code,
        "error_description": (
            f"AADSTS{number}: {error.message} Trace ID: {trace} Correlation ID: {call.request_id} Timestamp: {at}"
        ),
        "error_codes": [number],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": call.request_id,
        "error_uri": f"{call.world.origin}/error?code={number}",
    }
