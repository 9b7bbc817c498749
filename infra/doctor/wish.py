"""The check of what is written: every mistake of a stack, and how it fits with the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from infra.doctor.examine import Found
from infra.doctor.findings import State
from infra.errors import Mistake
from infra.spec import Project, Stack, check_project

SECRETS = "it holds secrets, which only a run of Pulumi can read"


@dataclass(frozen=True, slots=True)
class Wish:
    """One stack as it is written; no stack where it cannot be read in full."""

    name: str
    stack: Stack | None
    mistakes: list[Mistake]

    def findings(self) -> list[Found]:
        """What is to be said of it."""
        if self.mistakes:
            return [(State.FAILS, f"{mistake.file}, {mistake}", "hearth check") for mistake in self.mistakes]
        if self.stack is None:
            return [(State.WARNING, SECRETS)]
        own = [text for text in self.stack.warnings if not text.startswith(f"{self.name}/")]
        count = len(self.stack.deployments)
        summary = f"{count} deployment{'s' if count != 1 else ''} in {self.stack.location}"
        return [(State.OK, summary), *((State.WARNING, text.removeprefix(f"{self.name}: ")) for text in own)]


def read(project: Project, names: list[str], today: date) -> tuple[list[Wish], dict[str, str]]:
    """The named stacks, and which stack of the whole project makes which account (by id in lower case)."""
    everybody, everywhere = check_project(project, project.stack_names(), today=today)
    wishes = []
    for name in names:
        found, own = check_project(project, [name], today=today)
        file = project.shown(project.stack_file(name))
        mistakes = sorted({*own, *(mistake for mistake in everywhere if mistake.file == file)})
        wishes.append(Wish(name, found[0] if found else None, mistakes))
    owners = {stack.account_id.lower(): stack.name for stack in everybody if stack.account.manage}
    return wishes, owners
