"""Training data: what checking them costs beside parsing them, beside a plain loop, beside the bare encoder."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import corpus
from benchmarks.bare.data import PARSERS
from benchmarks.report import Row
from benchmarks.timing import side_by_side

BYTES = 500_000_000
CORES = 2
ROUNDS = 3
STEPS = 1_000_000


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as folder:
        file = Path(folder) / "chat.jsonl"
        corpus.write(file, BYTES)
        yield from _without_tokens(file)
        yield from _with_tokens(file, "examples of eleven short messages")
        corpus.write(file, BYTES, turns="one")
        yield from _with_tokens(file, "examples of three messages, as GSM8K has them")
        corpus.write(file, BYTES // 2, opening=corpus.INSTRUCTIONS)
        yield from _with_instructions(file)
        yield from _results(Path(folder))


def _without_tokens(file: Path) -> Iterator[Row]:
    candidates: dict[str, Callable[[], object]] = {name: partial(_bare, name, file) for name in (*PARSERS, "plain")}
    times = side_by_side({**candidates, "ours": partial(_ours, file, "none")}, ROUNDS)
    fastest = min(PARSERS, key=lambda name: times[name].middle)
    ours, parse, plain = times["ours"].middle, times[fastest].middle, times["plain"].middle
    yield Row("`hearth data check --tokens none` on 500 MB of chat beside parsing them", ours / parse, 1 / 0.7,
              f"{ours:.2f} s on {CORES} cores against {parse:.2f} s of {fastest} on one: "
              f"{parse / ours:.2f} times its throughput")  # fmt: skip
    yield Row("the same beside json.loads a line with the same checks in Python", ours / plain, 1 / 3,
              f"against {plain:.2f} s on one core: {plain / ours:.1f} times its throughput")  # fmt: skip
    yield Row("memory of all its processes together, in MB", _memory(file, "none"), 300, "shared pages counted once")


def _with_tokens(file: Path, what: str) -> Iterator[Row]:
    ours, other, memory = _beside_encoder(file)
    yield Row(f"exact tokens of 500 MB beside the bundled encoder bare over the same texts: {what}", ours / other,
              1 / 0.8, f"{ours:.2f} s against {other:.2f} s on as many cores, texts in memory: {other / ours:.2f} "
              "times its throughput; nothing long repeats here")  # fmt: skip
    yield Row(
        f"memory of all its processes together then, in MB: {what}", memory, 300, "tables of the encoding included"
    )


def _with_instructions(file: Path) -> Iterator[Row]:
    """Data of one task: the encoder counts the instructions in every example, ours once in a piece of the file."""
    ours, other, _ = _beside_encoder(file)
    size = len(corpus.INSTRUCTIONS)
    yield Row(f"exact tokens of 250 MB whose examples all begin with {size} characters of instructions", ours / other,
              1 / 0.8, f"{ours:.2f} s against {other:.2f} s: {other / ours:.2f} times its throughput; what examples "
              "share is counted once in 2 MB")  # fmt: skip


def _beside_encoder(file: Path) -> tuple[float, float, float]:
    """Seconds of ours, of the encoder alone, and the most memory of ours in MB."""
    bare: list[float] = []
    times = side_by_side({
        "bare": lambda: bare.append(_bare("encode", file, str(CORES))),
        "ours": partial(_ours, file, "exact"),
    }, ROUNDS)  # fmt: skip
    return times["ours"].middle, statistics.median(bare[1:]), _memory(file, "exact")


def _results(folder: Path) -> Iterator[Row]:
    """A whole command: read, judged, drawn as text, as PNG and as a page."""
    file = folder / "results.csv"
    header = "step,train_loss,train_mean_token_accuracy,valid_loss,valid_mean_token_accuracy,full_valid_loss"
    lines = (
        f"{at},{2 / at**0.2:.5f},{1 - 1 / at**0.3:.5f},{f'{2.1 / at**0.2:.5f}' if at % 10 == 0 else ''},,"
        for at in range(1, STEPS + 1)
    )
    file.write_text("\n".join([header, *lines]) + "\n")
    command = [str(Path(sys.executable).with_name("hearth")), "results", str(file)]
    command += ["--png", str(folder / "loss.png"), "--html", str(folder / "loss.html")]
    times = side_by_side({"ours": lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)}, ROUNDS)
    yield Row("`hearth results` of 1,000,000 steps, in seconds", times["ours"].middle, 5,
              "the whole command: read, judged, drawn in the terminal, as PNG and as a page")  # fmt: skip


def _bare(*arguments: object) -> float:
    """What the process says: the seconds of what it was asked for."""
    command = [sys.executable, "-m", "benchmarks.bare.data", *map(str, arguments)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _ours(file: Path, tokens: str, watch: Callable[[subprocess.Popen[bytes]], None] = lambda _: None) -> None:
    """Run the command."""
    command = [str(Path(sys.executable).with_name("hearth")), "data", "check", str(file), "--tokens", tokens]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watch(process)
        code = process.wait()
    assert code == 0  # noqa: S101


def _memory(file: Path, tokens: str) -> float:
    """The most memory that its processes have together, in MB: in a run that is not timed, for looking costs time."""
    most: list[float] = [0]
    _ours(file, tokens, partial(_watch, most))
    return most[0]


def _watch(most: list[float], process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        most[0] = max(most[0], sum(_megabytes(pid) for pid in _family(process.pid)))
        time.sleep(0.1)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _megabytes(pid: int) -> float:
    """Memory of a process, each shared page as its part of it."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0
    return int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) / 1024


if __name__ == "__main__":
    for row in rows():
        sys.stdout.write(f"{row.figure:8.2f}  {row.what} ({row.note})\n")
        sys.stdout.flush()
