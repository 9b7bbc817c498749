"""The wish: what the files in stacks/ say, read once into frozen types, every mistake at once."""

from infra.spec.limits import Limits
from infra.spec.load import check_project, load_record, load_stack
from infra.spec.model import (
    Access,
    Account,
    DeploymentWish,
    KeepAlive,
    ModelRecord,
    Overrides,
    Retire,
    Sku,
    Source,
    Stack,
)
from infra.spec.project import Project, open_project
from infra.spec.rollout import Rollout
from infra.spec.rules import is_stack_name
from infra.spec.waves import check_rollout, has_rollout, load_rollout, names_in_rollout

__all__ = [
    "Access",
    "Account",
    "DeploymentWish",
    "KeepAlive",
    "Limits",
    "ModelRecord",
    "Overrides",
    "Project",
    "Retire",
    "Rollout",
    "Sku",
    "Source",
    "Stack",
    "check_project",
    "check_rollout",
    "has_rollout",
    "is_stack_name",
    "load_record",
    "load_rollout",
    "load_stack",
    "names_in_rollout",
    "open_project",
]
