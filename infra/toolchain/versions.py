"""The versions that belong together. pyproject.toml pins the two packages of the same numbers."""

PULUMI = "3.259.0"
"""The CLI that is built here, and the oldest one on PATH that will do."""

AZURE_NATIVE = "3.29.0"
"""What the Python SDK asks for; the engine takes a plugin only of exactly this version."""
