"""What a clean-up looks at, and what it comes to, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from infra.ports.arm import DeploymentView
from infra.ports.files import FileView
from infra.ports.finetuning import CheckpointView, JobView, ModelView

Kind = Literal["deployment", "model", "file", "job"]
ORDER: tuple[Kind, ...] = ("deployment", "model", "file", "job")
"""What goes before what."""
Do = Literal["delete", "click", "wait", "keep"]
"""delete: by this command; click: by a person, for Azure has no call; wait: for what must go before; keep: stays."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A training that was begun in this folder, and that nobody has followed to its end: it keeps what it names."""

    file: str
    """Where that is written, as messages name it."""
    training: str
    account: str
    """Id in Azure."""
    job: str
    """Empty before one was asked for."""
    has_yaml: bool
    """Whether stacks/training still has it."""


@dataclass(frozen=True, slots=True)
class References:
    """What refers to models, jobs, files and deployments, in words; keys in lower case."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Name of a model or checkpoint, id of a job, file or deployment → who refers to it."""
    file_names: Mapping[str, str] = field(default_factory=dict)
    """File name in Azure → the training that is about to use it."""
    unfinished: Sequence[Unfinished] = ()

    def to(self, *names: str | None) -> str:
        """Who refers to one of these; empty if nobody does."""
        return next((self.names[name.lower()] for name in names if name and name.lower() in self.names), "")


@dataclass(frozen=True, slots=True)
class Found:
    """A deployment of the account, with what is known of its use."""

    view: DeploymentView
    last_use: datetime | None = None
    """Within the hour from here was the last call that was not our ping; None without any."""
    use_known: bool = True
    under_way: bool = False
    """A command of this folder evaluates by it now."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What stands in an account that trains."""

    account: str
    """Its name."""
    id: str
    now: datetime
    deployments: Sequence[Found]
    models: Sequence[ModelView]
    """The tuned ones."""
    files: Sequence[FileView]
    jobs: Sequence[JobView]
    checkpoints: Mapping[str, Sequence[CheckpointView]]
    """By job, of those that made a model or were paused."""
    elsewhere: Mapping[str, str]
    """Model in lower case → a deployment of it in another account."""
    unread: Sequence[str] = ()
    """Subscriptions and accounts that could not be searched, each with the reason."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing, and what becomes of it."""

    kind: Kind
    account: str
    id: str
    """As the call takes it: the name of a deployment or model, the id of a file or job."""
    title: str
    do: Do
    why: str
    since: datetime | None = None
    """Since when it has been unused, as far as that is known."""
    saves: str = ""
    behind: str = ""
    """The id of what must go before it, where it waits."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What a training that is not followed to its end keeps things for, as the service sees it now."""

    file: str
    training: str
    job: str
    status: str
    """The job's; empty without one."""
    says: str
    """How it stands."""
    do: str
    """The next move."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a clean-up of one account comes to, in the order in which it goes."""

    account: str
    now: datetime
    items: Sequence[Item]
    unread: Sequence[str]
    pending: Sequence[Pending] = ()

    def that(self, *do: Do) -> list[Item]:
        """The items of these kinds of doing."""
        return [item for item in self.items if item.do in do]
