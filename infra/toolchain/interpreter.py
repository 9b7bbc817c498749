"""Which Python a project is run with, and what is installed in it."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_TOOLCHAINS = ("", "pip")
_LIST_PACKAGES = (
    "import json; from importlib.metadata import distributions as d; "
    "print(json.dumps([[x.name, x.version, x.requires or []] for x in d()]))"
)


class UnknownInterpreter(Exception):
    """The `runtime.options` of Pulumi.yaml name no Python that can be run. One line."""


def interpreter(root: str, options: Mapping[str, str]) -> Path:
    """The Python of the project in `root`, by its runtime options `toolchain` and `virtualenv`.

    Without the option `virtualenv`: the Python that runs this host, which is that of the project's venv.
    """
    toolchain = options.get("toolchain", "")
    if toolchain not in _TOOLCHAINS:
        raise UnknownInterpreter(
            f'Pulumi.yaml: runtime/options/toolchain is "{toolchain}", and the stand-in language host knows only '
            f"pip. Set it to pip, or install the official Pulumi CLI with its own language host."
        )
    named = options.get("virtualenv")
    if not named:
        return Path(sys.executable)
    # Not resolved: the python of a venv is a link, and only by that name it finds the venv's packages.
    python = Path(root, named, "bin", "python")
    if not python.exists():
        raise UnknownInterpreter(
            f'Pulumi.yaml: runtime/options/virtualenv is "{named}", but there is no {python}. Run `make` there.'
        )
    return python


def installed_packages(python: Path, *, transitive: bool) -> list[tuple[str, str]]:
    """Name and version of what is installed; without `transitive` only what no other package requires."""
    packages = _ours() if python == Path(sys.executable) else _theirs(python)
    required: set[str] = set()
    if not transitive:
        required = {_plain(requirement) for _, _, requires in packages for requirement in requires}
    return sorted((name, version) for name, version, _ in packages if _plain(name) not in required)


def python_version(python: Path) -> str:
    """Such as "3.11.9"."""
    if python == Path(sys.executable):
        return "{}.{}.{}".format(*sys.version_info)
    return _ask(python, "import sys; print('{}.{}.{}'.format(*sys.version_info))").strip()


def _ours() -> list[tuple[str, str, list[str]]]:
    from importlib import metadata  # noqa: PLC0415 -- costs more than all else here, for one rare request

    return [(found.name, found.version, found.requires or []) for found in metadata.distributions()]


def _theirs(python: Path) -> list[tuple[str, str, list[str]]]:
    return [(name, version, requires) for name, version, requires in json.loads(_ask(python, _LIST_PACKAGES))]


def _ask(python: Path, program: str) -> str:
    return subprocess.run([python, "-P", "-c", program], capture_output=True, text=True, check=True).stdout


def _plain(requirement: str) -> str:
    """The name in a requirement, as PyPA's rule normalizes names."""
    match = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", match.group()).lower() if match else ""
