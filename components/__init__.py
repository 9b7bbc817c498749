"""What stands in Azure: components with typed arguments and outputs. No I/O, no configuration, no clock.

They work in any Pulumi program; from other languages as the source-based package `./components`.
"""

from typing import TYPE_CHECKING, Any

from components.access import GrantArgs, ModelAccess, ModelAccessArgs
from components.account import OpenAIAccount, OpenAIAccountArgs
from components.deployment import FineTunedDeployment, FineTunedDeploymentArgs, TunedModelArgs

if TYPE_CHECKING:
    from components.keep_alive import AlarmsArgs, KeepAliveJob, KeepAliveJobArgs, RegistryArgs

_OF_THE_JOB = {"AlarmsArgs", "KeepAliveJob", "KeepAliveJobArgs", "RegistryArgs"}

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


def __getattr__(name: str) -> Any:
    """The job's names come when they are asked for: its resources take a quarter of a second to import."""
    if name in _OF_THE_JOB:
        from components import keep_alive

        return getattr(keep_alive, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
