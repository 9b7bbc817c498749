"""The doctor: is everything there that an `up` needs? Machine, cloud, login, roles, models; it changes nothing."""

from infra.doctor.checks import Patient, checks
from infra.doctor.examine import Check, examine
from infra.doctor.findings import Finding, State, exit_code
from infra.doctor.tools import Engine, Plugin, Tools

__all__ = ["Check", "Engine", "Finding", "Patient", "Plugin", "State", "Tools", "checks", "examine", "exit_code"]
