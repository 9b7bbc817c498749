"""All that a configured provider has: its settings, its tokens, and what it can do to resources.

Loaded in the background while the engine is still shaking hands: HTTP and TLS take their time.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from infra.toolchain.azure_native.cloud import find_cloud
from infra.toolchain.azure_native.errors import PluginError
from infra.toolchain.azure_native.login import Tokens, login_for
from infra.toolchain.azure_native.operations import Operations
from infra.toolchain.azure_native.resource_manager import ResourceManager
from infra.toolchain.azure_native.settings import Settings, read_settings
from infra.toolchain.azure_native.transport import Transport, load_certificates

load_certificates()


@dataclass(frozen=True, slots=True)
class Session:
    """One provider of a stack, ready to work."""

    settings: Settings
    tokens: Tokens
    operations: Operations
    transport: Transport


def open_session(variables: Mapping[str, str], env: Mapping[str, str], stop: threading.Event) -> Session:
    """Find the cloud and the way to log in. Raises a PluginError when one of them is not as it should be.

    Asks the metadata service only: the first token is fetched when the first resource needs one.
    """
    settings = read_settings(variables, env)
    transport = Transport()
    try:
        cloud = find_cloud(settings, transport, env)
        tokens = Tokens(login_for(settings, cloud, transport), settings.tenant, settings.auxiliary_tenants)
    except PluginError:
        transport.close()
        raise
    manager = ResourceManager(cloud, tokens, transport)
    return Session(settings, tokens, Operations(manager, settings.subscription, settings.location, stop), transport)
