"""The wish: what the files in stacks/ say, read once into frozen types, every mistake at once."""

from infra.spec.limits import Limits
from infra.spec.load import check_project, load_record, load_stack
from infra.spec.model import Access, Account, DeploymentWish, KeepAlive, ModelRecord, Sku, Source, Stack
from infra.spec.project import Project, open_project

__all__ = [
    "Access",
    "Account",
    "DeploymentWish",
    "KeepAlive",
    "Limits",
    "ModelRecord",
    "Project",
    "Sku",
    "Source",
    "Stack",
    "check_project",
    "load_record",
    "load_stack",
    "open_project",
]
