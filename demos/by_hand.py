"""What somebody does in the portal: deploy a tuned model in the account that owns it, outside of any stack.

python -m demos.by_hand ACCOUNT-ID DEPLOYMENT MODEL
"""

from __future__ import annotations

import sys

from infra.ports.arm import Arm, DeploymentBody
from infra.ports.cloud import Cloud


def main() -> None:
    """Deploy it."""
    account, name, model = sys.argv[1:]
    body = DeploymentBody(
        model=model, version="1", source=None, in_other_tenant=False, sku="GlobalStandard", capacity=1, rai_policy=None,
        upgrade_option=None, tags={},
    )  # fmt: skip
    Arm(Cloud()).create_deployment(account, name, body, tenant=None)
    print(f"{name} serves {model}")


if __name__ == "__main__":
    main()
