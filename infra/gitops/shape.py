"""A further stack in the shape of one that is there: its text with other values, comments and all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import yaml

from infra.errors import Mistake, SpecError
from infra.spec import Project, check_project, is_stack_name
from infra.spec.documents import write

Path = tuple[str, ...]
_ACCOUNT, _LOCATION, _SUBSCRIPTION = "hearth:account", "azure-native:location", "azure-native:subscriptionId"
_GROUP = ("config", _ACCOUNT, "resourceGroup")
_SALTS = ("encryptionsalt", "encryptedkey", "secretsprovider")
"""Keys of a stack file that belong to one stack's secrets."""


def add(
    project: Project,
    name: str,
    like: str,
    *,
    location: str,
    account: str,
    resource_group: str | None = None,
    subscription: str | None = None,
    today: date,
) -> None:
    """Write the file of a new stack; where it is not as it should be, nothing is written.

    Raises SpecError with every mistake: a name that is taken or none, a shape with secrets, what the checks say.
    """
    file = project.stack_file(name)
    mistakes = []
    if not is_stack_name(name):
        mistakes.append(Mistake("hearth stack add", 0, "NAME", "takes up to 100 letters, digits, '-', '_', '.'"))
    elif file.exists():
        mistakes.append(Mistake(project.shown(file), 0, "", "exists already; choose another name"))
    if mistakes:
        raise SpecError(mistakes)
    values = {_LOCATION: location, _SUBSCRIPTION: subscription}
    text = _text(project, like, values, account, resource_group)
    file.write_text(text, "utf-8")
    # Together with the others: an account or a deployment that two stacks declare is a mistake of both.
    _, found = check_project(project, project.stack_names(), today=today)
    wrong = [m for m in found if m.file == project.shown(file)]
    if wrong:
        file.unlink()
        raise SpecError(wrong)


def _text(project: Project, like: str, values: Mapping[str, str | None], account: str, group: str | None) -> str:
    source = project.stack_file(like)
    text = source.read_text("utf-8-sig")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    nodes = dict(_scalars(root, ()))
    mistakes = []
    if any(path[-1] == "secure" for path in nodes):
        mistakes.append("has secrets, which open to its own stack alone; copy the file by hand and set them anew")
    old = nodes.get(("config", _ACCOUNT, "name"))
    if old is None:
        mistakes.append("names no account of its own; copy the file by hand")
    if mistakes or old is None:
        raise SpecError([Mistake(project.shown(source), 0, "", m) for m in mistakes])
    groups = [path for path in nodes if path[:3] == _GROUP and path[3:] in {(), ("name",)}]
    if not groups:
        raise SpecError([Mistake(project.shown(source), 0, _ACCOUNT, "names no resource group; run hearth check")])
    at = groups[0]
    made = group or nodes[at].value.replace(old.value, account)
    if group is None and old.value not in nodes[at].value:
        said = f'cannot be derived from "{made}", which does not hold the account\'s name; name it'
        raise SpecError([Mistake("hearth stack add", 0, "--resource-group", said)])
    changes: dict[Path, str] = {at: made, ("config", _ACCOUNT, "name"): account}
    changes |= {("config", key): value for key, value in values.items() if value}
    subdomain = ("config", _ACCOUNT, "subdomain")
    changes |= {subdomain: account.lower()} if subdomain in nodes else {}
    missing = {path: value for path, value in changes.items() if path not in nodes}
    for path in sorted(changes.keys() & nodes.keys(), key=lambda p: -nodes[p].start_mark.index):
        node = nodes[path]
        text = text[: node.start_mark.index] + _scalar(changes[path]) + text[node.end_mark.index :]
    return _without_salt(_with(text, missing))


def _with(text: str, missing: Mapping[Path, str]) -> str:
    """Keys that the shape takes from the project's defaults stand first below `config:`."""
    for (_, key), value in missing.items():
        text = text.replace("config:\n", f"config:\n  {key}: {_scalar(value)}\n", 1)
    return text


def _scalar(value: str) -> str:
    """A text as it stands in YAML, in quotes where it must."""
    return write([value]).removeprefix("- ").rstrip("\n")


def _without_salt(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_SALTS))


def _scalars(node: yaml.Node | None, path: Path) -> list[tuple[Path, yaml.ScalarNode]]:
    if isinstance(node, yaml.ScalarNode):
        return [(path, node)]
    if not isinstance(node, yaml.MappingNode):
        return []
    return [found for key, value in node.value for found in _scalars(value, (*path, str(key.value)))]
