"""The Pulumi home: what is laid out in it, and what the engine is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.toolchain.home import environment, prepare

PROVIDER = "plugins/resource-azure-native-v3.29.0/pulumi-resource-azure-native"
HOST = "plugins/language-python-v3.259.0/pulumi-language-python"


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a Pulumi home."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))


def official(folder: Path) -> Path:
    """Something in the place of the official plugin."""
    executable = folder / PROVIDER
    executable.parent.mkdir(parents=True)
    executable.write_text('#!/bin/sh\necho official "$@"\n')
    executable.chmod(0o755)
    return executable


@pytest.mark.usefixtures("nobody")
def test_both_stand_ins_run_on_the_python_that_was_named(tmp_path: Path) -> None:
    prepare(tmp_path / "home", Path("/a folder/bin/python"), env={})

    for name, module in ((PROVIDER, "azure_native"), (HOST, "host")):
        plugin = tmp_path / "home" / name
        assert (
            plugin.read_text()
            == f"#!/bin/sh\nexec '/a folder/bin/python' -P -m infra.toolchain.{module} $PPID \"$@\"\n"
        )
        assert os.access(plugin, os.X_OK)


@pytest.mark.usefixtures("nobody")
def test_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    prepare(tmp_path, Path(sys.executable), env={})
    before = (tmp_path / HOST).stat()
    prepare(tmp_path, Path(sys.executable), env={})

    assert (tmp_path / HOST).stat() == before
    assert [path.name for path in (tmp_path / HOST).parent.iterdir()] == ["pulumi-language-python"], (
        "nothing half is left"
    )


@pytest.mark.usefixtures("nobody")
def test_a_python_that_moved_is_followed(tmp_path: Path) -> None:
    prepare(tmp_path, Path("/old/python"), env={})
    prepare(tmp_path, Path("/new/python"), env={})

    assert "/new/python" in (tmp_path / HOST).read_text()
    assert "/new/python" in (tmp_path / PROVIDER).read_text()


def test_an_official_plugin_of_the_users_own_is_used_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official(tmp_path / "user" / ".pulumi")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))

    prepare(tmp_path / "home", Path(sys.executable), env={})

    said = subprocess.run([tmp_path / "home" / PROVIDER, "address"], capture_output=True, text=True, check=True)
    assert said.stdout == "official address\n"
    assert "infra.toolchain.host" in (tmp_path / "home" / HOST).read_text()


@pytest.mark.usefixtures("nobody")
def test_the_users_own_home_may_be_elsewhere_but_never_is_ours(tmp_path: Path) -> None:
    elsewhere = official(tmp_path / "elsewhere")
    prepare(tmp_path / "home", Path(sys.executable), env={"PULUMI_HOME": str(tmp_path / "elsewhere")})
    assert str(elsewhere) in (tmp_path / "home" / PROVIDER).read_text()

    prepare(tmp_path / "home", Path(sys.executable), env={"PULUMI_HOME": str(tmp_path / "home")})
    assert "infra.toolchain.azure_native" in (tmp_path / "home" / PROVIDER).read_text(), "it must not start itself"


@pytest.mark.usefixtures("nobody")
def test_a_download_that_is_not_finished_is_no_plugin(tmp_path: Path) -> None:
    plugin = official(tmp_path / "elsewhere")
    plugin.parent.with_name(plugin.parent.name + ".partial").touch()

    prepare(tmp_path / "home", Path(sys.executable), env={"PULUMI_HOME": str(tmp_path / "elsewhere")})

    assert "infra.toolchain.azure_native" in (tmp_path / "home" / PROVIDER).read_text()


def test_the_environment_names_an_existing_backend_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    variables = environment(Path("home"), Path("state"))

    assert variables["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state?metadata=skip"
    assert (tmp_path / "state").is_dir(), "the engine wants to find it"
    assert variables["PULUMI_HOME"] == f"{tmp_path}/home"
    assert variables["PULUMI_CONFIG_PASSPHRASE"] == ""
