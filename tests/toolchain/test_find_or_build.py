"""Where the CLI comes from: PATH, an earlier run, the installer, a build; and what is said when none works."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra.toolchain import build, cli
from infra.toolchain.errors import BuildFailed, NoEngine
from infra.toolchain.progress import shown_on, silent

GO = """\
#!/bin/sh
case "$1" in
  list) echo "go: downloading example v1" >&2; echo a; echo b; echo c ;;
  build) echo a >&2; echo b >&2; {build}
    while [ "$1" != -o ]; do shift; done; echo built > "$2"; chmod +x "$2" ;;
esac
"""


def program(path: Path, text: str) -> Path:
    """An executable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def pulumi(folder: Path, version: str) -> Path:
    """A CLI that says it is of this version."""
    return program(folder / "pulumi", f"#!/bin/sh\necho {version}\n")


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A machine with a shell, without Pulumi, Go or network."""
    monkeypatch.setattr(cli, "_INSTALLER", "raise SystemExit(1)")
    return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}


@pytest.mark.parametrize("version", ["v3.259.0", "v3.260.1", "v4.0.0", "v3.1000.0-alpha.1"])
def test_a_cli_on_path_that_is_new_enough_is_taken(env: dict[str, str], tmp_path: Path, version: str) -> None:
    theirs = pulumi(tmp_path / "bin", version)

    assert cli.find_or_build(silent, env=env) == theirs


@pytest.mark.parametrize("version", ["v3.258.9", "v3.99.0", "v2.300.0", "", "nonsense"])
def test_an_older_one_is_not(env: dict[str, str], tmp_path: Path, version: str) -> None:
    pulumi(tmp_path / "bin", version)

    with pytest.raises(NoEngine):
        cli.find_or_build(silent, env=env)


def test_one_that_was_built_before_is_taken(env: dict[str, str], tmp_path: Path) -> None:
    kept = pulumi(tmp_path / "cache" / "hearth" / "pulumi" / build.fingerprint() / "bin", "v3.259.0")

    assert cli.find_or_build(silent, env=env) == kept


def test_the_cache_is_below_the_home_where_nothing_else_is_said(env: dict[str, str], tmp_path: Path) -> None:
    kept = pulumi(tmp_path / ".cache" / "hearth" / "pulumi" / build.fingerprint() / "bin", "v3.259.0")

    assert cli.find_or_build(silent, env={**env, "XDG_CACHE_HOME": ""}) == kept
    assert cli.find_or_build(silent, env={**env, "XDG_CACHE_HOME": "relative/is/ignored"}) == kept


def test_the_official_installer_goes_before_a_build(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "go", GO.format(build=""))
    install = (
        "import os, sys; root = sys.argv[1]; os.makedirs(root + '/bin');"
        "open(root + '/bin/pulumi', 'w').close(); os.chmod(root + '/bin/pulumi', 0o755)"
    )
    monkeypatch.setattr(cli, "_INSTALLER", install)

    found = cli.find_or_build(silent, env=env)

    assert found == tmp_path / "cache" / "hearth" / "pulumi" / "official-3.259.0" / "bin" / "pulumi"
    assert cli.find_or_build(silent, env=env) == found, "and it is kept"
    assert [path.name for path in found.parent.parent.parent.iterdir()] == ["official-3.259.0"]


def test_an_installer_that_hangs_is_left(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_INSTALLER", "import time; time.sleep(60)")

    started = time.monotonic()
    with pytest.raises(NoEngine):
        cli.find_or_build(silent, env=env, install_limit=0.1)

    assert time.monotonic() - started < 5


def test_without_pulumi_and_go_both_ways_out_are_named(env: dict[str, str]) -> None:
    with pytest.raises(NoEngine) as failed:
        cli.find_or_build(silent, env=env)

    assert "Put the Pulumi CLI on PATH, or Go 1.21 or newer" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_build_counts_its_packages(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", GO.format(build=""))
    steps: list[tuple[str, int, int | None]] = []

    built = cli.find_or_build(lambda *step: steps.append(step), env=env)

    assert built.read_text() == "built\n"
    assert built.parent.parent.name == build.fingerprint()
    assert ("Fetching the Go modules of the Pulumi CLI", 1, None) in steps
    assert [step[1:] for step in steps if step[0] == "Building the Pulumi CLI 3.259.0"] == [
        (0, 3),
        (1, 3),
        (2, 3),
        (3, 3),
    ]


def test_a_build_that_fails_says_what_go_said_and_leaves_nothing(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", GO.format(build="echo 'module lookup disabled' >&2; exit 1"))

    with pytest.raises(BuildFailed, match="module lookup disabled"):
        cli.find_or_build(silent, env=env)

    assert list((tmp_path / "cache" / "hearth" / "pulumi" / build.fingerprint() / "bin").iterdir()) == []


def test_two_builders_do_the_work_once(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", GO.format(build=f"echo once >> {tmp_path}/builds; sleep 0.2"))
    builders = [threading.Thread(target=cli.find_or_build, args=(silent,), kwargs={"env": env}) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()

    assert (tmp_path / "builds").read_text() == "once\n"


def test_ctrl_c_ends_go_and_leaves_nothing_half(env: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go", GO.format(build=f"echo $$ > {tmp_path}/go.pid; sleep 60 & wait"))
    call = (
        "import os; from infra.toolchain import cli; cli._INSTALLER = 'raise SystemExit(1)';"
        f"told = lambda what, done, of: open('{tmp_path}/told', 'a').write(f'{{done}},');"
        "cli.find_or_build(told, env=os.environ)"
    )
    process = subprocess.Popen([sys.executable, "-c", call], env=env, stderr=subprocess.DEVNULL)
    pid, told = tmp_path / "go.pid", tmp_path / "told"
    while not (pid.exists() and pid.read_text().endswith("\n") and told.exists() and "2," in told.read_text()):
        time.sleep(0.02)

    process.send_signal(signal.SIGINT)
    process.wait(60)

    assert process.returncode != 0
    assert list((tmp_path / "cache" / "hearth" / "pulumi" / build.fingerprint() / "bin").iterdir()) == []
    assert gone(int(pid.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within a while: a signal takes its time on a busy machine."""
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_the_requirements_are_fixed_and_name_nobody() -> None:
    lines = (build.MODULE / "go.mod").read_text().splitlines()

    assert lines[0] == "module engine"
    assert "\tgithub.com/pulumi/pulumi/pkg/v3 v3.259.0" in lines
    assert "\tgithub.com/pulumi/pulumi/sdk/v3 v3.259.0" in lines
    assert (build.MODULE / "go.sum").stat().st_size > 0


def test_a_log_gets_a_line_at_the_start_now_and_then_and_at_the_end() -> None:
    stream, now = io.StringIO(), [0.0]
    progress = shown_on(stream, now=lambda: now[0])
    for done in range(31):
        now[0] = float(done)
        progress("Building", done, 30)

    assert stream.getvalue().splitlines() == [
        "Building: 0 of 30",
        "Building: 10 of 30",
        "Building: 20 of 30",
        "Building: 30 of 30",
    ]


def test_a_terminal_gets_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    progress = shown_on(stream)
    progress("Fetching", 3, None)
    progress("Building", 1, 2)
    progress("Building", 2, 2)

    assert stream.getvalue().count("\n") == 1
    assert "Building ━━━━━━━━━━━━━━━                 50 %" in stream.getvalue()
