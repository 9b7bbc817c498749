"""Azure on this machine: an honest double, one process, TLS, tokens, roles, a virtual clock.

It knows nothing of the rest of the project; clients reach it as they reach any other cloud. Tests start one inside
their own process with `LocalAzure`; `process` starts, finds and stops one as a process of its own.
"""

from infra.localazure.clock import VirtualClock
from infra.localazure.runner import Subprocess
from infra.localazure.seed import BadSeed, Seed
from infra.localazure.server import LocalAzure, PortTaken
from infra.localazure.switches import Switches

__all__ = ["BadSeed", "LocalAzure", "PortTaken", "Seed", "Subprocess", "Switches", "VirtualClock"]
