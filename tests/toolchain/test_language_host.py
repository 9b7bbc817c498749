"""The stand-in language host under the real engine: programs, their output, their errors, their ends."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from infra.toolchain.interpreter import interpreter
from tests.toolchain.engine import Engine

SLOW = """
    import pulumi, time
    print("started", flush=True)
    time.sleep(60)
"""


def until(condition: object, seconds: float = 10.0) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:  # type: ignore[operator]
        time.sleep(0.02)
    return bool(condition())  # type: ignore[operator]


def test_a_stack_lives_from_its_first_preview_to_its_end(engine: Engine) -> None:
    engine.write("""
        import pulumi
        config = pulumi.Config()
        print("hello from the program")
        pulumi.export("greeting", config.require("greeting"))
        pulumi.export("secret", config.require_secret("secret"))
        pulumi.export("preview", pulumi.runtime.is_dry_run())
        pulumi.export("stack", f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}")
    """)
    engine.run("config", "set", "greeting", "hi")
    engine.run("config", "set", "--secret", "secret", "not-to-be-seen")

    previewed = engine.run("preview")
    engine.run("up", "--yes", "--skip-preview")
    outputs = json.loads(engine.run("stack", "output", "--json"))

    assert "hello from the program" in previewed
    assert outputs == {"greeting": "hi", "secret": "[secret]", "preview": False, "stack": "organization/project/dev"}
    assert "not-to-be-seen" not in previewed
    engine.run("preview", "--expect-no-changes")
    engine.run("refresh", "--yes", "--skip-preview")
    engine.run("destroy", "--yes", "--skip-preview")
    assert until(lambda: engine.processes() == []), engine.processes()


def test_configuration_stands_neither_in_arguments_nor_in_the_environment(engine: Engine) -> None:
    engine.write("""
        import pathlib, pulumi
        seen = pathlib.Path("/proc/self/cmdline").read_bytes() + pathlib.Path("/proc/self/environ").read_bytes()
        pulumi.export("seen", b"not-to-be-seen" in seen)
    """)
    engine.run("config", "set", "--secret", "secret", "not-to-be-seen")
    engine.run("up", "--yes", "--skip-preview")

    assert json.loads(engine.run("stack", "output", "--json")) == {"seen": False}


def test_an_exception_is_shown_from_the_programs_first_line_on(engine: Engine) -> None:
    engine.write("""
        def work():
            raise ValueError("not like this")
        work()
    """)

    output = engine.run("preview", code=1)

    assert "Program failed with an unhandled exception:" in output
    assert "ValueError: not like this" in output
    assert "__main__.py" in output
    assert "run_program.py" not in output, "frames of ours are no help to anybody"
    assert "runpy" not in output
    assert "non-zero exit code" not in output, "the error has been told once already"


def test_a_run_error_is_shown_as_its_text_alone(engine: Engine) -> None:
    engine.write("""
        import pulumi
        raise pulumi.RunError("the wish cannot be fulfilled")
    """)

    output = engine.run("preview", code=1)

    assert "error: the wish cannot be fulfilled" in output
    assert "Traceback" not in output
    assert "RunError" not in output
    assert "exit code" not in output


def test_a_program_that_leaves_by_itself_gives_its_exit_code(engine: Engine) -> None:
    engine.write("import sys; sys.exit(3)\n")

    assert "Program exited with non-zero exit code: 3" in engine.run("preview", code=1)


def test_a_program_that_is_killed_is_said(engine: Engine) -> None:
    engine.write("import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n")

    assert "Program exited unexpectedly: it was killed" in engine.run("preview", code=1)


def test_what_a_program_does_at_its_end_is_waited_for(engine: Engine) -> None:
    engine.write("""
        import atexit, pulumi, threading, time
        atexit.register(lambda: print("at the end"))
        threading.Thread(target=lambda: (time.sleep(0.1), print("in a thread"))).start()
    """)

    output = engine.run("preview")

    assert "in a thread" in output
    assert "at the end" in output


def test_a_program_may_be_a_folder_below_the_project(engine: Engine) -> None:
    (engine.project / "infra").mkdir()
    (engine.project / "infra" / "__main__.py").write_text(
        "import os, pulumi; pulumi.export('cwd', os.path.basename(os.getcwd()))"
    )
    engine.write(
        Pulumi_yaml="name: project\nmain: infra/__main__.py\nruntime: {name: python, options: {toolchain: pip}}\n"
    )

    engine.run("up", "--yes", "--skip-preview")

    assert json.loads(engine.run("stack", "output", "--json")) == {"cwd": "infra"}


def test_the_virtual_environment_is_found_from_the_project(engine: Engine) -> None:
    (engine.project / "venv").symlink_to(Path(sys.prefix))
    engine.write(
        "import os, sys; print('ours', os.path.realpath(sys.prefix), '--at' in sys.orig_argv)",
        Pulumi_yaml="name: project\nruntime: {name: python, options: {toolchain: pip, virtualenv: venv}}\n",
    )

    outputs = [engine.run("preview") for _ in range(2)]

    assert f"ours {os.path.realpath(sys.prefix)}" in outputs[0]
    assert any("True" in output for output in outputs), "the prepared Python is of this environment, by another name"
    assert interpreter(str(engine.project), {"virtualenv": "venv"}) == engine.project / "venv" / "bin" / "python"


def test_another_virtual_environment_needs_nothing_of_ours(engine: Engine) -> None:
    other = engine.project / "other" / "bin" / "python"
    other.parent.mkdir(parents=True)
    other.write_text(f'#!/bin/sh\nOTHER=yes exec {sys.executable} "$@"\n')
    other.chmod(0o755)
    engine.write(
        "import os; print('other:', os.environ.get('OTHER'))",
        Pulumi_yaml="name: project\nruntime: {name: python, options: {toolchain: pip, virtualenv: other}}\n",
    )

    assert "other: yes" in engine.run("preview")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("{toolchain: pip, virtualenv: nowhere}", 'runtime/options/virtualenv is "nowhere", but there is no'),
        ("{toolchain: uv}", 'runtime/options/toolchain is "uv"'),
    ],
)
def test_an_option_that_cannot_be_fulfilled_is_said(engine: Engine, options: str, text: str) -> None:
    engine.write(Pulumi_yaml=f"name: project\nruntime: {{name: python, options: {options}}}\n")

    assert text in engine.run("preview", code=1)


def test_about_knows_the_python_and_what_is_installed(engine: Engine) -> None:
    about = json.loads(engine.run("about", "--json", "--transitive"))

    assert about["runtime"]["executable"] == sys.executable
    assert about["runtime"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert {"name": "pulumi", "version": "3.259.0"} in [
        {"name": found["name"], "version": found["version"]} for found in about["dependencies"]
    ]


def test_the_program_runs_in_the_python_that_was_prepared_for_it(engine: Engine) -> None:
    engine.write("import sys; print('prepared', '--at' in sys.orig_argv)")

    # On a very busy machine the engine may be quicker than the preparation; then a new Python does.
    assert any("prepared True" in engine.run("preview") for _ in range(3))


def test_hooks_run_in_a_preview(engine: Engine) -> None:
    engine.write("""
        import pulumi
        def check(args):
            raise ValueError("refused before anything is written")
        hook = pulumi.ResourceHook("check", check, pulumi.ResourceHookOptions(on_dry_run=True))
        hooks = pulumi.ResourceHookBinding(before_create=[hook])
        class Thing(pulumi.ComponentResource):
            def __init__(self):
                super().__init__("test:index:Thing", "thing", None, pulumi.ResourceOptions(hooks=hooks))
        Thing()
    """)

    assert "refused before anything is written" in engine.run("preview", code=1)


def test_a_component_package_in_python_is_a_plugin(engine: Engine) -> None:
    package = engine.project / "components"
    package.mkdir()
    (package / "PulumiPlugin.yaml").write_text("runtime: python\n")
    (package / "thing.py").write_text(
        "from typing import TypedDict\n"
        "import pulumi\n"
        "class ThingArgs(TypedDict):\n"
        "    size: pulumi.Input[int]\n"
        "class Thing(pulumi.ComponentResource):\n"
        "    shown: pulumi.Output[str]\n"
        "    def __init__(self, name: str, args: ThingArgs, opts: pulumi.ResourceOptions | None = None) -> None:\n"
        "        super().__init__('sample:index:Thing', name, None, opts)\n"
        "        self.register_outputs({})\n"
    )
    (package / "__main__.py").write_text(
        "from pulumi.provider.experimental import component_provider_host\n"
        "from thing import Thing\n"
        "component_provider_host(name='sample', components=[Thing])\n"
    )

    output = engine.run("package", "get-schema", "./components")

    schema = json.loads(output[output.index("{") :])
    assert schema["resources"]["sample:index:Thing"]["inputProperties"]["size"]["type"] == "integer"
    assert until(lambda: engine.processes() == []), engine.processes()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_engine_leaves_no_process_behind(engine: Engine) -> None:
    engine.write(SLOW)
    process = engine.start("preview")
    assert until(lambda: any("run_program.py" in line for line in engine.processes()))
    time.sleep(0.5)  # the second host takes the program over; a kill at any moment must do, this one is the usual

    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert until(lambda: engine.processes() == [], seconds=20.0), engine.processes()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("moment", [0.15, 0.3, 0.45])
def test_a_kill_at_any_moment_leaves_no_process_behind(engine: Engine, moment: float) -> None:
    engine.write(SLOW)
    process = engine.start("preview")
    time.sleep(moment)

    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    assert until(lambda: engine.processes() == [], seconds=20.0), engine.processes()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_ctrl_c_ends_a_program_and_leaves_no_process_behind(engine: Engine) -> None:
    engine.write(SLOW)
    process = engine.start("preview")
    assert process.stdout is not None
    for line in process.stdout:
        if "started" in line:
            break

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)

    assert process.returncode != 0
    assert not re.search(r"KeyboardInterrupt|Traceback", output), "who pressed Ctrl-C knows it"
    assert until(lambda: engine.processes() == [], seconds=20.0), engine.processes()
