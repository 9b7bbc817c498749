"""The Pulumi program: one stack's account, roles and deployments. `pulumi up` runs it, without hearth's command."""

from infra.program import main

main()
