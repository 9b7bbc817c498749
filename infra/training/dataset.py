"""Training files checked before anything is uploaded: every rule, all files together, on all cores.

Needs no network and no login. What depends on an account (how large a file may be) is handed in.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import stat
import threading
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec

from infra.errors import HearthError
from infra.spec import tuning
from infra.training import cost, pieces, rules, scan, shapes, tokens
from infra.training.digests import Ledger, Marks
from infra.training.rules import Finding
from infra.training.shapes import Shape

Purpose = Literal["training", "validation"]
Counting = Literal["exact", "estimate", "none"]
Progress = Callable[[int, int], None]
"""Told the bytes that are done, and all of them."""
Job = tuple[int, pieces.Piece, scan.How]
"""A file's number, some of its lines, and what is asked of them."""

_HEAD = 1 << 20
_ALONE = 8 << 20
"""Less than this many bytes is not worth more processes."""
_MOST_PROCESSES = 12
"""What holds all of them within 300 MB."""
_RETURNS = re.compile(rb"\}[ \t]*\r[ \t\r]*\{")
"""The end of an object and the start of the next, with no line feed between them."""
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Asked(msgspec.Struct, frozen=True):
    """What to check the files for."""

    training: list[Path]
    validation: list[Path] = []
    model: str | None = None
    method: tuning.Method | None = None
    """None: as the data look."""
    epochs: int | None = None
    """None: Azure chooses."""
    counting: Counting = "exact"
    file_bytes: int | None = None
    """What the account takes; None: what is documented."""
    called: dict[Path, str] = {}
    """What a file is called in the report, where that is not its path."""
    keep: int = 5
    """Findings told in full, a rule and file."""
    processes: int | None = None


class File(msgspec.Struct):
    """What was found in one file."""

    path: str
    purpose: Purpose
    called: str
    """Its name for people."""
    size: int = 0
    lines: int = 0
    examples: int = 0
    shape: Shape | None = None
    bom: bool = False
    broken: dict[str, int] = {}
    """Rule → how often."""
    findings: list[Finding] = []
    """At most `keep` a rule, in the order of lines."""
    sizes: dict[int, int] = {}
    """Tokens (or characters) of an example → how many examples have as many."""
    roles: dict[str, tuple[int, int]] = {}
    """Role → texts, and their tokens (or characters)."""
    pictured: int = 0
    """Examples with images."""
    repeats: Marks = msgspec.field(default_factory=Marks)
    """Lines that say what one before them says in a file of the same purpose."""

    def say(self, rule: str, text: str, line: int = 0, times: int = 1) -> None:
        """Note that a rule does not hold."""
        self.broken[rule] = self.broken.get(rule, 0) + times
        self.findings.append(Finding(line, rule, text))

    def count(self, kind: rules.Kind) -> int:
        """Faults, or warnings."""
        known = rules.load()
        return sum(times for rule, times in self.broken.items() if known[rule].kind == kind)

    def absorb(self, part: scan.Part, keep: int) -> None:
        """Take in what was found in the lines that follow."""
        for rule, times in part.broken.items():
            before = self.broken.get(rule, 0)
            self.broken[rule] = before + times
            room = max(keep - before, 0)
            self.findings += [
                Finding(found.line + self.lines + 1, rule, found.text)
                for found in [f for f in part.findings if f.rule == rule][:room]
            ]
        for size, examples in part.sizes.items():
            self.sizes[size] = self.sizes.get(size, 0) + examples
        for role, (texts, size) in part.roles.items():
            known = self.roles.get(role, (0, 0))
            self.roles[role] = (known[0] + texts, known[1] + size)
        self.lines += part.lines
        self.examples += len(part.digests) // 8
        self.pictured += part.pictured


class Report(msgspec.Struct):
    """What was found in all files."""

    files: list[File]
    model: str | None
    counted: Counting
    """How tokens were counted in the end: exact becomes estimate where nothing counts exactly."""
    encoding: str | None
    bill: cost.Bill | None
    """None: tokens were not counted."""

    def count(self, kind: rules.Kind) -> int:
        """Faults, or warnings, of all files."""
        return sum(file.count(kind) for file in self.files)


def check(asked: Asked, progress: Progress = lambda done, total: None) -> Report:
    """Check all files. Whatever is wrong with the data is in the report.

    Raises HearthError when a process of ours is killed.
    """
    known = tuning.load()
    model = known.model(asked.model) if asked.model else None
    encoding, counted = _encoding(asked, model)
    files = [File(str(path), "training", asked.called.get(path, str(path))) for path in asked.training]
    files += [File(str(path), "validation", asked.called.get(path, str(path))) for path in asked.validation]
    limit = known.file_bytes.value if asked.file_bytes is None else asked.file_bytes
    readable = {number: size for number, file in enumerate(files) if (size := _open(file, limit)) is not None}
    _give_shapes(files, readable, asked.method)
    how = scan.How("chat", encoding, asked.keep, known.line_bytes.value)
    with Ledger() as ledger:
        _read(files, readable, asked, how, ledger, progress)
        _compare(files, ledger, asked.keep)
    bill = None
    if counted != "none":
        sizes = cost.Sizes(_all_sizes(files), counted == "estimate")
        bill = cost.bill(known, model, sizes, asked.epochs, reinforcement=files[0].shape == "reinforcement")
    for file in files:
        _judge(file, asked, known, model, counted)
    _judge_all(files, asked, known, model, bill)
    for file in files:
        file.findings.sort(key=lambda found: (found.line, found.rule))
    return Report(files, model.name if model else asked.model, counted, encoding, bill)


def _encoding(asked: Asked, model: tuning.Tunable | None) -> tuple[str | None, Counting]:
    """The encoding to count by, ready to be used, and what comes of the wish to count."""
    encoding = model.encoding if model else "o200k_base"
    if asked.counting != "exact":
        return None, asked.counting
    return (encoding, "exact") if tokens.counter(encoding) else (None, "estimate")


# --- the file as a whole -------------------------------------------------------------------------------------------


def _open(file: File, limit: int) -> int | None:
    """Where the lines begin; None, and said why, where there are none to look at."""
    try:
        found = Path(file.path).stat()
        if not stat.S_ISREG(found.st_mode):
            file.say("unreadable", "is a directory" if stat.S_ISDIR(found.st_mode) else "is no ordinary file")
            return None
        with Path(file.path).open("rb") as opened:
            head = opened.read(4096)
            ends = b"\n" if b"\n" in head else opened.read(_HEAD)
    except OSError as error:
        file.say("unreadable", f"cannot be read: {error.strerror or error}")
        return None
    except ValueError:  # a NUL in the name
        file.say("unreadable", "has no name that a file can have")
        return None
    file.size = found.st_size
    file.bom = head.startswith(scan.BOM)
    start = len(scan.BOM) if file.bom else 0
    if wrong := _no_lines(head, start):
        file.say(*wrong)
        return None
    if _RETURNS.search(head + ends) and b"\n" not in ends:
        file.say("carriage-returns", "its lines end with carriage returns alone, so all of it is one line")
        return None
    if file.size >= limit:
        file.say("too-large", f"has {file.size:,} bytes; the account takes fewer than {limit:,}")
    return start


def _no_lines(head: bytes, start: int) -> tuple[str, str] | None:
    """The rule that a file breaks, by its first bytes, which cannot hold lines at all; None for one that may."""
    if not head[start:]:
        return "empty", "has nothing behind its byte-order mark" if head else "has 0 bytes"
    if packed := next((name for magic, name in _PACKED.items() if head.startswith(magic)), None):
        return "compressed", f"is packed by {packed}"
    if wide := _wide(head):
        return "encoding", f"is {wide}, not UTF-8"
    if head[start:].lstrip().startswith(b"["):
        return "not-lines", "begins with [ as an array does"
    return None


def _wide(head: bytes) -> str | None:
    """The encoding of text whose characters have two or four bytes each; None for other text."""
    marked = next((name for mark, name in _WIDE.items() if head.startswith(mark)), None)
    if marked or len(head) < 8:
        return marked
    zeros = [head[offset::2].count(0) * 2 > len(head) * 0.6 for offset in (0, 1)]
    return "UTF-16" if any(zeros) and not all(zeros) else None


def _shape(file: File, start: int, method: tuning.Method | None) -> Shape:
    """The shape that a file should have: that of the method, else of most of its first lines."""
    shape: Shape = "chat"
    with contextlib.suppress(OSError), Path(file.path).open("rb") as opened:
        opened.seek(start)
        shape = shapes.recognise(opened.read(_HEAD))
    if method is None or shapes.METHODS[shape] == method:
        return shape
    return next(shape for shape, meant in shapes.METHODS.items() if meant == method)


def _give_shapes(files: list[File], readable: dict[int, int], method: tuning.Method | None) -> None:
    """Every training file its own shape; validation that of the first training file."""
    for number, start in readable.items():
        file, first = files[number], files[0].shape
        file.shape = first if file.purpose == "validation" and first else _shape(file, start, method)


# --- all lines -----------------------------------------------------------------------------------------------------


def _read(
    files: list[File],
    readable: dict[int, int],
    asked: Asked,
    how: scan.How,
    ledger: Ledger,
    progress: Progress,
) -> None:
    """Check every line of every file that can be read, and keep the digests."""
    total, done = sum(files[number].size for number in readable), 0
    lengths = dict(readable)
    for number, part in _parts(_jobs(files, readable, how), _processes(asked, total)):
        file = files[number]
        if part is None:
            continue
        ledger.add(number, file.lines + 1, part.digests, array("I", part.at) if part.at else None)
        file.absorb(part, asked.keep)
        lengths[number] += part.length
        done += part.length
        progress(done, total)
    for number, length in lengths.items():
        if length != files[number].size or _size(files[number]) != length:
            files[number].say("changed", "became shorter or longer while it was read")
    progress(total, total)


def _jobs(files: list[File], readable: dict[int, int], how: scan.How) -> Iterator[Job]:
    """The pieces of all files; none of one that has gone in the meantime."""
    for number, start in readable.items():
        file = files[number]
        of_shape = msgspec.structs.replace(how, shape=file.shape or how.shape)
        with contextlib.suppress(OSError):
            for piece in pieces.cut(Path(file.path), start, file.size):
                yield number, piece, of_shape


def _size(file: File) -> int:
    try:
        return Path(file.path).stat().st_size
    except OSError:
        return -1


def _processes(asked: Asked, total: int) -> int:
    if asked.processes is not None:
        return asked.processes
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if total < _ALONE else min(cores, _MOST_PROCESSES)


def _parts(jobs: Iterator[Job], processes: int) -> Iterator[tuple[int, scan.Part | None]]:
    """What is found in the pieces, in their order; None for one whose file has gone."""
    if processes <= 1:
        for number, piece, how in jobs:
            try:
                yield number, scan.work(piece, how)
            except OSError:
                yield number, None
        return
    # A fork shares what is loaded, the 100 MB of an encoding among it; with threads about it is not safe.
    safe = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if safe else "spawn")
    waiting: deque[tuple[int, Future[scan.Part]]] = deque()
    pool = ProcessPoolExecutor(processes, context, initializer=_begin)
    try:
        for number, piece, how in jobs:
            with _interrupts_wait():
                waiting.append((number, pool.submit(scan.work, piece, how)))
            if len(waiting) >= 3 * processes:
                yield _outcome(*waiting.popleft())
        while waiting:
            yield _outcome(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Python loses a Ctrl-C that comes while it forks: here it comes after that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Ctrl-C goes to all processes: the first of them ends the others, and must not leave them behind when killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _outcome(number: int, future: Future[scan.Part]) -> tuple[int, scan.Part | None]:
    try:
        return number, future.result()
    except OSError:
        return number, None
    except BrokenExecutor as error:
        raise HearthError("a process of the check was ended from outside; perhaps memory ran out") from error


# --- all examples together -----------------------------------------------------------------------------------------


def _compare(files: list[File], ledger: Ledger, keep: int) -> None:
    """Say which examples come twice, and which are in training and validation."""
    told: Counter[tuple[int, str]] = Counter()
    for before, later in ledger.repeats():
        for at in later.argsort():
            one, two = ledger.place(int(before[at])), ledger.place(int(later[at]))
            file = files[two.file]
            rule = "duplicate" if files[one.file].purpose == file.purpose else "overlap"
            file.broken[rule] = file.broken.get(rule, 0) + 1
            told[two.file, rule] += 1
            if rule == "duplicate":
                file.repeats.add(two.line)
            if told[two.file, rule] <= keep:
                where = f"line {one.line}" if one.file == two.file else f"line {one.line} of {files[one.file].called}"
                file.findings.append(Finding(two.line, rule, f"says the same as {where}"))


def _all_sizes(files: list[File]) -> dict[int, int]:
    """Sizes of the training examples."""
    found: Counter[int] = Counter()
    for file in files:
        if file.purpose == "training":
            found.update(file.sizes)
    return dict(found)


def _judge(file: File, asked: Asked, known: tuning.Tuning, model: tuning.Tunable | None, counted: Counting) -> None:
    """Say what is wrong with a file's examples together."""
    if file.shape is None:
        return
    least = known.examples.value
    if file.purpose == "training" and file.examples < least:
        file.say("few-examples", f"has {file.examples}, at least {least} are needed")
    if file.pictured > known.image_examples.value:
        file.say(
            "image-examples", f"has {file.pictured:,} examples with images, more than {known.image_examples.value:,}"
        )
    if model is None:
        return
    if file.pictured and not model.vision:
        file.say("image-model", f"{model.name} takes no images, {file.pictured:,} examples have some")
    if model.example_tokens and counted != "none":
        most = model.example_tokens * (known.characters_per_token.value if counted == "estimate" else 1)
        if cut := sum(times for size, times in file.sizes.items() if size > most):
            about = "about " if counted == "estimate" else ""
            longest = max(file.sizes) // (known.characters_per_token.value if counted == "estimate" else 1)
            text = f"{cut:,} examples are longer than {about}{model.example_tokens:,} tokens of {model.name} and are cut; the longest has {longest:,}"  # noqa: E501
            file.say("cut", text, times=cut)


def _judge_all(
    files: list[File], asked: Asked, known: tuning.Tuning, model: tuning.Tunable | None, bill: cost.Bill | None
) -> None:
    """Say what is wrong with all of it; told at the first file."""
    file = files[0]
    if asked.model and model is None:
        file.say("model", f"{asked.model} is not known here{_near(asked.model, known)}")
    if file.shape is None:
        return
    if model:
        method = shapes.METHODS[file.shape]
        if method not in model.methods:
            file.say("model-method", f"{model.name} takes {' and '.join(model.methods)}, the data are for {method}")
        elif model.completion != (file.shape == "completion"):
            wanted = "prompt and completion" if model.completion else "messages"
            file.say("model-method", f"{model.name} takes {wanted}, the data are {shapes.NAMES[file.shape]}")
    if file.shape == "reinforcement" and not asked.validation:
        file.say("validation", "no validation file was named")
    if bill and bill.tokens * bill.epochs[0] > known.tokens.value:
        file.say(
            "too-many-tokens", f"{bill.tokens:,} tokens in {bill.epochs[0]} epochs, more than {known.tokens.value:,}"
        )


def _near(name: str, known: tuning.Tuning) -> str:
    from infra.spec.limits import did_you_mean  # noqa: PLC0415 - only where it is needed

    return did_you_mean(name, sorted(known.models))
