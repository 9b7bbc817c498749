"""What stands in Azure: components with typed arguments and outputs. No I/O, no configuration, no clock.

They work in any Pulumi program; from other languages as the source-based package `./components`.
"""

from components.access import GrantArgs, ModelAccess, ModelAccessArgs
from components.account import OpenAIAccount, OpenAIAccountArgs
from components.deployment import FineTunedDeployment, FineTunedDeploymentArgs, TunedModelArgs
from components.keep_alive import AlarmsArgs, KeepAliveJob, KeepAliveJobArgs, RegistryArgs

__all__ = [
    "AlarmsArgs",
    "FineTunedDeployment",
    "FineTunedDeploymentArgs",
    "GrantArgs",
    "KeepAliveJob",
    "KeepAliveJobArgs",
    "ModelAccess",
    "ModelAccessArgs",
    "OpenAIAccount",
    "OpenAIAccountArgs",
    "RegistryArgs",
    "TunedModelArgs",
]
