"""Programs from Debian's packages, unpacked into a cache: nothing is installed on the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def unpacked(package: str) -> Path:
    """The folder with a package and what the machine lacks of its dependencies; fetched on the first call here.

    Skips where there is no apt, and fails instead under CI=true.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    place = (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "hearth" / "debian" / package
    if (place / "whole").exists():
        return place
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        reason = f"{package} comes from Debian's packages, and this machine has no apt"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{package}-") as scratch:
        # apt's own user reads what is fetched; a temporary folder is closed to it.
        Path(scratch).chmod(0o755)
        _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *_missing(package), cwd=scratch)
        root = Path(scratch) / "root"
        for file in Path(scratch).glob("*.deb"):
            _run("dpkg-deb", "-x", str(file), str(root), cwd=scratch)
        (root / "whole").touch()
        shutil.rmtree(place, ignore_errors=True)
        root.rename(place)
    return place


def environment(place: Path) -> dict[str, str]:
    """The environment in which an unpacked program finds its own libraries first."""
    folders = sorted({str(found.parent) for found in place.glob("**/*.so*")})
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(folders)}


def _missing(package: str) -> list[str]:
    """The package, and what apt would install with it here."""
    told = _run("apt-get", "install", "--simulate", "--no-install-recommends", package, cwd=None)
    if "Inst" not in told:  # it is installed already, or no list of packages was ever fetched
        _run("apt-get", "-qq", "update", cwd=None)
        told = _run("apt-get", "install", "--reinstall", "--simulate", "--no-install-recommends", package, cwd=None)
    return sorted({package, *re.findall(r"^Inst (\S+)", told, re.MULTILINE)})


def _run(*command: str, cwd: str | None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout
