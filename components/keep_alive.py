"""The job that watches over Azure's idle rule, with its own identity, its logs and its alarms."""

# No `from __future__ import annotations` here: Pulumi infers the package's schema from the real annotations.

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import app, authorization, managedidentity, monitor, operationalinsights

from components import naming, questions

TYPE = "hearth:index:KeepAliveJob"
CONTAINER = "tend"
WATCH_LIST = "HEARTH_WATCH_LIST"
"""Variable of the job that holds the watch list."""
LONGEST = 128 * 1024 - len(WATCH_LIST) - 2
"""Bytes of a watch list at most: Linux takes no string of a process's environment above 128 KiB, its name and its end
counted (MAX_ARG_STRLEN, execve(2)). Container Apps names no limit of its own for a secret."""

# Built-in roles (Azure's page of built-in roles for AI and machine learning, for containers and for monitoring, 2026).
CALLS = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"  # Cognitive Services OpenAI User: call, and read what stands there
WRITES = "a001fd3d-188f-4b5d-821b-7da978bf7442"  # Cognitive Services OpenAI Contributor: the least that writes, deletes
READS = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"  # Monitoring Reader: metrics and the activity log
PULLS = "7f951dda-4ed3-4680-a7cd-43fe172d538d"  # AcrPull


class AlarmsArgs(TypedDict):
    """Who hears of it when a deadline comes near, or when the job itself has gone quiet."""

    emails: NotRequired[list[str]]
    """Mail addresses."""
    webhooks: NotRequired[list[str]]
    """Addresses that are sent Azure's common alert schema."""
    days_left: NotRequired[float]
    """Days before a deadline from which it is an alarm; 2 by default."""


class RegistryArgs(TypedDict):
    """A private Azure container registry that the image comes from."""

    registry_id: str
    """Its id in Azure: the job's identity gets AcrPull there."""
    server: pulumi.Input[str]
    """Its login server: contoso.azurecr.io."""


class KeepAliveJobArgs(TypedDict):
    """A job that runs `hearth tend` over a watch list."""

    subscription_id: str
    """Subscription of the job and all that belongs to it; the provider must be set to the same one."""
    resource_group_name: pulumi.Input[str]
    """Their resource group."""
    location: pulumi.Input[str]
    """Their region, by name: swedencentral."""
    job_name: str
    """Name of the job and of what belongs to it: up to 31 lower-case letters, digits and '-'."""
    image: pulumi.Input[str]
    """The container image; `hearth` must be on its PATH."""
    watch_list: pulumi.Input[str]
    """What to watch, as JSON (infra/keepalive/watch-list.json is its schema), up to 128 KiB."""
    accounts: list[str]
    """Ids in Azure of the accounts that the list names; known before the accounts exist."""
    schedule: NotRequired[pulumi.Input[str]]
    """When it runs: five fields of cron, in UTC, at least once a day. Default: 17 5 * * *."""
    scope: NotRequired[str]
    """account (default): metrics are read account by account, with a role at each; subscription: in batches of up to
    fifty accounts, with a role at the subscription."""
    revive: NotRequired[bool]
    """It may put deployments back (default: false): it then writes them, and reads the subscription's activity log."""
    retire: NotRequired[bool]
    """It may delete deployments that nobody uses, as their `retire` says (default: false)."""
    environment: NotRequired[dict[str, pulumi.Input[str]]]
    """Further variables, such as those that name another cloud than public Azure."""
    registry: NotRequired[RegistryArgs]
    """Where the image comes from, if it is not public."""
    alarms: NotRequired[AlarmsArgs]
    """Who is told; without it the alert rules are there and tell nobody."""
    tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Tags of everything."""


class KeepAliveJob(pulumi.ComponentResource):
    """A scheduled Container Apps job that tends the deployments of a watch list, under an identity of its own.

    The identity holds at each account Cognitive Services OpenAI User, or, to revive or retire, Cognitive Services
    OpenAI Contributor: the least of Azure's built-in roles that writes and deletes deployments (a custom role would
    need rights over role definitions). Monitoring Reader it holds at each account; at the subscription to read in
    batches or to revive. It deliberately does not manage roles at a model's source (they belong to the source's own
    stack: grant `principal_id` one there), the image, or a network of its own.
    """

    job_id: pulumi.Output[str]
    """The job's id in Azure."""
    principal_id: pulumi.Output[str]
    """Object id of its identity."""
    client_id: pulumi.Output[str]
    """Client id of its identity."""
    workspace_id: pulumi.Output[str]
    """Id in Azure of the Log Analytics workspace that its logs go to."""

    def __init__(
        self,
        name: str,
        args: KeepAliveJobArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        part_options: Mapping[str, pulumi.ResourceOptions] | None = None,
    ) -> None:
        """Declare it; `part_options` are merged into those of the parts by their names, which `part_ids` tells.

        Raises ValueError for a scope that is none.
        """
        super().__init__(TYPE, name, None, opts)
        self._name, self._args, self._extra = name, args, part_options or {}
        self.resources: dict[str, pulumi.CustomResource] = {}
        self.identity = self._identity()
        grants = [self._grant(part, *grant) for part, grant in _grants(args).items()]
        self.workspace = self._workspace()
        self.environment = self._environment()
        self.job = self._job(grants)
        group = self._action_group()
        self._rules([group.id] if group is not None else [])
        self.job_id, self.workspace_id = self.job.id, self.workspace.id
        self.principal_id, self.client_id = self.identity.principal_id, self.identity.client_id
        self.register_outputs(
            {
                "jobId": self.job_id,
                "principalId": self.principal_id,
                "clientId": self.client_id,
                "workspaceId": self.workspace_id,
            }
        )

    def _options(self, part: str, **more: object) -> pulumi.ResourceOptions:
        own = pulumi.ResourceOptions(parent=self, **more)  # type: ignore[arg-type]
        return pulumi.ResourceOptions.merge(own, self._extra.get(part))

    # --- who it is, and what it may do -----------------------------------------------------------------------------

    def _identity(self) -> managedidentity.UserAssignedIdentity:
        made = managedidentity.UserAssignedIdentity(
            self._name,
            resource_name_=self._args["job_name"],
            resource_group_name=self._args["resource_group_name"],
            location=self._args["location"],
            tags=self._args.get("tags"),
            opts=self._options("identity"),
        )
        self.resources["identity"] = made
        return made

    def _grant(self, part: str, scope: str, role: str) -> authorization.RoleAssignment:
        """A role of the identity, under a name that is known before the identity is.

        An identity that is made anew has another object id under the same name, which Azure refuses to change: the
        old assignment must go first.
        """
        made = authorization.RoleAssignment(
            f"{self._name}-{part}",
            scope=scope,
            role_assignment_name=naming.role_assignment_name(scope, role, _identity_id(self._args)),
            role_definition_id=naming.role_definition_id(naming.subscription_of(scope), role),
            principal_id=self.identity.principal_id,
            principal_type="ServicePrincipal",
            # As in ModelAccess: an imported assignment's scope may lack its first slash (pulumi-azure-native#4818).
            opts=self._options(part, ignore_changes=["scope"], delete_before_replace=True),
        )
        self.resources[part] = made
        return made

    # --- where it runs ---------------------------------------------------------------------------------------------

    def _workspace(self) -> operationalinsights.Workspace:
        made = operationalinsights.Workspace(
            self._name,
            workspace_name=self._args["job_name"],
            resource_group_name=self._args["resource_group_name"],
            location=self._args["location"],
            sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
            retention_in_days=30,
            tags=self._args.get("tags"),
            opts=self._options("workspace"),
        )
        self.resources["workspace"] = made
        return made

    def _environment(self) -> app.ManagedEnvironment:
        """The environment, its logs sent by a diagnostic setting: so no key of the workspace is in the state."""
        made = app.ManagedEnvironment(
            self._name,
            environment_name=self._args["job_name"],
            resource_group_name=self._args["resource_group_name"],
            location=self._args["location"],
            app_logs_configuration=app.AppLogsConfigurationArgs(destination="azure-monitor"),
            tags=self._args.get("tags"),
            opts=self._options("environment"),
        )
        self.resources["environment"] = made
        self.resources["logs"] = monitor.DiagnosticSetting(
            self._name,
            name=self._args["job_name"],
            resource_uri=made.id,
            workspace_id=self.workspace.id,
            log_analytics_destination_type="Dedicated",
            logs=[
                monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True)
                for category in ("ContainerAppConsoleLogs", "ContainerAppSystemLogs")
            ],
            opts=self._options("logs"),
        )
        return made

    def _job(self, grants: list[authorization.RoleAssignment]) -> app.Job:
        args, identity = self._args, self.identity
        registry = args.get("registry")
        made = app.Job(
            self._name,
            job_name=args["job_name"],
            resource_group_name=args["resource_group_name"],
            location=args["location"],
            environment_id=self.environment.id,
            identity=app.ManagedServiceIdentityArgs(type="UserAssigned", user_assigned_identities=[identity.id]),
            configuration=app.JobConfigurationArgs(
                trigger_type="Schedule",
                schedule_trigger_config=app.JobConfigurationScheduleTriggerConfigArgs(
                    cron_expression=args.get("schedule", "17 5 * * *"), parallelism=1, replica_completion_count=1
                ),
                replica_timeout=1800,
                replica_retry_limit=0,  # a run that found something amiss would find it again
                secrets=[app.SecretArgs(name="watch-list", value=_watch_list(args["watch_list"]))],
                registries=[app.RegistryCredentialsArgs(server=registry["server"], identity=identity.id)]
                if registry
                else None,
            ),
            template=app.JobTemplateArgs(containers=[self._container()]),
            tags=args.get("tags"),
            opts=self._options("job", depends_on=grants),
        )
        self.resources["job"] = made
        return made

    def _container(self) -> app.ContainerArgs:
        variables: dict[str, pulumi.Input[str]] = {
            "AZURE_CLIENT_ID": self.identity.client_id,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",  # ask for no other login first
            **self._args.get("environment", {}),
        }
        return app.ContainerArgs(
            name=CONTAINER,
            image=self._args["image"],
            command=["hearth"],
            args=[
                "tend",
                "--watch-list",
                f"env:{WATCH_LIST}",
                "--json",
                *(["--yes"] if self._args.get("retire", False) else []),
            ],
            env=[
                *(app.EnvironmentVarArgs(name=key, value=value) for key, value in variables.items()),
                app.EnvironmentVarArgs(name=WATCH_LIST, secret_ref="watch-list"),  # noqa: S106 - its name, no value
            ],
            # The least that Container Apps gives; a thousand deployments take some 120 MB.
            resources=app.ContainerResourcesArgs(cpu=0.25, memory="0.5Gi"),
        )

    # --- who is told -----------------------------------------------------------------------------------------------

    def _action_group(self) -> monitor.ActionGroup | None:
        alarms = self._args.get("alarms", {})
        emails, webhooks = alarms.get("emails", []), alarms.get("webhooks", [])
        if not emails and not webhooks:
            return None
        made = monitor.ActionGroup(
            self._name,
            action_group_name=self._args["job_name"],
            resource_group_name=self._args["resource_group_name"],
            location="Global",
            group_short_name="hearth",
            enabled=True,
            email_receivers=[
                monitor.MicrosoftCommonEmailReceiverArgs(
                    name=f"mail-{at}", email_address=address, use_common_alert_schema=True
                )
                for at, address in enumerate(emails)
            ],
            webhook_receivers=[
                monitor.WebhookReceiverArgs(
                    name=f"webhook-{at}", service_uri=pulumi.Output.secret(address), use_common_alert_schema=True
                )
                for at, address in enumerate(webhooks)
            ],
            tags=self._args.get("tags"),
            opts=self._options("actions"),
        )
        self.resources["actions"] = made
        return made

    def _rules(self, groups: list[pulumi.Output[str]]) -> None:
        days = self._args.get("alarms", {}).get("days_left", 2)
        job = self._args["job_name"]
        self._rule("deadline", f"A deadline in less than {days:g} days", questions.near_deadline(job, days), groups, 1)
        self._rule("silent", "hearth tend has not run for a day", questions.silent(job), groups, 1)

    def _rule(self, part: str, title: str, query: str, groups: list[pulumi.Output[str]], severity: int) -> None:
        """A rule that looks once an hour whether a question to the logs has an answer."""
        self.resources[part] = monitor.ScheduledQueryRule(
            f"{self._name}-{part}",
            rule_name=f"{self._args['job_name']}-{part}",
            resource_group_name=self._args["resource_group_name"],
            location=self._args["location"],
            kind="LogAlert",
            display_name=title,
            description=f"{title}: see the logs of the job {self._args['job_name']}",
            enabled=True,
            severity=severity,
            scopes=[self.workspace.id],
            evaluation_frequency="PT1H",
            window_size="P1D",
            override_query_time_range="P2D",
            skip_query_validation=True,  # the table comes with the first line of the log
            auto_mitigate=True,
            criteria=monitor.ScheduledQueryRuleCriteriaArgs(
                all_of=[
                    monitor.ConditionArgs(
                        query=query,
                        time_aggregation="Count",
                        operator="GreaterThan",
                        threshold=0,
                        failing_periods=monitor.ConditionFailingPeriodsArgs(
                            min_failing_periods_to_alert=1, number_of_evaluation_periods=1
                        ),
                    )
                ]
            ),
            actions=monitor.ActionsArgs(action_groups=groups) if groups else None,
            tags=self._args.get("tags"),
            opts=self._options(part),
        )


def part_ids(args: KeepAliveJobArgs, resource_group: str) -> dict[str, str]:
    """The ids in Azure of all parts, by their names; known before they exist, so that a later run can find them."""
    job = args["job_name"]
    group = f"{naming.resource_group_id(args['subscription_id'], resource_group)}/providers"
    environment = f"{group}/Microsoft.App/managedEnvironments/{job}"
    identity = f"{group}/Microsoft.ManagedIdentity/userAssignedIdentities/{job}"
    alarms = args.get("alarms", {})
    told = {"actions": f"{group}/Microsoft.Insights/actionGroups/{job}"}
    return {
        "identity": identity,
        "workspace": f"{group}/Microsoft.OperationalInsights/workspaces/{job}",
        "environment": environment,
        "logs": f"{environment}/providers/Microsoft.Insights/diagnosticSettings/{job}",
        "job": f"{group}/Microsoft.App/jobs/{job}",
        **(told if alarms.get("emails") or alarms.get("webhooks") else {}),
        **{part: f"{group}/Microsoft.Insights/scheduledQueryRules/{job}-{part}" for part in ("deadline", "silent")},
        **{
            part: naming.role_assignment_id(scope, naming.role_assignment_name(scope, role, _identity_id(args)))
            for part, (scope, role) in _grants(args).items()
        },
    }


def _identity_id(args: KeepAliveJobArgs) -> str:
    """What the names of its grants follow from: whose they are, whatever its object id will be."""
    return f"{args['subscription_id']}/{args['job_name']}"


def _grants(args: KeepAliveJobArgs) -> dict[str, tuple[str, str]]:
    """Scope and role of each grant, by the name of the part: these and no others."""
    scope, revive = args.get("scope", "account"), args.get("revive", False)
    if scope not in {"account", "subscription"}:
        raise ValueError(f"scope must be account or subscription, not {scope}")
    writes = revive or args.get("retire", False)
    accounts = sorted(set(args["accounts"]), key=str.lower)
    found = {_part("write" if writes else "call", one): (one, WRITES if writes else CALLS) for one in accounts}
    whole = [f"/subscriptions/{one}" for one in sorted({naming.subscription_of(one) for one in accounts})]
    readable = whole if revive or scope == "subscription" else accounts
    found |= {_part("read", one): (one, READS) for one in readable}
    registry = args.get("registry")
    return found | ({"pull": (registry["registry_id"], PULLS)} if registry else {})


def _part(verb: str, scope: str) -> str:
    return f"{verb}-{scope.rsplit('/', 1)[-1]}"


def _watch_list(given: pulumi.Input[str]) -> pulumi.Output[str]:
    """The list, secret (it may hold a webhook's address), or the refusal of one that no process can be given."""

    def require_short(text: str) -> str:
        size = len(text.encode())
        if size > LONGEST:
            raise ValueError(
                f"the watch list is {size:,} bytes long and a job's environment takes {LONGEST:,}; declare a second job"
            )
        return text

    return pulumi.Output.secret(given).apply(require_short)
