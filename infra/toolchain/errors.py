"""What can go wrong before Pulumi runs.

    ToolchainError
    ├── NoEngine      no Pulumi here, and no way to get one
    └── BuildFailed   Go is here, but the build did not succeed

Each message is one line: the place, the fact, the next move.
"""


class ToolchainError(Exception):
    """The Pulumi engine cannot be had on this machine."""


class NoEngine(ToolchainError):
    """There is no Pulumi of a fitting version, and nothing to get one with."""


class BuildFailed(ToolchainError):
    """The Go build of the Pulumi CLI ended with an error."""
