"""The two stand-ins as processes: what they say, what they load, when they end."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from infra.toolchain import home

PROVIDER = "plugins/resource-azure-native-v3.29.0/pulumi-resource-azure-native"
HOST = "plugins/language-python-v3.259.0/pulumi-language-python"
both = pytest.mark.parametrize("plugin", [PROVIDER, HOST])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Pulumi home with both of them."""
    home.prepare(tmp_path, Path(sys.executable), env={"PULUMI_HOME": str(tmp_path / "nobody's")})
    return tmp_path


@both
def test_the_port_is_all_it_says_and_sigint_ends_it_at_once(folder: Path, plugin: str) -> None:
    process = subprocess.Popen(
        [folder / plugin, "--tracing", "x", "127.0.0.1:1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert 0 < int(process.stdout.readline()) < 65536

    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=5)

    assert (process.returncode, output, errors) == (0, "", "")


@both
def test_it_ends_when_its_engine_is_gone(folder: Path, plugin: str) -> None:
    engine = textwrap.dedent(f"""
        import subprocess, sys, time
        process = subprocess.Popen(["{folder / plugin}", "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
        print(process.stdout.readline(), flush=True)
        time.sleep(60)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", engine], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()

    process.kill()

    # Its stderr is the plugin's as well, and open as long as one of the two lives.
    process.communicate(timeout=2)


@pytest.mark.parametrize("module", ["language", "azure_native.provider", "azure_native.session"])
def test_neither_loads_the_sdk(module: str) -> None:
    program = (
        "import sys; from infra.toolchain import stubs; stubs.without_sdk(); "
        f"import infra.toolchain.{module}; "
        "heavy = ('pulumi.', 'azure.', 'requests'); "
        "print([name for name in sys.modules if name.startswith(heavy) and 'proto' not in name])"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "['pulumi.runtime']", "it starts on somebody's waiting time"


def test_the_stubs_leave_a_loaded_sdk_alone() -> None:
    program = (
        "import pulumi; from infra.toolchain import stubs; stubs.without_sdk(); import pulumi.runtime; "
        "print(pulumi.runtime.__file__ is not None)"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "True"
