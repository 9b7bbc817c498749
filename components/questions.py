"""What the alert rules ask the job's logs, in Kusto's language. Pure."""

SILENT_HOURS = 26
"""A daily job is late after a day; two hours more are the logs' own way to the workspace and a slow run."""


def near_deadline(job: str, days: float) -> str:
    """The deployments whose last line tells of a deadline in less than so many days, or of something amiss."""
    return f"""{_lines(job)}
| summarize arg_max(TimeGenerated, row) by id = strcat(tostring(row.stack), "/", tostring(row.deployment))
| extend left = tolong(row.secondsLeft) - tolong((now() - TimeGenerated) / 1s)
| where tostring(row.policy) != "off" and (left < {round(days * 86400)} or tobool(row.ok) == false)
| project id, left, outcome = tostring(row.outcome), reason = tostring(row.reason)"""


def silent(job: str) -> str:
    """One row where no run has written a line for a day; none where one has."""
    return f"""{_lines(job)}
| where TimeGenerated > ago({SILENT_HOURS}h)
| summarize lines = count()
| where lines == 0"""


def _lines(job: str) -> str:
    """A row for each line of JSON of the job. Its replicas are named <job>-<execution>-<suffix>."""
    return f"""ContainerAppConsoleLogs
| where ContainerGroupName startswith "{job}-" and Log startswith "{{"
| extend row = parse_json(Log)
| where isnotempty(tostring(row.outcome))"""
